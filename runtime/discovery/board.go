package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/core"
)

// buildEvery is the least time between two builds of Keep: what changes within
// it is built together.
const buildEvery = 20 * time.Millisecond

// Board holds the latest zone of this process. The zero value holds one without
// names. It is safe for concurrent use.
type Board struct {
	mu      sync.Mutex
	zone    *Zone
	changed chan struct{} // closed at the next change; nil: nobody waits
}

// Zone gives the latest zone, never nil.
func (b *Board) Zone() *Zone {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.zone == nil {
		b.zone = newZone(Zone{})
	}
	return b.zone
}

// Changed gives a channel that is closed at the first change from now on. Who
// looks at Zone after it has called Changed misses none.
func (b *Board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// Set puts a zone in the place of the one before.
func (b *Board) Set(z *Zone) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if z == b.zone {
		return
	}
	b.zone = z
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Keep builds a zone now and after each change, and puts it on the board, until
// ctx is done. Next returns when the view may have changed since it was called
// last, or with an error, which ends Keep.
func Keep(ctx context.Context, board *Board, b *Builder, view func() *core.View, next func(context.Context) error) error {
	tick := time.NewTicker(buildEvery)
	defer tick.Stop()
	for {
		board.Set(b.Build(view()))
		if err := next(ctx); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
