package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/server"
)

func TestManifest(t *testing.T) {
	a := newAPI(t, server.Options{})
	d, r := a.putManifest("one", "v1")
	r.wantHeader(t, "Location", manifestURL(d.Digest.String()))
	r.wantHeader(t, "Docker-Content-Digest", d.Digest.String())
	_, body := registrytest.Manifest(t, "one", nil)
	for _, reference := range []string{"v1", d.Digest.String()} {
		get := a.want(http.StatusOK, "", "GET", manifestURL(reference), "", "Accept", "text/plain")
		if get.body != string(body) {
			t.Errorf("GET %s gives other bytes", reference)
		}
		head := a.want(http.StatusOK, "", "HEAD", manifestURL(reference), "")
		if head.body != "" {
			t.Error("HEAD has a body")
		}
		for name, want := range map[string]string{
			"Content-Type": d.MediaType, "Docker-Content-Digest": d.Digest.String(),
			"Content-Length": fmt.Sprint(d.Size), "ETag": `"` + d.Digest.String() + `"`,
		} {
			get.wantHeader(t, name, want)
			head.wantHeader(t, name, want)
		}
	}
	a.want(http.StatusNotModified, "", "GET", manifestURL("v1"), "", "If-None-Match", `"x", "`+d.Digest.String()+`"`)
	a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", manifestURL("v2"), "")
	a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", manifestURL("-not-a-tag"), "")
	a.want(http.StatusBadRequest, "DIGEST_INVALID", "GET", manifestURL("sha256:x"), "")
	a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", "/v2/other/manifests/"+d.Digest.String(), "")
}

func TestManifest_checks(t *testing.T) {
	a := newAPI(t, server.Options{})
	config := a.push("config")
	member, _ := a.putManifest("member", "")
	image := func(extra string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"x/y","digest":%q,"size":6}%s}`, config, extra)
	}
	index := func(extra string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]%s}`, member.MediaType, member.Digest, member.Size, extra)
	}
	absent := digest.FromString("absent")
	absentLayer := func(mediaType, extra string) string {
		return image(fmt.Sprintf(`,"layers":[{"mediaType":%q,"digest":%q,"size":6%s}]`, mediaType, absent, extra))
	}
	const oneImage, oneIndex = ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex
	for _, c := range []struct{ name, contentType, body, codes string }{
		{"image", oneImage, image(""), ""},
		{"image, parameters in the type", oneImage + "; charset=utf-8", image(""), ""},
		{"image, type in the body only", "", image(`,"mediaType":"` + oneImage + `"`), ""},
		{"docker image", registry.DockerManifestType, image(`,"mediaType":"` + registry.DockerManifestType + `"`), ""},
		{"unknown fields", oneImage, image(`,"future":{"a":[1]}`), ""},
		{"index", oneIndex, index(""), ""},
		{"docker index", registry.DockerIndexType, index(""), ""},
		{"empty index", oneIndex, `{"schemaVersion":2,"manifests":[]}`, ""},
		{"absent subject", oneImage, image(fmt.Sprintf(`,"subject":{"mediaType":%q,"digest":%q,"size":6}`, oneImage, absent)), ""},
		{"foreign layer", oneImage, absentLayer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", ""), ""},
		{"layer elsewhere", oneImage, absentLayer("x/y", `,"urls":["https://example.com/x"]`), ""},
		{"not JSON", oneImage, `schemaVersion`, "MANIFEST_INVALID"},
		{"no object", oneImage, `[]`, "MANIFEST_INVALID"},
		{"empty", oneImage, ``, "MANIFEST_INVALID"},
		{"cut", oneImage, image("")[:40], "MANIFEST_INVALID"},
		{"something behind", oneImage, image("") + `{}`, "MANIFEST_INVALID"},
		{"field twice", oneImage, image(`,"schemaVersion":2`), "MANIFEST_INVALID"},
		{"fields in other case", oneImage, strings.Replace(image(""), "config", "Config", 1), "MANIFEST_INVALID"},
		{"schema 1", oneImage, `{"schemaVersion":1,"fsLayers":[]}`, "MANIFEST_INVALID"},
		{"no media type", "", image(""), "MANIFEST_INVALID"},
		{"other media type", "application/json", image(""), "MANIFEST_INVALID"},
		{"broken media type", ";;", image(""), "MANIFEST_INVALID"},
		{"header and body differ", oneIndex, image(`,"mediaType":"` + oneImage + `"`), "MANIFEST_INVALID"},
		{"image as index", oneIndex, image(""), "MANIFEST_INVALID"},
		{"index as image", oneImage, index(""), "MANIFEST_INVALID"},
		{"image and index", oneIndex, index(`,"layers":[]`), "MANIFEST_INVALID"},
		{"bad digest", oneImage, `{"schemaVersion":2,"config":{"digest":"sha256:../../x","size":1}}`, "MANIFEST_INVALID"},
		{"negative size", oneImage, strings.Replace(image(""), `"size":6`, `"size":-6`, 1), "MANIFEST_INVALID"},
		{"config of another type", oneImage, `{"schemaVersion":2,"config":7}`, "MANIFEST_INVALID"},
		{"absent layer", oneImage, absentLayer("x/y", ""), "MANIFEST_BLOB_UNKNOWN"},
		{"absent config and layer", oneImage, strings.ReplaceAll(absentLayer("x/y", ""), config.String(), digest.FromString("none").String()), "MANIFEST_BLOB_UNKNOWN MANIFEST_BLOB_UNKNOWN"},
		{"absent member", oneIndex, strings.ReplaceAll(index(""), member.Digest.String(), absent.String()), "MANIFEST_BLOB_UNKNOWN"},
		{"blob as member", oneIndex, strings.ReplaceAll(index(""), member.Digest.String(), config.String()), "MANIFEST_BLOB_UNKNOWN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := api{t: t, s: a.s}
			tag := "t" + digest.FromString(c.name).Encoded()[:10]
			headers := []string{"Content-Type", c.contentType}
			if c.codes != "" {
				a.want(http.StatusBadRequest, c.codes, "PUT", manifestURL(tag), c.body, headers...)
				a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", manifestURL(tag), "")
				return
			}
			a.want(http.StatusCreated, "", "PUT", manifestURL(tag), c.body, headers...)
			got := a.want(http.StatusOK, "", "GET", manifestURL(tag), "")
			if got.body != c.body {
				t.Errorf("GET = %s, want %s", got.body, c.body)
			}
			if ct := got.header.Get("Content-Type"); strings.Contains(ct, ";") || !registry.IsManifest(ct) {
				t.Errorf("Content-Type is %q", ct)
			}
		})
	}
}

