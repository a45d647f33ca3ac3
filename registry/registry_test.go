package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/layout"
	"github.com/universe-dcos/universe/registry/registrytest"
)

var (
	hex64  = strings.Repeat("0a", 32)
	hex128 = strings.Repeat("0a", 64)
)

func TestParseRef(t *testing.T) {
	for in, want := range map[string]registry.Ref{
		"localhost/a":                          {Host: "localhost", Repository: "a"},
		"localhost:5000/data/spark:4.3.0":      {Host: "localhost:5000", Repository: "data/spark", Tag: "4.3.0"},
		"r.example.com/a/b-c.d__e:v1_2":        {Host: "r.example.com", Repository: "a/b-c.d__e", Tag: "v1_2"},
		"127.0.0.1:80/a@sha256:" + hex64:       {Host: "127.0.0.1:80", Repository: "a", Digest: digest.Digest("sha256:" + hex64)},
		"[::1]:5000/a:1@sha512:" + hex128:      {Host: "[::1]:5000", Repository: "a", Tag: "1", Digest: digest.Digest("sha512:" + hex128)},
		"[fd00::1]/a":                          {Host: "[fd00::1]", Repository: "a"},
		"oci://registry.example.com/a:latest":  {Host: "registry.example.com", Repository: "a", Tag: "latest"},
		"registry:5000/blobs/manifests/tags:1": {Host: "registry:5000", Repository: "blobs/manifests/tags", Tag: "1"},
	} {
		got, err := registry.ParseRef(in)
		if err != nil {
			t.Errorf("ParseRef(%q): %v", in, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseRef(%q), -want +got:\n%s", in, diff)
		}
		if s := got.String(); s != strings.TrimPrefix(in, registry.Scheme) {
			t.Errorf("ParseRef(%q).String() = %q", in, s)
		}
	}
	for _, in := range []string{
		"", "spark", "data/spark", "/a", "localhost", "localhost/", "localhost//a", "localhost/A", "localhost/a:", "localhost/a:-x", "localhost/a:b:c",
		"localhost/a@", "localhost/a@sha256:abc", "localhost/a@md5:" + hex64[:32], "localhost/a@sha256:" + strings.ToUpper(hex64), "localhost/../a",
		"localhost:0/a", "localhost:65536/a", "localhost:x/a", ":5000/a", "-host.example/a", "host_.example/a", "[::1/a", "[127.0.0.1]/a", "[x]:1/a",
		"http://localhost/a", "user@localhost/a", "localhost/a b", "localhost/a\n", "localhost/" + strings.Repeat("a", registry.MaxNameBytes),
		"localhost/a:" + strings.Repeat("a", registry.MaxTagBytes+1),
	} {
		if got, err := registry.ParseRef(in); !problem.Is(err, problem.Invalid) {
			t.Errorf("ParseRef(%q) = %+v, %v, want class invalid", in, got, err)
		}
	}
}

func TestRef_reference(t *testing.T) {
	r := registry.Ref{Host: "localhost", Repository: "a", Tag: "1"}
	if r.Reference() != "1" {
		t.Errorf("Reference = %q, want the tag", r.Reference())
	}
	if r.Digest = digest.Digest("sha256:" + hex64); r.Reference() != r.Digest.String() {
		t.Errorf("Reference = %q, want the digest", r.Reference())
	}
}

func TestRef_loopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1": true, "127.8.8.8:1": true, "[::1]": true, "[::1]:5000": true,
		"localhost.example.com": false, "10.0.0.1:5000": false, "127.0.0.1.example.com": false, "[fd00::1]:5000": false, "registry:5000": false,
	} {
		if got := (registry.Ref{Host: host}).Loopback(); got != want {
			t.Errorf("Loopback of %q = %v, want %v", host, got, want)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"localhost:5000/a/b:1@sha256:" + hex64, "[::1]:5000/a", "oci://a.b/c", "a/b", "a.b/c:d:e", "@", "a.b/c@sha256:", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := registry.ParseRef(s)
		if err != nil {
			if !problem.Is(err, problem.Invalid) {
				t.Errorf("ParseRef(%q) = %v, want class invalid", s, err)
			}
			return
		}
		again, err := registry.ParseRef(r.String())
		if err != nil || again != r {
			t.Errorf("ParseRef(%q) = %+v, and its String gives %+v, %v", s, r, again, err)
		}
	})
}

func TestVersionTags(t *testing.T) {
	for version, tag := range map[string]string{
		"1.0.0": "1.0.0", "0.0.0": "0.0.0", "1.2.3-rc.1": "1.2.3-rc.1", "1.2.3+build.7": "1.2.3_build.7", "1.2.3-a-b.0+x-y": "1.2.3-a-b.0_x-y",
	} {
		got, err := registry.TagOfVersion(version)
		if err != nil || got != tag {
			t.Errorf("TagOfVersion(%q) = %q, %v, want %q", version, got, err, tag)
		}
		if back, ok := registry.VersionOfTag(tag); !ok || back != version {
			t.Errorf("VersionOfTag(%q) = %q, %v, want %q", tag, back, ok, version)
		}
	}
	for _, v := range []string{"", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0_x", "1.0.0 ", "1.0.0-" + strings.Repeat("a", registry.MaxTagBytes)} {
		if got, err := registry.TagOfVersion(v); !problem.Is(err, problem.Invalid) {
			t.Errorf("TagOfVersion(%q) = %q, %v, want class invalid", v, got, err)
		}
	}
	for _, tag := range []string{"latest", "3.5", "sha256-" + hex64, "_index", "1.0.0.sig", "1.0.0_a_b", "1.0.0__"} {
		if v, ok := registry.VersionOfTag(tag); ok {
			t.Errorf("VersionOfTag(%q) = %q, want that it is no version", tag, v)
		}
	}
}

