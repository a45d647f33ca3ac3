package core

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// refusal is why a task is not accepted, and the state it ends in for it.
type refusal struct {
	state   cluster.TaskState // TASK_ERROR: never right; TASK_DROPPED: not now
	reason  cluster.Reason
	message string
}

func invalidTask(format string, args ...any) *refusal {
	return &refusal{cluster.TaskError, cluster.ReasonTaskInvalid, fmt.Sprintf(format, args...)}
}

func invalidOffer(format string, args ...any) *refusal {
	return &refusal{cluster.TaskDropped, cluster.ReasonInvalidOffers, fmt.Sprintf(format, args...)}
}

// acceptance is one AcceptOffers being tried, before any of it is done.
type acceptance struct {
	c    AcceptOffers
	f    *Framework
	desk desk
	// What tasks before in the same acceptance name, so that none is there twice.
	ids    map[cluster.TaskID]bool
	runs   map[cluster.RunID]bool
	slots  map[string]bool
	groups map[string]bool // of tasks that are accepted
	// The verdicts: why an operation or a task is refused, nil when it is not.
	operations []error
	tasks      []*refusal
	taken      []bool // the task's id is taken: it cannot even be recorded
}

func (s *State) acceptOffers(c AcceptOffers) {
	where := Event{Agent: c.Agent, Framework: c.Framework}
	f := s.v.Framework(c.Framework)
	switch {
	case f == nil || f.Removing:
		// There is nobody left whom records of refused tasks could tell anything.
		s.refuse(CodeNotFound, where, "there is no framework %q", c.Framework)
		return
	case len(c.Tasks) > MaxTasksPerAccept || len(c.Operations) > MaxOperations:
		s.refuse(CodeInvalid, where, "%d tasks and %d operations in one acceptance, over the limits of %d and %d", len(c.Tasks), len(c.Operations), MaxTasksPerAccept, MaxOperations)
		return
	}
	offered := cluster.Pool{Open: c.Offered, Reserved: c.OfferedReserved}
	for _, err := range []error{c.Offered.Validate(), c.OfferedReserved.Validate()} {
		if err != nil {
			s.refuse(CodeInvalid, where, "what was offered: %v", err)
			return
		}
	}
	if len(c.Places) > 0 {
		if code, why := s.refusedPlaces(c); code != "" {
			s.refuse(code, where, "%s", why)
			return
		}
	}
	x := &acceptance{c: c, f: f, ids: map[cluster.TaskID]bool{}, runs: map[cluster.RunID]bool{}, slots: map[string]bool{}, groups: map[string]bool{},
		operations: make([]error, len(c.Operations)), tasks: make([]*refusal, len(c.Tasks)), taken: make([]bool, len(c.Tasks))}
	if all := s.refusedWhole(c, f); all != nil {
		x.refuseAll(s, all)
	} else {
		x.desk = s.newDesk(s.v.Agent(c.Agent), offered)
		x.try(s)
	}
	if c.AllOrNone {
		x.bindTogether()
	}
	s.perform(x)
}

// refuseAll refuses all there is, for one reason.
func (x *acceptance) refuseAll(s *State, no *refusal) {
	for i := range x.operations {
		x.operations[i] = fmt.Errorf("%s", no.message)
	}
	for i, t := range x.c.Tasks {
		x.tasks[i], x.taken[i] = no, x.named(s, t)
	}
}

// try decides on each operation and task in order.
func (x *acceptance) try(s *State) {
	for i, o := range x.c.Operations {
		if x.operations[i] = allowedOperation(x.f, x.c.Role, o); x.operations[i] == nil {
			x.operations[i] = x.desk.operate(o)
		}
	}
	groups := map[string][]int{}
	for i, t := range x.c.Tasks {
		groups[t.Group] = append(groups[t.Group], i)
	}
	for i, t := range x.c.Tasks {
		switch {
		case t.Group == "":
			x.tryTask(s, i)
		case groups[t.Group][0] == i:
			x.tryGroup(s, groups[t.Group])
		}
	}
}

