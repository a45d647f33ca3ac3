package explain

import (
	"cmp"
	"slices"
	"strings"
)

// maxNameLen bounds the names that are compared, in bytes.
const maxNameLen = 128

// Nearest returns the names most like name, the best first, at most limit: those
// that differ by few letters (one in three, at most two), then those that begin
// or end with it.
func Nearest(name string, names []string, limit int) []string {
	type candidate struct {
		name string
		far  int
	}
	var list []candidate
	allowed := min(2, (len(name)+2)/3)
	for _, n := range names {
		if n == name || len(n) > maxNameLen || len(name) > maxNameLen {
			continue
		}
		if d := distance(name, n, allowed); d <= allowed {
			list = append(list, candidate{n, d})
		} else if len(name) > 2 && (strings.HasPrefix(n, name) || strings.HasSuffix(n, "-"+name)) {
			list = append(list, candidate{n, 3})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int { return cmp.Or(a.far-b.far, strings.Compare(a.name, b.name)) })
	list = slices.Compact(list)
	var out []string
	for _, c := range list[:min(limit, len(list))] {
		out = append(out, c.name)
	}
	return out
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to turn a into b. Any count above limit is as good as another.
func distance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) > limit {
		return limit + 1
	}
	// Rows of the table for the letters of a before last, last, and now.
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			now[j] = min(change, last[j]+1, now[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
