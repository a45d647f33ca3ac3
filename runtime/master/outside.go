package master

import (
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/job"
	"github.com/universe-dcos/universe/runtime/service"
)

// Why a framework's session ended: its last event, so each is a problem.
var (
	errFailedOver = problem.New(problem.Conflict, "the framework opened another session")
	errTornDown   = problem.New(problem.NotFound, "the framework was removed")
	errSlowReader = problem.New(problem.Unavailable, "the framework reads its events too slowly: more than %d offers and updates wait", MaxFrameworkEvents)
)

// frameworkSession is one open stream of events to a framework.
type frameworkSession struct {
	id        string
	framework cluster.FrameworkID
	principal string
	mailbox[framework.Event]
}

func newFrameworkSession(id cluster.FrameworkID, principal string) *frameworkSession {
	s := &frameworkSession{id: newSessionID(), framework: id, principal: principal,
		mailbox: newMailbox[framework.Event](MaxFrameworkEvents, errSlowReader)}
	s.put(framework.Event{Subscribed: &framework.Subscribed{Framework: id, Session: s.id, Heartbeat: framework.HeartbeatEvery}}, 1)
	return s
}

// outsider is a framework that is not built in.
type outsider struct {
	id      cluster.FrameworkID
	session *frameworkSession // nil: away
	out     outbox
}

// outside is the frameworks that are not built in; the loop owns it.
type outside map[cluster.FrameworkID]*outsider

// isBuiltin reports whether an id is of a framework of the master's own.
func isBuiltin(id cluster.FrameworkID) bool { return id == service.Framework || id == job.Framework }

// install makes s its framework's session and ends the one before.
func (l *loop) install(s *frameworkSession, view *core.View) {
	o := l.outside[s.framework]
	if o == nil {
		o = &outsider{id: s.framework, out: newOutbox()}
		l.outside[s.framework] = o
	}
	if o.session != nil {
		o.session.end(errFailedOver)
	}
	o.session = s
	o.out.reset(view, o.id, time.Now())
}

// tell gives frameworks what happened to their tasks.
func (l *loop) tell(events []core.Event, view *core.View) {
	if len(l.outside) == 0 {
		return
	}
	now := time.Now()
	news := map[cluster.TaskID]int{} // updates of each task among the events
	for i := range events {
		if e := &events[i]; l.hears(e) {
			news[e.Task]++
		}
	}
	for i := range events {
		e := &events[i]
		switch {
		case l.outside[e.Framework] == nil:
		case e.Kind == core.EventFrameworkRemoving:
			l.outside[e.Framework].leave(errTornDown)
		case e.Kind == core.EventOperationDone, e.Kind == core.EventOperationRefused:
			out := &l.outside[e.Framework].out
			out.operations = append(out.operations, operationStatus(e))
		case l.hears(e):
			l.outside[e.Framework].out.add(statusOf(e, view, news[e.Task]), now)
			news[e.Task]--
		}
	}
}

// hears reports whether an event is an update for a framework that is there.
func (l *loop) hears(e *core.Event) bool {
	if e.Kind != core.EventTaskUpdated && e.Kind != core.EventTaskRefused {
		return false
	}
	o := l.outside[e.Framework]
	return o != nil && o.session != nil
}

func operationStatus(e *core.Event) framework.OperationStatus {
	return framework.OperationStatus{ID: e.Operation, Kind: cluster.OperationKind(e.State), Message: e.Message,
		Refused: e.Kind == core.EventOperationRefused}
}

// statusOf is the status that an event tells of: the nth from the end of its
// task's history, or what the event says where the record is gone already.
func statusOf(e *core.Event, view *core.View, n int) cluster.TaskStatus {
	if t := view.Task(e.Task); t != nil && n <= len(t.History) {
		return t.History[len(t.History)-n]
	}
	return cluster.TaskStatus{Task: e.Task, Agent: e.Agent, State: cluster.TaskState(e.State), Reason: e.Reason,
		Message: e.Message, At: e.At, Ready: e.Ready}
}

// leave ends a framework's session, if it has one.
func (o *outsider) leave(cause error) {
	if o.session != nil {
		o.session.end(cause)
	}
}

