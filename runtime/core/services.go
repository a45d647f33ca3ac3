package core

import (
	"fmt"
	"maps"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func (s *State) putService(c PutService) {
	id := c.Spec.ID
	where := Event{Service: id}
	old := s.v.Service(id)
	if why := invalidService(c); why != "" {
		s.refuse(CodeInvalid, where, "service %q: %s", bounded(string(id), maxName), why)
		return
	}
	if old != nil && old.Removing {
		s.refuse(CodeConflict, where, "service %q is being removed; wait until it is gone", id)
		return
	}
	if c.Expect != nil && *c.Expect != generation(old) {
		if old != nil && *c.Expect == 0 {
			s.refuse(CodeExists, where, "service %q exists already", id)
			return
		}
		s.refuse(CodeConflict, where, "service %q is at generation %d, not %d: it changed meanwhile", id, generation(old), *c.Expect)
		return
	}
	n := &Service{Spec: c.Spec, Generation: s.v.index, Installation: c.Installation,
		Created: s.v.at, Updated: s.v.at, Principal: c.Principal}
	if n.Spec.Role == "" {
		n.Spec.Role = cluster.DefaultRole
	}
	if old != nil {
		n.Created = old.Created
		if n.Installation == nil {
			n.Installation = old.Installation
		}
	}
	s.v.services.put(string(id), n)
	s.renewInstances(n)
	s.emit(Event{Kind: EventServicePut, Service: id})
}

func generation(s *Service) int64 {
	if s == nil {
		return 0
	}
	return s.Generation
}

// renewInstances forgets the failures of a service's instances, and all of the
// instances its new spec has no more.
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
		if !wanted[e.key] {
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

func invalidService(c PutService) string {
	sp := c.Spec
	if !isLabel(string(sp.ID), maxName) || sp.ID[0] < 'a' || sp.ID[0] > 'z' {
		return "its id is not a letter and up to 62 more of a-z, 0-9 and -"
	}
	if sp.Role != "" && !cluster.ValidRole(sp.Role) {
		return fmt.Sprintf("role %q is malformed", sp.Role)
	}
	if err := cluster.ValidatePriority(sp.Priority); err != nil {
		return err.Error()
	}
	if c.Installation != nil && c.Installation.ID != sp.ID {
		return fmt.Sprintf("its installation is for %q", c.Installation.ID)
	}
	pods := map[string]bool{}
	count := 0
	for _, p := range sp.Pods {
		if !isLabel(p.Name, maxName) || pods[p.Name] {
			return fmt.Sprintf("pod name %q is malformed or there twice", p.Name)
		}
		if p.Count < 0 || p.Count > MaxInstances || count+p.Count > MaxInstances {
			return fmt.Sprintf("pod %q: a count of %d is negative or leads over %d instances", p.Name, p.Count, MaxInstances)
		}
		pods[p.Name], count = true, count+p.Count
		if why := invalidTasks(p); why != "" {
			return fmt.Sprintf("pod %q: %s", p.Name, why)
		}
		if err := p.ValidateRules(); err != nil {
			return fmt.Sprintf("pod %q: %v", p.Name, err)
		}
	}
	for _, ph := range sp.Deploy {
		if !pods[ph.Pod] {
			return fmt.Sprintf("deploy phase %q names pod %q, which is not there", ph.Name, ph.Pod)
		}
	}
	return ""
}

func invalidTasks(p cluster.PodSpec) string {
	tasks := map[string]bool{}
	for _, t := range p.Tasks {
		if !isLabel(t.Name, maxName) || tasks[t.Name] {
			return fmt.Sprintf("task name %q is malformed or there twice", t.Name)
		}
		tasks[t.Name] = true
		if why := invalidTemplate(t); why != "" {
			return fmt.Sprintf("task %q: %s", t.Name, why)
		}
	}
	if len(p.Tasks) == 0 {
		return "it has no task"
	}
	return ""
}

func invalidTemplate(t cluster.TaskTemplate) string {
	r := t.Resources
	switch {
	case t.Container.Image == "":
		return "it names no image"
	case r.CPU == 0 && r.Mem == 0:
		return fmt.Sprintf("it must ask for cpus or memory, not for %s", r)
	case t.Goal != cluster.GoalRunning && t.Goal != cluster.GoalFinish && t.Goal != cluster.GoalOnce:
		return fmt.Sprintf("goal %q is none of RUNNING, FINISH and ONCE", t.Goal)
	}
	if err := r.Validate(); err != nil {
		return "its resources: " + err.Error()
	}
	return ""
}

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
	n.Removing, n.Updated = true, s.v.at
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

// instance gives a copy of the record a task belongs to, to be changed and
// stored with putInstance; false when its service has no such instance (more).
func (s *State) instance(t *cluster.Task) (Instance, bool) {
	svc := s.v.Service(t.Spec.Service)
	if svc == nil || !hasInstance(svc.Spec, t.Spec.Pod, t.Spec.Index) {
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
