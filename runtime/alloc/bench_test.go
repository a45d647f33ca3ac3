package alloc

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// thousands prints 1000 as "1k", as figures are named.
func thousands(n int) string { return fmt.Sprintf("%dk", n/1000) }

// big is a cluster of agents in 25 racks.
func big(b testing.TB, agents int) *world {
	w := newWorld(b, Config{Name: "bench", Seed: 1})
	for i := range agents {
		w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("agent-%05d", i)),
			Hostname: fmt.Sprintf("host-%05d", i), Host: "10.0.0.1", Attributes: map[string]string{"rack": fmt.Sprint(i % 25)},
			Total: cluster.Resources{CPU: 24_000, Mem: 64 << 30, Disk: 1 << 40, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})}}})
	}
	return w
}

// BenchmarkCycleFull is a cycle in which every agent is free and goes to one of
// 1,000 frameworks under 100 roles. The offers are taken, and not used, between cycles.
func BenchmarkCycleFull(b *testing.B) {
	for _, agents := range []int{1000, 10_000} {
		b.Run(thousands(agents), func(b *testing.B) {
			w := big(b, agents)
			for i := range 1000 {
				w.framework(cluster.FrameworkID(fmt.Sprintf("f%04d", i)), cluster.Role(fmt.Sprintf("team%d/app", i%100)))
			}
			v := w.state.View()
			made, _ := w.alloc.Cycle(w.now, v)
			for b.Loop() {
				b.StopTimer()
				for _, o := range made {
					if _, err := w.alloc.Take(o.Framework, o.ID); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if made, _ = w.alloc.Cycle(w.now, v); len(made) != agents {
					b.Fatalf("%d offers, want %d", len(made), agents)
				}
			}
			fmt.Printf("figure sched.cycle_full.%s %.2f ms\n", thousands(agents), b.Elapsed().Seconds()*1000/float64(b.N))
		})
	}
}

// BenchmarkCycleRefused is the worst cycle: 1,000 frameworks have refused every
// agent, so each is asked about each in vain.
func BenchmarkCycleRefused(b *testing.B) {
	const agents, frameworks = 1000, 1000
	w := big(b, agents)
	for i := range frameworks {
		w.framework(cluster.FrameworkID(fmt.Sprintf("f%04d", i)), cluster.Role(fmt.Sprintf("team%d/app", i%100)))
	}
	v := w.state.View()
	for {
		made, _ := w.alloc.Cycle(w.now, v)
		if len(made) == 0 {
			break
		}
		for _, o := range made {
			w.decline(o, MaxRefuse)
		}
	}
	for b.Loop() {
		w.alloc.wishes++ // it must ask anew
		if made, _ := w.alloc.Cycle(w.now, v); len(made) != 0 {
			b.Fatal("a refused agent was offered")
		}
	}
	fmt.Printf("figure sched.cycle_refused.1k %.2f ms\n", b.Elapsed().Seconds()*1000/float64(b.N))
}

// BenchmarkCycleIncremental is a cycle after one agent's task ended.
func BenchmarkCycleIncremental(b *testing.B) {
	for _, agents := range []int{1000, 10_000} {
		b.Run(thousands(agents), func(b *testing.B) {
			w := big(b, agents)
			w.framework("f1", "*")
			w.alloc.Cycle(w.now, w.state.View())
			need := cluster.Resources{CPU: 100, Mem: 1 << 20}
			o, _ := w.alloc.Offer("bench-O1")
			for b.Loop() {
				w.accept(o, need)
				made, _ := w.alloc.Cycle(w.now, w.state.View())
				if len(made) != 1 {
					b.Fatalf("%d offers, want 1", len(made))
				}
				w.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: cluster.TaskID(fmt.Sprintf("t%d", w.tasks)),
					Agent: o.Agent.ID, State: cluster.TaskFinished}})
				rest, _ := w.alloc.Cycle(w.now, w.state.View())
				if len(rest) != 1 {
					b.Fatalf("%d offers, want 1", len(rest))
				}
				w.alloc.Take("f1", rest[0].ID)
				o = made[0]
			}
			fmt.Printf("figure sched.cycle_incr.%s %.3f ms\n", thousands(agents), b.Elapsed().Seconds()*1000/float64(2*b.N))
		})
	}
}

// BenchmarkPlacements places tasks in batches of 300, and of 1,200, by first fit
// out of the offers it holds: decisions of allocator, framework and core, without
// log and network. A cluster that is full is replaced by a fresh one.
func BenchmarkPlacements(b *testing.B) {
	for _, size := range []int{300, 1200} {
		figure := "sched.placements"
		if size != 300 {
			figure = fmt.Sprintf("%s_%d", figure, size)
		}
		for _, agents := range []int{1000, 5000, 10_000} {
			b.Run(fmt.Sprintf("%d/%s", size, thousands(agents)), func(b *testing.B) {
				p := newPlacer(b, agents)
				for b.Loop() {
					if p.placed+size > agents*24 {
						b.StopTimer()
						p = newPlacer(b, agents)
						b.StartTimer()
					}
					p.batch(size)
				}
				rate := float64(b.N*size) / b.Elapsed().Seconds()
				b.ReportMetric(rate, "placements/s")
				fmt.Printf("figure %s.%s %.0f /s\n", figure, thousands(agents), rate)
			})
		}
	}
}

// placer is a framework that holds offers and fills them.
type placer struct {
	*world
	held   []cluster.Offer
	placed int
}

func newPlacer(b testing.TB, agents int) *placer {
	p := &placer{world: big(b, agents)}
	p.framework("f1", "*")
	return p
}

// batch places so many tasks at once.
func (p *placer) batch(size int) {
	made, _ := p.alloc.Cycle(p.now, p.state.View())
	p.held = append(p.held, made...)
	need := cluster.Resources{CPU: 1000, Mem: 1 << 30}
	for n := 0; n < size; {
		o := p.held[len(p.held)-1]
		p.held = p.held[:len(p.held)-1]
		left := o.Resources
		var tasks []cluster.TaskSpec
		for n < size && cluster.Fits(left, need) == nil {
			p.placed++
			n++
			left = left.Minus(need)
			tasks = append(tasks, cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("task-%d", p.placed)), Framework: "f1", Role: "*", Task: "main",
				Container: cluster.Container{Image: "r/i@sha256:00"}, Resources: need})
		}
		if tasks == nil {
			continue
		}
		if _, err := p.alloc.Take("f1", o.ID); err != nil {
			p.t.Fatal(err)
		}
		p.apply(core.AcceptOffers{Framework: "f1", Role: "*", Agent: o.Agent.ID, Offered: o.Resources, Tasks: tasks})
	}
	if got := p.state.View().TaskCount(); got != p.placed {
		p.t.Fatalf("%d tasks are there, placed were %d", got, p.placed)
	}
}
