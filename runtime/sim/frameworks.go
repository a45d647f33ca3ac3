package sim

import (
	"reflect"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// framework is a built-in one: it answers offers by a pure function.
type framework struct {
	id     cluster.FrameworkID
	step   func(cluster.Time, *core.View, []cluster.Offer) sched.Result
	demand uint64
	kept   []cluster.Offer // that the latest step did not answer
}

func (s *Sim) builtin() []*framework {
	return []*framework{{id: service.Framework, step: s.remembering()}, {id: job.Framework, step: job.Step}}
}

// remembering is the step of the service framework with its memory, which must
// not change what it does.
func (s *Sim) remembering() func(cluster.Time, *core.View, []cluster.Offer) sched.Result {
	memory := new(service.Stepper)
	return func(now cluster.Time, view *core.View, offers []cluster.Offer) sched.Result {
		r := memory.Step(now, view, offers)
		if s.CheckEvery <= 1 {
			if without := service.Step(now, view, offers); !reflect.DeepEqual(r, without) {
				s.fail("at index %d the service framework asks for %v, and without its memory for %v", view.Index(), r, without)
			}
		}
		return r
	}
}

// schedule makes offers and lets the frameworks answer; what they ask for goes
// into the inbox.
func (m *master) schedule() {
	view, now := m.state.View(), m.sim.now
	m.stepped = now
	m.alloc.Expire(now)
	m.wake = 0
	results := make([]sched.Result, len(m.frameworks))
	subscribing := false
	for i, f := range m.frameworks {
		results[i] = f.step(now, view, nil)
		subscribing = m.subscribe(f, view, results[i].Wanted) || subscribing
		m.express(f, view, results[i])
	}
	if subscribing {
		return
	}
	made, rescinded := m.alloc.Cycle(now, view)
	m.callOn(made, rescinded)
	if m.sim.CheckEvery > 1 {
		// it is checked in small clusters
	} else if err := m.alloc.Check(view); err != nil {
		m.sim.fail("allocator at index %d: %v", view.Index(), err)
	}
	for i, f := range m.frameworks {
		kept := slices.DeleteFunc(f.kept, func(o cluster.Offer) bool {
			_, there := m.alloc.Offer(o.ID)
			return !there
		})
		offers := append(m.offersOf(f, kept), m.offersOf(f, made)...)
		if len(offers) > 0 {
			results[i] = f.step(now, view, offers)
		}
		f.kept = sched.Unanswered(offers, results[i].Calls)
		if w := results[i].Wake; w != 0 && (m.wake == 0 || w < m.wake) {
			m.wake = w
		}
		m.sim.judge(f, view, results[i].Calls)
		m.make(f, results[i].Calls)
	}
}

// subscribe subscribes a framework under all roles it wants, when it is not.
func (m *master) subscribe(f *framework, view *core.View, wanted []cluster.Role) bool {
	info := cluster.Framework{ID: f.id, Name: string(f.id), Roles: []cluster.Role{cluster.DefaultRole}}
	known := view.Framework(f.id)
	if known != nil {
		info.Roles = slices.Clone(known.Info.Roles)
	}
	missing := known == nil || !known.Connected
	for _, r := range wanted {
		if !slices.Contains(info.Roles, r) {
			info.Roles, missing = append(info.Roles, r), true
		}
	}
	if missing {
		m.submit(core.PutFramework{Framework: info, Principal: "master"}, nil)
	}
	return missing
}

// express tells the allocator under which roles a framework wants offers.
func (m *master) express(f *framework, view *core.View, r sched.Result) {
	known := view.Framework(f.id)
	if known == nil {
		return
	}
	fresh := r.Demand != f.demand
	f.demand = r.Demand
	for _, role := range known.Info.Roles {
		switch wanted := slices.Contains(r.Wanted, role); {
		case !wanted:
			m.alloc.Suppress(f.id, role)
		case fresh || m.alloc.Suppressed(f.id, role):
			m.alloc.Revive(f.id, role)
		}
	}
}

// offersOf picks a framework's offers. Those of agents without a session go back.
func (m *master) offersOf(f *framework, made []cluster.Offer) []cluster.Offer {
	var out []cluster.Offer
	for _, o := range made {
		switch {
		case o.Framework != f.id:
		case m.sessions[o.Agent.ID] == nil:
			m.decline(f, o.ID, masterTick)
		default:
			out = append(out, o)
		}
	}
	return out
}

// make makes a framework's calls.
func (m *master) make(f *framework, calls []sched.Call) {
	by := "framework:" + string(f.id)
	for _, call := range calls {
		switch c := call.(type) {
		case sched.Accept:
			m.accept(f, c, by)
		case sched.Decline:
			m.decline(f, c.Offer, c.RefuseFor)
		default:
			if cmd := sched.Command(c, by); cmd != nil {
				m.submit(cmd, nil)
			} else {
				m.sim.fail("%s makes a call that nobody knows: %T", f.id, c)
			}
		}
	}
}

func (m *master) accept(f *framework, c sched.Accept, by string) {
	offers, err := m.alloc.Take(f.id, c.Offers...)
	if err != nil {
		m.sim.fail("%s accepts what it was not offered: %v", f.id, err)
		return
	}
	cmd := core.AcceptOffers{Framework: f.id, Role: offers[0].Role, Agent: offers[0].Agent.ID, Tasks: c.Tasks,
		Operations: c.Operations, Places: c.Places, AllOrNone: len(c.Places) > 0, Principal: by}
	offer(&cmd, offers)
	m.submit(cmd, nil)
}

func (m *master) decline(f *framework, id cluster.OfferID, refuse cluster.Millis) {
	offers, err := m.alloc.Take(f.id, id)
	if err != nil {
		m.sim.fail("%s declines what it was not offered: %v", f.id, err)
		return
	}
	m.alloc.Decline(m.sim.now, offers[0], refuse)
}
