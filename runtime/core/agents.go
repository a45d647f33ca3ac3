package core

import (
	"fmt"
	"iter"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func (s *State) registerAgent(c RegisterAgent) {
	id := c.Agent.ID
	where := Event{Agent: id}
	if why := invalidRegistration(c); why != "" {
		s.refuse(CodeInvalid, where, "agent %q: %s", id, why)
		return
	}
	old := s.v.Agent(id)
	if old != nil && old.State == cluster.AgentGone {
		s.refuse(CodeForbidden, where, "agent %q was declared gone and cannot come back; let it join under another id", id)
		for _, r := range c.Tasks {
			s.dismiss(id, r)
		}
		return
	}
	attempt, why := attempted(old, c)
	if why != "" {
		s.refuse(CodeConflict, where, "agent %q: %s", id, why)
		return
	}
	reserved, err := rebase(old, c.Agent)
	if err != nil {
		s.refuse(CodeConflict, where, "agent %q: %v; give it back its old configuration, or declare it gone", id, err)
		return
	}
	if why := s.overfull(old, c.Agent); why != "" {
		s.refuse(CodeConflict, where, "agent %q: %s", id, why)
		return
	}
	a := &Agent{State: cluster.AgentActive, Registered: s.v.at}
	kind := EventAgentRegistered
	if old != nil {
		kind = EventAgentReregistered
		*a = *old
		a.State = cluster.AgentActive
	}
	a.Info, a.Boot, a.Reserved, a.Since = c.Agent, c.Boot, reserved, s.v.at
	a.Life, a.Attempt = c.Life, attempt
	s.putAgent(old, a)
	s.emit(Event{Kind: kind, Agent: id, State: string(a.State)})
	s.reconcile(a, old, c.Tasks)
	s.dismissVolumes(id, c.Volumes)
}

// dismissVolumes rids an agent of the data of volumes that are not there (any
// more): whoever makes one of the same name must not see it.
func (s *State) dismissVolumes(id cluster.AgentID, has []cluster.VolumeName) {
	old := s.v.Agent(id)
	known := map[cluster.VolumeName]bool{}
	for _, r := range old.Reserved {
		for _, v := range r.Volumes {
			known[cluster.VolumeName{Role: r.Stack.Role(), ID: v.ID}] = true
		}
	}
	a := *old
	a.Doomed = nil
	for _, v := range has {
		if known[v] {
			continue
		}
		s.order(Effect{Agent: id, Order: cluster.Order{Kind: cluster.OrderDestroy, Role: v.Role, Volume: v.ID}})
		if len(a.Doomed) < MaxDoomed && !slices.Contains(a.Doomed, v) {
			a.Doomed = append(a.Doomed, v)
		}
	}
	s.putAgent(old, &a)
}

// reconcile brings what the master knows of an agent's tasks and what the agent
// holds together.
func (s *State) reconcile(a, old *Agent, reports []cluster.TaskReport) {
	held := make(map[cluster.TaskID]bool, len(reports))
	for _, r := range reports {
		id := r.Status.Task
		if r.Status.State == cluster.TaskStaging {
			r.Status.State = cluster.TaskStarting // the agent has it
		}
		if held[id] || !reportable(r.Status) {
			continue
		}
		held[id] = true
		t := s.v.Task(id)
		if t == nil || t.Agent != a.Info.ID || !t.Active() {
			s.dismiss(a.Info.ID, r)
			continue
		}
		s.adopt(t, r.Status)
	}
	lost := "its agent registered again without it"
	if old != nil && old.Boot != a.Boot {
		lost = "its agent's machine was started again"
	}
	for _, t := range collect(s.v.AgentTasks(a.Info.ID)) {
		if held[t.Spec.ID] {
			continue
		}
		st := cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, At: s.v.at}
		switch {
		case known(t) != cluster.TaskStaging:
			st.State, st.Reason, st.Message = cluster.TaskLost, cluster.ReasonAgentRestarted, lost
			s.setStatus(t, st)
			// Should the list be older than the task, it must not run on unseen.
			s.kill(t.Agent, t.Spec.ID, killGrace(t.Spec, 0))
		case t.Killing:
			st.State, st.Reason, st.Message = cluster.TaskKilled, cluster.ReasonKilledInLaunch, "killed before its agent got it"
			s.setStatus(t, st)
		default:
			if t.Status.State != cluster.TaskStaging {
				st.State, st.Reason = cluster.TaskStaging, cluster.ReasonAgentReregistered
				t = s.setStatus(t, st)
			}
			s.order(launchEffect(t))
		}
	}
}

