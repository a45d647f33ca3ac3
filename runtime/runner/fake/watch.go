package fake

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// watcher is one Watch: an unbounded queue, so that ending a container never
// waits for a reader.
type watcher struct {
	mu    sync.Mutex
	queue []runner.Status
	wake  chan struct{} // holds at most one token
}

func (w *watcher) push(s runner.Status) {
	w.mu.Lock()
	w.queue = append(w.queue, s)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []runner.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queue
	w.queue = nil
	return q
}

// Watch sends the marker first and then every end, in order.
func (r *Runner) Watch(ctx context.Context) <-chan runner.Status {
	w := &watcher{wake: make(chan struct{}, 1)}
	out := make(chan runner.Status)
	r.mu.Lock()
	if r.watchers == nil {
		r.watchers = map[*watcher]struct{}{}
	}
	r.watchers[w] = struct{}{}
	if !r.down {
		w.push(runner.Status{})
	}
	r.mu.Unlock()
	go func() {
		defer close(out)
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.watchers, w)
		}()
		for {
			for _, s := range w.take() {
				select {
				case out <- s:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-w.wake:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// end marks c as ended, once, and tells the watchers unless the engine is down.
func (r *Runner) end(c *container, exit runner.Exit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.status.State != runner.Running {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	if exit.At == 0 {
		exit.At = cluster.Time(time.Now().UnixMilli())
	}
	if r.down {
		exit = runner.Exit{Unknown: true, At: exit.At} // nobody was there to read the code
	}
	c.status.State, c.status.PID, c.status.Exit = runner.Exited, 0, &exit
	if !r.down {
		r.tell(c.status)
	}
}

func (r *Runner) tell(s runner.Status) {
	for w := range r.watchers {
		w.push(s)
	}
}

// End ends a running container as if its process had ended so.
func (r *Runner) End(id cluster.TaskID, exit runner.Exit) error {
	r.mu.Lock()
	c := r.containers[id]
	r.mu.Unlock()
	if c == nil {
		return fmt.Errorf("container %s: %w", id, runner.ErrNotFound)
	}
	r.end(c, exit)
	return nil
}

// Lose makes a container disappear with no trace, as an engine that lost its
// state does. No end is sent.
func (r *Runner) Lose(id cluster.TaskID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.containers, id)
}

// Outage takes the engine down: every call wraps runner.ErrUnavailable and
// containers run on; the exit code of one that ends meanwhile is lost.
func (r *Runner) Outage() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
}

// Restore brings the engine back and tells every watcher to list again.
func (r *Runner) Restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
	r.tell(runner.Status{})
}

// Starts is how many containers were started so far.
func (r *Runner) Starts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts
}

// Signals lists the signals that reached running containers, in order.
func (r *Runner) Signals() []Signal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Signal(nil), r.signals...)
}

func (r *Runner) available() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return fmt.Errorf("fake engine is down: %w", runner.ErrUnavailable)
	}
	return nil
}
