package sim

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// BenchmarkInstall is a service of as many instances as there are agents, from
// its spec until all are ready: how long the whole of core, allocator and
// service framework take for it, without disk and network.
func BenchmarkInstall(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := New(1)
				s.CheckEvery = 1 << 30
				s.AddAgents(n, cluster.Resources{CPU: 8000, Mem: 16 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31099})})
				s.Advance(5000)
				b.StartTimer()
				s.Want(core.PutService{Spec: cluster.ServiceSpec{ID: "big", Pods: []cluster.PodSpec{{Name: "p", Count: n, Tasks: []cluster.TaskTemplate{resident()}}}}})
				if err := s.Settle(60_000); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "instances/s")
		})
	}
}

func resident() cluster.TaskTemplate {
	t := driver()
	t.Goal = cluster.GoalRunning
	return t
}
