package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry/server"
)

// The figures registry.*: durable mode, over HTTP on loopback, client and
// registry in one process, keep-alive. raw_* are what the disk and the loopback
// give in the same run, to read the others against.
const (
	benchClients      = 8 // small operations
	benchLargeClients = 2
	benchSmall        = 4 << 10
	benchFile         = 32 << 10 // a blob that needs a file
	benchLarge        = 100 << 20
	benchName         = "bench/data"
)

// bench is a registry over HTTP with one repository.
type bench struct {
	server *server.Server
	url    string
	client *http.Client
	next   atomic.Int64 // content that differs
}

func newBench(b *testing.B, tags int) *bench {
	b.Helper()
	s := newServer(b, server.Options{})
	h := httptest.NewServer(s)
	b.Cleanup(h.Close)
	k := &bench{server: s, url: h.URL + "/v2/" + benchName, client: newClient(b)}
	store := s.Repository(benchName)
	const side = 200 // at a time: commits are shared
	for first := 0; first < tags; first += side {
		var wg sync.WaitGroup
		for i := first; i < min(first+side, tags); i++ {
			wg.Go(func() {
				m, body := benchManifest(int64(i))
				err := store.Push(b.Context(), m, bytes.NewReader(body))
				if err == nil {
					err = store.Tag(b.Context(), m, benchTag(i))
				}
				if err != nil {
					b.Errorf("set up tag %d: %v", i, err)
				}
			})
		}
		wg.Wait()
	}
	return k
}

func benchTag(i int) string { return fmt.Sprintf("1.0.%d", i) }

