package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/errdef"
	orasregistry "oras.land/oras-go/v2/registry"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// MaxIndexBytes bounds a layout's index.json, in bytes.
const MaxIndexBytes = 64 << 20

// Layout is an OCI image layout that is open.
type Layout struct {
	dir   string
	store *oci.Store
}

// Open opens the layout in dir, or makes an empty one there. What is not a
// layout is problem.Invalid.
func Open(dir string) (*Layout, error) {
	if info, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile)); err == nil && info.Size() > MaxIndexBytes {
		return nil, problem.New(problem.TooLarge, "index of OCI layout %s has %d bytes, more than the limit of %d", dir, info.Size(), MaxIndexBytes)
	}
	s, err := oci.New(dir)
	if err != nil {
		return nil, problem.New(problem.Invalid, "open OCI layout %s: %w", dir, err).
			WithHint("name a directory that holds an OCI layout, or one that does not exist yet")
	}
	return &Layout{dir: dir, store: s}, nil
}

// Repository gives one repository of the layout; "" is the one whose tags
// stand without a name. It has the capabilities Exister and ReferrerLister.
func (l *Layout) Repository(name string) registry.Store { return &repository{l: l, name: name} }

// repository is a registry.Store over a part of a layout's tags. Blobs are
// shared.
type repository struct {
	l    *Layout
	name string
}

var (
	_ registry.Store          = (*repository)(nil)
	_ registry.Exister        = (*repository)(nil)
	_ registry.ReferrerLister = (*repository)(nil)
)

// prefix stands before the repository's tags in the index.
func (r *repository) prefix() string {
	if r.name == "" {
		return ""
	}
	return r.name + ":"
}

// Resolve implements registry.Store.
func (r *repository) Resolve(ctx context.Context, reference string) (ocispec.Descriptor, error) {
	if _, err := registry.ParseDigest(reference); err != nil {
		reference = r.prefix() + reference
	}
	d, err := r.l.store.Resolve(ctx, reference)
	if err == nil && !registry.IsManifest(d.MediaType) {
		err = errdef.ErrNotFound // a blob by its digest
	}
	if err != nil {
		return ocispec.Descriptor{}, r.wrap(err, "resolve %q", reference)
	}
	return plain(d), nil
}

// plain leaves out what the index says beside the content itself.
func plain(d ocispec.Descriptor) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// Fetch implements registry.Fetcher.
func (r *repository) Fetch(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	rc, err := r.l.store.Fetch(ctx, plain(desc))
	if err != nil {
		return nil, r.wrap(err, "fetch %s", desc.Digest)
	}
	return rc, nil
}

// Push implements registry.Store.
func (r *repository) Push(ctx context.Context, desc ocispec.Descriptor, content io.Reader) error {
	verified, err := registry.Verify(content, desc)
	if err != nil {
		return err
	}
	err = r.l.store.Push(ctx, plain(desc), verified)
	if errors.Is(err, errdef.ErrAlreadyExists) {
		err = nil
		if registry.IsManifest(desc.MediaType) {
			// The index may lack it: a former process may have ended between
			// writing the one and the other.
			err = r.l.store.Tag(ctx, plain(desc), desc.Digest.String())
		}
	}
	if err != nil {
		return r.wrap(err, "push %s", desc.Digest)
	}
	return nil
}

// Tag implements registry.Store.
func (r *repository) Tag(ctx context.Context, desc ocispec.Descriptor, tag string) error {
	if err := registry.ValidateTag(tag); err != nil {
		return err
	}
	if err := r.l.store.Tag(ctx, plain(desc), r.prefix()+tag); err != nil {
		return r.wrap(err, "tag %s as %q", desc.Digest, tag)
	}
	return nil
}

// Tags implements registry.Store.
func (r *repository) Tags(ctx context.Context) ([]string, error) {
	var tags []string
	err := r.l.store.Tags(ctx, "", func(page []string) error {
		for _, t := range page {
			name, ok := strings.CutPrefix(t, r.prefix())
			if ok && registry.ValidateTag(name) == nil {
				tags = append(tags, name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, r.wrap(err, "list tags")
	}
	slices.Sort(tags)
	return tags, nil
}

// Exists implements registry.Exister.
func (r *repository) Exists(ctx context.Context, desc ocispec.Descriptor) (bool, error) {
	has, err := r.l.store.Exists(ctx, plain(desc))
	if err != nil {
		return false, r.wrap(err, "look for %s", desc.Digest)
	}
	return has, nil
}

// Referrers implements registry.ReferrerLister.
func (r *repository) Referrers(ctx context.Context, desc ocispec.Descriptor, artifactType string) ([]ocispec.Descriptor, error) {
	found, err := orasregistry.Referrers(ctx, r.l.store, plain(desc), artifactType)
	if err != nil {
		return nil, r.wrap(err, "list referrers of %s", desc.Digest)
	}
	slices.SortFunc(found, func(a, b ocispec.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) })
	return found, nil
}

// wrap gives err a class, the operation and the layout.
func (r *repository) wrap(err error, format string, args ...any) error {
	where := fmt.Sprintf(format, args...) + " in OCI layout " + r.l.dir
	class := problem.Internal
	var p *problem.Error
	switch {
	case errors.As(err, &p), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", where, err)
	case errors.Is(err, errdef.ErrNotFound):
		class = problem.NotFound
	case errors.Is(err, errdef.ErrInvalidReference), errors.Is(err, errdef.ErrInvalidDigest), errors.Is(err, errdef.ErrMissingReference),
		errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize),
		errors.Is(err, io.ErrUnexpectedEOF):
		class = problem.Invalid
	}
	return problem.New(class, "%s: %w", where, err)
}
