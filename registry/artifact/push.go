package artifact

import (
	"bytes"
	"context"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// Push stores p and gives its descriptor: blobs, then the manifest, then the
// tag. An empty tag means the one of p's version. Pushing the same content
// again is a success; other content under an existing tag is problem.Exists,
// and nothing is pushed.
func Push(ctx context.Context, s registry.Store, p *Package, tag string) (ocispec.Descriptor, error) {
	if tag == "" {
		var err error
		if tag, err = registry.TagOfVersion(p.Version()); err != nil {
			return ocispec.Descriptor{}, err
		}
	}
	if err := registry.ValidateTag(tag); err != nil {
		return ocispec.Descriptor{}, err
	}
	there, err := s.Resolve(ctx, tag)
	switch {
	case err == nil && there.Digest == p.desc.Digest:
		return p.desc, nil
	case err == nil:
		return ocispec.Descriptor{}, taken(p, tag, there)
	case !problem.Is(err, problem.NotFound):
		return ocispec.Descriptor{}, fmt.Errorf("push %s %s: %w", p.Name(), p.Version(), err)
	}
	if err := pushContent(ctx, s, p); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("push %s %s: %w", p.Name(), p.Version(), err)
	}
	if err := s.Tag(ctx, p.desc, tag); err != nil {
		// Somebody may have been faster since the tag was looked up.
		if there, rerr := s.Resolve(ctx, tag); rerr == nil && problem.Is(err, problem.Exists) {
			if there.Digest == p.desc.Digest {
				return p.desc, nil
			}
			return ocispec.Descriptor{}, taken(p, tag, there)
		}
		return ocispec.Descriptor{}, fmt.Errorf("push %s %s: %w", p.Name(), p.Version(), err)
	}
	return p.desc, nil
}

func taken(p *Package, tag string, there ocispec.Descriptor) error {
	return problem.New(problem.Exists, "%s: tag %q is published with other content: there %s, here %s", p.Name(), tag, there.Digest, p.desc.Digest).
		WithHint("a published version does not change: raise the version and publish again")
}

func pushContent(ctx context.Context, s registry.Store, p *Package) error {
	if err := pushMissing(ctx, s, p.manifest.Config, p.config); err != nil {
		return err
	}
	for _, l := range p.manifest.Layers {
		if err := pushMissing(ctx, s, l, p.blobs[l.Digest.String()]); err != nil {
			return err
		}
	}
	return s.Push(ctx, p.desc, bytes.NewReader(p.raw))
}

func pushMissing(ctx context.Context, s registry.Store, d ocispec.Descriptor, data []byte) error {
	if e, ok := s.(registry.Exister); ok {
		if has, err := e.Exists(ctx, d); err != nil || has {
			return err
		}
	}
	return s.Push(ctx, d, bytes.NewReader(data))
}
