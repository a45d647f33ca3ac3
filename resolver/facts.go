package resolver

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"
)

// fact is a given fact about nodes: its terms cannot all hold. The first term
// is about the node whose table holds the fact.
type fact struct {
	terms []nodeTerm
	about Fact  // without Versions and Known, which come from subject and values
	whose *node // the package the fact is about, nil for the request
	which set   // the versions of whose for which it holds
}

type nodeTerm struct {
	node   *node
	values set
}

// factTable holds all facts that come from the values of a node.
type factTable struct {
	facts   []*fact
	byValue [][]int32 // indexes of facts that concern a value
	deps    int       // most requirements and conflicts of one value
	// bindings lists, by value of the owner, the requirements and what can meet
	// them.
	bindings [][]binding
}

// binding is a requirement and the packages that can meet it.
type binding struct {
	dep     *Dependency
	choice  *node // that settles on one of the options, or nil
	options []alternative
}

// table returns the facts of n, compiling them at the first call.
func (s *Solver) table(ctx context.Context, n *node, lim *Limits) (*factTable, error) {
	t := n.facts.Load()
	if t == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t = n.facts.Load(); t == nil {
			var err error
			if t, err = s.compile(ctx, n, lim); err != nil {
				return nil, err
			}
			n.facts.Store(t)
		}
	}
	if t.deps > lim.Dependencies {
		return nil, &BudgetExceeded{What: "Dependencies", Limit: lim.Dependencies, Subject: n.name}
	}
	return t, nil
}

// compiler collects the facts of one node, joining those of neighbouring
// versions that say the same.
type compiler struct {
	*Solver
	ctx   context.Context
	lim   *Limits
	node  *node // whose table is made
	owner *node // the package whose releases make the facts; nil for the request
	out   *factTable
	index map[string]int32
	key   []byte
	bytes int
}

func (s *Solver) compile(ctx context.Context, n *node, lim *Limits) (*factTable, error) {
	c := s.compiler(ctx, n, lim)
	switch n.kind {
	case choiceNode:
		return c.out, c.choice()
	case featureNode:
		c.owner = s.packages[n.name]
	default:
		c.owner = n
	}
	// From new to old, so that a joined fact carries the newest text.
	for v := c.owner.count; v > 0; v-- {
		r := &c.owner.releases[v-1]
		c.out.deps = max(c.out.deps, r.size())
		if c.out.deps > lim.Dependencies {
			return nil, &BudgetExceeded{What: "Dependencies", Limit: lim.Dependencies, Subject: n.name}
		}
		if err := c.release(r, v); err != nil {
			return nil, err
		}
	}
	return c.out, nil
}

func (s *Solver) compiler(ctx context.Context, n *node, lim *Limits) *compiler {
	return &compiler{
		Solver: s, ctx: ctx, lim: lim, node: n,
		out:   &factTable{byValue: make([][]int32, n.count+1)},
		index: map[string]int32{},
	}
}

func (r *Release) size() int {
	n := len(r.Requires) + len(r.Conflicts)
	for _, f := range r.Features {
		n += len(f.Requires)
	}
	return n
}

// release adds the facts of value v of the owner.
func (c *compiler) release(r *Release, v int) error {
	deps := r.Requires
	if c.node.kind == featureNode {
		f := r.feature(c.node.feature)
		if f == nil {
			return nil
		}
		deps = f.Requires
	}
	for i := range deps {
		if err := c.dependency(&deps[i], v, FactDependency); err != nil {
			return err
		}
	}
	if c.node.kind == featureNode {
		return nil
	}
	for _, x := range r.Conflicts {
		if err := c.conflict(x, v); err != nil {
			return err
		}
	}
	return nil
}

// dependency adds what it means that value v requires d.
func (c *compiler) dependency(d *Dependency, v int, kind FactKind) error {
	target, err := c.pack(c.ctx, d.Name, c.lim)
	if err != nil {
		return err
	}
	if d.Optional {
		return c.optional(d, v, target)
	}
	passing := target.passing(d.Constraint)
	if len(d.Features) == 0 && len(target.providerNames) > 0 {
		return c.provided(d, v, kind, target)
	}
	about := Fact{Kind: kind, Dependency: d}
	switch {
	case target.count == 0:
		about.Kind = FactUnknown
	case passing.empty():
		about.Kind = FactNoVersions
	case len(d.Features) > 0:
		var none *slab
		if passing = none.and(passing, target.having(d.Features)); passing.empty() {
			about.Kind = FactNoFeature
		}
	}
	c.bind(v, binding{dep: d, options: []alternative{{target, passing}}})
	switch {
	case target == c.owner:
		return c.self(d, v, passing)
	case about.Kind != kind:
		return c.add(about, v)
	}
	if err := c.add(about, v, target.except(passing)); err != nil {
		return err
	}
	return c.switchOn(d, v, kind, target)
}

