package master

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// BenchmarkMaster deploys a service of 3,000 instances over 1,000 agents in
// memory and waits until all of them are reported as running: offers, log,
// acceptance, orders, reports and acknowledgements, without network and disk.
func BenchmarkMaster(b *testing.B) {
	const agents, instances = 1000, 3000
	m, err := New(b.Context(), Config{Store: mem.New()})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := m.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	defer group.Wait()
	defer cancel()
	for i := range agents {
		info := cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%04d", i)), Host: "10.0.0.1",
			Total: cluster.Resources{CPU: 8000, Mem: 32 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})}}
		s := newSession(info.ID)
		if err := m.open(ctx, core.RegisterAgent{Agent: info, Boot: "b"}, s); err != nil {
			b.Fatal(err)
		}
		group.Go(func() { obedient(ctx, m, s) })
	}
	spec := testSpec("bench", instances)
	spec.Pods[0].Tasks[0].Resources = cluster.Resources{CPU: 100, Mem: 32 << 20}
	for b.Loop() {
		must(b, m, core.PutService{Spec: spec})
		waitFor(b, m, func(v *core.View) bool { return runs(v) == instances })
		b.StopTimer()
		must(b, m, core.RemoveService{Service: "bench"})
		waitFor(b, m, func(v *core.View) bool { return v.Service("bench") == nil })
		b.StartTimer()
	}
	rate := instances * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "placements/s")
	fmt.Fprintf(b.Output(), "figure sched.placements_master.%dk %.0f /s\n", agents/1000, rate)
}

// obedient does at once what an agent is told to.
func obedient(ctx context.Context, m *Master, s *session) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.done:
			return
		case <-s.ready:
		}
		var cmds []core.Command
		for _, o := range s.take() {
			st := cluster.TaskStatus{Agent: s.agent, Task: o.Task}
			switch o.Kind {
			case cluster.OrderLaunch:
				st.Task, st.State, st.Ready = o.Spec.ID, cluster.TaskRunning, true
			case cluster.OrderKill:
				st.State = cluster.TaskKilled
			default:
				continue
			}
			st.UUID = string(st.Task) + string(st.State)
			cmds = append(cmds, core.UpdateTask{Status: st})
		}
		for len(cmds) > 0 && ctx.Err() == nil {
			if _, err := m.submitAll(ctx, cmds); err == nil {
				break
			} // else the inbox was full: agents try again too
		}
	}
}

func must(b *testing.B, m *Master, cmd core.Command) {
	b.Helper()
	if _, _, err := m.Submit(b.Context(), cmd); err != nil {
		b.Fatal(err)
	}
}

func waitFor(b *testing.B, m *Master, good func(*core.View) bool) {
	b.Helper()
	for since := int64(0); !good(m.View()); {
		var err error
		if _, since, _, err = m.Events(b.Context(), since); err != nil {
			b.Fatal(err)
		}
	}
}

func runs(v *core.View) int {
	n := 0
	for t := range v.ServiceTasks("bench") {
		if t.Status.State == cluster.TaskRunning {
			n++
		}
	}
	return n
}
