package registrytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// Run checks a Store against the contract of registry.Store. open gives an
// empty repository each time it is called; it cleans up through t.
func Run(t *testing.T, open func(t *testing.T) registry.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s registry.Store)
	}{
		{"empty", testEmpty},
		{"blob", testBlob},
		{"blob_empty", testEmptyBlob},
		{"blob_sha512", testSHA512},
		{"blob_wrong", testWrongBlob},
		{"manifest", testManifest},
		{"manifest_wrong", testWrongManifest},
		{"manifest_kept_byte_for_byte", testManifestBytes},
		{"tag", testTag},
		{"tag_invalid", testInvalidTag},
		{"tags", testTags},
		{"image_index", testIndex},
		{"parallel", testParallel},
		{"canceled", testCanceled},
		{"exists", testExists},
		{"referrers", testReferrers},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func testEmpty(t *testing.T, s registry.Store) {
	ctx := t.Context()
	_, err := s.Resolve(ctx, "1.0.0")
	wantClass(t, "Resolve of a tag", err, problem.NotFound)
	_, err = s.Resolve(ctx, digest.FromString("nothing").String())
	wantClass(t, "Resolve of a digest", err, problem.NotFound)
	_, err = s.Fetch(ctx, Blob("nothing"))
	wantClass(t, "Fetch of a blob", err, problem.NotFound)
	m := Blob("nothing")
	m.MediaType = ocispec.MediaTypeImageManifest
	_, err = s.Fetch(ctx, m)
	wantClass(t, "Fetch of a manifest", err, problem.NotFound)
	tags, err := s.Tags(ctx)
	if err != nil || len(tags) != 0 {
		t.Errorf("Tags of an empty repository = %q, %v, want none", tags, err)
	}
}

func testBlob(t *testing.T, s registry.Store) {
	text := strings.Repeat("data ", 100_000)
	d := Blob(text)
	for range 2 { // the second time it is there already
		if err := s.Push(t.Context(), d, strings.NewReader(text)); err != nil {
			t.Fatalf("Push(%d bytes): %v", d.Size, err)
		}
		wantContent(t, s, d, text)
	}
	_, err := s.Resolve(t.Context(), d.Digest.String())
	wantClass(t, "Resolve of a blob's digest", err, problem.NotFound)
}

func testEmptyBlob(t *testing.T, s registry.Store) {
	d := Blob("")
	if err := s.Push(t.Context(), d, strings.NewReader("")); err != nil {
		t.Fatalf("Push of no bytes: %v", err)
	}
	wantContent(t, s, d, "")
}

func testSHA512(t *testing.T, s registry.Store) {
	d := ocispec.Descriptor{MediaType: blobType, Digest: digest.SHA512.FromString("long"), Size: 4}
	if err := s.Push(t.Context(), d, strings.NewReader("long")); err != nil {
		t.Fatalf("Push by sha512: %v", err)
	}
	wantContent(t, s, d, "long")
	_, err := s.Fetch(t.Context(), Blob("long"))
	wantClass(t, "Fetch by the digest that was not pushed", err, problem.NotFound)
}

func testWrongBlob(t *testing.T, s registry.Store) {
	for _, c := range []struct{ name, text string }{
		{"other content", "rightX"}, {"shorter", "righ"}, {"longer", "rights!"}, {"nothing", ""},
		{"other content, large", strings.Repeat("x", 3<<20)},
	} {
		d := Blob("rights")
		if len(c.text) > 100 {
			d = Blob(strings.Repeat("y", len(c.text)))
		}
		err := s.Push(t.Context(), d, strings.NewReader(c.text))
		wantClass(t, "Push of "+c.name, err, problem.Invalid)
		_, err = s.Fetch(t.Context(), d)
		wantClass(t, "Fetch after a refused push of "+c.name, err, problem.NotFound)
	}
	broken := errors.New("source broke")
	err := s.Push(t.Context(), Blob("rights"), &failingReader{data: []byte("rig"), err: broken})
	if !errors.Is(err, broken) {
		t.Errorf("Push from a source that fails = %v, want its error", err)
	}
	_, err = s.Fetch(t.Context(), Blob("rights"))
	wantClass(t, "Fetch after a push whose source failed", err, problem.NotFound)
}

// failingReader gives data and then err.
type failingReader struct {
	data []byte
	err  error
}

func (r *failingReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, r.err
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func testManifest(t *testing.T, s registry.Store) {
	m := PushManifest(t, s, "one", nil)
	got, err := s.Resolve(t.Context(), m.Digest.String())
	if err != nil {
		t.Fatalf("Resolve by digest: %v", err)
	}
	if diff := cmp.Diff(identity(m), identity(got)); diff != "" {
		t.Errorf("Resolve by digest, -want +got:\n%s", diff)
	}
	if tags, err := s.Tags(t.Context()); err != nil || len(tags) != 0 {
		t.Errorf("Tags after a push by digest = %q, %v, want none", tags, err)
	}
	PushManifest(t, s, "one", nil) // again
}

func testWrongManifest(t *testing.T, s registry.Store) {
	m, body := Manifest(t, "one", nil)
	pushParts(t, s, "one")
	err := s.Push(t.Context(), m, strings.NewReader(strings.Replace(string(body), "one", "two", 1)))
	wantClass(t, "Push of a manifest with another digest", err, problem.Invalid)
	_, err = s.Resolve(t.Context(), m.Digest.String())
	wantClass(t, "Resolve after a refused push", err, problem.NotFound)
}

func testManifestBytes(t *testing.T, s registry.Store) {
	pushParts(t, s, "odd")
	config := Blob("config of odd")
	body := fmt.Sprintf("{\n  \"unknownField\": [1, 2.50],\n\t\"schemaVersion\": 2, \"config\": {\"size\": %d,\n\"mediaType\": %q, \"digest\": %q}, \"layers\": []}\n",
		config.Size, config.MediaType, config.Digest)
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(body), Size: int64(len(body))}
	if err := s.Push(t.Context(), d, strings.NewReader(body)); err != nil {
		t.Fatalf("Push of an unusual manifest: %v", err)
	}
	wantContent(t, s, d, body)
}

func testTag(t *testing.T, s registry.Store) {
	ctx := t.Context()
	one, two := PushManifest(t, s, "one", nil), PushManifest(t, s, "two", nil)
	for _, want := range []ocispec.Descriptor{one, one, two} {
		if err := s.Tag(ctx, want, "latest"); err != nil {
			t.Fatalf("Tag: %v", err)
		}
		got, err := s.Resolve(ctx, "latest")
		if err != nil || got.Digest != want.Digest || got.Size != want.Size || got.MediaType != want.MediaType {
			t.Fatalf("Resolve(latest) = %v, %v, want %v", got, err, want)
		}
	}
	absent, _ := Manifest(t, "absent", nil)
	wantClass(t, "Tag of a manifest that is not there", s.Tag(ctx, absent, "latest"), problem.NotFound)
	if got, err := s.Resolve(ctx, "latest"); err != nil || got.Digest != two.Digest {
		t.Errorf("Resolve after a failed Tag = %v, %v, want %v", got, err, two.Digest)
	}
}

func testInvalidTag(t *testing.T, s registry.Store) {
	m := PushManifest(t, s, "one", nil)
	for _, tag := range []string{"", "-a", ".a", "a b", "a/b", "a:b", "../x", "a+b", strings.Repeat("a", registry.MaxTagBytes+1), "é", "a\x00b"} {
		wantClass(t, fmt.Sprintf("Tag(%q)", tag), s.Tag(t.Context(), m, tag), problem.Invalid)
	}
	if tags, err := s.Tags(t.Context()); err != nil || len(tags) != 0 {
		t.Errorf("Tags = %q, %v, want none", tags, err)
	}
}

func testTags(t *testing.T, s registry.Store) {
	m := PushManifest(t, s, "one", nil)
	want := []string{"10.0.0", "2.0.0", "2.0.0-rc.1", "2.0.0_build.7", "A", "_x", "a", strings.Repeat("z", registry.MaxTagBytes)}
	for i := range want {
		if err := s.Tag(t.Context(), m, want[(i*3)%len(want)]); err != nil { // in another order
			t.Fatalf("Tag(%q): %v", want[(i*3)%len(want)], err)
		}
	}
	slices.Sort(want)
	got, err := s.Tags(t.Context())
	if err != nil {
		t.Fatalf("Tags: %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Tags, -want +got:\n%s", diff)
	}
}

func testIndex(t *testing.T, s registry.Store) {
	a, b := PushManifest(t, s, "amd64", nil), PushManifest(t, s, "arm64", nil)
	d, body := Index(t, a, b)
	if err := s.Push(t.Context(), d, bytes.NewReader(body)); err != nil {
		t.Fatalf("Push of an index: %v", err)
	}
	if err := s.Tag(t.Context(), d, "multi"); err != nil {
		t.Fatalf("Tag of an index: %v", err)
	}
	got, err := s.Resolve(t.Context(), "multi")
	if err != nil || got.MediaType != ocispec.MediaTypeImageIndex || got.Digest != d.Digest {
		t.Errorf("Resolve(multi) = %v, %v, want %v", got, err, d)
	}
	wantContent(t, s, d, string(body))
}

func testParallel(t *testing.T, s registry.Store) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			text := fmt.Sprintf("blob %d", i%4) // several push the same
			if err := s.Push(t.Context(), Blob(text), strings.NewReader(text)); err != nil {
				t.Errorf("Push(%q) beside others: %v", text, err)
			}
			m, body, err := pushable(t.Context(), s, fmt.Sprintf("m%d", i))
			if err == nil {
				err = s.Push(t.Context(), m, bytes.NewReader(body))
			}
			if err == nil {
				err = s.Tag(t.Context(), m, fmt.Sprintf("t%02d", i))
			}
			if err != nil {
				t.Errorf("manifest %d beside others: %v", i, err)
			}
		})
	}
	wg.Wait()
	tags, err := s.Tags(t.Context())
	if err != nil || len(tags) != 16 {
		t.Errorf("Tags = %q, %v, want 16", tags, err)
	}
}

