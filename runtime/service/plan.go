package service

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// plan is one start of a plan: deploy or update, which leads to the present
// spec, or one that was started by hand.
type plan struct {
	name   string
	rec    *core.PlanRecord
	byHand bool
	phases []*phase
	held   *Why // why nothing of it begins now; nil: it goes on
}

// phase is a phase of a plan with its pod.
type phase struct {
	of       *plan
	spec     cluster.Phase
	pod      *pod // nil: it has steps only
	complete bool
	open     bool // all phases before are complete
	steps    []*step
	turn     *instance // whose turn it is, where they follow each other
	gated    *instance // the turn's instance is there, and its gate is not open yet
	atOnce   bool      // what is down is launched at once, only replacements follow each other
	ahead    bool      // an instance is through under the present spec
}

// step is a run of a plan, or the gate after an instance, as it stands.
type step struct {
	key  string
	spec cluster.Step
	done bool
	why  *Why      // why it is not done
	run  *core.Run // the latest one that is known
	of   *instance // for a gate
}

// started is a record where the core has none: that of a state of before plans.
var started = &core.PlanRecord{}

// order makes the phases of the change: those of the plan that leads to the
// present spec, then one for each pod that is in none.
func (m *model) order() {
	name := cluster.PlanDeploy
	if r := m.svc.Plans[cluster.PlanUpdate]; r != nil && r.Generation == m.svc.Generation {
		name = cluster.PlanUpdate
	}
	rec := m.svc.Plans[name]
	if rec == nil {
		rec = started
	}
	m.change = &plan{name: name, rec: rec}
	m.change.phases = m.phasesOf(m.change)
	m.phases = m.change.phases
	m.change.held = m.paused(m.change)
	m.walk(m.change)
}

// phasesOf gives the phases of a plan of the change. Without an update of its
// own a service is updated one instance at a time, or as many at once as leave
// MinReady ready where a pod says how many.
func (m *model) phasesOf(pl *plan) (out []*phase) {
	specs, _ := m.svc.Spec.Phases(pl.name)
	named := map[string]bool{}
	add := func(spec cluster.Phase) {
		if spec.Strategy == "" && spec.Pod != "" {
			spec.Strategy = cluster.Parallel
		}
		ph := &phase{of: pl, spec: spec, pod: m.byName[spec.Pod]}
		if pl.name == cluster.PlanUpdate && len(m.svc.Spec.Update) == 0 && ph.pod != nil {
			ph.atOnce = m.parallelDeploy(spec.Pod)
			ph.spec.Strategy = gentle(ph.pod)
		}
		named[spec.Pod] = true
		out = append(out, ph)
	}
	for _, spec := range specs {
		add(spec)
	}
	for _, p := range m.pods {
		if !named[p.spec.Name] {
			add(cluster.Phase{Name: p.spec.Name, Pod: p.spec.Name})
		}
	}
	return out
}

// parallelDeploy reports whether the instances of a pod are deployed at once.
func (m *model) parallelDeploy(pod string) bool {
	for _, ph := range m.svc.Spec.Deploy {
		if ph.Pod == pod {
			return ph.Strategy == cluster.Parallel || ph.Strategy == ""
		}
	}
	return true
}

// gentle is how the instances of a pod are replaced where nobody says how.
func gentle(p *pod) cluster.Strategy {
	if p.spec.MinReady > 0 {
		return cluster.Parallel
	}
	return cluster.Serial
}

// isSettled says that the present spec was brought up: what is missing now is
// brought back, and no phase, word or gate is in the way.
func (m *model) isSettled() bool { return !m.svc.Changing() }

// paused says why nothing of a plan begins at all.
func (m *model) paused(pl *plan) *Why {
	if m.isSettled() && !pl.byHand {
		return nil
	}
	why := &Why{Reason: WhyPaused, Plan: pl.name, Message: "paused", Command: m.command("resume", pl.name, "", "")}
	switch {
	case pl.rec.Stopped:
		why.Message = "stopped"
	case !pl.rec.Paused:
		return nil
	}
	return why
}

// command is what a person types to have a plan go on.
func (m *model) command(verb, plan, phase, step string) string {
	text := "dcos service plan " + verb + " " + string(m.svc.Spec.ID) + " " + plan
	for _, s := range [...]string{phase, step} {
		if s != "" {
			text += " " + s
		}
	}
	return text
}