func TestManifest_byDigest(t *testing.T) {
	a := newAPI(t, server.Options{})
	a.push("config of one")
	d, body := registrytest.Manifest(t, "one", nil)
	other := digest.FromString("other")
	a.want(http.StatusBadRequest, "DIGEST_INVALID", "PUT", manifestURL(other.String()), string(body), "Content-Type", d.MediaType)
	long := digest.SHA512.FromBytes(body)
	a.want(http.StatusCreated, "", "PUT", manifestURL(long.String()), string(body), "Content-Type", d.MediaType).
		wantHeader(t, "Docker-Content-Digest", long.String())
	a.want(http.StatusOK, "", "GET", manifestURL(long.String()), "").wantHeader(t, "Docker-Content-Digest", long.String())
	a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", manifestURL(d.Digest.String()), "")

	r := a.want(http.StatusCreated, "", "PUT", manifestURL(d.Digest.String())+"?tag=a&tag=b", string(body), "Content-Type", d.MediaType)
	r.wantHeader(t, "OCI-Tag", "a, b")
	a.want(http.StatusOK, "", "GET", manifestURL("b"), "")
	a.want(http.StatusRequestURITooLong, "UNSUPPORTED", "PUT", manifestURL(d.Digest.String())+"?tag=a"+strings.Repeat("&tag=a", server.MaxTagsPerPut), string(body), "Content-Type", d.MediaType)
	a.want(http.StatusBadRequest, "MANIFEST_INVALID", "PUT", manifestURL(d.Digest.String())+"?tag=a%2Fb", string(body), "Content-Type", d.MediaType)
	a.want(http.StatusBadRequest, "MANIFEST_INVALID", "PUT", manifestURL("-bad-tag"), string(body), "Content-Type", d.MediaType)
}

