package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Handler is the part of a framework that decides. Its functions are called one
// at a time, in the order of the events; nil ones are left out. An error ends
// Run, but for those of a Driver whose connection broke: a new session follows.
type Handler struct {
	// Subscribed is called when a session is open: offers of earlier ones are void.
	Subscribed func(ctx context.Context, d *Driver) error
	// Offers gets new offers. Each is to be accepted or declined; one that is
	// neither is rescinded after its deadline.
	Offers func(ctx context.Context, d *Driver, offers []cluster.Offer) error
	// Rescind says that offers are void.
	Rescind func(ctx context.Context, d *Driver, offers []cluster.OfferID) error
	// Operations says what became of operations.
	Operations func(ctx context.Context, d *Driver, done []OperationStatus) error
	// Update gets the status of a task. It is acknowledged when the function
	// returns nil; the same one can come twice.
	Update func(ctx context.Context, d *Driver, st cluster.TaskStatus) error
}

const (
	// minRetry and maxRetry bound the pause between two tries to open a session.
	minRetry = 100 * time.Millisecond
	maxRetry = 15 * time.Second
	// silence is how long a stream may say nothing before it counts as broken.
	silence = 3 * time.Duration(HeartbeatEvery) * time.Millisecond
)

var errSilent = problem.New(problem.Unavailable, "the master says nothing")

// Run keeps info subscribed and hands what happens to h, until ctx ends (nil),
// the framework is torn down (nil), h fails, or the master refuses the
// subscription for good. Sessions that break are opened again under the same id.
// log gets a line for each session; nil: none.
func Run(ctx context.Context, t Transport, info cluster.Framework, h Handler, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Driver{transport: t, id: info.ID}
	for pause := minRetry; ; {
		info.ID = d.ID()
		opened, err := d.session(ctx, info, h)
		switch {
		case ctx.Err() != nil, d.torn():
			return nil
		case errors.As(err, new(handlerError)), final(err):
			return err
		}
		if opened {
			pause = minRetry
		}
		log.Warn("no session with the master; trying again", "framework", string(d.ID()), "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, maxRetry)
	}
}

// final reports whether it is of no use to open another session: the
// subscription would be refused again, somebody else took the framework over
// (problem.Conflict), or it was removed (problem.NotFound).
func final(err error) bool {
	switch problem.Of(err).Class {
	case problem.Invalid, problem.Forbidden, problem.Unauthorized, problem.NotFound, problem.Conflict, problem.TooLarge:
		return true
	}
	return false
}

// handlerError is an error of the Handler's.
type handlerError struct{ error }

// Unwrap gives what the Handler returned.
func (e handlerError) Unwrap() error { return e.error }

// Driver makes a framework's calls. It is safe for concurrent use. The error of
// a call is the transport's: nil says that the call is in the master's log.
type Driver struct {
	transport Transport

	mu       sync.Mutex
	id       cluster.FrameworkID
	current  string // the session
	teardown bool   // the framework was torn down
}

// ID is the framework's id; empty before the first session.
func (d *Driver) ID() cluster.FrameworkID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.id
}

func (d *Driver) torn() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.teardown
}

func (d *Driver) setTorn(torn bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.teardown = torn
}

// session is one stream of events, from its opening to its end.
func (d *Driver) session(ctx context.Context, info cluster.Framework, h Handler) (opened bool, err error) {
	stream, err := d.transport.Open(ctx, Subscribe{Framework: info})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	for {
		e, err := next(ctx, stream)
		if err != nil {
			return opened, err
		}
		if e.Subscribed != nil {
			opened = true
			d.mu.Lock()
			d.id, d.current = e.Subscribed.Framework, e.Subscribed.Session
			d.mu.Unlock()
		}
		if err := d.handle(ctx, h, e); err != nil {
			return opened, err
		}
	}
}

func next(ctx context.Context, s Stream) (Event, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, silence, errSilent)
	defer cancel()
	return s.Next(ctx)
}

