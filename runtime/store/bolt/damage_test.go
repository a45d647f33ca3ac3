package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"github.com/universe-dcos/universe/runtime/store"
)

// batches are what the logs of these tests hold. The last is long enough for a
// page of its own.
func batches() [][][]byte {
	return [][][]byte{{[]byte("1"), []byte("2")}, {[]byte("3")}, {[]byte("4"), {}, bytes.Repeat([]byte("six"), 500)}}
}

// smallPage is the size of the pages of these logs, in bytes: small, so that
// their files are.
const smallPage = 1 << 10

// openSmall makes a log of small pages.
func openSmall(t testing.TB, dir string) *Log {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, File), 0o600, &bbolt.Options{PageSize: smallPage})
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return open(t, dir)
}

// write makes a log of batches, with a snapshot after the first, and gives the
// bytes of its file.
func write(t testing.TB, dir string, batches [][][]byte) []byte {
	t.Helper()
	l := openSmall(t, dir)
	for i, b := range batches {
		if _, err := l.Append(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := l.SaveSnapshot(context.Background(), 2, []byte("the state after 2")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recovered opens a log and gives all of its entries and its snapshot.
func recovered(dir string) (entries []string, snapshot string, err error) {
	l, err := Open(dir)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	_, data, err := l.LoadSnapshot(context.Background())
	if err != nil {
		return nil, "", err
	}
	err = l.Replay(context.Background(), 1, func(_ int64, e []byte) error {
		entries = append(entries, string(e))
		return nil
	})
	return entries, string(data), err
}

// flat is the entries of some batches.
func flat(batches [][][]byte) (out []string) {
	for _, b := range batches {
		for _, e := range b {
			out = append(out, string(e))
		}
	}
	return out
}

// plain sees that an error says what is damaged, and where.
func plain(t *testing.T, what string, err error, dir string) {
	t.Helper()
	if !errors.Is(err, store.ErrDamaged) && !strings.Contains(err.Error(), "it has format") || !strings.Contains(err.Error(), dir) {
		t.Errorf("%s: %v, want one that wraps %v and names the file", what, err, store.ErrDamaged)
	}
}

// TestOpen_cutAtEveryByte cuts the file shorter and shorter. What is left of the
// last batch is never taken for a log: it is all there, or the error says so.
func TestOpen_cutAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := write(t, dir, batches())
	want := flat(batches())
	whole, used := 0, len(bytes.TrimRight(data, "\x00"))
	for n := len(data) - 1; n > 0; n-- {
		if n > used+smallPage && n%64 != 0 {
			continue // of the tail that was never used, some
		}
		if err := os.Truncate(filepath.Join(dir, File), int64(n)); err != nil {
			t.Fatal(err)
		}
		entries, snapshot, err := recovered(dir)
		switch {
		case err != nil:
			plain(t, fmt.Sprintf("cut at byte %d", n), err, dir)
			if !strings.Contains(err.Error(), "was cut") {
				t.Errorf("cut at byte %d: %v, which does not say so", n, err)
			}
		case !slices.Equal(entries, want) || snapshot != "the state after 2":
			t.Errorf("cut at byte %d: entries %.60q, snapshot %q", n, entries, snapshot)
		default:
			whole++
		}
		if t.Failed() {
			return
		}
	}
	if whole == 0 || whole > len(data)-used {
		t.Errorf("%d cuts took nothing that was needed, of a file of %d bytes with %d in use", whole, len(data), used)
	}
}

// TestOpen_commitCutAtEveryByte stops the last commit after each byte that it
// writes: first its pages, in order, then its root. The log ends at the batch
// before, until the root is whole.
func TestOpen_commitCutAtEveryByte(t *testing.T) {
	t.Parallel()
	all := batches()
	dir := t.TempDir()
	l := openSmall(t, dir)
	for _, b := range all[:2] {
		if _, err := l.Append(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, File)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(context.Background(), all[2]); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	order := commitOrder(before, after)
	f := restore(t, path, append(before, make([]byte, max(0, len(after)-len(before)))...))
	last := 0
	for i, at := range order {
		if _, err := f.WriteAt(after[at:at+1], int64(at)); err != nil {
			t.Fatal(err)
		}
		entries, _, err := recovered(dir)
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", i+1, len(order), err)
		}
		switch {
		case slices.Equal(entries, flat(all[:2])) && last == 0:
		case slices.Equal(entries, flat(all)):
			last++
		default:
			t.Fatalf("after %d of %d bytes: entries %.60q", i+1, len(order), entries)
		}
	}
	if last == 0 || last > 8 {
		t.Errorf("the batch was there for the last %d of %d bytes", last, len(order))
	}
}

// commitOrder gives the places at which two files differ, roots last.
func commitOrder(before, after []byte) (order []int) {
	var roots []int
	for i := range after {
		if i < len(before) && before[i] == after[i] || i >= len(before) && after[i] == 0 {
			continue
		}
		if i < 2*smallPage {
			roots = append(roots, i)
		} else {
			order = append(order, i)
		}
	}
	return append(order, roots...)
}

// restore opens a file with a content.
func restore(t *testing.T, path string, data []byte) *os.File {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestOpen_flippedBit flips a bit of each byte of the file. Either nothing of it
// was in use, or the error says what is spoilt; only when a root is, the log may
// end at the batch before.
func TestOpen_flippedBit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := write(t, dir, batches())
	path := filepath.Join(dir, File)
	want, shorter := flat(batches()), flat(batches()[:2])
	refused := 0
	for i := range data {
		if data[i] == 0 && i%61 != 0 && i >= 2*smallPage {
			continue // of the many zeros, some
		}
		spoilt := bytes.Clone(data)
		spoilt[i] ^= 1 << (i % 8)
		// A new file each: what bbolt panicked over keeps its lock until the end.
		if err := errors.Join(os.Remove(path), os.WriteFile(path, spoilt, 0o600)); err != nil {
			t.Fatal(err)
		}
		entries, snapshot, err := recovered(dir)
		switch {
		case err != nil:
			refused++
			plain(t, fmt.Sprintf("bit %d of byte %d", i%8, i), err, dir)
		case slices.Equal(entries, want) && snapshot == "the state after 2":
		case i < 2*smallPage && slices.Equal(entries, shorter):
		default:
			t.Errorf("bit %d of byte %d: entries %.60q, snapshot %q", i%8, i, entries, snapshot)
		}
		if t.Failed() {
			return
		}
	}
	if refused < 1000 {
		t.Errorf("%d of %d flips were found", refused, len(data))
	}
}

// TestReplay_namesThePlace spoils one entry of a batch.
func TestReplay_namesThePlace(t *testing.T) {
	dir := t.TempDir()
	data := write(t, dir, batches())
	// The copy that counts is the one of the last commit that wrote this page.
	at := bytes.LastIndex(data, []byte("sixsixsix"))
	data[at] ^= 1
	if err := os.WriteFile(filepath.Join(dir, File), data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := recovered(dir)
	if err == nil || !strings.Contains(err.Error(), "batch of entry 4") || !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a spoilt entry: %v", err)
	}
}

// FuzzOpen opens a log of which some bytes were replaced: it is refused, or it
// gives whole batches.
func FuzzOpen(f *testing.F) {
	good := write(f, f.TempDir(), batches())
	want := flat(batches())
	f.Add(uint32(0), []byte{1})
	f.Add(uint32(5*smallPage), []byte("xxxxxxxx"))
	f.Fuzz(func(t *testing.T, at uint32, by []byte) {
		dir := t.TempDir()
		data := bytes.Clone(good)
		copy(data[int(at)%len(data):], by)
		if err := os.WriteFile(filepath.Join(dir, File), data, 0o600); err != nil {
			t.Fatal(err)
		}
		entries, _, err := recovered(dir)
		if err == nil && !slices.Equal(entries, want) && !slices.Equal(entries, want[:3]) {
			t.Errorf("entries %.60q", entries)
		}
	})
}
