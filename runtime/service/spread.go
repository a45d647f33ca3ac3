package service

import (
	"cmp"
	"container/heap"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// candidates are the rooms in which an instance of one pod fits, in cells: the
// rooms of a cell are in the same zone and in the same groups of each GROUP_BY
// rule. The best room is in the cell whose groups have the fewest instances of
// the pod, then whose zone has the fewest, there where the fewest of them are on
// the agent, then where the fewest tasks are at all, then the first by agent.
//
// Both the cells and the rooms of each are heaps, so that each of many instances
// costs the logarithm of the rooms only. An instance changes the order of all
// cells with which it shares a group or the zone; since counts only grow while
// the candidates are used, a cell is put right when it comes to the top.
type candidates struct {
	tally *tally
	role  cluster.Role
	tasks int // how many tasks an instance has
	need  sched.Need
	cells cells
	built bool // add has to keep the order

	byKey map[cellKey]*cell
	bare  *cell // the one without zone and groups: mostly all are in it, or none
}

// cellKey tells cells apart.
type cellKey struct {
	domain cluster.Domain
	groups string // the values of the rules that make cells
}

// cell is rooms that are alike to all rules and spreading but the agent itself.
type cell struct {
	zone   *int   // instances of the pod in its zone
	counts []*int // and in its group of each GROUP_BY rule
	room   int    // how many instances fit where a CLUSTER rule would bring them; 0 when no rule asks

	sum, zoned int // of counts and zone, when last looked at
	rooms      rooms
}

type candidate struct {
	room *sched.Room
	pod  int // instances of the pod on the agent, to come ones included
	all  int // tasks on the agent, to come ones included
}

// newCandidates collects the rooms for instances that have these tasks.
func newCandidates(from []*sched.Room, role cluster.Role, t *tally, tasks []cluster.TaskTemplate) *candidates {
	c := &candidates{tally: t, role: role, tasks: len(tasks), need: sched.NeedOf(tasks), byKey: map[cellKey]*cell{}}
	for _, r := range from {
		c.add(r, len(from))
	}
	c.measure(len(t.pod.instances))
	for _, x := range c.cells {
		x.look()
		heap.Init(&x.rooms)
	}
	heap.Init(&c.cells)
	c.built = true
	return c
}

// add takes a room in, if an instance may be there; size is how many are to come.
func (c *candidates) add(r *sched.Room, size int) {
	if r.Role != c.role || r.Held || c.need.Missing(r.Usable()) != nil || c.overfull(r) ||
		c.tally.taken(r.Agent.ID) || broken(c.tally.rules, r.Agent) >= 0 {
		return
	}
	n := candidate{room: r, pod: c.tally.agents[r.Agent.ID], all: r.Load()}
	x := c.cell(r.Agent, size)
	switch {
	case !c.built:
		x.rooms = append(x.rooms, n)
	case len(x.rooms) == 0: // new, or it ran out of rooms and was taken out
		x.rooms = append(x.rooms, n)
		x.look()
		heap.Push(&c.cells, x)
	default:
		heap.Push(&x.rooms, n)
		heap.Init(&c.cells) // it is rare
	}
}

// cell finds or makes the cell of an agent.
func (c *candidates) cell(a *cluster.Agent, size int) *cell {
	key := cellKey{domain: domain(a), groups: c.groups(a)}
	bare := key == cellKey{}
	if bare && c.bare != nil {
		return c.bare
	}
	x := c.byKey[key]
	if x != nil {
		return x
	}
	x = &cell{zone: c.tally.zone(a)}
	if bare {
		c.bare, x.rooms = x, make(rooms, 0, size)
	}
	for i, g := range c.tally.groups {
		if g != nil {
			x.counts = append(x.counts, c.tally.value(i, attribute(a, c.tally.rules[i].Attribute)))
		}
	}
	c.byKey[key] = x
	if !c.built {
		c.cells = append(c.cells, x)
	}
	return x
}

// groups joins an agent's values of the rules that make cells: GROUP_BY, and
// CLUSTER as long as no instance says where.
func (c *candidates) groups(a *cluster.Agent) string {
	out := ""
	for i := range c.tally.rules {
		r := &c.tally.rules[i]
		switch {
		case c.tally.groups[i] == nil && (!r.follows() || c.tally.all > 0):
		case out == "":
			out = attribute(a, r.Attribute)
		default:
			out += "\x00" + attribute(a, r.Attribute)
		}
	}
	return out
}

// measure sees, before a CLUSTER rule brings all instances to the agents of one
// value, for how many of them the agents of each value have room.
func (c *candidates) measure(wanted int) {
	follow := ""
	for i := range c.tally.rules {
		if r := &c.tally.rules[i]; r.follows() && c.tally.all == 0 {
			follow = r.Attribute
			break
		}
	}
	if follow == "" {
		return
	}
	fit := map[string]int{}
	for _, x := range c.cells {
		for _, n := range x.rooms {
			fit[attribute(n.room.Agent, follow)] += c.capacity(n.room, wanted)
		}
	}
	for _, x := range c.cells {
		x.room = fit[attribute(x.rooms[0].room.Agent, follow)]
	}
}

// capacity is how many instances fit into a room, at most so many.
func (c *candidates) capacity(r *sched.Room, most int) int {
	if c.tally.pod.spec.Unique {
		return 1
	}
	left, n := r.Usable(), 0
	for ; n < most && c.need.Missing(left) == nil; n++ {
		left = left.Minus(c.need.Resources)
		left.Ports = sched.Without(left.Ports, c.need.Dynamic)
	}
	return n
}

// overfull reports whether a room already has as many tasks as one acceptance may hold.
func (c *candidates) overfull(r *sched.Room) bool {
	return len(r.Tasks)+c.tasks > core.MaxTasksPerAccept
}

// next is the best room, nil when there is none. It stays until placed or drop.
func (c *candidates) next() *sched.Room {
	for len(c.cells) > 0 {
		x := c.cells[0]
		if x.look() {
			heap.Fix(&c.cells, 0)
			continue
		}
		if x.sum > c.least() {
			return nil // the emptiest groups have no room: the others are full until they have
		}
		r := x.rooms[0].room
		if c.tally.refuses(r.Agent, false) < 0 {
			return r
		}
		c.drop() // such a rule holds no more in this step
	}
	return nil
}

// look brings the counts of a cell up to date and reports whether they changed.
func (x *cell) look() bool {
	sum := 0
	for _, n := range x.counts {
		sum += *n
	}
	changed := sum != x.sum || *x.zone != x.zoned
	x.sum, x.zoned = sum, *x.zone
	return changed
}

// least is the sum of what the emptiest groups of all GROUP_BY rules have: an
// instance may be only where its own groups have just that.
func (c *candidates) least() int {
	n := 0
	for _, g := range c.tally.groups {
		if g != nil {
			n += g.least
		}
	}
	return n
}

// placed says that an instance was put into the room next gave.
func (c *candidates) placed() {
	x := c.cells[0]
	top := &x.rooms[0]
	c.tally.add(top.room.Agent)
	if c.tally.pod.spec.Unique || c.need.Missing(top.room.Usable()) != nil || c.overfull(top.room) {
		c.drop()
		return
	}
	top.pod++
	top.all += c.tasks
	heap.Fix(&x.rooms, 0)
	x.look()
	heap.Fix(&c.cells, 0)
}

// drop removes the room that next gave.
func (c *candidates) drop() {
	x := c.cells[0]
	heap.Pop(&x.rooms)
	if len(x.rooms) == 0 {
		heap.Pop(&c.cells)
		return
	}
	heap.Fix(&c.cells, 0)
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

// cells is a heap (container/heap) of cells that have rooms.
type cells []*cell

// Len implements heap.Interface.
func (h cells) Len() int { return len(h) }

// Less implements heap.Interface. Pop of container/heap compares what it is
// about to take out, which may have no rooms left: it goes behind all others.
func (h cells) Less(i, j int) bool {
	a, b := h[i], h[j]
	if len(a.rooms) == 0 || len(b.rooms) == 0 {
		return len(b.rooms) == 0 && len(a.rooms) > 0
	}
	return cmp.Or(cmp.Compare(a.sum, b.sum), cmp.Compare(b.room, a.room), cmp.Compare(a.zoned, b.zoned),
		a.rooms[0].compare(&b.rooms[0])) < 0
}

// Swap implements heap.Interface.
func (h cells) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *cells) Push(x any) { *h = append(*h, x.(*cell)) }

// Pop implements heap.Interface.
func (h *cells) Pop() any { return pop((*[]*cell)(h)) }

func pop[T any](h *[]T) T {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