// bind notes what can meet a requirement of value v of the owner.
func (c *compiler) bind(v int, b binding) {
	for len(c.out.bindings) <= v {
		c.out.bindings = append(c.out.bindings, nil)
	}
	c.out.bindings[v] = append(c.out.bindings[v], b)
}

// except is the term "not one of values".
func (n *node) except(values set) nodeTerm {
	var none *slab
	rest := none.minus(n.full, values)
	rest.lo |= absent
	return nodeTerm{n, rest}
}

// switchOn adds that the features d names are on.
func (c *compiler) switchOn(d *Dependency, v int, kind FactKind, target *node) error {
	for _, f := range d.Features {
		on := c.featureOf(target, f)
		if on == c.node {
			continue // a feature that asks for itself
		}
		if err := c.add(Fact{Kind: kind, Dependency: d}, v, nodeTerm{on, set{lo: absent}}); err != nil {
			return err
		}
	}
	return nil
}

// self adds a requirement of a release on its own package.
func (c *compiler) self(d *Dependency, v int, passing set) error {
	if !passing.has(v) {
		return c.add(Fact{Kind: FactSelf, Dependency: d}, v)
	}
	return c.switchOn(d, v, FactDependency, c.owner)
}

// optional adds that d's package, if chosen, passes. Providers are free.
func (c *compiler) optional(d *Dependency, v int, target *node) error {
	var none *slab
	passing := none.and(target.passing(d.Constraint), target.having(d.Features))
	options, err := c.alternatives(c.ctx, d, target, c.lim)
	if err != nil {
		return err
	}
	c.bind(v, binding{dep: d, options: options})
	about := Fact{Kind: FactOptional, Dependency: d}
	wrong := none.minus(target.full, passing)
	wrong.lo &^= absent
	switch {
	case target == c.owner && wrong.has(v):
		return c.add(about, v)
	case target == c.owner:
		return c.switchOn(d, v, FactOptional, target)
	case !wrong.empty():
		if err := c.add(about, v, nodeTerm{target, wrong}); err != nil {
			return err
		}
	}
	if passing.empty() {
		return nil
	}
	for _, f := range d.Features {
		off := nodeTerm{c.featureOf(target, f), set{lo: absent}}
		if err := c.add(about, v, nodeTerm{target, passing}, off); err != nil {
			return err
		}
	}
	return nil
}

// provided adds a requirement on a name that several packages may have or
// provide.
func (c *compiler) provided(d *Dependency, v int, kind FactKind, target *node) error {
	list, err := c.alternatives(c.ctx, d, target, c.lim)
	if err != nil {
		return err
	}
	if len(list) > 1 {
		choice := c.choiceOf(d, list)
		c.bind(v, binding{dep: d, choice: choice, options: choice.options})
		return c.add(Fact{Kind: kind, Dependency: d}, v, choice.except(choice.full))
	}
	c.bind(v, binding{dep: d, options: list})
	about := Fact{Kind: kind, Dependency: d}
	if len(list) == 0 {
		about.Kind = FactNoVersions
		return c.add(about, v)
	}
	only := list[0]
	if only.node != target {
		about.Provider = only.node.name
	}
	if only.node != c.owner {
		return c.add(about, v, only.node.except(only.values))
	}
	if only.values.has(v) {
		return nil
	}
	about.Kind = FactSelf
	return c.add(about, v)
}

// alternatives lists the packages that can meet d: the one of that name, then
// the providers by name. Needs s.mu.
func (s *Solver) alternatives(ctx context.Context, d *Dependency, target *node, lim *Limits) ([]alternative, error) {
	providers, err := s.providers(ctx, target, lim)
	if err != nil {
		return nil, err
	}
	var list []alternative
	var none *slab
	p := target.passing(d.Constraint)
	if len(d.Features) > 0 {
		p = none.and(p, target.having(d.Features))
	}
	if !p.empty() {
		list = append(list, alternative{target, p})
	}
	if len(d.Features) > 0 {
		return list, nil
	}
	for _, n := range providers {
		if p := n.providing(d.Name, d.Constraint); !p.empty() {
			list = append(list, alternative{n, p})
		}
	}
	return list, nil
}

type choiceKey struct{ name, constraint string }