// adopt takes the status an agent gives for a task it holds as it registers. It
// is where the task is now, whatever came before, unless the registration was
// late and something newer is known.
func (s *State) adopt(t *cluster.Task, st cluster.TaskStatus) {
	st.Agent = t.Agent
	unreachable := t.Status.State == cluster.TaskUnreachable
	if unreachable && st.Reason == "" {
		st.Reason = cluster.ReasonAgentReregistered
	}
	same := st.UUID != "" && st.UUID == t.Status.UUID && st.State == t.Status.State
	late := older(st, t.Status) || ranks[st.State] < ranks[t.Status.State]
	if unreachable || st.State.Terminal() || !same && !late {
		t = s.setStatus(t, st)
	}
	s.ack(st.Agent, st.Task, st.UUID)
	if t.Active() && t.Killing {
		s.order(killEffect(t))
	}
}

// dismiss rids an agent of a task that is not the master's, or ended for it.
func (s *State) dismiss(agent cluster.AgentID, r cluster.TaskReport) {
	if r.Status.State.Terminal() {
		s.ack(agent, r.Status.Task, r.Status.UUID)
		return
	}
	s.kill(agent, r.Status.Task, killGrace(r.Spec, 0))
}

func (s *State) agentUnreachable(c AgentUnreachable) {
	old := s.v.Agent(c.Agent)
	if old == nil || old.State != cluster.AgentActive {
		s.refuse(CodeConflict, Event{Agent: c.Agent}, "agent %q is not active", c.Agent)
		return
	}
	a := *old
	a.State, a.Since = cluster.AgentUnreachable, s.v.at
	s.putAgent(old, &a)
	s.emit(Event{Kind: EventAgentUnreachable, Agent: c.Agent, State: string(a.State)})
	for _, t := range collect(s.v.AgentTasks(c.Agent)) {
		s.setStatus(t, cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: cluster.TaskUnreachable,
			Reason: cluster.ReasonAgentUnreachable, Message: "its agent is silent", At: s.v.at})
	}
}

func (s *State) agentGone(c AgentGone) {
	old := s.v.Agent(c.Agent)
	if old == nil {
		s.refuse(CodeNotFound, Event{Agent: c.Agent}, "there is no agent %q", c.Agent)
		return
	}
	if old.State == cluster.AgentGone {
		s.refuse(CodeConflict, Event{Agent: c.Agent}, "agent %q is gone already", c.Agent)
		return
	}
	s.markGone(old)
}

// markGone ends an agent and all that is on it, its reservations too.
func (s *State) markGone(old *Agent) {
	a := *old
	a.State, a.Since, a.Drain, a.Maintenance = cluster.AgentGone, s.v.at, nil, nil
	s.putAgent(old, &a)
	s.emit(Event{Kind: EventAgentGone, Agent: a.Info.ID, State: string(a.State)})
	for _, t := range collect(s.v.AgentTasks(a.Info.ID)) {
		s.kill(t.Agent, t.Spec.ID, killGrace(t.Spec, 0)) // in case it still listens
		s.setStatus(t, cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: cluster.TaskGoneByOperator,
			Reason: cluster.ReasonAgentGone, Message: "its agent was declared gone", At: s.v.at})
	}
	if old = s.v.Agent(a.Info.ID); len(old.Reserved) > 0 {
		s.bound(old, nil)
	}
}

