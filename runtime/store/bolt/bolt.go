package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	bbolt "go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"

	"github.com/universe-dcos/universe/runtime/store"
)

// File is the name of the log's file in its directory.
const File = "log.db"

const (
	// format is the version of the layout of the file. In format 1 a batch was
	// not one value and had no checksum.
	format = 2
	// lockTimeout is how long Open waits for another process to let go of the
	// file: one that is just ending should not make the next one fail.
	lockTimeout = 2 * time.Second
	// replayPiece and readBytes are how many entries and bytes are read in one
	// transaction, or so: a batch more.
	replayPiece = 4096
	readBytes   = 16 << 20
)

var (
	logBucket      = []byte("log")
	metaBucket     = []byte("meta")
	snapshotBucket = []byte("snapshot")

	formatKey = []byte("format")
	snapAtKey = []byte("snapshot")  // index of the snapshot
	firstKey  = []byte("compacted") // index of the last entry that was let go
	lastKey   = []byte("last")      // index of the last entry
)

// Log is a store.Log in a bbolt file; make it with Open.
type Log struct {
	db   *bbolt.DB
	path string
	last atomic.Int64
}

var _ store.Log = (*Log)(nil)

// Open opens the log in a directory, which it makes when it is not there. It
// holds the file's lock until Close; where another process has it, the error
// wraps store.ErrLocked. A file that is cut or spoilt gives store.ErrDamaged.
func Open(dir string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	path := filepath.Join(dir, File)
	if err := inspect(path); err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, err)
	}
	var db *bbolt.DB
	err := guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
		return err
	})
	if errors.Is(err, bberrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: another master uses the directory %s; stop it, or give this one a directory of its own", store.ErrLocked, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, named(err))
	}
	l := &Log{db: db, path: path}
	if err := l.prepare(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open log %s: %w", path, err), db.Close())
	}
	return l, nil
}

// prepare makes the buckets of a new file, or checks an old one and finds its
// last index. It writes nothing into an old one.
func (l *Log) prepare(dir string) error {
	fresh := false
	err := l.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if fresh = meta == nil; fresh {
			return nil
		}
		if tx.Bucket(logBucket) == nil || tx.Bucket(snapshotBucket) == nil {
			return fmt.Errorf("it has no log or no snapshot: %w", store.ErrDamaged)
		}
		// Whatever the version, this value begins with it.
		if f := value(meta.Get(formatKey)); f != format {
			return fmt.Errorf("it has format %d, this program reads %d; run the version that wrote it", f, format)
		}
		return l.checkEnd(tx)
	})
	if err != nil || !fresh {
		return err
	}
	if err := l.update(create); err != nil {
		return err
	}
	return syncDir(dir) // the name of a new file must not be lost
}

// create makes an empty log.
func create(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, logBucket, snapshotBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(metaBucket)
	return errors.Join(put(meta, formatKey, format), put(meta, snapAtKey, 0), put(meta, firstKey, 0), put(meta, lastKey, 0))
}

// checkEnd finds the last index, and sees that the last batch is there and sound.
func (l *Log) checkEnd(tx *bbolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	for _, key := range [][]byte{formatKey, snapAtKey, firstKey} {
		if _, err := get(meta, key); err != nil {
			return err
		}
	}
	last, err := get(meta, lastKey)
	if err != nil {
		return err
	}
	k, v := tx.Bucket(logBucket).Cursor().Last()
	if k == nil && last > 0 || k != nil && last == 0 {
		return fmt.Errorf("its entries up to %d are not there: %w", last, store.ErrDamaged)
	}
	if k != nil {
		b, err := openBatch(k, v)
		if err != nil {
			return err
		}
		if end := b.first + int64(b.count) - 1; end != last {
			return fmt.Errorf("its entries end at %d, not at %d: %w", end, last, store.ErrDamaged)
		}
	}
	l.last.Store(last)
	return nil
}

