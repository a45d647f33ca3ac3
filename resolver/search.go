package resolver

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// search is the state of one solve. Nodes are numbered anew in the order in
// which the search meets them, so that nothing depends on what the Solver did
// before.
type search struct {
	ctx context.Context
	*Solver
	req *Request
	lim *Limits

	local []int32 // by node id: number in this search + 1, or 0
	own   []int32 // the same for nodes of this request, by -1 - id
	vars  []variable
	met   int // variables in use; the rest of vars is kept for its memory

	incs  []inc
	terms []term
	slab  slab

	trail  []event
	levels []level
	epochs int32 // levels ever begun

	queue []int32 // variables to propagate
	heap  heap
	dirty []int32 // variables whose place in the heap may be wrong

	decisions, conflicts, steps int
	nextCheck                   int // steps at which to look at the context

	answer answer
}

// variable is what a search knows of a node.
type variable struct {
	node    *node
	can     set   // the values it can still have
	past    []cut // how can came about, oldest first
	incs    []int32
	added   []bool // facts of the node's table that are in incs
	table   *factTable
	hits    int32 // conflicts it took part in
	place   int32 // in the heap, or -1
	key     uint64
	keep    int32 // installed version's value, or 0
	opened  bool  // all facts of the table are added
	settled bool  // its facts are added for its one value
	queued  bool
	soiled  bool // in dirty
	asked   bool // required by the request itself
}

// cut is a narrowing of a variable.
type cut struct {
	can   set   // afterwards
	cause int32 // inc that forced it, or decided
	level int32
	at    int32 // place in the trail
}

// decided is the cause of a cut that is a decision.
const decided = -1

// Places before the trail begins.
const (
	atStart int32 = -1 // the request itself
	atGiven int32 = 0  // facts about one package that need no premise
)

// event is a change that backtracking undoes.
type event struct {
	v       int32
	settled bool // the variable was settled; else it was cut
}

type level struct {
	start int32 // length of the trail before it
	epoch int32 // tells apart two levels with the same number
}

// inc is an incompatibility: terms that must not all hold.
type inc struct {
	first, count int32 // terms
	fact         *fact // given, or nil
	a, b         int32 // else the two it was derived from
	// Known broken at level, if the level with that number has this epoch.
	level, epoch int32
}

// term of an incompatibility; terms are sorted by v.
type term struct {
	v      int32
	values set
}

func (w *search) begin(ctx context.Context, s *Solver, req *Request, lim *Limits) {
	w.ctx, w.Solver, w.req, w.lim = ctx, s, req, lim
	w.epochs = 1
	w.levels = append(w.levels[:0], level{epoch: w.epochs})
}

// end clears the state, keeping memory for the next search.
func (w *search) end() {
	for i := range w.met {
		v := &w.vars[i]
		*w.slot(v.node) = 0
		clear(v.past)
		*v = variable{past: v.past[:0], incs: v.incs[:0], added: v.added[:0]}
	}
	clear(w.incs)
	clear(w.terms)
	w.met, w.incs, w.terms = 0, w.incs[:0], w.terms[:0]
	w.trail, w.queue, w.dirty = w.trail[:0], w.queue[:0], w.dirty[:0]
	w.heap.list = w.heap.list[:0]
	w.slab.reset()
	w.decisions, w.conflicts, w.steps, w.nextCheck = 0, 0, 0, 0
	w.ctx, w.Solver, w.req, w.lim = nil, nil, nil, nil
}

// slot is where the number of a node is kept.
func (w *search) slot(n *node) *int32 {
	list, at := &w.local, int(n.id)
	if n.id < 0 {
		list, at = &w.own, int(-1-n.id)
	}
	if at >= len(*list) {
		*list = append(*list, make([]int32, at+1-len(*list))...)
	}
	return &(*list)[at]
}

// variableOf returns what the search knows of a node, or nil if it has not met
// it.
func (w *search) variableOf(n *node) *variable {
	if l := *w.slot(n); l > 0 {
		return &w.vars[l-1]
	}
	return nil
}

