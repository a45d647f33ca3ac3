package core

import (
	"fmt"
	"strings"
)

func (s *State) planCall(c PlanCall) {
	where := Event{Service: c.Service, Plan: bounded(c.Plan, maxName)}
	old := s.v.Service(c.Service)
	if old == nil {
		s.refuse(CodeNotFound, where, "there is no service %q", bounded(string(c.Service), maxName))
		return
	}
	if old.Removing {
		s.refuse(CodeConflict, where, "service %q is being removed", c.Service)
		return
	}
	t, err := find(&old.Spec, c.Plan, c.Phase, c.Step)
	if err != nil {
		s.refuse(CodeNotFound, where, "service %q: %v", c.Service, err)
		return
	}
	if code, why := s.refusedCall(old, c, t); code != "" {
		s.refuse(code, where, "plan %q of service %q: %s", c.Plan, c.Service, why)
		return
	}
	svc := *old
	if c.Verb == VerbStart {
		s.startPlan(&svc, c.Plan, 0)
		s.emit(Event{Kind: EventPlanStarted, Service: c.Service, Plan: c.Plan})
		s.v.services.put(string(c.Service), &svc)
		return
	}
	p := *svc.Plans[c.Plan]
	s.called(&svc, &p, c, t)
	s.emit(Event{Kind: EventPlanCalled, Service: c.Service, Plan: c.Plan, Step: t.key, State: string(c.Verb)})
	svc.Plans = with(svc.Plans, c.Plan, &p)
	if c.Verb == VerbStop && !ofChange(c.Plan) {
		s.endPlan(&svc, c.Plan, "stopped")
	}
	s.finish(&svc, c.Plan)
	s.v.services.put(string(c.Service), &svc)
	switch c.Verb {
	case VerbStop:
		s.cancelSteps(c.Service, c.Plan, "")
	case VerbForce:
		s.cancelSteps(c.Service, c.Plan, t.key)
	}
}

// called changes the copies of a service's and a plan's record as a verb says.
func (s *State) called(svc *Service, p *PlanRecord, c PlanCall, t target) {
	now := max(s.v.at, 1)
	switch c.Verb {
	case VerbConfirm:
		p.Words = with(p.Words, t.key, now)
	case VerbPause:
		p.Paused = true
	case VerbResume:
		p.Paused, p.Stopped = false, false
	case VerbStop:
		p.Stopped = true
	case VerbForce:
		p.Forced = with(p.Forced, t.key, now)
		if t.step != nil && t.step.NoReturn { // a person did by hand what it does
			s.closeReturn(svc, c.Plan, t.key, p.Started)
		}
	case VerbRestart:
		p.Words = forget(p.Words, t.key)
		p.Forced, p.Done, p.Tries = forget(p.Forced, t.key), forget(p.Done, t.key), forget(p.Tries, t.key)
	}
}

// forget is m without a key and all that is below it.
func forget[V any](m map[string]V, k string) map[string]V {
	for _, x := range sortedKeys(m) {
		if x == k || strings.HasPrefix(x, k+"/") {
			m = without(m, x)
		}
	}
	return m
}

// refusedCall says why a verb does not suit a plan; an empty code when it does.
func (s *State) refusedCall(svc *Service, c PlanCall, t target) (Code, string) {
	p := svc.Plans[c.Plan]
	part := c.Verb == VerbConfirm || c.Verb == VerbForce || c.Verb == VerbRestart
	switch {
	case !part && t.key != "":
		return CodeInvalid, fmt.Sprintf("%q is for a plan as a whole", bounded(string(c.Verb), maxName))
	case c.Verb == VerbStart && ofChange(c.Plan):
		return CodeInvalid, "it starts with a new spec"
	case c.Verb == VerbStart && p.Running():
		return CodeConflict, "it is under way"
	case c.Verb == VerbStart:
		return "", ""
	case !p.Running():
		return CodeConflict, "it is not under way"
	}
	switch c.Verb {
	case VerbConfirm:
		if !t.asks(&svc.Spec, c.Plan) {
			return CodeConflict, waitsForNone(svc, c.Plan, t)
		}
	case VerbPause, VerbResume, VerbStop:
	case VerbForce:
		if t.phase == nil || t.key == t.phase.Name {
			return CodeInvalid, "name the step, or the instance"
		}
	case VerbRestart:
		if t.phase == nil {
			return CodeInvalid, "name the phase, and the step if it is only one"
		}
		for _, r := range s.stepRuns(c.Service) {
			if k := r.Spec.Plan.Key; r.Spec.Plan.Plan == c.Plan && (k == t.key || strings.HasPrefix(k, t.key+"/")) {
				return CodeConflict, fmt.Sprintf("run %q of %q goes on; cancel it first", r.Spec.ID, k)
			}
		}
	default:
		return CodeInvalid, fmt.Sprintf("%q is none of start, confirm, pause, resume, stop, force-complete and restart", bounded(string(c.Verb), maxName))
	}
	return "", ""
}
