package service_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// fill is two agents of two CPUs each that "batch", which is preemptible, fills.
func fill(t *testing.T) *world {
	w := newWorld(t)
	for _, id := range []cluster.AgentID{"a1", "a2"} {
		w.apply(registration(id, 2000))
	}
	w.apply(core.PutService{Spec: single("batch", "", 0, 4)})
	w.step(true)
	w.up("batch")
	return w
}

// single is a service of one pod of so many instances of one CPU each.
func single(id cluster.ServiceID, role cluster.Role, priority, n int) cluster.ServiceSpec {
	return cluster.ServiceSpec{ID: id, Role: role, Priority: priority, Preemptible: priority == 0, Pods: []cluster.PodSpec{{Name: "p", Count: n,
		Tasks: []cluster.TaskTemplate{{Name: "t", Goal: cluster.GoalRunning, Container: cluster.Container{Image: "i@sha256:0"}, Resources: cluster.Resources{CPU: 1000}}}}}}
}

// preempted counts who is ended for another in the next step, without making it.
func preempted(w *world) (n int) {
	for _, c := range service.Step(w.now, w.state.View(), nil).Calls {
		if k, ok := c.(sched.Kill); ok && k.Reason == cluster.ReasonPreempted {
			n++
		}
	}
	return n
}

// TestPreemption_respectsQuota: a role at its limit gets no offers, whoever ends for it.
func TestPreemption_respectsQuota(t *testing.T) {
	w := fill(t)
	none := cluster.Scalars{CPU: cluster.Unlimited, Mem: cluster.Unlimited, Disk: cluster.Unlimited, GPUs: cluster.Unlimited}
	for cpus, want := range map[int64]int{1500: 1, 500: 0, 3000: 2} {
		limit := none
		limit.CPU = cpus
		w.apply(core.PutQuota{Quotas: []cluster.Quota{{Role: "dev", Limit: &limit}}})
		w.apply(core.PutService{Spec: single("prod", "dev/x", 5, 2)})
		if n := preempted(w); n != want {
			t.Errorf("with a limit of %d milli-CPUs %d are ended, want %d", cpus, n, want)
		}
	}
}

// TestPreemption_isBoundedInAStep ends no more than MaxPreemptions, and not a
// part of what a gang needs.
func TestPreemption_isBoundedInAStep(t *testing.T) {
	w := newWorld(t)
	const n = service.MaxPreemptions + 20
	for i := range n {
		w.apply(registration(cluster.AgentID(fmt.Sprintf("a%03d", i)), 1000))
	}
	w.apply(core.PutService{Spec: single("batch", "", 0, n)})
	w.step(true)
	w.apply(core.PutService{Spec: single("prod", "", 5, n)})
	if got := preempted(w); got != service.MaxPreemptions {
		t.Errorf("%d are ended in one step, want %d", got, service.MaxPreemptions)
	}
	gang := single("prod", "", 5, n)
	gang.Pods[0].Gang = true
	w.apply(core.PutService{Spec: gang, Over: true})
	if got := preempted(w); got != 0 {
		t.Errorf("%d are ended for a gang that will not fit", got)
	}
}

// TestPreemption_forAGangLeavesNoTrace: what was looked at for a gang in vain
// is there for the next in line.
func TestPreemption_forAGangLeavesNoTrace(t *testing.T) {
	w := fill(t)
	gang := single("gang", "", 9, 5)
	gang.Pods[0].Gang = true
	w.apply(core.PutService{Spec: gang, Over: true})
	w.apply(core.PutService{Spec: single("prod", "", 5, 1)})
	if n := preempted(w); n != 1 {
		t.Errorf("%d are ended for the service after the gang, want 1", n)
	}
}

