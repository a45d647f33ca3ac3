package search

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/catalog"
)

func sample() *Index {
	return Build([]catalog.Listing{
		{Name: "spark", Summary: "Cluster computing for large data", Keywords: []string{"compute", "sql"}, Categories: []string{"compute"}, Licenses: []string{"Apache-2.0"}},
		{Name: "spark-history", Summary: "History server of Spark", Keywords: []string{"logs"}, Licenses: []string{"Apache-2.0"}},
		{Name: "kafka", Summary: "Log of events that Spark and others read", Keywords: []string{"stream"}, Categories: []string{"data"}},
		{Name: "open-feature", Summary: "Flags", Keywords: []string{"Feature Flags"}},
		{Name: "nginx", Summary: "Web server", Licenses: []string{"BSD-2-Clause"}},
		{Name: "café", Summary: "Ünïcode für alle"},
		{Name: "elasticsearch", Summary: "Search engine"},
		{Name: "sparkle", Summary: "Updates for desktops"},
	})
}

func names(r catalog.Results) []string {
	out := []string{}
	for _, l := range r.Items {
		out = append(out, l.Name)
	}
	return out
}

func TestQuery(t *testing.T) {
	idx := sample()
	for _, c := range []struct {
		q     string
		want  []string
		fuzzy bool
	}{
		{"", []string{"café", "elasticsearch", "kafka", "nginx", "open-feature", "spark", "spark-history", "sparkle"}, false},
		// The exact name, then names that begin so, then a word of the summary.
		{"spark", []string{"spark", "spark-history", "sparkle", "kafka"}, false},
		{"SPARK", []string{"spark", "spark-history", "sparkle", "kafka"}, false},
		{"spa", []string{"spark", "sparkle", "spark-history", "kafka"}, false},
		// With a blank behind it the word is whole.
		{"spark ", []string{"spark", "spark-history", "kafka"}, false},
		// Every word must be there.
		{"spark log", []string{"spark-history", "kafka"}, false},
		{"spark -history", []string{"spark", "sparkle", "kafka"}, false},
		{"openfeature", []string{"open-feature"}, false},
		{"open-feature", []string{"open-feature"}, false},
		{"feature fl", []string{"open-feature"}, false},
		{"cafe unicode", []string{"café"}, false},
		{"category:compute", []string{"spark"}, false},
		{"license:apache-2.0 history", []string{"spark-history"}, false},
		{"keyword:SQL", []string{"spark"}, false},
		// Near words, when there are few others.
		{"kafak", []string{"kafka"}, true},
		{"elastisearhc", []string{"elasticsearch"}, true},
		{"ngin", []string{"nginx"}, false},
		{"nginz", []string{"nginx"}, true},
		{"kfk", []string{}, false},
		{"%% ::", []string{"café", "elasticsearch", "kafka", "nginx", "open-feature", "spark", "spark-history", "sparkle"}, false},
	} {
		got := idx.Query(c.q, Options{})
		if d := cmp.Diff(c.want, names(got)); d != "" || got.Fuzzy != c.fuzzy || got.Total != len(c.want) {
			t.Errorf("%q: total %d, fuzzy %v (-want +got):\n%s", c.q, got.Total, got.Fuzzy, d)
		}
	}
}

func TestQuery_didYouMean(t *testing.T) {
	idx := sample()
	if got := idx.Query("ngx", Options{}); len(got.Items) != 0 || got.DidYouMean != nil {
		t.Errorf("ngx: %+v", got)
	}
	if got := idx.Query("kafka zzzz", Options{}); len(got.Items) != 0 || got.Items == nil {
		t.Errorf("kafka zzzz: %+v", got)
	}
	if got := idx.Query("spark histori", Options{}); !slices.Equal(names(got), []string{"spark-history"}) {
		t.Errorf("spark histori: %+v", got)
	}
	if got := idx.Query("spark hstry", Options{}); !slices.Equal(got.DidYouMean, []string{"spark-history", "spark"}) {
		t.Errorf("spark hstry: %+v", got)
	}
}

func TestQuery_pages(t *testing.T) {
	idx := sample()
	all := names(idx.Query("", Options{}))
	var got []string
	for o := 0; ; o += 3 {
		r := idx.Query("", Options{Limit: 3, Offset: o})
		if r.Total != len(all) {
			t.Errorf("total %d", r.Total)
		}
		if len(r.Items) == 0 {
			break
		}
		got = append(got, names(r)...)
	}
	if d := cmp.Diff(all, got); d != "" {
		t.Errorf("the pages together (-want +got):\n%s", d)
	}
}

// TestBest: picking the best is sorting and cutting.
func TestBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "n")
		hits := make([]hit, n)
		for i := range hits {
			hits[i] = hit{doc: uint32(i), rank: rank(rapid.IntRange(0, 2).Draw(t, "rank")), extra: rapid.IntRange(0, 2).Draw(t, "extra"), score: float32(rapid.IntRange(0, 5).Draw(t, "score"))}
		}
		want := slices.Clone(hits)
		slices.SortFunc(want, byRank)
		k := rapid.IntRange(1, 80).Draw(t, "k")
		if d := cmp.Diff(want[:min(k, n)], best(hits, k), cmp.AllowUnexported(hit{})); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// FuzzQuery: nothing that people type disturbs.
func FuzzQuery(f *testing.F) {
	idx := sample()
	for _, s := range []string{"", "spark", "-", ":", "keyword:", "a\x00b", "\xff", strings.Repeat("ä", 200), "-spark spark"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r := idx.Query(s, Options{Limit: 5}); len(r.Items) > 5 || len(r.Items) > r.Total {
			t.Errorf("%+v", r)
		}
	})
}

// crowd makes n packages of words that are as unevenly common as those of a
// language.
func crowd(n int) []catalog.Listing {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.07, 1, 60_000)
	word := func() string {
		const letters = "etaoinshrdlu"
		k := zipf.Uint64()
		var b []byte
		for ; k > 0 || len(b) < 3; k /= 12 {
			b = append(b, letters[k%12])
		}
		return string(b)
	}
	out := make([]catalog.Listing, n)
	for i := range out {
		l := catalog.Listing{Name: fmt.Sprintf("%s-%s-%d", word(), word(), i), Version: "1.0.0"}
		var summary []string
		for range 10 {
			summary = append(summary, word())
		}
		l.Summary, l.Keywords = strings.Join(summary, " "), []string{word(), word(), word()}
		out[i] = l
	}
	return out
}

const crowdSize = 100_000

func BenchmarkBuild(b *testing.B) {
	listings := crowd(crowdSize)
	for b.Loop() {
		Build(listings)
	}
}

func BenchmarkQuery(b *testing.B) {
	idx := Build(crowd(crowdSize))
	common := idx.terms[0]
	for t := range idx.terms {
		if len(idx.postings[t]) > len(idx.exact(common, false)) && len(idx.postings[t]) > crowdSize/5 {
			common = idx.terms[t]
		}
	}
	for _, q := range []struct{ name, text string }{
		{"word", "nite "}, {"common", common + " "}, {"two", common + " ot"}, {"prefix3", "tao"}, {"prefix2", "ta"}, {"none", "zzqqzzqq "}, {"empty", ""},
	} {
		b.Run(q.name, func(b *testing.B) {
			var total int
			for b.Loop() {
				total = idx.Query(q.text, Options{}).Total
			}
			b.ReportMetric(float64(total), "hits")
		})
	}
}
