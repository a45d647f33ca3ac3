package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
)

// runPollEvery is how often the status of a run is read.
const runPollEvery = 250 * time.Millisecond

// runFollower follows one run: it shows what it waits for, copies the output of
// its task, and ends as the task does.
type runFollower struct {
	*app
	rt      *runtimeclient.Client
	id      cluster.RunID
	written int64 // bytes of the output that were printed
}

// followRun follows a run to its end. The program ends with the exit code of
// its task.
func (a *app) followRun(ctx context.Context, id cluster.RunID, timeout time.Duration) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}
	f := &runFollower{app: a, rt: rt, id: id}
	s, err := f.launched(ctx)
	if err == nil && s.Task != "" {
		s, err = f.output(ctx, s)
	}
	switch {
	case errors.Is(err, errTimeout):
		e := problem.New(problem.Unavailable, "run %s has not ended after %s; it goes on", id, timeout)
		if s.WhyText != "" {
			e = e.WithDetails(problem.Detail{Message: s.WhyText})
		}
		return exitWith(ExitTimeout, f.resume(e, s))
	case errors.Is(err, context.Canceled):
		e := f.resume(problem.New(problem.Unavailable, ""), s)
		a.say("\nStopped following; run %s goes on.\n%s", id, e.Hint)
		return quiet(ExitInterrupted)
	case err != nil:
		return err
	}
	return runEnding(s)
}

// resume says how to go on with a run that is no longer followed.
func (f *runFollower) resume(e *problem.Error, s job.Status) *problem.Error {
	if s.Task == "" {
		return e.WithHint("look at it with: dcos events --service %s", s.Spec.Service)
	}
	return e.WithHint("follow it with: dcos task log -f %s\nend it with: dcos task kill %s", s.Task, s.Task)
}

// poll reads the status of the run until enough says so.
func (f *runFollower) poll(ctx context.Context, show *render.Progress, enough func(job.Status) bool) (s job.Status, _ error) {
	beat, stop := f.Ticker(runPollEvery)
	defer stop()
	for {
		now, err := f.rt.Run(ctx, f.id)
		switch {
		case ctx.Err() != nil:
			return s, context.Cause(ctx)
		case problem.Is(err, problem.NotFound):
			return s, err
		case err != nil:
			f.waitingFor(show, err)
		default:
			s = now
			show.Set([]render.Item{runItem(s)})
			show.Tick()
			if enough(s) {
				return s, nil
			}
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-beat:
		}
	}
}

func runItem(s job.Status) render.Item {
	it := render.Item{Key: string(s.Spec.ID), State: render.ItemWorking, Text: fmt.Sprintf("%s %s", s.Spec.Name, s.State)}
	switch {
	case s.State == core.RunPending:
		it.State, it.Why = render.ItemWaiting, s.WhyText
	case s.State.Final():
		it.State = render.ItemDone
		if s.State != core.RunFinished {
			it.State = render.ItemFailed
		}
	case s.Agent != "":
		it.Text = fmt.Sprintf("%s on %s, %s", s.Spec.Name, s.Agent, taskWord(s.TaskState))
	}
	return it
}

// launched waits until the task of the run has begun, or the run has ended.
func (f *runFollower) launched(ctx context.Context) (job.Status, error) {
	show := f.progress()
	s, err := f.poll(ctx, show, func(s job.Status) bool {
		return s.State.Final() || s.Task != "" && s.TaskState != cluster.TaskStaging && s.TaskState != cluster.TaskStarting
	})
	if err != nil {
		show.Close()
		return s, err
	}
	show.Clear() // what follows is the output
	return s, nil
}

// output copies the output until the run has ended and nothing more comes. A
// stream that breaks off is taken up where it broke.
func (f *runFollower) output(ctx context.Context, s job.Status) (job.Status, error) {
	hidden := render.NewProgress(f.Err, render.ProgressOptions{Quiet: true, Now: f.Now})
	for tries := 0; ; {
		final := s.State.Final()
		n, whole, err := f.copy(ctx, s.Task)
		if err != nil {
			return s, err
		}
		switch {
		case final && whole && n == 0:
			return s, nil
		case final:
			if tries++; tries > maxLogTries {
				f.say("The output may be incomplete; see: dcos task log %s", s.Task)
				return s, nil
			}
		}
		// The first look is at once: most streams end because the run did.
		looks := 0
		s, err = f.poll(ctx, hidden, func(now job.Status) bool {
			looks++
			return now.State.Final() && (whole || looks > 1) || looks > 2
		})
		if err != nil {
			return s, err
		}
	}
}

// maxLogTries is how often the rest of the output is asked for after the end.
const maxLogTries = 8

// copy prints the output of the task from where it was left; whole says that
// the stream came to an end. That the output cannot be had now is no error: the
// agent may be starting, or away for a moment.
func (f *runFollower) copy(ctx context.Context, id cluster.TaskID) (n int64, whole bool, _ error) {
	r, err := f.rt.TaskLog(ctx, id, runtimeclient.LogOptions{Offset: f.written, Follow: true})
	if ctx.Err() != nil {
		return 0, false, context.Cause(ctx)
	}
	if err != nil {
		if problem.Is(err, problem.Unavailable) || problem.Is(err, problem.NotFound) {
			return 0, false, nil
		}
		return 0, false, err
	}
	defer r.Close()
	out := &countingWriter{w: f.Out}
	_, err = io.Copy(out, r)
	f.written += out.n
	switch {
	case out.err != nil:
		return out.n, false, fmt.Errorf("print the output: %w", out.err)
	case ctx.Err() != nil:
		return out.n, false, context.Cause(ctx)
	}
	return out.n, err == nil, nil
}

// countingWriter counts what was written and remembers the error of writing.
type countingWriter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.err = err
	return n, err
}

// runEnding makes the program's ending of a run's.
func runEnding(s job.Status) error {
	if s.State == core.RunFinished {
		return nil
	}
	text := fmt.Sprintf("run %s of %s %s", s.Spec.ID, s.Spec.Name, s.State)
	if s.Message != "" {
		text += ": " + s.Message
	} else if s.Reason != "" {
		text += ": " + string(s.Reason)
	}
	code := ExitError
	if s.ExitCode != nil && *s.ExitCode > 0 && *s.ExitCode < 256 {
		code = *s.ExitCode
	}
	e := problem.New(problem.Internal, "%s", text)
	if s.Task != "" {
		e = e.WithHint("its output again: dcos task log %s", s.Task)
	}
	return exitWith(code, e)
}
