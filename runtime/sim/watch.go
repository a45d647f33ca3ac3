package sim

import (
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// watchEndings sees that the master gives up no task whose process runs, unless
// it wanted that task's end, or its agent was declared gone.
func (s *Sim) watchEndings(v *core.View, events []core.Event) {
	for i := range events {
		e := &events[i]
		st := cluster.TaskState(e.State)
		if e.Kind != core.EventTaskUpdated || !st.Terminal() || st == cluster.TaskGoneByOperator {
			continue
		}
		a, rec := s.agent(e.Agent), v.Task(e.Task)
		if a == nil || rec != nil && rec.Status.UUID != "" {
			continue // the agent said so itself
		}
		if t := a.tasks[e.Task]; t != nil && t.alive && !t.killing {
			s.fail("the master has task %s end as %s (%s), and it runs on agent %s", e.Task, e.State, e.Message, e.Agent)
		}
	}
}

// watchGroups sees that of the tasks of a group all are launched or none, and
// that none joins a group that is there.
func (s *Sim) watchGroups(v *core.View, c core.Command, events []core.Event) {
	accept, ok := c.(core.AcceptOffers)
	if !ok {
		return
	}
	launched := map[cluster.TaskID]bool{}
	for i := range events {
		if events[i].Kind == core.EventTaskLaunched {
			launched[events[i].Task] = true
		}
	}
	whole := map[string]bool{}
	for _, t := range accept.Tasks {
		if t.Group == "" {
			continue
		}
		if was, again := whole[t.Group]; again && was != launched[t.ID] {
			s.fail("of group %s of %s some tasks are launched and some are not", t.Group, accept.Framework)
		}
		whole[t.Group] = launched[t.ID]
	}
	if len(whole) == 0 || len(launched) == 0 {
		return
	}
	for t := range v.Tasks() {
		if t.Active() && t.Spec.Framework == accept.Framework && whole[t.Spec.Group] && !launched[t.Spec.ID] {
			s.fail("group %s of %s is launched a second time, while task %s of it is there", t.Spec.Group, accept.Framework, t.Spec.ID)
		}
	}
}
