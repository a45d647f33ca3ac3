// Package bolt is a store.Log in one bbolt file, for a cluster with one master.
// A batch is one transaction: it is on the disk, or it is not there at all,
// whatever dies at whatever moment.
//
// The file is "log.db" in the directory given to Open, with three buckets. "log"
// holds batches under the index of their first entry (8 bytes, big-endian): a
// checksum, the number of entries, and each entry after its length. "snapshot"
// holds the compressed snapshot in pieces of maxPiece, each after a checksum.
// "meta" holds numbers: the format's version, the index of the last entry, that
// of the snapshot, and how many entries were let go; each has a checksum behind
// it. Checksums are CRC-32C and cover the key, so that nothing can stand in
// another's place.
//
// What is spoilt is never replayed: the error wraps store.ErrDamaged and names
// the place. One damage cannot be told from a crash: when the newer of the two
// roots of the file is spoilt, it is a commit that was torn, and the log ends at
// the batch before.
package bolt