// putAgent stores an agent and keeps the cluster's total and Shrunk right.
func (s *State) putAgent(old, a *Agent) {
	if old != nil && old.State != cluster.AgentGone {
		s.v.total = s.v.total.plus(old.Info.Total, -1)
	}
	if a.State != cluster.AgentGone {
		s.v.total = s.v.total.plus(a.Info.Total, 1)
	}
	a.Shrunk = a.shrunk()
	s.v.agents.put(string(a.Info.ID), a)
}

// allocate changes what an agent's active tasks and their framework hold, by
// one task more or less.
func (s *State) allocate(t *cluster.Task, sign int) {
	old := s.v.Agent(t.Agent)
	a := *old
	a.Tasks += sign
	if sign > 0 {
		a.Allocated, a.Held = a.Allocated.Plus(t.Spec.Resources), a.Held.Plus(t.Spec.Reserved)
	} else {
		a.Allocated, a.Held = a.Allocated.Minus(t.Spec.Resources), a.Held.Minus(t.Spec.Reserved)
	}
	s.putAgent(old, &a)

	k := key(string(t.Spec.Role), string(t.Spec.Framework))
	u := Usage{Role: t.Spec.Role, Framework: t.Spec.Framework}
	if old, ok := s.v.usage.get(k); ok {
		u = *old
	}
	u = u.plus(t.Spec.Resources, int64(sign))
	u.Tasks += sign
	if u.Tasks == 0 {
		s.v.usage.drop(k)
		return
	}
	s.v.usage.put(k, &u)
}

func (u Usage) plus(r cluster.Resources, sign int64) Usage {
	u.CPU += sign * r.CPU
	u.Mem += sign * r.Mem
	u.Disk += sign * r.Disk
	u.GPUs += sign * r.GPUs
	return u
}

// Scalars is the amounts of u.
func (u Usage) Scalars() cluster.Scalars {
	return cluster.Scalars{CPU: u.CPU, Mem: u.Mem, Disk: u.Disk, GPUs: u.GPUs}
}

// overfull says why a cluster has no room for an agent as it is now.
func (s *State) overfull(old *Agent, now cluster.Agent) string {
	if old == nil && s.v.agents.n >= MaxAgents {
		return fmt.Sprintf("there are %d agents already, the most that can be", MaxAgents)
	}
	sum := s.v.total.plus(now.Total, 1)
	if old != nil {
		sum = sum.plus(old.Info.Total, -1)
	}
	if m := cluster.MaxTotal; !sum.Scalars().Within(cluster.Scalars{CPU: m, Mem: m, Disk: m, GPUs: m}) {
		return "all agents together would have more than can be counted"
	}
	return ""
}

// attempted gives the attempt to keep of an agent that registers, or says why
// the registration is older than what came before. A late one would say that
// tasks are not there which were launched after it was made. One without a
// number is taken and leaves the number as it is.
func attempted(old *Agent, c RegisterAgent) (attempt int64, late string) {
	switch {
	case old == nil || old.Life != c.Life:
		return c.Attempt, ""
	case c.Attempt == 0:
		return old.Attempt, ""
	case c.Attempt <= old.Attempt:
		return 0, fmt.Sprintf("attempt %d to register is not after attempt %d, which came before", c.Attempt, old.Attempt)
	}
	return c.Attempt, ""
}

func invalidRegistration(c RegisterAgent) string {
	switch {
	case !isLabel(string(c.Agent.ID), maxAgentID):
		return "its id is not 1 to 63 of a-z, 0-9 and -"
	case len(c.Life) > maxLife || len(c.Boot) > maxLife:
		return fmt.Sprintf("its life or its boot has over %d bytes", maxLife)
	case c.Attempt < 0 || c.Life == "" && c.Attempt > 0:
		return fmt.Sprintf("attempt %d is negative, or its life has no name", c.Attempt)
	}
	if err := c.Agent.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

// collect makes a list of a walk, so that the table can be written meanwhile.
func collect[V any](s iter.Seq[V]) []V { return slices.Collect(s) }
