package containerd

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	eventsapi "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"

	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// minReconnect and maxReconnect bound the pause before a new connection.
	minReconnect = 100 * time.Millisecond
	maxReconnect = 3 * time.Second
	// topicWatch is of the event by which a watcher sees that it is connected.
	topicWatch = "/universe/watch"
	// greetEvery is the time between two such events.
	greetEvery = 50 * time.Millisecond
)

var watchNumber atomic.Int64

// Watch subscribes to containerd's events and subscribes again when the
// connection is lost.
func (r *Runner) Watch(ctx context.Context) <-chan runner.Status {
	out := make(chan runner.Status)
	go func() {
		defer close(out)
		pause := minReconnect
		for ctx.Err() == nil {
			connected, err := r.watch(r.in(ctx), out)
			if ctx.Err() != nil {
				return
			}
			if connected {
				pause = minReconnect
			}
			r.log.Warn("lost the events of containerd; trying again", "err", err, "in", pause)
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
			pause = min(2*pause, maxReconnect)
		}
	}()
	return out
}

// watch is one subscription, to its end.
func (r *Runner) watch(ctx context.Context, out chan<- runner.Status) (connected bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := fmt.Sprintf("namespace==%q,", r.opts.Namespace)
	ch, errs := r.client.EventService().Subscribe(ctx,
		in+`topic=="/tasks/exit"`, in+`topic=="/tasks/oom"`, in+fmt.Sprintf("topic==%q", topicWatch))
	// That the call was made does not say that it has arrived: an event of our
	// own that comes back does.
	greeting := r.opts.Namespace + "-" + strconv.Itoa(int(watchNumber.Add(1))) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	tick := time.NewTicker(greetEvery)
	defer tick.Stop()
	greet := func() error {
		return r.client.EventService().Publish(ctx, topicWatch, &eventsapi.NamespaceUpdate{Name: greeting})
	}
	if err := greet(); err != nil {
		return false, err
	}
	for {
		var tickC <-chan time.Time
		if !connected {
			tickC = tick.C
		}
		select {
		case <-tickC:
			if err := greet(); err != nil {
				return false, err
			}
		case err := <-errs:
			return connected, err
		case ev := <-ch:
			s, send := r.event(ctx, ev, greeting, &connected)
			if !send {
				continue
			}
			select {
			case out <- s:
			case <-ctx.Done():
				return connected, ctx.Err()
			}
		}
	}
}

// event makes a Status of an event that is one to the caller.
func (r *Runner) event(ctx context.Context, ev *events.Envelope, greeting string, connected *bool) (runner.Status, bool) {
	v, err := typeurl.UnmarshalAny(ev.Event)
	if err != nil {
		r.log.Warn("an event of containerd is not understood", "topic", ev.Topic, "err", err)
		return runner.Status{}, false
	}
	switch e := v.(type) {
	case *eventsapi.NamespaceUpdate:
		if e.Name != greeting || *connected {
			return runner.Status{}, false
		}
		*connected = true
		return runner.Status{}, true
	case *eventsapi.TaskOOM:
		r.mu.Lock()
		r.oom[e.ContainerID] = struct{}{}
		r.mu.Unlock()
	case *eventsapi.TaskExit:
		if e.ID != e.ContainerID {
			return runner.Status{}, false // the end of an Exec
		}
		id, err := r.taskID(ctx, e.ContainerID)
		if err != nil {
			if !errdefs.IsNotFound(err) { // removed already: nobody waits for it
				r.log.Warn("a container ended and its record cannot be read", "container", e.ContainerID, "err", err)
			}
			return runner.Status{}, false
		}
		exit := r.ended(ctx, e.ContainerID, int(e.ExitStatus), e.ExitedAt.AsTime())
		return runner.Status{ID: id, State: runner.Exited, Exit: &exit}, true
	}
	return runner.Status{}, false
}