// Manifests over MaxInlineBytes lie in the blob store.
func TestManifest_large(t *testing.T) {
	a := newAPI(t, server.Options{})
	pad := strings.Repeat("x", server.MaxInlineBytes)
	body := `{"schemaVersion":2,"manifests":[],"pad":"` + pad + `"}`
	a.want(http.StatusCreated, "", "PUT", manifestURL("big"), body, "Content-Type", ocispec.MediaTypeImageIndex)
	if got := a.want(http.StatusOK, "", "GET", manifestURL("big"), ""); got.body != body {
		t.Error("GET gives other bytes")
	}
	huge := `{"schemaVersion":2,"manifests":[],"pad":"` + strings.Repeat("x", server.DefaultManifestBytes) + `"}`
	a.want(http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", "PUT", manifestURL("huge"), huge, "Content-Type", ocispec.MediaTypeImageIndex)
	a.want(http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", "PUT", manifestURL("huge"), huge, "Content-Type", ocispec.MediaTypeImageIndex, "Transfer-Encoding", "chunked")
}

func TestDeleteManifest(t *testing.T) {
	a := newAPI(t, server.Options{})
	d, _ := a.putManifest("one", "v1")
	a.putManifest("one", "v2")
	a.putManifest("two", "v3")
	a.want(http.StatusAccepted, "", "DELETE", manifestURL("v1"), "")
	a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", manifestURL("v1"), "")
	a.want(http.StatusOK, "", "GET", manifestURL("v2"), "")
	a.want(http.StatusAccepted, "", "DELETE", manifestURL(d.Digest.String()), "")
	for _, reference := range []string{"v2", d.Digest.String()} {
		a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", manifestURL(reference), "")
		a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "DELETE", manifestURL(reference), "")
	}
	if r := a.want(http.StatusOK, "", "GET", "/v2/"+repo+"/tags/list", ""); !strings.Contains(r.body, `["v3"]`) {
		t.Errorf("tags after the deletes = %s, want only v3", r.body)
	}
}

// packageManifest is a package's manifest with a config of its own.
func (a api) packageManifest(n int) (ocispec.Descriptor, string) {
	text := fmt.Sprintf("config %d", n)
	config := a.push(text)
	body := fmt.Sprintf(`{"schemaVersion":2,"artifactType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
		registry.PackageArtifactType, registry.PackageConfigType, config, len(text))
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(body), Size: int64(len(body))}, body
}

func TestVersionTags_doNotMove(t *testing.T) {
	a := newAPI(t, server.Options{})
	first, body := a.packageManifest(1)
	_, other := a.packageManifest(2)
	put := func(status int, codes, tag, body string) {
		t.Helper()
		a.want(status, codes, "PUT", manifestURL(tag), body, "Content-Type", ocispec.MediaTypeImageManifest)
	}
	for _, tag := range []string{"1.0.0", "1.0.0-rc.1_build.5"} {
		put(http.StatusCreated, "", tag, body)
		put(http.StatusCreated, "", tag, body) // the same again
		put(http.StatusConflict, "DENIED", tag, other)
		a.want(http.StatusOK, "", "GET", manifestURL(tag), "").wantHeader(t, "Docker-Content-Digest", first.Digest.String())
	}
	for _, tag := range []string{"latest", "1.0", "sha256-abc"} { // no versions
		put(http.StatusCreated, "", tag, body)
		put(http.StatusCreated, "", tag, other)
	}
	// What is no package may move, even under a version.
	a.putManifest("one", "2.0.0")
	a.putManifest("two", "2.0.0")
	// A package that replaces an image's tag stays from then on.
	put(http.StatusCreated, "", "2.0.0", body)
	put(http.StatusConflict, "DENIED", "2.0.0", other)
	// None of several tags moves when one may not.
	d := digest.FromString(other)
	a.want(http.StatusConflict, "DENIED", "PUT", manifestURL(d.String())+"?tag=new&tag=1.0.0", other, "Content-Type", ocispec.MediaTypeImageManifest)
	a.want(http.StatusNotFound, "MANIFEST_UNKNOWN", "GET", manifestURL("new"), "")
}

func TestConditionalPut(t *testing.T) {
	a := newAPI(t, server.Options{})
	one, _ := a.putManifest("one", "x")
	a.push("config of two")
	two, body := registrytest.Manifest(t, "two", nil)
	put := func(status int, tag string, headers ...string) {
		t.Helper()
		codes := map[int]string{412: "DENIED", 400: "UNSUPPORTED"}[status]
		a.want(status, codes, "PUT", manifestURL(tag), string(body), append(headers, "Content-Type", two.MediaType)...)
	}
	put(http.StatusPreconditionFailed, "x", "If-None-Match", "*")
	put(http.StatusPreconditionFailed, "x", "If-Match", `"`+two.Digest.String()+`"`)
	put(http.StatusPreconditionFailed, "absent", "If-Match", `"`+one.Digest.String()+`"`)
	put(http.StatusBadRequest, "x", "If-Match", `"a", "b"`)
	put(http.StatusBadRequest, "x", "If-None-Match", `"a"`)
	a.want(http.StatusOK, "", "GET", manifestURL("x"), "").wantHeader(t, "Docker-Content-Digest", one.Digest.String())
	put(http.StatusCreated, "x", "If-Match", `"`+one.Digest.String()+`"`)
	put(http.StatusCreated, "new", "If-None-Match", "*")
}

func TestReferrers(t *testing.T) {
	a := newAPI(t, server.Options{})
	subject := digest.FromString("not there yet")
	path := "/v2/" + repo + "/referrers/" + subject.String()
	list := func(query string) []ocispec.Descriptor {
		t.Helper()
		r := a.want(http.StatusOK, "", "GET", path+query, "")
		r.wantHeader(t, "Content-Type", ocispec.MediaTypeImageIndex)
		var idx ocispec.Index
		if err := json.Unmarshal([]byte(r.body), &idx); err != nil || idx.Manifests == nil {
			t.Fatalf("referrers = %s, %v", r.body, err)
		}
		return idx.Manifests
	}
	if got := list(""); len(got) != 0 {
		t.Errorf("referrers of an unknown subject = %v", got)
	}
	a.want(http.StatusBadRequest, "DIGEST_INVALID", "GET", "/v2/"+repo+"/referrers/x", "")
	config := a.push("{}")
	image := fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/x.sig","digest":%q,"size":2},"subject":{"mediaType":"x/y","digest":%q,"size":1},"annotations":{"a":"b"}}`, config, subject)
	index := fmt.Sprintf(`{"schemaVersion":2,"artifactType":"application/x.set","manifests":[],"subject":{"mediaType":"x/y","digest":%q,"size":1}}`, subject)
	a.want(http.StatusCreated, "", "PUT", manifestURL(digest.FromString(image).String()), image, "Content-Type", ocispec.MediaTypeImageManifest).
		wantHeader(t, "OCI-Subject", subject.String())
	a.want(http.StatusCreated, "", "PUT", manifestURL("set"), index, "Content-Type", ocispec.MediaTypeImageIndex).
		wantHeader(t, "OCI-Subject", subject.String())
	sig := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "application/x.sig", Digest: digest.FromString(image),
		Size: int64(len(image)), Annotations: map[string]string{"a": "b"}}
	if got := list(""); len(got) != 2 {
		t.Errorf("referrers = %v, want the image and the index", got)
	}
	if diff := cmp.Diff([]ocispec.Descriptor{sig}, list("?artifactType=application/x.sig")); diff != "" {
		t.Errorf("referrers of one type, -want +got:\n%s", diff)
	}
	a.want(http.StatusOK, "", "GET", path+"?artifactType=x", "").wantHeader(t, "OCI-Filters-Applied", "artifactType")
	a.want(http.StatusAccepted, "", "DELETE", manifestURL(sig.Digest.String()), "")
	if got := list(""); len(got) != 1 || got[0].ArtifactType != "application/x.set" {
		t.Errorf("referrers after the signature was deleted = %v", got)
	}
}

