package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/server"
)

var (
	errForbidden    = problem.New(problem.Forbidden, "this is not yours")
	errUnauthorized = problem.New(problem.Unauthorized, "who are you")
)

// Every endpoint asks, with the right verb and name, and does nothing when the
// answer is no.
func TestAuthorize(t *testing.T) {
	var asked string
	var answer error
	a := newAPI(t, server.Options{Authorize: func(_ *http.Request, verb, repository string) error {
		asked = verb + " " + repository
		return answer
	}})
	loc := a.start()
	d := digest.FromString("x")
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v2/", "", "ping "},
		{"GET", "/v2/_oci/ext/discover", "", "ping "},
		{"GET", "/v2/_catalog", "", "catalog "},
		{"GET", "/v2/" + repo + "/tags/list", "", "pull " + repo},
		{"GET", "/v2/" + repo + "/referrers/" + d.String(), "", "pull " + repo},
		{"GET", manifestURL("x"), "", "pull " + repo},
		{"PUT", manifestURL("x"), `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`, "push " + repo},
		{"DELETE", manifestURL("x"), "", "delete " + repo},
		{"GET", blobURL(d), "", "pull " + repo},
		{"DELETE", blobURL(d), "", "delete " + repo},
		{"POST", uploads, "", "push " + repo},
		{"POST", uploads + "?digest=" + d.String(), "x", "push " + repo},
		{"GET", loc, "", "push " + repo},
		{"PATCH", loc, "x", "push " + repo},
		{"PUT", loc + "?digest=" + d.String(), "x", "push " + repo},
		{"DELETE", loc, "", "push " + repo},
	} {
		answer = errForbidden
		a.want(http.StatusForbidden, "DENIED", c.method, c.path, c.body)
		if asked != c.want {
			t.Errorf("%s %s asked for %q, want %q", c.method, c.path, asked, c.want)
		}
		answer = errUnauthorized
		a.want(http.StatusUnauthorized, "UNAUTHORIZED", c.method, c.path, c.body).
			wantHeader(t, "WWW-Authenticate", server.DefaultChallenge)
	}
	answer = nil
	a.want(http.StatusNotFound, "NAME_UNKNOWN", "GET", "/v2/"+repo+"/tags/list", "")
	a.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", blobURL(d), "")
	a.want(http.StatusNoContent, "", "GET", loc, "").wantHeader(t, "Range", "0-0")
}

func TestEvents(t *testing.T) {
	var got []server.Event
	a := newAPI(t, server.Options{OnPush: func(e server.Event) { got = append(got, e) }})
	d, body := a.packageManifest(1)
	event := server.Event{Repository: repo, Digest: d.Digest.String(), MediaType: d.MediaType, ArtifactType: registry.PackageArtifactType}
	tagged := func(tag string) server.Event { e := event; e.Tag = tag; return e }
	a.want(http.StatusCreated, "", "PUT", manifestURL(d.Digest.String()), body, "Content-Type", d.MediaType)
	a.want(http.StatusCreated, "", "PUT", manifestURL("1.0.0"), body, "Content-Type", d.MediaType)
	a.want(http.StatusBadRequest, "MANIFEST_INVALID", "PUT", manifestURL("2.0.0"), body[1:], "Content-Type", d.MediaType)
	if err := a.s.Repository(repo).Tag(t.Context(), d, "latest"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]server.Event{event, tagged("1.0.0"), tagged("latest")}, got); diff != "" {
		t.Errorf("events, -want +got:\n%s", diff)
	}
}

