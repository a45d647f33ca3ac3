package master

import (
	"slices"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
)

// calling is a framework's calls on their way to the loop. They were checked in
// themselves before.
type calling struct {
	framework cluster.FrameworkID
	principal string
	calls     framework.Calls
}

// expand turns the calls among requests into the commands they are: what
// touches offers only is done at once, and questions are answered.
func (l *loop) expand(batch []request) []request {
	plain := true
	for i := range batch {
		plain = plain && batch[i].cmd != nil
	}
	if plain {
		return batch
	}
	out := make([]request, 0, len(batch))
	for _, r := range batch {
		switch {
		case r.cmd != nil:
			out = append(out, r)
		case r.calls != nil:
			out = append(out, l.make(r.calls, r)...)
		case r.ask != nil:
			r.ask(l)
			r.answer(outcome{})
		} // else it only wakes the loop
	}
	return out
}

// make makes a framework's calls. The answer is given with the last command.
func (l *loop) make(c *calling, r request) []request {
	o := l.outside[c.framework]
	switch {
	case o == nil || o.session == nil || o.session.id != c.calls.Session || o.session.ended():
		r.answer(outcome{err: framework.ErrSession})
		return nil
	case o.session.principal != c.principal:
		r.answer(outcome{err: problem.New(problem.Forbidden, "framework %q belongs to another principal", o.id)})
		return nil
	}
	if err := c.foreign(); err != nil {
		r.answer(outcome{err: err})
		return nil
	}
	l.built.alloc.Heard(o.id) // also by calls that are not about offers
	var out []request
	for i := range c.calls.Calls {
		out = append(out, l.call(o, &c.calls.Calls[i])...)
	}
	if len(out) == 0 {
		r.answer(outcome{})
		return nil
	}
	// What the state refused is told as an update: it is no error of the request.
	last := &out[len(out)-1]
	then := last.then
	last.then = func(done outcome) {
		if then != nil {
			then(done)
		}
		if done.index != 0 {
			done.err = nil
		}
		r.answer(done)
	}
	return out
}

// foreign says that a task is in the name of another framework.
func (c *calling) foreign() error {
	for i := range c.calls.Calls {
		a := c.calls.Calls[i].Accept
		if a == nil {
			continue
		}
		for j := range a.Tasks {
			if f := a.Tasks[j].Framework; f != "" && f != c.framework {
				return problem.New(problem.Forbidden, "task %q names framework %.64q, not %q", a.Tasks[j].ID, f, c.framework)
			}
		}
	}
	return nil
}

// call makes one call: at once, or as commands.
func (l *loop) call(o *outsider, c *framework.Call) []request {
	t := l.m.Now()
	switch {
	case c.Accept != nil && len(c.Accept.Tasks)+len(c.Accept.Operations) > 0:
		return l.acceptFor(o, c.Accept, t)
	case c.Accept != nil:
		l.declineFor(o, c.Accept.Offers, c.Accept.RefuseFor, t)
	case c.Decline != nil:
		l.declineFor(o, c.Decline.Offers, c.Decline.RefuseFor, t)
	case c.Revive != nil:
		l.built.alloc.Revive(o.id, c.Revive.Roles...)
	case c.Suppress != nil:
		l.built.alloc.Suppress(o.id, c.Suppress.Roles...)
	case c.Acknowledge != nil:
		o.out.ack(c.Acknowledge.Task, c.Acknowledge.UUID, time.Now())
	case c.Reconcile != nil:
		o.reconcile(l.m.View(), c.Reconcile.Tasks)
	case c.Kill != nil:
		return l.killFor(o, c.Kill)
	case c.Teardown != nil:
		return []request{{cmd: core.RemoveFramework{Framework: o.id, Principal: o.session.principal}}}
	}
	return nil
}

func refusing(ms *cluster.Millis) cluster.Millis {
	if ms == nil {
		return framework.DefaultRefuse
	}
	return *ms
}

// declineFor gives back those of the offers that are still the framework's.
func (l *loop) declineFor(o *outsider, ids []cluster.OfferID, refuse *cluster.Millis, t cluster.Time) {
	for _, id := range ids {
		if offer, ok := l.built.alloc.Offer(id); ok && offer.Framework == o.id {
			l.decline(o.id, id, refusing(refuse), t)
		}
	}
}

