package bolt

import (
	"bytes"
	"context"
	"fmt"

	"github.com/klauspost/compress/zstd"
	bbolt "go.etcd.io/bbolt"

	"github.com/universe-dcos/universe/runtime/store"
)

const (
	// maxPiece bounds one value of the snapshot, in bytes: bbolt keeps a value
	// in one run of pages.
	maxPiece = 1 << 20
	// MaxSnapshot bounds an unpacked snapshot, in bytes.
	MaxSnapshot = 8 << 30
)

// SaveSnapshot implements store.Log. The snapshot, its index and the dropping
// of entries are one transaction.
func (l *Log) SaveSnapshot(ctx context.Context, index int64, data []byte) error {
	if ctx.Err() != nil {
		return fmt.Errorf("snapshot into %s: %w", l.path, context.Cause(ctx))
	}
	if len(data) > MaxSnapshot {
		return fmt.Errorf("snapshot into %s: %d bytes, the limit is %d: %w", l.path, len(data), int64(MaxSnapshot), store.ErrTooLarge)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true))
	if err != nil {
		return fmt.Errorf("snapshot into %s: %w", l.path, err)
	}
	packed := enc.EncodeAll(data, nil)
	if err := enc.Close(); err != nil {
		return fmt.Errorf("snapshot into %s: %w", l.path, err)
	}
	err = l.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		saved, err := get(meta, snapAtKey)
		if err != nil {
			return err
		}
		if err := store.CheckSnapshot(index, saved, l.last.Load()); err != nil {
			return err
		}
		if err := putPieces(tx, index, packed); err != nil {
			return err
		}
		if err := put(meta, snapAtKey, index); err != nil {
			return err
		}
		return dropEntries(tx, index-store.KeepEntries)
	})
	if err != nil {
		return fmt.Errorf("snapshot into %s: %w", l.path, err)
	}
	return nil
}

func putPieces(tx *bbolt.Tx, index int64, packed []byte) error {
	if err := tx.DeleteBucket(snapshotBucket); err != nil {
		return err
	}
	b, err := tx.CreateBucket(snapshotBucket)
	if err != nil {
		return err
	}
	b.FillPercent = 1
	for i := int64(0); len(packed) > 0; i++ {
		n := min(maxPiece, len(packed))
		key, v := number(i), make([]byte, 0, sumSize+n)
		v = append(append(v, sum(number(index), key, packed[:n])...), packed[:n]...)
		if err := b.Put(key, v); err != nil {
			return err
		}
		packed = packed[n:]
	}
	return nil
}

// getPieces puts the pieces of the snapshot at index together.
func getPieces(tx *bbolt.Tx, index int64) (packed []byte, err error) {
	next := int64(0)
	err = tx.Bucket(snapshotBucket).ForEach(func(k, v []byte) error {
		if len(v) < sumSize || value(k) != next || string(sum(number(index), k, v[sumSize:])) != string(v[:sumSize]) {
			return fmt.Errorf("its piece %d, %d bytes long, does not match its checksum: %w", next, len(v), store.ErrDamaged)
		}
		packed = append(packed, v[sumSize:]...)
		next++
		return nil
	})
	return packed, err
}

// dropEntries lets go of the entries up to index: of the batches that hold no
// later one, and in name only of those before it in a batch that does.
func dropEntries(tx *bbolt.Tx, index int64) error {
	meta, b := tx.Bucket(metaBucket), tx.Bucket(logBucket)
	first, err := get(meta, firstKey)
	if err != nil || index <= first {
		return err
	}
	var drop [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil; {
		next, _ := c.Next()
		if next == nil || value(next) > index+1 {
			break
		}
		drop = append(drop, bytes.Clone(k))
		k = next
	}
	for _, k := range drop {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return put(meta, firstKey, index)
}

// LoadSnapshot implements store.Log.
func (l *Log) LoadSnapshot(ctx context.Context) (int64, []byte, error) {
	if ctx.Err() != nil {
		return 0, nil, fmt.Errorf("snapshot of %s: %w", l.path, context.Cause(ctx))
	}
	var index int64
	var packed []byte
	err := l.view(func(tx *bbolt.Tx) (err error) {
		if index, err = get(tx.Bucket(metaBucket), snapAtKey); err != nil || index == 0 {
			return err
		}
		packed, err = getPieces(tx, index)
		return err
	})
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("snapshot of %s at %d: %w", l.path, index, err)
	case index == 0:
		return 0, nil, nil
	case len(packed) == 0:
		return 0, nil, fmt.Errorf("snapshot of %s at %d: it is not there: %w", l.path, index, store.ErrDamaged)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxSnapshot))
	if err != nil {
		return 0, nil, fmt.Errorf("snapshot of %s: %w", l.path, err)
	}
	defer dec.Close()
	data, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("snapshot of %s at %d: %w: %w", l.path, index, store.ErrDamaged, err)
	}
	return index, data, nil
}
