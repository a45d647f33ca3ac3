package core_test

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// large is 10,000 agents with 10 tasks each.
func large(b *testing.B) *core.State {
	s := core.New()
	s.Apply(1, core.PutFramework{Framework: cluster.Framework{ID: "f", Roles: []cluster.Role{"*"}}})
	for i := range 10_000 {
		id := cluster.AgentID(fmt.Sprintf("agent-%05d", i))
		s.Apply(1, core.RegisterAgent{Agent: cluster.Agent{ID: id, Total: cluster.Resources{CPU: 64_000, Mem: 64 << 30}}})
		c := core.AcceptOffers{Framework: "f", Role: "*", Agent: id, Offered: cluster.Resources{CPU: 64_000, Mem: 64 << 30}}
		for j := range 10 {
			c.Tasks = append(c.Tasks, cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("task-%05d-%d", i, j)), Framework: "f", Role: "*", Task: "main",
				Container: cluster.Container{Image: "r/i@sha256:00"}, Resources: cluster.Resources{CPU: 1000, Mem: 1 << 30}})
		}
		s.Apply(1, c)
	}
	if n := s.View().TaskCount(); n != 100_000 {
		b.Fatalf("%d tasks", n)
	}
	return s
}

// BenchmarkUpdate is one report on a task of 100,000, in a state of which a view
// is published after every single command.
func BenchmarkUpdate(b *testing.B) {
	s := large(b)
	i := 0
	for b.Loop() {
		i = (i + 7919) % 100_000
		events, _ := s.Apply(2, core.UpdateTask{Status: cluster.TaskStatus{Task: cluster.TaskID(fmt.Sprintf("task-%05d-%d", i/10, i%10)),
			Agent: cluster.AgentID(fmt.Sprintf("agent-%05d", i/10)), State: cluster.TaskRunning, Ready: true}})
		if len(events) != 1 || s.View().Index() != s.Index() {
			b.Fatalf("events %v", events)
		}
	}
}

// BenchmarkSnapshot makes and restores a snapshot of 100,000 tasks.
func BenchmarkSnapshot(b *testing.B) {
	s := large(b)
	data := s.Snapshot()
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			data = s.Snapshot()
		}
		b.ReportMetric(float64(len(data))/1e6, "MB")
	})
	b.Run("restore", func(b *testing.B) {
		for b.Loop() {
			if _, err := core.Restore(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
