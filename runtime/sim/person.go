package sim

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// answerEvery is the time between two looks of the person who says what plans
// and instances wait for.
const answerEvery cluster.Millis = 5_000

// Answer lets a person say, from now on, all words that plans wait for, resume
// those that are paused or stopped, and replace what lived on agents that are gone.
func (s *Sim) Answer() {
	if !s.answering {
		s.answering = true
		s.answer()
	}
}

func (s *Sim) answer() {
	if len(s.wants) == 0 && s.master.up {
		for _, st := range service.Statuses(s.now, s.View()) {
			for _, c := range answers(&st) {
				s.Want(c)
			}
		}
	}
	s.after(answerEvery, s.answer)
}

// answers is what a service waits for a person to say.
func answers(st *service.Status) (out []core.Command) {
	if st.State == service.ServiceRemoving {
		return nil
	}
	said := map[string]bool{}
	confirm := func(w *service.Why) {
		for ; w != nil; w = w.Behind {
			if k := w.Plan + " " + cluster.StepKey(w.Phase, w.Step); w.Reason == service.WhyConfirm && !said[k] {
				said[k] = true
				out = append(out, core.PlanCall{Service: st.ID, Plan: w.Plan, Verb: core.VerbConfirm, Phase: w.Phase, Step: w.Step, Principal: "ann"})
			}
		}
	}
	for _, p := range st.Plans {
		if isHeld(p) {
			out = append(out, core.PlanCall{Service: st.ID, Plan: p.Name, Verb: core.VerbResume, Principal: "ann"})
		}
		confirm(p.Why)
		for _, ph := range p.Phases {
			for _, step := range ph.Steps {
				confirm(step.Why)
			}
		}
	}
	for _, p := range st.Pods {
		for _, in := range p.Instances {
			confirm(in.Why)
			if isGone(in.Why) {
				out = append(out, core.RestartInstance{Service: st.ID, Pod: p.Name, Index: in.Index, Replace: true, Principal: "ann"})
			}
		}
	}
	return out
}

// isHeld reports whether a person keeps a plan from going on.
func isHeld(p service.PlanStatus) bool {
	return p.Started != 0 && p.Ended == 0 && (p.Status == service.PlanPaused || p.Status == service.PlanStopped)
}

// isGone reports whether an instance waits for an agent that never comes back.
func isGone(w *service.Why) bool {
	return w != nil && w.Reason == service.WhyLost && slices.ContainsFunc(w.Agents, func(a service.WhyAgent) bool { return a.Rule == service.RuleGone })
}

// planned says what is amiss with the plans of a service: each is over, or says
// what it waits for, and it waits for a person only.
func (s *Sim) planned(st *service.Status) error {
	asks := len(answers(st)) > 0
	for _, p := range st.Plans {
		over := p.Status == service.PlanComplete || p.Status == service.PlanStopped && p.Ended != 0 || p.ByHand && p.Started == 0
		switch {
		case over:
		case p.WhyText == "":
			return fmt.Errorf("plan %s of %s is %s and does not say what it waits for", p.Name, st.ID, p.Status)
		case !asks || s.answering:
			return fmt.Errorf("plan %s of %s is %s: %s", p.Name, st.ID, p.Status, p.WhyText)
		}
	}
	return nil
}

// Uninstall wants all services gone, and what others left destroyed.
func (s *Sim) Uninstall() {
	s.emptying = true
	for svc := range s.View().Services() {
		if !svc.Removing {
			s.Want(core.RemoveService{Service: svc.Spec.ID, Principal: "ann"})
		}
	}
	for id := range s.services {
		s.services[id] = false
	}
	s.clean()
}

// clean destroys leftovers, again and again: services that are being removed leave some yet.
func (s *Sim) clean() {
	if len(s.wants) == 0 {
		for l := range s.View().Leftovers() {
			s.Want(core.ReleaseLeftovers{Service: l.Service, Principal: "ann"})
		}
	}
	s.after(answerEvery, s.clean)
}

// emptied says what is left after everything was uninstalled.
func (s *Sim) emptied(v *core.View) error {
	for l := range v.Leftovers() {
		return fmt.Errorf("service %s left %d places", l.Service, len(l.Places))
	}
	for r := range v.Runs() {
		return fmt.Errorf("run %s is left", r.Spec.ID)
	}
	return nil
}
