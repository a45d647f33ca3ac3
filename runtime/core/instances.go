package core

import (
	"maps"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// renewInstances forgets the failures of a service's instances, and all of the
// instances its new spec has no more, but for those that keep a place: what ran
// on their volumes must not run again when they come back.
func (s *State) renewInstances(svc *Service) {
	wanted := map[string]bool{}
	for _, p := range svc.Spec.Pods {
		for i := range p.Count {
			wanted[InstanceKey(p.Name, i)] = true
		}
	}
	type entry struct {
		key string
		in  *Instance
	}
	var all []entry
	for k, in := range s.v.Instances(svc.Spec.ID) {
		all = append(all, entry{k, in})
	}
	for _, e := range all {
		k := key(string(svc.Spec.ID), e.key)
		if !wanted[e.key] && svc.Places[e.key] == nil {
			s.v.instances.drop(k)
			continue
		}
		if e.in.Failures != 0 {
			in := *e.in
			in.Failures = 0
			s.v.instances.put(k, &in)
		}
	}
}

// instance gives a copy of the record a task belongs to, to be changed and
// stored with putInstance; false when its service has no such instance (more),
// nor a place of it.
func (s *State) instance(t *cluster.Task) (Instance, bool) {
	svc := s.v.Service(t.Spec.Service)
	if svc == nil || !hasInstance(svc.Spec, t.Spec.Pod, t.Spec.Index) && svc.Places[InstanceKey(t.Spec.Pod, t.Spec.Index)] == nil {
		return Instance{}, false
	}
	return s.v.Instance(t.Spec.Service, t.Spec.Pod, t.Spec.Index), true
}

func (s *State) putInstance(t *cluster.Task, in Instance) {
	s.v.instances.put(key(string(t.Spec.Service), InstanceKey(t.Spec.Pod, t.Spec.Index)), &in)
}

func (s *State) instanceLaunched(t *cluster.Task) {
	in, ok := s.instance(t)
	if !ok {
		return
	}
	in.Launches++
	in.ReadyAt = 0
	in.Host, in.Agent = t.Host, t.Agent
	in.Tasks = with(in.Tasks, t.Spec.Task, t.Spec.ID)
	s.putInstance(t, in)
}

func (s *State) instanceReady(t *cluster.Task) {
	in, ok := s.instance(t)
	if ok && t.Status.Ready && in.ReadyAt == 0 {
		in.ReadyAt = s.v.at
		s.putInstance(t, in)
	}
}

// instanceEnded counts an ending: as a good one, as a failure, or not at all.
func (s *State) instanceEnded(t *cluster.Task) {
	in, ok := s.instance(t)
	if !ok {
		return
	}
	st := t.Status
	in.LastTask, in.LastState, in.LastReason, in.LastMessage, in.LastEnded = t.Spec.ID, st.State, st.Reason, st.Message, s.v.at
	switch {
	case st.State == cluster.TaskFinished && t.Spec.Goal != cluster.GoalRunning:
		in.Done = with(in.Done, t.Spec.Task, Completion{Task: t.Spec.ID, Hash: t.Spec.Hash, At: s.v.at})
	case !t.Killing && !faultless(st):
		if in.ReadyAt != 0 && s.v.at.Sub(in.ReadyAt) >= StableAfter {
			in.Failures = 0
		}
		in.Failures++
		in.FailedAt, in.ReadyAt = s.v.at, 0
	}
	s.putInstance(t, in)
}

// faultless reports whether an ending tells nothing about the task itself.
func faultless(st cluster.TaskStatus) bool {
	switch st.State {
	case cluster.TaskDropped, cluster.TaskGone, cluster.TaskGoneByOperator:
		return true
	case cluster.TaskLost:
		return st.Reason == cluster.ReasonAgentRestarted
	}
	return false
}

// with is m and one entry more, in a new map: records are never changed in place.
func with[K comparable, V any](m map[K]V, k K, v V) map[K]V {
	out := make(map[K]V, len(m)+1)
	maps.Copy(out, m)
	out[k] = v
	return out
}

func (s *State) restartInstance(c RestartInstance) {
	k := bounded(InstanceKey(c.Pod, c.Index), maxTaskID)
	where := Event{Service: c.Service, Instance: k}
	svc := s.v.Service(c.Service)
	switch {
	case svc == nil:
		s.refuse(CodeNotFound, where, "there is no service %q", bounded(string(c.Service), maxName))
		return
	case svc.Removing:
		s.refuse(CodeConflict, where, "service %q is being removed", c.Service)
		return
	case !hasInstance(svc.Spec, c.Pod, c.Index):
		s.refuse(CodeNotFound, where, "service %q has no instance %q", c.Service, k)
		return
	case c.Replace && c.Task != "":
		s.refuse(CodeInvalid, where, "all tasks of instance %q share its place: it is replaced as a whole", k)
		return
	case c.Task != "" && !hasTask(podOf(&svc.Spec, c.Pod), c.Task):
		s.refuse(CodeNotFound, where, "pod %q of service %q has no task %q", c.Pod, c.Service, bounded(c.Task, maxName))
		return
	}
	in := s.v.Instance(c.Service, c.Pod, c.Index)
	in.Failures = 0
	in.Replace = c.Replace && svc.Places[k] != nil // without a place any launch is anywhere
	s.v.instances.put(key(string(c.Service), k), &in)
	e := Event{Kind: EventInstanceRestart, Service: c.Service, Instance: k}
	if c.Replace {
		e.Kind = EventInstanceReplace
	}
	s.emit(e)
	for _, t := range collect(s.v.ServiceTasks(c.Service)) {
		if sp := &t.Spec; t.Active() && sp.Run == "" && sp.Pod == c.Pod && sp.Index == c.Index && (c.Task == "" || sp.Task == c.Task) {
			s.endForRestart(t, c.Replace)
		}
	}
}

// endForRestart kills a task. One that nobody can reach is given up when its
// instance gets another place: its agent kills it as it comes back, and never
// gets its volumes again.
func (s *State) endForRestart(t *cluster.Task, replace bool) {
	if !replace || t.Status.State != cluster.TaskUnreachable {
		s.markKilling(t, s.cappedGrace(t, 0), "")
		return
	}
	s.setStatus(t, cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: cluster.TaskGoneByOperator,
		Reason: cluster.ReasonAgentUnreachable, Message: "its instance gets another place", At: s.v.at})
}

func hasTask(pod *cluster.PodSpec, name string) bool {
	for i := range pod.Tasks {
		if pod.Tasks[i].Name == name {
			return true
		}
	}
	return false
}