func (d *Driver) handle(ctx context.Context, h Handler, e Event) error {
	var err error
	switch {
	case e.Subscribed != nil && h.Subscribed != nil:
		err = h.Subscribed(ctx, d)
	case len(e.Offers) > 0 && h.Offers != nil:
		err = h.Offers(ctx, d, e.Offers)
	case len(e.Rescind) > 0 && h.Rescind != nil:
		err = h.Rescind(ctx, d, e.Rescind)
	case len(e.Operations) > 0 && h.Operations != nil:
		err = h.Operations(ctx, d, e.Operations)
	case len(e.Updates) > 0:
		return d.updates(ctx, h, e.Updates)
	}
	return failed(err)
}

// failed tells the Handler's own errors from those of the connection, which
// another session mends. That a session is over, the stream says better.
func failed(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrSession):
		return nil
	case problem.Is(err, problem.Unavailable):
		return err
	}
	return handlerError{err}
}

func (d *Driver) updates(ctx context.Context, h Handler, updates []cluster.TaskStatus) error {
	var acks []Call
	for _, st := range updates {
		if h.Update != nil {
			if err := failed(h.Update(ctx, d, st)); err != nil {
				return err
			}
		}
		if st.UUID != "" {
			acks = append(acks, Call{Acknowledge: &Acknowledge{Task: st.Task, UUID: st.UUID}})
		}
	}
	for len(acks) > 0 {
		n := min(len(acks), MaxCalls)
		// What cannot be said now is said when the update comes again.
		if err := d.Do(ctx, acks[:n]...); err != nil && !errors.Is(err, ErrSession) {
			return err
		}
		acks = acks[n:]
	}
	return nil
}

// Do makes calls in one request; they are applied in order, and all or none of
// them are taken.
func (d *Driver) Do(ctx context.Context, calls ...Call) error {
	d.mu.Lock()
	id, session := d.id, d.current
	d.mu.Unlock()
	if session == "" {
		return fmt.Errorf("framework has no session yet: %w", ErrSession)
	}
	return d.transport.Call(ctx, id, Calls{Session: session, Calls: calls})
}

// Accept launches tasks out of offers of one agent and one role.
func (d *Driver) Accept(ctx context.Context, offers []cluster.OfferID, tasks ...cluster.TaskSpec) error {
	return d.Do(ctx, Call{Accept: &Accept{Offers: offers, Tasks: tasks}})
}

// Decline gives offers back for a while.
func (d *Driver) Decline(ctx context.Context, refuseFor cluster.Millis, offers ...cluster.OfferID) error {
	return d.Do(ctx, Call{Decline: &Decline{Offers: offers, RefuseFor: &refuseFor}})
}

// Revive asks for offers again under roles, refused ones too; none: under all.
func (d *Driver) Revive(ctx context.Context, roles ...cluster.Role) error {
	return d.Do(ctx, Call{Revive: &Roles{Roles: roles}})
}

// Suppress asks for no offers under roles; none: under all.
func (d *Driver) Suppress(ctx context.Context, roles ...cluster.Role) error {
	return d.Do(ctx, Call{Suppress: &Roles{Roles: roles}})
}

// Kill asks a task to end; grace 0 is the task's own.
func (d *Driver) Kill(ctx context.Context, task cluster.TaskID, grace cluster.Millis) error {
	return d.Do(ctx, Call{Kill: &Kill{Task: task, Grace: grace}})
}

// Reconcile asks for the present status of tasks; none: of all.
func (d *Driver) Reconcile(ctx context.Context, tasks ...core.TaskQuestion) error {
	return d.Do(ctx, Call{Reconcile: &Reconcile{Tasks: tasks}})
}

// Teardown removes the framework and kills its tasks; Run ends.
func (d *Driver) Teardown(ctx context.Context) error {
	d.setTorn(true) // first: the stream may end before the call has returned
	err := d.Do(ctx, Call{Teardown: &Teardown{}})
	if err != nil {
		d.setTorn(false)
	}
	return err
}
