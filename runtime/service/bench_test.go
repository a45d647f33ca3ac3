package service_test

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// BenchmarkStep places instances of one pod, which has two dynamic ports, among
// the offers of all agents. It is the decision alone: no log, no effects.
func BenchmarkStep(b *testing.B) {
	for _, batch := range []int{300, 1200} {
		for _, agents := range []int{1000, 5000, 10_000} {
			b.Run(fmt.Sprintf("batch=%d/agents=%d", batch, agents), func(b *testing.B) {
				state, offers := benchCluster(agents)
				state.Apply(0, core.PutService{Spec: benchSpec("web", batch)})
				v := state.View()
				for b.Loop() {
					if n := placed(service.Step(0, v, offers)); n != batch {
						b.Fatalf("placed %d of %d", n, batch)
					}
				}
				figure(b, figureName("sched.service", batch, agents), batch)
			})
		}
	}
}

// BenchmarkStep_spread is BenchmarkStep with GROUP_BY over the 25 racks that the
// agents are in.
func BenchmarkStep_spread(b *testing.B) {
	for _, batch := range []int{300, 1200} {
		for _, agents := range []int{1000, 5000, 10_000} {
			b.Run(fmt.Sprintf("batch=%d/agents=%d", batch, agents), func(b *testing.B) { benchSpread(b, batch, agents) })
		}
	}
}

func benchSpread(b *testing.B, batch, agents int) {
	const racks = 25
	state, offers := benchCluster(agents)
	for i := range offers {
		offers[i].Agent.Attributes = map[string]string{"rack": fmt.Sprint(i % racks)}
		state.Apply(0, core.RegisterAgent{Agent: offers[i].Agent, Boot: "b"})
	}
	spec := benchSpec("web", batch)
	spec.Pods[0].Placement = []cluster.Constraint{{Attribute: "rack", Operator: cluster.OpGroupBy}}
	state.Apply(0, core.PutService{Spec: spec, Over: true})
	v := state.View()
	var r sched.Result
	for b.Loop() {
		r = service.Step(0, v, offers)
	}
	perRack := map[string]int{}
	for _, call := range r.Calls {
		if c, ok := call.(sched.Accept); ok {
			perRack[v.Agent(cluster.AgentID(c.Offers[0])).Info.Attributes["rack"]] += len(c.Tasks)
		}
	}
	for rack, n := range perRack {
		if n != batch/racks || len(perRack) != racks {
			b.Fatalf("%d instances in rack %s of %d", n, rack, len(perRack))
		}
	}
	figure(b, figureName("sched.placements_spread", batch, agents), batch)
}

// figureName is "<name>.5k" for batches of 300, the ordinary ones, and
// "<name>_1200.5k" for others.
func figureName(name string, batch, agents int) string {
	if batch != 300 {
		name = fmt.Sprintf("%s_%d", name, batch)
	}
	return fmt.Sprintf("%s.%dk", name, agents/1000)
}

// BenchmarkStep_preempt is a step that finds, in a cluster that 10,000 tasks fill,
// places for 100 instances by ending others.
func BenchmarkStep_preempt(b *testing.B) {
	state, _ := busyCluster(b)
	for svc := range state.View().Services() {
		spec := svc.Spec
		spec.Preemptible = true
		state.Apply(0, core.PutService{Spec: spec, Over: true})
	}
	settleAll(state)
	prod := benchSpec("prod", 100)
	prod.Priority, prod.Pods[0].Tasks[0].Resources.CPU = 1, 15_100 // an agent has 15,000 left
	state.Apply(0, core.PutService{Spec: prod, Over: true})
	v := state.View()
	for b.Loop() {
		if r := service.Step(0, v, nil); len(r.Calls) != 100 {
			b.Fatalf("%d are ended", len(r.Calls))
		}
	}
	fmt.Fprintf(b.Output(), "figure sched.step_preempt.10k %.3f ms\n", b.Elapsed().Seconds()*1000/float64(b.N))
}

