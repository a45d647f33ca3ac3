package resolver

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/universe-dcos/universe/resolver/constraint"
)

type nodeKind uint8

const (
	packageNode nodeKind = iota // values: versions
	featureNode                 // value 1: on
	choiceNode                  // values: packages that could meet a requirement
	requestNode                 // value 1: the request holds
)

// node is something the solver picks a value for. Nodes and their facts do not
// depend on the request and are kept by the [Solver].
type node struct {
	id      int32 // number among the solver's nodes; below 0: of one request only
	kind    nodeKind
	name    string // of the package, the feature's package, or the name asked for
	feature string
	full    set // all values
	count   int // number of values but 0

	// Packages only.
	releases []Release            // ascending; value v is releases[v-1]
	versions []constraint.Version // of the releases
	prefer   []int32              // values, best first
	yanked   set
	unusable []unit
	sets     map[string]set
	// Names of packages that provide this name, and their nodes once asked for.
	providerNames []string
	providers     []*node

	// Choices only.
	wanted      Dependency
	options     []alternative
	optionNames []string

	facts atomic.Pointer[factTable]
}

// unit is a reason why some versions of a package cannot be used.
type unit struct {
	reason string
	values set
}

// alternative is a package and the versions of it that meet a requirement.
type alternative struct {
	node   *node
	values set
}

func (s *Solver) addNode(n *node) *node {
	n.id = s.nodes
	s.nodes++
	return n
}

// pack returns the node of a package, loading its releases if needed. An
// unknown package is a node with no value but 0, about which there are no facts;
// it is not kept, since requests can name any number of them. Needs s.mu.
func (s *Solver) pack(ctx context.Context, name string, lim *Limits) (*node, error) {
	if n := s.packages[name]; n != nil {
		if n.count > lim.Versions {
			return nil, &BudgetExceeded{What: "Versions", Limit: lim.Versions, Subject: name}
		}
		return n, nil
	}
	if len(name) > lim.NameLen {
		return nil, &BudgetExceeded{What: "NameLen", Limit: lim.NameLen, Subject: name[:min(32, len(name))] + "..."}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, stopped(err)
	}
	n, err := s.load(ctx, name, lim)
	if err != nil {
		return nil, err
	}
	if n.count > 0 || len(n.providerNames) > 0 {
		s.packages[name] = s.addNode(n)
	}
	return n, nil
}

// providers returns the packages that provide the name of n. Needs s.mu.
func (s *Solver) providers(ctx context.Context, n *node, lim *Limits) ([]*node, error) {
	if n.providers == nil && len(n.providerNames) > 0 {
		list := make([]*node, 0, len(n.providerNames))
		for _, name := range n.providerNames {
			p, err := s.pack(ctx, name, lim)
			if err != nil {
				return nil, err
			}
			list = append(list, p)
		}
		n.providers = list
	}
	return n.providers, nil
}

// load reads the releases of a package into a new node.
func (s *Solver) load(ctx context.Context, name string, lim *Limits) (*node, error) {
	releases, err := s.source.Releases(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading the releases of %q: %w", name, err)
	}
	if len(releases) > lim.Versions {
		return nil, &BudgetExceeded{What: "Versions", Limit: lim.Versions, Subject: name}
	}
	n := &node{
		kind:     packageNode,
		name:     name,
		count:    len(releases),
		full:     fullSet(len(releases)),
		releases: slices.Clone(releases),
		yanked:   newSet(len(releases)),
		sets:     map[string]set{},
	}
	slices.SortFunc(n.releases, func(a, b Release) int { return constraint.Order(a.Version, b.Version) })
	for i := range n.releases {
		r := &n.releases[i]
		if r.Version.IsZero() {
			return nil, fmt.Errorf("the source lists a release of %q without a version", name)
		}
		if i > 0 && n.releases[i-1].Version == r.Version {
			return nil, fmt.Errorf("the source lists %s %s twice", name, r.Version)
		}
		r.tidy()
		n.versions = append(n.versions, r.Version)
		if r.Yanked != "" {
			n.yanked.add(i + 1)
		}
		if r.Unusable != "" {
			n.mark(r.Unusable, i+1)
		}
	}
	n.prefer = preference(n.releases)
	names, err := s.source.Providers(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading what provides %q: %w", name, err)
	}
	names = slices.Clone(names)
	slices.Sort(names)
	n.providerNames = slices.DeleteFunc(slices.Compact(names), func(p string) bool { return p == name })
	return n, nil
}

