package master

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// resident is a framework inside the master: it answers offers by a pure function.
type resident struct {
	id   cluster.FrameworkID
	name string
	step func(cluster.Time, *core.View, []cluster.Offer) sched.Result

	demand uint64          // of the latest step
	kept   []cluster.Offer // that the latest step did not answer
}

// builtin is the allocator and the frameworks inside the master. They have no
// private door: they subscribe, get offers and accept them by the commands that
// any framework uses.
type builtin struct {
	alloc      *alloc.Allocator
	frameworks []*resident
	wake       cluster.Time // when a framework wants to be stepped; 0: never
}

func newBuiltin() *builtin {
	seed := make([]byte, 12)
	_, _ = rand.Read(seed) // never fails (crypto/rand since Go 1.24)
	return &builtin{
		alloc: alloc.New(alloc.Config{Name: hex.EncodeToString(seed[:4]), Seed: binary.LittleEndian.Uint64(seed[4:])}),
		frameworks: []*resident{
			{id: service.Framework, name: "services", step: new(service.Stepper).Step},
			{id: job.Framework, name: "jobs", step: job.Step},
		},
	}
}

// refuseAway is for how long offers of an agent without a session are refused:
// a master that was restarted knows agents which are not back yet.
const refuseAway = alloc.DefaultInterval

// schedule makes offers and lets the frameworks answer. What they ask for is the
// next round's.
func (l *loop) schedule() []request {
	b, view, t := l.built, l.state.View(), l.m.Now()
	l.rescind(b.alloc.Expire(t))
	b.wake = 0
	results := make([]sched.Result, len(b.frameworks))
	var own []request
	for i, f := range b.frameworks {
		results[i] = f.step(t, view, nil)
		own = append(own, f.subscribe(view, results[i].Wanted)...)
		b.express(f, view, results[i])
	}
	if len(own) > 0 {
		return own // subscribed first: offers come in the next round
	}
	made, rescinded := b.alloc.Cycle(t, view)
	l.rescind(rescinded)
	l.give(made, t)
	for i, f := range b.frameworks {
		offers := append(l.offersOf(f, l.built.outstanding(f.kept), t), l.offersOf(f, made, t)...)
		if len(offers) > 0 {
			results[i] = f.step(t, view, offers)
		}
		f.kept = sched.Unanswered(offers, results[i].Calls)
		if w := results[i].Wake; w != 0 && (b.wake == 0 || w < b.wake) {
			b.wake = w
		}
		own = append(own, l.makeCalls(f, results[i].Calls, t)...)
	}
	return own
}

// express tells the allocator under which roles a framework wants offers.
func (b *builtin) express(f *resident, view *core.View, r sched.Result) {
	known := view.Framework(f.id)
	if known == nil {
		return
	}
	fresh := r.Demand != f.demand
	f.demand = r.Demand
	for _, role := range known.Info.Roles {
		switch _, wanted := slices.BinarySearch(r.Wanted, role); {
		case !wanted:
			b.alloc.Suppress(f.id, role)
		case fresh || b.alloc.Suppressed(f.id, role):
			b.alloc.Revive(f.id, role)
		}
	}
}

// outstanding is those of the offers that were not withdrawn.
func (b *builtin) outstanding(offers []cluster.Offer) []cluster.Offer {
	return slices.DeleteFunc(offers, func(o cluster.Offer) bool {
		_, there := b.alloc.Offer(o.ID)
		return !there
	})
}

// offersOf picks a framework's offers. Those of agents that are away go back.
func (l *loop) offersOf(f *resident, made []cluster.Offer, t cluster.Time) []cluster.Offer {
	var out []cluster.Offer
	for _, o := range made {
		if o.Framework != f.id {
			continue
		}
		if !l.m.sessions.connected(o.Agent.ID) {
			l.decline(f.id, o.ID, refuseAway, t)
			continue
		}
		out = append(out, o)
	}
	return out
}

// makeCalls makes a framework's calls: at once where they touch offers only, as
// commands of the next round where they change the state.
func (l *loop) makeCalls(f *resident, calls []sched.Call, t cluster.Time) []request {
	var own []request
	by := "framework:" + string(f.id)
	for _, call := range calls {
		switch c := call.(type) {
		case sched.Accept:
			own = append(own, l.accept(f.id, c, by)...)
		case sched.Decline:
			l.decline(f.id, c.Offer, c.RefuseFor, t)
		default:
			cmd := sched.Command(c, by)
			if cmd == nil {
				l.m.log.Error("unknown call of a framework", "framework", f.id, "call", fmt.Sprintf("%T", c))
				continue
			}
			own = append(own, request{cmd: cmd, own: true})
		}
	}
	return own
}

func (l *loop) accept(id cluster.FrameworkID, c sched.Accept, by string) []request {
	offers, err := l.built.alloc.Take(id, c.Offers...)
	if err != nil {
		l.m.log.Warn("offers not accepted", "framework", id, "err", err)
		return nil
	}
	cmd := core.AcceptOffers{Framework: id, Role: offers[0].Role, Agent: offers[0].Agent.ID, Tasks: c.Tasks,
		Operations: c.Operations, Places: c.Places, AllOrNone: len(c.Places) > 0, Principal: by}
	pool := poolOf(offers)
	cmd.Offered, cmd.OfferedReserved = pool.Open, pool.Reserved
	return []request{{cmd: cmd, own: true}}
}

// poolOf is all that offers of one agent hold.
func poolOf(offers []cluster.Offer) (p cluster.Pool) {
	for i := range offers {
		p = p.Plus(offers[i].Pool())
	}
	return p
}

func (l *loop) decline(id cluster.FrameworkID, offer cluster.OfferID, refuse cluster.Millis, t cluster.Time) {
	offers, err := l.built.alloc.Take(id, offer)
	if err != nil {
		l.m.log.Warn("offer not declined", "framework", id, "offer", offer, "err", err)
		return
	}
	l.built.alloc.Decline(t, offers[0], refuse)
}