func TestReferrers_pages(t *testing.T) {
	a := newAPI(t, server.Options{})
	subject := ocispec.Descriptor{MediaType: "x/y", Digest: digest.FromString("subject"), Size: 1}
	const count = 40
	for i := range count { // together more than one page
		body := fmt.Sprintf(`{"schemaVersion":2,"manifests":[],"annotations":{"n":"%d","pad":%q},"subject":{"mediaType":"x/y","digest":%q,"size":1}}`,
			i, strings.Repeat("x", 100_000), subject.Digest)
		a.want(http.StatusCreated, "", "PUT", manifestURL(fmt.Sprint("t", i)), body, "Content-Type", ocispec.MediaTypeImageIndex)
	}
	path := "/v2/" + repo + "/referrers/" + subject.Digest.String()
	first := a.want(http.StatusOK, "", "GET", path, "")
	if first.header.Get("Link") == "" || len(first.body) > server.MaxReferrersBytes+200_000 {
		t.Errorf("first page has %d bytes and link %q", len(first.body), first.header.Get("Link"))
	}
	store, ok := a.s.Repository(repo).(registry.ReferrerLister)
	if !ok {
		t.Fatal("the direct store does not list referrers")
	}
	for what, l := range map[string]registry.ReferrerLister{"direct": store, "HTTP": openRemote(t, serve(t, a.s), repo)} {
		all, err := l.Referrers(t.Context(), subject, "")
		if err != nil || len(all) != count {
			t.Errorf("%s: %d referrers, %v, want %d", what, len(all), err, count)
		}
	}
}