// benchManifest is an index of nothing: it needs no blobs.
func benchManifest(i int64) (ocispec.Descriptor, []byte) {
	body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[],"annotations":{"n":"%d","pad":%q}}`,
		ocispec.MediaTypeImageIndex, i, strings.Repeat("x", 400))
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(body), Size: int64(len(body))}, body
}

// figure measures op as a sub-benchmark and prints it for docs/benchmarks.md.
// bytes is the size of an operation for a figure in MB/s, 0 for one in /s.
func figure(b *testing.B, name string, clients int, bytes int64, op func() error) {
	b.Helper()
	var rate float64
	b.Run(name, func(b *testing.B) {
		b.SetBytes(bytes)
		b.SetParallelism(max(clients/runtime.GOMAXPROCS(0), 1))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := op(); err != nil {
					b.Error(err)
				}
			}
		})
		rate = float64(b.N) / b.Elapsed().Seconds()
		b.ReportMetric(rate, "ops/s")
	})
	if bytes > 0 {
		fmt.Printf("figure registry.%s %.0f MB/s\n", name, rate*float64(bytes)/1e6)
		return
	}
	fmt.Printf("figure registry.%s %.0f /s\n", name, rate)
}

// do sends a request and checks the status.
func (k *bench) do(method, url string, body io.Reader, contentType string, want int) (*http.Response, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		return nil, fmt.Errorf("%s %s: status %d, want %d", method, url, resp.StatusCode, want)
	}
	return resp, nil
}

// get reads an address of the repository.
func (k *bench) get(method, path string) error {
	_, err := k.do(method, k.url+path, nil, "", http.StatusOK)
	return err
}

// pushBlob pushes as oras and containerd do.
func (k *bench) pushBlob(data []byte) (digest.Digest, error) {
	d := digest.FromBytes(data)
	return d, k.pushKnown(data, d)
}

func (k *bench) pushKnown(data []byte, d digest.Digest) error {
	resp, err := k.do(http.MethodPost, k.url+"/blobs/uploads/", nil, "", http.StatusAccepted)
	if err != nil {
		return err
	}
	loc, err := resp.Location()
	if err != nil {
		return err
	}
	loc.RawQuery = "digest=" + d.String()
	_, err = k.do(http.MethodPut, loc.String(), bytes.NewReader(data), "application/octet-stream", http.StatusCreated)
	return err
}

// fresh is content that no other call gives.
func (k *bench) fresh(n int) []byte {
	b := make([]byte, n)
	binary.LittleEndian.PutUint64(b, uint64(k.next.Add(1)))
	return b
}

func (k *bench) pushFresh(n int) func() error {
	return func() error { _, err := k.pushBlob(k.fresh(n)); return err }
}

func (k *bench) mustPush(b *testing.B, n int) string {
	b.Helper()
	d, err := k.pushBlob(k.fresh(n))
	if err != nil {
		b.Fatal(err)
	}
	return "/blobs/" + d.String()
}

func (k *bench) putFresh() error {
	n := k.next.Add(1)
	m, body := benchManifest(1_000_000 + n)
	_, err := k.do(http.MethodPut, fmt.Sprintf("%s/manifests/2.0.%d", k.url, n), bytes.NewReader(body), m.MediaType, http.StatusCreated)
	return err
}

func BenchmarkSmall(b *testing.B) {
	levels := []struct {
		name string
		tags int
	}{{"100", 100}, {"1k", 1000}, {"100k", 100_000}}
	if testing.Short() {
		levels = levels[:2]
	}
	figure(b, "raw_sync", benchClients, 0, rawSync(b, benchSmall))
	for _, l := range levels {
		k := newBench(b, l.tags)
		blob, file := k.mustPush(b, benchSmall), k.mustPush(b, benchFile)
		var i atomic.Int64
		figure(b, "push_small."+l.name, benchClients, 0, k.pushFresh(benchSmall))
		figure(b, "push_file."+l.name, benchClients, 0, k.pushFresh(benchFile))
		figure(b, "head."+l.name, benchClients, 0, func() error { return k.get(http.MethodHead, file) })
		figure(b, "get_small."+l.name, benchClients, 0, func() error { return k.get(http.MethodGet, blob) })
		figure(b, "get_file."+l.name, benchClients, 0, func() error { return k.get(http.MethodGet, file) })
		figure(b, "get_manifest."+l.name, benchClients, 0, func() error {
			return k.get(http.MethodGet, "/manifests/"+benchTag(int(i.Add(7919))%l.tags))
		})
		figure(b, "list_tags."+l.name, benchClients, 0, func() error { return k.get(http.MethodGet, "/tags/list?n=1000") })
		figure(b, "put_manifest."+l.name, benchClients, 0, k.putFresh)
	}
}

func BenchmarkLarge(b *testing.B) {
	k := newBench(b, 1)
	// The client's own hashing is not the registry's cost: only the last bytes
	// differ, and the hash of the others is kept.
	const head = benchLarge - 8
	prefix := sha256.New()
	free := make(chan []byte, benchLargeClients)
	for range benchLargeClients {
		free <- make([]byte, benchLarge)
	}
	prefix.Write(make([]byte, head))
	figure(b, "raw_write", benchLargeClients, benchLarge, rawSync(b, benchLarge))
	figure(b, "push_large", benchLargeClients, benchLarge, func() error {
		d := <-free
		defer func() { free <- d }()
		binary.LittleEndian.PutUint64(d[head:], uint64(k.next.Add(1)))
		h, err := prefix.(hash.Cloner).Clone()
		if err != nil {
			return err
		}
		h.Write(d[head:])
		return k.pushKnown(d, digest.NewDigest(digest.SHA256, h))
	})
	blob := k.mustPush(b, benchLarge)
	figure(b, "raw_http", benchLargeClients, benchLarge, rawHTTP(b))
	figure(b, "get_large", benchLargeClients, benchLarge, func() error { return k.get(http.MethodGet, blob) })
}

// rawSync writes a file of n bytes, syncs it and removes it.
func rawSync(b *testing.B, n int) func() error {
	b.Helper()
	dir := b.TempDir()
	data := make([]byte, n)
	var next atomic.Int64
	return func() error {
		path := filepath.Join(dir, fmt.Sprint(next.Add(1)))
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer os.Remove(path)
		defer f.Close()
		if _, err := f.Write(data); err != nil {
			return err
		}
		return f.Sync()
	}
}

// rawHTTP reads a file that net/http's own file server sends.
func rawHTTP(b *testing.B) func() error {
	b.Helper()
	path := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, benchLarge), 0o600); err != nil {
		b.Fatal(err)
	}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }))
	b.Cleanup(h.Close)
	k := &bench{url: h.URL, client: newClient(b)}
	return func() error { return k.get(http.MethodGet, "/") }
}
