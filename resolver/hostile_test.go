package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
	"github.com/universe-dcos/universe/resolver/explain"
)

func v(text string) constraint.Version { return constraint.MustVersion(text) }

func needs(name, con string) resolver.Dependency {
	return resolver.Dependency{Name: name, Constraint: constraint.MustParse(con)}
}

func ask(deps ...resolver.Dependency) resolver.Request { return resolver.Request{Requirements: deps} }

// pigeons: n+1 pigeons, n holes; a pigeon's version is the hole it sits in, and
// no two may sit in one. Any method based on resolution needs exponential time.
func pigeons(holes int) (*universe, resolver.Request) {
	all := map[string][]resolver.Release{}
	var req resolver.Request
	for p := range holes + 1 {
		name := fmt.Sprintf("pigeon-%d", p)
		for h := range holes {
			r := resolver.Release{Version: v(fmt.Sprintf("%d.0.0", h))}
			for o := range p {
				r.Conflicts = append(r.Conflicts, resolver.Conflict{Name: fmt.Sprintf("pigeon-%d", o), Constraint: constraint.Exactly(r.Version)})
			}
			all[name] = append(all[name], r)
		}
		req.Requirements = append(req.Requirements, needs(name, "*"))
	}
	return newUniverse(all), req
}

// chain: each version of a package needs the same version of the next; the last
// needs a package that is not there, if broken.
func chain(packages, versions int, broken bool) *universe {
	all := map[string][]resolver.Release{}
	for p := range packages {
		name := fmt.Sprintf("link-%d", p)
		for i := range versions {
			r := resolver.Release{Version: v(fmt.Sprintf("%d.0.0", i))}
			if p+1 < packages || broken {
				r.Requires = []resolver.Dependency{needs(fmt.Sprintf("link-%d", p+1), fmt.Sprintf("=%d.0.0", i))}
			}
			all[name] = append(all[name], r)
		}
	}
	return newUniverse(all)
}

func unsolvable(t *testing.T, u *universe, req resolver.Request) *resolver.NoSolution {
	t.Helper()
	_, err := resolver.Solve(t.Context(), u, req)
	var none *resolver.NoSolution
	if !errors.As(err, &none) {
		t.Fatalf("got %v, want no solution", err)
	}
	if err := checkProof(none); err != nil {
		t.Fatal(err)
	}
	if text := explain.Explain(none, explain.Options{Request: "this"}).Text(); !strings.HasSuffix(text, "so this cannot be done.\n") {
		t.Errorf("the report ends %q", text[max(0, len(text)-80):])
	}
	return none
}

