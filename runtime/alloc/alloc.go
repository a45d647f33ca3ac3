package alloc

import (
	"fmt"
	"math"

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
	// Weights are the roles' weights in thousandths; 1000 for a role that is not there.
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
	total  core.Usage
	round  uint64 // of sync, to see what a view has no more
	wishes uint64 // grows when somebody may want what was wanted by nobody
}

// agent is what the allocator keeps of an agent.
type agent struct {
	rec     *core.Agent
	offered cluster.Resources
	free    cluster.Resources // rec.Free() without offered
	offers  []*offer

	// idleUntil is until when nobody wants what is free here, as long as
	// wishes is the allocator's and free does not change.
	idleUntil cluster.Time
	wishes    uint64

	slots   []slot // by client number
	refused *cluster.Resources
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
		subs: map[cluster.FrameworkID]*core.Framework{}}
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
		if a.worth(g.free) && (g.wishes != a.wishes || g.idleUntil <= now) {
			candidates = append(candidates, g)
		}
	}
	a.shuffle(candidates)
	for _, g := range candidates {
		if c := a.next(now, g); c != nil {
			made = append(made, a.offer(now, c, g))
		}
	}
	return made, rescinded
}

// next is whom what is free on an agent goes to. Where all refused it, the
// agent need not be looked at until the first refusal is over or a wish changes.
func (a *Allocator) next(now cluster.Time, g *agent) *client {
	g.wishes, g.idleUntil = a.wishes, math.MaxInt64
	return a.tree.first(func(c *client) bool {
		until, refused := c.filtered(now, g)
		if refused {
			g.idleUntil = min(g.idleUntil, until)
		}
		return !refused
	})
}

// worth reports whether an amount is enough for an offer.
func (a *Allocator) worth(r cluster.Resources) bool {
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

// offer gives all that is free on an agent to a client.
func (a *Allocator) offer(now cluster.Time, c *client, g *agent) cluster.Offer {
	a.minted++
	o := &offer{client: c, agent: g, Offer: cluster.Offer{
		ID:    cluster.OfferID(fmt.Sprintf("%s-O%d", a.cfg.Name, a.minted)),
		Agent: g.rec.Info, Framework: c.framework, Role: c.role, Resources: g.free,
		Deadline: now.Add(a.cfg.OfferTimeout),
	}}
	a.offers[o.ID] = o
	a.queue = append(a.queue, o)
	g.offers = append(g.offers, o)
	g.offered = g.offered.Plus(o.Resources)
	g.free = cluster.Resources{}
	a.tree.add(c, o.Resources, 1)
	c.count(1)
	a.tree.moved(c)
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
	g.offered = g.offered.Minus(o.Resources)
	g.free, g.idleUntil = g.rec.Free().Minus(g.offered), 0
	a.tree.add(o.client, o.Resources, -1)
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

// Expire withdraws the offers whose deadline is over and gives them.
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
