package search

import (
	"slices"
	"strings"

	"github.com/universe-dcos/universe/catalog"
)

// Limits of a query.
const (
	MaxQueryBytes = 256 // the rest is ignored
	MaxWords      = 12  // the rest is ignored
	DefaultLimit  = 20  // hits when Options say nothing
	MaxLimit      = 200 // hits of one answer
	MinHits       = 3   // with fewer, near words count too
)

// Options say which part of the hits to give.
type Options struct {
	Limit  int // 0: DefaultLimit
	Offset int
}

// query is a parsed query.
type query struct {
	words   []string
	without []string
	filters []filter
	prefix  bool   // the last word may go on
	joined  string // all words in one, for names
}

// filter restricts a field to a value.
type filter struct{ key, value string }

// parse reads a query. It never fails: people type.
func parse(s string) query {
	if len(s) > MaxQueryBytes {
		s = s[:MaxQueryBytes]
	}
	var q query
	for _, w := range strings.Fields(s)[:min(len(strings.Fields(s)), MaxWords)] {
		if key, value, ok := strings.Cut(w, ":"); ok && value != "" && slices.Contains([]string{"keyword", "category", "license"}, strings.ToLower(key)) {
			q.filters = append(q.filters, filter{strings.ToLower(key), strings.ToLower(value)})
			continue
		}
		if rest, not := strings.CutPrefix(w, "-"); not && rest != "" {
			q.without = append(q.without, tokens(rest)...)
			continue
		}
		q.words = append(q.words, tokens(w)...)
	}
	q.joined = strings.Join(q.words, "")
	q.prefix = !strings.HasSuffix(s, " ")
	return q
}

// Query answers a query. An empty one gives all packages by name.
func (i *Index) Query(s string, o Options) catalog.Results {
	q := parse(s)
	limit := o.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limit, offset := min(limit, MaxLimit), max(o.Offset, 0)
	hits := i.find(q, func(w string, last bool) []match { return i.exact(w, last && q.prefix) })
	var out catalog.Results
	if len(hits) < MinHits && len(q.words) > 0 {
		more := i.find(q, func(w string, last bool) []match {
			m := i.exact(w, last && q.prefix)
			for _, n := range i.near(w) {
				if !slices.ContainsFunc(m, func(x match) bool { return x.term == n.term }) {
					m = append(m, n)
				}
			}
			return m
		})
		if len(more) > len(hits) {
			out.Fuzzy = len(hits) == 0
			hits = more
		}
	}
	out.Total = len(hits)
	out.Items = []catalog.Listing{}
	for _, h := range best(hits, offset+limit)[min(offset, len(hits)):] {
		out.Items = append(out.Items, i.docs[h.doc])
	}
	if out.Total == 0 && len(q.words) > 0 {
		names := make([]string, len(i.docs))
		for n := range i.docs {
			names[n] = i.docs[n].Name
		}
		out.DidYouMean = catalog.Nearest(strings.Join(q.words, "-"), names)
	}
	return out
}

// find gives the packages that have a match for every word.
func (i *Index) find(q query, matches func(word string, last bool) []match) []hit {
	scores := make([]float32, len(i.docs))
	count := make([]uint8, len(i.docs)) // how many words were found so far
	for n, w := range q.words {
		here := map[uint32]float32{}
		for _, m := range matches(w, n == len(q.words)-1) {
			rarity := i.rarity(m.term) * m.share
			for _, p := range i.postings[m.term] {
				if count[p.doc] == uint8(n) || count[p.doc] == uint8(n+1) {
					here[p.doc] = max(here[p.doc], float32(p.weight)*rarity)
					count[p.doc] = uint8(n + 1)
				}
			}
		}
		for d, v := range here {
			scores[d] += v
		}
	}
	drop := i.excluded(q)
	var hits []hit
	for d := range i.docs {
		if int(count[d]) == len(q.words) && !drop[uint32(d)] && q.passes(&i.docs[d]) {
			hits = append(hits, hit{uint32(d), q.rank(i.names[d]), scores[d]})
		}
	}
	return hits
}

func (i *Index) excluded(q query) map[uint32]bool {
	drop := map[uint32]bool{}
	for _, w := range q.without {
		for _, m := range i.exact(w, false) {
			for _, p := range i.postings[m.term] {
				drop[p.doc] = true
			}
		}
	}
	return drop
}

func (q query) rank(name string) uint8 {
	switch {
	case q.joined == "":
		return 0
	case name == q.joined:
		return 2
	case strings.HasPrefix(name, q.joined):
		return 1
	}
	return 0
}

func (q query) passes(l *catalog.Listing) bool {
	for _, f := range q.filters {
		in := l.Keywords
		switch f.key {
		case "category":
			in = l.Categories
		case "license":
			in = l.Licenses
		}
		if !slices.ContainsFunc(in, func(s string) bool { return strings.EqualFold(s, f.value) }) {
			return false
		}
	}
	return true
}

// best gives the first n of hits in the order of ranking, without sorting the
// rest.
func best(hits []hit, n int) []hit {
	if len(hits) <= n*4 {
		slices.SortFunc(hits, byRank)
		return hits[:min(n, len(hits))]
	}
	top := slices.Clone(hits[:n])
	slices.SortFunc(top, byRank)
	for _, h := range hits[n:] {
		if byRank(h, top[n-1]) >= 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, h, byRank)
		copy(top[at+1:], top[at:n-1])
		top[at] = h
	}
	return top
}
