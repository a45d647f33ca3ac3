package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// loop is what Run owns alone.
type loop struct {
	m       *Master
	state   *core.State
	built   *builtin
	outside outside

	started  time.Time
	nextTick time.Time
	snapAt   int64         // index of the latest snapshot asked for
	snaps    chan snapshot // has room for one: the result of the snapshot being made
	snapping bool
	refused  int      // of the built-in frameworks' commands in this round
	later    []func() // what follows from this round's calls once it is applied
}

// snapshot is a state made into bytes beside the loop.
type snapshot struct {
	index int64
	data  []byte
}

func newLoop(m *Master, state *core.State) *loop {
	return &loop{m: m, state: state, built: newBuiltin(), outside: outside{}, snapAt: state.Index(), snaps: make(chan snapshot, 1)}
}

// run is the loop.
func (l *loop) run(ctx context.Context) error {
	defer l.settleSnapshot()
	l.started = time.Now()
	l.nextTick = l.started.Add(tick)
	timer := time.NewTimer(0)
	defer timer.Stop()
	own := l.schedule() // what the frameworks ask for, to be applied in the next round
	for {
		batch := own
		if len(batch) == 0 {
			timer.Reset(time.Until(l.wakeAt()))
			select {
			case <-ctx.Done():
				return nil
			case r := <-l.m.inbox:
				batch = append(batch, r)
			case s := <-l.snaps:
				if err := l.saveSnapshot(ctx, s); err != nil {
					return err
				}
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return nil
		}
		asked := 0
		for i := range own {
			if own[i].own {
				asked++
			}
		}
		l.refused = 0
		if len(batch) > 0 {
			if err := l.commit(ctx, l.expand(l.fill(batch))); err != nil {
				return err
			}
		}
		own = append(l.silent(), l.departed()...)
		l.flush()
		if asked == 0 || l.refused < asked {
			own = append(own, l.schedule()...)
		} // else asking again at once would be refused again: wait for the next tick
	}
}

// fill tops a batch up with what waits in the inbox.
func (l *loop) fill(batch []request) []request {
	for len(batch) < MaxBatch {
		select {
		case r := <-l.m.inbox:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// commit appends a batch to the log, in pieces where it is large, and applies it.
func (l *loop) commit(ctx context.Context, batch []request) error {
	for len(batch) > 0 {
		at := l.m.Now()
		var entries [][]byte
		size, n := 0, 0
		for ; n < len(batch); n++ {
			entry := core.Encode(at, batch[n].cmd)
			if len(entry) > core.MaxEntry {
				if n > 0 {
					break // it is refused in a piece of its own
				}
				l.finish(&batch[0], outcome{err: problem.New(problem.TooLarge, "command %s of %d bytes is over the limit of %d", batch[0].cmd.Kind(), len(entry), core.MaxEntry)}, nil)
				n = 1
				break
			}
			if n > 0 && size+len(entry) > MaxBatchBytes {
				break
			}
			entries, size = append(entries, entry), size+len(entry)
		}
		if err := l.apply(ctx, at, batch[:n], entries); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// apply logs and applies one piece of a batch, and does what follows from it.
func (l *loop) apply(ctx context.Context, at cluster.Time, batch []request, entries [][]byte) error {
	if len(entries) == 0 {
		return nil
	}
	// The log is written to the end even if the master is told to stop meanwhile.
	last, err := l.m.cfg.Store.Append(context.WithoutCancel(ctx), entries)
	if err == nil && last != l.state.Index()+int64(len(entries)) {
		err = fmt.Errorf("the log is at %d, the state at %d: somebody else appends to it", last, l.state.Index())
	}
	if err != nil {
		for i := range batch {
			l.finish(&batch[i], outcome{err: errUnavailable("the master's log cannot be written")}, nil)
		}
		return fmt.Errorf("append %d commands: %w", len(entries), err)
	}
	outcomes := make([]outcome, len(batch))
	effects := make([][]core.Effect, len(batch))
	var events []core.Event
	for i := range batch {
		ev, ef := l.state.Apply(at, batch[i].cmd)
		outcomes[i] = outcome{index: l.state.Index(), events: ev, err: refusal(ev)}
		if batch[i].own && outcomes[i].err != nil {
			l.refused++
		}
		effects[i] = ef
		events = append(events, ev...)
	}
	view := l.state.View()
	l.m.view.Store(view)
	l.m.names.move()
	for i := range batch {
		l.perform(batch[i].session, outcomes[i], effects[i])
	}
	l.tell(events, view)
	l.m.ring.add(events, view.Index())
	l.report(events)
	for i := range batch {
		l.finish(&batch[i], outcomes[i], view)
	}
	l.startSnapshot(view)
	return nil
}

// finish does what waits for a command to be applied, and answers.
func (l *loop) finish(r *request, o outcome, view *core.View) {
	if r.framework != nil && o.err == nil {
		l.install(r.framework, view)
	}
	if r.then != nil {
		r.then(o)
	}
	r.answer(o)
}

func (r request) answer(o outcome) {
	if r.reply != nil {
		r.reply <- o
	}
}

// perform opens the session of a registered agent and gives the orders that a
// command led to.
func (l *loop) perform(s *session, o outcome, effects []core.Effect) {
	if s != nil && o.err == nil {
		l.m.sessions.install(s, time.Now())
	}
	for _, e := range effects {
		l.m.sessions.order(e.Agent, e.Order)
	}
	for i := range o.events {
		switch e := &o.events[i]; e.Kind {
		case core.EventAgentUnreachable:
			l.m.sessions.drop(e.Agent, errSilent)
		case core.EventAgentGone:
			l.m.sessions.drop(e.Agent, errGone)
		}
	}
}

// refusal is the error of a command that the state refused; nil when it did not.
func refusal(events []core.Event) error {
	e := core.Refused(events)
	if e == nil {
		return nil
	}
	return problem.New(problem.Class(e.Code), "%s", e.Message)
}

// report writes a line for each transition.
func (l *loop) report(events []core.Event) {
	for i := range events {
		e := &events[i]
		level := slog.LevelInfo
		switch e.Kind {
		case core.EventRefused:
			level = slog.LevelDebug
		case core.EventAgentUnreachable:
			level = slog.LevelWarn
		}
		if !l.m.log.Enabled(context.Background(), level) {
			continue
		}
		attrs := []slog.Attr{slog.Int64("index", e.Index)}
		for _, f := range [...]struct{ key, value string }{
			{"agent", string(e.Agent)}, {"service", string(e.Service)}, {"run", string(e.Run)}, {"task", string(e.Task)},
			{"framework", string(e.Framework)}, {"state", e.State}, {"reason", string(e.Reason)}, {"message", e.Message},
		} {
			if f.value != "" {
				attrs = append(attrs, slog.String(f.key, f.value))
			}
		}
		l.m.log.LogAttrs(context.Background(), level, string(e.Kind), attrs...)
	}
}

// silent asks, once a tick, for the agents that were silent too long to be
// marked unreachable, and for what absent and due give.
func (l *loop) silent() []request {
	t := time.Now()
	if t.Before(l.nextTick) {
		return nil
	}
	l.nextTick = t.Add(tick)
	var out []request
	for a := range l.state.View().Agents() {
		if a.State != cluster.AgentActive {
			continue
		}
		heard, ok := l.m.sessions.lastHeard(a.Info.ID)
		limit := time.Duration(cluster.AgentTimeout) * time.Millisecond
		if !ok {
			heard, limit = l.started, RestartGrace
		}
		if t.Sub(heard) > limit {
			out = append(out, request{cmd: core.AgentUnreachable{Agent: a.Info.ID, Principal: "master"}})
		}
	}
	return append(append(out, l.absent(t)...), l.due(t)...)
}

// wakeAt is when the loop must go round though nothing came.
func (l *loop) wakeAt() time.Time {
	if at := l.built.wake; at != 0 {
		if t := time.Now().Add(l.m.clock.until(at)); t.Before(l.nextTick) {
			return t
		}
	}
	return l.nextTick
}

// startSnapshot has the state made into bytes, when it is time.
func (l *loop) startSnapshot(view *core.View) {
	if l.snapping || view.Index()-l.snapAt < SnapshotEvery {
		return
	}
	l.snapping, l.snapAt = true, view.Index()
	go func() { l.snaps <- snapshot{view.Index(), view.Snapshot()} }()
}

func (l *loop) saveSnapshot(ctx context.Context, s snapshot) error {
	l.snapping = false
	if err := l.m.cfg.Store.SaveSnapshot(ctx, s.index, s.data); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("snapshot at %d: %w", s.index, err)
	}
	l.m.log.Debug("snapshot saved", "index", s.index, "bytes", len(s.data))
	return nil
}

// settleSnapshot waits for a snapshot that is being made; the next run makes another.
func (l *loop) settleSnapshot() {
	if l.snapping {
		<-l.snaps
	}
}
