package resolver

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
	options, err := c.alternatives(d, target)
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
	list, err := c.alternatives(d, target)
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
func (c *compiler) alternatives(d *Dependency, target *node) ([]alternative, error) {
	providers, err := c.providers(c.ctx, target, c.lim)
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

// choiceOf returns the choice between the packages that can meet d. Those of a
// request are its own.
func (c *compiler) choiceOf(d *Dependency, list []alternative) *node {
	key := choiceKey{d.Name, d.Constraint.String()}
	among := c.choices
	if c.owner == nil {
		if c.own == nil {
			c.own = map[choiceKey]*node{}
		}
		among = c.own
	}
	n := among[key]
	if n != nil {
		return n
	}
	n = &node{
		kind: choiceNode, name: d.Name, count: len(list), full: fullSet(len(list)),
		wanted:  Dependency{Name: d.Name, Constraint: d.Constraint},
		options: list,
	}
	for i, o := range list {
		n.prefer = append(n.prefer, int32(i+1))
		n.optionNames = append(n.optionNames, o.node.name)
	}
	if c.owner == nil {
		n.id = int32(requestID - 1 - len(among))
	} else {
		c.addNode(n)
	}
	among[key] = n
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
