package resolver

import "math/bits"

// set is a set of values of one node. Value 0 is "not chosen"; the others are
// the node's versions in ascending order. The first 64 values are in lo; hi is
// nil for nodes with fewer. Sets of one node have the same length. A set is
// never changed once it is shared.
type set struct {
	lo uint64
	hi []uint64
}

// absent is the bit of value 0.
const absent = 1

// newSet returns an empty set for a node with the values 0..n.
func newSet(n int) set {
	if n < 64 {
		return set{}
	}
	return set{hi: make([]uint64, n/64)}
}

// fullSet returns the set of the values 0..n.
func fullSet(n int) set {
	s := newSet(n)
	for v := range n + 1 {
		s.add(v)
	}
	return s
}

// add puts v in. Only for a set that is not shared yet.
func (s *set) add(v int) {
	if v < 64 {
		s.lo |= 1 << v
	} else {
		s.hi[v/64-1] |= 1 << (v % 64)
	}
}

func (s set) has(v int) bool {
	if v < 64 {
		return s.lo>>v&1 == 1
	}
	return s.hi[v/64-1]>>(v%64)&1 == 1
}

func (s set) empty() bool {
	if s.lo != 0 {
		return false
	}
	for _, w := range s.hi {
		if w != 0 {
			return false
		}
	}
	return true
}

func (s set) count() int {
	n := bits.OnesCount64(s.lo)
	for _, w := range s.hi {
		n += bits.OnesCount64(w)
	}
	return n
}

// single tells whether s has exactly one value.
func (s set) single() bool {
	if s.hi == nil {
		return s.lo != 0 && s.lo&(s.lo-1) == 0
	}
	return s.count() == 1
}

// next returns the lowest value of s from v up, or -1.
func (s set) next(v int) int {
	if v < 64 {
		if w := s.lo >> v; w != 0 {
			return v + bits.TrailingZeros64(w)
		}
		v = 64
	}
	for i := v/64 - 1; i < len(s.hi); i++ {
		w := s.hi[i]
		if i == v/64-1 {
			w = w >> (v % 64) << (v % 64)
		}
		if w != 0 {
			return (i+1)*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// within tells whether s is a subset of o.
func (s set) within(o set) bool {
	if s.lo&^o.lo != 0 {
		return false
	}
	for i, w := range s.hi {
		if w&^o.hi[i] != 0 {
			return false
		}
	}
	return true
}

func (s set) equal(o set) bool {
	if s.lo != o.lo {
		return false
	}
	for i, w := range s.hi {
		if w != o.hi[i] {
			return false
		}
	}
	return true
}

// relation of what a node can still be to a term of a fact.
type relation uint8

const (
	open   relation = iota // some values are in the term, some are not
	holds                  // all values are in the term
	broken                 // no value is in the term
)

// against compares s, what a node can still be, with a term t in one pass.
func (s set) against(t set) relation {
	out, in := s.lo&^t.lo, s.lo&t.lo
	for i, w := range s.hi {
		out |= w &^ t.hi[i]
		in |= w & t.hi[i]
	}
	switch {
	case out == 0:
		return holds
	case in == 0:
		return broken
	}
	return open
}

// slab hands out the words of wide sets from large blocks that are reused from
// solve to solve. A nil slab uses the heap.
type slab struct {
	blocks [][]uint64
	block  int // index of the block in use
	used   int // words used in it
}

const slabWords = 1 << 13

func (b *slab) words(n int) []uint64 {
	if b == nil || n > slabWords {
		return make([]uint64, n)
	}
	if len(b.blocks) == 0 || b.used+n > slabWords {
		if len(b.blocks) > 0 {
			b.block++
		}
		if b.block == len(b.blocks) {
			b.blocks = append(b.blocks, make([]uint64, slabWords))
		}
		b.used = 0
	}
	w := b.blocks[b.block][b.used : b.used+n : b.used+n]
	b.used += n
	return w
}

// size is the number of words handed out, roughly.
func (b *slab) size() int { return b.block*slabWords + b.used }

func (b *slab) reset() { b.block, b.used = 0, 0 }

func (b *slab) and(x, y set) set {
	r := set{lo: x.lo & y.lo}
	if x.hi != nil {
		r.hi = b.words(len(x.hi))
		for i := range r.hi {
			r.hi[i] = x.hi[i] & y.hi[i]
		}
	}
	return r
}

func (b *slab) or(x, y set) set {
	r := set{lo: x.lo | y.lo}
	if x.hi != nil {
		r.hi = b.words(len(x.hi))
		for i := range r.hi {
			r.hi[i] = x.hi[i] | y.hi[i]
		}
	}
	return r
}

// minus returns the values of x that are not in y.
func (b *slab) minus(x, y set) set {
	r := set{lo: x.lo &^ y.lo}
	if x.hi != nil {
		r.hi = b.words(len(x.hi))
		for i := range r.hi {
			r.hi[i] = x.hi[i] &^ y.hi[i]
		}
	}
	return r
}

// only returns the set of the one value v, shaped like x.
func (b *slab) only(x set, v int) set {
	r := set{}
	if x.hi != nil {
		r.hi = b.words(len(x.hi))
		clear(r.hi)
	}
	r.add(v)
	return r
}
