package resolver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sort"
	"testing"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// universe is a Source in memory.
type universe struct {
	releases  map[string][]resolver.Release
	providers map[string][]string
}

func (u *universe) Releases(_ context.Context, name string) ([]resolver.Release, error) {
	return u.releases[name], nil
}

func (u *universe) Providers(_ context.Context, name string) ([]string, error) {
	return u.providers[name], nil
}

// newUniverse fills in who provides what.
func newUniverse(releases map[string][]resolver.Release) *universe {
	u := &universe{releases: releases, providers: map[string][]string{}}
	for name, list := range releases {
		for _, r := range list {
			for _, p := range r.Provides {
				if !slices.Contains(u.providers[p.Name], name) {
					u.providers[p.Name] = append(u.providers[p.Name], name)
				}
			}
		}
	}
	for _, list := range u.providers {
		sort.Strings(list)
	}
	return u
}

// dataset is one of the files in testdata; see its README.
type dataset struct {
	name    string
	source  *universe
	queries []query
}

type query struct {
	request resolver.Request
	sat     bool
}

type jsonDep struct {
	Name       string                `json:"name"`
	Constraint constraint.Constraint `json:"constraint"`
	Version    constraint.Version    `json:"version"`
	Features   []string              `json:"features"`
}

func dependencies(list []jsonDep) []resolver.Dependency {
	var out []resolver.Dependency
	for _, d := range list {
		out = append(out, resolver.Dependency{Name: d.Name, Constraint: d.Constraint, Features: d.Features})
	}
	return out
}