// tryTask decides on one task; an accepted one takes what it asks for.
func (x *acceptance) tryTask(s *State, i int) {
	t := x.c.Tasks[i]
	if x.taken[i] = x.named(s, t); x.taken[i] {
		return
	}
	if x.tasks[i] = x.refusedTask(s, t); x.tasks[i] == nil {
		x.desk.left, x.desk.free = x.desk.left.Minus(t.Pool()), x.desk.free.Minus(t.Pool())
		x.desk.keep.hold(&t)
	}
}

// named reports whether a task's id is taken or malformed, and notes it.
func (x *acceptance) named(s *State, t cluster.TaskSpec) bool {
	if x.ids[t.ID] || s.v.Task(t.ID) != nil || !isTaskID(string(t.ID)) {
		return true
	}
	x.ids[t.ID] = true
	return false
}

// bindTogether refuses everything when anything is refused.
func (x *acceptance) bindTogether() {
	why := ""
	for i, err := range x.operations {
		if err != nil && why == "" {
			why = fmt.Sprintf("operation %d of the group: %v", i+1, err)
		}
	}
	for i := range x.c.Tasks {
		if why == "" {
			why = x.whyNot(i)
		}
	}
	if why == "" {
		return
	}
	for i, err := range x.operations {
		if err == nil {
			x.operations[i] = fmt.Errorf("%s", why)
		}
	}
	for i, no := range x.tasks {
		if no == nil {
			x.tasks[i] = &refusal{cluster.TaskDropped, cluster.ReasonGroupInvalid, why}
		}
	}
}

// whyNot says that a task is refused, and why; empty when it is not.
func (x *acceptance) whyNot(i int) string {
	switch {
	case x.tasks[i] != nil:
		return fmt.Sprintf("task %q of the group: %s", x.c.Tasks[i].ID, x.tasks[i].message)
	case x.taken[i]:
		return fmt.Sprintf("task %q of the group: its id is taken or malformed", bounded(string(x.c.Tasks[i].ID), maxTaskID))
	}
	return ""
}

// perform does what was decided.
func (s *State) perform(x *acceptance) {
	c := x.c
	done := false
	for i, o := range c.Operations {
		if err := x.operations[i]; err != nil {
			s.emit(Event{Kind: EventOperationRefused, Agent: c.Agent, Framework: c.Framework, Operation: bounded(o.ID, maxTaskID),
				State: bounded(string(o.Kind), maxName), Message: bounded(err.Error(), MaxMessage)})
			continue
		}
		if !done { // the desk holds what all of them made
			s.bound(s.v.Agent(c.Agent), x.desk.all)
			done = true
		}
		s.operated(c.Agent, c.Framework, o)
	}
	if done {
		s.makePlaces(c) // all or none: all operations were done
	}
	for i, t := range c.Tasks {
		switch {
		case x.taken[i]:
			id := cluster.TaskID(bounded(string(t.ID), maxTaskID))
			s.refuse(CodeExists, Event{Agent: c.Agent, Framework: c.Framework, Task: id, Service: t.Service, Run: t.Run}, "task id %q is taken or malformed", id)
		case x.tasks[i] != nil:
			s.recordRefused(c, t, *x.tasks[i])
		default:
			s.launch(c, t)
		}
	}
}

