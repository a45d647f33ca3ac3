package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/check"
	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// killAgain is the time between two KILLs while a task does not end.
	killAgain = 10 * time.Second
	// signalRetry is the time to the next try of a signal the engine did not take.
	signalRetry = time.Second
	// minRemoveRetry and maxRemoveRetry bound the pause between two tries to remove.
	minRemoveRetry = time.Second
	maxRemoveRetry = time.Minute
)

// task is the goroutine's end of one task. Only its own goroutine touches the
// plain fields; others use the channels.
type task struct {
	a      *Agent
	spec   cluster.TaskSpec
	probes probes

	poke    chan struct{}    // holds a token: look at the record again
	resync  chan struct{}    // holds a token: the engine was away
	end     chan runner.Exit // holds the first end
	started atomic.Bool      // its container exists and ran

	ready   bool
	leader  bool
	healthy *bool
	why     string    // last reported message of a running task
	toldAt  time.Time // when it was last told why it is not ready
	checks  *checks
	killing bool
	killAt  *time.Timer
	killFor checkpoint.Kill // that killBy was reckoned from
	killBy  time.Time       // when KILL is due, by the clock that never steps
}

func newTask(a *Agent, spec cluster.TaskSpec, p probes) *task {
	return &task{a: a, spec: spec, probes: p,
		poke: make(chan struct{}, 1), resync: make(chan struct{}, 1), end: make(chan runner.Exit, 1)}
}

// begin gives a task its goroutine. It runs until the task is removed or ctx is done.
func (a *Agent) begin(ctx context.Context, t *task, run func(*task, context.Context)) {
	a.mu.Lock()
	a.tasks[t.spec.ID] = t
	a.mu.Unlock()
	a.group.Go(func() error {
		defer func() {
			a.mu.Lock()
			delete(a.tasks, t.spec.ID)
			a.mu.Unlock()
		}()
		run(t, ctx)
		return nil
	})
}

func (a *Agent) task(id cluster.TaskID) *task {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tasks[id]
}

// wake makes the task look at its record.
func (t *task) wake() { token(t.poke) }

