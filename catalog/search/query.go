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
	if len(q.words)+len(q.without)+len(q.filters) == 0 {
		from := min(offset, len(i.docs))
		return catalog.Results{Total: len(i.docs), Items: append([]catalog.Listing{}, i.docs[from:min(from+limit, len(i.docs))]...)}
	}
	exact := func(w string, last bool) []match { return i.exact(w, last && q.prefix) }
	hits := i.find(q, exact)
	var out catalog.Results
	if len(hits) < MinHits && len(q.words) > 0 {
		more := i.find(q, func(w string, last bool) []match {
			m := exact(w, last)
			for _, n := range i.nearby(w) {
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
		out.DidYouMean = i.didYouMean(q)
	}
	return out
}

// scratch is the memory of one query, by package.
type scratch struct {
	count []uint8   // how many of the words were found so far
	score []float32 // of the words before the one at hand
	word  []float32 // of the word at hand
	docs  []uint32  // that have the word at hand
}

func (i *Index) scratch() *scratch {
	if s, ok := i.spare.Get().(*scratch); ok {
		clear(s.count)
		clear(s.score)
		return s
	}
	n := len(i.docs)
	return &scratch{count: make([]uint8, n), score: make([]float32, n), word: make([]float32, n)}
}

// find gives the packages that have a match for every word.
func (i *Index) find(q query, matches func(word string, last bool) []match) []hit {
	s := i.scratch()
	defer i.spare.Put(s)
	for n, w := range q.words {
		s.docs = s.docs[:0]
		for _, m := range matches(w, n == len(q.words)-1) {
			rarity := i.rarity(m.term) * m.share
			for _, p := range i.postings[m.term] {
				v := float32(p.weight) * rarity
				switch int(s.count[p.doc]) {
				case n: // it has all words before, and now this one
					s.count[p.doc] = uint8(n + 1)
					s.word[p.doc] = v
					s.docs = append(s.docs, p.doc)
				case n + 1:
					s.word[p.doc] = max(s.word[p.doc], v)
				}
			}
		}
		for _, d := range s.docs {
			s.score[d] += s.word[d]
		}
	}
	candidates := s.docs // those of the last word
	if len(q.words) == 0 {
		candidates = make([]uint32, len(i.docs))
		for d := range candidates {
			candidates[d] = uint32(d)
		}
	}
	return i.hits(q, s, candidates)
}

// hits keeps the candidates that pass the rest of the query.
func (i *Index) hits(q query, s *scratch, candidates []uint32) []hit {
	drop := i.excluded(q)
	out := make([]hit, 0, len(candidates))
	for _, d := range candidates {
		if drop[d] || !q.passes(&i.docs[d]) {
			continue
		}
		h := hit{doc: d, score: s.score[d]}
		if h.rank = i.rank(q, int(d)); h.rank != rankNone {
			h.extra = len(i.names[d]) - len(q.joined)
		}
		out = append(out, h)
	}
	return out
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

func (i *Index) rank(q query, doc int) rank {
	name := i.names[doc]
	switch {
	case q.joined == "" || !strings.HasPrefix(name, q.joined):
		return rankNone
	case name == q.joined:
		return rankExact
	}
	n := 0
	for _, w := range tokens(i.docs[doc].Name) {
		if n += len(w); n >= len(q.joined) {
			break
		}
	}
	if n == len(q.joined) {
		return rankWords
	}
	return rankBegins
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
