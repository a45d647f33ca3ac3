package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	bbolt "go.etcd.io/bbolt"

	"github.com/universe-dcos/universe/runtime/store"
)

const sumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of parts that stand together.
func sum(parts ...[]byte) []byte {
	c := uint32(0)
	for _, p := range parts {
		c = crc32.Update(c, castagnoli, p)
	}
	return binary.BigEndian.AppendUint32(nil, c)
}

// packBatch makes entries into one value under a key.
func packBatch(key []byte, entries [][]byte) []byte {
	size := sumSize + binary.MaxVarintLen64
	for _, e := range entries {
		size += binary.MaxVarintLen32 + len(e)
	}
	out := binary.AppendUvarint(make([]byte, sumSize, size), uint64(len(entries)))
	for _, e := range entries {
		out = append(binary.AppendUvarint(out, uint64(len(e))), e...)
	}
	copy(out, sum(key, out[sumSize:]))
	return out
}

// batch is a value of the log that is being read.
type batch struct {
	first int64  // index of its first entry
	count int    // entries that are left
	rest  []byte // their bytes
}

// openBatch checks a batch and reads its head.
func openBatch(key, v []byte) (*batch, error) {
	if len(key) != 8 || len(v) < sumSize || string(sum(key, v[sumSize:])) != string(v[:sumSize]) {
		return nil, fmt.Errorf("the batch of entry %d, %d bytes long, does not match its checksum: %w", value(key), len(v), store.ErrDamaged)
	}
	n, size := binary.Uvarint(v[sumSize:])
	b := &batch{first: value(key), rest: v[sumSize+max(0, size):]}
	if size <= 0 || n == 0 || n > uint64(len(b.rest)) {
		return nil, b.bad()
	}
	b.count = int(n)
	return b, nil
}

// entry reads the next entry.
func (b *batch) entry() ([]byte, error) {
	n, size := binary.Uvarint(b.rest)
	if size <= 0 || n > uint64(len(b.rest)-size) {
		return nil, b.bad()
	}
	e := b.rest[size : size+int(n)]
	b.rest = b.rest[size+int(n):]
	b.count--
	return e, nil
}

func (b *batch) bad() error {
	return fmt.Errorf("the batch of entry %d is no list of entries: %w", b.first, store.ErrDamaged)
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// value reads the number that bytes begin with; 0 when they are too few.
func value(b []byte) int64 {
	if len(b) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// put stores a number with its checksum.
func put(b *bbolt.Bucket, key []byte, n int64) error {
	v := number(n)
	return b.Put(key, append(v, sum(key, v)...))
}

// get reads what put stored.
func get(b *bbolt.Bucket, key []byte) (int64, error) {
	v := b.Get(key)
	if len(v) != 8+sumSize || string(sum(key, v[:8])) != string(v[8:]) {
		return 0, fmt.Errorf("the number %q does not match its checksum: %w", key, store.ErrDamaged)
	}
	return value(v), nil
}
