package command

import (
	"context"
	"errors"
	"fmt"
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

// waitReady follows services until all their instances are ready. A time-out
// and an interrupt say how to go on.
func (a *app) waitReady(ctx context.Context, timeout time.Duration, ids ...cluster.ServiceID) ([]service.Status, error) {
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
			items = append(items, statusItem(s, a.Now()))
			ready = ready && s.State == service.ServiceRunning
		}
		show.Set(items)
		show.Tick()
		return ready
	})
	show.Close()
	name := ids[len(ids)-1]
	switch {
	case gone != nil:
		return nil, gone
	case errors.Is(err, errTimeout):
		return last, timedOut(last, name, timeout)
	case errors.Is(err, context.Canceled):
		a.say("\nStopped waiting; the deployment goes on. Watch it again with: dcos service watch %s", name)
		return last, quiet(ExitInterrupted)
	}
	return last, err
}

// waitingFor shows that the master does not answer, and goes on waiting.
func (a *app) waitingFor(show *render.Progress, err error) {
	show.Set([]render.Item{{Key: "master", State: render.ItemFailed, Text: "the master does not answer; trying again", Why: problem.Of(err).Detail}})
	show.Tick()
}

// timedOut names what is missing.
func timedOut(last []service.Status, id cluster.ServiceID, timeout time.Duration) error {
	e := problem.New(problem.Unavailable, "service %s is not ready after %s; the deployment goes on", id, timeout).
		WithHint("watch it with: dcos service watch %s\nor take it back with: dcos package uninstall %s", id, id)
	for _, s := range last {
		for _, m := range notReady(s) {
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
		e := problem.New(problem.Unavailable, "service %s is not gone after %s; its tasks are still being ended", id, timeout).
			WithHint("look at it with: dcos service show %s", id)
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
	root := render.Item{Key: string(s.ID), State: render.ItemWorking, Text: fmt.Sprintf("removing %s", s.ID)}
	for _, p := range s.Pods {
		for _, in := range p.Instances {
			it := instanceItem(string(s.ID), in, now)
			it.Why, it.Note, it.State = "", "", render.ItemWorking
			root.Children = append(root.Children, it)
		}
	}
	for _, t := range s.Leftover {
		root.Children = append(root.Children, render.Item{Key: string(t), State: render.ItemWorking, Text: string(t) + " stopping"})
	}
	return root
}
