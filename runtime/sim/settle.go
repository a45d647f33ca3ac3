package sim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// Heal ends all faults: links are mended, agents that were drained are taken
// back, and what is down comes back by itself.
func (s *Sim) Heal() {
	s.faults = Faults{}
	s.mend()
	for _, a := range s.agents {
		s.Want(core.ReactivateAgent{Agent: a.id, Principal: "operator"})
	}
	s.tracef("all faults end")
}

// Settle lets time pass until the cluster is what is wanted; when it is not
// after within, the error says what is amiss.
func (s *Sim) Settle(within cluster.Millis) error {
	end := s.now.Add(within)
	for {
		err := s.Settled()
		if s.err != nil {
			return s.err
		}
		if err == nil {
			return nil
		}
		if s.now >= end {
			s.fail("not settled after %d s: %v", within/1000, err)
			return s.err
		}
		s.Advance(1000)
	}
}

// Settled says what is not yet as it is wanted: every service and no other is
// there and complete, every run has ended, what runs is what the master knows of,
// and nothing is held that nobody uses.
func (s *Sim) Settled() error {
	if !s.master.up {
		return fmt.Errorf("the master is down")
	}
	if len(s.wants) > 0 {
		return fmt.Errorf("%d commands are not answered", len(s.wants))
	}
	v := s.View()
	for _, id := range slices.Sorted(maps.Keys(s.services)) {
		if err := s.settledService(v, id); err != nil {
			return err
		}
	}
	for svc := range v.Services() {
		if _, wanted := s.services[svc.Spec.ID]; !wanted {
			return fmt.Errorf("service %s is there and nobody asked for it", svc.Spec.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.runs)) {
		if r := v.Run(id); r != nil && !r.State.Final() {
			return fmt.Errorf("run %s is %s: %s", id, r.State, r.Message)
		}
	}
	guests := s.guestsLeft()
	for _, a := range s.agents {
		if err := a.settled(v, guests); err != nil {
			return fmt.Errorf("agent %s: %w", a.id, err)
		}
	}
	if len(guests) > 0 {
		return nil // what they hold changes all the time
	}
	for _, g := range s.guests {
		if v.Framework(g.id) != nil {
			return fmt.Errorf("framework %s is still there", g.id)
		}
	}
	if s.tidying {
		for _, a := range s.agents {
			if err := s.bare(a, v); err != nil {
				return fmt.Errorf("agent %s: %w", a.id, err)
			}
		}
	}
	if s.emptying {
		if err := s.emptied(v); err != nil {
			return err
		}
	}
	if n := s.master.alloc.Outstanding(); n != 0 {
		return fmt.Errorf("%d offers are outstanding, though the frameworks answer at once", n)
	}
	return nil
}

// bare says what is left on an agent of what frameworks reserved and wrote.
func (s *Sim) bare(a *agent, v *core.View) error {
	// A service of such a role may use some of it: then it stays.
	rec := v.Agent(a.id)
	left := rec.Reserved.Minus(rec.Held).Minus(a.info.Reserved)
	n := a.volumeNames()
	if !s.emptying { // services keep places
		left = slices.DeleteFunc(left, func(r cluster.Reserved) bool { return s.isPlaceRole(r.Stack.Role()) })
		n = slices.DeleteFunc(n, func(n cluster.VolumeName) bool { return s.custody.born[place{a.id, n}] != 0 })
	}
	if len(left) > 0 {
		return fmt.Errorf("%s is reserved for roles, and their frameworks are gone", left.Flat())
	}
	if len(n) > 0 {
		return fmt.Errorf("it has data of %d volumes that are not there, %s of role %s", len(n), n[0].ID, n[0].Role)
	}
	return nil
}

// guestsLeft are the frameworks outside the master that were not torn down.
func (s *Sim) guestsLeft() map[cluster.FrameworkID]bool {
	out := map[cluster.FrameworkID]bool{}
	for _, g := range s.guests {
		if !g.gone {
			out[g.id] = true
		}
	}
	return out
}

func (s *Sim) settledService(v *core.View, id cluster.ServiceID) error {
	st, ok := service.StatusOf(s.now, v, id)
	switch {
	case !s.services[id] && ok:
		return fmt.Errorf("service %s is still there, %s", id, st.State)
	case !s.services[id]:
		return nil
	case !ok:
		return fmt.Errorf("service %s is not there", id)
	case !s.answering && len(answers(&st)) > 0 && len(st.Leftover) == 0:
		return s.planned(&st) // it waits for a person
	case len(st.Leftover) == 0 && s.mayWait(v, &v.Service(id).Spec, st):
		return nil
	case st.State != service.ServiceRunning || st.Ready != st.Total || len(st.Leftover) > 0:
		return fmt.Errorf("service %s is %s, %d of %d ready, %d left over: %s", id, st.State, st.Ready, st.Total, len(st.Leftover), waiting(st))
	}
	return s.planned(&st)
}

// mayWait reports whether a service may wait for what it waits for. One that is
// preemptible may wait for room, which services of a higher priority have, and
// for offers that others get, whose share is smaller, or that are kept back for
// a guarantee. A gang may wait for offers as long as others are there: each gets
// some, and it needs many at once; what is kept for it nobody else gets.
func (s *Sim) mayWait(v *core.View, spec *cluster.ServiceSpec, st service.Status) bool {
	others := len(s.guestsLeft()) > 0
	gang := false
	for svc := range v.Services() {
		gang = gang || slices.ContainsFunc(svc.Spec.Pods, func(p cluster.PodSpec) bool { return p.Gang })
	}
	for range v.Quotas() {
		others = others || spec.Preemptible
	}
	return (spec.Preemptible || gang && others) && givesWay(st, others)
}

// givesWay reports whether all that a service lacks waits for room, or for
// offers where others get some.
func givesWay(st service.Status, others bool) bool {
	waits := false
	for _, p := range st.Pods {
		for _, in := range p.Instances {
			switch {
			case in.Ready:
			case in.State == service.StateReady && in.Outdated:
				// its turn comes after those that wait
			case in.State != service.StateWaiting || in.Why == nil:
				return false
			case in.Why.Reason == service.WhyTurn || in.Why.Reason == service.WhyPhase:
				// behind one that is seen here, too
			case in.Why.Reason != service.WhyResources && (in.Why.Reason != service.WhyOffer || !others):
				return false
			default:
				waits = true
			}
		}
	}
	return waits
}

// waiting says what the instances of a service wait for.
func waiting(st service.Status) string {
	out := ""
	for _, p := range st.Pods {
		for _, in := range p.Instances {
			if !in.Ready {
				out += fmt.Sprintf(" %s is %s on %s (%s)", in.Name, in.State, in.Agent, in.WhyText)
			}
		}
	}
	return out
}

// settled says where an agent and the master do not agree. Of the tasks of
// guests, which come and go, it says nothing.
func (a *agent) settled(v *core.View, guests map[cluster.FrameworkID]bool) error {
	rec := v.Agent(a.id)
	if rec == nil || rec.State != cluster.AgentActive || !a.up || a.session == "" {
		return fmt.Errorf("it is not in touch")
	}
	for _, t := range a.order {
		if guests[t.spec.Framework] {
			continue
		}
		known := v.Task(t.spec.ID)
		switch {
		case len(t.outbox) > 0:
			return fmt.Errorf("task %s: %d reports are not acknowledged", t.spec.ID, len(t.outbox))
		case known == nil || !known.Active():
			return fmt.Errorf("task %s runs and nobody wants it", t.spec.ID)
		case t.killing || known.Killing:
			return fmt.Errorf("task %s is ending", t.spec.ID)
		case known.Status.State != t.status.State || known.Status.Ready != t.status.Ready:
			return fmt.Errorf("task %s is %s, the master thinks %s", t.spec.ID, t.status.State, known.Status.State)
		}
	}
	if len(guests) == 0 && rec.Tasks != len(a.order) {
		return fmt.Errorf("the master knows of %d tasks, it has %d", rec.Tasks, len(a.order))
	}
	return nil
}