// acceptFor takes offers and makes the command that launches tasks out of them.
func (l *loop) acceptFor(o *outsider, c *framework.Accept, t cluster.Time) []request {
	offers, err := l.built.alloc.Take(o.id, c.Offers...)
	if err != nil {
		// Not before this round is applied: an earlier call may launch tasks of the same ids.
		l.later = append(l.later, func() {
			for i := range c.Tasks {
				l.refuseTask(o, c.Tasks[i].ID, cluster.TaskDropped, cluster.ReasonInvalidOffers, err.Error(), t)
			}
			for i := range c.Operations {
				op := &c.Operations[i]
				o.out.operations = append(o.out.operations, framework.OperationStatus{ID: op.ID, Kind: op.Kind, Refused: true, Message: err.Error()})
			}
		})
		return nil
	}
	rest := offers[0]
	pool := poolOf(offers)
	tasks := slices.Clone(c.Tasks) // the caller's own, when it is in this process
	for i := range tasks {
		spec := &tasks[i]
		if spec.Framework == "" {
			spec.Framework = o.id
		}
		if spec.Role == "" {
			spec.Role = rest.Role
		}
	}
	cmd := core.AcceptOffers{Framework: o.id, Role: rest.Role, Agent: rest.Agent.ID, Offered: pool.Open, OfferedReserved: pool.Reserved,
		Operations: c.Operations, Tasks: tasks, AllOrNone: c.AllOrNone, Principal: o.session.principal}
	refuse := refusing(c.RefuseFor)
	return []request{{cmd: cmd, then: func(done outcome) { l.accepted(o, &cmd, rest, refuse, done) }}}
}

// accepted follows an acceptance: what no task took goes back, and what has no
// record of its refusal is told here.
func (l *loop) accepted(o *outsider, cmd *core.AcceptOffers, rest cluster.Offer, refuse cluster.Millis, done outcome) {
	launched, recorded := map[cluster.TaskID]bool{}, map[cluster.TaskID]bool{}
	operations := 0 // their events come in the order of the command
	pool := cluster.Pool{Open: cmd.Offered, Reserved: cmd.OfferedReserved}
	for i := range done.events {
		switch e := &done.events[i]; e.Kind {
		case core.EventTaskLaunched:
			launched[e.Task] = true
		case core.EventTaskRefused:
			recorded[e.Task] = true
		case core.EventOperationDone:
			if after, err := pool.Do(cmd.Operations[operations]); err == nil {
				pool = after
			}
			operations++
		case core.EventOperationRefused:
			operations++
		}
	}
	t := l.m.Now()
	for i := range cmd.Tasks {
		switch id := cmd.Tasks[i].ID; {
		case launched[id]:
			pool = pool.Minus(cmd.Tasks[i].Pool())
		case recorded[id]: // its record is told
		case done.err != nil && done.index == 0:
			l.refuseTask(o, id, cluster.TaskError, cluster.ReasonTaskInvalid, done.err.Error(), t)
		default:
			l.refuseTask(o, id, cluster.TaskError, cluster.ReasonTaskInvalid, refusedWhy(done.events, id), t)
		}
	}
	rest.Resources, rest.Reserved = pool.Open, pool.Reserved
	l.built.alloc.Decline(t, rest, refuse)
}

// refusedWhy is what the state says against a task it keeps no record of.
func refusedWhy(events []core.Event, id cluster.TaskID) string {
	why := "the acceptance was refused"
	for i := range events {
		if e := &events[i]; e.Kind == core.EventRefused && (e.Task == id || e.Task == "") {
			why = e.Message
		}
	}
	return why
}

// refuseTask tells a framework that a task was not launched. Where it has a task
// of that id already, its state stays what it is: only that is told, with why.
func (l *loop) refuseTask(o *outsider, id cluster.TaskID, state cluster.TaskState, why cluster.Reason, message string, t cluster.Time) {
	if own := l.taskOf(o, id); own != nil {
		st := own.Status
		st.Reason, st.Message = why, "not launched a second time: "+message
		o.out.answer(st)
		return
	}
	o.out.add(cluster.TaskStatus{Task: id, State: state, Reason: why, Message: message, At: t}, time.Now())
}

// taskOf is a framework's own task; nil when it has none of that id.
func (l *loop) taskOf(o *outsider, id cluster.TaskID) *cluster.Task {
	if t := l.m.View().Task(id); t != nil && t.Spec.Framework == o.id {
		return t
	}
	return nil
}

// killFor asks for a task to be killed; for one that does not live it answers
// how it stands.
func (l *loop) killFor(o *outsider, c *framework.Kill) []request {
	own := l.taskOf(o, c.Task)
	if own == nil || !own.Active() {
		o.reconcile(l.m.View(), []core.TaskQuestion{{Task: c.Task}})
		return nil
	}
	return []request{{cmd: core.KillTask{Task: c.Task, Grace: c.Grace, Principal: o.session.principal}}}
}

// reconcile answers how tasks stand.
func (o *outsider) reconcile(view *core.View, questions []core.TaskQuestion) {
	for _, st := range view.Reconcile(o.id, questions...) {
		o.out.answer(st)
	}
}
