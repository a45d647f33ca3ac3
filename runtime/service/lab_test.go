package service_test

import (
	"fmt"
	"regexp"
	"strconv"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// lab is a small random cluster of the real core, for tests of properties. Its
// pods have one task each.
type lab struct {
	t     *rapid.T
	state *core.State
	now   cluster.Time
	uuids int
}

func newLab(t *rapid.T) *lab {
	l := &lab{t: t, state: core.New(), now: 1_000_000}
	l.apply(core.PutFramework{Framework: cluster.Framework{ID: service.Framework, Roles: []cluster.Role{"*"}}})
	for i := range rapid.IntRange(1, 7).Draw(t, "agents") {
		a := cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%d", i)), Hostname: fmt.Sprintf("h%d", i), Host: fmt.Sprintf("10.0.0.%d", i), Attributes: map[string]string{},
			Total: cluster.Resources{CPU: 1000 * rapid.Int64Range(1, 4).Draw(t, "cpus"), Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31002})}}
		for _, k := range []string{"rack", "disk"} {
			if v := rapid.IntRange(0, 3).Draw(t, k); v > 0 {
				a.Attributes[k] = fmt.Sprint(k, v)
			}
		}
		if z := rapid.IntRange(0, 2).Draw(t, "zone"); z > 0 {
			a.Domain = &cluster.Domain{Region: "r", Zone: fmt.Sprint("z", z)}
		}
		l.apply(core.RegisterAgent{Agent: a, Boot: "b"})
	}
	return l
}

// apply applies a command that must not be refused.
func (l *lab) apply(c core.Command) {
	events, _ := l.state.Apply(l.now, c)
	for _, e := range events {
		if e.Kind == core.EventRefused || e.Kind == core.EventTaskRefused {
			l.t.Fatalf("%s is refused: %s", c.Kind(), e.Message)
		}
	}
}

// drawRule draws a valid placement rule.
func drawRule(t *rapid.T) cluster.Constraint {
	c := cluster.Constraint{Attribute: rapid.SampledFrom([]string{"rack", "disk", "@zone", "@hostname"}).Draw(t, "attribute"),
		Operator: rapid.SampledFrom([]cluster.Operator{cluster.OpUnique, cluster.OpMaxPer, cluster.OpGroupBy, cluster.OpCluster,
			cluster.OpLike, cluster.OpUnlike, cluster.OpIs}).Draw(t, "operator")}
	switch c.Operator {
	case cluster.OpMaxPer:
		c.Value = rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "number")
	case cluster.OpGroupBy:
		c.Value = rapid.SampledFrom([]string{"", "2", "4"}).Draw(t, "groups")
	case cluster.OpCluster:
		c.Value = rapid.SampledFrom([]string{"", "rack1"}).Draw(t, "where")
	case cluster.OpLike, cluster.OpUnlike:
		c.Value = rapid.SampledFrom([]string{".*1", "[rhz].*", "disk[23]"}).Draw(t, "pattern")
	case cluster.OpIs:
		c.Value = rapid.SampledFrom([]string{"rack1", "disk2", "z1"}).Draw(t, "value")
	}
	return c
}

// drawPod draws a pod of one task with up to so many rules.
func drawPod(t *rapid.T, rules int) cluster.PodSpec {
	p := cluster.PodSpec{Name: "p", Count: rapid.IntRange(1, 7).Draw(t, "count"), Unique: rapid.IntRange(0, 4).Draw(t, "unique") == 0,
		Tasks: []cluster.TaskTemplate{{Name: "t", Goal: cluster.GoalRunning, Container: cluster.Container{Image: "i@sha256:0"},
			Resources: cluster.Resources{CPU: 500 * rapid.Int64Range(1, 3).Draw(t, "need")}}}}
	if rapid.Bool().Draw(t, "port") {
		p.Tasks[0].Ports = []cluster.PortSpec{{Name: "x"}}
	}
	for range rapid.IntRange(0, rules).Draw(t, "rules") {
		p.Placement = append(p.Placement, drawRule(t))
	}
	return p
}

// offers gives all that is free, but for agents that a draw leaves out.
func (l *lab) offers(all bool) []cluster.Offer {
	var out []cluster.Offer
	for a := range l.state.View().Agents() {
		if free := a.Free(); !free.IsZero() && (all || rapid.Bool().Draw(l.t, "offered")) {
			out = append(out, cluster.Offer{ID: cluster.OfferID(a.Info.ID), Agent: a.Info, Framework: service.Framework, Role: "*", Resources: free})
		}
	}
	return out
}