// Append implements store.Log.
func (l *Log) Append(ctx context.Context, entries [][]byte) (int64, error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("append to %s: %w", l.path, context.Cause(ctx))
	}
	if err := store.CheckBatch(entries); err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.path, err)
	}
	first := l.last.Load() + 1
	last := first + int64(len(entries)) - 1
	err := l.update(func(tx *bbolt.Tx) error {
		if len(entries) == 0 {
			return nil
		}
		b := tx.Bucket(logBucket)
		b.FillPercent = 1 // keys only ever grow
		key := number(first)
		if err := b.Put(key, packBatch(key, entries)); err != nil {
			return err
		}
		return put(tx.Bucket(metaBucket), lastKey, last)
	})
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.path, err)
	}
	l.last.Store(last)
	return last, nil
}

// Replay implements store.Log.
func (l *Log) Replay(ctx context.Context, from int64, fn func(int64, []byte) error) error {
	for {
		batches, err := l.read(from)
		if err != nil {
			return fmt.Errorf("replay %s: %w", l.path, err)
		}
		if len(batches) == 0 {
			return nil
		}
		for _, b := range batches {
			for i := b.first; b.count > 0; i++ {
				e, err := b.entry()
				if err == nil && ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				if err != nil {
					return fmt.Errorf("replay %s: %w", l.path, err)
				}
				if i < from {
					continue
				}
				if err := fn(i, e); err != nil {
					return err // fn's own error goes out as it is
				}
				from = i + 1
			}
		}
	}
}

// read gives copies of the batches from the one on that holds an entry, up to
// replayPiece entries or readBytes bytes; none after the last.
func (l *Log) read(from int64) (out []*batch, err error) {
	err = l.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		first, err := get(meta, firstKey)
		if err != nil {
			return err
		}
		if from <= first {
			return fmt.Errorf("from %d, the first kept entry is %d: %w", from, first+1, store.ErrCompacted)
		}
		last, err := get(meta, lastKey)
		if err != nil || from > last {
			return err
		}
		next, size := from, 0
		c := tx.Bucket(logBucket).Cursor()
		for k, v := seek(c, from); next <= last && next < from+replayPiece && size < readBytes; k, v = c.Next() {
			b, err := follow(k, v, &next, len(out) == 0)
			if err != nil {
				return err
			}
			out, size = append(out, b), size+len(v)
		}
		return nil
	})
	return out, err
}

// follow copies the batch that holds entry next, and moves next behind it. Only
// the first one that is read may begin before next.
func follow(k, v []byte, next *int64, first bool) (*batch, error) {
	if k == nil || value(k) > *next || value(k) < *next && !first {
		return nil, fmt.Errorf("entry %d is missing: %w", *next, store.ErrDamaged)
	}
	b, err := openBatch(k, bytes.Clone(v))
	if err != nil {
		return nil, err
	}
	end := b.first + int64(b.count)
	if end <= *next {
		return nil, fmt.Errorf("entry %d is missing after the batch of entry %d: %w", *next, b.first, store.ErrDamaged)
	}
	*next = end
	return b, nil
}

// seek finds the batch in which an entry is.
func seek(c *bbolt.Cursor, index int64) (k, v []byte) {
	k, v = c.Seek(number(index))
	switch {
	case k == nil:
		return c.Last()
	case value(k) > index:
		return c.Prev()
	}
	return k, v
}

// LastIndex implements store.Log.
func (l *Log) LastIndex() int64 { return l.last.Load() }

// Close implements store.Log. It waits for running replays.
func (l *Log) Close() error {
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("close log %s: %w", l.path, err)
	}
	return nil
}

// view reads in a transaction, and update writes; damage is an error of either.
func (l *Log) view(do func(*bbolt.Tx) error) error {
	return named(guard(func() error { return l.db.View(do) }))
}

func (l *Log) update(do func(*bbolt.Tx) error) error {
	return named(guard(func() error { return l.db.Update(do) }))
}

// named gives bbolt's words our names.
func named(err error) error {
	switch {
	case errors.Is(err, bberrors.ErrDatabaseNotOpen):
		return store.ErrClosed
	case errors.Is(err, bberrors.ErrIncompatibleValue), errors.Is(err, bberrors.ErrInvalid), errors.Is(err, bberrors.ErrChecksum),
		errors.Is(err, bberrors.ErrVersionMismatch), errors.Is(err, bberrors.ErrBucketNotFound), errors.Is(err, bberrors.ErrBucketExists),
		errors.Is(err, bberrors.ErrInvalidMapping):
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
