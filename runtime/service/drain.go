package service

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// evict moves instances away from agents that drain: of each pod one at a time,
// while all others are complete, and only where there is room elsewhere. What
// is left at the drain's deadline the core kills.
func (m *model) evict() {
	if len(m.draining) == 0 {
		return
	}
	for _, p := range m.pods {
		var next *instance
		settled := true
		for _, in := range p.instances {
			settled = settled && in.complete() && in.action == actNone
			if next == nil && len(in.live) > 0 && m.drains(in.live[0].Agent) {
				next = in
			}
		}
		switch {
		case next == nil:
		case settled && m.roomElsewhere(next):
			next.action, next.state = actKill, StateKilling
		default:
			m.stuck = true // it depends on what other services do
		}
	}
}

func (m *model) drains(id cluster.AgentID) bool {
	_, found := slices.BinarySearch(m.draining, id)
	return found
}

// roomElsewhere reports whether an instance fits on some agent that gets tasks.
func (m *model) roomElsewhere(in *instance) bool {
	need, here := sched.NeedOf(in.pod.spec.Tasks), in.pod.perAgent()
	for a := range m.view.Agents() {
		if a.Offerable() && (!in.pod.spec.Unique || here[a.Info.ID] == 0) && need.Missing(a.Free()) == nil {
			return true
		}
	}
	return false
}
