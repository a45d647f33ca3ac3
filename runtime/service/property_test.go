package service_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// TestStep_keepsPlacement places instances under random rules, ends some and
// places again. Each launch satisfies all rules in the order of the instances,
// and who is left waits only because no agent is possible.
func TestStep_keepsPlacement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLab(t)
		pod := drawPod(t, 3)
		l.apply(core.PutService{Spec: cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod}}})
		for range 3 {
			l.checkRound(&pod, rapid.Bool().Draw(t, "all"))
			l.now += cluster.Time(service.BackoffMax)
			for _, task := range l.active("s") {
				switch rapid.IntRange(0, 3).Draw(t, "fate") {
				case 0:
					l.report(task, cluster.TaskFailed)
				default:
					l.report(task, cluster.TaskRunning)
				}
			}
			l.now += cluster.Time(service.BackoffMax)
		}
	})
}

// checkRound makes one step and checks it against the plain rules.
func (l *lab) checkRound(pod *cluster.PodSpec, all bool) {
	places, free := l.places("s"), map[cluster.AgentID]cluster.Resources{}
	missing := l.missing("s", pod)
	offered := l.offers(all)
	for _, o := range offered {
		free[o.Agent.ID] = o.Resources
	}
	launched := map[int]cluster.AgentID{}
	for _, call := range service.Step(l.now, l.state.View(), offered).Calls {
		c, ok := call.(sched.Accept)
		if !ok {
			continue
		}
		id := cluster.AgentID(c.Offers[0])
		for _, t := range c.Tasks {
			launched[t.Index] = id
		}
		defer l.apply(core.AcceptOffers{Framework: service.Framework, Role: "*", Agent: id, Offered: free[id], Tasks: c.Tasks})
	}
	need := sched.NeedOf(pod.Tasks)
	for _, i := range missing {
		id, ok := launched[i]
		if ok {
			if a := l.state.View().Agent(id); !l.possible(pod, places, &a.Info) || need.Missing(free[id]) != nil {
				l.t.Fatalf("instance %d is put on %s (%v, %s free) beside %v, against %+v", i, id, a.Info.Attributes, free[id], places, pod.Placement)
			}
			places, free[id] = append(places, id), without(free[id], need)
			continue
		}
		for id, have := range free {
			if a := l.state.View().Agent(id); l.possible(pod, places, &a.Info) && need.Missing(have) == nil {
				l.t.Fatalf("instance %d waits beside %v, and %s (%v, %s free) is possible under %+v", i, places, id, a.Info.Attributes, have, pod.Placement)
			}
		}
	}
}

func without(have cluster.Resources, need sched.Need) cluster.Resources {
	have = have.Minus(need.Resources)
	have.Ports = sched.Without(have.Ports, need.Dynamic)
	return have
}

// missing gives the instances of a pod that have no task, in order.
func (l *lab) missing(id cluster.ServiceID, pod *cluster.PodSpec) (out []int) {
	there := map[int]bool{}
	for _, t := range l.active(id) {
		there[t.Spec.Index] = true
	}
	for i := range pod.Count {
		if !there[i] {
			out = append(out, i)
		}
	}
	return out
}

// TestStep_launchesGangsWhole checks that a gang is launched whole or not at
// all, and that it waits only when no assignment is possible. With more than one
// rule that counts, finding one is beyond what is promised.
func TestStep_launchesGangsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLab(t)
		pod := drawPod(t, 1)
		pod.Gang, pod.Count = true, min(pod.Count, 4)
		l.apply(core.PutService{Spec: cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod}}})
		free := map[cluster.AgentID]cluster.Resources{}
		for _, o := range l.offers(true) {
			free[o.Agent.ID] = o.Resources
		}
		launched, _ := l.step(true)
		switch possible := l.assignable(&pod, nil, free, pod.Count); {
		case len(launched) != 0 && len(launched) != pod.Count:
			t.Fatalf("%d of %d are launched", len(launched), pod.Count)
		case possible != (len(launched) > 0):
			t.Fatalf("possible: %t, launched %v under %+v", possible, launched, pod.Placement)
		}
		if s, _ := service.StatusOf(l.now, l.state.View(), "s"); len(launched) == 0 && s.Pods[0].Instances[0].Why == nil {
			t.Fatal("it does not say why it waits")
		}
	})
}

// assignable tries every assignment of n instances.
func (l *lab) assignable(pod *cluster.PodSpec, places []cluster.AgentID, free map[cluster.AgentID]cluster.Resources, n int) bool {
	if n == 0 {
		return true
	}
	need := sched.NeedOf(pod.Tasks)
	for id, have := range free {
		if a := l.state.View().Agent(id); need.Missing(have) != nil || !l.possible(pod, places, &a.Info) {
			continue
		}
		free[id] = without(have, need)
		ok := l.assignable(pod, append(places[:len(places):len(places)], id), free, n-1)
		free[id] = have
		if ok {
			return true
		}
	}
	return false
}

// TestStep_preemptsAndSettles lets services of random priorities compete. Only
// those that are preemptible and lower than somebody who waits are ended for
// others, and it comes to rest with nobody waiting for whom an agent could be made free.
func TestStep_preemptsAndSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLab(t)
		var specs []cluster.ServiceSpec
		for i := range rapid.IntRange(2, 4).Draw(t, "services") {
			s := cluster.ServiceSpec{ID: cluster.ServiceID(rune('a' + i)), Priority: rapid.IntRange(-1, 2).Draw(t, "priority"),
				Preemptible: rapid.Bool().Draw(t, "preemptible"), Pods: []cluster.PodSpec{drawPod(t, 1)}}
			if s.Pods[0].Gang = rapid.IntRange(0, 3).Draw(t, "gang") == 0; s.Pods[0].Gang {
				s.Pods[0].Count = min(s.Pods[0].Count, 4)
			}
			specs = append(specs, s)
			l.apply(core.PutService{Spec: s, Over: true})
			l.step(true)
		}
		for round := 0; l.compete(specs); round++ {
			if round == 60 {
				t.Fatal("it does not come to rest")
			}
		}
		for i := range specs {
			l.checkOutbid(&specs[i])
		}
	})
}

