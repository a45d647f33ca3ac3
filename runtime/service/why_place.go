package service

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// whyNot explains an instance that is to be launched and has no place.
func (m *model) whyNot(in *instance) *Why {
	if in.action == actLaunch && in.home != nil {
		return m.whyNotHome(in)
	}
	s := &search{view: m.view, role: m.role(), need: sched.NeedOf(in.wants()), tally: m.newTally(in.pod, nil)}
	why := s.why()
	switch {
	case why.Reason == WhyPlacement:
		return why
	case in.pod.spec.Gang:
		list := in.pod.toLaunch()
		if fit := m.gangFits(in.pod, list); fit < len(list) {
			s.gang = true
			why = s.why()
			why.Gang = &WhyFit{Fit: fit, Wanted: len(list)}
		}
	}
	if why.Reason == WhyResources && m.svc.Spec.Priority > m.lowest {
		if a := m.ending(s); a != nil {
			return &Why{Reason: WhyEnding, Agents: []WhyAgent{{Agent: a.ID, Hostname: a.Hostname}}, Gang: why.Gang}
		}
	}
	return why
}

// whyNotHome explains an instance that is to be launched where it lives: the
// offer is on its way, or it needs more than its place has and its agent has left.
func (m *model) whyNotHome(in *instance) *Why {
	a := m.view.Agent(in.home.Agent)
	if why := m.tooLittle(in, a, in.toLaunch(), a.FreePool()); why != nil {
		return why
	}
	return &Why{Reason: WhyOffer}
}

// outgrown says why an instance that is to be replaced in its place would not
// fit there: it is not ended then.
func (m *model) outgrown(in *instance) *Why {
	if in.home == nil {
		return nil
	}
	a := m.view.Agent(in.home.Agent)
	if a == nil || !a.Offerable() {
		return m.whyLost(in, a)
	}
	have := a.FreePool()
	for _, t := range in.live {
		have = have.Plus(t.Spec.Pool())
	}
	last := 0
	for i := range in.pod.spec.Tasks {
		last = max(last, in.pod.stage(in.pod.spec.Tasks[i].Name))
	}
	for stage := range last + 1 {
		tasks := slices.DeleteFunc(slices.Clone(in.pod.spec.Tasks), func(t cluster.TaskTemplate) bool { return in.pod.stage(t.Name) != stage })
		if why := m.tooLittle(in, a, tasks, have); why != nil {
			return why
		}
	}
	return nil
}

// tooLittle says what tasks of an instance lack where it lives; nil: nothing.
func (m *model) tooLittle(in *instance, a *core.Agent, tasks []cluster.TaskTemplate, free cluster.Pool) *Why {
	room := &sched.Room{Agent: &a.Info, Role: in.pod.role(m), Free: free}
	if _, ok := room.ClaimPlace(in.home, tasks, 0); ok {
		return nil
	}
	have := room.Free.Open.Plus(room.Free.Reserved.Of(in.home.Stack).Resources)
	w := WhyAgent{Agent: a.Info.ID, Hostname: a.Info.Hostname, Shortfalls: sched.NeedOf(tasks).Missing(have)}
	if w.Shortfalls == nil {
		w.Shortfalls = []cluster.Shortfall{{Resource: "volumes", Have: "not all free", Need: "those of its place"}}
	}
	return &Why{Reason: WhyHome, Agents: []WhyAgent{w}, Command: fmt.Sprintf("dcos service replace %s %s", m.svc.Spec.ID, core.InstanceKey(in.pod.spec.Name, in.index))}
}

// ending is an agent on which there will be room when what is being ended there
// has ended; nil: there is none.
func (m *model) ending(s *search) *cluster.Agent {
	if m.outlook == nil {
		m.outlook = newOutlook(m.view)
	}
	for _, r := range m.outlook.rooms(s.role) {
		if s.need.Missing(r.Usable()) == nil && s.tally.possible(r.Agent) {
			return r.Agent
		}
	}
	return nil
}

