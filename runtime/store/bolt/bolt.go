// Package bolt is a store.Log in one bbolt file, for a cluster with one master.
// A batch is one transaction: it is on the disk, or it is not there at all,
// whatever dies at whatever moment.
//
// The file is "log.db" in the directory given to Open, with three buckets:
// "log" holds the entries under their index (8 bytes, big-endian), "snapshot"
// the compressed snapshot in pieces of maxPiece, and "meta" the format's
// version, the snapshot's index and the number of entries that were let go.
package bolt

import (
	"context"
	"encoding/binary"
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
	// format is the version of the layout of the file.
	format = 1
	// lockTimeout is how long Open waits for another process to let go of the
	// file: one that is just ending should not make the next one fail.
	lockTimeout = 2 * time.Second
	// replayPiece is how many entries are read in one transaction.
	replayPiece = 4096
)

var (
	logBucket      = []byte("log")
	metaBucket     = []byte("meta")
	snapshotBucket = []byte("snapshot")

	formatKey = []byte("format")
	snapAtKey = []byte("snapshot")  // index of the snapshot
	firstKey  = []byte("compacted") // index of the last entry that was let go
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
// wraps store.ErrLocked.
func Open(dir string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	path := filepath.Join(dir, File)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bberrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: another master uses the directory %s; stop it, or give this one a directory of its own", store.ErrLocked, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", path, err)
	}
	l := &Log{db: db, path: path}
	if err := l.prepare(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open log %s: %w", path, err), db.Close())
	}
	return l, nil
}

// prepare makes the buckets of a new file, checks the format of an old one and
// finds the last index.
func (l *Log) prepare(dir string) error {
	var last int64
	err := l.db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		for _, name := range [][]byte{logBucket, snapshotBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if meta.Get(formatKey) == nil {
			if err := meta.Put(formatKey, number(format)); err != nil {
				return err
			}
		}
		if f := get(meta, formatKey); f != format {
			return fmt.Errorf("it has format %d, this program reads %d; run the version that wrote it", f, format)
		}
		last = get(meta, firstKey)
		if k, _ := tx.Bucket(logBucket).Cursor().Last(); k != nil {
			last = value(k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.last.Store(last)
	return syncDir(dir) // the name of a new file must not be lost
}

// Append implements store.Log.
func (l *Log) Append(ctx context.Context, entries [][]byte) (int64, error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("append to %s: %w", l.path, context.Cause(ctx))
	}
	if err := store.CheckBatch(entries); err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.path, err)
	}
	last := l.last.Load()
	err := l.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(logBucket)
		b.FillPercent = 1 // keys only ever grow
		for i, e := range entries {
			if err := b.Put(number(last+int64(i)+1), e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.path, closed(err))
	}
	last += int64(len(entries))
	l.last.Store(last)
	return last, nil
}

// Replay implements store.Log.
func (l *Log) Replay(ctx context.Context, from int64, fn func(int64, []byte) error) error {
	for {
		next, stop, err := l.replayPiece(ctx, from, fn)
		switch {
		case stop != nil:
			return stop // fn's own error goes out as it is
		case err != nil:
			return fmt.Errorf("replay %s: %w", l.path, closed(err))
		case next < from+replayPiece:
			return nil
		}
		from = next
	}
}

// replayPiece replays at most replayPiece entries in one transaction and gives
// the index of the entry after them, and what fn refused with.
func (l *Log) replayPiece(ctx context.Context, from int64, fn func(int64, []byte) error) (next int64, stop, err error) {
	next = from
	err = l.db.View(func(tx *bbolt.Tx) error {
		if first := get(tx.Bucket(metaBucket), firstKey); from <= first {
			return fmt.Errorf("from %d, the first kept entry is %d: %w", from, first+1, store.ErrCompacted)
		}
		c := tx.Bucket(logBucket).Cursor()
		for k, v := c.Seek(number(from)); k != nil && next < from+replayPiece; k, v = c.Next() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if value(k) != next {
				return fmt.Errorf("entry %d is missing, the next one is %d", next, value(k))
			}
			if stop = fn(next, v); stop != nil {
				return stop
			}
			next++
		}
		return nil
	})
	return next, stop, err
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

// closed gives bbolt's word for a closed file our name.
func closed(err error) error {
	if errors.Is(err, bberrors.ErrDatabaseNotOpen) {
		return store.ErrClosed
	}
	return err
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func value(b []byte) int64 {
	if len(b) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func get(b *bbolt.Bucket, key []byte) int64 { return value(b.Get(key)) }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
