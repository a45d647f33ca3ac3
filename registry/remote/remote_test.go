package remote_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/remote"
	"github.com/universe-dcos/universe/registry/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve puts a handler on a loopback port and gives a Ref to its repository
// data/spark and a client of the test's own.
func serve(t *testing.T, h http.Handler) (registry.Ref, *http.Client) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return registry.Ref{Host: strings.TrimPrefix(s.URL, "http://"), Repository: "data/spark"}, &http.Client{Transport: tr}
}

func newServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.New(server.Options{Root: t.TempDir(), Durability: server.DurabilityOff})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}

func open(t *testing.T, ref registry.Ref, o remote.Options) *remote.Repository {
	t.Helper()
	r, err := remote.Open(ref, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return r
}

// withBasic asks for a user and password before the registry is reached.
func withBasic(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, ok := r.BasicAuth(); !ok || user != "ann" || pass != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func dockerConfig(t *testing.T, host string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	text := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("ann:secret")))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCredentials(t *testing.T) {
	ref, client := serve(t, withBasic(newServer(t)))
	good := open(t, ref, remote.Options{Client: client, DockerConfig: dockerConfig(t, ref.Host)})
	m := registrytest.PushManifest(t, good, "one", nil)
	if err := good.Tag(t.Context(), m, "v1"); err != nil {
		t.Fatalf("Tag: %v", err)
	}
	for what, o := range map[string]remote.Options{
		"anonymous":               {Client: client, Anonymous: true},
		"another host's":          {Client: client, DockerConfig: dockerConfig(t, "registry.example.com")},
		"no configuration's file": {Client: client, DockerConfig: filepath.Join(t.TempDir(), "absent.json")},
	} {
		_, err := open(t, ref, o).Resolve(t.Context(), "v1")
		if !problem.Is(err, problem.Unauthorized) || problem.Of(err).Hint == "" {
			t.Errorf("Resolve with %s credentials = %v, want class unauthenticated and a hint", what, err)
		}
	}
	broken := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Open(ref, remote.Options{DockerConfig: broken}); !problem.Is(err, problem.Invalid) {
		t.Errorf("Open with a broken configuration = %v, want class invalid", err)
	}
}

// A bearer token is fetched from the registry's own realm, with the scope.
func TestCredentials_bearer(t *testing.T) {
	s := newServer(t)
	var scopes atomic.Value
	ref, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			scopes.Store(r.URL.Query().Get("scope"))
			fmt.Fprint(w, `{"token":"t0k3n","expires_in":300}`)
		case r.Header.Get("Authorization") != "Bearer t0k3n":
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test",scope="repository:data/spark:pull,push"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			s.ServeHTTP(w, r)
		}
	}))
	registrytest.PushManifest(t, open(t, ref, remote.Options{Client: client, Anonymous: true}), "one", nil)
	if got, _ := scopes.Load().(string); !strings.Contains(got, "repository:data/spark:pull,push") {
		t.Errorf("token asked for with scope %q", got)
	}
}

func TestScheme(t *testing.T) {
	var scheme string
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		scheme = r.URL.Scheme
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: r}, nil
	})}
	for _, c := range []struct {
		host string
		o    remote.Options
		want string
	}{
		{"registry.example.com", remote.Options{}, "https"},
		{"10.0.0.1:5000", remote.Options{}, "https"},
		{"10.0.0.1:5000", remote.Options{PlainHTTP: true}, "http"},
		{"127.0.0.1:5000", remote.Options{}, "http"},
		{"localhost:5000", remote.Options{TLS: true}, "https"},
	} {
		c.o.Client, c.o.Anonymous = client, true
		_, err := open(t, registry.Ref{Host: c.host, Repository: "a"}, c.o).Resolve(t.Context(), "x")
		if !problem.Is(err, problem.NotFound) || scheme != c.want {
			t.Errorf("%s with %+v: %s, %v, want %s", c.host, c.o, scheme, err, c.want)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestErrors_haveClassAndPlace(t *testing.T) {
	status := 0
	ref, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, `{"errors":[{"code":"X","message":"because"}]}`)
	}))
	repo := open(t, ref, remote.Options{Client: client, Anonymous: true})
	for code, want := range map[int]problem.Class{
		400: problem.Invalid, 401: problem.Unauthorized, 403: problem.Forbidden, 404: problem.NotFound, 409: problem.Exists,
		413: problem.TooLarge, 429: problem.RateLimited, 500: problem.Unavailable, 503: problem.Unavailable, 507: problem.Unavailable,
	} {
		status = code
		err := repo.Push(t.Context(), registrytest.Blob("x"), strings.NewReader("x"))
		if !problem.Is(err, want) || !strings.Contains(err.Error(), ref.Name()) {
			t.Errorf("Push answered %d = %v of class %q, want class %q and the name", code, err, problem.Of(err).Class, want)
		}
	}
	down := httptest.NewServer(nil)
	down.Close()
	gone := registry.Ref{Host: strings.TrimPrefix(down.URL, "http://"), Repository: "a"}
	_, err := open(t, gone, remote.Options{Client: client, Anonymous: true}).Resolve(t.Context(), "x")
	if !problem.Is(err, problem.Unavailable) || problem.Of(err).Hint == "" {
		t.Errorf("Resolve at a registry that is down = %v, want class unavailable and a hint", err)
	}
	_, err = open(t, ref, remote.Options{Client: client, Anonymous: true, TLS: true}).Resolve(t.Context(), "x")
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(problem.Of(err).Hint, "TLS") {
		t.Errorf("Resolve by TLS at a plain registry = %v, want class unavailable and a hint", err)
	}
}

// A registry that lies is found out.
func TestRead_isVerified(t *testing.T) {
	ref, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, "wrong")
		}
	}))
	repo := open(t, ref, remote.Options{Client: client, Anonymous: true})
	if b, err := registry.ReadBlob(t.Context(), repo, registrytest.Blob("right"), 100); !problem.Is(err, problem.Invalid) {
		t.Errorf("ReadBlob of other content = %q, %v, want class invalid", b, err)
	}
	big := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("x"), Size: registry.MaxManifestBytes + 1}
	if err := repo.Push(t.Context(), big, strings.NewReader("x")); !problem.Is(err, problem.TooLarge) {
		t.Errorf("Push of a manifest over the limit = %v, want class too_large", err)
	}
}

func TestMount(t *testing.T) {
	s := newServer(t)
	ref, client := serve(t, s)
	a := open(t, ref, remote.Options{Client: client, Anonymous: true})
	ref.Repository = "data/other"
	b := open(t, ref, remote.Options{Client: client, Anonymous: true})
	d := registrytest.Blob("text")
	if err := a.Push(t.Context(), d, strings.NewReader("text")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		desc ocispec.Descriptor
		want bool
	}{{d, true}, {registrytest.Blob("absent"), false}} {
		if got, err := b.Mount(t.Context(), c.desc, "data/spark"); err != nil || got != c.want {
			t.Errorf("Mount of %s = %v, %v, want %v", c.desc.Digest, got, err, c.want)
		}
	}
	if has, err := b.Exists(t.Context(), d); err != nil || !has {
		t.Errorf("Exists after Mount = %v, %v", has, err)
	}
	if _, err := b.Mount(t.Context(), d, "../x"); !problem.Is(err, problem.Invalid) {
		t.Errorf("Mount from a bad name = %v, want class invalid", err)
	}
}
