package service

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// PlanWord is where a plan, a phase or a step stands, in the words of the DC/OS SDK.
type PlanWord string

// The words.
const (
	PlanPending    PlanWord = "PENDING"     // nothing of it has begun: something comes first
	PlanWaiting    PlanWord = "WAITING"     // for a person's word
	PlanInProgress PlanWord = "IN_PROGRESS" // something of it goes on
	PlanComplete   PlanWord = "COMPLETE"
	PlanError      PlanWord = "ERROR"   // something of it failed, and is tried again
	PlanPaused     PlanWord = "PAUSED"  // a person paused it
	PlanStopped    PlanWord = "STOPPED" // a person stopped it, or another change took its place
)

// PlanRecovery is the plan of a service that was brought up: what is down of it
// is brought back. It has no record and takes no calls.
const PlanRecovery = "recovery"

// PlanStatus is a plan as people and programs look at it.
type PlanStatus struct {
	Name       string            `json:"name"`
	Status     PlanWord          `json:"status"`
	ByHand     bool              `json:"by_hand,omitempty"`    // it is started by a person
	Generation int64             `json:"generation,omitempty"` // that it leads to, or was started at
	Back       int64             `json:"back,omitempty"`       // the generation that it brings back: a rollback
	Started    cluster.Time      `json:"started,omitempty"`
	Ended      cluster.Time      `json:"ended,omitempty"`
	Deadline   cluster.Time      `json:"deadline,omitempty"` // when its time is over
	Rollback   bool              `json:"rollback,omitempty"` // it goes back by itself then
	Phases     []PlanPhaseStatus `json:"phases,omitempty"`   // of plans of the present spec
	Why        *Why              `json:"why,omitempty"`      // what it waits for first
	WhyText    string            `json:"why_text,omitempty"`
}

// PlanPhaseStatus is a phase of a plan.
type PlanPhaseStatus struct {
	Name     string           `json:"name"`
	Pod      string           `json:"pod,omitempty"`
	Strategy cluster.Strategy `json:"strategy,omitempty"`
	Status   PlanWord         `json:"status"`
	Steps    []StepStatus     `json:"steps"`
}

// StepKind is what a step of a plan is.
type StepKind string

// The kinds of steps.
const (
	StepInstance StepKind = "instance" // an instance is brought up
	StepGate     StepKind = "gate"     // the run after it
	StepRun      StepKind = "run"      // a run
)

// StepStatus is a step of a phase.
type StepStatus struct {
	Name     string        `json:"name"` // "broker-0", or as the step is named
	Kind     StepKind      `json:"kind"`
	Status   PlanWord      `json:"status"`
	Run      cluster.RunID `json:"run,omitempty"`       // the latest that is known
	Tries    int           `json:"tries,omitempty"`     // its runs that failed
	Forced   bool          `json:"forced,omitempty"`    // a person declared it complete
	Confirm  bool          `json:"confirm,omitempty"`   // it needs a person's word
	NoReturn bool          `json:"no_return,omitempty"` // it closes the way back to specs of before
	Why      *Why          `json:"why,omitempty"`
	WhyText  string        `json:"why_text,omitempty"`
}

// PlaceStatus is where an instance with volumes lives.
type PlaceStatus struct {
	Instance string `json:"instance"`
	cluster.Place
	// Spare says that the spec has no such instance (any more). Its place and data
	// stay until they are released, or it is scaled up again.
	Spare bool `json:"spare,omitempty"`
}

// RevisionStatus is a spec of before.
type RevisionStatus struct {
	Generation int64        `json:"generation"`
	Package    string       `json:"package,omitempty"`
	Version    string       `json:"version,omitempty"`
	At         cluster.Time `json:"at"`
	Principal  string       `json:"principal,omitempty"`
	Settled    bool         `json:"settled"`             // it was brought up completely
	NoReturn   string       `json:"no_return,omitempty"` // the step that closed the way back to it; empty: it can come back
	Present    bool         `json:"present,omitempty"`   // it is the present one
}