// tidy makes the order in which the author wrote things irrelevant.
func (r *Release) tidy() {
	r.Requires = sortedDeps(r.Requires)
	r.Features = slices.Clone(r.Features)
	slices.SortStableFunc(r.Features, func(a, b Feature) int { return strings.Compare(a.Name, b.Name) })
	for i := range r.Features {
		r.Features[i].Requires = sortedDeps(r.Features[i].Requires)
	}
	r.Conflicts = slices.Clone(r.Conflicts)
	slices.SortStableFunc(r.Conflicts, func(a, b Conflict) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Constraint.String(), b.Constraint.String()))
	})
}

func sortedDeps(list []Dependency) []Dependency {
	list = slices.Clone(list)
	for i := range list {
		list[i].Features = slices.Clone(list[i].Features)
		slices.Sort(list[i].Features)
		list[i].Features = slices.Compact(list[i].Features)
	}
	slices.SortStableFunc(list, func(a, b Dependency) int {
		return cmp.Or(
			strings.Compare(a.Name, b.Name),
			strings.Compare(a.Constraint.String(), b.Constraint.String()),
			slices.Compare(a.Features, b.Features),
			strings.Compare(a.Alias, b.Alias))
	})
	return list
}

func (n *node) mark(reason string, value int) {
	for i := range n.unusable {
		if n.unusable[i].reason == reason {
			n.unusable[i].values.add(value)
			return
		}
	}
	u := unit{reason, newSet(n.count)}
	u.values.add(value)
	n.unusable = append(n.unusable, u)
}

// preference lists the values best first: new before old, deprecated last.
func preference(releases []Release) []int32 {
	var fine, deprecated []int32
	for v := len(releases); v > 0; v-- {
		if releases[v-1].Deprecated == "" {
			fine = append(fine, int32(v))
		} else {
			deprecated = append(deprecated, int32(v))
		}
	}
	return append(fine, deprecated...)
}

// featureOf returns the node of a feature of a package. Needs s.mu.
func (s *Solver) featureOf(n *node, feature string) *node {
	key := featureKey{n.id, feature}
	f := s.features[key]
	if f == nil {
		f = s.addNode(&node{kind: featureNode, name: n.name, feature: feature, count: 1, full: fullSet(1)})
		s.features[key] = f
	}
	return f
}

// maxSets is the number of constraints on a package whose versions are
// remembered. Requests can hold any number of constraints.
const maxSets = 512

// passing returns the versions of n that pass c. Needs s.mu.
func (n *node) passing(c constraint.Constraint) set {
	key := c.String()
	r, ok := n.sets[key]
	if !ok {
		r = checkAll(n.versions, c)
		if len(n.sets) < maxSets {
			n.sets[key] = r
		}
	}
	return r
}

// fewVersions is up to where checking each version costs no more than making
// the exact set.
const fewVersions = 32

func checkAll(versions []constraint.Version, c constraint.Constraint) set {
	r := newSet(len(versions))
	if len(versions) > fewVersions {
		if exact, err := c.Set(); err == nil {
			exact.Select(versions, func(i int) { r.add(i + 1) })
			return r
		}
	}
	for i, v := range versions {
		if c.Check(v) {
			r.add(i + 1)
		}
	}
	return r
}

// having returns the versions of n that have all features.
func (n *node) having(features []string) set {
	r := newSet(n.count)
	for i := range n.releases {
		if n.releases[i].has(features) {
			r.add(i + 1)
		}
	}
	return r
}

func (r *Release) has(features []string) bool {
	for _, f := range features {
		if r.feature(f) == nil {
			return false
		}
	}
	return true
}

func (r *Release) feature(name string) *Feature {
	for i := range r.Features {
		if r.Features[i].Name == name {
			return &r.Features[i]
		}
	}
	return nil
}

// providing returns the versions of n that provide name at a version that
// passes c.
func (n *node) providing(name string, c constraint.Constraint) set {
	r := newSet(n.count)
	for i := range n.releases {
		if n.releases[i].provides(name, c) {
			r.add(i + 1)
		}
	}
	return r
}

func (r *Release) provides(name string, c constraint.Constraint) bool {
	for _, p := range r.Provides {
		if p.Name == name && c.Check(p.Version) {
			return true
		}
	}
	return false
}
