package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/fetch"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// progressEvery is the least time between two reports of a pull in one phase.
	progressEvery = 2 * time.Second
	// minEngineRetry and maxEngineRetry bound the pause while the engine is away.
	minEngineRetry = 500 * time.Millisecond
	maxEngineRetry = 15 * time.Second
	// engineAway is how long a launch waits for an engine that does not answer.
	engineAway = 10 * time.Minute
)

// launch brings the container up and supervises it. A kill meanwhile stops it.
func (t *task) launch(ctx context.Context) {
	lctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	if t.record().Kill != nil {
		cancel()
	}
	go func() { done <- t.bringUp(lctx) }()
	for {
		select {
		case <-t.poke:
			if t.record().Kill != nil {
				cancel()
			}
		case err := <-done:
			switch {
			case err == nil:
				t.supervise(ctx)
			case ctx.Err() != nil: // the agent ends; the next life goes on
			default:
				if t.notStarted(ctx, err) {
					t.remove(ctx)
				}
			}
			return
		}
	}
}

// notStarted reports why there is no process, as finish does.
func (t *task) notStarted(ctx context.Context, err error) bool {
	st := t.a.status(t.spec.ID, cluster.TaskFailed)
	st.Message = err.Error()
	switch {
	case t.record().Kill != nil:
		st.State, st.Reason, st.Message = cluster.TaskKilled, cluster.ReasonKilledInLaunch, "killed before it started"
	case errors.Is(err, runner.ErrSpec), errors.Is(err, fetch.ErrRefused):
		st.State, st.Reason = cluster.TaskError, cluster.ReasonTaskInvalid
	case errors.Is(err, runner.ErrImage):
		st.Reason = cluster.ReasonImagePull
	default:
		st.Reason = cluster.ReasonLaunchFailed
	}
	st.Message = inGroup(t.spec, st.Message)
	return t.a.insist(ctx, t.spec.ID, "the end of a task", func() error { return t.a.tryReport(st) })
}

// bringUp starts the container, and waits for an engine that is away.
func (t *task) bringUp(ctx context.Context) error {
	b := backoff{least: minEngineRetry, most: maxEngineRetry}
	var since time.Time
	for {
		err := t.tryStart(ctx)
		if !errors.Is(err, runner.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if since.IsZero() {
			since = time.Now()
		} else if time.Since(since) > engineAway {
			return fmt.Errorf("the container engine did not answer for %s: %w", engineAway, err)
		}
		t.sayStarting("the container engine does not answer; trying again")
		t.a.log.Warn("a task waits for the container engine", "task", string(t.spec.ID), "err", err)
		if !b.wait(ctx) {
			return context.Cause(ctx)
		}
	}
}

func (t *task) tryStart(ctx context.Context) error {
	spec := t.a.spec(t.spec)
	if err := os.MkdirAll(spec.Sandbox, 0o711); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := t.a.cfg.Runner.Prepare(ctx, spec, t.progress()); err != nil {
		if noSpace(err) {
			t.a.images.want()
		}
		return err
	}
	if err := t.fetch(ctx); err != nil {
		return err
	}
	var err error
	if spec.Volumes, err = t.volumes(ctx); err != nil {
		return err
	}
	if err := t.a.awaitPorts(ctx, t.spec); err != nil {
		return err
	}
	if spec.Network, err = t.a.attach(ctx, t.spec); err != nil {
		return err
	}
	err = t.a.cfg.Runner.Start(ctx, spec)
	if errors.Is(err, runner.ErrExists) {
		return t.exists(ctx)
	}
	return err
}

// exists deals with a container of ours that is there already: an earlier try
// may have started it without our hearing of it.
func (t *task) exists(ctx context.Context) error {
	list, err := t.a.cfg.Runner.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		switch {
		case s.ID != t.spec.ID:
		case s.State == runner.Running:
			return nil
		case s.Exit != nil:
			t.ended(*s.Exit)
			return nil
		}
	}
	return errors.New("its container was created but never started")
}

func (t *task) sayStarting(message string) {
	st := t.a.status(t.spec.ID, cluster.TaskStarting)
	st.Message = message
	t.a.report(st)
}

// progress reports a pull, not more often than people can read. It is called
// from one goroutine at a time.
func (t *task) progress() func(runner.Progress) {
	var phase string
	var last time.Time
	return func(p runner.Progress) {
		if p.Phase == phase && time.Since(last) < progressEvery {
			return
		}
		phase, last = p.Phase, time.Now()
		t.sayStarting(describe(p))
	}
}

func describe(p runner.Progress) string {
	switch p.Phase {
	case "resolve":
		return "looking up the image"
	case "unpack":
		return "unpacking the image"
	}
	if p.Total > 0 {
		return fmt.Sprintf("pulling the image: %s of %s", cluster.Bytes(p.Done), cluster.Bytes(p.Total))
	}
	return "pulling the image: " + cluster.Bytes(p.Done)
}