// compete makes a step, lets some of what is ending end and what was launched
// run. It reports whether anything is on its way.
func (l *lab) compete(specs []cluster.ServiceSpec) (busy bool) {
	highest := math.MinInt
	byID := map[cluster.ServiceID]cluster.ServiceSpec{}
	for _, s := range specs {
		byID[s.ID] = s
		if len(l.missing(s.ID, &s.Pods[0])) > 0 {
			highest = max(highest, s.Priority)
		}
	}
	launched, kills := l.step(true)
	for _, k := range kills {
		s := byID[l.state.View().Task(k.Task).Spec.Service]
		if k.Reason != cluster.ReasonPreempted || !s.Preemptible || s.Priority >= highest {
			l.t.Fatalf("%s of priority %d (preemptible: %t) is ended for %q, and the highest that waits is %d", k.Task, s.Priority, s.Preemptible, k.Reason, highest)
		}
	}
	busy = len(launched) > 0 || len(kills) > 0
	for _, s := range specs {
		for _, t := range l.active(s.ID) {
			switch {
			case t.Killing && rapid.Bool().Draw(l.t, "ends"):
				l.report(t, cluster.TaskKilled)
				busy = true
			case t.Killing:
				busy = true
			case t.Status.State == cluster.TaskStaging:
				l.report(t, cluster.TaskRunning)
			}
		}
	}
	l.now += 10
	return busy
}

// checkOutbid checks that nobody of a service waits for whom there is room, or
// could be by ending what it may end.
func (l *lab) checkOutbid(s *cluster.ServiceSpec) {
	pod := &s.Pods[0]
	missing := l.missing(s.ID, pod)
	if len(missing) == 0 {
		return
	}
	if pod.Gang {
		free := map[cluster.AgentID]cluster.Resources{}
		for _, o := range l.offers(true) {
			free[o.Agent.ID] = o.Resources
		}
		if l.assignable(pod, l.places(s.ID), free, len(missing)) {
			l.t.Fatalf("gang %s waits for %d, and there is room for all: %v", s.ID, len(missing), free)
		}
		return
	}
	need := sched.NeedOf(pod.Tasks)
	for a := range l.state.View().Agents() {
		have := a.Free()
		for t := range l.state.View().AgentTasks(a.Info.ID) {
			if o := l.state.View().Service(t.Spec.Service).Spec; o.Preemptible && o.Priority < s.Priority {
				have = have.Plus(t.Spec.Resources)
			}
		}
		if l.possible(pod, l.places(s.ID), &a.Info) && need.Missing(have) == nil {
			l.t.Fatalf("%s of priority %d waits for %d, and %s has or can have %s", s.ID, s.Priority, len(missing), a.Info.ID, have)
		}
	}
}

// TestStep_leavesMinReady updates and drains at random. What is ended of our own
// will leaves MinReady instances ready.
func TestStep_leavesMinReady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLab(t)
		pod := drawPod(t, 1)
		pod.MinReady = rapid.IntRange(0, pod.Count-1).Draw(t, "min")
		spec := cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod}}
		if rapid.Bool().Draw(t, "serial") {
			spec.Deploy = []cluster.Phase{{Name: "p", Pod: "p", Strategy: cluster.Serial}}
		}
		l.apply(core.PutService{Spec: spec, Over: true})
		for range rapid.IntRange(5, 25).Draw(t, "rounds") {
			before := l.ready()
			_, kills := l.step(true)
			if after := l.ready(); len(kills) > 0 && after < min(before, pod.MinReady) {
				t.Fatalf("of %d that were ready %d are left, %d must be", before, after, pod.MinReady)
			}
			l.disturb(&spec)
			l.now += 100
		}
	})
}

func (l *lab) ready() (n int) {
	for _, t := range l.active("s") {
		if t.Status.Ready && !t.Killing {
			n++
		}
	}
	return n
}

// disturb lets tasks go on and now and then changes the spec or drains an agent.
func (l *lab) disturb(spec *cluster.ServiceSpec) {
	for _, t := range l.active("s") {
		switch {
		case t.Killing:
			l.report(t, cluster.TaskKilled)
		case t.Status.State == cluster.TaskStaging && rapid.Bool().Draw(l.t, "runs"):
			l.report(t, cluster.TaskRunning)
		}
	}
	switch rapid.IntRange(0, 5).Draw(l.t, "event") {
	case 0:
		p := spec.Pods[0]
		p.Tasks = append([]cluster.TaskTemplate(nil), p.Tasks...)
		p.Tasks[0].Container.User = p.Tasks[0].Container.User + "1"
		spec.Pods = []cluster.PodSpec{p}
		l.apply(core.PutService{Spec: *spec, Over: true})
	case 1:
		l.apply(core.DrainAgent{Agent: "a0", Deadline: l.now.Add(1 << 40)})
	case 2:
		if l.state.View().Agent("a0").Drain != nil {
			l.apply(core.ReactivateAgent{Agent: "a0"})
		}
	}
}
