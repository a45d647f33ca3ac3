package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	bolt "go.etcd.io/bbolt"

	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/server"
)

var errCrash = errors.New("crash")

// crash ends the world at its n-th step: from then on no write of either store
// happens. A step is a write of a store; each is tried before and after it is
// done, where the process may end too.
type crash struct {
	at   int64 // from 1; 0 for never
	late bool  // after the step is done
	n    atomic.Int64
}

func (c *crash) step(op func() error) error {
	switch n := c.n.Add(1); {
	case c.at == 0 || n < c.at:
		return op()
	case n == c.at && c.late:
		return errors.Join(op(), errCrash)
	}
	return errCrash
}

// crashMeta and crashBlobs put the steps in.
type crashMeta struct {
	server.MetaStore
	c *crash
}

func (m *crashMeta) Update(fn func(server.MetaTx) error) error {
	return m.c.step(func() error { return m.MetaStore.Update(fn) })
}

type crashBlobs struct {
	server.BlobStore
	c *crash
}

func (b *crashBlobs) Append(ctx context.Context, id string, offset int64, r io.Reader) (n int64, err error) {
	err = b.c.step(func() (err error) { n, err = b.BlobStore.Append(ctx, id, offset, r); return err })
	return n, err
}

func (b *crashBlobs) Commit(ctx context.Context, id string, size int64, d digest.Digest) error {
	return b.c.step(func() error { return b.BlobStore.Commit(ctx, id, size, d) })
}

func (b *crashBlobs) Abort(ctx context.Context, id string) error {
	return b.c.step(func() error { return b.BlobStore.Abort(ctx, id) })
}

