package resolver

// run searches until every required variable has a value. It returns the
// incompatibility that proves that there is no solution, or -1.
func (w *search) run(root *node) (int32, error) {
	w.start(root)
	for {
		if end, err := w.propagate(); end >= 0 || err != nil {
			return end, err
		}
		if err := w.stop(); err != nil {
			return -1, err
		}
		i := w.pick()
		if i < 0 {
			return -1, nil
		}
		if err := w.advance(i); err != nil {
			return -1, err
		}
	}
}

// start puts the request in: variable 0, with its facts.
func (w *search) start(root *node) {
	i := w.meet(root)
	v := &w.vars[i]
	v.can = set{lo: 2}
	v.past = append(v.past, cut{can: v.can, cause: decided, at: atStart})
	v.settled = true
	v.table = root.facts.Load()
	for _, f := range v.table.facts {
		for _, t := range f.terms[1:] {
			k := w.meet(t.node)
			w.vars[k].asked = w.vars[k].asked || f.about.Kind == FactRequest
		}
		w.install(f)
	}
	w.enqueue(i)
}

// pick returns the variable to decide next, or -1 if all is decided.
func (w *search) pick() int32 {
	for _, i := range w.dirty {
		v := &w.vars[i]
		v.soiled = false
		switch waits := v.required() && !v.settled; {
		case waits:
			v.key = v.priority(i)
			if v.place < 0 {
				w.heapPush(i)
			} else {
				w.heapFix(int(v.place))
			}
		case v.place >= 0:
			w.heapRemove(i)
		}
	}
	w.dirty = w.dirty[:0]
	if len(w.heap.list) == 0 {
		return -1
	}
	return w.heap.list[0]
}

// priority orders decisions, the lowest first: what has one value left; what is
// installed, so that the rest adapts to it; what the request asks for; the
// others; last, choices between packages, because another requirement may settle
// them. Within these, what was in many conflicts, then what has few values left,
// then what was met first.
func (v *variable) priority(i int32) uint64 {
	if v.can.single() {
		return uint64(i)
	}
	const maxHits, maxCount = 1<<17 - 1, 1<<14 - 1
	key := uint64(1)
	switch {
	case v.node.kind == choiceNode:
		key = 4
	case v.keep > 0:
	case v.asked:
		key = 2
	default:
		key = 3
	}
	key = key<<17 | uint64(maxHits-min(v.hits, maxHits))
	key = key<<14 | uint64(min(v.can.count(), maxCount))
	return key<<28 | uint64(i)
}

// troubled is the number of conflicts from which on the facts of all versions of
// a package are looked at, not only those of the version to be tried.
const troubled = 2

// advance decides a variable, or adds the facts that keep it from being decided
// as wished, so that propagation goes on with them.
func (w *search) advance(i int32) error {
	v := &w.vars[i]
	if v.table == nil {
		t, err := w.Solver.table(w.ctx, v.node, w.lim)
		if err != nil {
			return err
		}
		v.table = t
		v.added = append(v.added[:0], make([]bool, len(t.facts))...)
	}
	if !v.opened && (v.node.kind == choiceNode || v.hits >= troubled) {
		// All facts at once: they rule out many values together.
		v.opened = true
		for k := range v.table.facts {
			w.addFact(i, int32(k))
		}
		w.enqueue(i)
		return nil
	}
	if v.can.single() {
		w.settle(i, v.can.next(1))
		w.enqueue(i)
		return nil
	}
	value, blocked := w.best(i)
	if blocked || value == 0 {
		w.enqueue(i)
		return nil
	}
	w.decisions++
	w.epochs++
	w.levels = append(w.levels, level{start: int32(len(w.trail)), epoch: w.epochs})
	v = &w.vars[i]
	w.cut(i, w.slab.only(v.node.full, value), decided)
	w.settle(i, value)
	return nil
}

// settle adds the facts of the value of a variable.
func (w *search) settle(i int32, value int) {
	for _, k := range w.vars[i].table.byValue[value] {
		w.addFact(i, k)
	}
	w.vars[i].settled = true
	w.trail = append(w.trail, event{v: i, settled: true})
	w.soil(i)
}

func (w *search) addFact(i, k int32) {
	if v := &w.vars[i]; !v.added[k] {
		v.added[k] = true
		w.install(v.table.facts[k])
	}
}

// best returns the value to try: the first in order of preference of which no
// fact is against what is known. Facts that rule out better values are added
// (blocked), because they rule out other values too.
func (w *search) best(i int32) (value int, blocked bool) {
	v := &w.vars[i]
	if v.node.kind == choiceNode {
		return w.bestChoice(v), false
	}
	fits := func(c int) bool {
		if !w.vars[i].can.has(c) {
			return false
		}
		ok := true
		for _, k := range w.vars[i].table.byValue[c] {
			if v := &w.vars[i]; !v.added[k] && w.against(v.table.facts[k]) {
				w.addFact(i, k)
				ok, blocked = false, true
			}
		}
		return ok
	}
	if v.keep > 0 && fits(int(v.keep)) {
		return int(v.keep), blocked
	}
	for _, c := range v.node.prefer {
		if c != w.vars[i].keep && fits(int(c)) {
			return int(c), blocked
		}
	}
	return 0, blocked
}

// against tells whether all terms of a fact but the first hold.
func (w *search) against(f *fact) bool {
	for _, t := range f.terms[1:] {
		if v := w.variableOf(t.node); v == nil || !v.can.within(t.values) {
			return false
		}
	}
	return true
}

// bestChoice prefers packages that are there anyway, then installed ones, then
// the package of that name, then providers by name.
func (w *search) bestChoice(v *variable) int {
	best, rank := 0, 0
	for _, c := range v.node.prefer {
		if !v.can.has(int(c)) {
			continue
		}
		r := 1
		o := v.node.options[c-1]
		if _, ok := w.req.Installed[o.node.name]; ok {
			r = 2
		}
		if p := w.variableOf(o.node); p != nil && p.required() {
			r = 3
			if p.can.within(o.values) {
				r = 4
			}
		}
		if r > rank {
			best, rank = int(c), r
		}
	}
	return best
}
