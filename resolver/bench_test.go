package resolver_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/universe-dcos/universe/resolver"
)

func BenchmarkPlain60(b *testing.B)  { benchmark(b, "plain-60x20", "plain60") }
func BenchmarkPlain300(b *testing.B) { benchmark(b, "plain-300x40", "plain300") }
func BenchmarkRich60(b *testing.B)   { benchmark(b, "rich-60x12", "rich60") }

// benchmark solves all queries of a data set in each round. As for the peers it
// is compared with, what exists has been read and put in form before. The
// figures add up and rank the best time of each query, so that they say something
// on a busy machine too.
func benchmark(b *testing.B, file, figure string) {
	d := load(b, file)
	solver := resolver.New(d.source)
	each := make([]time.Duration, len(d.queries))
	var total resolver.Stats
	round := func() {
		total = resolver.Stats{}
		for i, q := range d.queries {
			start := time.Now()
			s, err := solver.Solve(b.Context(), q.request)
			if took := time.Since(start); each[i] == 0 || took < each[i] {
				each[i] = took
			}
			if err == nil {
				total.Decisions += s.Stats.Decisions
				total.Conflicts += s.Stats.Conflicts
				total.Steps += s.Stats.Steps
			}
		}
	}
	round()
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
	slices.Sort(each)
	var sum time.Duration
	for _, took := range each {
		sum += took
	}
	at := func(q float64) float64 { return each[int(q*float64(len(each)-1))].Seconds() * 1e3 }
	b.ReportMetric(at(0.5)*1e3, "p50-us")
	b.ReportMetric(at(0.99)*1e3, "p99-us")
	b.ReportMetric(float64(total.Decisions), "decisions")
	b.ReportMetric(float64(total.Conflicts), "conflicts")
	b.ReportMetric(float64(total.Steps), "steps")
	fmt.Printf("figure resolver.%s %.2f ms\n", figure, sum.Seconds()*1e3)
	fmt.Printf("figure resolver.%s.p99 %.3f ms\n", figure, at(0.99))
}

// BenchmarkCold60 reads the source anew for each query.
func BenchmarkCold60(b *testing.B) {
	d := load(b, "plain-60x20")
	for b.Loop() {
		for _, q := range d.queries {
			_, _ = resolver.Solve(b.Context(), d.source, q.request)
		}
	}
	fmt.Printf("figure resolver.plain60.cold %.2f ms\n", b.Elapsed().Seconds()*1e3/float64(b.N))
}

// BenchmarkChain is a hard shape: 100 packages with 500 versions, each needing
// the same version of the next, the last needing what does not exist.
func BenchmarkChain(b *testing.B) {
	solver := resolver.New(chain(100, 500, true))
	for b.Loop() {
		_, err := solver.Solve(b.Context(), ask(needs("link-0", "*")))
		var none *resolver.NoSolution
		if !errors.As(err, &none) {
			b.Fatal(err)
		}
	}
	fmt.Printf("figure resolver.chain100x500 %.0f ms\n", b.Elapsed().Seconds()*1e3/float64(b.N))
}
