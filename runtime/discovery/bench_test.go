package discovery

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// many is 1,000 services of 5 instances of 2 tasks on 100 agents, all ready.
func many(b *testing.B) *world {
	w := newWorld(b, 100)
	for i := range 1000 {
		id := fmt.Sprintf("s%d", i)
		w.service(id, 5, cluster.PortSpec{})
		for n := range 5 {
			w.launch(id, n, 1+(i+n*20)%100, uint16(10_000+i*5+n))
			w.up(id, n)
		}
	}
	return w
}

// BenchmarkBuild makes the zone of 10,000 tasks: from nothing, after a report on
// one of them, and after one that changes nothing of it.
func BenchmarkBuild(b *testing.B) {
	w := many(b)
	figure := func(b *testing.B, name string) {
		fmt.Fprintf(b.Output(), "figure dns.%s.10k %.3f ms\n", name, b.Elapsed().Seconds()*1000/float64(b.N))
	}
	b.Run("full", func(b *testing.B) {
		v := w.view()
		for b.Loop() {
			if z := Build(v, config); len(z.Services()) != 1000 {
				b.Fatalf("%d services", len(z.Services()))
			}
		}
		figure(b, "build_full")
	})
	b.Run("change", func(b *testing.B) {
		builder := NewBuilder(config)
		last := builder.Build(w.view())
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			w.report(fmt.Sprintf("s%d/broker-0-node", i/2%1000), cluster.TaskRunning, i%2 == 1)
			v := w.view()
			b.StartTimer()
			z := builder.Build(v)
			if z == last {
				b.Fatal("nothing changed")
			}
			last = z
		}
		figure(b, "build_change")
	})
	b.Run("same", func(b *testing.B) {
		builder := NewBuilder(config)
		first := builder.Build(w.view())
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			w.report(fmt.Sprintf("s%d/broker-1-node", i%1000), cluster.TaskRunning, true)
			v := w.view()
			b.StartTimer()
			if builder.Build(v) != first {
				b.Fatal("it changed")
			}
		}
		figure(b, "build_same")
	})
	b.Run("json", func(b *testing.B) {
		z := Build(w.view(), config)
		var n int
		for b.Loop() {
			text, err := json.Marshal(z)
			if err != nil {
				b.Fatal(err)
			}
			n = len(text)
		}
		b.ReportMetric(float64(n), "bytes")
	})
}
