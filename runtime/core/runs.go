package core

import "github.com/universe-dcos/universe/runtime/cluster"

func (s *State) putRun(c PutRun) {
	id := c.Spec.ID
	where := Event{Run: id, Service: c.Spec.Service}
	switch {
	case !isTaskID(string(id)):
		s.refuse(CodeInvalid, where, "run id %q is not 1 to %d of a-z, 0-9, - and .", bounded(string(id), maxTaskID), maxTaskID)
		return
	case s.v.Run(id) != nil:
		s.refuse(CodeExists, where, "run %q exists already", id)
		return
	case c.Spec.Role != "" && !cluster.ValidRole(c.Spec.Role):
		s.refuse(CodeInvalid, where, "run %q: role %q is malformed", id, c.Spec.Role)
		return
	}
	if why := invalidTemplate(c.Spec.Task); why != "" {
		s.refuse(CodeInvalid, where, "run %q: %s", id, why)
		return
	}
	if c.Spec.Service != "" {
		svc := s.v.Service(c.Spec.Service)
		if svc == nil {
			s.refuse(CodeNotFound, where, "there is no service %q", c.Spec.Service)
			return
		}
		if svc.Removing {
			s.refuse(CodeConflict, where, "service %q is being removed", c.Spec.Service)
			return
		}
	}
	if ps := c.Spec.Plan; ps != nil {
		if c.Spec.Service == "" {
			s.refuse(CodeInvalid, where, "run %q is a step of a plan and of no service", id)
			return
		}
		if code, why := s.refusedStep(s.v.Service(c.Spec.Service), ps); code != "" {
			s.refuse(code, where, "run %q: %s", id, why)
			return
		}
	}
	r := &Run{Spec: c.Spec, State: RunPending, Index: s.v.index, Created: s.v.at, Principal: c.Principal}
	if r.Spec.Role == "" {
		r.Spec.Role = cluster.DefaultRole
	}
	s.v.runs.put(string(id), r)
	s.emit(runEvent(EventRunPut, r))
	if r.Spec.Plan != nil {
		s.stepPut(r)
	}
}

func (s *State) cancelRun(c CancelRun) {
	r := s.v.Run(c.Run)
	where := Event{Run: c.Run}
	switch {
	case r == nil:
		s.refuse(CodeNotFound, where, "there is no run %q", c.Run)
	case r.State.Final():
		s.refuse(CodeConflict, where, "run %q has ended", c.Run)
	default:
		s.endRunEarly(r)
	}
}

// endRunEarly cancels a run: a waiting one ends now, an active one with its task.
func (s *State) endRunEarly(old *Run) {
	r := *old
	r.Canceled = true
	if r.State == RunPending {
		s.finishRun(&r, RunCanceled)
		return
	}
	s.v.runs.put(string(r.Spec.ID), &r)
	if t := s.v.Task(r.Task); t != nil && t.Active() {
		s.markKilling(t, s.cappedGrace(t, 0), "")
	}
}

func (s *State) runLaunched(t *cluster.Task) {
	r := *s.v.Run(t.Spec.Run)
	r.State, r.Task, r.Reason, r.Message = RunActive, t.Spec.ID, "", ""
	r.Attempts++
	s.v.runs.put(string(r.Spec.ID), &r)
	s.emit(runEvent(EventRunStarted, &r))
}

// runRefused notes that an acceptance for a run was refused. The run waits on
// when another offer can be better, and fails when none can.
func (s *State) runRefused(t *cluster.Task) {
	old := s.v.Run(t.Spec.Run)
	if old == nil || old.State != RunPending {
		return
	}
	r := *old
	r.Attempts++
	r.Reason, r.Message = t.Status.Reason, t.Status.Message
	if t.Status.State == cluster.TaskError {
		r.Task = t.Spec.ID
		s.finishRun(&r, RunFailed)
		return
	}
	s.v.runs.put(string(r.Spec.ID), &r)
}

// runEnded ends the run whose task ended.
func (s *State) runEnded(t *cluster.Task) {
	old := s.v.Run(t.Spec.Run)
	if old == nil || old.State.Final() || old.Task != t.Spec.ID {
		return
	}
	r := *old
	r.Reason, r.Message, r.ExitCode = t.Status.Reason, t.Status.Message, t.Status.ExitCode
	switch {
	case t.Status.State == cluster.TaskFinished:
		s.finishRun(&r, RunFinished)
	case t.Killing:
		s.finishRun(&r, RunCanceled)
	default:
		s.finishRun(&r, RunFailed)
	}
}

func (s *State) finishRun(r *Run, st RunState) {
	r.State, r.Ended = st, s.v.at
	s.v.runs.put(string(r.Spec.ID), r)
	s.v.endedRuns.put(endedKey(r.Ended, string(r.Spec.ID)), r)
	s.emit(runEvent(EventRunEnded, r))
	s.stepEnded(r)
	for s.v.endedRuns.n > MaxEndedRuns {
		s.dropRun(s.v.endedRuns.chunks[0].vals[0])
	}
}

func (s *State) dropRun(r *Run) {
	s.v.runs.drop(string(r.Spec.ID))
	s.v.endedRuns.drop(endedKey(r.Ended, string(r.Spec.ID)))
}

func runEvent(kind EventKind, r *Run) Event {
	return Event{Kind: kind, Service: r.Spec.Service, Run: r.Spec.ID, Task: r.Task,
		State: string(r.State), Reason: r.Reason, Message: r.Message}
}