func load(t testing.TB, name string) dataset {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Packages map[string][]struct {
			Version   constraint.Version   `json:"version"`
			Deps      []jsonDep            `json:"deps"`
			Conflicts []jsonDep            `json:"conflicts"`
			Provides  []jsonDep            `json:"provides"`
			Features  map[string][]jsonDep `json:"features"`
		} `json:"packages"`
		Queries []struct {
			Requirements []jsonDep `json:"requirements"`
			Expected     struct {
				Sat bool `json:"sat"`
			} `json:"expected"`
		} `json:"queries"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	all := map[string][]resolver.Release{}
	for pkg, list := range file.Packages {
		for _, v := range list {
			r := resolver.Release{Version: v.Version, Requires: dependencies(v.Deps)}
			for _, c := range v.Conflicts {
				r.Conflicts = append(r.Conflicts, resolver.Conflict{Name: c.Name, Constraint: c.Constraint})
			}
			for _, p := range v.Provides {
				r.Provides = append(r.Provides, resolver.Provide{Name: p.Name, Version: p.Version})
			}
			for f, deps := range v.Features {
				r.Features = append(r.Features, resolver.Feature{Name: f, Requires: dependencies(deps)})
			}
			all[pkg] = append(all[pkg], r)
		}
	}
	d := dataset{name: name, source: newUniverse(all)}
	for _, q := range file.Queries {
		d.queries = append(d.queries, query{resolver.Request{Requirements: dependencies(q.Requirements)}, q.Expected.Sat})
	}
	return d
}

// check is an independent judge of solutions: it knows the meaning of a request
// (see the package comment), not how the solver works.
func check(u *universe, req resolver.Request, s *resolver.Solution) error {
	if err := judge(u, req, s); err != nil {
		return err
	}
	return needed(u, req, s)
}

// judge looks at the packages and their features only.
func judge(u *universe, req resolver.Request, s *resolver.Solution) error {
	c := checker{u: u, at: map[string]resolver.Release{}, on: map[string][]string{}}
	for _, p := range s.Packages {
		if _, twice := c.at[p.Name]; twice {
			return fmt.Errorf("%s is chosen twice", p.Name)
		}
		i := slices.IndexFunc(u.releases[p.Name], func(r resolver.Release) bool { return r.Version == p.Version })
		if i < 0 {
			return fmt.Errorf("%s %s does not exist", p.Name, p.Version)
		}
		c.at[p.Name], c.on[p.Name] = u.releases[p.Name][i], p.Features
	}
	if err := c.met("the request", req.Requirements); err != nil {
		return err
	}
	for name := range req.Installed {
		if _, ok := c.at[name]; !ok {
			return fmt.Errorf("installed %s is gone", name)
		}
	}
	for name, pin := range req.Pins {
		if r, ok := c.at[name]; ok && !pin.Check(r.Version) {
			return fmt.Errorf("%s %s is not what the pin allows", name, r.Version)
		}
	}
	for name, r := range c.at {
		if err := c.release(name, r); err != nil {
			return err
		}
	}
	return nil
}

type checker struct {
	u  *universe
	at map[string]resolver.Release
	on map[string][]string
}

func (c *checker) release(name string, r resolver.Release) error {
	if err := c.met(name, r.Requires); err != nil {
		return err
	}
	for _, f := range c.on[name] {
		i := slices.IndexFunc(r.Features, func(x resolver.Feature) bool { return x.Name == f })
		if i < 0 {
			return fmt.Errorf("%s has no feature %s", name, f)
		}
		if err := c.met(name+"["+f+"]", r.Features[i].Requires); err != nil {
			return err
		}
	}
	for _, x := range r.Conflicts {
		for other, o := range c.at {
			if other == name {
				continue
			}
			if (other == x.Name && x.Constraint.Check(o.Version)) || provides(o, x.Name, x.Constraint) {
				return fmt.Errorf("%s conflicts with %s", name, other)
			}
		}
	}
	return nil
}

func provides(r resolver.Release, name string, con constraint.Constraint) bool {
	for _, p := range r.Provides {
		if p.Name == name && con.Check(p.Version) {
			return true
		}
	}
	return false
}

// met checks requirements and that the features they name are on.
func (c *checker) met(who string, deps []resolver.Dependency) error {
next:
	for _, d := range deps {
		if r, ok := c.at[d.Name]; ok && d.Constraint.Check(r.Version) {
			missing := slices.DeleteFunc(slices.Clone(d.Features), func(f string) bool { return slices.Contains(c.on[d.Name], f) })
			if len(missing) == 0 {
				continue
			}
		}
		if _, ok := c.at[d.Name]; d.Optional && !ok {
			continue
		}
		for _, r := range c.at {
			if len(d.Features) == 0 && !d.Optional && provides(r, d.Name, d.Constraint) {
				continue next
			}
		}
		return fmt.Errorf("%s requires %s %s %v, which is not there", who, d.Name, d.Constraint, d.Features)
	}
	return nil
}

// needed checks that edges lead from the request to every package, that each
// edge is a requirement that its end meets, and that packages stand in
// dependency order.
func needed(u *universe, req resolver.Request, s *resolver.Solution) error {
	at, on := map[string]resolver.Package{}, map[string]bool{}
	for i, p := range s.Packages {
		if i > 0 && p.Group != s.Packages[i-1].Group && p.Group != s.Packages[i-1].Group+1 {
			return fmt.Errorf("groups do not rise by one at %s", p.Name)
		}
		at[p.Name] = p
	}
	out := map[string][]string{}
	for _, e := range s.Edges {
		p, ok := at[e.To]
		i := slices.IndexFunc(u.releases[e.To], func(r resolver.Release) bool { return r.Version == p.Version })
		if !ok || !((e.To == e.Name && e.Constraint.Check(p.Version)) || provides(u.releases[e.To][i], e.Name, e.Constraint)) {
			return fmt.Errorf("the edge from %q to %s does not meet %s %s", e.From, e.To, e.Name, e.Constraint)
		}
		if e.From != "" && at[e.From].Group < p.Group {
			return fmt.Errorf("%s stands before %s, which it needs", e.From, e.To)
		}
		for _, f := range e.Features {
			on[e.To+" "+f] = true
		}
		if !e.Optional {
			out[e.From] = append(out[e.From], e.To)
		}
	}
	reached, todo := map[string]bool{}, []string{""}
	for name := range req.Installed {
		reached[name], todo = true, append(todo, name)
	}
	for len(todo) > 0 {
		for _, to := range out[todo[0]] {
			if !reached[to] {
				reached[to], todo = true, append(todo, to)
			}
		}
		todo = todo[1:]
	}
	for _, p := range s.Packages {
		if !reached[p.Name] {
			return fmt.Errorf("nothing needs %s", p.Name)
		}
		for _, f := range p.Features {
			if !on[p.Name+" "+f] {
				return fmt.Errorf("nothing needs feature %s of %s", f, p.Name)
			}
		}
	}
	return nil
}
