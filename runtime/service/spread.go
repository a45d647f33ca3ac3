package service

import (
	"cmp"
	"container/heap"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// candidates are the rooms in which an instance of one pod fits, best first:
// where the fewest tasks of the pod are, then where the fewest tasks are at all,
// then by agent. It is a heap, so that each of many instances costs the
// logarithm of the rooms only.
type candidates struct {
	tasks  int // how many tasks an instance has
	need   sched.Need
	unique bool
	heap   []candidate
}

type candidate struct {
	room *sched.Room
	pod  int // instances of the pod on the agent, to come ones included
	all  int // tasks on the agent, to come ones included
}

// newCandidates collects the rooms for instances of p that have these tasks.
func (m *model) newCandidates(rooms []*sched.Room, p *pod, tasks []cluster.TaskTemplate) *candidates {
	c := &candidates{tasks: len(tasks), need: sched.NeedOf(tasks), unique: p.spec.Unique}
	if len(rooms) == 0 {
		return c
	}
	here, role := p.perAgent(), m.role()
	c.heap = make([]candidate, 0, len(rooms))
	for _, r := range rooms {
		if r.Role != role || c.need.Missing(r.Free) != nil || c.overfull(r) {
			continue
		}
		if n := here[r.Agent.ID] + podTasks(r, m.svc.Spec.ID, p.spec.Name); n == 0 || !c.unique {
			c.heap = append(c.heap, candidate{room: r, pod: n, all: r.Load()})
		}
	}
	heap.Init(c)
	return c
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
	if len(c.heap) == 0 {
		return nil
	}
	return c.heap[0].room
}

// placed says that an instance was put into the room next gave.
func (c *candidates) placed() {
	top := &c.heap[0]
	if c.unique || c.need.Missing(top.room.Free) != nil || c.overfull(top.room) {
		c.drop()
		return
	}
	top.pod++
	top.all += c.tasks
	heap.Fix(c, 0)
}

// drop removes the room that next gave.
func (c *candidates) drop() { heap.Pop(c) }

// Len implements heap.Interface.
func (c *candidates) Len() int { return len(c.heap) }

// Less implements heap.Interface.
func (c *candidates) Less(i, j int) bool {
	a, b := &c.heap[i], &c.heap[j]
	return cmp.Or(cmp.Compare(a.pod, b.pod), cmp.Compare(a.all, b.all), cmp.Compare(a.room.Agent.ID, b.room.Agent.ID)) < 0
}

// Swap implements heap.Interface.
func (c *candidates) Swap(i, j int) { c.heap[i], c.heap[j] = c.heap[j], c.heap[i] }

// Push implements heap.Interface.
func (c *candidates) Push(x any) { c.heap = append(c.heap, x.(candidate)) }

// Pop implements heap.Interface.
func (c *candidates) Pop() any {
	last := c.heap[len(c.heap)-1]
	c.heap = c.heap[:len(c.heap)-1]
	return last
}
