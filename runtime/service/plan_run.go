package service

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// runPlans sees to the runs of all plans: those of the change, and those of the
// plans that a person started, one plan after the other and not during a change.
func (m *model) runPlans() {
	m.runSteps(m.change)
	var hand []*plan
	for i := range m.svc.Spec.Plans {
		spec := &m.svc.Spec.Plans[i]
		rec := m.svc.Plans[spec.Name]
		if rec == nil {
			continue
		}
		pl := &plan{name: spec.Name, rec: rec, byHand: true}
		for _, ph := range spec.Phases {
			pl.phases = append(pl.phases, &phase{of: pl, spec: ph})
		}
		m.byHand = append(m.byHand, pl)
		if rec.Running() {
			hand = append(hand, pl)
		}
	}
	slices.SortStableFunc(hand, func(a, b *plan) int { return int(a.rec.Started - b.rec.Started) })
	for i, pl := range hand {
		spec := m.svc.Spec.Plans[slices.IndexFunc(m.svc.Spec.Plans, func(p cluster.PlanSpec) bool { return p.Name == pl.name })]
		_, said := pl.rec.Words[""]
		switch {
		case m.svc.Changing():
			pl.held = &Why{Reason: WhyPlan, Plan: m.change.name}
		case i > 0:
			pl.held = &Why{Reason: WhyPlan, Plan: hand[0].name}
		default:
			pl.held = m.paused(pl)
		}
		if pl.held == nil && spec.Confirm && !said {
			pl.held = &Why{Reason: WhyConfirm, Plan: pl.name, Command: m.command("confirm", pl.name, "", "")}
		}
		m.walk(pl)
		m.runSteps(pl)
	}
	for _, pl := range m.byHand {
		if !pl.rec.Running() {
			m.walk(pl)
		}
	}
}

// runSteps sees to the runs of a plan: the gates of instances that are there,
// and the steps of the first phase that is not complete, one after the other.
func (m *model) runSteps(pl *plan) {
	if pl == m.change && m.isSettled() {
		return
	}
	for _, ph := range pl.phases {
		if !ph.open || ph.complete {
			continue
		}
		_, said := pl.rec.Words[ph.spec.Name]
		var before *Why // what the next step waits for
		if (ph.spec.Confirm || ph.canary()) && !said {
			before = m.wordFor(pl, ph)
		}
		if ph.pod != nil {
			for _, in := range ph.pod.instances {
				if !in.complete() && !ph.passed(in) && (before == nil || before.Reason == WhyConfirm) {
					before = &Why{Reason: WhyPod, Instance: core.InstanceKey(in.pod.spec.Name, in.index)}
				}
			}
		}
		for _, s := range ph.steps {
			switch {
			case s.done:
			case s.of != nil && !s.of.complete(): // its gate comes when it is there
			case s.of != nil && ph.spec.Confirm && !said:
				s.why = m.wordFor(pl, ph)
			case s.of != nil:
				m.attempt(pl, ph, s)
				if before == nil {
					before = &Why{Reason: WhyStep, Plan: pl.name, Phase: ph.spec.Name, Step: s.spec.Name, Behind: s.why}
				}
			case before != nil:
				s.why = before
			default:
				m.attempt(pl, ph, s)
				before = &Why{Reason: WhyStep, Plan: pl.name, Phase: ph.spec.Name, Step: s.spec.Name}
			}
		}
	}
}

// running is the run of a step that goes on, of whatever start of its plan; nil:
// none does.
func (m *model) running(pl *plan, key string) *core.Run {
	if m.goingOn == nil {
		m.goingOn = map[string]*core.Run{}
		for r := range m.view.Runs() {
			if ps := r.Spec.Plan; ps != nil && !r.State.Final() {
				m.goingOn[string(r.Spec.Service)+" "+ps.Plan+" "+ps.Key] = r
			}
		}
	}
	return m.goingOn[string(m.svc.Spec.ID)+" "+pl.name+" "+key]
}

// wordFor says that a phase waits for a person's word.
func (m *model) wordFor(pl *plan, ph *phase) *Why {
	return &Why{Reason: WhyConfirm, Plan: pl.name, Phase: ph.spec.Name, Command: m.command("confirm", pl.name, ph.spec.Name, "")}
}

