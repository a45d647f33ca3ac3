package bolt

import (
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
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("snapshot into %s: %w", l.path, err)
	}
	packed := enc.EncodeAll(data, nil)
	if err := enc.Close(); err != nil {
		return fmt.Errorf("snapshot into %s: %w", l.path, err)
	}
	err = l.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if err := store.CheckSnapshot(index, get(meta, snapAtKey), l.last.Load()); err != nil {
			return err
		}
		if err := putPieces(tx, packed); err != nil {
			return err
		}
		if err := meta.Put(snapAtKey, number(index)); err != nil {
			return err
		}
		return dropEntries(tx, index-store.KeepEntries)
	})
	if err != nil {
		return fmt.Errorf("snapshot into %s: %w", l.path, closed(err))
	}
	return nil
}

func putPieces(tx *bbolt.Tx, packed []byte) error {
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
		if err := b.Put(number(i), packed[:n]); err != nil {
			return err
		}
		packed = packed[n:]
	}
	return nil
}

// dropEntries lets go of the entries up to index.
func dropEntries(tx *bbolt.Tx, index int64) error {
	meta, b := tx.Bucket(metaBucket), tx.Bucket(logBucket)
	first := get(meta, firstKey)
	if index <= first {
		return nil
	}
	for i := first + 1; i <= index; i++ {
		if err := b.Delete(number(i)); err != nil {
			return err
		}
	}
	return meta.Put(firstKey, number(index))
}

// LoadSnapshot implements store.Log.
func (l *Log) LoadSnapshot(ctx context.Context) (int64, []byte, error) {
	if ctx.Err() != nil {
		return 0, nil, fmt.Errorf("snapshot of %s: %w", l.path, context.Cause(ctx))
	}
	var index int64
	var packed []byte
	err := l.db.View(func(tx *bbolt.Tx) error {
		index = get(tx.Bucket(metaBucket), snapAtKey)
		return tx.Bucket(snapshotBucket).ForEach(func(_, v []byte) error {
			packed = append(packed, v...)
			return nil
		})
	})
	if err != nil {
		return 0, nil, fmt.Errorf("snapshot of %s: %w", l.path, closed(err))
	}
	if index == 0 {
		return 0, nil, nil
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxSnapshot))
	if err != nil {
		return 0, nil, fmt.Errorf("snapshot of %s: %w", l.path, err)
	}
	defer dec.Close()
	data, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("snapshot of %s at %d: %w", l.path, index, err)
	}
	return index, data, nil
}