func TestRestart_keepsAll(t *testing.T) {
	root := t.TempDir()
	open := func() api {
		s, err := server.New(server.Options{Root: root})
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		return api{t: t, s: s}
	}
	closeServer := func(a api) {
		t.Helper()
		if err := a.s.Close(t.Context()); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	a := open()
	m, _ := a.putManifest("one", "v1")
	d := a.push(long)
	p, body := a.packageManifest(1)
	a.want(http.StatusCreated, "", "PUT", manifestURL("1.0.0"), body, "Content-Type", p.MediaType)
	loc := a.start()
	a.want(http.StatusAccepted, "", "PATCH", loc, "0123456789")
	closeServer(a)

	a = open()
	defer func() { closeServer(a) }()
	a.want(http.StatusOK, "", "GET", manifestURL("v1"), "").wantHeader(t, "Docker-Content-Digest", m.Digest.String())
	if got := a.want(http.StatusOK, "", "GET", blobURL(d), ""); got.body != long {
		t.Error("blob has other content after a restart")
	}
	_, other := a.packageManifest(2)
	a.want(http.StatusConflict, "DENIED", "PUT", manifestURL("1.0.0"), other, "Content-Type", p.MediaType)
	a.want(http.StatusNoContent, "", "GET", loc, "").wantHeader(t, "Range", "0-9")
	a.want(http.StatusAccepted, "", "PATCH", loc, "abc", "Content-Range", "10-12")
	a.want(http.StatusCreated, "", "PUT", loc+"?digest="+digest.FromString("0123456789abc").String(), "")
	names, err := a.s.Repositories(t.Context())
	if err != nil || !cmp.Equal(names, []string{repo}) {
		t.Errorf("Repositories = %q, %v", names, err)
	}
}

func TestNew_refuses(t *testing.T) {
	if _, err := server.New(server.Options{}); !problem.Is(err, problem.Invalid) {
		t.Errorf("New without a directory = %v, want class invalid", err)
	}
	root := t.TempDir()
	newServer(t, server.Options{Root: root})
	if _, err := server.New(server.Options{Root: root}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("New on a directory in use = %v, want class unavailable", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "VERSION"), []byte("universe-registry 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(server.Options{Root: other}); !problem.Is(err, problem.Invalid) {
		t.Errorf("New on a directory of a later layout = %v, want class invalid", err)
	}
}

func TestClose(t *testing.T) {
	a := newAPI(t, server.Options{})
	if err := a.s.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if r := a.want(http.StatusServiceUnavailable, "UNKNOWN", "GET", "/v2/", ""); r.header.Get("Retry-After") == "" {
		t.Error("503 has no Retry-After")
	}
	if _, err := a.s.Repository(repo).Tags(t.Context()); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Tags after Close = %v, want class unavailable", err)
	}
	if err := a.s.Close(t.Context()); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestClose_waitsForRequests(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	a := newAPI(t, server.Options{Authorize: func(*http.Request, string, string) error {
		once.Do(func() { close(entered); <-release })
		return nil
	}})
	var wg sync.WaitGroup
	wg.Go(func() { a.call("GET", "/v2/_catalog", "") })
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.s.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close with a request running = %v, want that its context ended", err)
	}
	close(release)
	wg.Wait()
}

func TestLimits(t *testing.T) {
	a := newAPI(t, server.Options{Limits: server.Limits{BlobBytes: 20_000, Sessions: 2}})
	d := digest.FromString(long)
	for _, headers := range [][]string{nil, {"Transfer-Encoding", "chunked"}} {
		a.want(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "POST", uploads+"?digest="+d.String(), long, headers...)
	}
	loc := a.start()
	a.want(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "PUT", loc+"?digest="+d.String(), long)
	a.want(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "PATCH", loc, long, "Transfer-Encoding", "chunked")
	a.start()
	if r := a.want(http.StatusTooManyRequests, "TOOMANYREQUESTS", "POST", uploads, ""); r.header.Get("Retry-After") == "" {
		t.Error("429 has no Retry-After")
	}
	a.want(http.StatusNoContent, "", "DELETE", loc, "")
	a.start()
}

// A client that stops sending is cut off, and what it sent is kept.
func TestIdleBody(t *testing.T) {
	s := newServer(t, server.Options{Durability: server.DurabilityOff, Limits: server.Limits{BodyIdle: 50 * time.Millisecond}})
	host := serve(t, s)
	a := api{t: t, s: s}
	loc := a.start()
	for _, c := range []struct {
		what, path string
		status     int
	}{
		{"an upload", loc, http.StatusRequestTimeout},
		{"a request whose content nobody reads", uploads + "x", http.StatusNotFound},
	} {
		var dialer net.Dialer
		conn := must(dialer.DialContext(t.Context(), "tcp", host))(t, "dial")
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n0123456789", c.path, host); err != nil {
			t.Fatal(err)
		}
		resp := must(http.ReadResponse(bufio.NewReader(conn), nil))(t, "reply to "+c.what+" that stands still")
		body := must(io.ReadAll(resp.Body))(t, "read reply")
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s that stands still = %d %s, want %d", c.what, resp.StatusCode, body, c.status)
		}
	}
	a.want(http.StatusNoContent, "", "GET", loc, "").wantHeader(t, "Range", "0-9")
}

