package resolver

import "context"

// checkEvery is how many steps pass between looks at the context.
const checkEvery = 1024

// propagate draws all conclusions from single facts. It returns the
// incompatibility that ends the search, or -1.
func (w *search) propagate() (int32, error) {
	for len(w.queue) > 0 {
		i := w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		w.vars[i].queued = false
		conflict := w.visit(i)
		if err := w.budget(); err != nil {
			return -1, err
		}
		if conflict < 0 {
			continue
		}
		for _, q := range w.queue {
			w.vars[q].queued = false
		}
		w.queue = w.queue[:0]
		if end, err := w.resolve(conflict); end >= 0 || err != nil {
			return end, err
		}
	}
	return -1, nil
}

// visit looks at all incompatibilities of a variable that changed, the newest
// first. It returns one whose terms all hold, or -1.
func (w *search) visit(i int32) int32 {
	list := w.vars[i].incs
	w.steps += len(list)
	for k := len(list) - 1; k >= 0; k-- {
		in := &w.incs[list[k]]
		if int(in.level) < len(w.levels) && w.levels[in.level].epoch == in.epoch {
			continue // known to be broken
		}
		open := w.examine(in)
		if open == allHold {
			return list[k]
		}
		if open >= 0 {
			t := &w.terms[open]
			w.cut(t.v, w.slab.minus(w.vars[t.v].can, t.values), list[k])
		}
		if open != severalOpen {
			in.level, in.epoch = w.depth(), w.levels[w.depth()].epoch
		}
	}
	return -1
}

// What examine finds if it is not one open term.
const (
	allHold     int32 = -1
	someBroken  int32 = -2
	severalOpen int32 = -3
)

// examine returns the index of the only term that is open while all others
// hold, or one of the constants above.
func (w *search) examine(in *inc) int32 {
	found := allHold
	for t := in.first; t < in.first+in.count; t++ {
		term := &w.terms[t]
		switch w.vars[term.v].can.against(term.values) {
		case broken:
			return someBroken
		case open:
			if found != allHold {
				found = severalOpen
			} else {
				found = t
			}
		}
	}
	return found
}

// budget checks the limits and, now and then, the context.
func (w *search) budget() error {
	switch l := w.lim; {
	case w.steps > l.Steps:
		return &BudgetExceeded{What: "Steps", Limit: l.Steps}
	case len(w.incs) > l.Facts:
		return &BudgetExceeded{What: "Facts", Limit: l.Facts}
	case w.met > l.Packages:
		return &BudgetExceeded{What: "Packages", Limit: l.Packages}
	case w.decisions > l.Decisions:
		return &BudgetExceeded{What: "Decisions", Limit: l.Decisions}
	case len(w.incs)*incBytes+len(w.terms)*termBytes+8*w.slab.size() > l.Memory:
		return &BudgetExceeded{What: "Memory", Limit: l.Memory}
	}
	if w.steps < w.nextCheck {
		return nil
	}
	w.nextCheck = w.steps + checkEvery
	return w.stop()
}

func (w *search) stop() error {
	if w.ctx.Err() == nil {
		return nil
	}
	return stopped(context.Cause(w.ctx))
}

// Sizes of the records of a search, in bytes.
const (
	incBytes  = 40
	termBytes = 40
)