// WhyNoPlace explains why a need has no place under a role: WhyResources with
// what is missing on each agent, or WhyOffer when it fits on one.
func WhyNoPlace(view *core.View, role cluster.Role, need sched.Need) *Why {
	return (&search{view: view, role: role, need: need}).why()
}

// search looks for a place and says what is in the way.
type search struct {
	view  *core.View
	role  cluster.Role
	need  sched.Need
	tally *tally // of the pod; nil: it has no rules
	gang  bool   // room for one is not enough
}

func (s *search) why() *Why {
	w := &Why{Reason: WhyResources}
	for a := range s.view.Agents() {
		if a.State == cluster.AgentGone {
			continue
		}
		reason := s.agent(a)
		switch {
		case reason == nil && !s.gang:
			return &Why{Reason: WhyOffer}
		case reason == nil:
		case len(w.Agents) == MaxWhyAgents:
			w.Omitted++
		default:
			w.Agents = append(w.Agents, *reason)
		}
	}
	if len(w.Agents) > 0 {
		s.hopeless(w)
	}
	return w
}

// hopeless sees whether there is a rule that no agent satisfies, busy or not.
func (s *search) hopeless(w *Why) {
	if s.tally == nil {
		return
	}
	for i := range s.tally.rules {
		r := &s.tally.rules[i]
		known, holds := false, false
		for a := range s.view.Agents() {
			if a.State != cluster.AgentGone {
				known = known || attribute(&a.Info, r.Attribute) != ""
				holds = holds || r.allows(&a.Info)
			}
		}
		if !holds {
			w.Reason, w.Constraint, w.Unknown = WhyPlacement, &s.tally.pod.spec.Placement[i], !known
			return
		}
	}
}

// agent says what is in the way on one agent; nil: nothing.
func (s *search) agent(a *core.Agent) *WhyAgent {
	w := &WhyAgent{Agent: a.Info.ID, Hostname: a.Info.Hostname}
	switch {
	case a.State == cluster.AgentUnreachable:
		w.Rule = RuleUnreachable
		return w
	case a.Drain != nil:
		w.Rule = RuleDraining
		return w
	case a.Deactivated:
		w.Rule = RuleDeactivated
		return w
	case s.tally != nil && s.tally.taken(a.Info.ID):
		w.Rule = RuleUnique
		return w
	}
	if s.tally != nil && s.broken(&a.Info, w) {
		return w
	}
	if w.Shortfalls = s.need.Missing(sched.Usable(a.FreePool(), s.role)); w.Shortfalls == nil {
		return nil
	}
	return w
}

// broken notes the first placement rule that does not hold on an agent.
func (s *search) broken(a *cluster.Agent, w *WhyAgent) bool {
	i := broken(s.tally.rules, a)
	if i < 0 {
		i = s.tally.refuses(a, true)
	}
	if i < 0 {
		return false
	}
	w.Rule, w.Constraint = RulePlacement, &s.tally.pod.spec.Placement[i]
	w.Shortfalls = []cluster.Shortfall{s.tally.shortfall(i, a)}
	return true
}

// shortfall says what a rule that does not hold on an agent found and needs there.
func (t *tally) shortfall(i int, a *cluster.Agent) cluster.Shortfall {
	r, c := &t.rules[i], &t.pod.spec.Placement[i]
	value := attribute(a, r.Attribute)
	out := cluster.Shortfall{Resource: attributeText(r.Attribute), Have: value, Need: constraintText(c)}
	switch {
	case value == "":
		out.Have = "none"
		if r.counts() {
			out.Need = "a value (" + constraintText(c) + ")"
		}
	case t.values[i] == nil:
	case r.follows():
		out.Need = "the value of the instances that have a place (CLUSTER)"
	default:
		most := r.number - 1
		if r.Operator == cluster.OpGroupBy {
			most = t.groups[i].least
		}
		out.Have, out.Need = strconv.Itoa(*t.value(i, value)), fmt.Sprintf("fewer than %d in %s (%s)", most+1, value, constraintText(c))
	}
	return out
}
