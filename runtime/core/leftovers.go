package core

import "github.com/universe-dcos/universe/runtime/cluster"

// leave makes the places of a service that is forgotten leftovers. What is on
// an agent that is gone is lost.
func (s *State) leave(svc *Service) {
	l := &Leftovers{Service: svc.Spec.ID, Role: cluster.PlaceRole(&svc.Spec), At: s.v.at}
	for _, k := range sortedKeys(svc.Places) {
		p := svc.Places[k]
		s.v.placed.drop(placedKey(p.Agent, l.Service, k))
		if a := s.v.Agent(p.Agent); a == nil || a.State == cluster.AgentGone {
			s.freePlace(l.Service, k, p)
			continue
		}
		l.Places = with(l.Places, k, p)
		s.indexPlace(l.Service, k, p)
		if in := at(&s.v.instances, key(string(l.Service), k)); in != nil && len(in.Done) > 0 {
			l.Done = with(l.Done, k, in.Done)
		}
	}
	if len(l.Places) == 0 {
		return
	}
	s.v.leftovers.put(string(l.Service), l)
	s.emit(Event{Kind: EventServiceLeft, Service: l.Service})
}

// adoptLeftovers gives a new service what one of before left under its id.
func (s *State) adoptLeftovers(n *Service) {
	l := s.v.Leftover(n.Spec.ID)
	if l == nil {
		return
	}
	n.Places = l.Places // in the index already
	for _, k := range sortedKeys(l.Places) {
		if done := l.Done[k]; len(done) > 0 {
			s.v.instances.put(key(string(n.Spec.ID), k), &Instance{Done: done})
		}
		s.emit(Event{Kind: EventPlaceKept, Service: n.Spec.ID, Instance: k, Agent: l.Places[k].Agent})
	}
	s.v.leftovers.drop(string(n.Spec.ID))
}

func (s *State) releaseLeftovers(c ReleaseLeftovers) {
	l := s.v.Leftover(c.Service)
	if l == nil {
		s.refuse(CodeNotFound, Event{Service: c.Service}, "no service %q left anything", bounded(string(c.Service), maxName))
		return
	}
	s.v.leftovers.drop(string(c.Service))
	for _, k := range sortedKeys(l.Places) {
		p := l.Places[k]
		s.v.placed.drop(placedKey(p.Agent, c.Service, k))
		s.freePlace(c.Service, k, p)
	}
}
