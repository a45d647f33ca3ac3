// Package mem is a store.Log in memory, for tests, simulations and a cluster
// that need not outlive its process.
package mem

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/universe-dcos/universe/runtime/store"
)

// Log is a store.Log in memory. The zero value is an empty log.
type Log struct {
	mu       sync.Mutex
	entries  [][]byte // those after compacted
	first    int64    // how many entries were let go
	snapAt   int64
	snapshot []byte
	closed   bool
}

var _ store.Log = (*Log)(nil)

// New gives an empty log.
func New() *Log { return &Log{} }

// Append implements store.Log.
func (l *Log) Append(ctx context.Context, entries [][]byte) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	if err := store.CheckBatch(entries); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	for _, e := range entries {
		l.entries = append(l.entries, bytes.Clone(e))
	}
	return l.last(), nil
}

// Replay implements store.Log. It sees the entries there were when it was called.
func (l *Log) Replay(ctx context.Context, from int64, fn func(int64, []byte) error) error {
	l.mu.Lock()
	if err := l.usable(ctx); err != nil {
		l.mu.Unlock()
		return fmt.Errorf("replay: %w", err)
	}
	if from < 1 || from <= l.first {
		first := l.first
		l.mu.Unlock()
		return fmt.Errorf("replay from %d: the first kept entry is %d: %w", from, first+1, store.ErrCompacted)
	}
	var todo [][]byte
	if from <= l.last() {
		todo = slices.Clone(l.entries[from-l.first-1:])
	}
	l.mu.Unlock()
	for i, e := range todo {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("replay: %w", context.Cause(ctx))
		}
		if err := fn(from+int64(i), e); err != nil {
			return err
		}
	}
	return nil
}

// SaveSnapshot implements store.Log.
func (l *Log) SaveSnapshot(ctx context.Context, index int64, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := store.CheckSnapshot(index, l.snapAt, l.last()); err != nil {
		return err
	}
	l.snapAt, l.snapshot = index, bytes.Clone(data)
	if drop := index - store.KeepEntries - l.first; drop > 0 {
		l.entries = slices.Clone(l.entries[drop:])
		l.first += drop
	}
	return nil
}

// LoadSnapshot implements store.Log.
func (l *Log) LoadSnapshot(ctx context.Context) (int64, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, nil, fmt.Errorf("snapshot: %w", err)
	}
	return l.snapAt, bytes.Clone(l.snapshot), nil
}

// LastIndex implements store.Log.
func (l *Log) LastIndex() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last()
}

// Close implements store.Log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

// Reopen makes a closed log usable again with all it held, as if its process
// had ended and started: tests of recovery use it.
func (l *Log) Reopen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = false
}

func (l *Log) last() int64 { return l.first + int64(len(l.entries)) }

func (l *Log) usable(ctx context.Context) error {
	if l.closed {
		return store.ErrClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