// walk sees how far the phases of a plan are.
func (m *model) walk(pl *plan) {
	open := true
	for _, ph := range pl.phases {
		ph.open, ph.complete = open, true
		m.lookAt(ph)
		for _, s := range ph.steps {
			ph.complete = ph.complete && s.done
		}
		if ph.pod != nil {
			for _, in := range ph.pod.instances {
				ph.complete = ph.complete && ph.passed(in)
			}
		}
		open = open && ph.complete
	}
}

// lookAt sees how far the gates and steps of a phase are, and whose turn it is.
func (m *model) lookAt(ph *phase) {
	if ph.of == m.change && m.isSettled() {
		return
	}
	if ph.pod != nil && ph.spec.Gate != "" {
		for _, in := range ph.pod.instances {
			key := cluster.StepKey(ph.spec.Name, core.InstanceKey(in.pod.spec.Name, in.index))
			s := &step{key: key, of: in, spec: cluster.Step{Name: core.InstanceKey(in.pod.spec.Name, in.index), Run: ph.spec.Gate}}
			s.done = ph.of.rec.Complete(key) || !m.touched(in)
			ph.steps = append(ph.steps, s)
		}
	}
	for _, spec := range ph.spec.Steps {
		key := cluster.StepKey(ph.spec.Name, spec.Name)
		ph.steps = append(ph.steps, &step{key: key, spec: spec, done: ph.of.rec.Complete(key)})
	}
}

// touched reports whether an instance is, or was last, launched under the
// present spec: one that the change leaves alone needs no gate.
func (m *model) touched(in *instance) bool {
	return m.launchedNow(in) || len(in.live) == 0 && (m.change.name == cluster.PlanDeploy || in.record().Launches == 0)
}

// forced reports whether a person declared an instance complete.
func (ph *phase) forced(in *instance) bool {
	_, ok := ph.of.rec.Forced[cluster.StepKey(ph.spec.Name, core.InstanceKey(in.pod.spec.Name, in.index))]
	return ok
}

// gate is the gate after an instance; nil: there is none.
func (ph *phase) gate(in *instance) *step {
	if ph.spec.Gate == "" || len(ph.steps) == 0 {
		return nil
	}
	return ph.steps[in.index] // the gates come first
}

// passed reports whether nothing is left to be done for an instance in a phase.
func (ph *phase) passed(in *instance) bool {
	if len(ph.of.rec.Forced) > 0 && ph.forced(in) {
		return true
	}
	if !in.complete() {
		return false
	}
	g := ph.gate(in)
	return g == nil || g.done
}

// oneByOne reports whether the instances of a phase follow each other now.
func (m *model) oneByOne(ph *phase) bool {
	if m.isSettled() {
		return m.settledStrategy(ph.pod) == cluster.Serial
	}
	return ph.spec.Strategy == cluster.Serial || ph.spec.Strategy == cluster.SerialCanary
}

// settledStrategy is how instances are replaced that hold an address which is no
// longer true: as in an update.
func (m *model) settledStrategy(p *pod) cluster.Strategy {
	for _, ph := range m.svc.Spec.Update {
		if ph.Pod != p.spec.Name {
			continue
		}
		if ph.Strategy == cluster.Serial || ph.Strategy == cluster.SerialCanary {
			return cluster.Serial
		}
		return cluster.Parallel
	}
	return gentle(p)
}

// takeTurns finds whose turn it is in a phase: first who was touched by the
// change and is not through, then who is down, and then of those that are
// outdated the first that leads nobody, so that no good instance is ended while
// another is down, and the leader is replaced last.
func (m *model) takeTurns(ph *phase) {
	var down, outdated, leader *instance
	for _, in := range ph.pod.instances {
		switch {
		case ph.passed(in):
			ph.ahead = ph.ahead || m.launchedNow(in) || ph.forced(in)
		case in.outdated && in.leads():
			leader = first(leader, in)
		case in.outdated:
			outdated = first(outdated, in)
		case m.launchedNow(in):
			ph.turn = first(ph.turn, in)
		default:
			down = first(down, in)
		}
	}
	for _, in := range [...]*instance{down, outdated, leader} {
		ph.turn = first(ph.turn, in)
	}
	if ph.turn != nil && ph.turn.complete() {
		ph.gated = ph.turn
	}
}

func first(a, b *instance) *instance {
	if a != nil {
		return a
	}
	return b
}

