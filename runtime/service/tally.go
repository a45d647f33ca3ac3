package service

import (
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// tally counts the instances of one pod where they are and where this step puts
// them: what its rules are about. Whatever may still run counts, also what is
// being ended: a rule is never broken for a while.
type tally struct {
	pod    *pod
	rules  []rule
	agents map[cluster.AgentID]int
	zones  map[cluster.Domain]*int
	values []map[string]*int // by rule that counts, and value
	groups []*group          // by rule that is a GROUP_BY
	all    int
}

// newTally counts what there is of a pod but for one instance, which is to move; nil: all.
func (m *model) newTally(p *pod, without *instance) *tally {
	t := &tally{pod: p, rules: rulesOf(p.spec), agents: map[cluster.AgentID]int{}, zones: map[cluster.Domain]*int{}}
	t.values, t.groups = make([]map[string]*int, len(t.rules)), make([]*group, len(t.rules))
	for i := range t.rules {
		if t.rules[i].counts() {
			t.values[i] = map[string]*int{}
		}
		if t.rules[i].Operator == cluster.OpGroupBy {
			t.groups[i] = newGroups(m.view, t.rules, i)
		}
	}
	for _, in := range p.instances {
		if in == without {
			continue
		}
		for _, id := range in.places() {
			if a := m.view.Agent(id); a != nil {
				t.add(&a.Info)
			}
		}
	}
	return t
}

// places are the agents of an instance's launches that may still run. While
// evict looks for room, one that leaves its agent is where there is room for it.
func (in *instance) places() []cluster.AgentID {
	var out []cluster.AgentID
	if in.home != nil {
		out = append(out, in.home.Agent)
	} else if in.to != nil {
		out = append(out, in.to.ID)
	} else if len(in.live) > 0 {
		out = append(out, in.live[0].Agent)
	}
	for i, t := range in.old {
		if !launchedBefore(in.old[:i], t) {
			out = append(out, t.Agent)
		}
	}
	return out
}

func launchedBefore(tasks []*cluster.Task, t *cluster.Task) bool {
	for _, o := range tasks {
		if sched.LaunchOf(o.Spec.ID) == sched.LaunchOf(t.Spec.ID) {
			return true
		}
	}
	return false
}

// add counts one more instance on an agent.
func (t *tally) add(a *cluster.Agent) {
	t.all++
	t.agents[a.ID]++
	*t.zone(a)++
	for i := range t.rules {
		if t.values[i] == nil {
			continue
		}
		v := attribute(a, t.rules[i].Attribute)
		c := t.value(i, v)
		*c++
		if g := t.groups[i]; g != nil {
			g.grew(v, *c)
		}
	}
}

// zone is the count of an agent's fault domain. Agents without one share one.
func (t *tally) zone(a *cluster.Agent) *int { return counter(t.zones, domain(a)) }

// value is the count of a value of a rule.
func (t *tally) value(rule int, v string) *int { return counter(t.values[rule], v) }

func counter[K comparable](m map[K]*int, key K) *int {
	c := m[key]
	if c == nil {
		c = new(int)
		m[key] = c
	}
	return c
}

// refuses is the first rule that keeps one more instance from an agent on which
// all rules can hold; -1: none. Rules that group are left out unless asked for.
func (t *tally) refuses(a *cluster.Agent, groups bool) int {
	for i := range t.rules {
		r := &t.rules[i]
		switch {
		case t.values[i] == nil:
		case r.Operator == cluster.OpGroupBy:
			if groups && *t.value(i, attribute(a, r.Attribute)) > t.groups[i].least {
				return i
			}
		case r.follows():
			if t.all > 0 && *t.value(i, attribute(a, r.Attribute)) == 0 {
				return i
			}
		case *t.value(i, attribute(a, r.Attribute)) >= r.number:
			return i
		}
	}
	return -1
}

// taken reports whether an instance is where only one may be.
func (t *tally) taken(a cluster.AgentID) bool { return t.pod.spec.Unique && t.agents[a] > 0 }

// possible reports whether one more instance may be on an agent, if it has room.
func (t *tally) possible(a *cluster.Agent) bool {
	return !t.taken(a.ID) && broken(t.rules, a) < 0 && t.refuses(a, true) < 0
}
