package core

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// refusal is why a task is not accepted, and the state it ends in for it.
type refusal struct {
	state   cluster.TaskState // TASK_ERROR: never right; TASK_LOST: not now
	reason  cluster.Reason
	message string
}

func invalidTask(format string, args ...any) *refusal {
	return &refusal{cluster.TaskError, cluster.ReasonTaskInvalid, fmt.Sprintf(format, args...)}
}

func invalidOffer(format string, args ...any) *refusal {
	return &refusal{cluster.TaskLost, cluster.ReasonInvalidOffers, fmt.Sprintf(format, args...)}
}

func (s *State) acceptOffers(c AcceptOffers) {
	where := Event{Agent: c.Agent, Framework: c.Framework}
	f := s.v.Framework(c.Framework)
	switch {
	case f == nil || f.Removing:
		// There is nobody left whom records of refused tasks could tell anything.
		s.refuse(CodeNotFound, where, "there is no framework %q", c.Framework)
		return
	case len(c.Tasks) > MaxTasksPerAccept:
		s.refuse(CodeInvalid, where, "%d tasks in one acceptance, over the limit of %d", len(c.Tasks), MaxTasksPerAccept)
		return
	}
	all := s.refusedWhole(c, f)
	left := c.Offered
	for i := range c.Tasks {
		spec := c.Tasks[i]
		if s.v.Task(spec.ID) != nil || !isTaskID(string(spec.ID)) {
			where.Task, where.Service, where.Run = cluster.TaskID(bounded(string(spec.ID), maxTaskID)), spec.Service, spec.Run
			s.refuse(CodeExists, where, "task id %q is taken or malformed", where.Task)
			continue
		}
		no := all
		if no == nil {
			no = s.refusedTask(c, spec, left)
		}
		if no != nil {
			s.recordRefused(c, spec, *no)
			continue
		}
		left = left.Minus(spec.Resources)
		s.launch(c, spec)
	}
}

// refusedWhole says why none of an acceptance's tasks can be launched.
func (s *State) refusedWhole(c AcceptOffers, f *Framework) *refusal {
	a := s.v.Agent(c.Agent)
	switch {
	case !f.Connected:
		return invalidOffer("framework %q is not connected", c.Framework)
	case !slices.Contains(f.Info.Roles, c.Role):
		return invalidTask("framework %q is not subscribed under role %q", c.Framework, c.Role)
	case a == nil:
		return invalidOffer("there is no agent %q", c.Agent)
	case a.State != cluster.AgentActive:
		return invalidOffer("agent %q is %s", c.Agent, a.State)
	}
	return nil
}

// refusedTask says why one task cannot be launched. left is what of the offers
// the tasks before it did not take.
func (s *State) refusedTask(c AcceptOffers, t cluster.TaskSpec, left cluster.Resources) *refusal {
	need := t.Resources
	var ports cluster.Ports
	for _, n := range sortedKeys(t.Ports) {
		ports = ports.Union(cluster.Port(t.Ports[n]))
	}
	switch {
	case t.Framework != c.Framework || t.Role != c.Role:
		return invalidTask("it names framework %q and role %q, the offer was to %q and %q", t.Framework, t.Role, c.Framework, c.Role)
	case t.Container.Image == "":
		return invalidTask("it names no image")
	case need.IsZero() || need.CPU < 0 || need.Mem < 0 || need.Disk < 0:
		return invalidTask("it must ask for some resources and for no negative ones, not for %s", need)
	case need.CPU > maxAmount || need.Mem > maxAmount || need.Disk > maxAmount:
		return invalidTask("it asks for more than any machine has: %s", need)
	case !canonical(need.Ports) || !need.Ports.Contains(ports) || ports.Len() != len(t.Ports):
		return invalidTask("its ports %s do not agree with its resources, %s", ports, need)
	}
	if short := cluster.Fits(left, need); short != nil {
		return invalidTask("it does not fit into the offer: %s", short[0])
	}
	if short := cluster.Fits(s.v.Agent(c.Agent).Free(), need); short != nil {
		return invalidOffer("agent %q has not that much left: %s", c.Agent, short[0])
	}
	if t.Run != "" {
		return s.refusedRun(t)
	}
	if t.Service != "" {
		return s.refusedService(t)
	}
	return nil
}

// refusedService guards what the service framework must never do: launch for a
// service that goes, or a second task where one lives.
func (s *State) refusedService(t cluster.TaskSpec) *refusal {
	svc := s.v.Service(t.Service)
	if svc == nil || svc.Removing {
		return invalidOffer("service %q is not there or is being removed", t.Service)
	}
	if !hasInstance(svc.Spec, t.Pod, t.Index) {
		return invalidTask("service %q has no instance %s", t.Service, InstanceKey(t.Pod, t.Index))
	}
	inst := s.v.Instance(t.Service, t.Pod, t.Index)
	if o := s.v.Task(inst.Tasks[t.Task]); o != nil && o.Active() && !o.Killing && o.Status.State != cluster.TaskUnreachable {
		return invalidOffer("task %q of the same instance is active", o.Spec.ID)
	}
	return nil
}

func (s *State) refusedRun(t cluster.TaskSpec) *refusal {
	if r := s.v.Run(t.Run); r == nil || r.State != RunPending || r.Spec.Service != t.Service {
		return invalidOffer("run %q is not there or does not wait", t.Run)
	}
	return nil
}

// launch makes an accepted task.
func (s *State) launch(c AcceptOffers, spec cluster.TaskSpec) {
	a := s.v.Agent(c.Agent)
	st := cluster.TaskStatus{Task: spec.ID, Agent: c.Agent, State: cluster.TaskStaging, At: s.v.at}
	t := &cluster.Task{Spec: spec, Agent: c.Agent, Host: a.Info.Host, Status: st, Launched: s.v.at,
		History: []cluster.TaskStatus{st}}
	s.putTask(nil, t)
	s.emit(taskEvent(EventTaskLaunched, t))
	s.order(launchEffect(t))
	if spec.Run != "" {
		s.runLaunched(t)
	} else {
		s.instanceLaunched(t)
	}
}

// recordRefused keeps a refused task as an ended one, so that its framework and
// people see why.
func (s *State) recordRefused(c AcceptOffers, spec cluster.TaskSpec, no refusal) {
	st := cluster.TaskStatus{Task: spec.ID, Agent: c.Agent, State: no.state, Reason: no.reason,
		Message: bounded(no.message, MaxMessage), At: s.v.at}
	t := &cluster.Task{Spec: spec, Agent: c.Agent, Status: st, Launched: s.v.at, Ended: s.v.at,
		History: []cluster.TaskStatus{st}}
	s.putTask(nil, t)
	s.emit(taskEvent(EventTaskRefused, t))
	if spec.Run != "" {
		s.runRefused(t)
	} else {
		s.instanceEnded(t)
	}
	s.trimEnded(t.Spec.Service)
}

func hasInstance(spec cluster.ServiceSpec, pod string, index int) bool {
	for _, p := range spec.Pods {
		if p.Name == pod {
			return index >= 0 && index < p.Count
		}
	}
	return false
}
