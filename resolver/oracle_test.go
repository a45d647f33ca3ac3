package resolver_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// TestMain asks for more random cases than usual, since one takes little time.
// An argument -rapid.checks still decides.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "500"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var (
	someVersions    = []string{"1.0.0", "1.1.0-rc.1", "1.1.0", "2.0.0"}
	someConstraints = []string{"*", "^1", "^2", "=1.0.0", "!=1.0.0", ">=1.1.0-0", ">1.0", "<1.1 || 2.x", "^3"}
	someNames       = []string{"a", "b", "c", "d", "ghost", "virtual"}
	someFeatures    = []string{"f", "g"}
)

func drawDeps(t *rapid.T, label string, most int) []resolver.Dependency {
	var out []resolver.Dependency
	for range rapid.IntRange(0, most).Draw(t, label) {
		d := resolver.Dependency{
			Name:       rapid.SampledFrom(someNames).Draw(t, "name"),
			Constraint: constraint.MustParse(rapid.SampledFrom(someConstraints).Draw(t, "constraint")),
			Optional:   rapid.IntRange(0, 5).Draw(t, "optional") == 0,
		}
		if rapid.IntRange(0, 3).Draw(t, "has features") == 0 {
			d.Features = rapid.SliceOfNDistinct(rapid.SampledFrom(someFeatures), 1, 2, rapid.ID).Draw(t, "features")
		}
		out = append(out, d)
	}
	return out
}

func drawRelease(t *rapid.T, own, version string) resolver.Release {
	one := func(label string, of int) bool { return rapid.IntRange(1, of).Draw(t, label) == of }
	r := resolver.Release{Version: constraint.MustVersion(version), Requires: drawDeps(t, "deps", 2)}
	if one("conflict", 4) {
		r.Conflicts = append(r.Conflicts, resolver.Conflict{
			Name:       rapid.SampledFrom(someNames).Draw(t, "name"),
			Constraint: constraint.MustParse(rapid.SampledFrom(someConstraints).Draw(t, "constraint")),
		})
	}
	if own != "a" && one("provides", 4) {
		r.Provides = append(r.Provides, resolver.Provide{
			Name:    rapid.SampledFrom([]string{"virtual", "a"}).Draw(t, "provided"),
			Version: constraint.MustVersion(rapid.SampledFrom(someVersions).Draw(t, "version")),
		})
	}
	for _, f := range someFeatures {
		if one("feature", 3) {
			r.Features = append(r.Features, resolver.Feature{Name: f, Requires: drawDeps(t, "deps", 1)})
		}
	}
	if one("deprecated", 6) {
		r.Deprecated = "old"
	}
	if one("yanked", 8) {
		r.Yanked = "bad"
	}
	if one("unusable", 10) {
		r.Unusable = "broken"
	}
	return r
}

func drawUniverse(t *rapid.T) *universe {
	all := map[string][]resolver.Release{}
	for _, name := range []string{"a", "b", "c", "d"} {
		for _, v := range someVersions {
			if rapid.Bool().Draw(t, "exists") {
				all[name] = append(all[name], drawRelease(t, name, v))
			}
		}
	}
	return newUniverse(all)
}

func drawRequest(t *rapid.T, u *universe) resolver.Request {
	req := resolver.Request{Requirements: drawDeps(t, "request", 3)}
	for _, name := range []string{"a", "b", "c"} {
		if list := u.releases[name]; len(list) > 0 && rapid.IntRange(0, 3).Draw(t, "installed") == 0 {
			if req.Installed == nil {
				req.Installed = map[string]constraint.Version{}
			}
			req.Installed[name] = rapid.SampledFrom(list).Draw(t, "version").Version
		}
		if rapid.IntRange(0, 9).Draw(t, "pinned") == 0 {
			if req.Pins == nil {
				req.Pins = map[string]constraint.Constraint{}
			}
			req.Pins[name] = constraint.MustParse(rapid.SampledFrom(someConstraints).Draw(t, "pin"))
		}
	}
	return req
}

