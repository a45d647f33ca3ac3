// Package storetest is the suite that every store.Log passes.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/store"
)

// Open opens the same log each time it is called, after the one it gave before
// was closed. The first time the log is empty.
type Open func(t testing.TB) store.Log

// Run runs the suite. Each call of fresh gives an Open for a log of its own.
func Run(t *testing.T, fresh func(t testing.TB) Open) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, Open)
	}{
		{"empty", empty}, {"append", appends}, {"replay", replay}, {"limits", limits},
		{"snapshot", snapshot}, {"compaction", compaction}, {"reopen", reopen},
		{"closed", closed}, {"canceled", canceled},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, fresh(t)) })
	}
	t.Run("model", func(t *testing.T) { model(t, fresh) })
}

func opened(t *testing.T, open Open) store.Log {
	t.Helper()
	l := open(t)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

func entries(from, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "entry %d", from+i)
	}
	return out
}

func add(t testing.TB, l store.Log, es [][]byte) {
	t.Helper()
	want := l.LastIndex() + int64(len(es))
	got, err := l.Append(context.Background(), es)
	if err != nil || got != want || l.LastIndex() != want {
		t.Fatalf("append of %d: got index %d, last %d, error %v; want %d", len(es), got, l.LastIndex(), err, want)
	}
}

// all reads the entries from an index on.
func all(t testing.TB, l store.Log, from int64) []string {
	t.Helper()
	out := []string{}
	err := l.Replay(context.Background(), from, func(i int64, e []byte) error {
		out = append(out, fmt.Sprintf("%d=%s", i, e))
		return nil
	})
	if err != nil {
		t.Fatalf("replay from %d: %v", from, err)
	}
	return out
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func empty(t *testing.T, open Open) {
	l := opened(t, open)
	same(t, "last index", l.LastIndex(), int64(0))
	same(t, "entries", all(t, l, 1), []string{})
	at, data, err := l.LoadSnapshot(context.Background())
	if at != 0 || data != nil || err != nil {
		t.Errorf("snapshot of an empty log: %d, %q, %v", at, data, err)
	}
	add(t, l, nil)
}

func appends(t *testing.T, open Open) {
	l := opened(t, open)
	own := []byte("mine")
	add(t, l, [][]byte{own, {}, []byte("third")})
	copy(own, "XXXX") // the log must have its own copy
	add(t, l, [][]byte{[]byte("fourth")})
	same(t, "entries", all(t, l, 1), []string{"1=mine", "2=", "3=third", "4=fourth"})
}

func replay(t *testing.T, open Open) {
	l := opened(t, open)
	const n = 10_000
	add(t, l, entries(1, n))
	same(t, "entries from the last", all(t, l, n), []string{"10000=entry 10000"})
	same(t, "entries after the last", all(t, l, n+1), []string{})
	want := int64(1)
	err := l.Replay(context.Background(), 1, func(i int64, e []byte) error {
		if i != want || string(e) != fmt.Sprintf("entry %d", i) {
			return fmt.Errorf("entry %d is %q, want entry %d", i, e, want)
		}
		want++
		return nil
	})
	if err != nil || want != n+1 {
		t.Errorf("replay came to %d: %v", want-1, err)
	}
	stop := errors.New("stop here")
	count := 0
	err = l.Replay(context.Background(), 5000, func(int64, []byte) error { count++; return stop })
	if err != stop || count != 1 {
		t.Errorf("replay after fn's error: %d calls, error %v; want 1 and %v", count, err, stop)
	}
	if err := l.Replay(context.Background(), 0, nil); !errors.Is(err, store.ErrCompacted) {
		t.Errorf("replay from 0: %v, want %v", err, store.ErrCompacted)
	}
}

func limits(t *testing.T, open Open) {
	l := opened(t, open)
	big := make([]byte, store.MaxEntry+1)
	for name, batch := range map[string][][]byte{
		"entry": {[]byte("small"), big},
		"batch": func() (b [][]byte) {
			for range store.MaxBatch/store.MaxEntry + 1 {
				b = append(b, big[:store.MaxEntry])
			}
			return b
		}(),
	} {
		if _, err := l.Append(context.Background(), batch); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("%s over the limit: %v, want %v", name, err, store.ErrTooLarge)
		}
	}
	same(t, "entries", all(t, l, 1), []string{})
}

func snapshot(t *testing.T, open Open) {
	ctx := context.Background()
	l := opened(t, open)
	for _, at := range []int64{0, 1, -1} {
		if err := l.SaveSnapshot(ctx, at, []byte("x")); err == nil {
			t.Errorf("a snapshot at %d of an empty log was taken", at)
		}
	}
	add(t, l, entries(1, 20))
	big := bytes.Repeat([]byte("all that is the case; "), 300_000)
	for _, s := range []struct {
		at   int64
		data []byte
	}{{5, []byte("five")}, {5, []byte("five again")}, {20, big}, {20, []byte{}}} {
		if err := l.SaveSnapshot(ctx, s.at, s.data); err != nil {
			t.Fatalf("snapshot at %d: %v", s.at, err)
		}
		at, data, err := l.LoadSnapshot(ctx)
		if err != nil || at != s.at || !bytes.Equal(data, s.data) {
			t.Errorf("load: index %d, %d bytes, %v; want %d, %d bytes", at, len(data), err, s.at, len(s.data))
		}
	}
	for _, at := range []int64{19, 21} {
		if err := l.SaveSnapshot(ctx, at, nil); err == nil {
			t.Errorf("a snapshot at %d was taken, after one at 20 in a log of 20", at)
		}
	}
	same(t, "entries are kept", len(all(t, l, 1)), 20)
}

