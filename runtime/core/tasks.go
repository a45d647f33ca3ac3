package core

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// ranks order the states a living task goes through; a report never leads back.
var ranks = map[cluster.TaskState]int{
	cluster.TaskStaging: 0, cluster.TaskStarting: 1, cluster.TaskRunning: 2, cluster.TaskKilling: 3,
}

// reportable reports whether an agent can say this of a task.
func reportable(st cluster.TaskStatus) bool {
	return len(st.UUID) <= maxUUID && (ranks[st.State] > 0 || st.State.Terminal())
}

// known is the state of a task before its agent fell silent.
func known(t *cluster.Task) cluster.TaskState {
	if t.Status.State != cluster.TaskUnreachable {
		return t.Status.State
	}
	for i := len(t.History) - 1; i >= 0; i-- {
		if st := t.History[i].State; st != cluster.TaskUnreachable {
			return st
		}
	}
	return cluster.TaskUnreachable
}

func (s *State) updateTask(c UpdateTask) {
	st := c.Status
	where := Event{Task: st.Task, Agent: st.Agent, State: string(st.State)}
	if !reportable(st) {
		s.ack(st.Agent, st.Task, bounded(st.UUID, maxUUID))
		s.refuse(CodeInvalid, where, "an agent cannot report state %q with a uuid of %d bytes", st.State, len(st.UUID))
		return
	}
	// Acknowledged whatever it says: an agent resends until it hears this.
	s.ack(st.Agent, st.Task, st.UUID)
	t := s.v.Task(st.Task)
	if t != nil && t.Agent != st.Agent {
		s.refuse(CodeForbidden, where, "task %q is not on agent %q", st.Task, st.Agent)
		return
	}
	if t == nil || !t.Active() {
		if !st.State.Terminal() {
			s.kill(st.Agent, st.Task, cluster.DefaultKillGrace)
		}
		if t == nil {
			s.refuse(CodeNotFound, where, "there is no task %q", st.Task)
		}
		return
	}
	if s.v.Agent(t.Agent).State != cluster.AgentActive && !st.State.Terminal() {
		return // it registers first, and says it again then
	}
	if news(t, st) {
		s.setStatus(t, st)
	}
}

// news reports whether a report leads on: it is not one that was seen, and does
// not lead back. An agent that registered says its latest report and sends
// earlier ones, which were not acknowledged, after it.
func news(t *cluster.Task, st cluster.TaskStatus) bool {
	if st.State.Terminal() {
		return true
	}
	if st.UUID != "" {
		for _, h := range t.History {
			if h.UUID == st.UUID && h.State == st.State {
				return false
			}
		}
	}
	return !older(st, t.Status) && ranks[st.State] >= ranks[t.Status.State]
}

// older reports whether an agent made the report a before b.
func older(a, b cluster.TaskStatus) bool {
	switch {
	case a.UUID == "" || b.UUID == "":
		return false // the master made one of them
	case a.Seq > 0 && b.Seq > 0:
		return a.Seq < b.Seq
	}
	return a.At < b.At
}

// setStatus gives a task a new status and all that follows from it. It returns
// the new record.
func (s *State) setStatus(old *cluster.Task, st cluster.TaskStatus) *cluster.Task {
	st.Message = bounded(st.Message, MaxMessage)
	st.Reason = cluster.Reason(bounded(string(st.Reason), maxName))
	st.Ready = st.Ready && st.State == cluster.TaskRunning
	st.Leader = st.Leader && st.State == cluster.TaskRunning
	t := *old
	t.Status = st
	from := max(0, len(old.History)+1-cluster.MaxTaskHistory)
	t.History = append(append(make([]cluster.TaskStatus, 0, cluster.MaxTaskHistory), old.History[from:]...), st)
	if st.State == cluster.TaskRunning && t.Started == 0 {
		t.Started = s.v.at
	}
	if st.State.Terminal() {
		t.Ended = s.v.at
		if preempted := t.KillReason == cluster.ReasonPreempted; st.State == cluster.TaskKilled && (st.Reason == "" || preempted) ||
			st.State == cluster.TaskFailed && st.Reason == "" && preempted { // a program can answer TERM with an error
			t.Status.Reason = t.KillReason
			t.History[len(t.History)-1] = t.Status
		}
	}
	s.putTask(old, &t)
	s.emit(taskEvent(EventTaskUpdated, &t))
	if st.State.Terminal() {
		s.taskEnded(&t)
	} else if t.Spec.Run == "" {
		s.instanceReady(&t)
	}
	return &t
}

// taskEnded draws the consequences of an ending.
func (s *State) taskEnded(t *cluster.Task) {
	if t.Spec.Run != "" {
		s.runEnded(t)
	} else {
		s.instanceEnded(t)
	}
	s.dropFramework(t.Spec.Framework)
	s.trimEnded(t.Spec.Service)
	s.settleDrain(t.Agent)
}

