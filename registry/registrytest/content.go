package registrytest

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

const (
	blobType     = "application/vnd.dcos.universe.test.v1+text"
	artifactType = "application/vnd.dcos.universe.test.v1"
)

// Blob is the descriptor of a text as a blob.
func Blob(text string) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: blobType, Digest: digest.FromString(text), Size: int64(len(text))}
}

// Manifest makes an image manifest whose config is the blob "config of
// <name>", with no layers. subject may be nil.
func Manifest(tb testing.TB, name string, subject *ocispec.Descriptor) (ocispec.Descriptor, []byte) {
	tb.Helper()
	d, body, err := encodeManifest(name, subject)
	if err != nil {
		tb.Fatalf("encode manifest: %v", err)
	}
	return d, body
}

func encodeManifest(name string, subject *ocispec.Descriptor) (ocispec.Descriptor, []byte, error) {
	body, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType,
		Config: Blob("config of " + name), Layers: []ocispec.Descriptor{}, Subject: subject,
		Annotations: map[string]string{"name": name},
	})
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(body), Size: int64(len(body))}, body, err
}

// Index makes an image index of manifests.
func Index(tb testing.TB, members ...ocispec.Descriptor) (ocispec.Descriptor, []byte) {
	tb.Helper()
	body, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: members,
	})
	if err != nil {
		tb.Fatalf("encode index: %v", err)
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(body), Size: int64(len(body))}, body
}

// PushManifest pushes the manifest of that name and its config.
func PushManifest(tb testing.TB, s registry.Store, name string, subject *ocispec.Descriptor) ocispec.Descriptor {
	tb.Helper()
	pushParts(tb, s, name)
	d, body := Manifest(tb, name, subject)
	if err := s.Push(tb.Context(), d, bytes.NewReader(body)); err != nil {
		tb.Fatalf("Push of manifest %q: %v", name, err)
	}
	return d
}

// pushParts pushes what the manifest of that name refers to.
func pushParts(tb testing.TB, s registry.Store, name string) {
	tb.Helper()
	if _, _, err := pushable(tb.Context(), s, name); err != nil {
		tb.Fatalf("Push of the config of %q: %v", name, err)
	}
}

// pushable is pushParts for goroutines, where a test may not end.
func pushable(ctx context.Context, s registry.Store, name string) (ocispec.Descriptor, []byte, error) {
	text := "config of " + name
	if err := s.Push(ctx, Blob(text), strings.NewReader(text)); err != nil {
		return ocispec.Descriptor{}, nil, err
	}
	return encodeManifest(name, nil)
}

func identity(d ocispec.Descriptor) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

func wantContent(tb testing.TB, s registry.Store, d ocispec.Descriptor, want string) {
	tb.Helper()
	got, err := registry.ReadBlob(tb.Context(), s, d, d.Size)
	if err != nil {
		tb.Errorf("read %s: %v", d.Digest, err)
		return
	}
	if string(got) != want {
		tb.Errorf("read %s: other content than was pushed", d.Digest)
	}
}

func wantClass(tb testing.TB, what string, err error, want problem.Class) {
	tb.Helper()
	if !problem.Is(err, want) {
		tb.Errorf("%s: error %v of class %q, want class %q", what, err, classOf(err), want)
	}
}

func classOf(err error) problem.Class {
	if err == nil {
		return ""
	}
	return problem.Of(err).Class
}
