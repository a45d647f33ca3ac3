package resolver

import (
	"fmt"
	"slices"
	"strings"
)

// answer is scratch memory for reading the solution off a finished search.
// Packages are named by the number of their variable.
type answer struct {
	packages []int32   // chosen, by name
	features [][]int32 // by package: variables of the features that are on
	first    []int32   // by package: where its edges begin in to
	end      []int32
	to       []int32 // ends of the edges

	index, low []int32 // Tarjan's
	open       []bool
	stack      []int32
	frames     []frame
}

// solution reads the answer off a finished search.
func (w *search) solution() (*Solution, error) {
	a := &w.answer
	a.reset(w.met)
	for i := range w.met {
		if v := &w.vars[i]; v.node.kind == packageNode && v.required() {
			a.packages = append(a.packages, int32(i))
		}
	}
	byName := func(x, y int32) int { return strings.Compare(w.vars[x].node.name, w.vars[y].node.name) }
	slices.SortFunc(a.packages, byName)
	for i := range w.met {
		if v := &w.vars[i]; v.node.kind == featureNode && v.required() {
			k, _ := slices.BinarySearchFunc(a.packages, v.node, func(p int32, n *node) int {
				return strings.Compare(w.vars[p].node.name, n.name)
			})
			p := a.packages[k]
			a.features[p] = append(a.features[p], int32(i))
		}
	}
	out := &Solution{Stats: w.stats(), Edges: make([]Edge, 0, w.countEdges())}
	if err := w.edges(out, 0, 0); err != nil {
		return nil, err
	}
	for _, p := range a.packages {
		slices.SortFunc(a.features[p], func(x, y int32) int {
			return strings.Compare(w.vars[x].node.feature, w.vars[y].node.feature)
		})
		a.first[p] = int32(len(a.to))
		if err := w.edges(out, p, p); err != nil {
			return nil, err
		}
		for _, f := range a.features[p] {
			if err := w.edges(out, p, f); err != nil {
				return nil, err
			}
		}
		a.end[p] = int32(len(a.to))
	}
	out.Packages = make([]Package, 0, len(a.packages))
	w.inOrder(func(p int32, group int) { out.Packages = append(out.Packages, w.packageOf(p, group)) })
	return out, nil
}

func (a *answer) reset(n int) {
	a.packages, a.to, a.stack, a.frames = a.packages[:0], a.to[:0], a.stack[:0], a.frames[:0]
	for len(a.features) < n {
		a.features = append(a.features, nil)
		a.first, a.end = append(a.first, 0), append(a.end, 0)
		a.index, a.low, a.open = append(a.index, 0), append(a.low, 0), append(a.open, false)
	}
	clear(a.index[:n])
	for i := range n {
		a.features[i] = a.features[i][:0]
	}
}

// value is what a finished search chose for a variable.
func (w *search) value(i int32) int { return w.vars[i].can.next(1) }

// bindings returns the requirements of package p that come from the node of
// variable i: p itself or a feature of it.
func (w *search) bindings(p, i int32) []binding {
	list, v := w.vars[i].table.bindings, w.value(p)
	if v >= len(list) {
		return nil
	}
	return list[v]
}

func (w *search) countEdges() int {
	n := len(w.bindings(0, 0))
	for _, p := range w.answer.packages {
		n += len(w.bindings(p, p))
		for _, f := range w.answer.features[p] {
			n += len(w.bindings(p, f))
		}
	}
	return n
}

// edges says which chosen packages meet the requirements of bindings(p, i).
func (w *search) edges(out *Solution, p, i int32) error {
	for _, b := range w.bindings(p, i) {
		d := b.dep
		to := w.boundTo(b)
		if to < 0 {
			if !d.Optional {
				return fmt.Errorf("bug in the solver: %q requires %s %s, but the solution has no such package", w.vars[p].node.name, d.Name, d.Constraint)
			}
			continue
		}
		out.Edges = append(out.Edges, Edge{
			From: w.vars[p].node.name, Feature: w.vars[i].node.feature,
			Alias: d.As(), Name: d.Name, Constraint: d.Constraint,
			To: w.vars[to].node.name, Features: d.Features, Optional: d.Optional,
		})
		w.answer.to = append(w.answer.to, to)
	}
	return nil
}

// boundTo returns the variable of the chosen package that meets a requirement,
// or -1: what the choice made for it says, else the first that will do.
func (w *search) boundTo(b binding) int32 {
	options := b.options
	if b.choice != nil {
		c := w.variableOf(b.choice).can.next(1)
		options = options[c-1 : c]
	}
	for _, o := range options {
		if l := *w.slot(o.node) - 1; l >= 0 && w.vars[l].required() && o.values.has(w.value(l)) {
			return l
		}
	}
	return -1
}

func (w *search) packageOf(i int32, group int) Package {
	v := &w.vars[i]
	r := &v.node.releases[w.value(i)-1]
	p := Package{
		Name: v.node.name, Version: r.Version, State: StateNew, Group: group,
		Deprecated: r.Deprecated, Yanked: r.Yanked, Unlisted: r.unlisted,
	}
	for _, f := range w.answer.features[i] {
		p.Features = append(p.Features, w.vars[f].node.feature)
	}
	if at, ok := w.req.Installed[p.Name]; ok {
		p.Installed = at
		switch d := p.Version.Compare(at); {
		case p.Version == at:
			p.State = StateKept
		case d < 0:
			p.State = StateDowngraded
		default:
			p.State = StateUpgraded
		}
	}
	return p
}
