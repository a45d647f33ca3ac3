package resolver

import "sort"

// resolve finds out why all terms of an incompatibility hold. It goes back to
// where the mistake was made and learns a fact that keeps the search from making
// it again, or returns the incompatibility that proves that nothing can be done.
func (w *search) resolve(id int32) (int32, error) {
	w.conflicts++
	for {
		in := &w.incs[id]
		if in.count == 0 || (in.count == 1 && w.terms[in.first].v == 0) {
			return id, nil
		}
		s := w.satisfier(in)
		if s.cause == decided || s.before < s.level {
			w.learn(id, s)
			return -1, nil
		}
		id = w.combine(id, s.cause, s.v)
		w.steps++
		if err := w.budget(); err != nil {
			return -1, err
		}
	}
}

// satisfier is the earliest cut at which all terms of an incompatibility held.
type satisfier struct {
	v      int32
	values set   // of the term
	cause  int32 // of the cut
	level  int32 // of the cut
	before int32 // the level at which the cut alone would have been enough
}

func (w *search) satisfier(in *inc) satisfier {
	var s satisfier
	at, index := atStart-1, 0
	for _, t := range w.termsOf(in) {
		past := w.vars[t.v].past
		j := firstWithin(past, t.values)
		c := &past[j]
		if c.at <= at {
			s.before = max(s.before, c.level)
			continue
		}
		before := s.before
		if at >= atStart {
			before = max(before, s.level)
		}
		at, index = c.at, j
		s = satisfier{v: t.v, values: t.values, cause: c.cause, level: c.level, before: before}
	}
	if s.cause == decided {
		return s
	}
	// The cut may need help from earlier cuts of the same variable.
	own := w.slab.minus(w.vars[s.v].node.full, w.termOf(s.cause, s.v))
	if own.within(s.values) {
		return s
	}
	past := w.vars[s.v].past[:index]
	j := sort.Search(len(past)-1, func(k int) bool { return w.slab.and(past[k].can, own).within(s.values) })
	s.before = max(s.before, past[j].level)
	return s
}

// firstWithin returns the index of the first cut after which the variable was
// within values. There is one: the term holds now.
func firstWithin(past []cut, values set) int {
	return sort.Search(len(past)-1, func(k int) bool { return past[k].can.within(values) })
}

// termOf returns the values of the term about v.
func (w *search) termOf(id, v int32) set {
	for _, t := range w.termsOf(&w.incs[id]) {
		if t.v == v {
			return t.values
		}
	}
	return set{}
}

// combine derives from two incompatibilities the one that follows for all
// values of v.
func (w *search) combine(a, b, v int32) int32 {
	first := len(w.terms)
	x, y := w.termsOf(&w.incs[a]), w.termsOf(&w.incs[b])
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(y) == 0 || (len(x) > 0 && x[0].v < y[0].v):
			w.terms = append(w.terms, x[0])
			x = x[1:]
		case len(x) == 0 || y[0].v < x[0].v:
			w.terms = append(w.terms, y[0])
			y = y[1:]
		default:
			t := x[0]
			if t.v == v {
				t.values = w.slab.or(t.values, y[0].values)
			} else {
				t.values = w.slab.and(t.values, y[0].values)
			}
			if t.v != v || !t.values.equal(w.vars[v].node.full) {
				w.terms = append(w.terms, t)
			}
			x, y = x[1:], y[1:]
		}
	}
	w.incs = append(w.incs, inc{first: int32(first), count: int32(len(w.terms) - first), a: a, b: b})
	return int32(len(w.incs)) - 1
}

// learn goes back to the level at which the incompatibility leaves one way open
// and takes it.
func (w *search) learn(id int32, s satisfier) {
	in := &w.incs[id]
	for _, t := range w.termsOf(in) {
		w.vars[t.v].hits++
		w.soil(t.v)
	}
	if in.fact == nil {
		for _, t := range w.termsOf(in) {
			v := &w.vars[t.v]
			if n := len(v.incs); n == 0 || v.incs[n-1] != id {
				v.incs = append(v.incs, id)
			}
		}
	}
	w.backtrack(s.before)
	w.cut(s.v, w.slab.minus(w.vars[s.v].can, s.values), id)
}
