package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/server"
)

// repo is the repository of most tests; its name holds the words of addresses.
const repo = "data/blobs/tags"

// api calls a registry in this process.
type api struct {
	t *testing.T
	s *server.Server
}

func newAPI(t *testing.T, o server.Options) api {
	t.Helper()
	o.Durability = server.DurabilityOff
	return api{t: t, s: newServer(t, o)}
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   string
}

// codes are the error codes of an answer, in order.
func (r reply) codes(t *testing.T) string {
	t.Helper()
	var doc struct {
		Errors []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil {
		t.Fatalf("error body %q: %v", r.body, err)
	}
	var out []string
	for _, e := range doc.Errors {
		if e.Message == "" {
			t.Errorf("error %s has no message", e.Code)
		}
		out = append(out, e.Code)
	}
	return strings.Join(out, " ")
}

// call sends a request. headers are pairs of name and value.
func (a api) call(method, path, body string, headers ...string) reply {
	a.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if req.Header.Get("Transfer-Encoding") == "chunked" { // a stream of unknown length
		req.Header.Del("Transfer-Encoding")
		req.ContentLength = -1
	}
	w := httptest.NewRecorder()
	a.s.ServeHTTP(w, req)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return reply{status: w.Code, header: w.Result().Header, body: string(b)}
}

// want sends a request and checks the status, and the error codes when the
// status is an error.
func (a api) want(status int, codes, method, path, body string, headers ...string) reply {
	a.t.Helper()
	r := a.call(method, path, body, headers...)
	if r.status != status {
		a.t.Fatalf("%s %s = %d %s, want %d", method, path, r.status, r.body, status)
	}
	if status >= 400 && method != http.MethodHead {
		if got := r.codes(a.t); got != codes {
			a.t.Fatalf("%s %s: codes %q, want %q (%s)", method, path, got, codes, r.body)
		}
	}
	return r
}

func (r reply) wantHeader(t *testing.T, name, want string) {
	t.Helper()
	if got := r.header.Get(name); got != want {
		t.Errorf("header %s is %q, want %q", name, got, want)
	}
}

func blobURL(d digest.Digest) string { return "/v2/" + repo + "/blobs/" + d.String() }

const uploads = "/v2/" + repo + "/blobs/uploads/"

// push stores a text as a blob and gives its digest.
func (a api) push(text string) digest.Digest {
	a.t.Helper()
	d := digest.FromString(text)
	a.want(http.StatusCreated, "", http.MethodPost, uploads+"?digest="+d.String(), text)
	return d
}

// start opens an upload and gives its address.
func (a api) start() string {
	a.t.Helper()
	return a.want(http.StatusAccepted, "", http.MethodPost, uploads, "").header.Get("Location")
}

// putManifest puts the manifest of that name, with its config.
func (a api) putManifest(name, reference string) (ocispec.Descriptor, reply) {
	a.t.Helper()
	a.push("config of " + name)
	d, body := registrytest.Manifest(a.t, name, nil)
	if reference == "" {
		reference = d.Digest.String()
	}
	return d, a.want(http.StatusCreated, "", http.MethodPut, manifestURL(reference), string(body), "Content-Type", d.MediaType)
}

func manifestURL(reference string) string { return "/v2/" + repo + "/manifests/" + reference }

func TestBase(t *testing.T) {
	a := newAPI(t, server.Options{})
	for _, path := range []string{"/v2/", "/v2"} {
		r := a.want(http.StatusOK, "", http.MethodGet, path, "")
		r.wantHeader(t, "Docker-Distribution-API-Version", "registry/2.0")
		r.wantHeader(t, "Content-Type", "application/json")
	}
	if r := a.want(http.StatusOK, "", http.MethodGet, "/v2/_oci/ext/discover", ""); r.body != `{"extensions":[]}` {
		t.Errorf("extensions = %s", r.body)
	}
	a.want(http.StatusNotFound, "UNSUPPORTED", http.MethodGet, "/v3/", "")
	a.want(http.StatusNotFound, "UNSUPPORTED", http.MethodGet, "/v2/nothing", "")
	r := a.want(http.StatusMethodNotAllowed, "UNSUPPORTED", http.MethodPost, manifestURL("1.0.0"), "")
	r.wantHeader(t, "Allow", "DELETE, GET, HEAD, PUT")
}

// A name that is not valid is refused by every method, before anything else.
func TestNames_areChecked(t *testing.T) {
	a := newAPI(t, server.Options{})
	d := digest.FromString("x").String()
	for _, name := range []string{"UPPER/x", "a//b", "../etc", "a/../b", "a/./b", "-a", "a-", "a..b", "a/", "/a", "a\x00b", "_a", strings.Repeat("a", 256)} {
		for _, c := range [][2]string{
			{"GET", "/manifests/1.0.0"}, {"HEAD", "/manifests/1.0.0"}, {"PUT", "/manifests/1.0.0"}, {"DELETE", "/manifests/1.0.0"},
			{"GET", "/blobs/" + d}, {"DELETE", "/blobs/" + d}, {"POST", "/blobs/uploads/"}, {"PATCH", "/blobs/uploads/x"},
			{"GET", "/tags/list"}, {"GET", "/referrers/" + d},
		} {
			req := httptest.NewRequest(c[0], "/", nil)
			req.URL.Path = "/v2/" + name + c[1] // as it is: no client helps
			w := httptest.NewRecorder()
			a.s.ServeHTTP(w, req)
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s %q = %d, want 400", c[0], req.URL.Path, w.Code)
			}
		}
	}
}