// planStatuses gives all plans: that of the change, the one before, and those
// that are started by hand.
func (m *model) planStatuses() []PlanStatus {
	var out []PlanStatus
	for _, name := range [...]string{cluster.PlanDeploy, cluster.PlanUpdate} {
		rec := m.svc.Plans[name]
		switch {
		case name == m.change.name:
			out = append(out, m.planStatus(m.change))
		case rec != nil:
			s := head(&plan{name: name, rec: rec})
			s.Status = PlanStopped
			if m.wasSettled(rec.Generation) {
				s.Status = PlanComplete
			}
			out = append(out, s)
		}
	}
	if m.isSettled() {
		out = append(out, m.recovery())
	}
	for i := range m.svc.Spec.Plans {
		name := m.svc.Spec.Plans[i].Name
		j := slices.IndexFunc(m.byHand, func(p *plan) bool { return p.name == name })
		if j < 0 {
			out = append(out, PlanStatus{Name: name, Status: PlanPending, ByHand: true})
			continue
		}
		out = append(out, m.planStatus(m.byHand[j]))
	}
	return out
}

// past makes a phase of a change that is through what it was then: what is down
// now is the recovery's.
func (p *PlanPhaseStatus) past() {
	p.Status = PlanComplete
	for i := range p.Steps {
		s := &p.Steps[i]
		s.Status, s.Why, s.WhyText = PlanComplete, nil, ""
	}
}

// recovery is what is being brought back of a service that was up.
func (m *model) recovery() PlanStatus {
	s := PlanStatus{Name: PlanRecovery, Status: PlanComplete}
	var words []PlanWord
	for _, ph := range m.phases {
		if ph.pod == nil {
			continue
		}
		p := m.planPhase(ph)
		p.Steps = slices.DeleteFunc(p.Steps, func(s StepStatus) bool { return s.Kind != StepInstance || s.Status == PlanComplete })
		if len(p.Steps) == 0 {
			continue
		}
		for _, st := range p.Steps {
			words = append(words, st.Status)
			if s.Why == nil && st.Why != nil && !st.Why.follows() {
				s.Why = st.Why
			}
		}
		p.Status = together(words)
		s.Phases = append(s.Phases, p)
	}
	if len(words) > 0 {
		s.Status = together(words)
	}
	s.WhyText = textOf(s.Why)
	return s
}

// wasSettled reports whether a generation was brought up completely.
func (m *model) wasSettled(gen int64) bool {
	return gen == m.svc.Settled || slices.ContainsFunc(m.svc.History, func(r core.Revision) bool { return r.Generation == gen && r.Settled })
}

func head(pl *plan) PlanStatus {
	return PlanStatus{Name: pl.name, ByHand: pl.byHand, Generation: pl.rec.Generation, Back: pl.rec.Back, Started: pl.rec.At, Ended: pl.rec.Ended}
}

func (m *model) planStatus(pl *plan) PlanStatus {
	s := head(pl)
	if pl == m.change && m.svc.Changing() {
		s.Deadline, s.Rollback = m.deadline(), m.canRollBack()
	}
	words := make([]PlanWord, len(pl.phases))
	for i, ph := range pl.phases {
		p := m.planPhase(ph)
		if pl == m.change && m.isSettled() {
			p.past()
		}
		words[i] = p.Status
		s.Phases = append(s.Phases, p)
		for j := range p.Steps {
			if w := p.Steps[j].Why; s.Why == nil && w != nil && !w.follows() {
				s.Why = w
			}
		}
	}
	s.Status = together(words)
	switch {
	case pl == m.change && m.isSettled():
		s.Status = PlanComplete
	case pl == m.change && m.waitsFor() != nil && s.Status == PlanComplete:
		t := m.waitsFor()
		s.Status, s.Why = PlanInProgress, &Why{Reason: WhySurplus, Instance: core.InstanceKey(t.Pod, t.Index)}
	case pl.byHand && pl.rec.Stopped, !pl.rec.Running() && s.Status != PlanComplete:
		s.Status, s.Why = PlanStopped, nil
	case !pl.rec.Running():
	case pl.rec.Stopped:
		s.Status = PlanStopped
	case pl.rec.Paused:
		s.Status = PlanPaused
	case pl.held != nil && pl.held.Reason == WhyConfirm:
		s.Status = PlanWaiting
	}
	if pl.held != nil {
		s.Why = pl.held
	}
	if s.Status == PlanComplete {
		s.Why = nil
	}
	s.WhyText = textOf(s.Why)
	return s
}

