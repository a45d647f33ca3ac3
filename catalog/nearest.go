package catalog

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// MaxTypos is the largest edit distance at which a name counts as meant.
	MaxTypos = 2
	// MaxNearest is how many names Nearest gives at most.
	MaxNearest = 3
)

// Nearest gives the members of names that somebody who wrote word may have
// meant, best first, at most MaxNearest: by Damerau-Levenshtein distance up to
// MaxTypos (1 for words under four letters), then names that word begins or
// that begin with word.
func Nearest(word string, names []string) []string {
	type hit struct {
		name string
		rank int
	}
	limit := MaxTypos
	if len(word) < 4 {
		limit = 1
	}
	lower := strings.ToLower(word)
	var hits []hit
	for _, n := range names {
		l := strings.ToLower(n)
		switch d := Distance(lower, l, limit); {
		case d <= limit:
			hits = append(hits, hit{n, d})
		case len(lower) >= 2 && (strings.HasPrefix(l, lower) || len(l) >= 3 && strings.HasPrefix(lower, l)):
			hits = append(hits, hit{n, limit + 1})
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
	})
	hits = slices.CompactFunc(hits, func(a, b hit) bool { return a.name == b.name })
	var out []string
	for _, h := range hits[:min(len(hits), MaxNearest)] {
		out = append(out, h.name)
	}
	return out
}

// Distance is the number of letters to insert, delete, change or swap with
// their neighbour to make b of a (optimal string alignment, the common form of
// Damerau-Levenshtein). It gives up early and answers limit+1 when the distance
// is larger than limit.
func Distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > limit || len(y)-len(x) > limit {
		return limit + 1
	}
	var room [3 * (MaxNameBytes + 2)]int // names need no allocation
	rows := room[:]
	if n := 3 * (len(y) + 1); n > len(rows) {
		rows = make([]int, n)
	}
	w := len(y) + 1
	older, old, row := rows[:w], rows[w:2*w], rows[2*w:3*w]
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		best := i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, older[j-2]+1)
			}
			row[j] = d
			best = min(best, d)
		}
		if best > limit {
			return limit + 1
		}
		older, old, row = old, row, older
	}
	return min(old[len(y)], limit+1)
}
