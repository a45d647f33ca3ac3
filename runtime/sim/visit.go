package sim

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// visit is the session of a framework outside the master.
type visit struct {
	session string
	heard   cluster.Time // when the way to it was last whole
}

// subscribeGuest takes a framework in, or in again.
func (m *master) subscribeGuest(g *guest, n int) {
	if !m.up || g.gone {
		return
	}
	info := cluster.Framework{ID: g.id, Name: string(g.id), Principal: string(g.id), Roles: []cluster.Role{g.role}, FailoverTimeout: guestFailover}
	m.submit(core.PutFramework{Framework: info, Principal: string(g.id)}, func(ev []core.Event) {
		if core.Refused(ev) != nil {
			return
		}
		v := &visit{session: fmt.Sprintf("%d-%d", m.life, m.state.Index()), heard: m.sim.now}
		m.visits[g.id] = v
		m.sim.send(&g.link, down, func() { g.subscribed(n, v.session) })
	})
}

// callOn sends the offers that were made and rescinded to those they are for.
// An offer for a framework that has no session runs out by itself.
func (m *master) callOn(made, rescinded []cluster.Offer) {
	m.offered = slices.DeleteFunc(m.offered, func(o cluster.Offer) bool {
		_, outstanding := m.alloc.Offer(o.ID)
		return !outstanding
	})
	for _, o := range made {
		if m.sim.guest(o.Framework) != nil {
			m.offered = append(m.offered, o)
		}
	}
	for _, g := range m.sim.guests {
		v := m.visits[g.id]
		if v == nil {
			continue
		}
		for _, o := range made {
			if o.Framework == g.id {
				m.sim.send(&g.link, down, func() { g.offered(v.session, o) })
			}
		}
		for _, o := range rescinded {
			if o.Framework == g.id {
				m.sim.send(&g.link, down, func() { g.rescinded(o.ID) })
			}
		}
	}
}

// visitors gives up on the connections of frameworks that cannot be reached.
func (m *master) visitors() {
	for f := range m.state.View().Frameworks() {
		g := m.sim.guest(f.Info.ID)
		if g == nil || f.Removing {
			continue
		}
		v := m.visits[g.id]
		if v != nil && g.up && g.link.cut == ([2]bool{}) {
			v.heard = m.sim.now
		}
		heard := m.started
		if v != nil {
			heard = v.heard
		}
		if f.Connected && m.sim.now.Sub(heard) > guestSilence {
			delete(m.visits, g.id)
			m.submit(core.DisconnectFramework{Framework: g.id, Principal: "master"}, nil)
		}
	}
}

// acceptance is what a framework makes of offers.
type acceptance struct {
	operations []cluster.Operation
	tasks      []cluster.TaskSpec
	allOrNone  bool
}

// acceptGuest is an acceptance as it came over the network: whatever it says.
func (m *master) acceptGuest(g *guest, ids []cluster.OfferID, a acceptance) {
	offers, err := m.alloc.Take(g.id, ids...)
	if err != nil {
		m.sim.tracef("%s: %v", g.id, err)
		return
	}
	cmd := core.AcceptOffers{Framework: g.id, Role: offers[0].Role, Agent: offers[0].Agent.ID, Operations: a.operations, Tasks: a.tasks,
		AllOrNone: a.allOrNone, Principal: string(g.id)}
	offer(&cmd, offers)
	m.submit(cmd, func(events []core.Event) {
		m.giveBack(&cmd, offers[0], events)
		if did := done(cmd.Operations, events); len(did) > 0 {
			m.sim.send(&g.link, down, func() { g.told(did) })
		}
	})
}

// giveBack keeps what an acceptance left from being offered again at once.
func (m *master) giveBack(cmd *core.AcceptOffers, rest cluster.Offer, events []core.Event) {
	pool := cluster.Pool{Open: cmd.Offered, Reserved: cmd.OfferedReserved}
	for _, o := range done(cmd.Operations, events) {
		if after, err := pool.Do(o); err == nil {
			pool = after
		}
	}
	for i := range events {
		if events[i].Kind == core.EventTaskLaunched {
			t := slices.IndexFunc(cmd.Tasks, func(t cluster.TaskSpec) bool { return t.ID == events[i].Task })
			pool = pool.Minus(cmd.Tasks[t].Pool())
		}
	}
	rest.Resources, rest.Reserved = pool.Open, pool.Reserved
	m.alloc.Decline(m.sim.now, rest, -1)
}

// offer says in an acceptance what was offered.
func offer(cmd *core.AcceptOffers, offers []cluster.Offer) {
	var sum cluster.Pool
	for i := range offers {
		sum = sum.Plus(offers[i].Pool())
	}
	cmd.Offered, cmd.OfferedReserved = sum.Open, sum.Reserved
}

// declineGuest is a refusal as it came over the network.
func (m *master) declineGuest(g *guest, id cluster.OfferID, refuse cluster.Millis) {
	if offers, err := m.alloc.Take(g.id, id); err == nil {
		m.alloc.Decline(m.sim.now, offers[0], refuse)
	}
}
