package sim

import (
	"fmt"
	"slices"

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
)

// Kinds are all kinds of frameworks.
var Kinds = []Kind{Greedy, Refusing, Slow, Dead, Hoarding, Lying}

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

	minted    int // tasks named, over all lives
	residents int // of them, those that never end
	gone      bool

	up        bool
	life      int
	subscribe int // counts tries, over all lives
	session   string
	held      []cluster.Offer
}

// AddFramework starts a framework of a kind under a role.
func (s *Sim) AddFramework(id cluster.FrameworkID, kind Kind, role cluster.Role) {
	g := &guest{sim: s, id: id, kind: kind, role: role}
	s.guests = append(s.guests, g)
	g.start()
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
}

func (g *guest) start() {
	if g.gone || g.up {
		return
	}
	g.up = true
	g.life++
	g.open()
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
	case Lying:
		g.later(s.between(0, 2000), func() { g.lie(o) })
	}
}

// task names a task that ends by itself.
func (g *guest) task(need cluster.Resources) cluster.TaskSpec {
	g.minted++
	return cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("%s.t%d", g.id, g.minted)), Name: "t", Framework: g.id, Role: g.role,
		Task: "t", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "r/i@sha256:42"}, Resources: need}
}

func (g *guest) accept(tasks []cluster.TaskSpec, offers ...cluster.OfferID) {
	g.call(func(m *master) { m.acceptGuest(g, offers, tasks) })
}

func (g *guest) decline(o cluster.Offer, refuse cluster.Millis) {
	g.call(func(m *master) { m.declineGuest(g, o.ID, refuse) })
}

// fill launches as many tasks of one core as there is room for.
func (g *guest) fill(o cluster.Offer) {
	need, left := cluster.Resources{CPU: 1000, Mem: 512 << 20}, o.Resources
	var tasks []cluster.TaskSpec
	for cluster.Fits(left, need) == nil && len(tasks) < core.MaxTasksPerAccept {
		tasks, left = append(tasks, g.task(need)), left.Minus(need)
	}
	if len(tasks) == 0 {
		g.decline(o, -1)
		return
	}
	g.accept(tasks, o.ID)
}

// one launches a single small task, which never ends as long as the framework
// has few of those.
func (g *guest) one(o cluster.Offer) {
	t := g.task(cluster.Resources{CPU: 100, Mem: 64 << 20})
	if g.residents < maxResidents {
		g.residents++
		t.Goal = cluster.GoalRunning
	}
	g.accept([]cluster.TaskSpec{t}, o.ID)
}

func (g *guest) refuse(o cluster.Offer) {
	g.decline(o, g.sim.between(-1, 120_000))
	if g.sim.chance(0.1) {
		g.call(func(m *master) { m.alloc.Suppress(g.id) })
		g.later(g.sim.between(1_000, 60_000), func() { g.call(func(m *master) { m.alloc.Revive(g.id) }) })
	}
}

// release uses an offer that was held, or lets it run out.
func (g *guest) release(o cluster.Offer) {
	if !slices.ContainsFunc(g.held, func(h cluster.Offer) bool { return h.ID == o.ID }) {
		return
	}
	g.rescinded(o.ID)
	if g.sim.chance(0.5) {
		g.one(o)
	}
}

// lie answers an offer as only a broken or hostile framework does.
func (g *guest) lie(o cluster.Offer) {
	t := g.task(cluster.Resources{CPU: 100, Mem: 64 << 20})
	switch g.sim.between(0, 10) {
	case 0: // twice, under two names
		g.accept([]cluster.TaskSpec{t}, o.ID)
		g.accept([]cluster.TaskSpec{g.task(t.Resources)}, o.ID)
	case 1: // the same offer twice in one
		g.accept([]cluster.TaskSpec{t}, o.ID, o.ID)
	case 2: // what was never offered
		g.accept([]cluster.TaskSpec{t}, "no-such-offer")
	case 3:
		t.Role = "other"
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 4:
		t.Framework = "services"
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 5:
		t.Resources = cluster.Resources{CPU: -1 << 62, Mem: -1, Disk: -1 << 63}
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 6: // together they are more than an int64 holds
		t.Resources = cluster.Resources{CPU: 1<<63 - 1, Mem: 1<<63 - 1, Disk: 1<<63 - 1}
		u := t
		u.ID += "x"
		g.accept([]cluster.TaskSpec{t, u}, o.ID)
	case 7: // somebody else's task
		for other := range g.sim.View().Tasks() {
			t.ID = other.Spec.ID
		}
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 8: // a port that is not among those it claims
		t.Ports = map[string]uint16{"http": 31001}
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 9: // each fits, both do not
		t.Resources = cluster.Resources{CPU: o.Resources.CPU, Mem: o.Resources.Mem}
		g.accept([]cluster.TaskSpec{t, g.task(t.Resources)}, o.ID)
	default:
		t.Service, t.Pod, t.Run = "s0", "head", "r1"
		g.accept([]cluster.TaskSpec{t}, o.ID)
	}
}