func solvable(t *testing.T, u *universe, req resolver.Request) *resolver.Solution {
	t.Helper()
	s, err := resolver.Solve(t.Context(), u, req)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(u, req, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSolve_hostilePigeons(t *testing.T) {
	u, req := pigeons(5)
	unsolvable(t, u, req)

	u, req = pigeons(12)
	req.Limits.Facts = 20_000
	_, err := resolver.Solve(t.Context(), u, req)
	var over *resolver.BudgetExceeded
	if !errors.As(err, &over) || over.What != "Facts" || len(over.Most) == 0 {
		t.Errorf("got %v, want the limit of Facts with the packages that are hard", err)
	}
}

func TestSolve_hostileChain(t *testing.T) {
	n := unsolvable(t, chain(20, 60, true), ask(needs("link-0", "*")))
	if n.Stats.Steps > 100_000 { // twice that if each version is looked at alone
		t.Errorf("%d steps: what is learned does not cover other versions", n.Stats.Steps)
	}
	unsolvable(t, chain(20, 60, false), ask(needs("link-0", "*"), needs("link-19", "=99.0.0")))
	s := solvable(t, chain(2_000, 1, false), ask(needs("link-0", "*")))
	if len(s.Packages) != 2_000 || s.Packages[0].Name != "link-1999" {
		t.Errorf("%d packages, first %s", len(s.Packages), s.Packages[0].Name)
	}
	unsolvable(t, chain(2_000, 1, true), ask(needs("link-0", "*")))
}

func TestSolve_hostileManyVersions(t *testing.T) {
	all := map[string][]resolver.Release{}
	for i := range 1_000 {
		leaf := fmt.Sprintf("leaf-%d", i)
		all["wide"] = append(all["wide"], resolver.Release{Version: v(fmt.Sprintf("1.%d.0", i)), Requires: []resolver.Dependency{needs(leaf, "^1")}})
		if i == 3 {
			all[leaf] = []resolver.Release{{Version: v("1.0.0")}}
		} else {
			all[leaf] = []resolver.Release{{Version: v("2.0.0")}}
		}
	}
	u := newUniverse(all)
	s := solvable(t, u, ask(needs("wide", "*")))
	if p, _ := s.Package("wide"); p.Version != v("1.3.0") {
		t.Errorf("wide %s, want 1.3.0", p.Version)
	}
	unsolvable(t, u, ask(needs("wide", ">1.3.0")))
}

func TestSolve_hostileProviders(t *testing.T) {
	all := map[string][]resolver.Release{}
	for i := range 300 {
		name := fmt.Sprintf("db-%03d", i)
		r := resolver.Release{Version: v("1.0.0"), Provides: []resolver.Provide{{Name: "sql", Version: v("1.0.0")}}}
		if i != 299 {
			r.Requires = []resolver.Dependency{needs("ghost", "*")}
		}
		all[name] = []resolver.Release{r}
	}
	all["app"] = []resolver.Release{{Version: v("1.0.0"), Requires: []resolver.Dependency{needs("sql", "^1")}}}
	s := solvable(t, newUniverse(all), ask(needs("app", "*")))
	if _, ok := s.Package("db-299"); !ok {
		t.Errorf("got %s, want the one provider that works", show(s))
	}
	delete(all, "db-299")
	unsolvable(t, newUniverse(all), ask(needs("app", "*")))
}

func TestSolve_hostilePrereleases(t *testing.T) {
	all := map[string][]resolver.Release{}
	for i := range 800 {
		all["flood"] = append(all["flood"], resolver.Release{Version: v(fmt.Sprintf("1.0.0-rc.%d", i))})
	}
	all["flood"] = append(all["flood"], resolver.Release{Version: v("0.18446744073709551615.18446744073709551615")})
	u := newUniverse(all)
	for con, want := range map[string]string{"*": "0.18446744073709551615.18446744073709551615", ">=1.0.0-0": "1.0.0-rc.799", "<1.0.0-rc.7": "1.0.0-rc.6"} {
		s := solvable(t, u, ask(needs("flood", con)))
		if got := s.Packages[0].Version.String(); got != want {
			t.Errorf("%s: got %s, want %s", con, got, want)
		}
	}
}

func TestSolve_cycle(t *testing.T) {
	u := newUniverse(map[string][]resolver.Release{
		"a": {{Version: v("1.0.0"), Requires: []resolver.Dependency{needs("b", "*"), needs("d", "*")}}},
		"b": {{Version: v("1.0.0"), Requires: []resolver.Dependency{needs("c", "*")}}},
		"c": {{Version: v("1.0.0"), Requires: []resolver.Dependency{needs("a", "^1"), needs("c", "^1")}}},
		"d": {{Version: v("1.0.0")}},
	})
	s := solvable(t, u, ask(needs("b", "*")))
	var got []string
	for _, p := range s.Packages {
		got = append(got, fmt.Sprintf("%s:%d", p.Name, p.Group))
	}
	if text := strings.Join(got, " "); text != "d:0 a:1 b:1 c:1" {
		t.Errorf("order %s", text)
	}
}

func TestSolve_limits(t *testing.T) {
	u := chain(40, 5, false)
	u.releases["many"] = []resolver.Release{{Version: v("1.0.0"), Requires: []resolver.Dependency{needs("a", "*"), needs("b", "*"), needs("c", "*")}}}
	for what, c := range map[string]struct {
		limits resolver.Limits
		ask    []resolver.Dependency
	}{
		"Requirements": {resolver.Limits{Requirements: 1}, []resolver.Dependency{needs("link-0", "*"), needs("link-1", "*")}},
		"Decisions":    {resolver.Limits{Decisions: 1}, []resolver.Dependency{needs("link-38", "*"), needs("link-39", ">1"), needs("link-2", "*")}},
		"Facts":        {resolver.Limits{Facts: 10}, nil},
		"Steps":        {resolver.Limits{Steps: 20}, nil},
		"Packages":     {resolver.Limits{Packages: 10}, nil},
		"Versions":     {resolver.Limits{Versions: 4}, nil},
		"Memory":       {resolver.Limits{Memory: 2_000}, nil},
		"NameLen":      {resolver.Limits{NameLen: 5}, nil},
		"Dependencies": {resolver.Limits{Dependencies: 2}, []resolver.Dependency{needs("many", "*")}},
	} {
		if c.ask == nil {
			c.ask = []resolver.Dependency{needs("link-0", "*")}
		}
		req := resolver.Request{Requirements: c.ask, Limits: c.limits}
		_, err := resolver.Solve(t.Context(), u, req)
		var over *resolver.BudgetExceeded
		if !errors.As(err, &over) || over.What != what {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// stopping is a source that ends the context after some questions.
type stopping struct {
	*universe
	left int
	stop func()
}

func (s *stopping) Releases(ctx context.Context, name string) ([]resolver.Release, error) {
	if s.left--; s.left == 0 {
		s.stop()
	}
	return s.universe.Releases(ctx, name)
}

func TestSolve_stops(t *testing.T) {
	why := errors.New("the user went away")
	for _, after := range []int{1, 2, 7, 15} {
		ctx, stop := context.WithCancelCause(t.Context())
		s := resolver.New(&stopping{universe: chain(30, 3, false), left: after, stop: func() { stop(why) }})
		_, err := s.Solve(ctx, ask(needs("link-0", "*")))
		if !errors.Is(err, resolver.ErrStopped) || !errors.Is(err, why) {
			t.Errorf("after %d: got %v", after, err)
		}
		// What was read before does no harm later.
		if _, err := s.Solve(t.Context(), ask(needs("link-0", "*"))); err != nil {
			t.Errorf("after %d, again: %v", after, err)
		}
	}
}

// broken is a source that fails for some names.
type broken struct {
	*universe
	fail map[string]bool
}

var errBroken = errors.New("registry is not reachable")

func (b *broken) Releases(ctx context.Context, name string) ([]resolver.Release, error) {
	if b.fail[name] {
		return nil, errBroken
	}
	return b.universe.Releases(ctx, name)
}

func (b *broken) Providers(ctx context.Context, name string) ([]string, error) {
	if b.fail["providers of "+name] {
		return nil, errBroken
	}
	return b.universe.Providers(ctx, name)
}

func TestSolve_sourceErrorIsNoAnswer(t *testing.T) {
	b := &broken{chain(5, 2, false), map[string]bool{}}
	s := resolver.New(b)
	for _, what := range []string{"link-3", "providers of link-4"} {
		b.fail[what] = true
		if _, err := s.Solve(t.Context(), ask(needs("link-0", "*"))); !errors.Is(err, errBroken) {
			t.Errorf("%s: got %v", what, err)
		}
		delete(b.fail, what)
	}
	if _, err := s.Solve(t.Context(), ask(needs("link-0", "*"))); err != nil {
		t.Errorf("after the source has recovered: %v", err)
	}
	twice := newUniverse(map[string][]resolver.Release{"a": {{Version: v("1.0.0")}, {Version: v("1.0.0")}}})
	if _, err := resolver.Solve(t.Context(), twice, ask(needs("a", "*"))); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a version listed twice: %v", err)
	}
}
