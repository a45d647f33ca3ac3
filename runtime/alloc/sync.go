package alloc

import (
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// sync brings everything to a view and gives the offers it rescinds for it.
// Records of a view are never changed in place: where the pointer is the same,
// nothing changed.
func (a *Allocator) sync(v *core.View) []cluster.Offer {
	a.round++
	left := a.syncFrameworks(v)
	a.syncUsage(v)
	rescinded := a.syncAgents(v)
	a.syncWeights(v)
	if a.quotas.sync(v) {
		// What is offered may be what somebody is guaranteed now: all starts anew.
		a.wishes++
		for _, o := range slices.Clone(a.queue) {
			if !o.gone {
				rescinded = append(rescinded, o.Offer)
				a.withdraw(o)
			}
		}
	}
	if left {
		for _, o := range slices.Clone(a.queue) {
			if !o.gone && !o.client.subscribed {
				rescinded = append(rescinded, o.Offer)
				a.withdraw(o)
			}
		}
	}
	a.dropClients()
	if t := v.Total(); t != a.total {
		a.total = t
		a.tree.resize(t)
	}
	return rescinded
}

// syncFrameworks takes over who is subscribed. A framework that subscribed
// again starts with no refusals and no suppression. It reports whether somebody
// may have left.
func (a *Allocator) syncFrameworks(v *core.View) (left bool) {
	seen := 0
	for f := range v.Frameworks() {
		old := a.subs[f.Info.ID]
		if old != nil {
			seen++
		}
		if old == f {
			continue
		}
		a.wishes++
		a.Heard(f.Info.ID)
		if old != nil {
			a.unsubscribe(old)
			left = true
		} else {
			seen++
		}
		a.subs[f.Info.ID] = f
		if !f.Connected {
			continue
		}
		if len(f.Info.Minimums) > 0 {
			a.picky++
		}
		for _, r := range f.Info.Roles {
			c := a.tree.get(clientKey{f.Info.ID, r})
			c.minimums = minimums(f, r)
			if old == nil || !old.Connected || !slices.Contains(old.Info.Roles, r) || old.Since != f.Since {
				a.tree.forget(c)
				a.tree.want(c, true, false)
				continue
			}
			a.tree.want(c, true, c.suppressed)
		}
	}
	if seen == len(a.subs) {
		return left
	}
	for _, id := range slices.Sorted(maps.Keys(a.subs)) {
		if v.Framework(id) == nil {
			a.Heard(id)
			a.unsubscribe(a.subs[id])
			delete(a.subs, id)
		}
	}
	return true
}

// minimums is what a framework wants at least under a role, nil when it does not
// say; none, but not nil, when it takes anything.
func minimums(f *core.Framework, r cluster.Role) []cluster.Resources {
	m, ok := f.Info.Minimums[r]
	if ok && m == nil {
		return []cluster.Resources{}
	}
	return m
}

// syncWeights takes over the weights of roles.
func (a *Allocator) syncWeights(v *core.View) {
	weights := slices.Collect(v.Weights())
	if slices.Equal(weights, a.weights) {
		return
	}
	a.weights = weights
	all := maps.Clone(a.cfg.Weights)
	if all == nil {
		all = map[cluster.Role]int64{}
	}
	for _, w := range weights {
		all[w.Role] = w.Weight
	}
	a.tree.reweigh(all)
}

func (a *Allocator) unsubscribe(f *core.Framework) {
	if f.Connected && len(f.Info.Minimums) > 0 {
		a.picky--
	}
	for _, r := range f.Info.Roles {
		if c := a.tree.clients[clientKey{f.Info.ID, r}]; c != nil {
			a.tree.want(c, false, c.suppressed)
		}
	}
}

// syncUsage takes over what tasks hold.
func (a *Allocator) syncUsage(v *core.View) {
	for u := range v.Usage() {
		c := a.tree.get(clientKey{u.Framework, u.Role})
		c.round = a.round
		a.use(c, *u)
	}
	for _, c := range a.tree.list {
		if c.round != a.round {
			a.use(c, core.Usage{})
		}
	}
}

func (a *Allocator) use(c *client, u core.Usage) {
	d := cluster.Resources{CPU: u.CPU - c.used.CPU, Mem: u.Mem - c.used.Mem, Disk: u.Disk - c.used.Disk, GPUs: u.GPUs - c.used.GPUs}
	c.used = u
	if !d.IsZero() {
		a.tree.add(c, d, 1)
		a.tree.moved(c)
	}
}

// dropClients lets go of clients that are not subscribed and hold nothing.
func (a *Allocator) dropClients() {
	kept := a.tree.list[:0]
	for _, c := range a.tree.list {
		if c.subscribed || c.amount != (core.Usage{}) {
			kept = append(kept, c)
			continue
		}
		a.tree.drop(c)
	}
	clear(a.tree.list[len(kept):])
	a.tree.list = kept
}

// syncAgents takes over what agents have.
func (a *Allocator) syncAgents(v *core.View) (rescinded []cluster.Offer) {
	i := 0
	for rec := range v.Agents() {
		// Both are in order of ids, and a view loses no agent: this finds it at once.
		if i < len(a.agents) && a.agents[i].rec.Info.ID == rec.Info.ID {
			if g := a.agents[i]; g.rec != rec {
				rescinded = append(rescinded, a.change(g, rec)...)
			}
			i++
			continue
		}
		g := &agent{rec: rec, free: rec.FreePool()}
		a.byID[rec.Info.ID] = g
		a.agents = slices.Insert(a.agents, i, g)
		i++
	}
	return rescinded
}

// change takes over an agent's new record.
func (a *Allocator) change(g *agent, rec *core.Agent) (rescinded []cluster.Offer) {
	old := g.rec
	g.rec = rec
	if !maps.Equal(old.Info.Attributes, rec.Info.Attributes) || !same(old.Info.Domain, rec.Info.Domain) {
		g.slots = nil
	}
	free := rec.FreePool()
	if !sameInfo(&old.Info, &rec.Info) || !same(old.Maintenance, rec.Maintenance) || free.Missing(g.offered) != nil {
		for _, o := range slices.Clone(g.offers) {
			rescinded = append(rescinded, o.Offer)
			a.withdraw(o)
		}
	}
	g.free, g.idleUntil = free.Minus(g.offered), 0
	return rescinded
}

// sameInfo reports whether an offer made with a still says what is so with b.
func sameInfo(a, b *cluster.Agent) bool {
	return a.Hostname == b.Hostname && a.Host == b.Host && a.URL == b.URL && a.Version == b.Version &&
		a.Total.Equal(b.Total) && maps.Equal(a.Attributes, b.Attributes) && same(a.Domain, b.Domain) && a.Reserved.Equal(b.Reserved)
}

// same compares what may not be there.
func same[V comparable](a, b *V) bool { return a == b || a != nil && b != nil && *a == *b }
