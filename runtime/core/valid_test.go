package core

import (
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		what      string
		ok        func(string) bool
		good, bad []string
	}{
		{"label", func(s string) bool { return isLabel(s, maxName) }, []string{"a", "0", "a-1", long[1:]}, []string{"", "A", "a.b", "a/b", "ä", long}},
		{"task id", isTaskID, []string{"spark.worker-0.worker.7", strings.Repeat("a", 200)},
			[]string{"", ".", "..", "a/b", "a b", "A", strings.Repeat("a", 201)}},
		{"id", isID, []string{"a", "Größe", "a b", "0001-framework"}, []string{"", "a\nb", "a\x00b", "a\x7f", "\xff", strings.Repeat("a", 201)}},
		{"role", func(s string) bool { return cluster.ValidRole(cluster.Role(s)) }, []string{"*", "a", "a/b/c", "a-b", "a.b"},
			[]string{"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "a/*", "-a", "a b", "a\tb", strings.Repeat("a", 201)}},
	} {
		for _, s := range c.good {
			if !c.ok(s) {
				t.Errorf("%s %q is refused", c.what, s)
			}
		}
		for _, s := range c.bad {
			if c.ok(s) {
				t.Errorf("%s %q is taken", c.what, s)
			}
		}
	}
}

func TestBounded(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aä", 3, "aä"}, {"aä", 2, "a"}, {"ä", 1, ""}, {"", 0, ""}, {"\xff\xff", 1, "\xff"},
	} {
		if got := bounded(c.in, c.limit); got != c.want {
			t.Errorf("bounded(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}
