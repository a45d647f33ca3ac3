package search

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/catalog"
)

// field is where a word of a package stands. Its value is the weight.
type field uint8

const (
	inSummary field = 3
	inKeyword field = 5
	inName    field = 10
)

// posting is a package that has a word.
type posting struct {
	doc    uint32
	weight field
}

// Index answers queries about a fixed set of packages.
type Index struct {
	docs     []catalog.Listing // by name
	names    []string          // of docs, joined form: lower case, letters and digits only
	terms    []string          // sorted
	postings [][]posting       // of terms, by doc
	lengths  [][]int32         // terms by their length in bytes, up to maxTerm
}

// maxTerm is the longest word that is kept, in bytes; the rest is cut off.
const maxTerm = 64

// Build makes an index of listings.
func Build(listings []catalog.Listing) *Index {
	i := &Index{docs: slices.Clone(listings)}
	slices.SortFunc(i.docs, func(a, b catalog.Listing) int { return strings.Compare(a.Name, b.Name) })
	words := map[string][]posting{}
	for n := range i.docs {
		d := &i.docs[n]
		i.names = append(i.names, joined(d.Name))
		best := map[string]field{}
		add := func(text string, f field) {
			for _, w := range indexTokens(text) {
				best[w] = max(best[w], f)
			}
		}
		add(d.Summary, inSummary)
		for _, k := range d.Keywords {
			add(k, inKeyword)
		}
		for _, c := range d.Categories {
			add(c, inKeyword)
		}
		add(d.Name, inName)
		for w, f := range best {
			words[w] = append(words[w], posting{uint32(n), f})
		}
	}
	i.terms = make([]string, 0, len(words))
	for w := range words {
		i.terms = append(i.terms, w)
	}
	slices.Sort(i.terms)
	i.postings = make([][]posting, len(i.terms))
	i.lengths = make([][]int32, maxTerm+1)
	for t, w := range i.terms {
		i.postings[t] = slices.Clip(words[w])
		i.lengths[len(w)] = append(i.lengths[len(w)], int32(t))
	}
	return i
}

// Len is the number of packages.
func (i *Index) Len() int { return len(i.docs) }

// match is a term that a query word means, and how well.
type match struct {
	term  int
	share float32
}

const (
	sharePrefix = 0.6 // of a word that only begins with what was typed
	shareNear   = 0.3 // of a word at one or two typing errors
)

// exact finds the terms of a word: itself and, if prefix, those it begins.
func (i *Index) exact(word string, prefix bool) []match {
	at, found := slices.BinarySearch(i.terms, word)
	var out []match
	if found {
		out = append(out, match{at, 1})
		at++
	}
	for ; prefix && at < len(i.terms) && strings.HasPrefix(i.terms[at], word); at++ {
		out = append(out, match{at, sharePrefix})
	}
	return out
}

// near finds the terms within the typing errors that a word of this length may
// have: one from 4 letters, two from 8.
func (i *Index) near(word string) []match {
	limit := 0
	switch n := len([]rune(word)); {
	case n >= 8:
		limit = 2
	case n >= 4:
		limit = 1
	default:
		return nil
	}
	var out []match
	for l := max(0, len(word)-2*limit); l <= min(maxTerm, len(word)+2*limit); l++ {
		for _, t := range i.lengths[l] {
			if d := catalog.Distance(word, i.terms[t], limit); d <= limit {
				out = append(out, match{int(t), shareNear / float32(1+d)})
			}
		}
	}
	return out
}

// rarity weighs a term: rare words say more.
func (i *Index) rarity(term int) float32 {
	return float32(1 + math.Log(float64(len(i.docs)+1)/float64(len(i.postings[term])+1)))
}

// hit is a package that has all words.
type hit struct {
	doc   uint32
	rank  uint8 // 2: the exact name, 1: the name begins so, 0: else
	score float32
}

func byRank(a, b hit) int {
	return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.score, a.score), cmp.Compare(a.doc, b.doc))
}