// oracle tries everything. It tells whether there is a solution, and whether
// there is one that keeps all that is installed.
func oracle(u *universe, req resolver.Request) (sat, keepsAll bool) {
	names := []string{"a", "b", "c", "d"}
	pick := map[string]resolver.Release{}
	var try func(i int)
	try = func(i int) {
		if i < len(names) {
			delete(pick, names[i])
			try(i + 1)
			for _, r := range u.releases[names[i]] {
				pick[names[i]] = r
				try(i + 1)
			}
			delete(pick, names[i])
			return
		}
		if !allowed(req, pick) || !consistent(u, req, pick) {
			return
		}
		sat = true
		kept := true
		for name, v := range req.Installed {
			kept = kept && pick[name].Version == v
		}
		keepsAll = keepsAll || kept
	}
	try(0)
	return sat, keepsAll
}

// allowed applies what concerns single packages.
func allowed(req resolver.Request, pick map[string]resolver.Release) bool {
	for name, at := range req.Installed {
		r, ok := pick[name] // it stays, and never moves to a prerelease
		if !ok || (r.Version != at && r.Version.IsPrerelease()) {
			return false
		}
	}
	for name, r := range pick {
		if r.Unusable != "" {
			return false
		}
		pin, pinned := req.Pins[name]
		if pinned && !pin.Check(r.Version) {
			return false
		}
		if r.Yanked == "" || req.Installed[name] == r.Version {
			continue
		}
		named := false
		if v, ok := pin.Exact(); pinned && ok {
			named = v == r.Version
		}
		for _, d := range req.Requirements {
			if v, ok := d.Constraint.Exact(); ok && d.Name == name && v == r.Version {
				named = true
			}
		}
		if !named {
			return false
		}
	}
	return true
}

// consistent switches on what is asked for and lets the checker judge.
func consistent(u *universe, req resolver.Request, pick map[string]resolver.Release) bool {
	on := map[string][]string{}
	var ask func(deps []resolver.Dependency)
	ask = func(deps []resolver.Dependency) {
		for _, d := range deps {
			r, ok := pick[d.Name]
			if !ok {
				continue
			}
			for _, f := range d.Features {
				if slices.Contains(on[d.Name], f) {
					continue
				}
				on[d.Name] = append(on[d.Name], f)
				if i := slices.IndexFunc(r.Features, func(x resolver.Feature) bool { return x.Name == f }); i >= 0 {
					ask(r.Features[i].Requires)
				}
			}
		}
	}
	ask(req.Requirements)
	for _, r := range pick {
		ask(r.Requires)
	}
	s := &resolver.Solution{}
	for name, r := range pick {
		s.Packages = append(s.Packages, resolver.Package{Name: name, Version: r.Version, Features: on[name]})
	}
	return judge(u, req, s) == nil
}

func TestSolve_agreesWithOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := drawUniverse(t)
		req := drawRequest(t, u)
		sat, keepsAll := oracle(u, req)
		s, err := resolver.Solve(t.Context(), u, req)
		var none *resolver.NoSolution
		switch {
		case errors.As(err, &none):
			if sat {
				t.Fatalf("no solution found, but there is one")
			}
			if err := checkProof(none); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Fatal(err)
		case !sat:
			t.Fatalf("solved, but there is no solution: %s", show(s))
		default:
			if err := check(u, req, s); err != nil {
				t.Fatalf("%v: %s", err, show(s))
			}
			for _, p := range s.Packages {
				if keepsAll && p.State != resolver.StateNew && p.State != resolver.StateKept {
					t.Fatalf("%s moved, although everything could stay: %s", p.Name, show(s))
				}
			}
		}
	})
}

func show(s *resolver.Solution) string {
	text := ""
	for _, p := range s.Packages {
		text += fmt.Sprintf(" %s %s%v", p.Name, p.Version, p.Features)
	}
	return text
}
