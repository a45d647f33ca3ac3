package alloc

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Obstacle is what keeps a framework from getting an amount on an agent.
type Obstacle string

// The obstacles, in the order in which they are looked for.
const (
	ObstacleUnreachable Obstacle = "unreachable" // the agent is silent
	ObstacleDraining    Obstacle = "draining"    // it is being emptied, or is empty
	ObstacleDeactivated Obstacle = "deactivated" // an operator wants no more tasks on it
	ObstacleShrunk      Obstacle = "shrunk"      // its tasks hold more than it has
	ObstacleResources   Obstacle = "resources"   // too little is free for the role; Shortfalls says of what
	ObstacleOffered     Obstacle = "offered"     // it is offered, to this framework or another; Until says to when at most
	ObstacleQuota       Obstacle = "quota"       // the role's limit, or what others are guaranteed, forbids it
	ObstacleMinimum     Obstacle = "minimum"     // what is left is not worth an offer
	ObstacleRefused     Obstacle = "refused"     // the framework declined as much; Until says for how long
)

// Why says why a framework waits for an amount under a role, as data.
type Why struct {
	Unknown    bool `json:"unknown,omitempty"`    // it is not subscribed under the role
	Suppressed bool `json:"suppressed,omitempty"` // it asked for no offers
	// MutedUntil is until when it gets no offers unless it calls, because it let
	// too many expire; 0: it is not so.
	MutedUntil cluster.Time `json:"muted_until,omitempty"`
	Open       int          `json:"open,omitempty"`   // agents that it will be offered in the next cycle
	Counts     []WhyCount   `json:"counts,omitempty"` // by obstacle, those that occur
	Agents     []WhyAgent   `json:"agents,omitempty"` // at most MaxWhyAgents
}

// WhyCount is how many agents one obstacle is on.
type WhyCount struct {
	Obstacle Obstacle `json:"obstacle"`
	Agents   int      `json:"agents"`
}

// WhyAgent is the obstacle on one agent.
type WhyAgent struct {
	Agent      cluster.AgentID     `json:"agent"`
	Hostname   string              `json:"hostname,omitempty"`
	Obstacle   Obstacle            `json:"obstacle"`
	Until      cluster.Time        `json:"until,omitempty"`
	Shortfalls []cluster.Shortfall `json:"shortfalls,omitempty"`
}

// MaxWhyAgents bounds the agents that one Why lists; Counts has them all.
const MaxWhyAgents = 50

// Why explains, as of the latest Cycle, what keeps a framework from getting an
// amount under a role. It is made when it is asked for and nothing of it is
// kept: it costs time in proportion to the agents, and no memory between.
func (a *Allocator) Why(now cluster.Time, framework cluster.FrameworkID, role cluster.Role, need cluster.Resources) Why {
	c := a.tree.clients[clientKey{framework, role}]
	if c == nil || !c.subscribed {
		return Why{Unknown: true}
	}
	w := Why{Suppressed: c.suppressed}
	if c.mutedUntil > now {
		w.MutedUntil = c.mutedUntil
	}
	for _, g := range a.agents {
		if g.rec.State == cluster.AgentGone {
			continue
		}
		one := a.obstacle(now, c, g, need)
		if one.Obstacle == "" {
			w.Open++
			continue
		}
		i := slices.IndexFunc(w.Counts, func(n WhyCount) bool { return n.Obstacle == one.Obstacle })
		if i < 0 {
			i, w.Counts = len(w.Counts), append(w.Counts, WhyCount{Obstacle: one.Obstacle})
		}
		w.Counts[i].Agents++
		if len(w.Agents) < MaxWhyAgents {
			w.Agents = append(w.Agents, one)
		}
	}
	slices.SortStableFunc(w.Counts, func(x, y WhyCount) int { return y.Agents - x.Agents })
	return w
}

// obstacle is the first one on an agent; none when it will be offered.
func (a *Allocator) obstacle(now cluster.Time, c *client, g *agent, need cluster.Resources) WhyAgent {
	w := WhyAgent{Agent: g.rec.Info.ID, Hostname: g.rec.Info.Hostname, Obstacle: standing(g.rec)}
	if w.Obstacle != "" {
		return w
	}
	all := g.rec.FreePool()
	all.Reserved = all.Reserved.For(c.role)
	if short := cluster.Fits(all.Flat(), need); short != nil {
		w.Obstacle, w.Shortfalls = ObstacleResources, short
		return w
	}
	free := cluster.Pool{Open: g.free.Open, Reserved: g.free.Reserved.For(c.role)}
	if cluster.Fits(free.Flat(), need) != nil {
		w.Obstacle = ObstacleOffered
		for _, o := range g.offers {
			w.Until = max(w.Until, o.Deadline)
		}
		return w
	}
	p := a.open(c, g)
	if a.quotas.on() {
		if owed := a.guaranteed(c, g); owed.Missing(p) == nil {
			p = owed
		}
	}
	if until, refused := c.filtered(now, g, &p); refused {
		w.Obstacle, w.Until = ObstacleRefused, until
	} else if cluster.Fits(p.Flat(), need) != nil {
		w.Obstacle = ObstacleQuota
	} else if !a.worth(c, &p) {
		w.Obstacle = ObstacleMinimum
	}
	return w
}

// standing is why an agent is offered to nobody.
func standing(a *core.Agent) Obstacle {
	switch {
	case a.State == cluster.AgentUnreachable:
		return ObstacleUnreachable
	case a.Drain != nil:
		return ObstacleDraining
	case a.Deactivated:
		return ObstacleDeactivated
	case a.Shrunk:
		return ObstacleShrunk
	}
	return ""
}