// step makes one step with what is free and does what it says. It gives what was
// launched, by instance, and who was ended.
func (l *lab) step(all bool) (launched map[string]cluster.AgentID, kills []sched.Kill) {
	launched = map[string]cluster.AgentID{}
	for _, call := range service.Step(l.now, l.state.View(), l.offers(all)).Calls {
		switch c := call.(type) {
		case sched.Accept:
			id := cluster.AgentID(c.Offers[0])
			l.apply(core.AcceptOffers{Framework: service.Framework, Role: "*", Agent: id, Offered: l.state.View().Agent(id).Free(), Tasks: c.Tasks})
			for _, t := range c.Tasks {
				launched[string(t.Service)+"/"+core.InstanceKey(t.Pod, t.Index)] = id
			}
		case sched.Kill:
			kills = append(kills, c)
			l.apply(core.KillTask{Task: c.Task, Reason: c.Reason})
		}
	}
	return launched, kills
}

// report says something of a task.
func (l *lab) report(t *cluster.Task, state cluster.TaskState) {
	l.uuids++
	l.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: state, Ready: state == cluster.TaskRunning, UUID: strconv.Itoa(l.uuids), At: l.now}})
}

// active gives the active tasks of a service.
func (l *lab) active(id cluster.ServiceID) (out []*cluster.Task) {
	for t := range l.state.View().ServiceTasks(id) {
		if t.Active() {
			out = append(out, t)
		}
	}
	return out
}

// places gives the agents of the active instances of a service.
func (l *lab) places(id cluster.ServiceID) (out []cluster.AgentID) {
	for _, t := range l.active(id) {
		out = append(out, t.Agent)
	}
	return out
}

// possible is the rules said once more, as plainly as can be: may one more
// instance of a pod be on an agent beside those that are at places?
func (l *lab) possible(p *cluster.PodSpec, places []cluster.AgentID, a *cluster.Agent) bool {
	for _, at := range places {
		if p.Unique && at == a.ID {
			return false
		}
	}
	for i := range p.Placement {
		if !l.ruleHolds(p, i, places, a) {
			return false
		}
	}
	return true
}

func valueOf(a *cluster.Agent, name string) string {
	switch {
	case name == "@hostname":
		return a.Hostname
	case name == "@zone" && a.Domain != nil:
		return a.Domain.Zone
	}
	return a.Attributes[name]
}

func (l *lab) ruleHolds(p *cluster.PodSpec, i int, places []cluster.AgentID, a *cluster.Agent) bool {
	c := p.Placement[i]
	v := valueOf(a, c.Attribute)
	if v == "" {
		return c.Operator == cluster.OpUnlike
	}
	count := func(value string) (n int) {
		for _, at := range places {
			if valueOf(&l.state.View().Agent(at).Info, c.Attribute) == value {
				n++
			}
		}
		return n
	}
	number, _ := strconv.Atoi(c.Value)
	switch c.Operator {
	case cluster.OpUnique:
		return count(v) == 0
	case cluster.OpMaxPer:
		return count(v) < number
	case cluster.OpCluster:
		return v == c.Value || c.Value == "" && (len(places) == 0 || count(v) > 0)
	case cluster.OpIs:
		return v == c.Value
	case cluster.OpLike, cluster.OpUnlike:
		return regexp.MustCompile("^("+c.Value+")$").MatchString(v) == (c.Operator == cluster.OpLike)
	}
	groups, least := map[string]bool{}, -1
	for o := range l.state.View().Agents() {
		if g := valueOf(&o.Info, c.Attribute); g != "" && o.Offerable() && l.couldEver(p, &o.Info) {
			groups[g] = true
			if n := count(g); least < 0 || n < least {
				least = n
			}
		}
	}
	if len(groups) < number {
		least = 0
	}
	return count(v) <= least
}

// couldEver reports whether the rules of a pod could hold on an agent with none
// of its instances anywhere, GROUP_BY left out.
func (l *lab) couldEver(p *cluster.PodSpec, a *cluster.Agent) bool {
	q := *p
	q.Placement = nil
	for _, c := range p.Placement {
		if c.Operator != cluster.OpGroupBy {
			q.Placement = append(q.Placement, c)
		} else if valueOf(a, c.Attribute) == "" {
			return false
		}
	}
	return l.possible(&q, nil, a)
}