// leads reports whether a task of an instance leads its peers.
func (in *instance) leads() bool {
	return slices.ContainsFunc(in.live, func(t *cluster.Task) bool { return t.Status.Leader })
}

// blocked says why an instance is neither launched for the first time nor
// replaced now; nil: nothing is in the way.
func (m *model) blocked(in *instance, ph, before *phase) *Why {
	if m.isSettled() {
		if in.outdated && m.oneByOne(ph) && ph.turn != in && ph.turn != nil {
			return m.turnOf(ph)
		}
		if in.outdated && !ph.open {
			return &Why{Reason: WhyPhase, Phase: before.spec.Name}
		}
		return nil
	}
	word := m.wordFor(ph.of, ph)
	_, said := ph.of.rec.Words[ph.spec.Name]
	begun := !in.outdated && m.launchedNow(in)
	switch {
	case ph.of.held != nil && !begun:
		return ph.of.held
	case !ph.open:
		return &Why{Reason: WhyPhase, Phase: before.spec.Name}
	case ph.spec.Confirm && !said && !begun:
		return word
	case ph.forced(in):
		return nil
	case ph.canary() && !said && !begun && ph.ahead:
		return word
	case ph.atOnce && !in.outdated:
		return nil
	case (m.oneByOne(ph) || ph.canary() && !said) && ph.turn != nil && ph.turn != in:
		return m.turnOf(ph)
	}
	return nil
}

// canary reports whether a phase stops after its first instance.
func (ph *phase) canary() bool {
	return ph.spec.Strategy == cluster.SerialCanary || ph.spec.Strategy == cluster.ParallelCanary
}

// launchedNow reports whether an instance was launched last under the present spec.
func (m *model) launchedNow(in *instance) bool {
	if len(in.live) > 0 {
		return in.live[0].Spec.Generation == m.svc.Generation
	}
	rec := in.record()
	for i := range in.pod.spec.Tasks {
		if t := m.view.Task(rec.Tasks[in.pod.spec.Tasks[i].Name]); t != nil && t.Spec.Generation == m.svc.Generation {
			return true
		}
	}
	return false
}

// before is the pod as it was in the spec that was brought up last, for an
// instance that ran under it and is down before its turn in an update has come;
// nil: there is none. A change that waits must cost no instance.
func (m *model) before(in *instance) *pod {
	if m.isSettled() || m.change.name != cluster.PlanUpdate || in.record().Launches == 0 || m.launchedNow(in) {
		return nil
	}
	i := slices.IndexFunc(m.svc.History, func(r core.Revision) bool { return r.Generation == m.svc.Settled })
	if i < 0 {
		return nil
	}
	spec := findPod(m.svc.History[i].Spec.Pods, in.pod.spec.Name)
	if spec == nil || in.index >= spec.Count || !slices.Equal(spec.Volumes, in.pod.spec.Volumes) {
		return nil
	}
	if m.beforeOf == nil {
		m.beforeOf = map[string]*pod{}
	}
	p := m.beforeOf[spec.Name]
	if p == nil {
		p = &pod{spec: spec, of: m.svc.Settled}
		m.beforeOf[spec.Name] = p
	}
	return p
}

// source is what an instance is launched from: the pod as it is wanted, or as it
// was before.
func (in *instance) source() *pod {
	if in.from != nil {
		return in.from
	}
	return in.pod
}

// turnOf says that another instance comes first.
func (m *model) turnOf(ph *phase) *Why {
	w := &Why{Reason: WhyTurn, Instance: core.InstanceKey(ph.turn.pod.spec.Name, ph.turn.index)}
	if ph.gated != nil {
		if g := ph.gate(ph.gated); g != nil && g.why != nil {
			w.Behind = g.why
		}
	}
	return w
}

// runID names the n-th run of a step in a start of a plan. It follows from what
// the core knows, so that the same run is asked for after a restart.
func runID(service cluster.ServiceID, pl *plan, key, name string, n int) cluster.RunID {
	sum := sha256.Sum256([]byte(string(service) + "\x00" + pl.name + "\x00" + key + "\x00" + sched.Suffix(pl.rec.Started) + "\x00" + sched.Suffix(int64(n))))
	const most = 24 // of each part
	return cluster.RunID(string(service[:min(len(service), most)]) + "." + name[:min(len(name), most)] + "." + hex.EncodeToString(sum[:6]))
}
