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
	own   map[choiceKey]*node // choices of the request
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