// attempt sees to the run of a step that is due: it goes on, is tried again
// later, waits for a person's word, or is put.
func (m *model) attempt(pl *plan, ph *phase, s *step) {
	n := pl.rec.Runs[s.key]
	if n > 0 {
		s.run = m.view.Run(runID(m.svc.Spec.ID, pl, s.key, s.spec.Name, n-1))
	}
	if before := m.running(pl, s.key); before != nil { // of an earlier start too, which is being canceled
		s.run, m.stuck = before, true // that it is canceled is in no record of the service
		s.why = &Why{Reason: WhyRun, Step: s.spec.Name, Run: s.run.Spec.ID, Tries: pl.rec.Tries[s.key]}
		return
	}
	_, said := pl.rec.Words[s.key]
	switch {
	case pl.held != nil:
		s.why = pl.held
		return
	case s.spec.Confirm && !said:
		s.why = &Why{Reason: WhyConfirm, Plan: pl.name, Phase: ph.spec.Name, Step: s.spec.Name, NoReturn: s.spec.NoReturn,
			Command: m.command("confirm", pl.name, ph.spec.Name, s.spec.Name)}
		return
	}
	if tries := pl.rec.Tries[s.key]; tries > 0 && s.run != nil {
		if until := s.run.Ended.Add(Backoff(tries)); m.now < until {
			m.alarm(until)
			s.why = &Why{Reason: WhyRetry, Step: s.spec.Name, Run: s.run.Spec.ID, Tries: tries, Until: until, Message: s.run.Message}
			return
		}
	}
	i := slices.IndexFunc(m.svc.Spec.Runs, func(r cluster.RunTemplate) bool { return r.Name == s.spec.Run })
	if i < 0 {
		return // Validate refuses such specs
	}
	id := runID(m.svc.Spec.ID, pl, s.key, s.spec.Name, n)
	s.why = &Why{Reason: WhyRun, Step: s.spec.Name, Run: id, Tries: pl.rec.Tries[s.key]}
	m.runs = append(m.runs, sched.Run{Spec: cluster.RunSpec{ID: id, Service: m.svc.Spec.ID, Role: m.role(),
		Name: fmt.Sprintf("plan %s, %s", pl.name, s.key), Task: m.svc.Spec.Runs[i].Task,
		Plan: &cluster.PlanStep{Plan: pl.name, Key: s.key, Started: pl.rec.Started, NoReturn: s.spec.NoReturn}}})
}

// alarm notes when time alone changes something.
func (m *model) alarm(at cluster.Time) {
	if at != 0 && (m.wakeAt == 0 || at < m.wakeAt) {
		m.wakeAt = at
	}
}

// conclude says what follows for the service as a whole: the change is through,
// or its time is over.
func (m *model) conclude() (calls []sched.Call) {
	if m.isSettled() {
		return nil
	}
	through := m.waitsFor() == nil
	for _, ph := range m.phases {
		through = through && ph.complete
	}
	if through {
		return append(calls, sched.Settle{Service: m.svc.Spec.ID, Generation: m.svc.Generation})
	}
	by := m.deadline()
	if by == 0 || m.change.held != nil {
		return nil
	}
	if m.now < by {
		m.alarm(by)
		return nil
	}
	if m.canRollBack() {
		m.goesBack = true
		calls = append(calls, sched.Rollback{Service: m.svc.Spec.ID, Generation: m.svc.Settled, Expect: m.svc.Generation})
	}
	return calls
}

// waitsFor is a task that the spec has no more and that is to end before the
// change is through; nil: there is none. One that nobody can reach ends when its
// agent is back.
func (m *model) waitsFor() *cluster.TaskSpec {
	for _, t := range m.extra {
		if !t.Killing || t.Status.State != cluster.TaskUnreachable {
			return &t.Spec
		}
	}
	return nil
}

// deadline is when the time of the change is over; 0: it has none.
func (m *model) deadline() cluster.Time {
	if m.isSettled() || m.svc.Spec.Deadline == 0 || m.change.rec.Started == 0 {
		return 0
	}
	return m.change.rec.At.Add(m.svc.Spec.Deadline)
}

// canRollBack reports whether the change goes back by itself when its time is
// over. A rollback does not: it would go on for ever.
func (m *model) canRollBack() bool {
	for r := range m.view.Runs() {
		if ps := r.Spec.Plan; ps != nil && ps.NoReturn && r.Spec.Service == m.svc.Spec.ID && !r.State.Final() {
			return false // it closes the way back when it is done: the core refuses until it has ended
		}
	}
	return m.svc.Spec.Rollback && m.change.rec.Back == 0 && m.svc.Settled > 0 && m.svc.Settled >= m.svc.NoReturn &&
		slices.ContainsFunc(m.svc.History, func(r core.Revision) bool { return r.Generation == m.svc.Settled })
}
