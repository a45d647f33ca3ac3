package service_test

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// BenchmarkStep places 300 instances of one pod, which has two dynamic ports,
// among the offers of all agents. It is the decision alone: no log, no effects.
func BenchmarkStep(b *testing.B) {
	const batch = 300
	for _, agents := range []int{1000, 5000, 10_000} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			state, offers := benchCluster(agents)
			state.Apply(0, core.PutService{Spec: benchSpec("web", batch)})
			v := state.View()
			for b.Loop() {
				if n := placed(service.Step(0, v, offers)); n != batch {
					b.Fatalf("placed %d of %d", n, batch)
				}
			}
			figure(b, fmt.Sprintf("sched.placements.%dk", agents/1000), batch)
		})
	}
}

// BenchmarkStep_idle is the cost of a step in which nothing is to be done, with
// 10,000 tasks of 100 services running.
func BenchmarkStep_idle(b *testing.B) {
	state, offers := benchCluster(1000)
	for i := range 100 {
		state.Apply(0, core.PutService{Spec: benchSpec(cluster.ServiceID(fmt.Sprintf("s%d", i)), 100)})
	}
	byAgent := map[cluster.OfferID]cluster.Offer{}
	for _, o := range offers {
		byAgent[o.ID] = o
	}
	for {
		r := service.Step(0, state.View(), offers)
		if placed(r) == 0 {
			break
		}
		for _, call := range r.Calls {
			if c, ok := call.(sched.Accept); ok {
				o := byAgent[c.Offers[0]]
				state.Apply(0, core.AcceptOffers{Framework: service.Framework, Role: "*", Agent: o.Agent.ID, Offered: o.Resources, Tasks: c.Tasks})
			}
		}
	}
	v := state.View()
	if v.TaskCount() != 10_000 {
		b.Fatalf("%d tasks", v.TaskCount())
	}
	for b.Loop() {
		if r := service.Step(0, v, nil); len(r.Calls) != 0 {
			b.Fatalf("%d calls", len(r.Calls))
		}
	}
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
