package agent

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/check"
	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// readyInterval, leaderInterval and healthInterval are between two tries where
	// a check names none.
	readyInterval  = time.Second
	leaderInterval = 5 * time.Second
	healthInterval = 10 * time.Second
	// minInterval is the least time between two tries, whatever a check asks for.
	minInterval = 100 * time.Millisecond
	// defaultFailures is how many failures in a row count where a check names no number.
	defaultFailures = 3
	// whyEvery is the least time between two reports of why a task is not ready.
	whyEvery = 10 * time.Second
)

// checkKind says what a check is for.
type checkKind int

const (
	checkReady checkKind = iota
	checkHealth
	checkLeader
)

// result is one try of a check.
type result struct {
	kind checkKind
	err  error
}

// checks are the goroutines that try a task's checks.
type checks struct {
	results chan result
	cancel  context.CancelFunc
	group   sync.WaitGroup

	readyPasses, readyFails int
	healthFails             int
	// How often in a row the leader check has said the opposite of what was reported.
	leaderTurns int
}

func (c *checks) stop() {
	c.cancel()
	c.group.Wait()
}

func (a *Agent) target(spec cluster.TaskSpec) check.Target {
	return check.Target{
		Host: a.cfg.Host, Ports: spec.Ports, Dial: a.cfg.Dial,
		Exec: func(ctx context.Context, argv []string, out io.Writer) (int, error) {
			return a.cfg.Runner.Exec(ctx, spec.ID, argv, out)
		},
	}
}

// startChecks begins to try the task's checks, each at its interval.
func (t *task) startChecks(ctx context.Context) *checks {
	ctx, cancel := context.WithCancel(ctx)
	c := &checks{results: make(chan result), cancel: cancel}
	if p := t.probes.ready; p != nil {
		c.group.Go(func() { c.loop(ctx, p, checkReady, cmp.Or(millis(t.spec.Container.Readiness.Interval), readyInterval)) })
	}
	if p := t.probes.leader; p != nil {
		c.group.Go(func() { c.loop(ctx, p, checkLeader, cmp.Or(millis(t.spec.Container.Leader.Interval), leaderInterval)) })
	}
	if p := t.probes.health; p != nil {
		c.group.Go(func() { c.loop(ctx, p, checkHealth, cmp.Or(millis(t.spec.Container.Health.Interval), healthInterval)) })
	}
	t.checks = c
	return c
}

func (c *checks) loop(ctx context.Context, p *check.Probe, kind checkKind, every time.Duration) {
	every = max(every, minInterval)
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		err := p.Try(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case c.results <- result{kind, err}:
		case <-ctx.Done():
			return
		}
		timer.Reset(every)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// checked draws the consequences of one try.
func (t *task) checked(r result, started cluster.Time) {
	switch r.kind {
	case checkHealth:
		t.checkedHealth(r.err, started)
	case checkLeader:
		t.checkedLeader(r.err)
	default:
		t.checkedReady(r.err)
	}
}

func (t *task) checkedReady(err error) {
	c, spec := t.checks, t.spec.Container.Readiness
	if err == nil {
		c.readyPasses, c.readyFails = c.readyPasses+1, 0
		if !t.ready && c.readyPasses >= max(spec.Successes, 1) {
			t.ready = true
			t.sayRunning("")
		}
		return
	}
	c.readyPasses, c.readyFails = 0, c.readyFails+1
	why := "not ready: " + err.Error()
	switch {
	case t.ready && c.readyFails >= cmp.Or(spec.Failures, defaultFailures):
		t.ready = false
		t.sayRunning(why)
		t.toldAt = time.Now()
	case !t.ready && why != t.why && time.Since(t.toldAt) >= whyEvery:
		t.sayRunning(why)
		t.toldAt = time.Now()
	}
}

// checkedLeader notes who leads. One try tells, unless the check asks for more in
// a row: it is about an order, and a leader that is busy is a leader no less.
func (t *task) checkedLeader(err error) {
	c, spec := t.checks, t.spec.Container.Leader
	leads := err == nil
	if leads == t.leader {
		c.leaderTurns = 0
		return
	}
	need := max(spec.Failures, 1)
	if leads {
		need = max(spec.Successes, 1)
	}
	if c.leaderTurns++; c.leaderTurns < need {
		return
	}
	c.leaderTurns, t.leader = 0, leads
	t.sayRunning(t.why)
}

func (t *task) checkedHealth(err error, started cluster.Time) {
	c, spec := t.checks, t.spec.Container.Health
	healthy := err == nil
	if healthy {
		c.healthFails = 0
	} else {
		if now() < started.Add(spec.Grace) {
			return
		}
		c.healthFails++
	}
	if t.healthy == nil || *t.healthy != healthy {
		t.healthy = &healthy
		message := ""
		if !healthy {
			message = "health check failed: " + err.Error()
		}
		t.sayRunning(message)
	}
	if limit := cmp.Or(spec.Failures, defaultFailures); c.healthFails >= limit {
		t.a.condemn(t.spec, cluster.ReasonUnhealthy, fmt.Sprintf("health check failed %d times in a row: %v", limit, err))
	}
}

// condemn is our own decision to end a task.
func (a *Agent) condemn(spec cluster.TaskSpec, why cluster.Reason, message string) {
	grace := graceOf(spec.Container.KillGrace)
	kill := checkpoint.Kill{Reason: why, Message: bounded(message), Deadline: now().Add(grace), Grace: grace}
	if err := a.ledger.SetKill(spec.ID, kill); err != nil {
		a.log.Error("checkpoint failed", "task", string(spec.ID), "err", err)
		return
	}
	if t := a.task(spec.ID); t != nil {
		t.wake()
	}
}
