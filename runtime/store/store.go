package store

import (
	"context"
	"errors"
	"fmt"
)

// Log is an append-only sequence of entries with indexes 1, 2, 3, … and a
// snapshot that stands for a prefix of it. One owner appends; Replay and
// LoadSnapshot may run beside it.
type Log interface {
	// Append adds entries in order and returns the index of the last one, when
	// all of them are durable; on error none of them is. No entries: the last index.
	Append(ctx context.Context, entries [][]byte) (int64, error)

	// Replay calls fn for each entry from index from on, in order, until the
	// end or fn's first error, which it returns. from must be 1 or more and not
	// before the first kept entry (ErrCompacted). An entry is valid during its
	// call only, and fn must not call the log.
	Replay(ctx context.Context, from int64, fn func(index int64, entry []byte) error) error

	// SaveSnapshot stores data as the state after index, durably, in place of
	// the snapshot before, and lets go of the entries up to index but for the
	// last KeepEntries. An index before the stored snapshot's or after the last
	// entry's is refused.
	SaveSnapshot(ctx context.Context, index int64, data []byte) error

	// LoadSnapshot gives the stored snapshot; index 0 and no data when there is none.
	LoadSnapshot(ctx context.Context) (index int64, data []byte, err error)

	// LastIndex is the index of the last entry, 0 when there was never one.
	LastIndex() int64

	// Close lets go of the log; every later call fails with ErrClosed.
	Close() error
}

var (
	// ErrClosed is wrapped by calls on a closed log.
	ErrClosed = errors.New("log is closed")
	// ErrCompacted is wrapped when an entry is asked for that a snapshot stands for.
	ErrCompacted = errors.New("entry is in the snapshot")
	// ErrLocked is wrapped when another process holds the log.
	ErrLocked = errors.New("log is in use")
	// ErrDamaged is wrapped when what is stored is not what was stored.
	ErrDamaged = errors.New("log is damaged")
	// ErrTooLarge is wrapped when an entry or a batch is over its limit.
	ErrTooLarge = errors.New("over the size limit")
)

const (
	// KeepEntries is how many entries before a snapshot are kept, for people
	// who look and for watchers that come back.
	KeepEntries = 10_240
	// MaxEntry bounds one entry, in bytes.
	MaxEntry = 32 << 20
	// MaxBatch bounds the entries of one Append together, in bytes.
	MaxBatch = 256 << 20
)

// CheckBatch verifies the limits of a batch; the implementations of Log call it.
func CheckBatch(entries [][]byte) error {
	total := 0
	for i, e := range entries {
		if len(e) > MaxEntry {
			return fmt.Errorf("entry %d of the batch: %d bytes, the limit is %d: %w", i, len(e), MaxEntry, ErrTooLarge)
		}
		total += len(e)
	}
	if total > MaxBatch {
		return fmt.Errorf("batch of %d entries: %d bytes, the limit is %d: %w", len(entries), total, MaxBatch, ErrTooLarge)
	}
	return nil
}

// CheckSnapshot verifies that a snapshot at index may follow the one at saved
// in a log that ends at last; the implementations of Log call it.
func CheckSnapshot(index, saved, last int64) error {
	if index < saved || index < 1 || index > last {
		return fmt.Errorf("snapshot at %d: it must be after the saved one at %d and not after the last entry, %d", index, saved, last)
	}
	return nil
}