func textOf(w *Why) string {
	if w == nil {
		return ""
	}
	return w.String()
}

// together is the word for a whole of what its parts are.
func together(parts []PlanWord) PlanWord {
	n := map[PlanWord]int{}
	for _, p := range parts {
		n[p]++
	}
	switch {
	case n[PlanComplete] == len(parts):
		return PlanComplete
	case n[PlanError] > 0:
		return PlanError
	case n[PlanInProgress] > 0:
		return PlanInProgress
	case n[PlanWaiting] > 0:
		return PlanWaiting
	case n[PlanComplete] > 0:
		return PlanInProgress
	}
	return PlanPending
}

func (m *model) planPhase(ph *phase) PlanPhaseStatus {
	out := PlanPhaseStatus{Name: ph.spec.Name, Pod: ph.spec.Pod, Strategy: ph.spec.Strategy, Steps: []StepStatus{}}
	var words []PlanWord
	add := func(s StepStatus) {
		s.WhyText = textOf(s.Why)
		out.Steps, words = append(out.Steps, s), append(words, s.Status)
	}
	if ph.pod != nil {
		for _, in := range ph.pod.instances {
			add(m.instanceStep(ph, in))
			if g := ph.gate(in); g != nil {
				add(m.runStep(ph, g, StepGate))
			}
		}
	}
	for _, s := range ph.steps {
		if s.of == nil {
			add(m.runStep(ph, s, StepRun))
		}
	}
	if len(ph.steps) == 0 { // of a change that is through
		for _, spec := range ph.spec.Steps {
			add(m.runStep(ph, &step{key: cluster.StepKey(ph.spec.Name, spec.Name), spec: spec, done: true}, StepRun))
		}
	}
	if out.Status = together(words); ph.complete {
		out.Status = PlanComplete
	}
	return out
}

// instanceStep says how far an instance is in a phase.
func (m *model) instanceStep(ph *phase, in *instance) StepStatus {
	s := StepStatus{Name: core.InstanceKey(in.pod.spec.Name, in.index), Kind: StepInstance, Status: PlanPending, Forced: ph.forced(in), Why: in.why}
	switch {
	case in.complete() || s.Forced:
		s.Status, s.Why = PlanComplete, nil
		return s
	case in.outdated && s.Why == nil:
		s.Why = m.stays(in, ph, m.firstOpen())
	}
	switch {
	case s.Why != nil && (s.Why.Reason == WhyConfirm || s.Why.Reason == WhyLost):
		s.Status = PlanWaiting
	case in.state == StateBackoff:
		s.Status = PlanError
	case in.outdated, in.why != nil && len(in.live) == 0:
	case in.action == actLaunch || in.action == actPlace:
		s.Status, s.Why = PlanInProgress, m.whyNot(in)
	default:
		s.Status, s.Why = PlanInProgress, &Why{Reason: WhyPod, Instance: s.Name}
	}
	return s
}

// follows reports whether a wait is only for what comes before in the same plan.
func (w *Why) follows() bool {
	return w.Reason == WhyPhase || w.Reason == WhyTurn || w.Reason == WhyStep
}

// firstOpen is the first phase of the change that is not complete.
func (m *model) firstOpen() *phase {
	i := slices.IndexFunc(m.phases, func(ph *phase) bool { return !ph.complete })
	return m.phases[max(i, 0)]
}

// runStep says how far a run of a phase is.
func (m *model) runStep(ph *phase, st *step, kind StepKind) StepStatus {
	rec := ph.of.rec
	_, forced := rec.Forced[st.key]
	s := StepStatus{Name: st.spec.Name, Kind: kind, Status: PlanPending, Tries: rec.Tries[st.key], Forced: forced,
		Confirm: st.spec.Confirm, NoReturn: st.spec.NoReturn, Why: st.why}
	if st.run != nil {
		s.Run = st.run.Spec.ID
	}
	switch {
	case st.done && st.of != nil && !st.of.complete() && !rec.Complete(st.key): // its turn has not come
	case st.done:
		s.Status, s.Why = PlanComplete, nil
	case st.why == nil:
	case st.why.Reason == WhyConfirm:
		s.Status = PlanWaiting
	case st.why.Reason == WhyRetry:
		s.Status = PlanError
	case st.why.Reason == WhyRun:
		s.Status, s.Run = PlanInProgress, st.why.Run
	}
	return s
}

