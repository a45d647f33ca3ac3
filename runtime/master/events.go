package master

import (
	"context"
	"sort"
	"sync"

	"github.com/universe-dcos/universe/runtime/core"
)

// ring keeps the latest events in the order of their index. Watchers read it
// with a cursor of their own, so that a slow one costs nothing and holds nobody up.
type ring struct {
	mu      sync.Mutex
	events  []core.Event
	lost    int64         // the highest index that was dropped or is older than the ring
	last    int64         // the index up to which events are known
	changed chan struct{} // closed at the next add
	done    <-chan struct{}
}

func newRing(done <-chan struct{}) *ring { return &ring{changed: make(chan struct{}), done: done} }

// add appends the events of commands up to index last.
func (r *ring) add(events []core.Event, last int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = last
	if len(events) == 0 {
		return
	}
	r.events = append(r.events, events...)
	if len(r.events) > 2*MaxEvents { // seldom, so that it costs nothing per event
		cut := len(r.events) - MaxEvents
		r.lost = r.events[cut-1].Index
		// Events of one command stay or go together.
		for cut < len(r.events) && r.events[cut].Index == r.lost {
			cut++
		}
		r.events = append(make([]core.Event, 0, 2*MaxEvents+MaxBatch), r.events[cut:]...)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// startAt says that events up to index are not known.
func (r *ring) startAt(index int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost, r.last = index, index
}

// after gives the events with an index above since, waiting for the first one,
// and the index up to which that is. lost says that some before them are no
// longer known; that is said without waiting.
func (r *ring) after(ctx context.Context, since int64) (events []core.Event, next int64, lost bool, err error) {
	for {
		r.mu.Lock()
		i := sort.Search(len(r.events), func(i int) bool { return r.events[i].Index > since })
		if lost = since < r.lost; lost || i < len(r.events) {
			events, next = append([]core.Event(nil), r.events[i:]...), r.last
			r.mu.Unlock()
			return events, next, lost, nil
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, since, false, context.Cause(ctx)
		case <-r.done:
			return nil, since, false, errStoppedMaster
		case <-changed:
		}
	}
}

// Events gives the events with an index above since, all of a command together,
// and waits until there is at least one. next is what to ask with the next time.
// lost reports that events between since and the first of them are no longer
// kept: the watcher should read the state anew; there may be no event then. When
// the master has stopped, it is an error of class problem.Unavailable.
func (m *Master) Events(ctx context.Context, since int64) (events []core.Event, next int64, lost bool, err error) {
	return m.ring.after(ctx, since)
}
