package index

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// Snapshot is what the registries held at one time. It is immutable.
type Snapshot struct {
	// Serial counts snapshots of one Index; it rises with every change.
	Serial uint64

	packages  map[string]*catalog.Package
	names     []string            // sorted
	providers map[string][]string // virtual name -> packages, sorted
	solver    func() *resolver.Solver
}

func newSnapshot(serial uint64, packages map[string]*catalog.Package) *Snapshot {
	s := &Snapshot{Serial: serial, packages: packages, names: slices.Sorted(maps.Keys(packages)), providers: map[string][]string{}}
	for _, name := range s.names {
		for i := range packages[name].Releases {
			c := packages[name].Releases[i].Config
			if c == nil {
				continue
			}
			for _, p := range c.Provides {
				if list := s.providers[p.Name]; p.Name != name && (len(list) == 0 || list[len(list)-1] != name) {
					s.providers[p.Name] = append(list, name)
				}
			}
		}
	}
	s.solver = sync.OnceValue(func() *resolver.Solver { return resolver.New(s) })
	return s
}

// Package gives a package by name, or nil. The caller does not change it.
func (s *Snapshot) Package(name string) *catalog.Package { return s.packages[name] }

// PackageNames lists the names of all packages in byte order. The caller does
// not change it.
func (s *Snapshot) PackageNames() []string { return s.names }

// Names lists the names of all packages and all names they provide, in byte
// order. It implements explain.Namer.
func (s *Snapshot) Names(context.Context) ([]string, error) {
	out := slices.Concat(s.names, slices.Collect(maps.Keys(s.providers)))
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Len is the number of packages.
func (s *Snapshot) Len() int { return len(s.names) }

// Solver answers requests to this snapshot; it is made once and remembers what
// it read.
func (s *Snapshot) Solver() *resolver.Solver { return s.solver() }

// ByDigest gives the release of a package with this artifact digest, or nil.
func (s *Snapshot) ByDigest(name, digest string) *catalog.Release {
	p := s.packages[name]
	if p == nil {
		return nil
	}
	for i := range p.Releases {
		if p.Releases[i].Digest == digest {
			return &p.Releases[i]
		}
	}
	return nil
}

// Releases implements resolver.Source.
func (s *Snapshot) Releases(_ context.Context, name string) ([]resolver.Release, error) {
	p := s.packages[name]
	if p == nil {
		return nil, nil
	}
	out := make([]resolver.Release, 0, len(p.Releases))
	for i := range p.Releases {
		out = append(out, solverRelease(&p.Releases[i]))
	}
	return out, nil
}

// Providers implements resolver.Source.
func (s *Snapshot) Providers(_ context.Context, name string) ([]string, error) {
	return s.providers[name], nil
}

// solverRelease is a release as the solver sees it.
func solverRelease(r *catalog.Release) resolver.Release {
	out := resolver.Release{Version: r.Version, Unusable: r.Unavailable}
	if r.Config == nil {
		return out
	}
	out.Requires = dependencies(r.Config.Requires)
	for _, c := range r.Config.Conflicts {
		out.Conflicts = append(out.Conflicts, resolver.Conflict{Name: c.Name, Constraint: c.Version})
	}
	for _, p := range r.Config.Provides {
		v := p.Version
		if v.IsZero() {
			v = r.Version
		}
		out.Provides = append(out.Provides, resolver.Provide{Name: p.Name, Version: v})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Config.Features)) {
		f := resolver.Feature{Name: name}
		if body := r.Config.Features[name]; body != nil {
			f.Requires = dependencies(body.Requires)
		}
		out.Features = append(out.Features, f)
	}
	return out
}

func dependencies(reqs []catalog.Requirement) []resolver.Dependency {
	var out []resolver.Dependency
	for _, r := range reqs {
		d := resolver.Dependency{Name: r.Name, Constraint: r.Version, Alias: r.Alias, Optional: r.Optional}
		if r.Feature != "" {
			d.Features = []string{r.Feature}
		}
		out = append(out, d)
	}
	return out
}

// newest sorts releases newest first; equal versions by repository.
func newest(a, b catalog.Release) int {
	if c := constraint.Order(b.Version, a.Version); c != 0 {
		return c
	}
	return strings.Compare(a.Repository, b.Repository)
}
