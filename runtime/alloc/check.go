package alloc

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Check verifies the allocator's invariants against the view of its latest
// Cycle: on each agent, allocated and offered fit into what it has, and no port
// is offered twice; every offer has a deadline and goes to somebody who is
// subscribed; shares are what tasks and offers add up to, and in order. It takes
// time in proportion to all offers: tests and the simulator call it.
func (a *Allocator) Check(v *core.View) error {
	offered := map[cluster.AgentID]cluster.Pool{}
	held := map[clientKey]core.Usage{}
	live := 0
	for _, o := range a.queue {
		if o.gone {
			continue
		}
		live++
		if a.offers[o.ID] != o || o.Deadline <= 0 || o.Pool().IsZero() {
			return fmt.Errorf("offer %q of %s with deadline %d is not outstanding or empty", o.ID, o.Pool().Flat(), o.Deadline)
		}
		sum := offered[o.Agent.ID]
		if sum.Flat().Overlaps(o.Pool().Flat()) {
			return fmt.Errorf("offer %q has a port, number or item that another offer has", o.ID)
		}
		offered[o.Agent.ID] = sum.Plus(o.Pool())
		for _, r := range o.Reserved {
			if !r.Stack.For(o.Role) {
				return fmt.Errorf("offer %q to role %q has what is reserved for %q", o.ID, o.Role, r.Stack)
			}
		}
		if f := v.Framework(o.Framework); f == nil || !f.Connected || !slices.Contains(f.Info.Roles, o.Role) {
			return fmt.Errorf("offer %q is to %q under %q, who is not there", o.ID, o.Framework, o.Role)
		}
		k := clientKey{o.Framework, o.Role}
		held[k] = plus(held[k], o.Pool().Flat())
	}
	if live != len(a.offers) {
		return fmt.Errorf("%d offers are queued, %d are outstanding", live, len(a.offers))
	}
	for _, g := range a.agents {
		if sum := offered[g.rec.Info.ID]; !sum.Equal(g.offered) || !g.free.Equal(g.rec.FreePool().Minus(sum)) {
			return fmt.Errorf("agent %q: offered %v, counted %v; free %v of %v", g.rec.Info.ID, sum, g.offered, g.free, g.rec.FreePool())
		}
		if short := g.rec.FreePool().Missing(g.offered); short != nil {
			return fmt.Errorf("agent %q: allocated and offered are over its total: %v", g.rec.Info.ID, short)
		}
	}
	for u := range v.Usage() {
		k := clientKey{u.Framework, u.Role}
		held[k] = plus(held[k], cluster.Resources{CPU: u.CPU, Mem: u.Mem, Disk: u.Disk, GPUs: u.GPUs})
	}
	for k, u := range held { // order-free: any one that differs will do
		if c := a.tree.clients[k]; c == nil || c.amount != u {
			return fmt.Errorf("client %v holds and is offered %+v, the tree differs", k, u)
		}
	}
	return a.tree.root.check(a.total)
}

func plus(u core.Usage, r cluster.Resources) core.Usage {
	u.CPU, u.Mem, u.Disk = u.CPU+r.CPU, u.Mem+r.Mem, u.Disk+r.Disk
	u.GPUs += r.GPUs
	return u
}

// check verifies that a node's numbers are its kids' and that they are in order.
func (n *node) check(total core.Usage) error {
	if n.client != nil {
		return nil
	}
	var sum core.Usage
	wants := 0
	for i, k := range n.kids {
		if err := k.check(total); err != nil {
			return err
		}
		sum = plus(sum, cluster.Resources{CPU: k.amount.CPU, Mem: k.amount.Mem, Disk: k.amount.Disk, GPUs: k.amount.GPUs})
		wants += k.wants
		if k.client != nil && (k.wants == 1) != (k.client.subscribed && !k.client.suppressed) {
			return fmt.Errorf("client %q wants %d", k.path, k.wants)
		}
		if s := k.shareOf(total); s != k.share {
			return fmt.Errorf("share of %q is %d, should be %d", k.path, k.share, s)
		}
		if i > 0 && compare(n.kids[i-1], k) >= 0 {
			return fmt.Errorf("%q with %d, %d is before %q with %d, %d", n.kids[i-1].path, n.kids[i-1].share, n.kids[i-1].offers, k.path, k.share, k.offers)
		}
	}
	if sum != n.amount || wants != n.wants {
		return fmt.Errorf("%q holds %+v and wants %d, its kids %+v and %d", n.path, n.amount, n.wants, sum, wants)
	}
	return nil
}