func TestList(t *testing.T) {
	a := newAPI(t, server.Options{Limits: server.Limits{Page: 4}})
	a.want(http.StatusNotFound, "NAME_UNKNOWN", http.MethodGet, "/v2/"+repo+"/tags/list", "")
	for i := range 6 {
		a.putManifest("one", fmt.Sprintf("t%d", i))
	}
	path := "/v2/" + repo + "/tags/list"
	for _, c := range []struct{ query, tags, link string }{
		{"", `["t0","t1","t2","t3"]`, "<" + path + `?last=t3&n=4>; rel="next"`},
		{"?n=2", `["t0","t1"]`, "<" + path + `?last=t1&n=2>; rel="next"`},
		{"?n=2&last=t1", `["t2","t3"]`, "<" + path + `?last=t3&n=2>; rel="next"`},
		{"?n=2&last=t3", `["t4","t5"]`, ""},
		{"?n=4&last=t35", `["t4","t5"]`, ""}, // last need not exist
		{"?last=zzz", `[]`, ""},
		{"?n=0", `[]`, ""},
		{"?n=100000", `["t0","t1","t2","t3"]`, "<" + path + `?last=t3&n=4>; rel="next"`},
	} {
		r := a.want(http.StatusOK, "", http.MethodGet, path+c.query, "")
		if want := `{"name":"` + repo + `","tags":` + c.tags + `}`; r.body != want {
			t.Errorf("list%s = %s, want %s", c.query, r.body, want)
		}
		r.wantHeader(t, "Link", c.link)
	}
	for _, n := range []string{"-1", "x", ""} {
		a.want(http.StatusBadRequest, "UNSUPPORTED", http.MethodGet, path+"?n="+n, "")
	}
	r := a.want(http.StatusOK, "", http.MethodGet, "/v2/_catalog", "")
	if want := `{"repositories":["` + repo + `"]}`; r.body != want {
		t.Errorf("catalog = %s, want %s", r.body, want)
	}
	if r := a.want(http.StatusOK, "", http.MethodGet, "/v2/_catalog?last="+repo, ""); r.body != `{"repositories":[]}` {
		t.Errorf("catalog after the last = %s", r.body)
	}
}
