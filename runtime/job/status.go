package job

import (
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// Status is a run as people and programs look at it.
type Status struct {
	core.Run
	TaskState cluster.TaskState `json:"task_state,omitempty"` // of its task, once launched and as long as its record is kept
	Agent     cluster.AgentID   `json:"agent,omitempty"`
	Host      string            `json:"host,omitempty"`
	Why       *service.Why      `json:"why,omitempty"`      // why it is not launched
	WhyText   string            `json:"why_text,omitempty"` // the same for people
}

// StatusOf gives the status of a run at time now; false when there is none.
func StatusOf(now cluster.Time, view *core.View, id cluster.RunID) (Status, bool) {
	run := view.Run(id)
	if run == nil {
		return Status{}, false
	}
	s := Status{Run: *run}
	if t := view.Task(run.Task); t != nil {
		s.TaskState, s.Agent, s.Host = t.Status.State, t.Agent, t.Host
	}
	if run.State != core.RunPending {
		return s, true
	}
	p := newPending(view, run)
	switch held := p.heldUntil(); {
	case now < held:
		s.Why = &service.Why{Reason: service.WhyBackoff, Until: held}
	case len(p.missing) > 0:
		s.Why = &service.Why{Reason: service.WhyReference}
		for _, r := range p.missing {
			s.Why.References = append(s.Why.References, r.String())
		}
	default:
		s.Why = service.WhyNoPlace(view, run.Spec.Role, sched.NeedOf(p.tasks))
	}
	s.WhyText = s.Why.String()
	return s, true
}

// Statuses gives the status of every run, in order of their ids.
func Statuses(now cluster.Time, view *core.View) []Status {
	out := []Status{}
	for run := range view.Runs() {
		if s, ok := StatusOf(now, view, run.Spec.ID); ok {
			out = append(out, s)
		}
	}
	return out
}
