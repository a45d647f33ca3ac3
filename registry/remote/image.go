package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry"
)

// PushImage brings a container image into store and gives its descriptor, by
// whose digest it is referenced from then on. Blobs that the store has are
// skipped. An empty tag leaves the image without one. progress may be nil.
func PushImage(ctx context.Context, store registry.Store, img v1.Image, tag string, progress registry.Progress) (ocispec.Descriptor, error) {
	src, err := newImageSource(img)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("read image: %w", err)
	}
	if err := registry.Copy(ctx, store, src, src.root, tag, registry.CopyOptions{Progress: progress}); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("push image: %w", err)
	}
	return src.root, nil
}

// imageSource serves the content of a v1.Image by digest.
type imageSource struct {
	root ocispec.Descriptor
	open map[digest.Digest]func() (io.ReadCloser, error)
}

func newImageSource(img v1.Image) (*imageSource, error) {
	s := &imageSource{open: map[digest.Digest]func() (io.ReadCloser, error){}}
	body, err := img.RawManifest()
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return nil, fmt.Errorf("media type: %w", err)
	}
	s.root = ocispec.Descriptor{MediaType: string(mediaType), Digest: digest.FromBytes(body), Size: int64(len(body))}
	s.open[s.root.Digest] = opener(body)
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	s.open[digest.FromBytes(config)] = opener(config)
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("layers: %w", err)
	}
	for i, l := range layers {
		h, err := l.Digest()
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		s.open[digest.Digest(h.String())] = l.Compressed
	}
	return s, nil
}

func opener(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// Fetch implements registry.Fetcher.
func (s *imageSource) Fetch(_ context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	open, ok := s.open[desc.Digest]
	if !ok {
		return nil, fmt.Errorf("image has no content %s", desc.Digest)
	}
	rc, err := open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", desc.Digest, err)
	}
	return rc, nil
}