// placeStatuses gives the places of a service, in order.
func (m *model) placeStatuses() (out []PlaceStatus) {
	for _, k := range slices.Sorted(maps.Keys(m.svc.Places)) {
		out = append(out, PlaceStatus{Instance: k, Place: *m.svc.Places[k], Spare: true})
	}
	for _, p := range m.pods {
		for _, in := range p.instances {
			i, found := slices.BinarySearchFunc(out, core.InstanceKey(p.spec.Name, in.index), func(s PlaceStatus, k string) int { return cmp.Compare(s.Instance, k) })
			if found {
				out[i].Spare = false
			}
		}
	}
	return out
}

// history gives the specs of before and the present one, the latest last.
func (m *model) history() []RevisionStatus {
	out := make([]RevisionStatus, 0, len(m.svc.History)+1)
	for i := range m.svc.History {
		r := &m.svc.History[i]
		s := RevisionStatus{Generation: r.Generation, Package: r.Spec.Package, Version: r.Spec.Version, At: r.At, Principal: r.Principal, Settled: r.Settled}
		if r.Generation < m.svc.NoReturn {
			s.NoReturn = m.svc.NoReturnBy
		}
		out = append(out, s)
	}
	return append(out, RevisionStatus{Generation: m.svc.Generation, Package: m.svc.Spec.Package, Version: m.svc.Spec.Version,
		At: m.svc.Updated, Principal: m.svc.Principal, Settled: !m.svc.Changing(), Present: true})
}

// notices are what a person should know or do, as sentences.
func (m *model) notices() (out []string) {
	id := m.svc.Spec.ID
	if m.svc.Removing {
		for _, a := range m.silent() {
			out = append(out, fmt.Sprintf("its removal waits for the end of tasks on agent %s, which is unreachable: if it never comes back, dcos node remove %s", a, a))
		}
		return out
	}
	for _, p := range m.pods {
		for _, in := range p.instances {
			switch {
			case in.why != nil && in.why.Reason == WhyLost:
				out = append(out, fmt.Sprintf("%s: %s", core.InstanceKey(p.spec.Name, in.index), in.why))
			case in.crashes():
				out = append(out, fmt.Sprintf("%s fails again and again: %d times in a row, at last with %s: dcos service why %s", core.InstanceKey(p.spec.Name, in.index), in.record().Failures, in.lastWords(), id))
			}
		}
	}
	if by := m.deadline(); by != 0 && m.now >= by {
		switch {
		case m.canRollBack():
		case m.change.rec.Back != 0:
			out = append(out, "the time of its rollback is over")
		case m.svc.NoReturn > m.svc.Settled && m.svc.Spec.Rollback:
			out = append(out, fmt.Sprintf("the time of its change is over, and it cannot go back: %s closed the way", m.svc.NoReturnBy))
		default:
			out = append(out, fmt.Sprintf("the time of its change is over: dcos service rollback %s, or wait", id))
		}
	}
	if n := m.spares(); n > 0 {
		out = append(out, fmt.Sprintf("the data of instances that it has no more is kept, %d in all; to give it up: dcos service release %s INSTANCE", n, id))
	}
	return out
}

// silent are the unreachable agents with active tasks of the service.
func (m *model) silent() (out []cluster.AgentID) {
	for t := range m.view.ServiceTasks(m.svc.Spec.ID) {
		if t.Active() && t.Status.State == cluster.TaskUnreachable && !slices.Contains(out, t.Agent) {
			out = append(out, t.Agent)
		}
	}
	slices.Sort(out)
	return out
}

func (m *model) spares() (n int) {
	for _, p := range m.placeStatuses() {
		if p.Spare {
			n++
		}
	}
	return n
}

// CrashLoop is how many failures in a row make an instance one that fails again
// and again.
const CrashLoop = 3

func (in *instance) crashes() bool { return !in.complete() && in.record().Failures >= CrashLoop }

// lastWords says how an instance ended last.
func (in *instance) lastWords() string {
	rec := in.record()
	text := string(rec.LastState)
	if rec.LastReason != "" {
		text += " " + string(rec.LastReason)
	}
	if rec.LastMessage != "" {
		text += " (" + rec.LastMessage + ")"
	}
	return text
}
