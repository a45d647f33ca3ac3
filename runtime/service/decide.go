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
	for _, t := range in.live {
		if t.Killing || t.Status.State == cluster.TaskKilling {
			in.state = StateKilling
			return
		}
	}
	if in.live[0].Status.State == cluster.TaskUnreachable {
		in.state = StateUnreachable // one agent: all of them are
		return
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
	if in.outdated {
		return StateReady // another spec has other tasks: it is replaced in its turn
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
	values, missing := sched.Resolve(in.pod.openRefs(in.index), m.place)
	if len(missing) > 0 {
		return false
	}
	_, now := sched.SplitHash(sched.WithRefs(in.pod.templateHash(), values))
	return refs != now
}

// phase is a step of the deployment with its pod.
type phase struct {
	spec     cluster.Phase
	pod      *pod
	complete bool
	open     bool // all phases before are complete
}

// order makes the phases: those of the spec, then one for each pod that is in none.
func (m *model) order() {
	named := map[string]bool{}
	for _, ph := range m.svc.Spec.Deploy {
		if p := m.byName[ph.Pod]; p != nil {
			if ph.Strategy == "" {
				ph.Strategy = cluster.Parallel
			}
			m.phases = append(m.phases, &phase{spec: ph, pod: p})
			named[ph.Pod] = true
		}
	}
	for _, p := range m.pods {
		if !named[p.spec.Name] {
			m.phases = append(m.phases, &phase{pod: p,
				spec: cluster.Phase{Name: p.spec.Name, Pod: p.spec.Name, Strategy: cluster.Parallel}})
		}
	}
	open := true
	for _, ph := range m.phases {
		ph.open, ph.complete = open, true
		for _, in := range ph.pod.instances {
			ph.complete = ph.complete && in.complete()
		}
		open = open && ph.complete
	}
}

// decide sets the action of every instance.
func (m *model) decide() {
	var before *phase // the first that is not complete
	for _, ph := range m.phases {
		turn := -1
		if ph.spec.Strategy == cluster.Serial {
			turn = serialTurn(ph.pod)
		}
		for _, in := range ph.pod.instances {
			m.decideInstance(in, ph, before, turn)
		}
		if before == nil && !ph.complete {
			before = ph
		}
	}
}

// serialTurn is the index of the one instance of a serial phase that may be
// launched or replaced: the first that is down or not ready, else the first
// that is outdated, so that no good instance is ended while another is down.
func serialTurn(p *pod) int {
	outdated := -1
	for _, in := range p.instances {
		switch {
		case in.complete():
		case !in.outdated:
			return in.index
		case outdated < 0:
			outdated = in.index
		}
	}
	return outdated
}

func (m *model) decideInstance(in *instance, ph, before *phase, turn int) {
	if in.action != actNone || in.why != nil {
		return // a pod in two phases is decided in its first
	}
	switch {
	case in.state == StateKilling:
		in.action = actKill // those of the group that do not know yet
		return
	case in.outdated:
		if ph.open && (turn < 0 || turn == in.index) && in.pod.spares(in) {
			in.end()
		}
		return
	case in.state != StateWaiting && in.state != StateUnreachable:
		return
	}
	switch until := heldUntil(in.record()); {
	case !in.proven && !ph.open:
		in.why = &Why{Reason: WhyPhase, Phase: before.spec.Name}
	case !in.proven && turn >= 0 && turn != in.index:
		in.why = &Why{Reason: WhyTurn, Instance: core.InstanceKey(in.pod.spec.Name, turn)}
	case m.now < until:
		in.until = until
		in.why = &Why{Reason: WhyBackoff, Until: until}
		if in.state == StateWaiting {
			in.state = StateBackoff
		}
	default:
		if _, missing := sched.Resolve(in.pod.openRefs(in.index), m.place); len(missing) > 0 {
			in.why = &Why{Reason: WhyReference, References: texts(missing)}
			return
		}
		in.action = actLaunch
	}
}

func texts(refs []cluster.Ref) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = r.String()
	}
	return out
}