// meet returns the number of a node in this search.
func (w *search) meet(n *node) int32 {
	if l := *w.slot(n); l > 0 {
		return l - 1
	}
	i := int32(w.met)
	w.met++
	if w.met > len(w.vars) {
		w.vars = append(w.vars, variable{})
	}
	*w.slot(n) = i + 1
	v := &w.vars[i]
	v.node, v.can, v.place = n, n.full, -1
	if n.kind == packageNode {
		if at, ok := w.req.Installed[n.name]; ok {
			v.keep = int32(n.valueOf(at))
		}
		for _, f := range w.ruledOut(n) {
			id := w.install(f)
			v = &w.vars[i]
			v.can = w.slab.minus(v.can, f.terms[0].values)
			v.past = append(v.past, cut{can: v.can, cause: id, at: atGiven})
		}
	}
	return i
}

// install adds a given fact.
func (w *search) install(f *fact) int32 {
	for _, t := range f.terms {
		w.meet(t.node) // may install facts itself
	}
	first := len(w.terms)
	for _, t := range f.terms {
		w.terms = append(w.terms, term{w.meet(t.node), t.values})
	}
	return w.index(first, inc{fact: f})
}

// index finishes an incompatibility whose terms were just put at first.
func (w *search) index(first int, in inc) int32 {
	terms := w.terms[first:]
	if len(terms) > 1 {
		slices.SortFunc(terms, func(a, b term) int { return cmp.Compare(a.v, b.v) })
	}
	in.first, in.count = int32(first), int32(len(terms))
	id := int32(len(w.incs))
	w.incs = append(w.incs, in)
	for _, t := range terms {
		w.vars[t.v].incs = append(w.vars[t.v].incs, id)
	}
	return id
}

func (w *search) termsOf(in *inc) []term { return w.terms[in.first : in.first+in.count] }

// cut narrows a variable.
func (w *search) cut(i int32, can set, cause int32) {
	v := &w.vars[i]
	v.can = can
	v.past = append(v.past, cut{can, cause, w.depth(), int32(len(w.trail)) + 1})
	w.trail = append(w.trail, event{v: i})
	w.soil(i)
	w.enqueue(i)
}

func (w *search) depth() int32 { return int32(len(w.levels)) - 1 }

func (w *search) enqueue(i int32) {
	if v := &w.vars[i]; !v.queued {
		v.queued = true
		w.queue = append(w.queue, i)
	}
}

func (w *search) soil(i int32) {
	if v := &w.vars[i]; !v.soiled {
		v.soiled = true
		w.dirty = append(w.dirty, i)
	}
}

// backtrack undoes all levels above to.
func (w *search) backtrack(to int32) {
	if w.depth() <= to {
		return
	}
	start := int(w.levels[to+1].start)
	for i := len(w.trail) - 1; i >= start; i-- {
		e := w.trail[i]
		v := &w.vars[e.v]
		w.soil(e.v)
		if e.settled {
			v.settled = false
			continue
		}
		v.past = v.past[:len(v.past)-1]
		v.can = v.node.full
		if n := len(v.past); n > 0 {
			v.can = v.past[n-1].can
		}
	}
	w.trail = w.trail[:start]
	w.levels = w.levels[:to+1]
}

// required tells whether the variable must be chosen.
func (v *variable) required() bool { return v.can.lo&absent == 0 }

func (w *search) stats() Stats {
	return Stats{Decisions: w.decisions, Conflicts: w.conflicts, Facts: len(w.incs), Packages: w.met - 1, Steps: w.steps}
}

// annotate completes the error of a search that ran out of its budget.
func (w *search) annotate(err error) error {
	var b *BudgetExceeded
	if !errors.As(err, &b) {
		return err
	}
	b.Stats = w.stats()
	for i := range w.met {
		if v := &w.vars[i]; v.hits > 0 && v.node.kind == packageNode {
			b.Most = append(b.Most, PackageConflicts{v.node.name, int(v.hits)})
		}
	}
	slices.SortStableFunc(b.Most, func(x, y PackageConflicts) int {
		return cmp.Or(y.Conflicts-x.Conflicts, cmp.Compare(x.Package, y.Package))
	})
	b.Most = b.Most[:min(len(b.Most), 5)]
	return b
}
