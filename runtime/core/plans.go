package core

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// ofChange reports whether a plan follows a new spec; others are started by hand.
func ofChange(plan string) bool { return plan == cluster.PlanDeploy || plan == cluster.PlanUpdate }

// Running reports whether a plan goes on, paused or not.
func (p *PlanRecord) Running() bool { return p != nil && p.Ended == 0 }

// startPlan puts a new record of a plan into a copy of a service's record.
func (s *State) startPlan(svc *Service, plan string, back int64) {
	p := &PlanRecord{Started: s.v.index, At: s.v.at, Generation: svc.Generation, Back: back}
	svc.Plans = with(svc.Plans, plan, p)
}

// endPlan ends a plan in a copy of a service's record.
func (s *State) endPlan(svc *Service, plan, how string) {
	p := *svc.Plans[plan]
	p.Ended = max(s.v.at, 1)
	svc.Plans = with(svc.Plans, plan, &p)
	s.emit(Event{Kind: EventPlanEnded, Service: svc.Spec.ID, Plan: plan, State: how})
}

// cancelSteps cancels the runs of a plan, or of one step of it.
func (s *State) cancelSteps(service cluster.ServiceID, plan, step string) {
	for _, r := range s.stepRuns(service) {
		if ps := r.Spec.Plan; ps.Plan == plan && (step == "" || ps.Key == step) {
			s.endRunEarly(r)
		}
	}
}

// stepRuns gives the runs of a service's plans that have not ended.
func (s *State) stepRuns(service cluster.ServiceID) []*Run {
	var out []*Run
	for r := range s.v.Runs() {
		if r.Spec.Service == service && r.Spec.Plan != nil && !r.State.Final() {
			out = append(out, r)
		}
	}
	return out
}

// finish ends a plan that was started by hand when nothing of it is left to do.
func (s *State) finish(svc *Service, plan string) {
	p := svc.Plans[plan]
	if ofChange(plan) || !p.Running() {
		return
	}
	phases, _ := svc.Spec.Phases(plan)
	for _, ph := range phases {
		for _, st := range ph.Steps {
			if !p.Complete(cluster.StepKey(ph.Name, st.Name)) {
				return
			}
		}
	}
	s.endPlan(svc, plan, "complete")
}

// target is a part of a plan.
type target struct {
	phase *cluster.Phase // nil: the whole plan
	step  *cluster.Step  // nil: the whole phase, or an instance of its pod
	key   string         // as in PlanRecord.Words: "", the phase or the StepKey
}

// find looks a part of a plan up; step can be an instance of the phase's pod.
func find(spec *cluster.ServiceSpec, plan, phase, step string) (target, error) {
	phases, ok := spec.Phases(plan)
	switch {
	case !ok:
		return target{}, fmt.Errorf("there is no plan %q", bounded(plan, maxName))
	case phase == "" && step == "":
		return target{}, nil
	}
	for i := range phases {
		ph := &phases[i]
		if ph.Name != phase {
			continue
		}
		if step == "" {
			return target{phase: ph, key: phase}, nil
		}
		t := target{phase: ph, key: cluster.StepKey(phase, step)}
		for j := range ph.Steps {
			if ph.Steps[j].Name == step {
				t.step = &ph.Steps[j]
				return t, nil
			}
		}
		if pod, index, ok := splitInstance(step); ok && pod == ph.Pod && hasInstance(*spec, pod, index) {
			return t, nil
		}
		return target{}, fmt.Errorf("phase %q of plan %q has no step or instance %q", phase, plan, bounded(step, maxTaskID))
	}
	return target{}, fmt.Errorf("plan %q has no phase %q", plan, bounded(phase, maxName))
}

// asks reports whether a part of a plan waits for a person's word.
func (t target) asks(spec *cluster.ServiceSpec, plan string) bool {
	switch {
	case t.step != nil:
		return t.step.Confirm
	case t.phase != nil:
		return t.key == t.phase.Name && (t.phase.Confirm || canary(t.phase))
	}
	for i := range spec.Plans {
		if spec.Plans[i].Name == plan {
			return spec.Plans[i].Confirm
		}
	}
	return false
}

// waitsForNone says that a part of a plan needs no word, and which parts do.
func waitsForNone(svc *Service, plan string, t target) string {
	what, others := "the plan as a whole", ""
	if t.key != "" {
		what = fmt.Sprintf("%q", t.key)
	}
	phases, _ := svc.Spec.Phases(plan)
	for i := range phases {
		ph := &phases[i]
		parts := []target{{phase: ph, key: ph.Name}}
		for j := range ph.Steps {
			parts = append(parts, target{phase: ph, step: &ph.Steps[j], key: cluster.StepKey(ph.Name, ph.Steps[j].Name)})
		}
		for _, p := range parts {
			if _, said := svc.Plans[plan].Words[p.key]; !said && p.asks(&svc.Spec, plan) {
				others += fmt.Sprintf(", %q", p.key)
			}
		}
	}
	if others == "" {
		return what + " waits for no word"
	}
	return what + " waits for no word; what does: " + bounded(others[2:], MaxMessage/2)
}

