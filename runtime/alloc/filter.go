package alloc

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// filter is one refusal.
type filter struct {
	refused *cluster.Pool // shared by the refusals of one agent that are of the same amount
	until   cluster.Time
}

// slot is what one client refused on one agent. An agent keeps its slots side
// by side, in the order of the clients' numbers: a cycle asks all clients about
// one agent after the other.
type slot struct {
	epoch uint64 // the client's, when it refused; another one voids the slot
	last  filter
	more  []filter
}

// filtered reports whether the client refused an amount on an agent: some
// refusal that still holds covers all of it. More passes. It also gives when
// that is over.
func (c *client) filtered(now cluster.Time, g *agent, p *cluster.Pool) (until cluster.Time, hit bool) {
	if c.number >= len(g.slots) || g.slots[c.number].epoch != c.epoch {
		return 0, false
	}
	s := &g.slots[c.number]
	if s.last.until > now && s.last.refused.Missing(*p) == nil {
		until, hit = s.last.until, true
	}
	for _, f := range s.more {
		if f.until > now && f.until > until && f.refused.Missing(*p) == nil {
			until, hit = f.until, true
		}
	}
	return until, hit
}

// refuse adds a refusal of a client; those it makes needless, and those that
// are over, go.
func (g *agent) refuse(c *client, refused cluster.Pool, until, now cluster.Time) {
	if g.refused == nil || !g.refused.Equal(refused) {
		g.refused = &refused
	}
	if c.number >= len(g.slots) {
		g.slots = append(g.slots, make([]slot, c.number+1-len(g.slots))...)
	}
	s := &g.slots[c.number]
	f := filter{refused: g.refused, until: until}
	if s.epoch != c.epoch {
		*s = slot{epoch: c.epoch, last: f}
		return
	}
	needless := func(o filter) bool {
		return o.until <= now || o.until <= f.until && f.refused.Missing(*o.refused) == nil
	}
	s.more = slices.DeleteFunc(s.more, needless)
	if !needless(s.last) {
		s.more = append(s.more, s.last)
	}
	if len(s.more) >= MaxFilters {
		s.more = slices.Delete(s.more, 0, len(s.more)+1-MaxFilters)
	}
	s.last = f
}
