package service

import (
	"cmp"
	"container/heap"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// candidates are the rooms in which an instance of one pod fits, by the zone of
// their agents: the best room is in the zone with the fewest instances of the
// pod, there where the fewest of them are, then where the fewest tasks are at
// all, then the first by agent. Both the zones and the rooms of each are heaps,
// so that each of many instances costs the logarithm of the rooms only.
type candidates struct {
	tasks  int // how many tasks an instance has
	need   sched.Need
	unique bool
	zones  zones
}

// zone is the rooms of one fault domain. Agents that name none are one zone.
type zone struct {
	pod   int // instances of the pod in it, to come ones included
	rooms rooms
}

type candidate struct {
	room *sched.Room
	pod  int // instances of the pod on the agent, to come ones included
	all  int // tasks on the agent, to come ones included
}

// newCandidates collects the rooms for instances of p that have these tasks.
func (m *model) newCandidates(from []*sched.Room, p *pod, tasks []cluster.TaskTemplate) *candidates {
	c := &candidates{tasks: len(tasks), need: sched.NeedOf(tasks), unique: p.spec.Unique}
	if len(from) == 0 {
		return c
	}
	here, role, byName := p.perAgent(), m.role(), map[cluster.Domain]*zone{}
	var bare *zone // of agents without a domain: mostly all, or none
	for _, r := range from {
		if r.Role != role || c.need.Missing(r.Free) != nil || c.overfull(r) {
			continue
		}
		put := podTasks(r, m.svc.Spec.ID, p.spec.Name)
		n := here[r.Agent.ID] + put
		if n > 0 && c.unique {
			continue
		}
		z := bare
		if r.Agent.Domain != nil {
			z = byName[*r.Agent.Domain]
		}
		if z == nil {
			z = &zone{}
			if r.Agent.Domain == nil {
				bare, z.rooms = z, make(rooms, 0, len(from))
			}
			byName[domain(r.Agent)] = z
			c.zones = append(c.zones, z)
		}
		z.rooms = append(z.rooms, candidate{room: r, pod: n, all: r.Load()})
	}
	if len(c.zones) > 1 {
		m.countZones(p, from, byName)
	}
	for _, z := range c.zones {
		heap.Init(&z.rooms)
	}
	heap.Init(&c.zones)
	return c
}

// countZones counts the instances of a pod in each zone: those that are active,
// and those that this step has put into rooms.
func (m *model) countZones(p *pod, from []*sched.Room, byName map[cluster.Domain]*zone) {
	add := func(a *cluster.Agent, n int) {
		if z := byName[domain(a)]; z != nil {
			z.pod += n
		}
	}
	for id, n := range p.perAgent() { // order-free: sums
		if a := m.view.Agent(id); a != nil {
			add(&a.Info, n)
		}
	}
	for _, r := range from {
		if len(r.Tasks) > 0 {
			add(r.Agent, podTasks(r, m.svc.Spec.ID, p.spec.Name))
		}
	}
}

// domain is the fault domain of an agent, nothing when it names none.
func domain(a *cluster.Agent) cluster.Domain {
	if a.Domain == nil {
		return cluster.Domain{}
	}
	return *a.Domain
}

// perAgent counts the active instances of a pod on each agent.
func (p *pod) perAgent() map[cluster.AgentID]int {
	here := make(map[cluster.AgentID]int, len(p.instances))
	for _, in := range p.instances {
		for i, t := range in.live {
			if i == 0 {
				here[t.Agent]++
			}
		}
		for _, t := range in.old {
			here[t.Agent]++
		}
	}
	return here
}

// podTasks counts the tasks of a pod that this step has put into a room.
func podTasks(r *sched.Room, service cluster.ServiceID, pod string) int {
	n := 0
	for i := range r.Tasks {
		if r.Tasks[i].Service == service && r.Tasks[i].Pod == pod {
			n++
		}
	}
	return n
}

// overfull reports whether a room already has as many tasks as one acceptance may hold.
func (c *candidates) overfull(r *sched.Room) bool {
	return len(r.Tasks)+c.tasks > core.MaxTasksPerAccept
}

// next is the best room, nil when there is none. It stays until placed or drop.
func (c *candidates) next() *sched.Room {
	if len(c.zones) == 0 {
		return nil
	}
	return c.zones[0].rooms[0].room
}

// placed says that an instance was put into the room next gave.
func (c *candidates) placed() {
	z := c.zones[0]
	z.pod++
	top := &z.rooms[0]
	if c.unique || c.need.Missing(top.room.Free) != nil || c.overfull(top.room) {
		c.drop()
		return
	}
	top.pod++
	top.all += c.tasks
	heap.Fix(&z.rooms, 0)
	heap.Fix(&c.zones, 0)
}

// drop removes the room that next gave.
func (c *candidates) drop() {
	z := c.zones[0]
	heap.Pop(&z.rooms)
	if len(z.rooms) == 0 {
		heap.Pop(&c.zones)
		return
	}
	heap.Fix(&c.zones, 0)
}

// compare orders rooms, the best first.
func (a *candidate) compare(b *candidate) int {
	return cmp.Or(cmp.Compare(a.pod, b.pod), cmp.Compare(a.all, b.all), cmp.Compare(a.room.Agent.ID, b.room.Agent.ID))
}

// rooms is a heap (container/heap).
type rooms []candidate

// Len implements heap.Interface.
func (h rooms) Len() int { return len(h) }

// Less implements heap.Interface.
func (h rooms) Less(i, j int) bool { return h[i].compare(&h[j]) < 0 }

// Swap implements heap.Interface.
func (h rooms) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *rooms) Push(x any) { *h = append(*h, x.(candidate)) }

// Pop implements heap.Interface.
func (h *rooms) Pop() any { return pop((*[]candidate)(h)) }

// zones is a heap (container/heap) of zones that have rooms.
type zones []*zone

// Len implements heap.Interface.
func (h zones) Len() int { return len(h) }

// Less implements heap.Interface. Pop of container/heap compares what it is
// about to take out, which may have no rooms left: it goes behind all others.
func (h zones) Less(i, j int) bool {
	a, b := h[i], h[j]
	if len(a.rooms) == 0 || len(b.rooms) == 0 {
		return len(b.rooms) == 0 && len(a.rooms) > 0
	}
	return cmp.Or(cmp.Compare(a.pod, b.pod), a.rooms[0].compare(&b.rooms[0])) < 0
}

// Swap implements heap.Interface.
func (h zones) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *zones) Push(x any) { *h = append(*h, x.(*zone)) }

// Pop implements heap.Interface.
func (h *zones) Pop() any { return pop((*[]*zone)(h)) }

func pop[T any](h *[]T) T {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
