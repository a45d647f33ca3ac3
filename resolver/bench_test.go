package resolver_test

import (
	"slices"
	"testing"
	"time"

	"github.com/universe-dcos/universe/resolver"
)

func BenchmarkPlain60(b *testing.B)  { benchmark(b, "plain-60x20") }
func BenchmarkPlain300(b *testing.B) { benchmark(b, "plain-300x40") }
func BenchmarkRich60(b *testing.B)   { benchmark(b, "rich-60x12") }

// benchmark solves all queries of a data set in each round. As for the peers it
// is compared with, what exists has been read and put in form before.
func benchmark(b *testing.B, name string) {
	d := load(b, name)
	solver := resolver.New(d.source)
	each := make([]time.Duration, len(d.queries))
	for i := range each {
		each[i] = time.Hour
	}
	var total resolver.Stats
	solveAll := func(keep bool) {
		for i, q := range d.queries {
			start := time.Now()
			s, err := solver.Solve(b.Context(), q.request)
			if took := time.Since(start); keep {
				each[i] = min(each[i], took)
			} else if err == nil {
				total.Decisions += s.Stats.Decisions
				total.Conflicts += s.Stats.Conflicts
				total.Steps += s.Stats.Steps
			}
		}
	}
	solveAll(false)
	b.ReportAllocs()
	for b.Loop() {
		solveAll(true)
	}
	slices.Sort(each)
	at := func(q float64) float64 { return float64(each[int(q*float64(len(each)-1))].Nanoseconds()) / 1e3 }
	b.ReportMetric(at(0.5), "p50-us")
	b.ReportMetric(at(0.99), "p99-us")
	b.ReportMetric(float64(total.Decisions), "decisions")
	b.ReportMetric(float64(total.Conflicts), "conflicts")
	b.ReportMetric(float64(total.Steps), "steps")
}
