package agent

import (
	"context"
	"errors"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// watch passes the engine's news to the tasks. The first time the engine
// answers it takes over what runs, and closes recovered.
func (a *Agent) watch(ctx, tasks context.Context, recovered chan<- struct{}) error {
	first := true
	for s := range a.cfg.Runner.Watch(ctx) {
		if s.Exit != nil {
			if t := a.task(s.ID); t != nil {
				t.ended(*s.Exit)
			}
			continue
		}
		// What ran before the list was made and is not in it is gone; what was
		// started since may only be too new for it.
		ran := a.running()
		list, err := a.list(ctx)
		if err != nil {
			return err
		}
		if !first {
			a.reconcile(ran, list)
			continue
		}
		first = false
		if err := a.takeOver(ctx, tasks, list); err != nil {
			return err
		}
		close(recovered)
	}
	return ctx.Err()
}

// list asks the engine until it answers.
func (a *Agent) list(ctx context.Context) (map[cluster.TaskID]runner.Status, error) {
	b := backoff{least: minEngineRetry, most: maxEngineRetry}
	for {
		all, err := a.cfg.Runner.List(ctx)
		if err == nil {
			out := make(map[cluster.TaskID]runner.Status, len(all))
			for _, s := range all {
				out[s.ID] = s
			}
			return out, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a.log.Warn("the container engine does not list; trying again", "err", err)
		if !b.wait(ctx) {
			return nil, ctx.Err()
		}
	}
}

// running gives the tasks whose containers were started.
func (a *Agent) running() []*task {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*task
	for _, t := range a.tasks {
		if t.started.Load() {
			out = append(out, t)
		}
	}
	return out
}

// reconcile tells tasks what they missed while the engine was away.
func (a *Agent) reconcile(ran []*task, list map[cluster.TaskID]runner.Status) {
	for _, t := range ran {
		s, ok := list[t.spec.ID]
		switch {
		case !ok:
			t.ended(runner.Exit{Unknown: true, At: now()})
		case s.Exit != nil:
			t.ended(*s.Exit)
		default:
			token(t.resync)
		}
	}
}

// takeOver gives every recorded task its goroutine, by what became of it, and
// removes containers that no record knows.
func (a *Agent) takeOver(ctx, tasks context.Context, list map[cluster.TaskID]runner.Status) error {
	if err := a.afterBoot(); err != nil {
		return err
	}
	a.destroyFree()
	adopted := 0
	for _, rec := range a.ledger.All() {
		id := rec.Spec.ID
		s, there := list[id]
		delete(list, id)
		p, err := a.probes(rec.Spec)
		if err != nil { // it was accepted once, so by another version of us
			a.log.Error("the checks of a task are not understood; it runs without", "task", string(id), "err", err)
		}
		t := newTask(a, rec.Spec, p)
		switch {
		case rec.Ended != 0 && (rec.Removed || rec.Stranger):
		case rec.Ended != 0:
			a.begin(tasks, t, (*task).remove)
		case there && s.State == runner.Running:
			adopted++
			a.begin(tasks, t, (*task).supervise)
		case there && s.Exit != nil:
			t.ended(*s.Exit)
			a.begin(tasks, t, (*task).supervise)
		case rec.Started != 0:
			t.ended(runner.Exit{Unknown: true, At: now()})
			a.begin(tasks, t, (*task).supervise)
		default:
			a.begin(tasks, t, (*task).launch)
		}
	}
	for id := range list {
		a.log.Warn("removing a container that no record knows", "task", string(id))
		if err := a.cfg.Runner.Remove(ctx, id); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("a container could not be removed", "task", string(id), "err", err)
		}
	}
	a.group.Go(func() error { return a.sweepNetworks(tasks) })
	if adopted > 0 {
		a.log.Info("took over running tasks", "tasks", adopted)
	}
	return nil
}

// afterBoot gives up the tasks of before when the machine was started again:
// nothing of them can run.
func (a *Agent) afterBoot() error {
	before, err := a.ledger.Boot()
	if err != nil {
		return err
	}
	if before == a.cfg.BootID {
		return nil
	}
	for _, rec := range a.ledger.All() {
		if before == "" || rec.Ended != 0 {
			continue
		}
		st := a.status(rec.Spec.ID, cluster.TaskLost)
		st.Reason, st.Message = cluster.ReasonAgentRestarted, "the agent's machine was started again"
		if err := a.ledger.Report(st); err != nil && !errors.Is(err, checkpoint.ErrEnded) {
			return err
		}
		a.log.Warn("task lost", "task", string(rec.Spec.ID), "message", st.Message)
	}
	return a.ledger.SetBoot(a.cfg.BootID)
}
