package sim

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/store/bolt"
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

// BenchmarkSnapshot is a master's state of 100,000 tasks on its way to the disk
// and back: made into bytes, stored, loaded, and made into a state.
func BenchmarkSnapshot(b *testing.B) {
	state := crowded(1000, 100)
	log, err := bolt.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	ctx := context.Background()
	for i := int64(0); i < state.Index(); i += 1000 {
		if _, err := log.Append(ctx, make([][]byte, 1000)); err != nil {
			b.Fatal(err)
		}
	}
	var took [4]time.Duration
	var size int
	for b.Loop() {
		begin := time.Now()
		lap := func(i int, err error) {
			if err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(begin)
			begin = time.Now()
		}
		data := state.Snapshot()
		lap(0, nil)
		lap(1, log.SaveSnapshot(ctx, state.Index(), data))
		_, loaded, err := log.LoadSnapshot(ctx)
		lap(2, err)
		_, err = core.Restore(loaded)
		lap(3, err)
		size = len(data)
	}
	for i, what := range []string{"make", "save", "load", "restore"} {
		fmt.Fprintf(b.Output(), "figure sched.snapshot_%s.100k %.2f s\n", what, took[i].Seconds()/float64(b.N))
	}
	b.ReportMetric(float64(size)/(1<<20), "MiB")
}

// crowded is a state of agents that all run so many tasks.
func crowded(agents, tasks int) *core.State {
	s := core.New()
	s.Apply(1, core.PutFramework{Framework: cluster.Framework{ID: "f", Roles: []cluster.Role{cluster.DefaultRole}}})
	for i := range agents {
		total := cluster.Resources{CPU: 100_000, Mem: 1 << 40}
		id := cluster.AgentID(fmt.Sprintf("a%d", i))
		s.Apply(1, core.RegisterAgent{Agent: cluster.Agent{ID: id, Host: "10.0.0.1", Total: total}})
		c := core.AcceptOffers{Framework: "f", Role: cluster.DefaultRole, Agent: id, Offered: total}
		for j := range tasks {
			c.Tasks = append(c.Tasks, cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("%s.t%d", id, j)), Framework: "f", Role: cluster.DefaultRole, Task: "t",
				Goal: cluster.GoalRunning, Resources: cluster.Resources{CPU: 100, Mem: 64 << 20},
				Container: cluster.Container{Image: "r/i@sha256:0", Command: []string{"serve", "--port=31000"}, Env: map[string]string{"HOST": "10.0.0.1"}}})
		}
		s.Apply(1, c)
		for _, t := range c.Tasks {
			for seq, state := range []cluster.TaskState{cluster.TaskStarting, cluster.TaskRunning} {
				s.Apply(1, core.UpdateTask{Status: cluster.TaskStatus{Task: t.ID, Agent: id, State: state, Seq: int64(seq + 1), UUID: fmt.Sprintf("%032d", seq)}})
			}
		}
	}
	return s
}

func resident() cluster.TaskTemplate {
	t := driver()
	t.Goal = cluster.GoalRunning
	return t
}