func (s *Solver) choiceOf(d *Dependency, list []alternative) *node {
	key := choiceKey{d.Name, d.Constraint.String()}
	n := s.choices[key]
	if n == nil {
		n = s.addNode(&node{
			kind: choiceNode, name: d.Name, count: len(list), full: fullSet(len(list)),
			wanted:  Dependency{Name: d.Name, Constraint: d.Constraint},
			options: list,
		})
		for i, o := range list {
			n.prefer = append(n.prefer, int32(i+1))
			n.optionNames = append(n.optionNames, o.node.name)
		}
		s.choices[key] = n
	}
	return n
}

// choice adds that the package a choice settles on is chosen.
func (c *compiler) choice() error {
	for i, a := range c.node.options {
		about := Fact{Kind: FactProvider, Dependency: &c.node.wanted, Provider: a.node.name}
		if err := c.add(about, i+1, a.node.except(a.values)); err != nil {
			return err
		}
	}
	return nil
}

// conflict adds that nothing that x names stands beside value v.
func (c *compiler) conflict(x Conflict, v int) error {
	target, err := c.pack(c.ctx, x.Name, c.lim)
	if err != nil {
		return err
	}
	about := Fact{Kind: FactConflict, Dependency: &Dependency{Name: x.Name, Constraint: x.Constraint}}
	if p := target.passing(x.Constraint); target != c.owner && !p.empty() {
		if err := c.add(about, v, nodeTerm{target, p}); err != nil {
			return err
		}
	}
	providers, err := c.providers(c.ctx, target, c.lim)
	if err != nil {
		return err
	}
	for _, n := range providers {
		p := n.providing(x.Name, x.Constraint)
		if n == c.owner || p.empty() {
			continue
		}
		about.Provider = n.name
		if err := c.add(about, v, nodeTerm{n, p}); err != nil {
			return err
		}
	}
	return nil
}

// add puts a fact about value v in the table: v and the terms cannot all hold.
// A fact that says the same of another value is widened to v.
func (c *compiler) add(about Fact, v int, terms ...nodeTerm) error {
	value := v
	if c.node.kind == featureNode {
		value = 1 // the owner's version becomes a term of its own
	}
	c.key = append(c.key[:0], about.Kind...)
	if len(terms) == 0 { // tell requirements apart that rule a version out
		c.key = append(append(append(c.key, about.Dependency.Name...), 0), about.Dependency.Constraint.String()...)
		c.key = append(append(c.key, 0), strings.Join(about.Dependency.Features, "\x00")...)
	}
	for _, t := range terms {
		c.key = binary.LittleEndian.AppendUint32(c.key, uint32(t.node.id))
		c.key = binary.LittleEndian.AppendUint64(c.key, t.values.lo)
		for _, w := range t.values.hi {
			c.key = binary.LittleEndian.AppendUint64(c.key, w)
		}
	}
	id, known := c.index[string(c.key)]
	if !known {
		id = int32(len(c.out.facts))
		c.index[string(c.key)] = id
		if err := c.create(about, terms); err != nil {
			return err
		}
	}
	f := c.out.facts[id]
	if c.owner != nil {
		f.which.add(v)
	}
	if c.node.kind == featureNode {
		f.terms[1].values.add(v)
	} else {
		f.terms[0].values.add(v)
	}
	if l := c.out.byValue[value]; !known || (value == v && !slices.Contains(l, id)) {
		c.out.byValue[value] = append(l, id)
	}
	return nil
}

func (c *compiler) create(about Fact, terms []nodeTerm) error {
	f := &fact{about: about, whose: c.owner}
	if c.owner != nil {
		f.which = newSet(c.owner.count)
		f.about.Package, f.about.Feature = c.owner.name, c.node.feature
	}
	switch c.node.kind {
	case featureNode:
		f.terms = append(f.terms, nodeTerm{c.node, set{lo: 2}}, nodeTerm{c.owner, f.which})
	case packageNode:
		f.terms = append(f.terms, nodeTerm{c.node, f.which})
	default:
		f.terms = append(f.terms, nodeTerm{c.node, newSet(c.node.count)})
	}
	f.terms = append(f.terms, terms...)
	c.out.facts = append(c.out.facts, f)
	for _, t := range f.terms {
		c.bytes += 48 + 8*len(t.values.hi)
	}
	if c.bytes += 128 + len(c.key); c.bytes > c.lim.Memory {
		return &BudgetExceeded{What: "Memory", Limit: c.lim.Memory, Subject: c.node.name}
	}
	if len(c.out.facts) > c.lim.Facts {
		return &BudgetExceeded{What: "Facts", Limit: c.lim.Facts, Subject: c.node.name}
	}
	return nil
}