func (s *State) killTask(c KillTask) {
	t := s.v.Task(c.Task)
	where := Event{Task: c.Task}
	switch {
	case t == nil:
		s.refuse(CodeNotFound, where, "there is no task %q", c.Task)
	case !t.Active():
		s.refuse(CodeConflict, where, "task %q has ended", c.Task)
	case c.Grace < 0:
		s.refuse(CodeInvalid, where, "task %q: grace of %d ms is negative", c.Task, c.Grace)
	case c.Reason != "" && c.Reason != cluster.ReasonPreempted:
		s.refuse(CodeInvalid, where, "task %q: reason %q of a kill is not %s", c.Task, bounded(string(c.Reason), maxName), cluster.ReasonPreempted)
	default:
		s.markKilling(t, s.cappedGrace(t, c.Grace), c.Reason)
	}
}

// markKilling asks a task to end, now or when its agent is back.
func (s *State) markKilling(old *cluster.Task, grace cluster.Millis, reason cluster.Reason) {
	if old.Killing && old.KillGrace == grace && (reason == "" || old.KillReason == reason) {
		s.orderKill(old)
		return
	}
	t := *old
	t.Killing, t.KillGrace = true, grace
	if reason != "" {
		t.KillReason = reason
	}
	s.putTask(old, &t)
	e := taskEvent(EventTaskKilling, &t)
	e.Reason = reason
	s.emit(e)
	s.orderKill(&t)
}

func (s *State) orderKill(t *cluster.Task) {
	if s.v.Agent(t.Agent).State == cluster.AgentActive {
		s.order(killEffect(t))
	}
}

// killGrace is the time from TERM to KILL: as asked, else the task's own.
func killGrace(spec cluster.TaskSpec, asked cluster.Millis) cluster.Millis {
	switch {
	case asked > 0:
		return asked
	case spec.Container.KillGrace > 0:
		return spec.Container.KillGrace
	}
	return cluster.DefaultKillGrace
}

// putTask stores a task in its table and its indexes; old is what it replaces.
func (s *State) putTask(old, t *cluster.Task) {
	id := string(t.Spec.ID)
	s.v.tasks.put(id, t)
	if t.Spec.Service != "" {
		s.v.byService.put(key(string(t.Spec.Service), id), t)
	}
	group := groupOf(&t.Spec)
	if t.Active() {
		if group != "" {
			s.v.byGroup.put(key(group, id), t)
		}
		s.v.byAgent.put(key(string(t.Agent), id), t)
		if old == nil {
			s.allocate(t, 1)
		}
		return
	}
	s.v.ended.put(endedKey(t.Ended, id), t)
	if t.Spec.Service != "" {
		s.v.endedOf.put(key(string(t.Spec.Service), endedKey(t.Ended, id)), t)
	}
	if old != nil && old.Active() {
		if group != "" {
			s.v.byGroup.drop(key(group, id))
		}
		s.v.byAgent.drop(key(string(t.Agent), id))
		s.allocate(t, -1)
	}
}

// dropTask forgets an ended task.
func (s *State) dropTask(t *cluster.Task) {
	id := string(t.Spec.ID)
	s.v.tasks.drop(id)
	s.v.ended.drop(endedKey(t.Ended, id))
	if t.Spec.Service != "" {
		s.v.byService.drop(key(string(t.Spec.Service), id))
		s.v.endedOf.drop(key(string(t.Spec.Service), endedKey(t.Ended, id)))
	}
}

// endedKey sorts what ended by the time of its ending. Times are not negative.
func endedKey(at cluster.Time, id string) string { return key(fmt.Sprintf("%016x", int64(at)), id) }

// trimEnded drops the oldest ended tasks over the limits, of a service and in all.
func (s *State) trimEnded(service cluster.ServiceID) {
	if service != "" {
		ended := collect(seconds(s.v.endedOf.from(key(string(service), ""))))
		for _, t := range ended[:max(0, len(ended)-MaxEndedPerService)] {
			s.dropTask(t)
		}
	}
	for s.v.ended.n > MaxEnded {
		s.dropTask(s.v.ended.chunks[0].vals[0])
	}
}

func taskEvent(kind EventKind, t *cluster.Task) Event {
	return Event{Kind: kind, Service: t.Spec.Service, Run: t.Spec.Run, Task: t.Spec.ID, Agent: t.Agent,
		Framework: t.Spec.Framework, State: string(t.Status.State), Reason: t.Status.Reason,
		Message: t.Status.Message, Ready: t.Status.Ready, Leader: t.Status.Leader}
}