func token(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// ended tells the task its end; only the first counts.
func (t *task) ended(exit runner.Exit) {
	select {
	case t.end <- exit:
	default:
	}
}

// record is the task's record; it exists as long as the goroutine runs.
func (t *task) record() checkpoint.Record {
	rec, _ := t.a.ledger.Get(t.spec.ID)
	return rec
}

// supervise sees a started task to its end.
func (t *task) supervise(ctx context.Context) {
	t.started.Store(true)
	rec := t.record()
	if rec.Started == 0 && t.neverSeen(ctx) {
		return
	}
	t.ready, t.healthy = rec.Status.Ready || t.probes.ready == nil, rec.Status.Healthy
	t.leader = rec.Status.Leader && t.probes.leader != nil
	if rec.Status.State == cluster.TaskStarting {
		t.sayRunning("")
		rec = t.record()
	}
	t.killAt = time.NewTimer(time.Hour)
	t.killAt.Stop()
	defer t.killAt.Stop()
	checks := t.startChecks(ctx)
	defer checks.stop()
	if rec.Kill != nil {
		t.wake()
	}
	for {
		select {
		case exit := <-t.end:
			checks.stop()
			if t.finish(ctx, exit) {
				t.remove(ctx)
			}
			return
		case <-t.poke:
			if t.record().Kill != nil {
				checks.stop()
				t.stop(ctx)
			}
		case <-t.killAt.C:
			t.signal(ctx)
		case <-t.resync:
			if t.killing {
				t.signal(ctx)
			}
		case r := <-checks.results:
			t.checked(r, rec.Started)
		case <-ctx.Done():
			return
		}
	}
}

// neverSeen ends a task whose container is there without a process, and that
// was never known to run: it may have, so it is not started again, and it may
// not have, so it is not called running.
func (t *task) neverSeen(ctx context.Context) bool {
	select {
	case exit := <-t.end:
		if exit.Unknown {
			if t.finish(ctx, exit) {
				t.remove(ctx)
			}
			return true
		}
		t.ended(exit)
	default:
	}
	return false
}

// sayRunning reports that the task runs, with what its checks say.
func (t *task) sayRunning(message string) {
	st := t.a.status(t.spec.ID, cluster.TaskRunning)
	st.Ready, st.Healthy, st.Leader, st.Message = t.ready, t.healthy, t.leader, message
	t.why = message
	t.a.report(st)
}

// stop begins the ending, or takes over a nearer deadline.
func (t *task) stop(ctx context.Context) {
	if !t.killing {
		t.killing = true
		if st := t.record().Status.State; st != cluster.TaskKilling {
			next := t.a.status(t.spec.ID, cluster.TaskKilling)
			k := t.record().Kill
			next.Reason, next.Message, next.Healthy = k.Reason, k.Message, t.healthy
			t.a.report(next)
		}
	}
	t.signal(ctx)
}

// signal sends what is due: TERM to the first process within the grace period,
// KILL to all after it. It sets the timer for the next.
func (t *task) signal(ctx context.Context) {
	k := t.record().Kill
	if k == nil {
		return
	}
	left := t.graceLeft(*k)
	sig, all := syscall.SIGTERM, false
	if left <= 0 {
		sig, all, left = syscall.SIGKILL, true, killAgain
	}
	err := t.a.cfg.Runner.Signal(ctx, t.spec.ID, int(sig), all)
	switch {
	case errors.Is(err, runner.ErrNotFound):
		t.ended(runner.Exit{Unknown: true, At: now()})
	case err != nil && ctx.Err() == nil:
		t.a.log.Warn("a signal was not delivered; trying again", "task", string(t.spec.ID), "signal", sig.String(), "err", err)
		left = min(left, signalRetry)
	}
	t.killAt.Reset(left)
}

// graceLeft is the time to KILL. The wall clock is asked once for each decision
// to kill: from then on its steps count nothing.
func (t *task) graceLeft(k checkpoint.Kill) time.Duration {
	if t.killBy.IsZero() || t.killFor.Deadline != k.Deadline {
		left := millis(k.Deadline.Sub(now()))
		if k.Grace > 0 {
			left = min(left, millis(k.Grace))
		}
		if by := time.Now().Add(left); t.killBy.IsZero() || by.Before(t.killBy) {
			t.killBy = by
		}
		t.killFor = k
	}
	return time.Until(t.killBy)
}

// finish reports the end. Until that is on disk the container, which knows its
// exit code too, must not be removed: it then reports false.
func (t *task) finish(ctx context.Context, exit runner.Exit) bool {
	st := t.a.status(t.spec.ID, "")
	outcome(&st, exit, t.record().Kill, t.spec)
	st.Healthy = t.healthy
	return t.a.insist(ctx, t.spec.ID, "the end of a task", func() error { return t.a.tryReport(st) })
}

// remove deletes the container of a task that has ended, for as long as it
// takes, and what its end sets free.
func (t *task) remove(ctx context.Context) {
	t.a.destroyFree()
	b := backoff{least: minRemoveRetry, most: maxRemoveRetry}
	for {
		err := t.a.cfg.Runner.Remove(ctx, t.spec.ID)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		t.a.log.Warn("a container could not be removed; trying again", "task", string(t.spec.ID), "err", err)
		if !b.wait(ctx) {
			return
		}
	}
	if t.a.insist(ctx, t.spec.ID, "the removal of a container", func() error { return t.a.ledger.SetRemoved(t.spec.ID) }) {
		t.a.release(ctx, networkGroup(t.spec))
	}
}

// probes are the compiled checks of a task; nil where it has none.
type probes struct{ ready, health, leader *check.Probe }

func (a *Agent) probes(spec cluster.TaskSpec) (probes, error) {
	var p probes
	for _, c := range []struct {
		name string
		spec *cluster.Check
		to   **check.Probe
	}{{"readiness", spec.Container.Readiness, &p.ready}, {"health", spec.Container.Health, &p.health}, {"leader", spec.Container.Leader, &p.leader}} {
		if c.spec == nil {
			continue
		}
		probe, err := check.New(*c.spec, a.target(spec))
		if err != nil {
			return probes{}, fmt.Errorf("%s check: %w", c.name, err)
		}
		*c.to = probe
	}
	return p, nil
}