// text is a Fetcher that gives the same bytes whatever it is asked for.
type text string

func (s text) Fetch(context.Context, ocispec.Descriptor) (io.ReadCloser, error) {
	return io.NopCloser(iotest.OneByteReader(strings.NewReader(string(s)))), nil
}

func TestReadBlob_checks(t *testing.T) {
	d := registrytest.Blob("right")
	if b, err := registry.ReadBlob(t.Context(), text("right"), d, 5); err != nil || string(b) != "right" {
		t.Errorf("ReadBlob = %q, %v", b, err)
	}
	for content, want := range map[string]problem.Class{"wrong": problem.Invalid, "rights": problem.Invalid, "righ": problem.Invalid, "": problem.Invalid} {
		if b, err := registry.ReadBlob(t.Context(), text(content), d, 5); !problem.Is(err, want) {
			t.Errorf("ReadBlob of %q = %q, %v, want class %s", content, b, err, want)
		}
	}
	if _, err := registry.ReadBlob(t.Context(), text("right"), d, 4); !problem.Is(err, problem.TooLarge) {
		t.Errorf("ReadBlob over the limit = %v, want class too_large", err)
	}
	for _, bad := range []ocispec.Descriptor{{Digest: "sha256:x", Size: 5}, {Digest: d.Digest, Size: -1}, {}} {
		if _, err := registry.ReadBlob(t.Context(), text("right"), bad, 5); !problem.Is(err, problem.Invalid) {
			t.Errorf("ReadBlob of %v = %v, want class invalid", bad, err)
		}
	}
	empty := registrytest.Blob("")
	if b, err := registry.ReadBlob(t.Context(), text(""), empty, 0); err != nil || len(b) != 0 {
		t.Errorf("ReadBlob of nothing = %q, %v", b, err)
	}
}

func openLayout(t *testing.T) registry.Store {
	t.Helper()
	l, err := layout.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l.Repository("")
}

func TestCopy(t *testing.T) {
	src, dst := openLayout(t), openLayout(t)
	a, b := registrytest.PushManifest(t, src, "amd64", nil), registrytest.PushManifest(t, src, "arm64", nil)
	root, body := registrytest.Index(t, a, b, a)
	if err := src.Push(t.Context(), root, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	var seen []string
	opts := registry.CopyOptions{Progress: func(done, total int64) { seen = append(seen, fmt.Sprint(done, "/", total)) }}
	if err := registry.Copy(t.Context(), dst, src, root, "multi", opts); err != nil {
		t.Fatalf("Copy: %v", err)
	}
	if last := seen[len(seen)-1]; seen[0] != "0/30" || last != "30/30" {
		t.Errorf("progress went from %s to %s, want 0/30 to 30/30", seen[0], last)
	}
	if d, err := dst.Resolve(t.Context(), "multi"); err != nil || d.Digest != root.Digest {
		t.Errorf("Resolve = %v, %v", d, err)
	}
	for _, d := range []ocispec.Descriptor{root, a, b, registrytest.Blob("config of amd64"), registrytest.Blob("config of arm64")} {
		if _, err := registry.ReadBlob(t.Context(), dst, d, d.Size); err != nil {
			t.Errorf("copied content: %v", err)
		}
	}
	// What is there is not read again.
	count := &registrytest.Faulty{Store: src, At: 1}
	if err := registry.Copy(t.Context(), dst, count, root, "again", registry.CopyOptions{}); err != nil || count.Operations() != 0 {
		t.Errorf("second copy = %v after %d reads, want none", err, count.Operations())
	}
}

func TestCopy_failureLeavesNoTag(t *testing.T) {
	src := openLayout(t)
	m := registrytest.PushManifest(t, src, "one", nil)
	for at := 1; ; at++ {
		dst := openLayout(t)
		err := registry.Copy(t.Context(), &registrytest.Faulty{Store: dst, At: at}, src, m, "v1", registry.CopyOptions{})
		if err == nil {
			if at < 5 {
				t.Errorf("a copy has %d operations, want at least 4", at-1)
			}
			return
		}
		if !errors.Is(err, registrytest.ErrInjected) {
			t.Fatalf("operation %d fails: Copy = %v", at, err)
		}
		if tags, err := dst.Tags(t.Context()); err != nil || len(tags) != 0 {
			t.Errorf("operation %d failed: tags = %q, %v, want none", at, tags, err)
		}
	}
}

func TestCopy_bounds(t *testing.T) {
	src := openLayout(t)
	d, body := registrytest.Index(t)
	for range registry.MaxCopyDepth + 3 {
		if err := src.Push(t.Context(), d, bytes.NewReader(body)); err != nil {
			t.Fatal(err)
		}
		d, body = registrytest.Index(t, d)
	}
	if err := src.Push(t.Context(), d, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	if err := registry.Copy(t.Context(), openLayout(t), src, d, "x", registry.CopyOptions{}); !problem.Is(err, problem.TooLarge) {
		t.Errorf("Copy of a deep index = %v, want class too_large", err)
	}
}