// BenchmarkStep_idle is the cost of a step after a report on one of 10,000 tasks
// of 100 services, which all run: nothing is to be done.
func BenchmarkStep_idle(b *testing.B) {
	state, tasks := busyCluster(b)
	var memory service.Stepper
	seq := int64(1)
	for b.Loop() {
		b.StopTimer()
		seq++
		report(state, tasks[int(seq)%len(tasks)], seq)
		v := state.View()
		b.StartTimer()
		if r := memory.Step(0, v, nil); len(r.Calls) != 0 {
			b.Fatalf("%d calls", len(r.Calls))
		}
	}
	fmt.Fprintf(b.Output(), "figure sched.step_idle.10k %.3f ms\n", b.Elapsed().Seconds()*1000/float64(b.N))
}

// busyCluster is 10,000 tasks of 100 services on 1,000 agents, which all run.
func busyCluster(b *testing.B) (*core.State, []*cluster.Task) {
	state, offers := benchCluster(1000)
	for i := range 100 {
		state.Apply(0, core.PutService{Spec: benchSpec(cluster.ServiceID(fmt.Sprintf("s%d", i)), 100)})
	}
	byID := map[cluster.OfferID]cluster.Offer{}
	for _, o := range offers {
		byID[o.ID] = o
	}
	for _, call := range service.Step(0, state.View(), offers).Calls {
		if c, ok := call.(sched.Accept); ok {
			o := byID[c.Offers[0]]
			state.Apply(0, core.AcceptOffers{Framework: service.Framework, Role: "*", Agent: o.Agent.ID, Offered: o.Resources, Tasks: c.Tasks})
		}
	}
	var tasks []*cluster.Task
	for t := range state.View().Tasks() {
		tasks = append(tasks, t)
		report(state, t, 1)
	}
	if len(tasks) != 10_000 {
		b.Fatalf("%d tasks", len(tasks))
	}
	settleAll(state)
	return state, tasks
}

// settleAll says of all services that they are brought up, as the framework does.
func settleAll(state *core.State) {
	for svc := range state.View().Services() {
		state.Apply(0, core.SettleService{Service: svc.Spec.ID, Generation: svc.Generation})
	}
}

func report(state *core.State, t *cluster.Task, seq int64) {
	state.Apply(0, core.UpdateTask{Status: cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: cluster.TaskRunning, Ready: true,
		UUID: fmt.Sprintf("%s-%d", t.Spec.ID, seq), Seq: seq}})
}

func benchCluster(agents int) (*core.State, []cluster.Offer) {
	state := core.New()
	state.Apply(0, core.PutFramework{Framework: cluster.Framework{ID: service.Framework, Roles: []cluster.Role{"*"}}})
	offers := make([]cluster.Offer, agents)
	for i := range offers {
		a := cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%05d", i)), Host: fmt.Sprintf("10.0.%d.%d", i/256, i%256),
			Total: cluster.Resources{CPU: 16_000, Mem: 64 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})}}
		state.Apply(0, core.RegisterAgent{Agent: a, Boot: "b"})
		offers[i] = cluster.Offer{ID: cluster.OfferID(a.ID), Agent: a, Framework: service.Framework, Role: "*", Resources: a.Total}
	}
	return state, offers
}

func benchSpec(id cluster.ServiceID, n int) cluster.ServiceSpec {
	return cluster.ServiceSpec{ID: id, Pods: []cluster.PodSpec{{Name: "p", Count: n, Tasks: []cluster.TaskTemplate{{
		Name: "t", Goal: cluster.GoalRunning, Ports: []cluster.PortSpec{{Name: "a"}, {Name: "b"}},
		Container: cluster.Container{Image: "i@sha256:0", Command: []string{"serve", "--port=${self.ports.a}"}, Env: map[string]string{"HOST": "${self.host}"}},
		Resources: cluster.Resources{CPU: 100, Mem: 64 << 20}}}}}}
}

func placed(r sched.Result) int {
	n := 0
	for _, call := range r.Calls {
		if c, ok := call.(sched.Accept); ok {
			n += len(c.Tasks)
		}
	}
	return n
}

// figure prints the rate of things done n at a time, for docs/benchmarks.md.
func figure(b *testing.B, name string, n int) {
	rate := float64(n) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "placements/s")
	fmt.Fprintf(b.Output(), "figure %s %.0f /s\n", name, rate)
}
