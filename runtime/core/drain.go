package core

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// DrainState is how far the emptying of an agent is.
type DrainState string

// The states of a drain.
const (
	Draining DrainState = "draining" // it gets no tasks; those it has end, or are killed at the deadline
	Drained  DrainState = "drained"  // it has no task left
)

// Drain is the emptying of an agent, until ReactivateAgent.
type Drain struct {
	State    DrainState     `json:"state"`
	Since    cluster.Time   `json:"since"`                  // since when it drains
	Deadline cluster.Time   `json:"deadline,omitempty"`     // when what is left is killed
	MaxGrace cluster.Millis `json:"max_grace_ms,omitempty"` // bounds the time from TERM to KILL; 0: does not
	MarkGone bool           `json:"mark_gone,omitempty"`    // it is declared gone once it is drained
	Killing  bool           `json:"killing,omitempty"`      // the deadline is over: its tasks are being killed
}

// held gives an agent that is not gone, or refuses the command.
func (s *State) held(id cluster.AgentID) *Agent {
	a := s.v.Agent(id)
	switch {
	case a == nil:
		s.refuse(CodeNotFound, Event{Agent: id}, "there is no agent %q", id)
	case a.State == cluster.AgentGone:
		s.refuse(CodeConflict, Event{Agent: id}, "agent %q is gone", id)
	default:
		return a
	}
	return nil
}

func (s *State) drainAgent(c DrainAgent) {
	old := s.held(c.Agent)
	if old == nil {
		return
	}
	if c.MaxGrace < 0 || c.Deadline < 0 {
		s.refuse(CodeInvalid, Event{Agent: c.Agent}, "agent %q: grace of %d ms or deadline %d is negative", c.Agent, c.MaxGrace, c.Deadline)
		return
	}
	d := &Drain{State: Draining, Since: s.v.at, Deadline: c.Deadline, MaxGrace: c.MaxGrace, MarkGone: c.MarkGone}
	if old.Drain != nil {
		d.Since = old.Drain.Since // another deadline for the same drain
	}
	d.Killing = c.Deadline <= s.v.at
	s.setDrain(old, d, EventAgentDraining)
	if d.Killing {
		s.killDraining(c.Agent)
	}
	s.settleDrain(c.Agent)
}

func (s *State) setDrain(old *Agent, d *Drain, kind EventKind) {
	a := *old
	a.Drain = d
	s.putAgent(old, &a)
	e := Event{Kind: kind, Agent: a.Info.ID, State: string(a.State)}
	switch {
	case d.State == Draining && d.Killing:
		e.Message = "its tasks are being killed"
	case d.State == Draining:
		e.Message = fmt.Sprintf("its tasks are killed at %d", d.Deadline)
	}
	s.emit(e)
}

func (s *State) expireDrain(c ExpireDrain) {
	old := s.v.Agent(c.Agent)
	if old == nil || !old.drainDue(s.v.at) {
		s.refuse(CodeConflict, Event{Agent: c.Agent}, "agent %q is not draining, or its deadline is not over", c.Agent)
		return
	}
	d := *old.Drain
	d.Killing = true
	s.setDrain(old, &d, EventAgentDraining)
	s.killDraining(c.Agent)
	s.settleDrain(c.Agent)
}

// drainDue reports whether the tasks of a draining agent are to be killed now.
func (a *Agent) drainDue(now cluster.Time) bool {
	return a.State != cluster.AgentGone && a.Drain != nil && a.Drain.State == Draining && !a.Drain.Killing && a.Drain.Deadline <= now
}

// killDraining asks all tasks of an agent to end; those of a silent one when it
// is back.
func (s *State) killDraining(id cluster.AgentID) {
	for _, t := range collect(s.v.AgentTasks(id)) {
		s.markKilling(t, s.cappedGrace(t, 0), cluster.ReasonAgentDraining)
	}
}

// cappedGrace is killGrace under the bound of a drain.
func (s *State) cappedGrace(t *cluster.Task, asked cluster.Millis) cluster.Millis {
	g := killGrace(t.Spec, asked)
	if a := s.v.Agent(t.Agent); a != nil && a.Drain != nil && a.Drain.MaxGrace > 0 {
		g = min(g, a.Drain.MaxGrace)
	}
	return g
}

// settleDrain notes that a draining agent has no task left.
func (s *State) settleDrain(id cluster.AgentID) {
	old := s.v.Agent(id)
	if old == nil || old.State == cluster.AgentGone || old.Drain == nil || old.Drain.State != Draining || old.Tasks > 0 {
		return
	}
	d := *old.Drain
	d.State = Drained
	s.setDrain(old, &d, EventAgentDrained)
	if d.MarkGone {
		s.markGone(s.v.Agent(id))
	}
}

func (s *State) deactivateAgent(c DeactivateAgent) {
	old := s.held(c.Agent)
	if old == nil {
		return
	}
	if old.Deactivated {
		s.refuse(CodeConflict, Event{Agent: c.Agent}, "agent %q is deactivated already", c.Agent)
		return
	}
	a := *old
	a.Deactivated = true
	s.putAgent(old, &a)
	s.emit(Event{Kind: EventAgentDeactivated, Agent: c.Agent, State: string(a.State)})
}

func (s *State) reactivateAgent(c ReactivateAgent) {
	old := s.held(c.Agent)
	if old == nil {
		return
	}
	if !old.Deactivated && old.Drain == nil {
		s.refuse(CodeConflict, Event{Agent: c.Agent}, "agent %q is neither deactivated nor draining", c.Agent)
		return
	}
	a := *old
	a.Deactivated, a.Drain = false, nil
	s.putAgent(old, &a)
	s.emit(Event{Kind: EventAgentReactivated, Agent: c.Agent, State: string(a.State)})
}

func (s *State) putMaintenance(c PutMaintenance) {
	if len(c.Agents) == 0 || len(c.Agents) > MaxAgents {
		s.refuse(CodeInvalid, Event{}, "%d agents are named, it must be 1 to %d", len(c.Agents), MaxAgents)
		return
	}
	if w := c.Window; w != nil && (w.Start < 0 || w.Duration < 0) {
		s.refuse(CodeInvalid, Event{}, "the window's start %d or its duration %d is negative", w.Start, w.Duration)
		return
	}
	for _, id := range c.Agents { // all or none
		if s.held(id) == nil {
			return
		}
	}
	for _, id := range c.Agents {
		old := s.v.Agent(id)
		a := *old
		a.Maintenance = c.Window
		s.putAgent(old, &a)
		s.emit(Event{Kind: EventAgentMaintenance, Agent: id, State: string(a.State)})
	}
}
