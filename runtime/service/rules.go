package service

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// rule is a cluster.Constraint made ready to look at agents.
type rule struct {
	cluster.Constraint
	match  *regexp.Regexp // LIKE, UNLIKE
	number int            // MAX_PER: the most; UNIQUE: 1; GROUP_BY: how many groups there are at least
}

// rulesOf reads the placement of a pod. What is malformed, which Validate
// refuses, is satisfied by no agent.
func rulesOf(p *cluster.PodSpec) []rule {
	if len(p.Placement) == 0 {
		return nil
	}
	out := make([]rule, len(p.Placement))
	for i, c := range p.Placement {
		r := rule{Constraint: c}
		switch c.Operator {
		case cluster.OpLike, cluster.OpUnlike:
			r.match, _ = cluster.CompilePattern(c.Value) // nil: malformed
		case cluster.OpUnique:
			r.number = 1
		case cluster.OpMaxPer, cluster.OpGroupBy:
			r.number, _ = strconv.Atoi(c.Value) // 0: none, or malformed
		case cluster.OpIs, cluster.OpCluster:
			r.Value = normal(c.Value)
		}
		out[i] = r
	}
	return out
}

// counts reports whether a rule is about how many instances are on agents with
// a value, not about the value alone.
func (r *rule) counts() bool {
	switch r.Operator {
	case cluster.OpUnique, cluster.OpMaxPer, cluster.OpGroupBy:
		return true
	}
	return r.follows()
}

// follows reports whether instances have to be where the first one is.
func (r *rule) follows() bool { return r.Operator == cluster.OpCluster && r.Value == "" }

// allows reports whether a rule holds on an agent whatever else is placed. Of a
// rule that counts it says that the agent has the attribute.
func (r *rule) allows(a *cluster.Agent) bool {
	v := attribute(a, r.Attribute)
	switch r.Operator {
	case cluster.OpUnlike:
		return r.match != nil && (v == "" || !r.match.MatchString(v))
	case cluster.OpLike:
		return v != "" && r.match != nil && r.match.MatchString(v)
	case cluster.OpIs, cluster.OpCluster:
		return v != "" && (r.follows() || normal(v) == r.Value)
	case cluster.OpUnique, cluster.OpMaxPer, cluster.OpGroupBy:
		return v != ""
	}
	return false
}

// attribute is an agent's value of an attribute; empty when it has none.
func attribute(a *cluster.Agent, name string) string {
	switch name {
	case cluster.AttributeHostname:
		return a.Hostname
	case cluster.AttributeRegion:
		return domain(a).Region
	case cluster.AttributeZone:
		return domain(a).Zone
	}
	return a.Attributes[name]
}

// domain is the fault domain of an agent, nothing when it names none.
func domain(a *cluster.Agent) cluster.Domain {
	if a.Domain == nil {
		return cluster.Domain{}
	}
	return *a.Domain
}

// normal is a value as IS compares it: numbers to three decimals, ranges and
// sets in order.
func normal(v string) string {
	if v == "" {
		return ""
	}
	switch first := v[0]; {
	case first == '{' || first == '[':
		parts := strings.Split(strings.Trim(v, "{}[]"), ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		slices.Sort(parts)
		return string(first) + strings.Join(parts, ",")
	case first >= '0' && first <= '9' || first == '-' || first == '.':
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return strconv.FormatFloat(f, 'f', 3, 64)
		}
	}
	return v
}

// group is the values of a GROUP_BY rule: how many instances each has. The
// emptiest of them decides where the next one may go.
type group struct {
	has     map[string]bool
	byCount map[int]int // how many groups have so many instances
	least   int         // what the emptiest has
	missing bool        // fewer groups are seen than there are at least: the others are empty
}

// newGroups finds the groups of a rule: the values of agents that get tasks and
// on which all other rules can hold.
func newGroups(view *core.View, rules []rule, of int) *group {
	g := &group{has: map[string]bool{}, byCount: map[int]int{}}
	for a := range view.Agents() {
		if !a.Offerable() {
			continue
		}
		v := attribute(&a.Info, rules[of].Attribute)
		if v == "" || g.has[v] || broken(rules, &a.Info) >= 0 {
			continue
		}
		g.has[v] = true
	}
	g.missing = len(g.has) < rules[of].number
	g.byCount[0] = len(g.has)
	return g
}

// broken is the first of the rules that can never hold on an agent; -1: none.
func broken(rules []rule, a *cluster.Agent) int {
	for i := range rules {
		if !rules[i].allows(a) {
			return i
		}
	}
	return -1
}

// grew says that a group has so many instances now, one more than before.
func (g *group) grew(value string, to int) {
	if !g.has[value] {
		return
	}
	g.byCount[to-1]--
	g.byCount[to]++
	if !g.missing && g.byCount[g.least] == 0 {
		g.least++
	}
}
