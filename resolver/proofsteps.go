package resolver

// proof lists the derivation of an incompatibility, each step after those it
// follows from.
func (w *search) proof(end int32) []Step {
	place := map[int32]int{}
	var steps []Step
	stack := []int32{end}
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		in := &w.incs[id]
		if _, done := place[id]; done {
			stack = stack[:len(stack)-1]
			continue
		}
		if in.fact == nil {
			a, okA := place[in.a]
			b, okB := place[in.b]
			if !okA || !okB {
				if !okB {
					stack = append(stack, in.b)
				}
				if !okA {
					stack = append(stack, in.a)
				}
				continue
			}
			place[id] = len(steps)
			steps = append(steps, Step{Terms: w.public(in), From: [2]int{a, b}})
		} else {
			place[id] = len(steps)
			steps = append(steps, Step{Terms: w.public(in), Fact: in.fact.public()})
		}
		stack = stack[:len(stack)-1]
	}
	return steps
}

// public converts terms, leaving out the request, which always holds.
func (w *search) public(in *inc) []Term {
	var out []Term
	for _, t := range w.termsOf(in) {
		if t.v != 0 {
			out = append(out, w.vars[t.v].node.term(t.values))
		}
	}
	return out
}

// term converts a term about n. The set is copied: the search's memory is used
// again.
func (n *node) term(values set) Term {
	var heap *slab
	t := Term{Package: n.name, Negated: values.lo&absent != 0}
	if t.Negated {
		t.values = heap.minus(n.full, values)
	} else {
		t.values = heap.and(n.full, values)
	}
	switch n.kind {
	case featureNode:
		t.Kind, t.Feature = TermFeature, n.feature
	case choiceNode:
		t.Kind, t.Constraint, t.KnownProviders = TermChoice, n.wanted.Constraint, n.optionNames
	default:
		t.Kind, t.Versions = TermPackage, VersionSet{n.versions, t.values}
	}
	return t
}

func (f *fact) public() *Fact {
	out := f.about
	if n := f.whose; n != nil && n.kind == packageNode {
		out.Versions = VersionSet{n.versions, f.which}
	}
	return &out
}