func compaction(t *testing.T, open Open) {
	ctx := context.Background()
	l := opened(t, open)
	const drop = 37
	last := int64(store.KeepEntries + drop)
	add(t, l, entries(1, int(last)))
	if err := l.SaveSnapshot(ctx, last, []byte("state")); err != nil {
		t.Fatal(err)
	}
	for _, from := range []int64{1, drop} {
		if err := l.Replay(ctx, from, nil); !errors.Is(err, store.ErrCompacted) {
			t.Errorf("replay from %d: %v, want %v", from, err, store.ErrCompacted)
		}
	}
	same(t, "entries that are kept", len(all(t, l, drop+1)), store.KeepEntries)
	add(t, l, [][]byte{[]byte("next")})
	same(t, "the entry after", all(t, l, last+1), []string{fmt.Sprintf("%d=next", last+1)})
}

func reopen(t *testing.T, open Open) {
	l := open(t)
	add(t, l, entries(1, 3))
	if err := l.SaveSnapshot(context.Background(), 2, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = opened(t, open)
	same(t, "last index", l.LastIndex(), int64(3))
	at, data, err := l.LoadSnapshot(context.Background())
	if at != 2 || string(data) != "two" || err != nil {
		t.Errorf("snapshot: %d, %q, %v", at, data, err)
	}
	add(t, l, entries(4, 1))
	same(t, "entries", all(t, l, at+1), []string{"3=entry 3", "4=entry 4"})
}

func closed(t *testing.T, open Open) {
	ctx := context.Background()
	l := open(t)
	add(t, l, entries(1, 2))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, appendErr := l.Append(ctx, entries(1, 1))
	_, _, loadErr := l.LoadSnapshot(ctx)
	for name, err := range map[string]error{
		"append": appendErr, "load": loadErr,
		"save":   l.SaveSnapshot(ctx, 1, nil),
		"replay": l.Replay(ctx, 1, func(int64, []byte) error { return nil }),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s on a closed log: %v, want %v", name, err, store.ErrClosed)
		}
	}
}

func canceled(t *testing.T, open Open) {
	l := opened(t, open)
	add(t, l, entries(1, 2))
	why := errors.New("leadership lost")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	if _, err := l.Append(ctx, entries(3, 1)); !errors.Is(err, why) {
		t.Errorf("append: %v, want %v", err, why)
	}
	if err := l.Replay(ctx, 1, func(int64, []byte) error { return nil }); !errors.Is(err, why) {
		t.Errorf("replay: %v, want %v", err, why)
	}
	if err := l.SaveSnapshot(ctx, 1, nil); !errors.Is(err, why) {
		t.Errorf("save: %v, want %v", err, why)
	}
	if _, _, err := l.LoadSnapshot(ctx); !errors.Is(err, why) {
		t.Errorf("load: %v, want %v", err, why)
	}
	same(t, "last index", l.LastIndex(), int64(2))
}

// model compares a log with a list in memory over random operations.
func model(t *testing.T, fresh func(t testing.TB) Open) {
	rapid.Check(t, func(r *rapid.T) {
		ctx := context.Background()
		open := fresh(t)
		l := open(t)
		defer func() { _ = l.Close() }()
		var want []string
		snapAt, snap := int64(0), ""
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) {
				var batch [][]byte
				for range rapid.IntRange(0, 5).Draw(r, "n") {
					e := rapid.StringN(0, 20, -1).Draw(r, "entry")
					batch = append(batch, []byte(e))
					want = append(want, fmt.Sprintf("%d=%s", len(want)+1, e))
				}
				add(t, l, batch)
			},
			"snapshot": func(r *rapid.T) {
				if int64(len(want)) <= snapAt {
					r.Skip("nothing new")
				}
				snapAt = rapid.Int64Range(snapAt+1, int64(len(want))).Draw(r, "at")
				snap = rapid.String().Draw(r, "data")
				if err := l.SaveSnapshot(ctx, snapAt, []byte(snap)); err != nil {
					r.Fatal(err)
				}
			},
			"reopen": func(r *rapid.T) {
				if err := l.Close(); err != nil {
					r.Fatal(err)
				}
				l = open(t)
			},
			"": func(r *rapid.T) {
				at, data, err := l.LoadSnapshot(ctx)
				if at != snapAt || string(data) != snap || err != nil {
					r.Fatalf("snapshot is %d %q (%v), want %d %q", at, data, err, snapAt, snap)
				}
				from := rapid.IntRange(1, len(want)+1).Draw(r, "from")
				if diff := cmp.Diff(append([]string{}, want[from-1:]...), all(t, l, int64(from))); diff != "" {
					r.Fatalf("entries from %d (-want +got):\n%s", from, diff)
				}
			},
		})
	})
}
