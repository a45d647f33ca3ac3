package sim

import (
	"slices"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Kind is how a framework outside the master behaves.
type Kind string

// The kinds of frameworks.
const (
	Greedy   Kind = "greedy"   // fills all it is offered, at once
	Refusing Kind = "refusing" // declines all, and now and then wants nothing
	Slow     Kind = "slow"     // answers so late that many offers are over
	Dead     Kind = "dead"     // subscribes and never says a word again
	Hoarding Kind = "hoarding" // holds offers until they are nearly over
	Lying    Kind = "lying"    // says what no honest framework says
	Stateful Kind = "stateful" // keeps volumes: reserves, creates, uses, destroys, unreserves
	Scripted Kind = "scripted" // does what a scenario says
)

// Kinds are all kinds of frameworks.
var Kinds = []Kind{Greedy, Refusing, Slow, Dead, Hoarding, Lying, Stateful, Scripted}

const (
	// guestFailover is how long the tasks of a framework that is away live on.
	guestFailover cluster.Millis = 60_000
	// guestSilence is how long the master bears a framework it cannot reach.
	guestSilence cluster.Millis = 15_000
	// maxResidents is how many tasks that never end a framework launches.
	maxResidents = 2
)

// guest is a framework outside the master, which speaks to it over the network.
type guest struct {
	sim  *Sim
	id   cluster.FrameworkID
	kind Kind
	role cluster.Role
	link link

	minted    int    // tasks named, over all lives
	residents int    // of them, those that never end
	volumes   int    // volumes named, over all lives
	kept      int    // of them, those it believes to be there
	rounds    int    // volumes it knows it destroyed
	reuse     bool   // names of volumes come again
	grouped   string // the latest group of a lie
	script    []line // of a scripted one, not done yet
	gone      bool

	up        bool
	life      int
	subscribe int // counts tries, over all lives
	session   string
	held      []cluster.Offer
}

// AddFramework starts a framework of a kind under a role.
func (s *Sim) AddFramework(id cluster.FrameworkID, kind Kind, role cluster.Role) *guest {
	g := &guest{sim: s, id: id, kind: kind, role: role}
	s.guests = append(s.guests, g)
	g.start()
	return g
}

// guest gives a framework, nil when there is none of that id.
func (s *Sim) guest(id cluster.FrameworkID) *guest {
	for _, g := range s.guests {
		if g.id == id {
			return g
		}
	}
	return nil
}

// CrashFramework ends a framework's program, which comes back after down and
// has forgotten its offers.
func (s *Sim) CrashFramework(id cluster.FrameworkID, down cluster.Millis) {
	if g := s.guest(id); g != nil && g.up && !g.gone {
		g.up, g.session, g.held = false, "", nil
		g.life++
		s.tracef("framework %s goes down for %d ms", id, down)
		s.after(down, g.start)
	}
}

// Teardown ends all frameworks outside the master for good, with their tasks.
func (s *Sim) Teardown() {
	for _, g := range s.guests {
		if !g.gone {
			g.gone, g.up = true, false
			g.life++
			s.Want(core.RemoveFramework{Framework: g.id, Principal: string(g.id)})
		}
	}
	if !s.tidying {
		s.tidying = true
		s.tidy()
	}
}

// tidyEvery is the time between two looks of the operator who takes back what
// frameworks reserved that are gone.
const tidyEvery cluster.Millis = 5_000

// tidy destroys volumes and takes back reservations that no task holds, as an
// operator does, again and again: what a task holds becomes free.
func (s *Sim) tidy() {
	for a := range s.View().Agents() {
		if len(s.wants) > 0 {
			break
		}
		var ops []cluster.Operation
		for _, r := range a.Reserved.Minus(a.Held) {
			if r.Stack[0].Static && len(r.Stack) == 1 || s.isPlaceRole(r.Stack.Role()) {
				continue
			}
			for i := range r.Volumes {
				ops = append(ops, cluster.Operation{Kind: cluster.OpDestroy, Stack: r.Stack, Volume: &r.Volumes[i]})
			}
			ops = append(ops, cluster.Operation{Kind: cluster.OpUnreserve, Stack: r.Stack, Resources: r.Flat()})
		}
		if len(ops) > 0 && a.State != cluster.AgentGone {
			s.Want(core.OperateAgent{Agent: a.Info.ID, Operations: ops, Principal: "operator"})
		}
	}
	s.after(tidyEvery, s.tidy)
}

// isPlaceRole reports whether a role is that of a service's places, which their
// service alone gives up.
func (s *Sim) isPlaceRole(r cluster.Role) bool {
	for id := range s.services {
		if strings.HasSuffix(string(r), "/"+string(id)) {
			return true
		}
	}
	return false
}

func (g *guest) start() {
	if g.gone || g.up {
		return
	}
	g.up = true
	g.life++
	g.open()
	if g.kind != Dead {
		g.beat()
	}
}

// beat calls the master now and then, and so learns that it does not know the
// framework any more.
func (g *guest) beat() {
	if g.session != "" {
		g.call(func(*master) {})
	}
	g.later(cluster.HeartbeatEvery, g.beat)
}

// later plans something for this life of the program.
func (g *guest) later(d cluster.Millis, do func()) {
	life := g.life
	g.sim.after(d, func() {
		if g.up && g.life == life {
			do()
		}
	})
}

// open subscribes, again and again until the master confirms.
func (g *guest) open() {
	if g.session != "" {
		return
	}
	g.subscribe++
	n := g.subscribe
	g.sim.send(&g.link, up, func() { g.sim.master.subscribeGuest(g, n) })
	g.later(g.sim.between(5_000, 10_000), g.open)
}

// subscribed is the master's confirmation of the n-th try.
func (g *guest) subscribed(n int, session string) {
	if g.up && n == g.subscribe {
		g.session, g.held = session, nil
	}
}

// stale says that the master does not know the session.
func (g *guest) stale(session string) {
	if g.up && g.session == session {
		g.session = ""
		g.open()
	}
}

// call sends something to the master under the session.
func (g *guest) call(do func(m *master)) {
	session := g.session
	g.sim.send(&g.link, up, func() {
		m := g.sim.master
		switch {
		case !m.up || g.gone:
		case m.visits[g.id] == nil || m.visits[g.id].session != session:
			g.sim.send(&g.link, down, func() { g.stale(session) })
		default:
			do(m)
		}
	})
}

// rescinded takes an offer back.
func (g *guest) rescinded(id cluster.OfferID) {
	g.held = slices.DeleteFunc(g.held, func(o cluster.Offer) bool { return o.ID == id })
}

// offered is an offer that came.
func (g *guest) offered(session string, o cluster.Offer) {
	if !g.up || g.session != session {
		return
	}
	s := g.sim
	switch g.kind {
	case Greedy:
		g.later(s.between(0, 500), func() { g.fill(o) })
	case Refusing:
		g.later(s.between(0, 1000), func() { g.refuse(o) })
	case Slow:
		g.later(s.between(5_000, 90_000), func() { g.one(o) })
	case Hoarding:
		g.held = append(g.held, o)
		g.later(max(0, o.Deadline.Sub(s.now)-s.between(0, 2000)), func() { g.release(o) })
	case Scripted:
		g.later(s.between(0, 10), func() { g.perform(o) })
	case Stateful:
		g.later(s.between(0, 2000), func() { g.keep(o) })
	case Lying:
		g.later(s.between(0, 2000), func() { g.lie(o) })
	}
}
