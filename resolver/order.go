package resolver

import (
	"slices"
	"strings"
)

// frame is one package on the way down, and the next of its edges to follow.
type frame struct {
	p, edge int32
}

// inOrder visits the chosen packages after what they need (Tarjan's algorithm
// for strongly connected components, without recursion). Packages and edges are
// sorted by name, so the order is determined.
func (w *search) inOrder(emit func(p int32, group int)) {
	t := tarjan{w: w, a: &w.answer, emit: emit}
	for _, p := range w.answer.packages {
		if w.answer.index[p] == 0 {
			t.visit(p)
		}
	}
}

type tarjan struct {
	w     *search
	a     *answer
	seen  int32
	group int
	emit  func(p int32, group int)
}

func (t *tarjan) visit(p int32) {
	t.enter(p)
	for len(t.a.frames) > 0 {
		f := &t.a.frames[len(t.a.frames)-1]
		if f.edge < t.a.end[f.p] {
			to := t.a.to[f.edge]
			f.edge++
			if t.a.index[to] == 0 {
				t.enter(to)
			} else if t.a.open[to] {
				t.a.low[f.p] = min(t.a.low[f.p], t.a.index[to])
			}
			continue
		}
		done := f.p
		t.a.frames = t.a.frames[:len(t.a.frames)-1]
		if n := len(t.a.frames); n > 0 {
			up := t.a.frames[n-1].p
			t.a.low[up] = min(t.a.low[up], t.a.low[done])
		}
		t.leave(done)
	}
}

func (t *tarjan) enter(p int32) {
	t.seen++
	t.a.index[p], t.a.low[p], t.a.open[p] = t.seen, t.seen, true
	t.a.stack = append(t.a.stack, p)
	t.a.frames = append(t.a.frames, frame{p, t.a.first[p]})
}

// leave emits the group of packages that ends with p, if p is its root.
func (t *tarjan) leave(p int32) {
	if t.a.low[p] != t.a.index[p] {
		return
	}
	from := len(t.a.stack) - 1
	for t.a.stack[from] != p {
		from--
	}
	members := t.a.stack[from:]
	slices.SortFunc(members, func(x, y int32) int { return strings.Compare(t.w.vars[x].node.name, t.w.vars[y].node.name) })
	for _, m := range members {
		t.a.open[m] = false
		t.emit(m, t.group)
	}
	t.a.stack = t.a.stack[:from]
	t.group++
}
