package server

// MetaStore keeps what the registry knows beside the bytes: ordered tables of
// keys and values, changed in transactions. Disk keeps it in bbolt.
type MetaStore interface {
	// View runs fn over an unchanging state.
	View(fn func(MetaTx) error) error
	// Update runs fn and makes its changes durable, all or none; an error of
	// fn undoes them and is returned. Several calls may be committed together
	// and fn may run more than once, so it sets, and never adds to, what it
	// hands out.
	Update(fn func(MetaTx) error) error
	// Close waits for running transactions and releases the store.
	Close() error
}

// MetaTx is one transaction. Bytes it hands out are valid until its end and
// not to be changed.
type MetaTx interface {
	// Get gives the value of key, nil when there is none.
	Get(t Table, key []byte) []byte
	// Put sets the value of key.
	Put(t Table, key, value []byte) error
	// Delete removes key; one that is not there is no error.
	Delete(t Table, key []byte) error
	// Scan calls fn for the keys that start with prefix and come after the key
	// after (nil for all), in byte order, until fn says no.
	Scan(t Table, prefix, after []byte, fn func(key, value []byte) (more bool, err error)) error
}

// Table names a table of a MetaStore. In the keys, "·" stands for a zero byte.
type Table string

// The tables.
const (
	TableRepositories Table = "repo"   // name -> repositoryRecord
	TableTags         Table = "tag"    // name·tag -> tagRecord
	TableManifests    Table = "man"    // name·digest -> manifestRecord
	TableBodies       Table = "body"   // digest -> bytes of a small manifest or blob
	TableLinks        Table = "link"   // name·digest -> linkRecord: the blob shows in that repository
	TableHolders      Table = "holder" // digest·name -> nothing: TableLinks the other way round
	TableReferrers    Table = "ref"    // name·subject·digest -> descriptor, as it is served
)

// Tables lists all tables; a MetaStore makes them when it is opened.
func Tables() []Table {
	return []Table{TableRepositories, TableTags, TableManifests, TableBodies, TableLinks, TableHolders, TableReferrers}
}
