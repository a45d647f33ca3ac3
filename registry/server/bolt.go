package server

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/universe-dcos/universe/internal/problem"
)

const (
	// maxGroup bounds the updates that are committed together.
	maxGroup = 256
	// gatherShare is the part of a commit's time that the next one waits for
	// others to join: one in so many.
	gatherShare = 8
	// lockWait is how long opening waits for another process to let go.
	lockWait = time.Second
	// initialMmapBytes spares remapping, which waits for readers, while the
	// database is small. It is address space, not memory or disk.
	initialMmapBytes = 256 << 20
)

// Bolt is a MetaStore in one bbolt file. Updates that arrive while a
// commit is under way are committed together by the next one, so that many
// writers share a sync of the disk.
type Bolt struct {
	db *bolt.DB

	mu    sync.Mutex
	busy  bool // somebody commits
	queue []*update
	last  int           // updates in the last commit
	took  time.Duration // how long it was
}

// update is one waiting call of Update.
type update struct {
	fn   func(MetaTx) error
	err  error
	wake chan bool // true: you commit next; false: err is set
}

// OpenBolt opens or makes the database. A database that another process has
// open is problem.Unavailable.
func OpenBolt(path string, d Durability) (*Bolt, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: lockWait, FreelistType: bolt.FreelistMapType, InitialMmapSize: initialMmapBytes,
		NoSync: d == DurabilityOff, NoStatistics: true,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, problem.New(problem.Unavailable, "registry database %s is in use by another process", path).
			WithHint("stop the other registry, or give this one a directory of its own")
	}
	if err != nil {
		return nil, fmt.Errorf("open registry database %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, t := range Tables() {
			if _, err := tx.CreateBucketIfNotExists([]byte(t)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare registry database %s: %w", path, err), db.Close())
	}
	return &Bolt{db: db}, nil
}

// View implements MetaStore.
func (b *Bolt) View(fn func(MetaTx) error) error {
	return b.db.View(func(tx *bolt.Tx) error { return fn(&boltTx{tx: tx}) })
}

// Close implements MetaStore.
func (b *Bolt) Close() error { return b.db.Close() }

// Update implements MetaStore. The first caller to find nobody committing does
// so for all that wait, and hands over to the next one after that.
func (b *Bolt) Update(fn func(MetaTx) error) error {
	u := &update{fn: fn, wake: make(chan bool, 1)}
	b.mu.Lock()
	b.queue = append(b.queue, u)
	if b.busy {
		b.mu.Unlock()
		if commits := <-u.wake; !commits {
			return u.err
		}
	} else {
		b.busy = true
		b.mu.Unlock()
	}
	group := b.gather()
	start := time.Now()
	b.commit(group)

	b.mu.Lock()
	b.last, b.took = len(group), time.Since(start)
	if len(b.queue) > 0 {
		b.queue[0].wake <- true
	} else {
		b.busy, b.queue = false, nil
	}
	b.mu.Unlock()
	for _, other := range group {
		if other != u {
			other.wake <- false
		}
	}
	return u.err
}

// gather takes the updates that wait. The callers that the last commit served
// often come again at once: a wait that is short against the commit lets them
// share it.
func (b *Bolt) gather() []*update {
	b.mu.Lock()
	if len(b.queue) < b.last {
		wait := b.took / gatherShare
		b.mu.Unlock()
		time.Sleep(wait)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	n := min(len(b.queue), maxGroup)
	group := b.queue[:n:n]
	b.queue = b.queue[n:]
	return group
}

// errUndo rolls a transaction back without being anybody's error.
var errUndo = errors.New("undo")

// commit runs a group in one transaction. An update that fails after it wrote
// something cannot be undone alone: the transaction is rolled back and the
// others run again without it.
func (b *Bolt) commit(group []*update) {
	for len(group) > 0 {
		bad, wrote := -1, false
		err := b.db.Update(func(tx *bolt.Tx) error {
			for i, u := range group {
				t := &boltTx{tx: tx}
				u.err = runUpdate(u.fn, t)
				if u.err != nil && t.wrote {
					bad = i
					return errUndo
				}
				wrote = wrote || t.wrote
			}
			if !wrote {
				return errUndo // nothing to sync
			}
			return nil
		})
		if bad < 0 {
			if err != nil && !errors.Is(err, errUndo) {
				for _, u := range group {
					u.err = fmt.Errorf("commit registry metadata: %w", err)
				}
			}
			return
		}
		rest := make([]*update, 0, len(group)-1)
		group = append(append(rest, group[:bad]...), group[bad+1:]...)
	}
}

// runUpdate makes an error of a panic: the group's other callers would wait
// for ever otherwise.
func runUpdate(fn func(MetaTx) error, tx *boltTx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			tx.wrote = true // who knows
			err = fmt.Errorf("panic in metadata update: %v", p)
		}
	}()
	return fn(tx)
}

// boltTx is a MetaTx over a bbolt transaction.
type boltTx struct {
	tx    *bolt.Tx
	wrote bool
}

// Get implements MetaTx.
func (t *boltTx) Get(table Table, key []byte) []byte {
	return t.tx.Bucket([]byte(table)).Get(key)
}

// Put implements MetaTx.
func (t *boltTx) Put(table Table, key, value []byte) error {
	t.wrote = true
	if err := t.tx.Bucket([]byte(table)).Put(key, value); err != nil {
		return fmt.Errorf("put in table %s: %w", table, err)
	}
	return nil
}

// Delete implements MetaTx.
func (t *boltTx) Delete(table Table, key []byte) error {
	t.wrote = true
	if err := t.tx.Bucket([]byte(table)).Delete(key); err != nil {
		return fmt.Errorf("delete from table %s: %w", table, err)
	}
	return nil
}

// Scan implements MetaTx.
func (t *boltTx) Scan(table Table, prefix, after []byte, fn func(key, value []byte) (bool, error)) error {
	c := t.tx.Bucket([]byte(table)).Cursor()
	from := prefix
	if bytes.Compare(after, prefix) > 0 {
		from = after
	}
	for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if after != nil && bytes.Compare(k, after) <= 0 {
			continue
		}
		if more, err := fn(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}