func canary(ph *cluster.Phase) bool {
	return ph.Strategy == cluster.SerialCanary || ph.Strategy == cluster.ParallelCanary
}

// refusedStep says why a step or gate cannot be run now. What must not run twice
// is kept from it here: it is done, or a run of it goes on.
func (s *State) refusedStep(svc *Service, ps *cluster.PlanStep) (Code, string) {
	p := svc.Plans[ps.Plan]
	switch {
	case !p.Running() || p.Started != ps.Started:
		return CodeConflict, fmt.Sprintf("plan %q is not under way as it was started at %d", bounded(ps.Plan, maxName), ps.Started)
	case p.Paused || p.Stopped:
		return CodeConflict, fmt.Sprintf("plan %q is paused or stopped", ps.Plan)
	}
	phase, step, _ := strings.Cut(ps.Key, "/")
	t, err := find(&svc.Spec, ps.Plan, phase, step)
	switch {
	case err != nil:
		return CodeInvalid, err.Error()
	case step == "":
		return CodeInvalid, fmt.Sprintf("%q names no step of a phase", bounded(ps.Key, maxTaskID))
	case t.step == nil && t.phase.Gate == "":
		return CodeInvalid, fmt.Sprintf("phase %q has no gate", phase)
	case ps.NoReturn != (t.step != nil && t.step.NoReturn):
		return CodeInvalid, fmt.Sprintf("step %q closes the way back: %t, the run says %t", t.key, !ps.NoReturn, ps.NoReturn)
	case p.Complete(t.key):
		return CodeConflict, fmt.Sprintf("step %q of plan %q is complete", t.key, ps.Plan)
	}
	for _, w := range []target{{}, {phase: t.phase, key: phase}, t} {
		if w.phase != nil && w.key == phase && t.step == nil && !w.phase.Confirm {
			continue // the gate of a canary comes before the word
		}
		if _, said := p.Words[w.key]; !said && w.asks(&svc.Spec, ps.Plan) {
			return CodeConflict, fmt.Sprintf("step %q of plan %q waits for a person's word on %q", t.key, ps.Plan, w.key)
		}
	}
	for _, r := range s.stepRuns(svc.Spec.ID) {
		if r.Spec.Plan.Plan == ps.Plan && r.Spec.Plan.Key == ps.Key {
			return CodeConflict, fmt.Sprintf("run %q of step %q goes on", r.Spec.ID, t.key)
		}
	}
	return "", ""
}

// stepPut counts a run of a step.
func (s *State) stepPut(r *Run) {
	ps := r.Spec.Plan
	svc := *s.v.Service(r.Spec.Service)
	p := *svc.Plans[ps.Plan]
	p.Runs = with(p.Runs, ps.Key, p.Runs[ps.Key]+1)
	svc.Plans = with(svc.Plans, ps.Plan, &p)
	s.v.services.put(string(svc.Spec.ID), &svc)
}

// stepEnded draws the consequences of the end of a run for its plan.
func (s *State) stepEnded(r *Run) {
	ps := r.Spec.Plan
	old := s.v.Service(r.Spec.Service)
	if ps == nil || old == nil {
		return
	}
	svc := *old
	good := r.State == RunFinished
	if good && ps.NoReturn { // it happened, whatever became of its plan
		s.closeReturn(&svc, ps.Plan, ps.Key, ps.Started)
	}
	if was := svc.Plans[ps.Plan]; was != nil && was.Started == ps.Started {
		p := *was
		if good {
			p.Done = with(p.Done, ps.Key, s.completion(r))
			s.emit(Event{Kind: EventPlanStep, Service: svc.Spec.ID, Plan: ps.Plan, Step: ps.Key, Run: r.Spec.ID})
		} else {
			p.Tries = with(p.Tries, ps.Key, p.Tries[ps.Key]+1)
		}
		svc.Plans = with(svc.Plans, ps.Plan, &p)
		s.finish(&svc, ps.Plan)
	}
	s.v.services.put(string(svc.Spec.ID), &svc)
}

func (s *State) completion(r *Run) Completion {
	c := Completion{Task: r.Task, At: s.v.at}
	if t := s.v.Task(r.Task); t != nil {
		c.Hash = t.Spec.Hash
	}
	return c
}

// closeReturn notes that specs from before the one at a log index cannot come back.
func (s *State) closeReturn(svc *Service, plan, step string, index int64) {
	gen := svc.Generation
	for i := len(svc.History) - 1; i >= 0 && gen > index; i-- {
		gen = svc.History[i].Generation
	}
	if gen <= svc.NoReturn {
		return
	}
	svc.NoReturn, svc.NoReturnBy = gen, plan+" "+step
	s.emit(Event{Kind: EventNoReturn, Service: svc.Spec.ID, Plan: plan, Step: step})
}
