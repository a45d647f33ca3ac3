package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

const (
	// defaultTimeout is how long commands wait for a service.
	defaultTimeout = 10 * time.Minute
	// pollEvery is how often the status is read when no event tells to: what
	// an instance waits for can change without an event of its service.
	pollEvery = time.Second
	// retryEvery is the pause before the event stream is opened again.
	retryEvery = 2 * time.Second
)

// errTimeout ends a wait whose time is over.
var errTimeout = errors.New("the time to wait is over")

// follow reads the status of services whenever something of them changed, and
// at least every pollEvery, and calls f with what it read, or with the error,
// until f says that it has seen enough. It ends with ctx's cause.
func (a *app) follow(ctx context.Context, rt *runtimeclient.Client, ids []cluster.ServiceID, f func([]service.Status, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.signalEvents(ctx, rt, ids, changed)
	}()
	defer func() { cancel(); <-ended }()
	beat, stop := a.Ticker(pollEvery)
	defer stop()
	for {
		list, err := statuses(ctx, rt, ids)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f(list, err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-beat:
		}
	}
}

func statuses(ctx context.Context, rt *runtimeclient.Client, ids []cluster.ServiceID) ([]service.Status, error) {
	var list []service.Status
	for _, id := range ids {
		s, err := rt.Service(ctx, id)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// signalEvents puts a token into changed for each event of the services. A
// stream that ends is opened again: the master may have been restarted.
func (a *app) signalEvents(ctx context.Context, rt *runtimeclient.Client, ids []cluster.ServiceID, changed chan<- struct{}) {
	beat, stop := a.Ticker(retryEvery)
	defer stop()
	o := runtimeclient.EventOptions{Since: -1}
	if len(ids) == 1 {
		o.Service = ids[0]
	}
	for ctx.Err() == nil {
		for range rt.Events(ctx, o) {
			select {
			case changed <- struct{}{}:
			default: // one is waiting to be taken already
			}
		}
		select {
		case <-ctx.Done():
		case <-beat:
		}
	}
}

// goal is what a wait is for.
type goal struct {
	// done reports whether one service is where it should be.
	done func(service.Status) bool
	// word gives what only a person can give, and so ends the wait; nil: never.
	word func(service.Status) *service.Why
	item func(s service.Status, now time.Time) render.Item // its progress
	late string                                            // "is not ready": after the name, when the time is over
	goes string                                            // "the deployment": goes on without us
	hint string                                            // what to do when the time is over
	// missing names what is missing of a service.
	missing func(service.Status) []string
}

// readyGoal waits until all instances of services are ready.
func readyGoal(id cluster.ServiceID) goal {
	return goal{
		done: func(s service.Status) bool { return s.State == service.ServiceRunning && !s.Changing },
		item: statusItem, missing: notReady, late: "is not ready", goes: "the deployment",
		hint: fmt.Sprintf("watch it with: dcos service watch %s\nor take it back with: dcos package uninstall %s", id, id),
	}
}

// installGoal is readyGoal, and stops for a word that somebody has to give.
func installGoal(id cluster.ServiceID) goal {
	g := readyGoal(id)
	g.word = func(s service.Status) *service.Why { return needsWord(changeOf(s)) }
	return g
}

// waitReady follows services until all their instances are ready.
func (a *app) waitReady(ctx context.Context, timeout time.Duration, ids ...cluster.ServiceID) ([]service.Status, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return a.wait(ctx, timeout, readyGoal(ids[len(ids)-1]), ids...)
}

// wait follows services until all are where the goal has them. A time-out, an
// interrupt and a wait for a person say how to go on.
func (a *app) wait(ctx context.Context, timeout time.Duration, g goal, ids ...cluster.ServiceID) ([]service.Status, error) {
	rt, err := a.runtime()
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	show := a.progress()
	defer show.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	var last []service.Status
	var gone error
	var word *service.Why
	err = a.follow(ctx, rt, ids, func(list []service.Status, err error) bool {
		switch {
		case problem.Is(err, problem.NotFound):
			gone = fmt.Errorf("stopped waiting: %w", err)
			return true
		case err != nil:
			a.waitingFor(show, err)
			return false
		}
		last = list
		var items []render.Item
		ready := true
		for _, s := range list {
			items = append(items, g.item(s, a.Now()))
			ready = ready && g.done(s)
			if g.word != nil && word == nil {
				word = g.word(s)
			}
		}
		show.Set(items)
		show.Tick()
		return ready || word != nil
	})
	show.Close()
	name := ids[len(ids)-1]
	switch {
	case gone != nil:
		return nil, gone
	case errors.Is(err, errTimeout):
		return last, timedOut(last, name, timeout, g)
	case errors.Is(err, context.Canceled):
		a.say("\nStopped waiting; %s goes on. Watch it again with: dcos service watch %s", g.goes, name)
		return last, quiet(ExitInterrupted)
	case err == nil && word != nil:
		a.say("Service %s stands still: %s", name, word)
		return last, quiet(ExitWord)
	}
	return last, err
}

// waitingFor shows that the master does not answer, and goes on waiting.
func (a *app) waitingFor(show *render.Progress, err error) {
	show.Set([]render.Item{{Key: "master", State: render.ItemFailed, Text: "the master does not answer; trying again", Why: problem.Of(err).Detail}})
	show.Tick()
}

// timedOut names what is missing.
func timedOut(last []service.Status, id cluster.ServiceID, timeout time.Duration, g goal) error {
	e := problem.New(problem.Unavailable, "service %s %s after %s; %s goes on", id, g.late, timeout, g.goes).WithHint("%s", g.hint)
	for _, s := range last {
		for _, m := range g.missing(s) {
			e = e.WithDetails(problem.Detail{Message: m})
		}
	}
	return exitWith(ExitTimeout, e)
}

// waitGone follows a service until it, and every task of it, is gone.
func (a *app) waitGone(ctx context.Context, id cluster.ServiceID, timeout time.Duration) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	show := a.progress()
	defer show.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	var last service.Status
	err = a.follow(ctx, rt, []cluster.ServiceID{id}, func(list []service.Status, err error) bool {
		switch {
		case problem.Is(err, problem.NotFound):
			return true
		case err != nil:
			a.waitingFor(show, err)
			return false
		}
		last = list[0]
		show.Set([]render.Item{removalItem(last, a.Now())})
		show.Tick()
		return false
	})
	switch {
	case errors.Is(err, errTimeout):
		e := problem.New(problem.Unavailable, "service %s is not gone after %s; what is left of it is still being ended", id, timeout).
			WithHint("look at it with: dcos service show %s", id)
		for _, n := range last.Notices {
			e = e.WithDetails(problem.Detail{Message: n})
		}
		for _, it := range removalItem(last, a.Now()).Children {
			e = e.WithDetails(problem.Detail{Message: it.Text})
		}
		return exitWith(ExitTimeout, e)
	case errors.Is(err, context.Canceled):
		show.Close()
		a.say("\nStopped waiting; the removal goes on. Look at it with: dcos service show %s", id)
		return quiet(ExitInterrupted)
	case err == nil:
		show.Set([]render.Item{{Key: string(id), State: render.ItemDone, Text: fmt.Sprintf("%s is gone", id)}})
	}
	return err
}

// removalItem is the progress tree of a service that is being removed.
func removalItem(s service.Status, now time.Time) render.Item {
	root := render.Item{Key: string(s.ID), State: render.ItemWorking, Text: fmt.Sprintf("removing %s", s.ID), Why: strings.Join(s.Notices, "; ")}
	stopping := map[string]bool{}
	for _, p := range s.Pods {
		for _, in := range p.Instances {
			stopping[in.Name] = true
			it := instanceItem(string(s.ID), in, now)
			it.Why, it.Note, it.State = "", "", render.ItemWorking
			root.Children = append(root.Children, it)
		}
	}
	for _, p := range s.Places {
		if !stopping[p.Instance] {
			root.Children = append(root.Children, render.Item{Key: "place of " + p.Instance, State: render.ItemWorking,
				Text: fmt.Sprintf("%s of %s on %s to be given up", volumesText(p.Volumes), p.Instance, p.Agent)})
		}
	}
	for _, t := range s.Leftover {
		root.Children = append(root.Children, render.Item{Key: string(t), State: render.ItemWorking, Text: string(t) + " stopping"})
	}
	return root
}
