package core

func (s *State) removeService(c RemoveService) {
	old := s.v.Service(c.Service)
	where := Event{Service: c.Service}
	if old == nil {
		s.refuse(CodeNotFound, where, "there is no service %q", c.Service)
		return
	}
	if old.Removing {
		s.refuse(CodeConflict, where, "service %q is being removed already", c.Service)
		return
	}
	n := *old
	n.Removing, n.KeepData, n.Updated = true, c.KeepData, s.v.at
	s.v.services.put(string(c.Service), &n)
	s.emit(Event{Kind: EventServiceRemoving, Service: c.Service})
	for _, r := range collect(s.v.Runs()) {
		if r.Spec.Service == c.Service && !r.State.Final() {
			s.endRunEarly(r)
		}
	}
}

func (s *State) forgetService(c ForgetService) {
	old := s.v.Service(c.Service)
	where := Event{Service: c.Service}
	if old == nil || !old.Removing {
		s.refuse(CodeConflict, where, "service %q is not being removed", c.Service)
		return
	}
	tasks := collect(s.v.ServiceTasks(c.Service))
	for _, t := range tasks {
		if t.Active() {
			s.refuse(CodeConflict, where, "service %q has an active task, %s", c.Service, t.Spec.ID)
			return
		}
	}
	if n := len(old.Places); n > 0 && !old.KeepData {
		s.refuse(CodeConflict, where, "service %q has %d places, which are not released yet", c.Service, n)
		return
	}
	s.leave(old)
	for _, t := range tasks {
		s.dropTask(t)
	}
	for _, r := range collect(s.v.Runs()) {
		if r.Spec.Service == c.Service {
			s.dropRun(r)
		}
	}
	var keys []string
	for k := range s.v.Instances(c.Service) {
		keys = append(keys, k)
	}
	for _, k := range keys {
		s.v.instances.drop(key(string(c.Service), k))
	}
	s.v.services.drop(string(c.Service))
	s.emit(Event{Kind: EventServiceForgotten, Service: c.Service})
}
