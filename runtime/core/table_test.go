package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTable_model compares a table and its frozen copies with maps.
func TestTable_model(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		type frozen struct {
			table table[int]
			want  map[string]int
		}
		var tab table[int]
		want := map[string]int{}
		var old []frozen
		keys := rapid.Custom(func(r *rapid.T) string {
			return fmt.Sprintf("%c%03d", 'a'+rapid.IntRange(0, 2).Draw(r, "letter"), rapid.IntRange(0, 200).Draw(r, "n"))
		})
		same := func(r *rapid.T, tab *table[int], want map[string]int) {
			prefix := rapid.SampledFrom([]string{"", "a", "b1", "c20", "d"}).Draw(r, "prefix")
			var got, expect []string
			for k, v := range tab.from(prefix) {
				got = append(got, fmt.Sprint(k, v))
			}
			for _, k := range slices.Sorted(maps.Keys(want)) {
				if strings.HasPrefix(k, prefix) {
					expect = append(expect, fmt.Sprint(k, want[k]))
				}
				if v, ok := tab.get(k); !ok || v != want[k] {
					r.Fatalf("get %q: %d, %t; want %d", k, v, ok, want[k])
				}
			}
			if diff := cmp.Diff(expect, got); diff != "" || tab.n != len(want) {
				r.Fatalf("prefix %q, %d entries of %d (-want +got):\n%s", prefix, tab.n, len(want), diff)
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(r, "times") {
					k, v := keys.Draw(r, "key"), rapid.Int().Draw(r, "value")
					tab.put(k, v)
					want[k] = v
				}
			},
			"drop": func(r *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(r, "times") {
					k := keys.Draw(r, "key")
					tab.drop(k)
					delete(want, k)
				}
			},
			"freeze": func(*rapid.T) { old = append(old, frozen{tab.freeze(), maps.Clone(want)}) },
			"": func(r *rapid.T) {
				same(r, &tab, want)
				if len(old) > 0 {
					f := rapid.SampledFrom(old).Draw(r, "frozen")
					same(r, &f.table, f.want)
				}
			},
		})
	})
}

// TestTable_freezeIsCheap sees that a write after a freeze copies one chunk and
// not the table.
func TestTable_freezeIsCheap(t *testing.T) {
	var tab table[int]
	for i := range 100_000 {
		tab.put(fmt.Sprintf("%08d", i), i)
	}
	f := tab.freeze()
	tab.put("00050000", -1)
	shared := 0
	for i, c := range tab.chunks {
		if f.chunks[i] == c {
			shared++
		}
	}
	if want := len(tab.chunks) - 1; shared != want || len(f.chunks) != len(tab.chunks) {
		t.Errorf("%d of %d chunks are shared after one write, want %d", shared, len(f.chunks), want)
	}
	for range tab.n - 1 {
		tab.drop(tab.chunks[0].keys[0])
	}
	if len(tab.chunks) != 1 {
		t.Errorf("%d chunks hold one entry", len(tab.chunks))
	}
}
