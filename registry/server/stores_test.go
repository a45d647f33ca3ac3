package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

func testBolt(t *testing.T) *Bolt {
	t.Helper()
	b, err := OpenBolt(filepath.Join(t.TempDir(), "meta.db"), DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// Updates that come while a commit is under way are committed together; one
// that fails, even after it wrote something, undoes only itself.
func TestBolt_groupCommit(t *testing.T) {
	b := testBolt(t)
	errBad := errors.New("bad")
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var once sync.Once
		if err := b.Update(func(tx MetaTx) error {
			once.Do(func() { close(inside); <-release })
			return tx.Put(TableTags, []byte("first"), []byte("v"))
		}); err != nil {
			t.Errorf("first update: %v", err)
		}
	})
	<-inside
	const n = 40
	for i := range n {
		wg.Go(func() {
			err := b.Update(func(tx MetaTx) error {
				if i%4 == 1 {
					return errBad // without writing
				}
				if err := tx.Put(TableTags, fmt.Appendf(nil, "k%02d", i), []byte("v")); err != nil {
					return err
				}
				switch i % 4 {
				case 2:
					return errBad
				case 3:
					if i == 3 {
						panic("oops")
					}
				}
				return nil
			})
			wantErr := i%4 == 1 || i%4 == 2 || i == 3
			if (err != nil) != wantErr {
				t.Errorf("update %d = %v, want an error: %v", i, err, wantErr)
			}
		})
	}
	for { // until all wait behind the first
		b.mu.Lock()
		waiting := len(b.queue)
		b.mu.Unlock()
		if waiting == n {
			break
		}
	}
	close(release)
	wg.Wait()
	var got, want []string
	for i := range n {
		if i%4 == 0 || (i%4 == 3 && i != 3) {
			want = append(want, fmt.Sprintf("k%02d", i))
		}
	}
	if err := b.View(func(tx MetaTx) (err error) {
		got, _, err = list(tx, TableTags, []byte("k"), "", 100)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = "k" + got[i]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys, -want +got:\n%s", diff)
	}
}

func TestBolt_scan(t *testing.T) {
	b := testBolt(t)
	if err := b.Update(func(tx MetaTx) error {
		for _, k := range []string{"a", "b", "b1", "b2", "b3", "c"} {
			if err := tx.Put(TableTags, []byte(k), []byte("v")); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ prefix, after, want string }{
		{"", "", "a b b1 b2 b3 c"}, {"b", "", "b b1 b2 b3"}, {"b", "b1", "b2 b3"}, {"b", "b15", "b2 b3"}, {"b", "a", "b b1 b2 b3"},
		{"b", "c", ""}, {"x", "", ""}, {"", "b3", "c"},
	} {
		var got []string
		if err := b.View(func(tx MetaTx) error {
			var after []byte
			if c.after != "" {
				after = []byte(c.after)
			}
			return tx.Scan(TableTags, []byte(c.prefix), after, func(k, _ []byte) (bool, error) {
				got = append(got, string(k))
				return true, nil
			})
		}); err != nil {
			t.Fatal(err)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("Scan of %q after %q = %q, want %q", c.prefix, c.after, s, c.want)
		}
	}
}

func testDisk(t *testing.T) *Disk {
	t.Helper()
	k, err := OpenDisk(t.TempDir(), Durable, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestDisk_append(t *testing.T) {
	k := testDisk(t)
	ctx := t.Context()
	const id = "upload"
	for _, c := range []struct {
		offset  int64
		text    string
		content string
	}{{0, "hello world", "hello world"}, {5, "!", "hello!"}, {6, " more", "hello! more"}, {0, "", ""}, {0, "x", "x"}} {
		n, err := k.Append(ctx, id, c.offset, strings.NewReader(c.text))
		if err != nil || n != int64(len(c.text)) {
			t.Fatalf("Append(%d, %q) = %d, %v", c.offset, c.text, n, err)
		}
		rc, err := k.OpenUpload(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(rc)
		if err = errors.Join(err, rc.Close()); err != nil || string(got) != c.content {
			t.Fatalf("upload holds %q, %v, want %q", got, err, c.content)
		}
	}
	broken := errors.New("broken")
	n, err := k.Append(ctx, id, 1, io.MultiReader(strings.NewReader("yz"), &errReader{broken}))
	if n != 2 || !errors.Is(err, broken) {
		t.Errorf("Append from a source that breaks = %d, %v, want the 2 bytes and its error", n, err)
	}
	if infos, err := k.Uploads(ctx); err != nil || len(infos) != 1 || infos[0].ID != id || infos[0].Size != 3 {
		t.Errorf("Uploads = %v, %v, want %q with 3 bytes", infos, err, id)
	}
	d := digest.FromString("xyz")
	if err := k.Commit(ctx, id, 4, d); err == nil {
		t.Error("Commit of more bytes than there are succeeds")
	}
	if _, err := k.Stat(ctx, d); !isNotExist(err) {
		t.Errorf("Stat after a failed Commit = %v, want that it does not exist", err)
	}
}

type errReader struct{ err error }

func (r *errReader) Read([]byte) (int, error) { return 0, r.err }

func TestSessions_idleOnesAreDropped(t *testing.T) {
	k := testDisk(t)
	ctx := t.Context()
	limits := Limits{SessionIdle: time.Hour}.withDefaults()
	ss, err := openSessions(k, limits)
	if err != nil {
		t.Fatal(err)
	}
	old, busy, fresh, empty := mustStart(t, ss), mustStart(t, ss), mustStart(t, ss), mustStart(t, ss)
	for _, u := range []*session{old, busy, fresh} {
		if _, err := u.write(ctx, k, strings.NewReader("data"), 100); err != nil {
			t.Fatal(err)
		}
	}
	later := now().Add(2 * time.Hour)
	fresh.touched = later
	recent := later.Add(-30 * time.Minute)
	kept := mustStart(t, ss)
	if _, err := kept.write(ctx, k, strings.NewReader("data"), 100); err != nil {
		t.Fatal(err)
	}
	kept.touched, empty.touched = recent, recent
	if _, err := ss.take("a", busy.id); err != nil {
		t.Fatal(err)
	}
	if err := ss.sweep(ctx, later); err != nil {
		t.Fatal(err)
	}
	ss.release(busy)
	for u, want := range map[*session]bool{old: false, busy: true, fresh: true, kept: true, empty: false} {
		_, err := ss.take("a", u.id)
		if (err == nil) != want {
			t.Errorf("take after the sweep = %v, want the upload: %v", err, want)
		}
	}
	if infos, err := k.Uploads(ctx); err != nil || len(infos) != 3 {
		t.Errorf("files after the sweep: %v, %v, want 3", infos, err)
	}
	// After a restart the files' times decide.
	again, err := openSessions(k, Limits{SessionIdle: time.Nanosecond}.withDefaults())
	if err != nil || len(again.open) != 0 {
		t.Errorf("%d idle uploads after a restart, %v, want none", len(again.open), err)
	}
}

func mustStart(t *testing.T, ss *sessions) *session {
	t.Helper()
	u, err := ss.start(context.Background(), "a", digest.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
