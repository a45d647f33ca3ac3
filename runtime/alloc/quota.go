package alloc

import (
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// quotas is what top-level roles are guaranteed and limited to, and, within one
// cycle, what they take. What a role consumes is what it and all below it hold
// and are offered, and what is reserved for them and neither held nor offered.
//
// The headroom is what nobody has of the cluster and nobody is guaranteed:
// whatever goes to a role beyond its guarantee comes out of it, so that
// guarantees that are not used yet can be met at any time.
type quotas struct {
	quotas   []*cluster.Quota // of the view, in order of roles
	roles    map[cluster.Role]*quota
	headroom cluster.Scalars
}

// quota is one role's.
type quota struct {
	guarantee cluster.Scalars
	limit     cluster.Scalars
	consumed  cluster.Scalars
}

// on reports whether any role has a quota.
func (q *quotas) on() bool { return len(q.roles) > 0 }

// sync takes over the quotas of a view and reports whether they changed.
func (q *quotas) sync(v *core.View) bool {
	now := slices.Collect(v.Quotas())
	if slices.Equal(now, q.quotas) { // records are never changed in place
		return false
	}
	q.quotas, q.roles = now, make(map[cluster.Role]*quota, len(now))
	for _, r := range now {
		q.roles[r.Role] = &quota{guarantee: r.Guarantee, limit: r.Ceiling()}
	}
	return true
}

// count counts what all roles consume and the headroom, at the begin of a cycle.
func (a *Allocator) count() {
	q := &a.quotas
	for _, r := range slices.Sorted(maps.Keys(q.roles)) {
		q.roles[r].consumed = cluster.Scalars{}
		if n := a.tree.roles[string(r)]; n != nil {
			q.roles[r].consumed = n.amount.Scalars()
		}
	}
	q.headroom = cluster.Scalars{}
	for _, g := range a.agents {
		q.headroom = q.headroom.Plus(g.free.Open.Scalars())
		if len(g.rec.Reserved) == 0 || g.rec.State == cluster.AgentGone {
			continue
		}
		// Not g.free: what is reserved on an agent that is away counts too.
		for _, r := range g.rec.Reserved.Minus(g.rec.Held).Minus(g.offered.Reserved) {
			if of := q.roles[r.Stack.Role().Top()]; of != nil {
				of.consumed = of.consumed.Plus(r.Flat().Scalars())
			}
		}
	}
	for _, of := range q.roles { // order-free: a sum
		q.headroom = q.headroom.Minus(of.owed())
	}
}

// owed is what a role is guaranteed and does not consume.
func (q *quota) owed() cluster.Scalars { return q.guarantee.Minus(q.consumed).Floor() }

// unsatisfied reports whether any role is owed anything.
func (q *quotas) unsatisfied() bool {
	for _, of := range q.roles { // order-free: any one will do
		if of.owed() != (cluster.Scalars{}) {
			return true
		}
	}
	return false
}

// room is what a client may take beyond guarantees: up to its role's limit, and
// to the headroom.
func (q *quotas) room(c *client) cluster.Scalars {
	room := q.headroom
	if of := q.roles[c.role.Top()]; of != nil {
		room = room.Min(of.limit.Minus(of.consumed))
	}
	return room.Floor()
}

// take counts what a client was offered of what is not reserved.
func (q *quotas) take(c *client, s cluster.Scalars) {
	q.headroom = q.headroom.Minus(s)
	if of := q.roles[c.role.Top()]; of != nil {
		before := of.owed()
		of.consumed = of.consumed.Plus(s)
		q.headroom = q.headroom.Plus(before.Minus(of.owed()))
	}
}

// guaranteed is what a client may have of what is free on an agent because its
// role is owed it, and what it may have beside that; nothing when its role is
// owed nothing that is here.
func (a *Allocator) guaranteed(c *client, g *agent) cluster.Pool {
	of := a.quotas.roles[c.role.Top()]
	if of == nil {
		return cluster.Pool{}
	}
	free := g.free.Open.Scalars()
	part := free.Min(of.owed())
	if part == (cluster.Scalars{}) {
		return cluster.Pool{}
	}
	// The headroom does not count what is owed: the part costs none of it.
	more := free.Minus(part).Min(a.quotas.headroom).Min(of.limit.Minus(of.consumed).Minus(part)).Floor()
	p := cluster.Pool{Open: chop(g.free.Open, part.Plus(more))}
	if len(g.free.Reserved) > 0 {
		p.Reserved = g.free.Reserved.For(c.role)
	}
	return p
}

// chop is r with no more of each scalar than room. Ports and named resources
// are not counted by quota and go along.
func chop(r cluster.Resources, room cluster.Scalars) cluster.Resources {
	s := r.Scalars().Min(room)
	r.CPU, r.Mem, r.Disk, r.GPUs = s.CPU, s.Mem, s.Disk, s.GPUs
	return r
}