// TestGang_asksAgainWhenItWouldFit: offers that come one by one, each declined,
// never bring a gang together. A changed demand brings all of them back.
func TestGang_asksAgainWhenItWouldFit(t *testing.T) {
	w := newWorld(t)
	w.apply(registration("a1", 1000))
	gang := single("gang", "", 0, 2)
	gang.Pods[0].Gang = true
	w.apply(core.PutService{Spec: gang, Over: true})
	demand := func() uint64 { return service.Step(w.now, w.state.View(), nil).Demand }
	before := demand()
	w.apply(core.DeactivateAgent{Agent: "a1"})
	w.apply(core.ReactivateAgent{Agent: "a1"})
	if demand() != before {
		t.Error("the demand changes though the gang fits no better")
	}
	w.apply(registration("a2", 1000))
	after := demand()
	w.apply(core.DeactivateAgent{Agent: "a1"})
	w.apply(core.ReactivateAgent{Agent: "a1"})
	if after == before || demand() == after {
		t.Errorf("demands %d, %d with room, %d after a change: each must differ from the one before", before, after, demand())
	}
}

// TestWhy_placementAsData tells which rule on which agent failed, and what was
// found and needed there.
func TestWhy_placementAsData(t *testing.T) {
	w := newWorld(t)
	for id, rack := range map[cluster.AgentID]string{"a1": "r1", "a2": "r2", "a3": ""} {
		r := registration(id, 2000)
		if rack != "" {
			r.Agent.Attributes = map[string]string{"rack": rack}
		}
		w.apply(r)
	}
	rule := func(op cluster.Operator, value string) cluster.Constraint {
		return cluster.Constraint{Attribute: "rack", Operator: op, Value: value}
	}
	why := func(c ...cluster.Constraint) *service.Why {
		s := single("s", "", 0, 3)
		s.Pods[0].Placement = c
		w.apply(core.PutService{Spec: s, Over: true})
		w.step(true)
		st, _ := service.StatusOf(w.now, w.state.View(), "s")
		return st.Pods[0].Instances[2].Why
	}
	if d := cmp.Diff(&service.Why{Reason: service.WhyPlacement, Constraint: &cluster.Constraint{Attribute: "gpu", Operator: cluster.OpUnique}, Unknown: true},
		why(rule(cluster.OpLike, "r."), cluster.Constraint{Attribute: "gpu", Operator: cluster.OpUnique}), cmp.FilterPath(isAgents, cmp.Ignore())); d != "" {
		t.Errorf("an attribute nobody has (-want +got):\n%s", d)
	}
	like := rule(cluster.OpLike, "r9")
	got := why(like)
	want := []service.WhyAgent{
		{Agent: "a1", Hostname: "a1.test", Rule: service.RulePlacement, Constraint: &like, Shortfalls: []cluster.Shortfall{{Resource: "rack", Have: "r1", Need: "LIKE r9"}}},
		{Agent: "a2", Hostname: "a2.test", Rule: service.RulePlacement, Constraint: &like, Shortfalls: []cluster.Shortfall{{Resource: "rack", Have: "r2", Need: "LIKE r9"}}},
		{Agent: "a3", Hostname: "a3.test", Rule: service.RulePlacement, Constraint: &like, Shortfalls: []cluster.Shortfall{{Resource: "rack", Have: "none", Need: "LIKE r9"}}},
	}
	if d := cmp.Diff(want, got.Agents); d != "" || got.Reason != service.WhyPlacement || got.Unknown {
		t.Errorf("a value nobody has: %s, unknown: %t (-want +got):\n%s", got.Reason, got.Unknown, d)
	}
	unique := rule(cluster.OpUnique, "")
	got = why(unique)
	want[0].Shortfalls = []cluster.Shortfall{{Resource: "rack", Have: "1", Need: "fewer than 1 in r1 (UNIQUE)"}}
	want[1].Shortfalls = []cluster.Shortfall{{Resource: "rack", Have: "1", Need: "fewer than 1 in r2 (UNIQUE)"}}
	want[2].Shortfalls = []cluster.Shortfall{{Resource: "rack", Have: "none", Need: "a value (UNIQUE)"}}
	for i := range want {
		want[i].Constraint = &unique
	}
	if d := cmp.Diff(want, got.Agents); d != "" || got.Reason != service.WhyResources {
		t.Errorf("racks that are taken: %s (-want +got):\n%s", got.Reason, d)
	}
}

func isAgents(p cmp.Path) bool { return p.Last().String() == ".Agents" }
