package service

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// evict moves instances away from agents that drain, and only where there is room
// elsewhere. Without a MinReady a pod loses one at a time, while all others are
// complete; with one, it loses those without which so many are ready. What is
// left at the drain's deadline the core kills.
func (m *model) evict() {
	if len(m.draining) == 0 {
		return
	}
	var rooms []*sched.Room
	for _, p := range m.pods {
		list := m.leaving(p)
		if len(list) == 0 {
			continue
		}
		if rooms == nil {
			rooms = sched.FreeRooms(m.view, m.role())
		}
		settled, fit := p.settled(), true
		for _, in := range p.instances { // those that look for a place already come first
			if in.state == StateKilling || in.action == actLaunch {
				fit = m.roomElsewhere(in, rooms) && fit
			}
		}
		for i, in := range list {
			if in.home != nil { // it stays away until the agent is back
				if m.stuck = true; settled && i == 0 && in.action == actNone {
					in.end()
				}
				continue
			}
			may := p.spares(in)
			if p.spec.MinReady == 0 {
				may = settled && i == 0
			}
			if !fit || !may || in.action != actNone || !m.roomElsewhere(in, rooms) {
				m.stuck = true // it depends on what other services do
				continue
			}
			in.end()
		}
		for _, in := range p.instances {
			in.to = nil // a launch counts what there is
		}
	}
}

// leaving are the instances of a pod that are on draining agents and not ending.
func (m *model) leaving(p *pod) (out []*instance) {
	for _, in := range p.instances {
		if len(in.live) > 0 && in.state != StateKilling && m.drains(in.live[0].Agent) {
			out = append(out, in)
		}
	}
	return out
}

// settled reports whether nothing is to be done for any instance of a pod.
func (p *pod) settled() bool {
	for _, in := range p.instances {
		if !in.complete() || in.action != actNone {
			return false
		}
	}
	return true
}

func (m *model) drains(id cluster.AgentID) bool {
	_, found := slices.BinarySearch(m.draining, id)
	return found
}

// roomElsewhere reports whether an instance fits on some agent that gets tasks,
// and takes that out of the rooms.
func (m *model) roomElsewhere(in *instance, rooms []*sched.Room) bool {
	pl := &placing{m: m, pod: in.pod, tally: m.newTally(in.pod, in)}
	if len(pl.placeAll([]*instance{in}, rooms, try)) > 0 {
		return false
	}
	in.to = pl.done[0].room.Agent
	return true
}
