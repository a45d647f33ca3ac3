package core

import (
	"iter"
	"slices"
	"sort"
	"strings"
)

// maxChunk is how many entries a chunk of a table holds before it is halved.
const maxChunk = 128

// table is an ordered map from string to V whose snapshots are cheap: freeze
// shares all chunks with the copy, and a later write copies only the chunk it
// touches and, once, the list of chunks. The zero value is an empty table.
type table[V any] struct {
	chunks []*chunk[V]
	n      int
	epoch  uint64 // grows with each freeze; what is of an older epoch is shared
	list   uint64 // the epoch in which chunks was last copied
}

type chunk[V any] struct {
	epoch uint64
	keys  []string
	vals  []V
}

// freeze gives a copy that no later write to t can change.
func (t *table[V]) freeze() table[V] {
	out := *t
	t.epoch++
	return out
}

// find gives the chunk that holds or would hold key, and the place in it.
func (t *table[V]) find(key string) (ci, ki int, ok bool) {
	ci = sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].keys[0] > key }) - 1
	if ci < 0 {
		return 0, 0, false
	}
	ki, ok = slices.BinarySearch(t.chunks[ci].keys, key)
	return ci, ki, ok
}

func (t *table[V]) get(key string) (V, bool) {
	if ci, ki, ok := t.find(key); ok {
		return t.chunks[ci].vals[ki], true
	}
	var zero V
	return zero, false
}

// own makes the list of chunks writable.
func (t *table[V]) own() {
	if t.list != t.epoch || t.chunks == nil {
		t.chunks = slices.Clone(t.chunks)
		t.list = t.epoch
	}
}

// writable gives chunk ci ready to be changed in place.
func (t *table[V]) writable(ci int) *chunk[V] {
	t.own()
	c := t.chunks[ci]
	if c.epoch != t.epoch {
		c = &chunk[V]{epoch: t.epoch, keys: slices.Clone(c.keys), vals: slices.Clone(c.vals)}
		t.chunks[ci] = c
	}
	return c
}

func (t *table[V]) put(key string, v V) {
	if len(t.chunks) == 0 {
		t.chunks = []*chunk[V]{{epoch: t.epoch, keys: []string{key}, vals: []V{v}}}
		t.list = t.epoch
		t.n = 1
		return
	}
	ci, ki, ok := t.find(key)
	c := t.writable(ci)
	if ok {
		c.vals[ki] = v
		return
	}
	c.keys = slices.Insert(c.keys, ki, key)
	c.vals = slices.Insert(c.vals, ki, v)
	t.n++
	if len(c.keys) > maxChunk {
		half := len(c.keys) / 2
		right := &chunk[V]{epoch: t.epoch, keys: slices.Clone(c.keys[half:]), vals: slices.Clone(c.vals[half:])}
		clear(c.vals[half:]) // let go of what moved
		c.keys, c.vals = c.keys[:half], c.vals[:half]
		t.chunks = slices.Insert(t.chunks, ci+1, right)
	}
}

func (t *table[V]) drop(key string) {
	ci, ki, ok := t.find(key)
	if !ok {
		return
	}
	c := t.writable(ci)
	c.keys = slices.Delete(c.keys, ki, ki+1)
	c.vals = slices.Delete(c.vals, ki, ki+1)
	t.n--
	if len(c.keys) == 0 {
		t.chunks = slices.Delete(t.chunks, ci, ci+1)
		return
	}
	if ci > 0 && len(c.keys)+len(t.chunks[ci-1].keys) <= maxChunk/2 {
		left := t.writable(ci - 1)
		left.keys = append(left.keys, c.keys...)
		left.vals = append(left.vals, c.vals...)
		t.chunks = slices.Delete(t.chunks, ci, ci+1)
	}
}

// from yields the entries whose key starts with prefix, in order of their keys.
// The table must not be written while it is walked; walk a frozen copy or
// collect first.
func (t *table[V]) from(prefix string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		ci, ki, _ := t.find(prefix)
		for ; ci < len(t.chunks); ci, ki = ci+1, 0 {
			c := t.chunks[ci]
			for ; ki < len(c.keys); ki++ {
				if !strings.HasPrefix(c.keys[ki], prefix) {
					return
				}
				if !yield(c.keys[ki], c.vals[ki]) {
					return
				}
			}
		}
	}
}

// values yields all values in order of their keys.
func (t *table[V]) values() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, c := range t.chunks {
			for _, v := range c.vals {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// key joins parts to a key that sorts by the parts; no part holds a zero byte.
func key(parts ...string) string { return strings.Join(parts, "\x00") }
