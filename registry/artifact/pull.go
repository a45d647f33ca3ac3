package artifact

import (
	"context"
	"encoding/json"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// Head is what a small read gives of an artifact: no layer is fetched.
type Head struct {
	// Descriptor is the manifest's.
	Descriptor ocispec.Descriptor
	// Manifest is the decoded manifest.
	Manifest ocispec.Manifest
	// Config is the config blob.
	Config []byte

	raw []byte
}

// ReadConfig reads manifest and config of the artifact behind a tag or digest:
// two small reads after the tag is resolved. Errors: problem.NotFound,
// problem.Invalid when it is no package, problem.TooLarge.
func ReadConfig(ctx context.Context, s registry.Store, reference string) (*Head, error) {
	desc, err := s.Resolve(ctx, reference)
	if err != nil {
		return nil, fmt.Errorf("read package %q: %w", reference, err)
	}
	h, err := readHead(ctx, s, desc)
	if err != nil {
		return nil, fmt.Errorf("read package %q: %w", reference, err)
	}
	// A tag that is a version must hold that version: else an old package
	// could be shown again under a new tag.
	want, ok := registry.VersionOfTag(reference)
	if has := h.Manifest.Annotations[ocispec.AnnotationVersion]; ok && has != "" && has != want {
		return nil, problem.New(problem.Invalid, "tag %q holds a package that says it is version %q", reference, has)
	}
	return h, nil
}

func readHead(ctx context.Context, s registry.Store, desc ocispec.Descriptor) (*Head, error) {
	if desc.MediaType != ocispec.MediaTypeImageManifest {
		return nil, notPackage(desc.MediaType)
	}
	raw, err := registry.ReadBlob(ctx, s, desc, registry.MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	h := &Head{Descriptor: desc, raw: raw}
	if err := json.Unmarshal(raw, &h.Manifest); err != nil {
		return nil, problem.New(problem.Invalid, "manifest %s is not valid: %w", desc.Digest, err)
	}
	if t := h.Manifest.ArtifactType; t != registry.PackageArtifactType {
		if t == "" {
			t = h.Manifest.Config.MediaType
		}
		return nil, notPackage(t)
	}
	if t := h.Manifest.Config.MediaType; t != registry.PackageConfigType {
		return nil, problem.New(problem.Invalid, "package's config has media type %q, not %q", t, registry.PackageConfigType)
	}
	if n := len(h.Manifest.Layers); n > MaxLayers {
		return nil, problem.New(problem.TooLarge, "package has %d layers, more than the limit of %d", n, MaxLayers)
	}
	h.Config, err = registry.ReadBlob(ctx, s, h.Manifest.Config, MaxConfigBytes)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if !json.Valid(h.Config) {
		return nil, problem.New(problem.Invalid, "package's config is not valid JSON")
	}
	h.Descriptor.ArtifactType = h.Manifest.ArtifactType
	return h, nil
}

func notPackage(mediaType string) error {
	return problem.New(problem.Invalid, "it is not a package but %q", mediaType)
}

// ReadREADME reads the README of an artifact; nil when it has none.
func ReadREADME(ctx context.Context, f registry.Fetcher, h *Head) ([]byte, error) {
	d, ok := findLayer(h.Manifest, registry.PackageReadmeType)
	if !ok {
		return nil, nil
	}
	b, err := registry.ReadBlob(ctx, f, d, MaxReadmeBytes)
	if err != nil {
		return nil, fmt.Errorf("readme: %w", err)
	}
	return b, nil
}

// ReadIcon reads the icon of an artifact and its layer's media type; nil when
// it has none.
func ReadIcon(ctx context.Context, f registry.Fetcher, h *Head) (icon []byte, mediaType string, err error) {
	d, ok := findLayer(h.Manifest, registry.PackageIconPNGType, registry.PackageIconSVGType)
	if !ok {
		return nil, "", nil
	}
	b, err := registry.ReadBlob(ctx, f, d, MaxIconBytes)
	if err != nil {
		return nil, "", fmt.Errorf("icon: %w", err)
	}
	return b, d.MediaType, nil
}

// Pull reads the whole artifact behind a tag or digest and checks everything.
// Errors as those of ReadConfig.
func Pull(ctx context.Context, s registry.Store, reference string) (*Package, error) {
	h, err := ReadConfig(ctx, s, reference)
	if err != nil {
		return nil, err
	}
	p := &Package{desc: h.Descriptor, manifest: h.Manifest, raw: h.raw, config: h.Config, blobs: map[string][]byte{}}
	if err := p.readLayers(ctx, s); err != nil {
		return nil, fmt.Errorf("pull package %q: %w", reference, err)
	}
	content, ok := findLayer(p.manifest, registry.PackageContentType, registry.PackageContentZstdType)
	if !ok {
		return nil, problem.New(problem.Invalid, "pull package %q: it has no content layer", reference)
	}
	if p.files, err = readLayer(p.blobs[content.Digest.String()], content.MediaType); err != nil {
		return nil, fmt.Errorf("pull package %q: %w", reference, err)
	}
	return p, nil
}

// readLayers fetches the layers within their limits; a layer of a type that is
// not known is read too, as a package that is pushed on must be whole.
func (p *Package) readLayers(ctx context.Context, s registry.Store) error {
	var total int64
	for _, l := range p.manifest.Layers {
		limit := int64(MaxLayerBytes)
		switch l.MediaType {
		case registry.PackageReadmeType:
			limit = MaxReadmeBytes
		case registry.PackageIconPNGType, registry.PackageIconSVGType:
			limit = MaxIconBytes
		}
		if total += max(l.Size, 0); total > MaxLayerBytes+MaxLayers*MaxIconBytes {
			return problem.New(problem.TooLarge, "layers together have more than %d bytes", MaxLayerBytes)
		}
		b, err := registry.ReadBlob(ctx, s, l, limit)
		if err != nil {
			return fmt.Errorf("layer %s: %w", l.Digest, err)
		}
		p.blobs[l.Digest.String()] = b
	}
	return nil
}
