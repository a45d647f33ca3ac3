package alloc

import (
	"fmt"
	"math"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Config is how an Allocator works. Its zero value is the default.
type Config struct {
	// OfferTimeout is how long an offer lives; 0: DefaultOfferTimeout. Mesos
	// lets offers live for ever, and one silent framework can hoard a cluster.
	OfferTimeout cluster.Millis
	// Interval is the time between two cycles of the caller; no filter is
	// shorter, or it would never filter. 0: DefaultInterval.
	Interval cluster.Millis
	// MinCPU and MinMem say what is worth an offer: at least this many
	// thousandths of a core or this many bytes of memory. 0: DefaultMinCPU, DefaultMinMem.
	MinCPU, MinMem int64
	// Weights are the roles' weights in thousandths where the view has none; 1000
	// for a role that is in neither.
	Weights map[cluster.Role]int64
	// Name makes the ids of offers differ from those of other allocators.
	Name string
	// Seed decides the order in which agents are looked at.
	Seed uint64
}

// The defaults of Config, and the limits of filters.
const (
	DefaultOfferTimeout cluster.Millis = 60_000
	DefaultInterval     cluster.Millis = 1_000
	DefaultMinCPU       int64          = 10       // 0.01 cores
	DefaultMinMem       int64          = 32 << 20 // bytes
	// DefaultRefuse is how long a refusal lasts that names no valid time.
	DefaultRefuse cluster.Millis = 5_000
	// MaxRefuse is the longest refusal: 365 days.
	MaxRefuse cluster.Millis = 31_536_000_000
	// MaxFilters is how many refusals are kept for one framework, role and agent.
	MaxFilters = 16
)

// Allocator makes offers. It has one owner.
type Allocator struct {
	cfg    Config
	random uint64
	now    cluster.Time // of the latest cycle; deadlines never go back
	minted int64        // offers made so far

	tree   tree
	agents []*agent // in order of their ids
	byID   map[cluster.AgentID]*agent
	offers map[cluster.OfferID]*offer
	queue  []*offer // by deadline; those that were withdrawn are still in it
	subs   map[cluster.FrameworkID]*core.Framework
	silent map[cluster.FrameworkID]*silence
	total  core.Usage
	round  uint64 // of sync, to see what a view has no more
	wishes uint64 // grows when somebody may want what was wanted by nobody
	quotas quotas
	// weights are those of the latest view.
	weights []core.Weight
	// picky is how many subscribed frameworks have minimums of their own.
	picky int
}

// agent is what the allocator keeps of an agent.
type agent struct {
	rec     *core.Agent
	offered cluster.Pool
	free    cluster.Pool // rec.FreePool() without offered
	offers  []*offer

	// idleUntil is until when nobody wants what is free here, as long as
	// wishes is the allocator's and free does not change.
	idleUntil cluster.Time
	wishes    uint64

	slots   []slot // by client number
	refused *cluster.Pool
}

type offer struct {
	cluster.Offer
	client *client
	agent  *agent
	gone   bool // taken, expired or rescinded
}

// New gives an allocator that has made no offer.
func New(cfg Config) *Allocator {
	if cfg.OfferTimeout <= 0 {
		cfg.OfferTimeout = DefaultOfferTimeout
	}
	if cfg.Interval <= 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.MinCPU <= 0 {
		cfg.MinCPU = DefaultMinCPU
	}
	if cfg.MinMem <= 0 {
		cfg.MinMem = DefaultMinMem
	}
	return &Allocator{cfg: cfg, random: cfg.Seed, tree: newTree(cfg.Weights),
		byID: map[cluster.AgentID]*agent{}, offers: map[cluster.OfferID]*offer{},
		subs: map[cluster.FrameworkID]*core.Framework{}, silent: map[cluster.FrameworkID]*silence{}}
}

// Cycle brings the allocator to a view and makes all offers that can be made.
// The view must hold what became of every offer that was taken before. It also
// gives the offers that the view leaves no ground for: their agent is not
// active, changed or has less, their framework is away or left the role.
func (a *Allocator) Cycle(now cluster.Time, v *core.View) (made, rescinded []cluster.Offer) {
	a.now = max(a.now, now)
	now = a.now
	rescinded = a.sync(v)
	if !a.tree.wanted() {
		return nil, rescinded
	}
	candidates := make([]*agent, 0, len(a.agents))
	for _, g := range a.agents {
		// Under quotas, what one may take changes with what others have.
		if a.promising(g) && (a.quotas.on() || g.wishes != a.wishes || g.idleUntil <= now) {
			candidates = append(candidates, g)
		}
	}
	if a.quotas.on() {
		a.count()
		a.shuffle(candidates)
		for _, g := range candidates {
			if !a.quotas.unsatisfied() {
				break
			}
			made = a.serve(now, g, (*Allocator).guaranteed, made)
		}
	}
	a.shuffle(candidates)
	for _, g := range candidates {
		made = a.serve(now, g, (*Allocator).open, made)
	}
	return made, rescinded
}

// serve offers what is free on an agent to one client after the other, in the
// order of shares. take says what of it a client may have.
func (a *Allocator) serve(now cluster.Time, g *agent, take func(*Allocator, *client, *agent) cluster.Pool, made []cluster.Offer) []cluster.Offer {
	for !g.free.IsZero() {
		c, p := a.next(now, g, take)
		if c == nil {
			break
		}
		made = append(made, a.offer(now, c, g, p))
	}
	return made
}

// next is whom what is free on an agent goes to, and what of it. Where all
// refused it, the agent need not be looked at until the first refusal is over or
// a wish changes.
func (a *Allocator) next(now cluster.Time, g *agent, take func(*Allocator, *client, *agent) cluster.Pool) (to *client, p cluster.Pool) {
	g.wishes, g.idleUntil = a.wishes, math.MaxInt64
	to = a.tree.first(func(c *client) bool {
		if c.mutedUntil > now {
			g.idleUntil = min(g.idleUntil, c.mutedUntil)
			return false
		}
		p = take(a, c, g)
		if !a.worth(c, &p) {
			return false
		}
		until, refused := c.filtered(now, g, &p)
		if refused {
			g.idleUntil = min(g.idleUntil, until)
		}
		return !refused
	})
	return to, p
}

// open is what a client may have of what is free on an agent: what is not
// reserved, as far as quotas allow, and what is reserved for it.
func (a *Allocator) open(c *client, g *agent) cluster.Pool {
	p := cluster.Pool{Open: g.free.Open}
	if len(g.free.Reserved) > 0 {
		p.Reserved = g.free.Reserved.For(c.role)
	}
	if a.quotas.on() {
		p.Open = chop(p.Open, a.quotas.room(c))
	}
	return p
}

// worth reports whether an amount is enough for an offer to a client.
func (a *Allocator) worth(c *client, p *cluster.Pool) bool {
	flat := p.Open
	if len(p.Reserved) > 0 {
		flat = p.Flat()
	}
	if c.minimums == nil {
		return a.least(&flat)
	}
	return !flat.IsZero() && (len(c.minimums) == 0 || slices.ContainsFunc(c.minimums, func(least cluster.Resources) bool {
		return cluster.Fits(flat, least) == nil
	}))
}

// promising reports whether what is free on an agent can be worth an offer to anybody.
func (a *Allocator) promising(g *agent) bool {
	switch {
	case a.picky > 0:
		return !g.free.IsZero()
	case len(g.free.Reserved) > 0:
		flat := g.free.Flat()
		return a.least(&flat)
	}
	return a.least(&g.free.Open)
}

// least reports whether an amount is worth an offer to whom says nothing else.
func (a *Allocator) least(r *cluster.Resources) bool {
	return r.CPU >= a.cfg.MinCPU || r.Mem >= a.cfg.MinMem
}

// shuffle puts agents into a random order (Fisher and Yates; splitmix64).
func (a *Allocator) shuffle(agents []*agent) {
	for i := len(agents) - 1; i > 0; i-- {
		a.random += 0x9e3779b97f4a7c15
		z := a.random
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		j := int(z % uint64(i+1))
		agents[i], agents[j] = agents[j], agents[i]
	}
}

// offer gives what is free on an agent, or part of it, to a client.
func (a *Allocator) offer(now cluster.Time, c *client, g *agent, p cluster.Pool) cluster.Offer {
	a.minted++
	o := &offer{client: c, agent: g, Offer: cluster.Offer{
		ID:    cluster.OfferID(fmt.Sprintf("%s-O%d", a.cfg.Name, a.minted)),
		Agent: g.rec.Info, Framework: c.framework, Role: c.role, Resources: p.Open, Reserved: p.Reserved,
		Deadline: now.Add(a.cfg.OfferTimeout), Unavailability: g.rec.Maintenance,
	}}
	a.offers[o.ID] = o
	a.queue = append(a.queue, o)
	g.offers = append(g.offers, o)
	g.offered = g.offered.Plus(p)
	g.free = g.free.Minus(p)
	a.tree.add(c, p.Flat(), 1)
	c.count(1)
	a.tree.moved(c)
	if a.quotas.on() {
		a.quotas.take(c, p.Open.Scalars())
	}
	return o.Offer
}

// withdraw ends an offer; its resources are free again.
func (a *Allocator) withdraw(o *offer) {
	o.gone = true
	delete(a.offers, o.ID)
	g := o.agent
	for i := range g.offers {
		if g.offers[i] == o {
			g.offers = append(g.offers[:i], g.offers[i+1:]...)
			break
		}
	}
	g.offered = g.offered.Minus(o.Pool())
	g.free, g.idleUntil = g.rec.FreePool().Minus(g.offered), 0
	a.tree.add(o.client, o.Pool().Flat(), -1)
	a.tree.moved(o.client)
	if len(a.queue) > 64 && len(a.queue) > 4*len(a.offers) {
		a.sweep()
	}
}

// sweep takes withdrawn offers out of the queue.
func (a *Allocator) sweep() {
	kept := a.queue[:0]
	for _, o := range a.queue {
		if !o.gone {
			kept = append(kept, o)
		}
	}
	clear(a.queue[len(kept):])
	a.queue = kept
}

// Expire withdraws the offers whose deadline is over and gives them. It counts
// that as a refusal by silence (see Heard): the caller need not Decline them.
func (a *Allocator) Expire(now cluster.Time) []cluster.Offer {
	var out []cluster.Offer
	for _, o := range a.queue {
		if o.Deadline > now {
			break
		}
		if !o.gone {
			out = append(out, o.Offer)
		}
	}
	for i := range out {
		a.withdraw(a.offers[out[i].ID])
		a.unanswered(now, &out[i])
	}
	a.sweep()
	return out
}

// NextDeadline is when the next offer expires; false when none is outstanding.
func (a *Allocator) NextDeadline() (cluster.Time, bool) {
	for _, o := range a.queue {
		if !o.gone {
			return o.Deadline, true
		}
	}
	return 0, false
}

// Outstanding is how many offers are neither taken nor over.
func (a *Allocator) Outstanding() int { return len(a.offers) }

// Offer gives an outstanding offer.
func (a *Allocator) Offer(id cluster.OfferID) (cluster.Offer, bool) {
	if o := a.offers[id]; o != nil {
		return o.Offer, true
	}
	return cluster.Offer{}, false
}
