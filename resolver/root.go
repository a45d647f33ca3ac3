package resolver

import (
	"context"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/resolver/constraint"
)

type version = constraint.Version

// requestID is the number of the request's node. Its choices have the numbers
// below: they are not kept, since requests can hold any number of constraints.
const requestID = -1

// request makes the node of the request, whose facts are the requirements and
// the installed packages. It tells whether an installed version is not among
// the releases of its package.
func (s *Solver) request(ctx context.Context, req Request, lim *Limits) (root *node, unlisted bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	root = &node{id: requestID, kind: requestNode, count: 1, full: fullSet(1)}
	c := s.compiler(ctx, root, lim)
	deps := sortedDeps(req.Requirements)
	for i := range deps {
		if err := c.dependency(&deps[i], 1, FactRequest); err != nil {
			return nil, false, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(req.Installed)) {
		v := req.Installed[name]
		n, err := s.pack(ctx, name, lim)
		if err != nil {
			return nil, false, err
		}
		value := n.valueOf(v)
		if value == 0 {
			return nil, true, nil
		}
		// Moving to a prerelease is never a consequence of being installed.
		var none *slab
		stays := none.or(n.passing(constraint.Any), none.only(n.full, value))
		about := Fact{Kind: FactInstalled, Package: name, Dependency: &Dependency{Name: name, Constraint: constraint.Exactly(v)}}
		if err := c.add(about, 1, n.except(stays)); err != nil {
			return nil, false, err
		}
	}
	root.facts.Store(c.out)
	return root, false, nil
}

// valueOf returns the value of a version, or 0 if the package has none such.
func (n *node) valueOf(v version) int {
	i, ok := slices.BinarySearchFunc(n.versions, v, constraint.Order)
	if !ok {
		return 0
	}
	return i + 1
}

// ruledOut returns the versions of n that the request forbids or that are
// withdrawn and not excused, each with its fact.
func (w *search) ruledOut(n *node) []*fact {
	if n.kind != packageNode {
		return nil
	}
	var out []*fact
	rule := func(values set, about Fact) {
		if values.lo &^= absent; values.empty() {
			return
		}
		about.Package = n.name
		out = append(out, &fact{terms: []nodeTerm{{n, values}}, about: about, whose: n, which: values})
	}
	var none *slab
	if pin, ok := w.req.Pins[n.name]; ok {
		rule(none.minus(n.full, checkAll(n.versions, pin)), Fact{Kind: FactPinned, Allowed: pin})
	}
	for _, u := range n.unusable {
		rule(u.values, Fact{Kind: FactUnusable, Reason: u.reason})
	}
	if !n.yanked.empty() {
		excused := w.excused(n)
		for v := n.yanked.next(1); v > 0; v = n.yanked.next(v + 1) {
			if !excused.has(v) {
				rule(none.only(n.full, v), Fact{Kind: FactYanked, Reason: n.releases[v-1].Yanked})
			}
		}
	}
	return out
}

// excused returns the withdrawn versions that may be chosen all the same: the
// installed one, and one that the user or the administrator names exactly.
func (w *search) excused(n *node) set {
	out := newSet(n.count)
	put := func(v version, ok bool) {
		if !ok {
			return
		}
		for i, known := range n.versions {
			if known.Compare(v) == 0 {
				out.add(i + 1)
			}
		}
	}
	installed, ok := w.req.Installed[n.name]
	put(installed, ok)
	if pin, ok := w.req.Pins[n.name]; ok {
		put(pin.Exact())
	}
	for _, d := range w.req.Requirements {
		if d.Name == n.name {
			put(d.Constraint.Exact())
		}
	}
	return out
}
