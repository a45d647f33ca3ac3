package core

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func (s *State) putFramework(c PutFramework) {
	id := c.Framework.ID
	where := Event{Framework: id}
	old := s.v.Framework(id)
	switch {
	case !isID(string(id)):
		s.refuse(CodeInvalid, where, "framework id %q is empty, too long or not plain text", bounded(string(id), maxTaskID))
		return
	case old != nil && old.Removing:
		s.refuse(CodeConflict, where, "framework %q is being removed", id)
		return
	case old != nil && old.Info.Principal != c.Framework.Principal:
		s.refuse(CodeForbidden, where, "framework %q belongs to another principal", id)
		return
	case c.Framework.FailoverTimeout < 0:
		s.refuse(CodeInvalid, where, "framework %q: failover time-out %d ms is negative", id, c.Framework.FailoverTimeout)
		return
	}
	for i, r := range c.Framework.Roles {
		if !isRole(r) || slices.Contains(c.Framework.Roles[:i], r) {
			s.refuse(CodeInvalid, where, "framework %q: role %q is malformed or there twice", id, r)
			return
		}
	}
	if len(c.Framework.Roles) == 0 {
		s.refuse(CodeInvalid, where, "framework %q names no role", id)
		return
	}
	s.v.frameworks.put(string(id), &Framework{Info: c.Framework, Connected: true, Since: s.v.at})
	s.emit(Event{Kind: EventFrameworkConnected, Framework: id})
}

func (s *State) disconnectFramework(c DisconnectFramework) {
	old := s.v.Framework(c.Framework)
	if old == nil || !old.Connected {
		s.refuse(CodeConflict, Event{Framework: c.Framework}, "framework %q is not connected", c.Framework)
		return
	}
	f := *old
	f.Connected, f.Since = false, s.v.at
	s.v.frameworks.put(string(c.Framework), &f)
	s.emit(Event{Kind: EventFrameworkDisconnected, Framework: c.Framework})
}

func (s *State) removeFramework(c RemoveFramework) {
	old := s.v.Framework(c.Framework)
	if old == nil {
		s.refuse(CodeNotFound, Event{Framework: c.Framework}, "there is no framework %q", c.Framework)
		return
	}
	f := *old
	f.Connected, f.Removing, f.Since = false, true, s.v.at
	s.v.frameworks.put(string(c.Framework), &f)
	s.emit(Event{Kind: EventFrameworkRemoving, Framework: c.Framework})
	for _, t := range collect(s.v.Tasks()) {
		if t.Spec.Framework == c.Framework && t.Active() {
			s.markKilling(t, killGrace(t.Spec, 0), cluster.ReasonFrameworkRemoved)
		}
	}
	s.dropFramework(c.Framework)
}

// dropFramework lets a framework go that is being removed and holds nothing.
func (s *State) dropFramework(id cluster.FrameworkID) {
	f := s.v.Framework(id)
	if f == nil || !f.Removing {
		return
	}
	for u := range s.v.Usage() {
		if u.Framework == id {
			return
		}
	}
	s.v.frameworks.drop(string(id))
	s.emit(Event{Kind: EventFrameworkRemoved, Framework: id})
}
