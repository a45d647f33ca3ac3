package render

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

func tree(s0, s1 ItemState, t0, t1 string) []Item {
	return []Item{{Key: "p", State: ItemWorking, Text: "phase master 0/2", Children: []Item{
		{Key: "a", State: s0, Text: t0, Note: "3.0s"},
		{Key: "b", State: s1, Text: t1, Why: "a1 lacks 2 GiB mem"},
	}}}
}

func TestProgress_offATerminalPrintsOneLinePerChange(t *testing.T) {
	c := newClock()
	var b strings.Builder
	p := NewProgress(&b, ProgressOptions{Symbols: ASCII, Now: c.now})
	p.Set(tree(ItemWorking, ItemWaiting, "a starting", "b waiting"))
	p.Set(tree(ItemWorking, ItemWaiting, "a starting", "b waiting")) // no change, no line
	p.Set(tree(ItemDone, ItemWaiting, "a running", "b waiting"))
	p.Tick() // too early
	c.t = c.t.Add(DefaultHeartbeat)
	p.Tick()
	p.Tick() // said a moment ago
	p.Close()
	want := "" +
		"working: phase master 0/2\n" +
		"  working: a starting  3.0s\n" +
		"  waiting: b waiting: a1 lacks 2 GiB mem\n" +
		"  done: a running  3.0s\n" +
		"still waiting: b waiting (a1 lacks 2 GiB mem)\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestProgress_onATerminalRedrawsInPlace(t *testing.T) {
	var b strings.Builder
	p := NewProgress(&b, ProgressOptions{Terminal: true, Symbols: Unicode, Now: newClock().now, Width: func() int { return 40 }})
	p.Set(tree(ItemWorking, ItemWaiting, "a starting", "b waiting"))
	p.Set([]Item{{Key: "p", State: ItemDone, Text: "phase master 2/2"}})
	p.Log("note")
	p.Close()
	p.Log("end")
	want := "" +
		"\x1b[2K◐ phase master 0/2\n" +
		"\x1b[2K  ◐ a starting  3.0s\n" +
		"\x1b[2K  ◌ b waiting\n" +
		"\x1b[2K      a1 lacks 2 GiB mem\n\x1b[J" +
		"\x1b[4A\x1b[2K✓ phase master 2/2\n\x1b[J" +
		"\x1b[1A\x1b[Jnote\n" +
		"\x1b[2K✓ phase master 2/2\n\x1b[J" +
		"end\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestProgress_neverWrapsALine(t *testing.T) {
	var b strings.Builder
	p := NewProgress(&b, ProgressOptions{Terminal: true, Symbols: Unicode, Now: newClock().now, Width: func() int { return 24 }})
	p.Set([]Item{
		{Key: "x", State: ItemWorking, Text: strings.Repeat("long ", 20), Note: "note", Why: strings.Repeat("because ", 30)},
		{Key: "y", State: ItemWorking, Text: "layer", Note: "1s", Done: 5 << 20, Total: 10 << 20},
	})
	for line := range strings.Lines(strings.ReplaceAll(b.String(), "\x1b[2K", "")) {
		if w := Width(strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[J"), "\n")); w >= 24 {
			t.Errorf("line %q takes %d cells of 24", line, w)
		}
	}
}

func TestProgress_foldsALongTree(t *testing.T) {
	var b strings.Builder
	p := NewProgress(&b, ProgressOptions{Terminal: true, Symbols: Unicode, Now: newClock().now, MaxLines: 2})
	var items []Item
	for _, k := range []string{"a", "b", "c", "d"} {
		items = append(items, Item{Key: k, Text: k})
	}
	p.Set(items)
	if want := "+2 more"; !strings.Contains(b.String(), want) || strings.Count(b.String(), "\n") != 3 {
		t.Errorf("want two lines and %q in %q", want, b.String())
	}
}

func TestProgress_barShowsBytes(t *testing.T) {
	p := NewProgress(&strings.Builder{}, ProgressOptions{Now: newClock().now})
	if got, want := p.bar(10<<20, 40<<20), "[#####---------------] 10 MiB of 40 MiB"; got != want {
		t.Errorf("bar = %q, want %q", got, want)
	}
	if got, want := p.bar(50<<20, 40<<20), "[####################] 50 MiB of 40 MiB"; got != want {
		t.Errorf("bar = %q, want %q", got, want)
	}
}

func TestProgress_quietPrintsNothing(t *testing.T) {
	var b strings.Builder
	p := NewProgress(&b, ProgressOptions{Quiet: true, Now: newClock().now})
	p.Set(tree(ItemDone, ItemDone, "a", "b"))
	p.Log("x")
	p.Tick()
	p.Clear()
	if b.Len() != 0 {
		t.Errorf("printed %q", b.String())
	}
}
