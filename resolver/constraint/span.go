package constraint

import "slices"

// ordered is what an interval bound needs: a total order.
type ordered[T any] interface {
	comparable
	compare(T) int
}

// span is the half-open interval from low up to, not including, high.
type span[T ordered[T]] struct {
	low, high T
}

// normal sorts, drops empty intervals and joins those that overlap or touch.
func normal[T ordered[T]](list []span[T]) []span[T] {
	list = slices.DeleteFunc(slices.Clone(list), func(s span[T]) bool {
		return s.low.compare(s.high) >= 0
	})
	slices.SortFunc(list, func(a, b span[T]) int { return a.low.compare(b.low) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && s.low.compare(out[n-1].high) <= 0 {
			if s.high.compare(out[n-1].high) > 0 {
				out[n-1].high = s.high
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// intersect expects and returns normal lists.
func intersect[T ordered[T]](a, b []span[T]) []span[T] {
	var out []span[T]
	for i, j := 0, 0; i < len(a) && j < len(b); {
		low, high := a[i].low, a[i].high
		if b[j].low.compare(low) > 0 {
			low = b[j].low
		}
		if b[j].high.compare(high) < 0 {
			high = b[j].high
		}
		if low.compare(high) < 0 {
			out = append(out, span[T]{low, high})
		}
		if a[i].high.compare(b[j].high) < 0 {
			i++
		} else {
			j++
		}
	}
	return out
}

// complement expects and returns normal lists, inside [bottom, top).
func complement[T ordered[T]](list []span[T], bottom, top T) []span[T] {
	var out []span[T]
	low := bottom
	for _, s := range list {
		if low.compare(s.low) < 0 {
			out = append(out, span[T]{low, s.low})
		}
		low = s.high
	}
	if low.compare(top) < 0 {
		out = append(out, span[T]{low, top})
	}
	return out
}

func contains[T ordered[T]](list []span[T], v T) bool {
	for _, s := range list {
		if v.compare(s.low) >= 0 && v.compare(s.high) < 0 {
			return true
		}
	}
	return false
}
