package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Extra is resources with names of their own, in canonical form: sorted by
// name, each name once, none empty. The nil value is nothing. Treat it as
// immutable.
type Extra []Named

// Named is an amount of a resource that has only a name. A valid one is of one
// kind: a scalar, ranges or a set.
type Named struct {
	Name   string   `json:"name"`
	Milli  int64    `json:"milli,omitempty"`  // a scalar, in thousandths
	Ranges []Range  `json:"ranges,omitempty"` // sorted, disjoint and not touching
	Items  []string `json:"items,omitempty"`  // a set, sorted
}

// Range is the numbers Lo to Hi, both included.
type Range struct {
	Lo int64 `json:"lo"`
	Hi int64 `json:"hi"`
}

// NewExtra makes the canonical form of any named amounts; those of one name are
// added up.
func NewExtra(named ...Named) Extra {
	var out Extra
	for _, n := range named {
		n.Ranges, n.Items = newRanges(n.Ranges), slices.Compact(slices.Sorted(slices.Values(n.Items)))
		if !n.empty() {
			out = out.plus(Extra{n})
		}
	}
	return out
}

// Named gives the amount of a name; the zero amount when there is none.
func (e Extra) Named(name string) Named {
	for _, n := range e {
		if n.Name == name {
			return n
		}
	}
	return Named{Name: name}
}

func (n Named) empty() bool { return n.Milli == 0 && len(n.Ranges) == 0 && len(n.Items) == 0 }

// amount is the Mesos text of an amount: "1.5", "[1-4,7-7]" or "{a,b}".
func (n Named) amount() string {
	switch {
	case len(n.Items) > 0:
		return "{" + strings.Join(n.Items, ",") + "}"
	case len(n.Ranges) > 0:
		parts := make([]string, len(n.Ranges))
		for i, r := range n.Ranges {
			parts[i] = fmt.Sprintf("%d-%d", r.Lo, r.Hi)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return milliText(n.Milli)
}

// milliText writes thousandths as a decimal number, without loss.
func milliText(m int64) string {
	sign := ""
	u := uint64(m)
	if m < 0 {
		sign, u = "-", -u
	}
	s := fmt.Sprintf("%s%d.%03d", sign, u/1000, u%1000)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// merge walks e and o by name and keeps what f gives, unless it is nothing.
func (e Extra) merge(o Extra, f func(a, b Named) Named) Extra {
	out := make(Extra, 0, len(e)+len(o))
	for len(e) > 0 || len(o) > 0 {
		var n Named
		switch {
		case len(o) == 0 || len(e) > 0 && e[0].Name < o[0].Name:
			n, e = f(e[0], Named{Name: e[0].Name}), e[1:]
		case len(e) == 0 || o[0].Name < e[0].Name:
			n, o = f(Named{Name: o[0].Name}, o[0]), o[1:]
		default:
			n, e, o = f(e[0], o[0]), e[1:], o[1:]
		}
		if !n.empty() {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (e Extra) plus(o Extra) Extra {
	if len(o) == 0 {
		return e
	}
	if len(e) == 0 {
		return o
	}
	return e.merge(o, func(a, b Named) Named {
		items := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(a.Items), b.Items...))))
		return Named{Name: a.Name, Milli: a.Milli + b.Milli, Items: items,
			Ranges: newRanges(append(slices.Clone(a.Ranges), b.Ranges...))}
	})
}

func (e Extra) minus(o Extra) Extra {
	if len(o) == 0 {
		return e
	}
	return e.merge(o, func(a, b Named) Named {
		n := Named{Name: a.Name, Milli: a.Milli - b.Milli, Ranges: minusRanges(a.Ranges, b.Ranges)}
		for _, it := range a.Items {
			if _, taken := slices.BinarySearch(b.Items, it); !taken {
				n.Items = append(n.Items, it)
			}
		}
		return n
	})
}

func (e Extra) equal(o Extra) bool {
	return slices.EqualFunc(e, o, func(a, b Named) bool {
		return a.Name == b.Name && a.Milli == b.Milli && slices.Equal(a.Ranges, b.Ranges) && slices.Equal(a.Items, b.Items)
	})
}

// contains reports whether o fits into e, which must not be overdrawn.
func (e Extra) contains(o Extra) bool {
	if len(o) == 0 {
		return !slices.ContainsFunc(e, func(n Named) bool { return n.Milli < 0 })
	}
	return e.missing(o) == nil
}

// missing says what of o is not in e.
func (e Extra) missing(o Extra) []Shortfall {
	var out []Shortfall
	_ = e.merge(o, func(a, b Named) Named {
		if b.Milli > a.Milli || len(minusRanges(b.Ranges, a.Ranges)) > 0 || !containsAll(a.Items, b.Items) {
			out = append(out, Shortfall{a.Name, a.amount(), b.amount()})
		}
		return Named{}
	})
	return out
}

func (e Extra) overlaps(o Extra) bool {
	if len(e) == 0 || len(o) == 0 {
		return false
	}
	common := false
	_ = e.merge(o, func(a, b Named) Named {
		common = common || slices.ContainsFunc(a.Items, func(it string) bool { return slices.Contains(b.Items, it) }) ||
			!slices.Equal(minusRanges(a.Ranges, b.Ranges), a.Ranges)
		return Named{}
	})
	return common
}

// containsAll reports whether the sorted set a has all of b.
func containsAll(a, b []string) bool {
	for _, it := range b {
		if _, ok := slices.BinarySearch(a, it); !ok {
			return false
		}
	}
	return true
}

// newRanges makes the canonical form of ranges; one with Lo > Hi is empty.
func newRanges(ranges []Range) []Range {
	rs := slices.DeleteFunc(slices.Clone(ranges), func(r Range) bool { return r.Lo > r.Hi })
	slices.SortFunc(rs, func(a, b Range) int { return cmp.Compare(a.Lo, b.Lo) })
	var out []Range
	for _, r := range rs {
		if n := len(out); n > 0 && (r.Lo <= out[n-1].Hi || r.Lo-1 == out[n-1].Hi) {
			out[n-1].Hi = max(out[n-1].Hi, r.Hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// minusRanges is the numbers in a and not in b, both canonical.
func minusRanges(a, b []Range) []Range {
	if len(b) == 0 {
		return a
	}
	var out []Range
	for _, r := range a {
		lo, done := r.Lo, false
		for _, s := range b {
			if s.Hi < lo || s.Lo > r.Hi {
				continue
			}
			if s.Lo > lo {
				out = append(out, Range{lo, s.Lo - 1})
			}
			if s.Hi >= r.Hi {
				done = true
				break
			}
			lo = s.Hi + 1
		}
		if !done {
			out = append(out, Range{lo, r.Hi})
		}
	}
	return out
}
