package resolver_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/explain"
)

// answer is everything a caller can see, as text.
func answer(t testing.TB, s *resolver.Solver, req resolver.Request) string {
	t.Helper()
	solution, err := s.Solve(t.Context(), req)
	var none *resolver.NoSolution
	var seen any = solution
	if errors.As(err, &none) {
		report := explain.Explain(none, explain.Options{Request: "this"})
		report.Request = nil // an echo, in the order of the user
		seen = []any{report, none.Stats}
	} else if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(seen)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// shuffled writes the same universe in another order.
func shuffled(u *universe, r *rand.Rand) *universe {
	out := map[string][]resolver.Release{}
	for name, list := range u.releases {
		list = slices.Clone(list)
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for i := range list {
			list[i].Requires = shuffledDeps(list[i].Requires, r)
			list[i].Conflicts = shuffle(list[i].Conflicts, r)
			list[i].Features = shuffle(list[i].Features, r)
			for k := range list[i].Features {
				list[i].Features[k].Requires = shuffledDeps(list[i].Features[k].Requires, r)
			}
		}
		out[name] = list
	}
	n := newUniverse(out)
	for name := range n.providers {
		n.providers[name] = shuffle(n.providers[name], r)
	}
	return n
}

func shuffle[T any](list []T, r *rand.Rand) []T {
	list = slices.Clone(list)
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func shuffledDeps(list []resolver.Dependency, r *rand.Rand) []resolver.Dependency {
	list = shuffle(list, r)
	for i := range list {
		list[i].Features = shuffle(list[i].Features, r)
	}
	return list
}

func TestSolve_sameAnswerWhateverTheOrder(t *testing.T) {
	for _, name := range datasets {
		t.Run(name, func(t *testing.T) {
			d := load(t, name)
			r := rand.New(rand.NewPCG(1, 2))
			warm := resolver.New(shuffled(d.source, r))
			for i := len(d.queries) - 1; i >= 0; i -= 9 {
				req := d.queries[i].request
				want := answer(t, resolver.New(d.source), req)
				req.Requirements = shuffledDeps(req.Requirements, r)
				if got := answer(t, warm, req); got != want {
					t.Fatalf("query %d: another order gives another answer:\n%s\n%s", i, got, want)
				}
			}
		})
	}
}

// TestSolver_usedByMany runs one Solver from several goroutines; the race
// detector watches.
func TestSolver_usedByMany(t *testing.T) {
	d := load(t, "rich-60x12")
	queries := d.queries[:60]
	want := make([]string, len(queries))
	for i, q := range queries {
		want[i] = answer(t, resolver.New(d.source), q.request)
	}
	shared := resolver.New(d.source)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range queries {
				k := (i*7 + g*13) % len(queries)
				if got := answer(t, shared, queries[k].request); got != want[k] {
					t.Errorf("query %d: got %s, want %s", k, got, want[k])
				}
			}
		})
	}
	wg.Wait()
}

// TestSolve_unrelatedPackageChangesNothing adds packages and versions that no
// answer can use.
func TestSolve_unrelatedPackageChangesNothing(t *testing.T) {
	d := load(t, "plain-60x20")
	more := map[string][]resolver.Release{"aaa-unrelated": {{Version: v("1.0.0")}}}
	for name, list := range d.source.releases {
		more[name] = append(slices.Clone(list), resolver.Release{Version: v("999.0.0"), Unusable: "not for here"})
	}
	bigger := resolver.New(newUniverse(more))
	for i, q := range d.queries[:100] {
		want, err := resolver.Solve(t.Context(), d.source, q.request)
		got, err2 := bigger.Solve(t.Context(), q.request)
		if (err == nil) != (err2 == nil) || (err == nil && show(got) != show(want)) {
			t.Errorf("query %d: got %v, want %v", i, err2, err)
		}
	}
}
