package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/universe-dcos/universe/registry"
)

func TestParsePath(t *testing.T) {
	for path, want := range map[string]route{
		"/v2":                                 {kind: routeBase},
		"/v2/":                                {kind: routeBase},
		"/v2/_catalog":                        {kind: routeCatalog},
		"/v2/_oci/ext/discover":               {kind: routeExtension},
		"/v2/a/tags/list":                     {kind: routeTags, name: "a"},
		"/v2/tags/tags/list":                  {kind: routeTags, name: "tags"},
		"/v2/a/b/manifests/1.0":               {kind: routeManifest, name: "a/b", ref: "1.0"},
		"/v2/manifests/manifests/manifests":   {kind: routeManifest, name: "manifests", ref: "manifests"},
		"/v2/a/blobs/sha256:x":                {kind: routeBlob, name: "a", ref: "sha256:x"},
		"/v2/blobs/blobs/x":                   {kind: routeBlob, name: "blobs", ref: "x"},
		"/v2/blobs/uploads/blobs/x":           {kind: routeBlob, name: "blobs/uploads", ref: "x"},
		"/v2/a/blobs/uploads/":                {kind: routeUploads, name: "a"},
		"/v2/a/blobs/uploads":                 {kind: routeUploads, name: "a"},
		"/v2/a/blobs/uploads/id":              {kind: routeUpload, name: "a", ref: "id"},
		"/v2/blobs/uploads/x/blobs/uploads/i": {kind: routeUpload, name: "blobs/uploads/x", ref: "i"},
		"/v2/a/referrers/x":                   {kind: routeReferrers, name: "a", ref: "x"},
	} {
		got, err := parsePath(path)
		if err != nil {
			t.Errorf("parsePath(%q): %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(route{})); diff != "" {
			t.Errorf("parsePath(%q), -want +got:\n%s", path, diff)
		}
	}
	for path, want := range map[string]int{
		"": 404, "/": 404, "/v1/": 404, "/v22/a/tags/list": 404, "/v2/a": 404, "/v2/a/tags/other": 404, "/v2/manifests/x": 404,
		"/v2/tags/list": 404, "/v2/blobs/uploads/": 404, "/v2//manifests/x": 400, "/v2/A/manifests/x": 400, "/v2/a/../b/tags/list": 400,
	} {
		if _, err := parsePath(path); err == nil || answerOf(err).status != want {
			t.Errorf("parsePath(%q) = %v, want status %d", path, err, want)
		}
	}
}

// Whatever the address, its name is valid and the address can be made of the
// parts again.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{
		"/v2/", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/b/manifests/latest", "/v2/a/blobs/uploads/", "/v2/a/blobs/uploads/0-1",
		"/v2/a/../../etc/passwd/blobs/x", "/v2/%2e%2e/tags/list", "/v2/a\x00/tags/list", "/v2//", "/v2/" + strings.Repeat("a/", 300) + "tags/list",
		"/v2/blobs/uploads/blobs/uploads/x", "/v2/UPPER/referrers/sha256:x",
	} {
		f.Add(s)
	}
	between := map[routeKind]string{routeBlob: "/blobs/", routeUploads: "/blobs/uploads", routeUpload: "/blobs/uploads/",
		routeManifest: "/manifests/", routeTags: "/tags/list", routeReferrers: "/referrers/"}
	f.Fuzz(func(t *testing.T, path string) {
		r, err := parsePath(path)
		if err != nil {
			if s := answerOf(err).status; s != http.StatusNotFound && s != http.StatusBadRequest {
				t.Errorf("parsePath(%q): status %d", path, s)
			}
			return
		}
		mid, named := between[r.kind]
		if !named {
			return
		}
		if err := registry.ValidateRepository(r.name); err != nil {
			t.Errorf("parsePath(%q) lets the name %q through: %v", path, r.name, err)
		}
		if want := "/v2/" + r.name + mid + r.ref; strings.TrimSuffix(path, "/") != strings.TrimSuffix(want, "/") && path != want {
			t.Errorf("parsePath(%q) = %+v, which is the address %q", path, r, want)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"0-0", "0-4", "5-9", "9-5", "-1-5", "bytes 0-4/5", "0-", "-", "", "00-01", "9999999999999999999-1", "1-999999999999999999", " 0-4", "0-4\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		first, last, err := parseContentRange(v)
		if err != nil {
			if answerOf(err).status != http.StatusBadRequest {
				t.Errorf("parseContentRange(%q) = %v, want status 400", v, err)
			}
			return
		}
		if first < 0 || last < first || last-first+1 <= 0 {
			t.Errorf("parseContentRange(%q) = %d, %d", v, first, last)
		}
	})
}

// A manifest that is let through has valid digests only and is one of image
// and index.
func FuzzManifest(f *testing.F) {
	d := digest.FromString("x")
	for _, s := range []string{
		`{"schemaVersion":2,"config":{"mediaType":"x/y","digest":"` + d.String() + `","size":1},"layers":[]}`,
		`{"schemaVersion":2,"manifests":[{"digest":"` + d.String() + `","size":1}],"subject":{"digest":"` + d.String() + `","size":1}}`,
		`{"schemaVersion":2,"manifests":null}`, `{"schemaVersion":2,"config":null}`, `{}`, `[]`, `null`, `{"a":1,"a":2}`, `{"schemaVersion":2.0}`, "{\"\\u0063onfig\":{}}",
	} {
		f.Add("application/vnd.oci.image.manifest.v1+json", s)
		f.Add("application/vnd.oci.image.index.v1+json; charset=utf-8", s)
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		m, err := parseManifest(contentType, []byte(body), d)
		if err != nil {
			if a := answerOf(err); a.status != http.StatusBadRequest || a.entries[0].Code != codeManifestInvalid {
				t.Errorf("parseManifest(%q, %q) = %v of status %d", contentType, body, err, a.status)
			}
			return
		}
		if !registry.IsManifest(m.mediaType) || string(m.raw) != body {
			t.Errorf("parseManifest(%q, %q) gives media type %q and other bytes", contentType, body, m.mediaType)
		}
		if registry.IsIndex(m.mediaType) != (len(m.blobs) == 0) {
			t.Errorf("parseManifest(%q, %q): %d blobs in a %s", contentType, body, len(m.blobs), m.mediaType)
		}
		for _, ref := range append(m.blobs, m.manifests...) {
			if _, err := registry.ParseDigest(ref.Digest.String()); err != nil || ref.Size < 0 {
				t.Errorf("parseManifest(%q, %q) lets %v through", contentType, body, ref)
			}
		}
	})
}