// refusedWhole says why nothing of an acceptance can be done.
func (s *State) refusedWhole(c AcceptOffers, f *Framework) *refusal {
	a := s.v.Agent(c.Agent)
	no := invalidOffer
	switch {
	case !f.Connected:
		return no("framework %q is not connected", c.Framework)
	case !slices.Contains(f.Info.Roles, c.Role):
		return invalidTask("framework %q is not subscribed under role %q", c.Framework, c.Role)
	case a == nil:
		return &refusal{cluster.TaskDropped, cluster.ReasonAgentUnknown, fmt.Sprintf("there is no agent %q", c.Agent)}
	case a.State == cluster.AgentGone:
		return &refusal{cluster.TaskDropped, cluster.ReasonAgentGone, fmt.Sprintf("agent %q is gone", c.Agent)}
	case a.State != cluster.AgentActive:
		return &refusal{cluster.TaskDropped, cluster.ReasonAgentUnreachable, fmt.Sprintf("agent %q is %s", c.Agent, a.State)}
	case a.Drain != nil:
		return &refusal{cluster.TaskDropped, cluster.ReasonAgentDraining, fmt.Sprintf("agent %q is %s", c.Agent, a.Drain.State)}
	case a.Deactivated:
		return no("agent %q is deactivated", c.Agent)
	}
	return nil
}

// refusedTask says why one task cannot be launched. The desk holds what the
// tasks before it did not take.
func (x *acceptance) refusedTask(s *State, t cluster.TaskSpec) *refusal {
	if t.Run != "" {
		if x.runs[t.Run] { // even a refused one may have ended its run
			return invalidOffer("run %q is there twice", t.Run)
		}
		x.runs[t.Run] = true
	}
	if no := x.malformed(t); no != nil {
		return no
	}
	if t.Group == "" {
		if err := invalidTogether(&t); err != nil {
			return invalidTask("%v", err)
		}
		if err := refusedVolumes(s, &t); err != nil {
			return invalidTask("%v", err)
		}
		if no := x.refusedName(s, &t); no != nil {
			return no
		}
	}
	if no := x.refusedPlace(s, &t); no != nil {
		return no
	}
	need := t.Pool()
	if short := x.desk.left.Missing(need); short != nil {
		return invalidTask("it does not fit into the offer: %s", short[0])
	}
	if short := x.desk.free.Missing(need); short != nil {
		return invalidOffer("agent %q has not that much left: %s", x.c.Agent, short[0])
	}
	if t.Run != "" {
		if no := s.refusedRun(t); no != nil {
			return no
		}
	} else if t.Service != "" {
		if no := s.refusedService(t); no != nil {
			return no
		}
		slot := key(string(t.Service), InstanceKey(t.Pod, t.Index), t.Task)
		if x.slots[slot] {
			return invalidOffer("a task of the same instance is there twice")
		}
		x.slots[slot] = true
	}
	if g := groupOf(&t); g != "" && t.Group == "" {
		x.groups[g] = true
	}
	return nil
}

// malformed says why a task could never be launched out of these offers.
func (x *acceptance) malformed(t cluster.TaskSpec) *refusal {
	need := t.Resources
	var ports cluster.Ports
	for _, n := range sortedKeys(t.Ports) {
		ports = ports.Union(cluster.Port(t.Ports[n]))
	}
	switch {
	case t.Framework != x.c.Framework || t.Role != x.c.Role:
		return invalidTask("it names framework %q and role %q, the offer was to %q and %q", t.Framework, t.Role, x.c.Framework, x.c.Role)
	case t.Container.Image == "":
		return invalidTask("it names no image")
	case need.IsZero():
		return invalidTask("it must ask for some resources")
	case !need.Ports.Contains(ports) || ports.Len() != len(t.Ports):
		return invalidTask("its ports %s do not agree with its resources, %s", ports, need)
	}
	if err := need.Validate(); err != nil {
		return invalidTask("its resources: %v", err)
	}
	if err := t.Reserved.Validate(); err != nil {
		return invalidTask("what it takes of reservations: %v", err)
	}
	for _, r := range t.Reserved {
		if !r.Stack.For(x.c.Role) {
			return invalidTask("what is reserved for %q is not for role %q", r.Stack, x.c.Role)
		}
	}
	if short := cluster.Fits(need, t.Reserved.Flat()); short != nil {
		return invalidTask("it takes more of reservations than its resources: %s", short[0])
	}
	if err := invalidListen(&t); err != nil {
		return invalidTask("%v", err)
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