func testCanceled(t *testing.T, s registry.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	text := strings.Repeat("x", 4<<20)
	err := s.Push(ctx, Blob(text), &cancelingReader{r: strings.NewReader(text), after: 1 << 20, cancel: cancel})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Push canceled half way = %v, want context.Canceled", err)
	}
	// The store may have had all of it already; a part must not show.
	got, rerr := registry.ReadBlob(t.Context(), s, Blob(text), int64(len(text)))
	if rerr != nil && (err == nil || !problem.Is(rerr, problem.NotFound)) {
		t.Errorf("read after Push = %v: %v, want the content or class not_found", err, rerr)
	}
	if rerr == nil && string(got) != text {
		t.Error("a canceled push left other content")
	}
}

// cancelingReader cancels once after bytes were read.
type cancelingReader struct {
	r      *strings.Reader
	after  int
	cancel context.CancelFunc
}

func (c *cancelingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.after -= n; c.after < 0 {
		c.cancel()
	}
	return n, err
}

func testExists(t *testing.T, s registry.Store) {
	e, ok := s.(registry.Exister)
	if !ok {
		t.Skip("the store has not the capability registry.Exister")
	}
	m := PushManifest(t, s, "one", nil)
	absent, _ := Manifest(t, "absent", nil)
	for _, c := range []struct {
		what string
		desc ocispec.Descriptor
		want bool
	}{
		{"a manifest", m, true},
		{"a blob", Blob("config of one"), true},
		{"a manifest that is not there", absent, false},
		{"a blob that is not there", Blob("absent"), false},
	} {
		got, err := e.Exists(t.Context(), c.desc)
		if err != nil || got != c.want {
			t.Errorf("Exists of %s = %v, %v, want %v", c.what, got, err, c.want)
		}
	}
}

func testReferrers(t *testing.T, s registry.Store) {
	l, ok := s.(registry.ReferrerLister)
	if !ok {
		t.Skip("the store has not the capability registry.ReferrerLister")
	}
	subject := PushManifest(t, s, "one", nil)
	other := PushManifest(t, s, "two", nil)
	sig := PushManifest(t, s, "signature", &subject)
	got, err := l.Referrers(t.Context(), subject, "")
	if err != nil || len(got) != 1 || got[0].Digest != sig.Digest || got[0].ArtifactType != artifactType {
		t.Errorf("Referrers = %v, %v, want %s of type %s", got, err, sig.Digest, artifactType)
	}
	for _, c := range []struct {
		desc         ocispec.Descriptor
		artifactType string
		want         int
	}{{subject, artifactType, 1}, {subject, "application/other", 0}, {other, "", 0}} {
		got, err := l.Referrers(t.Context(), c.desc, c.artifactType)
		if err != nil || len(got) != c.want {
			t.Errorf("Referrers(%s, %q) = %v, %v, want %d", c.desc.Digest, c.artifactType, got, err, c.want)
		}
	}
}
