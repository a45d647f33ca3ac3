package search

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

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

// Index answers queries about a fixed set of packages. It may be used by
// several goroutines.
type Index struct {
	docs     []catalog.Listing // by name
	names    []string          // of docs, joined form: lower case, letters and digits only
	bags     []bag             // of names
	terms    []string          // sorted
	postings [][]posting       // of terms, by doc
	lengths  [maxTerm + 1][]near
	spare    sync.Pool // of *scratch
}

// near is a term as the search for near words looks at it.
type near struct {
	bag  bag
	term int32
}

// maxTerm is the longest word that is kept, in bytes; the rest is cut off.
const maxTerm = 64

// bag is the set of letters of a word, one bit each. One typing error changes
// at most two of them, so bags that differ in more tell words apart without
// looking at the letters.
type bag uint64

func bagOf(w string) bag {
	var b bag
	for _, r := range w {
		b |= 1 << (r % 64)
	}
	return b
}

// apart reports whether words with these bags are at more than limit errors.
func (b bag) apart(o bag, limit int) bool { return bits.OnesCount64(uint64(b^o)) > 2*limit }

// Build makes an index of listings.
func Build(listings []catalog.Listing) *Index {
	i := &Index{docs: slices.Clone(listings)}
	slices.SortFunc(i.docs, func(a, b catalog.Listing) int { return strings.Compare(a.Name, b.Name) })
	b := builder{ids: map[string]int32{}}
	for n := range i.docs {
		d := &i.docs[n]
		name := joined(d.Name)
		i.names, i.bags = append(i.names, name), append(i.bags, bagOf(name))
		b.doc = uint32(n)
		// The heaviest field first: it decides the weight of a word.
		b.add(d.Name, inName)
		for _, k := range d.Keywords {
			b.add(k, inKeyword)
		}
		for _, c := range d.Categories {
			b.add(c, inKeyword)
		}
		b.add(d.Summary, inSummary)
	}
	i.terms = slices.Sorted(maps.Keys(b.ids))
	i.postings = make([][]posting, len(i.terms))
	for t, w := range i.terms {
		i.postings[t] = slices.Clip(b.postings[b.ids[w]])
		i.lengths[len(w)] = append(i.lengths[len(w)], near{bagOf(w), int32(t)})
	}
	return i
}

// builder collects the words of packages.
type builder struct {
	ids      map[string]int32
	postings [][]posting // by id
	doc      uint32
}

func (b *builder) add(text string, f field) {
	for _, w := range indexTokens(text) {
		id, ok := b.ids[w]
		if !ok {
			id = int32(len(b.postings))
			b.ids[w], b.postings = id, append(b.postings, nil)
		}
		if list := b.postings[id]; len(list) == 0 || list[len(list)-1].doc != b.doc {
			b.postings[id] = append(list, posting{b.doc, f})
		}
	}
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

// typos is how many typing errors a word of this length may have: one from 4
// letters, two from 8.
func typos(word string) int {
	switch n := utf8.RuneCountInString(word); {
	case n >= 8:
		return 2
	case n >= 4:
		return 1
	}
	return 0
}

// nearby finds the terms that a word with typing errors may mean.
func (i *Index) nearby(word string) []match {
	limit := typos(word)
	if limit == 0 {
		return nil
	}
	var out []match
	own := bagOf(word)
	span := limit * utf8.UTFMax // lengths are in bytes
	for l := max(0, len(word)-span); l <= min(maxTerm, len(word)+span); l++ {
		for _, n := range i.lengths[l] {
			if own.apart(n.bag, limit) {
				continue
			}
			if d := catalog.Distance(word, i.terms[n.term], limit); d <= limit {
				out = append(out, match{int(n.term), shareNear / float32(1+d)})
			}
		}
	}
	return out
}

// didYouMean finds names near the whole query.
func (i *Index) didYouMean(q query) []string {
	var names []string
	own := bagOf(q.joined)
	for d, b := range i.bags {
		if !own.apart(b, catalog.MaxTypos) {
			names = append(names, i.docs[d].Name)
		}
	}
	return catalog.Nearest(strings.Join(q.words, "-"), names)
}

// rarity weighs a term: rare words say more.
func (i *Index) rarity(term int) float32 {
	return float32(1 + math.Log(float64(len(i.docs)+1)/float64(len(i.postings[term])+1)))
}

// hit is a package that has all words.
type hit struct {
	doc   uint32
	rank  rank
	extra int // of names that begin with the query: how much longer they are
	score float32
}

// rank says how the name of a package goes with the whole query.
type rank uint8

const (
	rankNone   rank = iota
	rankBegins      // it begins with it
	rankWords       // its first words are it
	rankExact       // it is it
)

func byRank(a, b hit) int {
	return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.extra, b.extra), cmp.Compare(b.score, a.score), cmp.Compare(a.doc, b.doc))
}
