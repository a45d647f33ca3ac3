package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/service"
)

// Master is a running master. Its methods are safe for concurrent use.
type Master struct {
	cfg      Config
	log      *slog.Logger
	inbox    chan request
	view     atomic.Pointer[core.View]
	ring     *ring
	sessions *sessions
	joins    *joins
	execs    *execs
	clock    *clock
	names    *names
	done     chan struct{} // closed when Run has returned
	running  atomic.Bool

	loop *loop // touched by Run only
}

// request is a command, a framework's calls, or a question, on its way to the
// loop; with none of them it only wakes the loop.
type request struct {
	cmd       core.Command
	calls     *calling
	ask       func(*loop)       // answered before the round's commands
	session   *session          // of a registering agent
	framework *frameworkSession // of a subscribing framework
	own       bool              // a built-in framework asks
	then      func(outcome)     // called by the loop once the command is applied
	reply     chan<- outcome    // nil when nobody waits; has room for one
}

// outcome is what became of a command.
type outcome struct {
	index  int64
	events []core.Event
	err    error
}

// New makes a master with the state that its log holds. It starts nothing: Run does.
func New(ctx context.Context, cfg Config) (*Master, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	done := make(chan struct{})
	m := &Master{cfg: cfg, log: cfg.Logger, inbox: make(chan request, MaxInbox), ring: newRing(done),
		sessions: newSessions(), joins: newJoins(), execs: newExecs(), names: newNames(cfg.Names), done: done}
	state, err := m.replay(ctx)
	if err != nil {
		return nil, fmt.Errorf("master: %w", err)
	}
	m.clock = newClock(state.View().Time())
	m.loop = newLoop(m, state)
	m.view.Store(state.View())
	m.names.board.Set(m.names.builder.Build(m.View()))
	return m, nil
}

// replay makes the state of the snapshot and the entries after it.
func (m *Master) replay(ctx context.Context) (*core.State, error) {
	at, data, err := m.cfg.Store.LoadSnapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("load snapshot: %w", err)
	}
	state := core.New()
	if at > 0 {
		if state, err = core.Restore(data); err != nil {
			return nil, err
		}
		if state.Index() != at {
			return nil, fmt.Errorf("snapshot at %d holds the state at %d", at, state.Index())
		}
		m.ring.startAt(at)
	}
	err = m.cfg.Store.Replay(ctx, at+1, func(index int64, entry []byte) error {
		when, cmd, err := core.Decode(entry)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		events, _ := state.Apply(when, cmd)
		if state.Index() != index {
			return fmt.Errorf("entry %d leads to the state at %d", index, state.Index())
		}
		m.ring.add(events, index)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	m.log.Info("log replayed", "snapshot", at, "index", state.Index())
	return state, nil
}

// View is the state after the latest round.
func (m *Master) View() *core.View { return m.view.Load() }

// Now is the master's time. It never goes back, not over a restart either.
func (m *Master) Now() cluster.Time { return m.clock.now() }

// Run runs the master until ctx ends (nil) or its log fails. It can be called once.
func (m *Master) Run(ctx context.Context) error {
	if !m.running.CompareAndSwap(false, true) {
		return errors.New("master: Run was called before")
	}
	defer close(m.done)
	defer m.sessions.stop()
	defer m.execs.stop()
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { _ = discovery.Keep(ctx, &m.names.board, m.names.builder, m.View, m.names.next) }) // ends with ctx only
	defer beside.Wait()
	defer stop()
	if err := m.loop.run(ctx); err != nil {
		m.log.Error("master stopped", "err", err)
		return fmt.Errorf("master: %w", err)
	}
	return nil
}

// Submit puts a command into the log and gives its index and events once it is
// applied. A command that the state refused is an error of package problem; it
// is in the log nonetheless. When ctx ends first the command may still be applied.
func (m *Master) Submit(ctx context.Context, cmd core.Command) (index int64, events []core.Event, err error) {
	switch c := cmd.(type) {
	case core.PutService:
		err = check(m.View(), c.Spec.Role, service.Validate(c.Spec))
	case core.PutRun:
		err = check(m.View(), c.Spec.Role, service.ValidateRun(m.View(), c.Spec))
	}
	if err != nil {
		return 0, nil, err
	}
	o := m.submit(ctx, request{cmd: cmd})
	return o.index, o.events, o.err
}

// check gives what speaks against a spec: that it is invalid, or its role.
func check(view *core.View, role cluster.Role, err error) error {
	if err != nil {
		return invalid(err)
	}
	return keptRoles(view, []cluster.Role{role})
}

// invalid makes a problem of what Validate says.
func invalid(err error) error {
	p := problem.New(problem.Invalid, "%w", err)
	var bad *service.InvalidError
	if errors.As(err, &bad) {
		for _, f := range bad.Faults {
			p = p.WithDetails(problem.Detail{Pointer: f.Pointer, Message: f.Message})
		}
	}
	return p
}

// open registers an agent and makes s its session.
func (m *Master) open(ctx context.Context, cmd core.RegisterAgent, s *session) error {
	return m.submit(ctx, request{cmd: cmd, session: s}).err
}

// submitAll puts commands into the log, in order, and waits for all of them.
// What the state refuses is in the log too; why, refused says.
func (m *Master) submitAll(ctx context.Context, cmds []core.Command) (refused []error, firstErr error) {
	replies := make([]chan outcome, 0, len(cmds))
	for _, cmd := range cmds {
		reply := make(chan outcome, 1)
		if firstErr = m.send(request{cmd: cmd, reply: reply}); firstErr != nil {
			break
		}
		replies = append(replies, reply)
	}
	for _, reply := range replies {
		switch o := m.await(ctx, reply); {
		case o.err == nil:
		case o.index != 0:
			refused = append(refused, o.err)
		case firstErr == nil:
			firstErr = o.err
		}
	}
	return refused, firstErr
}

func (m *Master) submit(ctx context.Context, r request) outcome {
	reply := make(chan outcome, 1)
	r.reply = reply
	if err := m.send(r); err != nil {
		return outcome{err: err}
	}
	return m.await(ctx, reply)
}

func (m *Master) send(r request) error {
	select {
	case <-m.done:
		return errStoppedMaster
	default:
	}
	select {
	case m.inbox <- r:
		return nil
	default:
		return errUnavailable(fmt.Sprintf("the master is busy: %d commands wait", MaxInbox))
	}
}

func (m *Master) await(ctx context.Context, reply <-chan outcome) outcome {
	select {
	case o := <-reply:
		return o
	case <-ctx.Done():
		return outcome{err: fmt.Errorf("waiting for the master: %w", context.Cause(ctx))}
	case <-m.done:
		select {
		case o := <-reply:
			return o
		default:
			return outcome{err: errStoppedMaster}
		}
	}
}

var errStoppedMaster = errUnavailable("the master has stopped")

func errUnavailable(detail string) error {
	return problem.New(problem.Unavailable, "%s", detail).WithHint("try again in a moment")
}
