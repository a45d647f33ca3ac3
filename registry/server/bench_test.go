package server_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/server"
)

// The figures of design §8: durable mode, over HTTP on loopback, client in the
// same process, keep-alive, 8 clients (large blobs: 2).
const (
	benchClients      = 8
	benchLargeClients = 2
	benchSmall        = 4 << 10
	benchLarge        = 100 << 20
	benchName         = "bench/data"
)

// bench is a registry over HTTP with one repository.
type bench struct {
	server *server.Server
	url    string
	client *http.Client
}

func newBench(b *testing.B, tags int) *bench {
	b.Helper()
	s := newServer(b, server.Options{})
	h := httptest.NewServer(s)
	b.Cleanup(h.Close)
	k := &bench{server: s, url: h.URL + "/v2/" + benchName, client: newClient(b)}
	store := s.Repository(benchName)
	for first := 0; first < tags; first += 100 { // in parallel: commits are shared
		var wg sync.WaitGroup
		for i := first; i < min(first+100, tags); i++ {
			wg.Go(func() {
				m, body, err := benchManifest(i)
				if err == nil {
					err = store.Push(b.Context(), m, bytes.NewReader(body))
				}
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
func benchManifest(i int) (ocispec.Descriptor, []byte, error) {
	body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[],"annotations":{"n":"%d","pad":%q}}`,
		ocispec.MediaTypeImageIndex, i, strings.Repeat("x", 400))
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(body), Size: int64(len(body))}, body, nil
}

// run spreads b.N operations over clients and reports the rate.
func (k *bench) run(b *testing.B, clients int, op func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				if err := op(int(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "ops/s")
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

func (k *bench) pushBlob(data []byte) error {
	resp, err := k.do(http.MethodPost, k.url+"/blobs/uploads/", nil, "", http.StatusAccepted)
	if err != nil {
		return err
	}
	loc, err := resp.Location()
	if err != nil {
		return err
	}
	loc.RawQuery = "digest=" + digest.FromBytes(data).String()
	_, err = k.do(http.MethodPut, loc.String(), bytes.NewReader(data), "application/octet-stream", http.StatusCreated)
	return err
}

// smallBlob makes content that differs with i.
func smallBlob(i int) []byte {
	b := make([]byte, benchSmall)
	binary.LittleEndian.PutUint64(b, uint64(i)+1)
	return b
}

func forTags(b *testing.B, f func(b *testing.B, tags int)) {
	b.Helper()
	for _, tags := range []int{100, 1000, 100_000} {
		if tags > 1000 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprintf("tags=%d", tags), func(b *testing.B) { f(b, tags) })
	}
}

func BenchmarkPushSmall(b *testing.B) {
	forTags(b, func(b *testing.B, tags int) {
		k := newBench(b, tags)
		var n atomic.Int64
		k.run(b, benchClients, func(int) error { return k.pushBlob(smallBlob(int(n.Add(1)))) })
	})
}

func BenchmarkHead(b *testing.B) {
	forTags(b, func(b *testing.B, tags int) {
		k := newBench(b, tags)
		data := smallBlob(0)
		if err := k.pushBlob(data); err != nil {
			b.Fatal(err)
		}
		url := k.url + "/blobs/" + digest.FromBytes(data).String()
		k.run(b, benchClients, func(int) error {
			_, err := k.do(http.MethodHead, url, nil, "", http.StatusOK)
			return err
		})
	})
}

func BenchmarkGetSmall(b *testing.B) {
	forTags(b, func(b *testing.B, tags int) {
		k := newBench(b, tags)
		const blobs = 64
		urls := make([]string, blobs)
		for i := range urls {
			if err := k.pushBlob(smallBlob(i)); err != nil {
				b.Fatal(err)
			}
			urls[i] = k.url + "/blobs/" + digest.FromBytes(smallBlob(i)).String()
		}
		k.run(b, benchClients, func(i int) error {
			_, err := k.do(http.MethodGet, urls[i%blobs], nil, "", http.StatusOK)
			return err
		})
	})
}

func BenchmarkPutManifest(b *testing.B) {
	forTags(b, func(b *testing.B, tags int) {
		k := newBench(b, tags)
		k.run(b, benchClients, func(i int) error {
			m, body, err := benchManifest(1_000_000 + i)
			if err != nil {
				return err
			}
			_, err = k.do(http.MethodPut, fmt.Sprintf("%s/manifests/2.0.%d", k.url, i), bytes.NewReader(body), m.MediaType, http.StatusCreated)
			return err
		})
	})
}

func BenchmarkGetManifest(b *testing.B) {
	forTags(b, func(b *testing.B, tags int) {
		k := newBench(b, tags)
		k.run(b, benchClients, func(i int) error {
			_, err := k.do(http.MethodGet, k.url+"/manifests/"+benchTag(i*7919%tags), nil, "", http.StatusOK)
			return err
		})
	})
}

func BenchmarkTagsList(b *testing.B) {
	forTags(b, func(b *testing.B, tags int) {
		k := newBench(b, tags)
		k.run(b, benchClients, func(int) error {
			_, err := k.do(http.MethodGet, k.url+"/tags/list?n=1000", nil, "", http.StatusOK)
			return err
		})
	})
}

func BenchmarkPushLarge(b *testing.B) {
	k := newBench(b, 1)
	var n atomic.Int64
	free := make(chan []byte, benchLargeClients)
	for range benchLargeClients {
		free <- make([]byte, benchLarge)
	}
	b.SetBytes(benchLarge)
	k.run(b, benchLargeClients, func(int) error {
		d := <-free
		defer func() { free <- d }()
		binary.LittleEndian.PutUint64(d, uint64(n.Add(1)))
		return k.pushBlob(d)
	})
}

func BenchmarkGetLarge(b *testing.B) {
	k := newBench(b, 1)
	text := string(make([]byte, benchLarge))
	d := registrytest.Blob(text)
	if err := k.server.Repository(benchName).Push(b.Context(), d, strings.NewReader(text)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchLarge)
	k.run(b, benchLargeClients, func(int) error {
		_, err := k.do(http.MethodGet, k.url+"/blobs/"+d.Digest.String(), nil, "", http.StatusOK)
		return err
	})
}
