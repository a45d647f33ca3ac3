package resolver

// heap orders the variables that wait for a decision by key, the lowest first.
type heap struct {
	list []int32
}

func (w *search) heapPush(i int32) {
	w.vars[i].place = int32(len(w.heap.list))
	w.heap.list = append(w.heap.list, i)
	w.heapUp(len(w.heap.list) - 1)
}

// heapFix restores the order after the key of the variable at place k changed.
func (w *search) heapFix(k int) {
	if !w.heapDown(k) {
		w.heapUp(k)
	}
}

func (w *search) heapRemove(i int32) {
	k, last := int(w.vars[i].place), len(w.heap.list)-1
	w.vars[i].place = -1
	moved := w.heap.list[last]
	w.heap.list = w.heap.list[:last]
	if k != last {
		w.heap.list[k] = moved
		w.vars[moved].place = int32(k)
		w.heapFix(k)
	}
}

func (w *search) heapUp(k int) {
	for k > 0 {
		up := (k - 1) / 2
		if !w.heapSwapIfLess(k, up) {
			return
		}
		k = up
	}
}

func (w *search) heapDown(k int) bool {
	moved := false
	for {
		child := 2*k + 1
		if child >= len(w.heap.list) {
			return moved
		}
		if r := child + 1; r < len(w.heap.list) && w.heapKey(r) < w.heapKey(child) {
			child = r
		}
		if !w.heapSwapIfLess(child, k) {
			return moved
		}
		k, moved = child, true
	}
}

func (w *search) heapKey(k int) uint64 { return w.vars[w.heap.list[k]].key }

func (w *search) heapSwapIfLess(a, b int) bool {
	if w.heapKey(a) >= w.heapKey(b) {
		return false
	}
	l := w.heap.list
	l[a], l[b] = l[b], l[a]
	w.vars[l[a]].place, w.vars[l[b]].place = int32(a), int32(b)
	return true
}
