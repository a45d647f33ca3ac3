package core

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// PlaceOf is a place and whose it is.
type PlaceOf struct {
	Service  cluster.ServiceID
	Instance string // InstanceKey
	Place    *cluster.Place
}

// AgentPlaces yields the places on an agent, those of leftovers too, in order
// of service and instance.
func (v *View) AgentPlaces(id cluster.AgentID) iter.Seq[PlaceOf] {
	return seconds(v.placed.from(key(string(id), "")))
}

// taken is what a place takes of its agent's reservations.
func taken(p *cluster.Place) cluster.Reserves {
	vols := slices.SortedFunc(slices.Values(p.Volumes), func(a, b cluster.Volume) int { return cmp.Compare(a.ID, b.ID) })
	return cluster.NewReserves(cluster.Reserved{Stack: p.Stack, Resources: p.Resources, Volumes: vols})
}

// placeOf gives the place of a task's instance, nil when it has none.
func (v *View) placeOf(t *cluster.TaskSpec) *cluster.Place {
	if t.Service == "" || t.Run != "" {
		return nil
	}
	if svc := v.Service(t.Service); svc != nil {
		return svc.Places[InstanceKey(t.Pod, t.Index)]
	}
	return nil
}

// splitInstance reads an InstanceKey.
func splitInstance(k string) (pod string, index int, ok bool) {
	i := strings.LastIndexByte(k, '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(k[i+1:])
	return k[:i], n, err == nil && n >= 0 && InstanceKey(k[:i], n) == k
}

// podOf gives a pod of a spec, nil when there is none of that name.
func podOf(spec *cluster.ServiceSpec, name string) *cluster.PodSpec {
	for i := range spec.Pods {
		if spec.Pods[i].Name == name {
			return &spec.Pods[i]
		}
	}
	return nil
}

// keeping is what of an agent's reservations is spoken for, as a command is
// tried: places are kept also while no task of theirs runs.
type keeping struct {
	all    cluster.Reserves            // of the places, and of tasks that have no place
	places map[string]cluster.Reserves // by service and instance: what tasks hold of their place
}

func (v *View) keeping(id cluster.AgentID) keeping {
	k := keeping{}
	for p := range v.AgentPlaces(id) {
		if k.places == nil {
			k.places = map[string]cluster.Reserves{}
		}
		k.all = k.all.Plus(taken(p.Place))
		k.places[key(string(p.Service), p.Instance)] = nil
	}
	if k.places == nil {
		return k // nothing is kept but what tasks hold
	}
	for t := range v.AgentTasks(id) {
		k.hold(&t.Spec)
	}
	return k
}

// hold adds what a task holds.
func (k *keeping) hold(t *cluster.TaskSpec) {
	if len(t.Reserved) == 0 || k.places == nil {
		return
	}
	at := key(string(t.Service), InstanceKey(t.Pod, t.Index))
	if held, ok := k.places[at]; ok && t.Run == "" {
		k.places[at] = held.Plus(t.Reserved)
		return
	}
	k.all = k.all.Plus(t.Reserved)
}

// putPlace stores a place in a copy of a service's record, which the caller
// puts, and in the index; nil takes it away.
func (s *State) putPlace(svc *Service, instance string, p *cluster.Place) {
	if old := svc.Places[instance]; old != nil {
		s.v.placed.drop(placedKey(old.Agent, svc.Spec.ID, instance))
	}
	if p == nil {
		svc.Places = without(svc.Places, instance)
		return
	}
	svc.Places = with(svc.Places, instance, p)
	s.indexPlace(svc.Spec.ID, instance, p)
}

func (s *State) indexPlace(service cluster.ServiceID, instance string, p *cluster.Place) {
	s.v.placed.put(placedKey(p.Agent, service, instance), PlaceOf{service, instance, p})
}

func placedKey(agent cluster.AgentID, service cluster.ServiceID, instance string) string {
	return key(string(agent), string(service), instance)
}

// makePlaces stores the places that an acceptance made.
func (s *State) makePlaces(c AcceptOffers) {
	a := s.v.Agent(c.Agent)
	for _, m := range c.Places {
		p := m.Place
		p.Host, p.Hostname, p.Made = a.Info.Host, a.Info.Hostname, s.v.at
		k := InstanceKey(m.Pod, m.Index)
		svc := *s.v.Service(m.Service)
		s.putPlace(&svc, k, &p)
		s.v.services.put(string(m.Service), &svc)
		s.emit(Event{Kind: EventPlaceMade, Service: m.Service, Instance: k, Agent: c.Agent})
	}
}

// freePlace gives what a place took back to its agent; there its volumes end.
func (s *State) freePlace(service cluster.ServiceID, instance string, p *cluster.Place) {
	e := Event{Kind: EventPlaceReleased, Service: service, Instance: instance, Agent: p.Agent}
	a := s.v.Agent(p.Agent)
	if a == nil || a.State == cluster.AgentGone {
		e.Message = "its agent is gone, and the data with it"
		s.emit(e)
		return
	}
	took := taken(p)
	all := a.Reserved.Minus(took)
	if under := p.Stack[:len(p.Stack)-1]; len(under) > 0 {
		all = all.Plus(cluster.NewReserves(cluster.Reserved{Stack: under, Resources: took.Flat()}))
	}
	s.bound(a, all)
	s.emit(e)
	for _, v := range p.Volumes {
		s.operated(p.Agent, "", cluster.Operation{Kind: cluster.OpDestroy, Stack: p.Stack, Volume: &v})
	}
	s.operated(p.Agent, "", cluster.Operation{Kind: cluster.OpUnreserve, Stack: p.Stack, Resources: took.Flat()})
}

func (s *State) releasePlaces(c ReleasePlaces) {
	where := Event{Service: c.Service}
	svc := s.v.Service(c.Service)
	switch {
	case svc == nil:
		s.refuse(CodeNotFound, where, "there is no service %q", bounded(string(c.Service), maxName))
		return
	case len(c.Instances) == 0 || len(c.Instances) > MaxInstances:
		s.refuse(CodeInvalid, where, "%d instances, it must be 1 to %d", len(c.Instances), MaxInstances)
		return
	case svc.KeepData:
		s.refuse(CodeConflict, where, "service %q was removed with its data kept", c.Service)
		return
	}
	names := slices.Sorted(slices.Values(c.Instances))
	for i, k := range names {
		where.Instance = bounded(k, maxTaskID)
		if svc.Places[k] == nil || i > 0 && names[i-1] == k {
			s.refuse(CodeNotFound, where, "instance %q of service %q has no place, or is named twice", where.Instance, c.Service)
			return
		}
		if t := s.usesPlace(svc, k); t != nil {
			s.refuse(CodeConflict, where, "task %q of instance %q is active: its place is in use until it has ended", t.Spec.ID, k)
			return
		}
	}
	for _, k := range names {
		n := *s.v.Service(c.Service)
		p := n.Places[k]
		s.putPlace(&n, k, nil)
		s.v.services.put(string(c.Service), &n)
		s.freePlace(c.Service, k, p)
		s.emptyInstance(&n, k)
	}
}

// usesPlace gives an active task of an instance, nil when there is none. All
// that hold something of its place are on its agent; others can be anywhere.
func (s *State) usesPlace(svc *Service, instance string) *cluster.Task {
	for t := range s.v.ServiceTasks(svc.Spec.ID) {
		if t.Active() && t.Spec.Run == "" && InstanceKey(t.Spec.Pod, t.Spec.Index) == instance {
			return t
		}
	}
	return nil
}

// emptyInstance forgets what ran on the volumes of an instance, or all of one
// that its service has no more.
func (s *State) emptyInstance(svc *Service, instance string) {
	k := key(string(svc.Spec.ID), instance)
	old := at(&s.v.instances, k)
	if old == nil {
		return
	}
	if pod, index, _ := splitInstance(instance); !hasInstance(svc.Spec, pod, index) {
		s.v.instances.drop(k)
		return
	}
	in := *old
	in.Replace, in.Done, in.Failures = false, nil, 0
	s.v.instances.put(k, &in)
}

// without is m but for an entry, in a new map; nil when nothing is left.
func without[K comparable, V any](m map[K]V, k K) map[K]V {
	if len(m) <= 1 {
		if _, ok := m[k]; ok {
			return nil
		}
		return m
	}
	out := make(map[K]V, len(m))
	for x, v := range m { // order-free: it fills a map
		if x != k {
			out[x] = v
		}
	}
	return out
}