// A blob whose bytes are gone is not claimed, so that a client brings it back.
func TestLostBlob_comesBack(t *testing.T) {
	root := t.TempDir()
	a := newAPI(t, server.Options{Root: root})
	d := a.push(long)
	path := filepath.Join(root, "blobs", "sha256", d.Encoded()[:2], d.Encoded())
	for what, harm := range map[string]func() error{
		"removed": func() error { return os.Remove(path) },
		"cut":     func() error { return errors.Join(os.Chmod(path, 0o600), os.Truncate(path, 5)) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		a.want(http.StatusNotFound, "", "HEAD", blobURL(d), "")
		a.want(http.StatusNotFound, "BLOB_UNKNOWN", "GET", blobURL(d), "")
		a.push(long)
		if got := a.want(http.StatusOK, "", "GET", blobURL(d), ""); got.body != long {
			t.Errorf("blob that was %s has other content", what)
		}
	}
}

// Two writers of one upload: the second is refused and nothing is mixed.
func TestUpload_oneWriterAtATime(t *testing.T) {
	s := newServer(t, server.Options{Durability: server.DurabilityOff})
	a := api{t: t, s: s}
	url, loc := "http://"+serve(t, s), a.start()
	pr, pw := io.Pipe()
	req := must(http.NewRequestWithContext(t.Context(), http.MethodPatch, url+loc, pr))(t, "request")
	status := make(chan int, 1)
	go func() {
		resp, err := newClient(t).Do(req)
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	// More than all buffers on the way hold: when it is written, the server is
	// reading it, and so the first request has the upload.
	content := strings.Repeat("0123456789", 4<<20)
	if _, err := io.WriteString(pw, content); err != nil {
		t.Fatalf("first PATCH ended early: %v", err)
	}
	a.want(http.StatusConflict, "BLOB_UPLOAD_INVALID", "GET", loc, "")
	a.want(http.StatusConflict, "BLOB_UPLOAD_INVALID", "PATCH", loc, "x")
	if err := pw.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != http.StatusAccepted {
		t.Errorf("first PATCH = %d, want 202", got)
	}
	a.want(http.StatusCreated, "", "PUT", loc+"?digest="+digest.FromString(content).String(), "")
}

func TestRepository_badName(t *testing.T) {
	s := newServer(t, server.Options{Durability: server.DurabilityOff})
	store := s.Repository("../../etc")
	_, err := store.Resolve(t.Context(), "x")
	for what, err := range map[string]error{
		"Resolve": err,
		"Push":    store.Push(t.Context(), registrytest.Blob("x"), strings.NewReader("x")),
		"Tag":     store.Tag(t.Context(), registrytest.Blob("x"), "x"),
	} {
		if !problem.Is(err, problem.Invalid) {
			t.Errorf("%s in a repository with a bad name = %v, want class invalid", what, err)
		}
	}
}