// flush does what had to wait for the round's end, and sends what waits in the
// outboxes.
func (l *loop) flush() {
	for _, f := range l.later {
		f()
	}
	l.later = nil
	for _, o := range l.outside {
		now, operations := o.out.now, o.out.operations
		o.out.now, o.out.operations = nil, nil
		if len(operations) > 0 && o.session != nil {
			o.session.put(framework.Event{Operations: operations}, len(operations))
		}
		for len(now) > 0 && o.session != nil {
			n := min(len(now), framework.MaxBatch)
			o.session.put(framework.Event{Updates: now[:n:n]}, n)
			now = now[n:]
		}
	}
}

// give hands offers to the frameworks that are not built in. Those of agents or
// to frameworks that are away go back.
func (l *loop) give(made []cluster.Offer, t cluster.Time) {
	batches := map[cluster.FrameworkID][]cluster.Offer{}
	for _, offer := range made {
		if isBuiltin(offer.Framework) {
			continue
		}
		o := l.outside[offer.Framework]
		if o == nil || o.session == nil || !l.m.sessions.connected(offer.Agent.ID) {
			l.decline(offer.Framework, offer.ID, refuseAway, t)
			continue
		}
		batch := append(batches[o.id], offer)
		if len(batch) == framework.MaxBatch {
			o.session.put(framework.Event{Offers: batch}, len(batch))
			batch = nil
		}
		batches[o.id] = batch
	}
	for id, batch := range batches {
		if len(batch) > 0 {
			l.outside[id].session.put(framework.Event{Offers: batch}, len(batch))
		}
	}
}

// rescind tells frameworks which of their offers are void.
func (l *loop) rescind(offers []cluster.Offer) {
	batches := map[cluster.FrameworkID][]cluster.OfferID{}
	for _, offer := range offers {
		if o := l.outside[offer.Framework]; o != nil && o.session != nil {
			batches[offer.Framework] = append(batches[offer.Framework], offer.ID)
		}
	}
	for id, ids := range batches {
		for len(ids) > 0 {
			n := min(len(ids), framework.MaxBatch)
			l.outside[id].session.put(framework.Event{Rescind: ids[:n:n]}, n)
			ids = ids[n:]
		}
	}
}

// departed asks for the frameworks whose sessions ended to be disconnected.
func (l *loop) departed() []request {
	var out []request
	for _, o := range l.outside {
		if o.session == nil || !o.session.ended() {
			continue
		}
		o.session = nil
		if f := l.state.View().Framework(o.id); f != nil && f.Connected {
			out = append(out, request{cmd: core.DisconnectFramework{Framework: o.id, Principal: "master"}})
		}
	}
	return out
}

// absent looks once a tick at the frameworks: those that a master before us
// knew, and that are not back, are disconnected. It forgets those that are gone,
// and sends again what was not acknowledged.
func (l *loop) absent(t time.Time) []request {
	view := l.state.View()
	var out []request
	for f := range view.Frameworks() {
		id := f.Info.ID
		if isBuiltin(id) || f.Removing {
			continue
		}
		o := l.outside[id]
		if o == nil {
			o = &outsider{id: id, out: newOutbox()}
			l.outside[id] = o
		}
		if f.Connected && o.session == nil {
			out = append(out, request{cmd: core.DisconnectFramework{Framework: id, Principal: "master"}})
		}
	}
	for id, o := range l.outside {
		if view.Framework(id) == nil {
			o.leave(errTornDown)
			delete(l.outside, id)
			continue
		}
		if o.session != nil {
			o.out.resend(t)
		}
		o.out.prune(view)
	}
	return out
}

// due gives the commands that time makes. A master that was restarted gives
// frameworks that are away time to come back.
func (l *loop) due(t time.Time) []request {
	var out []request
	for _, cmd := range l.state.View().Due(l.m.Now()) {
		if _, away := cmd.(core.ExpireFramework); away && t.Sub(l.started) < RestartGrace {
			continue
		}
		out = append(out, request{cmd: cmd})
	}
	return out
}
