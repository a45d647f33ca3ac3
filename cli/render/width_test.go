package render

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWidth_countsCells(t *testing.T) {
	for s, want := range map[string]int{
		"":           0,
		"spark":      5,
		"日本":         4,
		"e\u0301":    1, // combining acute
		"a\u200bb":   2, // zero width space
		"✓":          1,
		"🚀":          2,
		"ｆｕｌｌ":       8,
		"\x1b[31mx":  5, // the escape itself takes no cell, what follows does
		"tab\there":  7,
		"Ünïcödé":    7,
		"\u202eevil": 4,
	} {
		if got := Width(s); got != want {
			t.Errorf("Width(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestTruncate_neverExceedsCells(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"spark", 5, "spark"},
		{"spark", 4, "spa…"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"spark", 1, "…"},
		{"spark", 0, ""},
	} {
		if got := Truncate(c.s, c.n); got != c.want || Width(got) > c.n {
			t.Errorf("Truncate(%q, %d) = %q (%d cells), want %q", c.s, c.n, got, Width(got), c.want)
		}
	}
}

func TestClean_disarmsTheTerminal(t *testing.T) {
	for s, want := range map[string]string{
		"a\x1b[2Jb":  "a\ufffd[2Jb",
		"a\nb\tc":    "a b c",
		"\u202egnp.": "\ufffdgnp.",
		"\u0085x":    "\ufffdx",
		"naïve ✓":    "naïve ✓",
	} {
		if got := Clean(s); got != want {
			t.Errorf("Clean(%q) = %q, want %q", s, got, want)
		}
	}
	if got, want := CleanText("a\r\n\tb\x07"), "a\n\tb\ufffd"; got != want {
		t.Errorf("CleanText = %q, want %q", got, want)
	}
}

func TestWrap_keepsParagraphsAndLongWords(t *testing.T) {
	got := Wrap("one two three\n  indented words here\nunbreakableword", 12)
	want := []string{"one two", "three", "  indented", "  words here", "unbreakableword"}
	if !slices.Equal(got, want) {
		t.Errorf("Wrap = %q, want %q", got, want)
	}
	if got := Wrap("a b", 0); !slices.Equal(got, []string{"a b"}) {
		t.Errorf("Wrap without a width = %q", got)
	}
}

func FuzzTruncate(f *testing.F) {
	f.Add("日本語 spark", 5)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = max(0, min(n, 200))
		if got := Width(Truncate(s, n)); got > n {
			t.Errorf("Truncate(%q, %d) takes %d cells", s, n, got)
		}
	})
}

func TestWrapCommand(t *testing.T) {
	for _, c := range []struct {
		text  string
		cells int
		want  []string
	}{
		{"waits for a word: dcos service plan confirm x", 30, []string{"waits for a word:", "dcos service plan confirm x"}},
		{"waits for a word: dcos service plan confirm x", 60, []string{"waits for a word: dcos service plan confirm x"}},
		{"waits for a word: dcos service plan confirm x", 0, []string{"waits for a word: dcos service plan confirm x"}},
		{"waits for what is far away", 20, []string{"waits for what is", "far away"}},
	} {
		if d := cmp.Diff(c.want, WrapCommand(c.text, c.cells)); d != "" {
			t.Errorf("%q in %d (-want +got):\n%s", c.text, c.cells, d)
		}
	}
}
