package sim

import (
	"container/heap"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// clock is virtual time: what happens when.
type clock struct {
	now    cluster.Time
	events events
	number int64
}

// event is something that happens.
type event struct {
	at     cluster.Time
	number int64 // those of one moment happen in the order they were planned
	do     func()
}

// after plans do for d from now.
func (c *clock) after(d cluster.Millis, do func()) {
	c.number++
	heap.Push(&c.events, event{at: c.now.Add(max(0, d)), number: c.number, do: do})
}

// next lets the next thing happen, if there is one up to a time.
func (c *clock) next(limit cluster.Time) bool {
	if len(c.events) == 0 || c.events[0].at > limit {
		return false
	}
	e := heap.Pop(&c.events).(event)
	c.now = e.at
	e.do()
	return true
}

// events is a heap (container/heap).
type events []event

// Len implements heap.Interface.
func (h events) Len() int { return len(h) }

// Less implements heap.Interface.
func (h events) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].number < h[j].number
}

// Swap implements heap.Interface.
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *events) Push(x any) { *h = append(*h, x.(event)) }

// Pop implements heap.Interface.
func (h *events) Pop() any {
	n := len(*h) - 1
	e := (*h)[n]
	(*h)[n] = event{}
	*h = (*h)[:n]
	return e
}
