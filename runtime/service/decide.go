package service

import (
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// State is where an instance stands.
type State string

// The states of an instance.
const (
	StateWaiting     State = "waiting"     // for its phase, an address or an offer; Why says which
	StateBackoff     State = "backoff"     // it failed and is held back until BackoffUntil
	StateStaging     State = "staging"     // launched; the agent prepares it
	StateRunning     State = "running"     // runs, not ready
	StateReady       State = "ready"       // runs and is ready
	StateFinished    State = "finished"    // has only tasks that are to end, and they did
	StateKilling     State = "killing"     // asked to end
	StateUnreachable State = "unreachable" // its agent is silent; it may still run
)

// complete reports whether nothing is left to do for an instance.
func (in *instance) complete() bool {
	return !in.outdated && (in.state == StateReady || in.state == StateFinished)
}

// observe sets the state of an instance from its tasks.
func (m *model) observe(in *instance) {
	in.proven = in.ready != 0
	if in.replace {
		m.leave(in)
		return
	}
	for i := range in.pod.spec.Tasks {
		if in.pod.spec.Tasks[i].Goal == cluster.GoalRunning && in.ready&(1<<i) == 0 {
			in.proven = false
		}
	}
	if m.giveUpLaunch(in) {
		return
	}
	if len(in.live) == 0 {
		in.state = StateWaiting
		if m.finished(in) {
			in.state = StateFinished
		}
		return
	}
	if in.live[0].Status.State == cluster.TaskUnreachable {
		in.state = StateUnreachable // one agent: all of them are, also when they are to end
		return
	}
	for _, t := range in.live {
		if t.Killing || t.Status.State == cluster.TaskKilling {
			in.state = StateKilling
			return
		}
	}
	in.outdated = m.isOutdated(in)
	in.state = StateReady
	for i := range in.pod.spec.Tasks {
		in.state = slower(in.state, m.taskState(in, &in.pod.spec.Tasks[i]))
	}
}

// giveUpLaunch sees to launches that no agent confirms. One that is over its time
// is told to end; when it is still not confirmed after that, it counts as one
// of before, and the instance is launched anew, best on another agent. It reports
// whether the state is settled by that.
func (m *model) giveUpLaunch(in *instance) bool {
	staging, killing := 0, 0
	for _, t := range in.live {
		if t.Status.State == cluster.TaskStaging {
			staging++
			if by := t.Launched.Add(LaunchTimeout); in.launchBy == 0 || by < in.launchBy {
				in.launchBy = by
			}
		}
		if t.Killing {
			killing++
		}
	}
	if staging == 0 || m.now < in.launchBy {
		return false
	}
	in.launchBy = 0
	if killing < len(in.live) {
		in.state = StateKilling
		return true
	}
	if staging == len(in.live) { // what was never confirmed never ran
		in.old, in.live = append(in.old, in.live...), nil
	}
	return false
}

// rank orders the states of the tasks of a pod: the pod is as far as the last.
func rank(s State) int {
	switch s {
	case StateStaging:
		return 1
	case StateRunning:
		return 2
	case StateReady:
		return 3
	}
	return 0
}

func slower(a, b State) State {
	if rank(b) < rank(a) {
		return b
	}
	return a
}

// taskState is how far one task of a live instance is. StateKilling says that it
// is missing: the instance has to end.
func (m *model) taskState(in *instance, tmpl *cluster.TaskTemplate) State {
	for _, t := range in.live {
		if t.Spec.Task != tmpl.Name {
			continue
		}
		switch {
		case t.Status.State != cluster.TaskRunning:
			return StateStaging
		case t.Status.Ready && tmpl.Goal == cluster.GoalRunning:
			return StateReady
		}
		return StateRunning
	}
	switch {
	case in.outdated:
		return StateReady // another spec has other tasks: it is replaced in its turn
	case in.pod.stage(tmpl.Name) > in.pod.stage(in.live[0].Spec.Task):
		return StateRunning // it comes when those before it have ended
	}
	if tmpl.Goal == cluster.GoalRunning {
		return StateKilling
	}
	done, ok := in.record().Done[tmpl.Name]
	switch {
	case ok && tmpl.Goal == cluster.GoalOnce,
		ok && tmpl.Goal == cluster.GoalFinish && sched.LaunchOf(done.Task) == sched.LaunchOf(in.live[0].Spec.ID):
		return StateReady
	}
	return StateKilling
}

// finished reports whether an instance without tasks has nothing left to run.
func (m *model) finished(in *instance) bool {
	for i := range in.pod.spec.Tasks {
		t := &in.pod.spec.Tasks[i]
		if t.Goal == cluster.GoalRunning {
			return false
		}
		done, ok := in.record().Done[t.Name]
		template, _ := sched.SplitHash(done.Hash)
		if !ok || t.Goal == cluster.GoalFinish && template != in.pod.templateHash() {
			return false
		}
	}
	return true
}

// isOutdated reports whether a live instance is of another template, or was
// given addresses that are no longer those of their pods. An address that is
// unknown at present proves nothing.
func (m *model) isOutdated(in *instance) bool {
	t := in.live[0]
	if !m.sameTemplate(in.pod, t) {
		return true
	}
	_, refs := sched.SplitHash(t.Spec.Hash)
	if refs == "" {
		return false
	}
	values, missing := sched.Resolve(in.pod.openRefs(in.index), m.lookup())
	if len(missing) > 0 {
		return false
	}
	_, now := sched.SplitHash(sched.WithRefs(in.pod.templateHash(), values))
	return refs != now
}

// decide sets the action of every instance.
func (m *model) decide() {
	var before *phase // the first that is not complete
	for _, ph := range m.phases {
		if ph.pod != nil {
			if m.oneByOne(ph) || ph.canary() {
				m.takeTurns(ph)
			}
			for _, in := range ph.pod.instances {
				m.decideInstance(in, ph, before)
			}
		}
		if before == nil && !ph.complete {
			before = ph
		}
	}
}

func (m *model) decideInstance(in *instance, ph, before *phase) {
	if in.action != actNone || in.why != nil {
		return // a pod in two phases is decided in its first
	}
	placed := len(in.pod.spec.Volumes) > 0
	switch {
	case in.state == StateKilling:
		in.action = actKill // those of the group that do not know yet
		return
	case in.outdated:
		switch why := m.stays(in, ph, before); {
		case why == nil:
			in.end()
		case why.Reason == WhyHome || why.Reason == WhyLost:
			in.why = why
		}
		return
	case in.state != StateWaiting && in.state != StateUnreachable:
		return
	}
	if placed && m.decidePlaced(in) {
		return
	}
	if !in.proven && !m.isSettled() {
		if in.why = m.blocked(in, ph, before); in.why != nil {
			if in.from = m.before(in); in.from == nil {
				return
			}
			in.why = nil // it runs on as it was until its turn comes
		}
	}
	switch until := heldUntil(in.record()); {
	case m.now < until:
		in.until = until
		in.why = &Why{Reason: WhyBackoff, Until: until, Failures: in.record().Failures, Message: in.lastWords()}
		if in.state == StateWaiting {
			in.state = StateBackoff
		}
	default:
		if !in.proven && in.from == nil && (m.unresolved(in) != nil || m.outgrown(in) != nil) {
			in.from = m.before(in) // as it is wanted it could not start
		}
		if in.why = m.unresolved(in); in.why != nil {
			return
		}
		in.action = actLaunch
	}
}

// unresolved says which references of an instance have no value yet.
func (m *model) unresolved(in *instance) *Why {
	_, missing := sched.Resolve(in.source().openRefs(in.index), m.lookup())
	if len(missing) == 0 {
		return nil
	}
	return &Why{Reason: WhyReference, References: m.texts(missing)}
}

// stays says why an instance that is outdated is not ended now.
func (m *model) stays(in *instance, ph, before *phase) *Why {
	if why := m.blocked(in, ph, before); why != nil {
		return why
	}
	if i, surplus := m.over[in.pod]; surplus {
		return &Why{Reason: WhySurplus, Instance: core.InstanceKey(in.pod.spec.Name, i)}
	}
	if why := m.unresolved(in); why != nil {
		return why
	}
	if !in.pod.spares(in) {
		return &Why{Reason: WhyMinReady, Gang: &WhyFit{Fit: in.pod.ready, Wanted: in.pod.spec.MinReady}}
	}
	return m.outgrown(in)
}
