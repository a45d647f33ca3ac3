package core

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// places sees that places, reservations and what tasks hold agree.
func (c *checker) places() error {
	n := 0
	for svc := range c.v.Services() {
		if c.v.Leftover(svc.Spec.ID) != nil {
			return fmt.Errorf("service %q is there beside its leftovers", svc.Spec.ID)
		}
		n += len(svc.Places)
		if err := c.placesOf(svc.Spec.ID, svc.Places); err != nil {
			return fmt.Errorf("service %q: %w", svc.Spec.ID, err)
		}
		if why := keepsVolumes(svc.Places, &svc.Spec, &svc.Spec); why != "" {
			return fmt.Errorf("service %q: %s", svc.Spec.ID, why)
		}
	}
	for l := range c.v.Leftovers() {
		n += len(l.Places)
		if err := c.placesOf(l.Service, l.Places); err != nil || len(l.Places) == 0 {
			return fmt.Errorf("%d leftovers of %q: %w", len(l.Places), l.Service, err)
		}
	}
	if n != c.v.placed.n {
		return fmt.Errorf("%d places, the index has %d", n, c.v.placed.n)
	}
	for a := range c.v.Agents() {
		if err := c.placesOn(a); err != nil {
			return fmt.Errorf("agent %q: %w", a.Info.ID, err)
		}
	}
	return nil
}

func (c *checker) placesOf(service cluster.ServiceID, places map[string]*cluster.Place) error {
	for _, k := range sortedKeys(places) {
		p := places[k]
		if _, _, ok := splitInstance(k); !ok {
			return fmt.Errorf("a place has the name %q", k)
		}
		if o, _ := c.v.placed.get(placedKey(p.Agent, service, k)); o.Place != p {
			return fmt.Errorf("the index of places has another record for %q", k)
		}
		if c.v.Agent(p.Agent) == nil {
			return fmt.Errorf("the place of %q is on agent %q, which is not there", k, p.Agent)
		}
	}
	return nil
}

// placesOn adds up what places take and tasks hold of an agent's reservations.
func (c *checker) placesOn(a *Agent) error {
	if a.State == cluster.AgentGone {
		return nil
	}
	var sum cluster.Reserves
	volumes := map[string]bool{}
	own := map[string]cluster.Reserves{}
	for p := range c.v.AgentPlaces(a.Info.ID) {
		took := taken(p.Place)
		if sum.Of(p.Place.Stack).Resources.Overlaps(p.Place.Resources) {
			return fmt.Errorf("the place of %s of %q shares a port, number or item with another one", p.Instance, p.Service)
		}
		for _, v := range p.Place.Volumes {
			if volumes[v.ID] {
				return fmt.Errorf("volume %q is of two places", v.ID)
			}
			volumes[v.ID] = true
		}
		sum = sum.Plus(took)
		own[key(string(p.Service), p.Instance)] = took
	}
	if len(own) == 0 {
		return nil
	}
	others := sum
	for t := range c.v.AgentTasks(a.Info.ID) {
		if len(t.Spec.Reserved) == 0 {
			continue
		}
		k := key(string(t.Spec.Service), InstanceKey(t.Spec.Pod, t.Spec.Index))
		mine, ok := own[k]
		if !ok || t.Spec.Run != "" {
			if sum.Flat().Overlaps(t.Spec.Reserved.Flat()) {
				return fmt.Errorf("task %q holds a port, number or item of a place that is not its own", t.Spec.ID)
			}
			others = others.Plus(t.Spec.Reserved)
			continue
		}
		if short := (cluster.Pool{Reserved: mine}).Missing(cluster.Pool{Reserved: t.Spec.Reserved}); short != nil {
			return fmt.Errorf("task %q holds more than its place has: %s", t.Spec.ID, short[0])
		}
		own[k] = mine.Minus(t.Spec.Reserved)
	}
	if short := (cluster.Pool{Reserved: a.Reserved}).Missing(cluster.Pool{Reserved: others}); short != nil {
		return fmt.Errorf("its places, and tasks without one, have more than is reserved: %s", short[0])
	}
	return nil
}

// service sees that the plans and the history of a service hold together.
func (c *checker) service(svc *Service) error {
	if svc.Generation < 1 || svc.Settled > svc.Generation || svc.NoReturn > svc.Generation || len(svc.History) > MaxHistory {
		return fmt.Errorf("generation %d, settled %d, no return before %d, %d of before", svc.Generation, svc.Settled, svc.NoReturn, len(svc.History))
	}
	last := int64(0)
	for _, r := range svc.History {
		if r.Generation <= last || r.Generation >= svc.Generation {
			return fmt.Errorf("generation %d of its history is out of order", r.Generation)
		}
		last = r.Generation
	}
	if svc.KeepData && !svc.Removing {
		return fmt.Errorf("its data is kept and it is not being removed")
	}
	changing := 0
	for _, name := range sortedKeys(svc.Plans) {
		p := svc.Plans[name]
		if _, ok := svc.Spec.Phases(name); !ok || p.Started > c.v.index || p.Generation > svc.Generation {
			return fmt.Errorf("plan %q started at %d for generation %d cannot be", name, p.Started, p.Generation)
		}
		if ofChange(name) && p.Running() {
			changing++
			if p.Generation != svc.Generation {
				return fmt.Errorf("plan %q leads to generation %d of before", name, p.Generation)
			}
		}
	}
	if (changing == 1) != svc.Changing() || changing > 1 {
		return fmt.Errorf("%d plans of its change are under way; changing: %t", changing, svc.Changing())
	}
	return nil
}

// step sees that what must run once does.
func (c *checker) step(r *Run) error {
	ps := r.Spec.Plan
	if ps == nil || r.Canceled {
		return nil
	}
	k := key("step", string(r.Spec.Service), ps.Plan, ps.Key)
	if other := c.slots[k]; other != "" {
		return fmt.Errorf("it and %q run the same step of a plan", other)
	}
	c.slots[k] = cluster.TaskID(r.Spec.ID)
	p := c.v.Service(r.Spec.Service).Plans[ps.Plan]
	if p == nil || p.Started != ps.Started {
		return fmt.Errorf("its plan is not the one that goes on, and it was not canceled")
	}
	if p.Complete(ps.Key) {
		return fmt.Errorf("its step is complete")
	}
	return nil
}
