package core

import (
	"fmt"
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
	}
	if why := invalidFramework(c.Framework); why != "" {
		s.refuse(CodeInvalid, where, "framework %q: %s", id, why)
		return
	}
	s.v.frameworks.put(string(id), &Framework{Info: c.Framework, Connected: true, Since: s.v.at})
	s.emit(Event{Kind: EventFrameworkConnected, Framework: id})
}

func invalidFramework(f cluster.Framework) string {
	if f.FailoverTimeout < 0 || f.FailoverTimeout > cluster.MaxFailoverTimeout {
		return fmt.Sprintf("failover time-out %d ms is negative or over %d", f.FailoverTimeout, cluster.MaxFailoverTimeout)
	}
	if len(f.Roles) == 0 || len(f.Roles) > cluster.MaxRoles {
		return fmt.Sprintf("it names %d roles, it must be 1 to %d", len(f.Roles), cluster.MaxRoles)
	}
	for i, r := range f.Roles {
		if !cluster.ValidRole(r) || slices.Contains(f.Roles[:i], r) {
			return fmt.Sprintf("role %q is malformed or there twice", bounded(string(r), cluster.MaxRole))
		}
	}
	for _, r := range sortedKeys(f.Minimums) {
		if !slices.Contains(f.Roles, r) || len(f.Minimums[r]) > cluster.MaxMinimums {
			return fmt.Sprintf("the minimum for role %q: it has not that role, or there are over %d", bounded(string(r), cluster.MaxRole), cluster.MaxMinimums)
		}
		for _, m := range f.Minimums[r] {
			if err := m.Validate(); err != nil {
				return fmt.Sprintf("the minimum for role %q: %v", r, err)
			}
		}
	}
	return ""
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
	s.teardown(old)
}

// expireFramework removes a framework that was away for too long.
func (s *State) expireFramework(c ExpireFramework) {
	old := s.v.Framework(c.Framework)
	if old == nil || !old.expired(s.v.at) {
		s.refuse(CodeConflict, Event{Framework: c.Framework}, "framework %q is not away, or not for as long as it may be", c.Framework)
		return
	}
	s.teardown(old)
}

func (s *State) teardown(old *Framework) {
	f, id := *old, old.Info.ID
	f.Connected, f.Removing, f.Since = false, true, s.v.at
	s.v.frameworks.put(string(id), &f)
	s.emit(Event{Kind: EventFrameworkRemoving, Framework: id})
	for _, t := range collect(s.v.Tasks()) {
		if t.Spec.Framework == id && t.Active() {
			s.markKilling(t, s.cappedGrace(t, 0), cluster.ReasonFrameworkRemoved)
		}
	}
	s.dropFramework(id)
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
