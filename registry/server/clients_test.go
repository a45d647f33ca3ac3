package server_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/memory"
	orasremote "oras.land/oras-go/v2/registry/remote"

	"github.com/universe-dcos/universe/registry/remote"
	"github.com/universe-dcos/universe/registry/server"
)

func must[T any](v T, err error) func(testing.TB, string) T {
	return func(tb testing.TB, what string) T {
		tb.Helper()
		if err != nil {
			tb.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// crane's library pushes with a mount, streamed PATCH and PUT, and lists by
// pages.
func TestClient_ggcr(t *testing.T) {
	host := serve(t, newServer(t, server.Options{Durability: server.DurabilityOff}))
	tr := newClient(t).Transport
	img := must(random.Image(200_000, 3))(t, "make image")
	ref := must(name.NewTag(host+"/images/one:v1"))(t, "parse reference")
	if err := ggcr.Write(ref, img, ggcr.WithTransport(tr)); err != nil {
		t.Fatalf("Write: %v", err)
	}
	got := must(ggcr.Image(ref, ggcr.WithTransport(tr)))(t, "Image")
	if err := validate.Image(got); err != nil {
		t.Errorf("image read back: %v", err)
	}
	idx := must(random.Index(10_000, 2, 2))(t, "make index")
	if err := ggcr.WriteIndex(must(name.NewTag(host+"/images/multi:v1"))(t, "parse"), idx, ggcr.WithTransport(tr)); err != nil {
		t.Fatalf("WriteIndex: %v", err)
	}
	for _, tag := range []string{"v2", "v3"} {
		if err := ggcr.Tag(ref.Context().Tag(tag), img, ggcr.WithTransport(tr)); err != nil {
			t.Fatalf("Tag: %v", err)
		}
	}
	tags := must(ggcr.List(ref.Context(), ggcr.WithTransport(tr), ggcr.WithPageSize(2)))(t, "List")
	if want := []string{"v1", "v2", "v3"}; !slices.Equal(tags, want) {
		t.Errorf("List = %q, want %q", tags, want)
	}
	repos := must(ggcr.Catalog(t.Context(), must(name.NewRegistry(host))(t, "parse"), ggcr.WithTransport(tr), ggcr.WithPageSize(1)))(t, "Catalog")
	if want := []string{"images/multi", "images/one"}; !slices.Equal(repos, want) {
		t.Errorf("Catalog = %q, want %q", repos, want)
	}
	d := must(img.Digest())(t, "digest")
	if err := ggcr.Delete(ref.Context().Digest(d.String()), ggcr.WithTransport(tr)); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if tags := must(ggcr.List(ref.Context(), ggcr.WithTransport(tr)))(t, "List"); len(tags) != 0 {
		t.Errorf("List after the manifest was deleted = %q, want none", tags)
	}
}

// oras pushes an artifact with a subject and finds it as a referrer.
func TestClient_oras(t *testing.T) {
	ctx := t.Context()
	host := serve(t, newServer(t, server.Options{Durability: server.DurabilityOff}))
	repo := must(orasremote.NewRepository(host+"/data/spark"))(t, "NewRepository")
	repo.PlainHTTP = true
	repo.Client = newClient(t)
	mem := memory.New()
	layer := content.NewDescriptorFromBytes("application/x.test", []byte("layer"))
	if err := mem.Push(ctx, layer, bytes.NewReader([]byte("layer"))); err != nil {
		t.Fatal(err)
	}
	root := must(oras.PackManifest(ctx, mem, oras.PackManifestVersion1_1, "application/x.artifact", oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}}))(t, "pack")
	if err := mem.Tag(ctx, root, "1.0"); err != nil {
		t.Fatal(err)
	}
	if _, err := oras.Copy(ctx, mem, "1.0", repo, "1.0", oras.DefaultCopyOptions); err != nil {
		t.Fatalf("Copy: %v", err)
	}
	sig := must(oras.PackManifest(ctx, mem, oras.PackManifestVersion1_1, "application/x.signature", oras.PackManifestOptions{Subject: &root}))(t, "pack")
	if err := oras.CopyGraph(ctx, mem, repo, sig, oras.DefaultCopyGraphOptions); err != nil {
		t.Fatalf("CopyGraph: %v", err)
	}
	var found []ocispec.Descriptor
	if err := repo.Referrers(ctx, root, "application/x.signature", func(page []ocispec.Descriptor) error { found = append(found, page...); return nil }); err != nil {
		t.Fatalf("Referrers: %v", err)
	}
	if len(found) != 1 || found[0].Digest != sig.Digest {
		t.Errorf("Referrers = %v, want %v", found, sig.Digest)
	}
	// With the referrers API there, no fall-back tag may have been written.
	if err := repo.Tags(ctx, "", func(tags []string) error {
		if !slices.Equal(tags, []string{"1.0"}) {
			t.Errorf("Tags = %q, want only 1.0", tags)
		}
		return nil
	}); err != nil {
		t.Fatalf("Tags: %v", err)
	}
	other := must(orasremote.NewRepository(host+"/data/copy"))(t, "NewRepository")
	other.PlainHTTP, other.Client = true, repo.Client
	opts := oras.DefaultCopyOptions
	opts.MountFrom = func(context.Context, ocispec.Descriptor) ([]string, error) { return []string{"data/spark"}, nil }
	var mounted atomic.Int32
	opts.OnMounted = func(context.Context, ocispec.Descriptor) error { mounted.Add(1); return nil }
	if _, err := oras.Copy(ctx, repo, "1.0", other, "1.0", opts); err != nil {
		t.Fatalf("Copy inside the registry: %v", err)
	}
	if mounted.Load() != 2 {
		t.Errorf("%d blobs mounted, want 2", mounted.Load())
	}
}

func TestPushImage(t *testing.T) {
	var uploads atomic.Int32
	s := newServer(t, server.Options{Durability: server.DurabilityOff, Authorize: func(r *http.Request, _, _ string) error {
		if r.Method == http.MethodPut && r.URL.Query().Has("digest") {
			uploads.Add(1)
		}
		return nil
	}})
	host := serve(t, s)
	store := openRemote(t, host, "images/app")
	img := must(random.Image(100_000, 4))(t, "make image")
	size := imageBytes(t, img)
	for i, wantUploads := range []int32{5, 0} { // 4 layers and the config; then all is there
		uploads.Store(0)
		var done, total int64
		d, err := remote.PushImage(t.Context(), store, img, "v1", func(d, t int64) { done, total = d, t })
		if err != nil {
			t.Fatalf("PushImage: %v", err)
		}
		if want := must(img.Digest())(t, "digest").String(); d.Digest.String() != want {
			t.Errorf("PushImage gives %s, want %s", d.Digest, want)
		}
		if uploads.Load() != wantUploads {
			t.Errorf("push %d uploaded %d blobs, want %d", i, uploads.Load(), wantUploads)
		}
		if i == 0 && (done != size || total != size) {
			t.Errorf("progress ended at %d of %d, want %d", done, total, size)
		}
	}
	got := must(ggcr.Image(must(name.ParseReference(host+"/images/app:v1"))(t, "parse"), ggcr.WithTransport(newClient(t).Transport)))(t, "Image")
	if err := validate.Image(got); err != nil {
		t.Errorf("image read back: %v", err)
	}
	broken := &brokenImage{Image: img}
	if _, err := remote.PushImage(t.Context(), openRemote(t, host, "images/broken"), broken, "v1", nil); !errors.Is(err, errBroken) {
		t.Errorf("PushImage of an image whose layers fail = %v, want its error", err)
	}
	if tags, err := s.Repository("images/broken").Tags(t.Context()); err != nil || len(tags) != 0 {
		t.Errorf("tags after a failed push = %q, %v, want none", tags, err)
	}
}

var errBroken = errors.New("layers are broken")

type brokenImage struct{ v1.Image }

func (*brokenImage) Layers() ([]v1.Layer, error) { return nil, errBroken }

// imageBytes sums config and layers.
func imageBytes(t *testing.T, img v1.Image) int64 {
	t.Helper()
	m := must(img.Manifest())(t, "manifest")
	n := m.Config.Size
	for _, l := range m.Layers {
		n += l.Size
	}
	return n
}