// openCrashing opens a registry in root whose stores crash.
func openCrashing(t *testing.T, root string, c *crash) *server.Server {
	t.Helper()
	meta, err := server.OpenBolt(filepath.Join(root, "meta.db"), server.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := server.OpenDisk(root, server.DurabilityOff, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Options{Blobs: &crashBlobs{blobs, c}, Meta: &crashMeta{meta, c}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// publish pushes what a client pushes: two blobs, by session and in one piece,
// a manifest and a tag.
func publish(a api) error {
	for _, text := range []string{long, "config of one"} {
		d := digest.FromString(text)
		r := a.call("POST", uploads, "")
		loc := r.header.Get("Location")
		if len(text) > 1000 {
			r = a.call("PATCH", loc, text[:1000])
			text = text[1000:]
			if r.status != http.StatusAccepted {
				return fmt.Errorf("PATCH: %d", r.status)
			}
		}
		if r = a.call("PUT", loc+"?digest="+d.String(), text); r.status != http.StatusCreated {
			return fmt.Errorf("PUT: %d", r.status)
		}
	}
	m, body := registrytest.Manifest(a.t, "one", nil)
	if r := a.call("PUT", manifestURL("v1"), string(body), "Content-Type", m.MediaType); r.status != http.StatusCreated {
		return fmt.Errorf("PUT manifest: %d", r.status)
	}
	return nil
}

// Wherever the process ends during a push, what the registry shows after the
// next start is whole, and pushing again completes it.
func TestCrash_leavesNoBrokenLink(t *testing.T) {
	count := &crash{}
	s := openCrashing(t, t.TempDir(), count)
	if err := publish(api{t: t, s: s}); err != nil {
		t.Fatalf("publish: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	steps := count.n.Load()
	if steps < 6 {
		t.Fatalf("a push has %d steps; the test expects at least 6", steps)
	}
	for at := int64(1); at <= steps; at++ {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("step=%d,late=%v", at, late), func(t *testing.T) {
				root := t.TempDir()
				s := openCrashing(t, root, &crash{at: at, late: late})
				err := publish(api{t: t, s: s})
				if cerr := s.Close(t.Context()); cerr != nil {
					t.Fatal(cerr)
				}
				if err == nil && !late {
					t.Log("the client saw no failure") // the crash hit what it does not wait for
				}
				checkWhole(t, root, err == nil)
				again := newServer(t, server.Options{Root: root, Durability: server.DurabilityOff})
				if err := publish(api{t: t, s: again}); err != nil {
					t.Errorf("publish again: %v", err)
				}
			})
		}
	}
}

// checkWhole opens the registry and reads all it claims to have.
func checkWhole(t *testing.T, root string, published bool) {
	t.Helper()
	s, err := server.New(server.Options{Root: root, Durability: server.DurabilityOff})
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	a := api{t: t, s: s}
	for _, text := range []string{long, "config of one"} {
		d := digest.FromString(text)
		head := a.call("HEAD", blobURL(d), "")
		if head.status == http.StatusOK {
			if got := a.want(http.StatusOK, "", "GET", blobURL(d), ""); got.body != text {
				t.Errorf("blob of %d bytes is there with other content", len(text))
			}
		}
		if published && head.status != http.StatusOK {
			t.Errorf("blob of %d bytes was acknowledged and is lost", len(text))
		}
	}
	store := s.Repository(repo)
	if d, err := store.Resolve(t.Context(), "v1"); err == nil {
		if _, err := registry.ReadBlob(t.Context(), store, d, registry.MaxManifestBytes); err != nil {
			t.Errorf("tag without its manifest: %v", err)
		}
		if _, err := registry.ReadBlob(t.Context(), store, registrytest.Blob("config of one"), 100); err != nil {
			t.Errorf("manifest without its config: %v", err)
		}
	} else if published {
		t.Errorf("tag was acknowledged and is lost: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkLinks(t, root)
}

// checkLinks reads the database itself: every link has its bytes.
func checkLinks(t *testing.T, root string) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(root, "meta.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	blobs, err := server.OpenDisk(root, server.DurabilityOff, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(server.TableLinks)).ForEach(func(k, v []byte) error {
			_, d, _ := strings.Cut(string(k), "\x00")
			if strings.Contains(string(v), `"inline":true`) {
				if tx.Bucket([]byte(server.TableBodies)).Get([]byte(d)) == nil {
					t.Errorf("link %q has no bytes in the database", k)
				}
				return nil
			}
			if _, err := blobs.Stat(t.Context(), digest.Digest(d)); err != nil {
				t.Errorf("link %q has no bytes: %v", k, err)
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// A disk without room refuses before it takes anything.
func TestDiskFull(t *testing.T) {
	blobs, err := server.OpenDisk(t.TempDir(), server.DurabilityOff, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	full := &fullBlobs{BlobStore: blobs}
	meta, err := server.OpenBolt(filepath.Join(t.TempDir(), "meta.db"), server.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	a := api{t: t, s: newServer(t, server.Options{Blobs: full, Meta: meta})}
	d := digest.FromString(long)
	a.want(http.StatusInsufficientStorage, "INSUFFICIENT_STORAGE", "POST", uploads+"?digest="+d.String(), long)
	a.want(http.StatusInsufficientStorage, "INSUFFICIENT_STORAGE", "POST", uploads, "")
	full.free = server.DefaultFreeBytes + int64(len(long)) - 1
	loc := a.start()
	a.want(http.StatusInsufficientStorage, "INSUFFICIENT_STORAGE", "PUT", loc+"?digest="+d.String(), long)
	full.free++
	a.want(http.StatusCreated, "", "PUT", loc+"?digest="+d.String(), long) // the session was kept
}

type fullBlobs struct {
	server.BlobStore
	free int64
}

func (f *fullBlobs) FreeBytes() (int64, error) { return f.free, nil }

// shortBlobs loses the end of an upload's content once.
type shortBlobs struct {
	server.BlobStore
	lose int64
}

func (b *shortBlobs) Append(ctx context.Context, id string, offset int64, r io.Reader) (int64, error) {
	n, err := b.BlobStore.Append(ctx, id, offset, r)
	if lost := min(b.lose, n); lost > 0 {
		b.lose = 0
		return n - lost, errCrash
	}
	return n, err
}

// When the store kept less than it read, the upload goes on from what it kept,
// with the right digest.
func TestUpload_goesOnAfterAFailedWrite(t *testing.T) {
	root := t.TempDir()
	blobs, err := server.OpenDisk(root, server.DurabilityOff, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	meta, err := server.OpenBolt(filepath.Join(root, "meta.db"), server.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	a := api{t: t, s: newServer(t, server.Options{Blobs: &shortBlobs{BlobStore: blobs, lose: 3}, Meta: meta})}
	loc := a.start()
	a.want(http.StatusInternalServerError, "UNKNOWN", "PATCH", loc, "0123456789")
	a.want(http.StatusNoContent, "", "GET", loc, "").wantHeader(t, "Range", "0-6")
	d := digest.FromString("0123456abc")
	a.want(http.StatusCreated, "", "PUT", loc+"?digest="+d.String(), "abc", "Content-Range", "7-9")
	if got := a.want(http.StatusOK, "", "GET", blobURL(d), ""); got.body != "0123456abc" {
		t.Errorf("blob = %q", got.body)
	}
}
