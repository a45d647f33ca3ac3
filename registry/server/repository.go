package server

import (
	"bytes"
	"context"
	"fmt"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// repository is a registry.Store straight over the server's stores: no HTTP,
// no authorizer. What it writes is as durable and as visible as what comes
// over HTTP, and goes to OnPush too.
type repository struct {
	s    *Server
	name string
}

var (
	_ registry.Store          = (*repository)(nil)
	_ registry.Exister        = (*repository)(nil)
	_ registry.Mounter        = (*repository)(nil)
	_ registry.ReferrerLister = (*repository)(nil)
)

// Repository gives a repository for use in this process. It need not exist; a
// name that is not valid makes every call fail with problem.Invalid. It has
// the capabilities Exister, Mounter and ReferrerLister.
func (s *Server) Repository(name string) registry.Store { return &repository{s: s, name: name} }

// Repositories lists all repositories in byte order.
func (s *Server) Repositories(ctx context.Context) ([]string, error) {
	leave, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return collect(ctx, func(last string) ([]string, bool, error) { return s.repositories(last, s.limits.Page) })
}

// collect reads a list page by page: one long read transaction would make the
// database file grow.
func collect(ctx context.Context, page func(last string) ([]string, bool, error)) ([]string, error) {
	var all []string
	for last, more := "", true; more; {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		var names []string
		var err error
		if names, more, err = page(last); err != nil {
			return nil, err
		}
		if all = append(all, names...); len(all) > 0 {
			last = all[len(all)-1]
		}
		if len(all) > registry.MaxTags {
			return nil, problem.New(problem.TooLarge, "list has more than %d entries", registry.MaxTags)
		}
	}
	return all, nil
}

// enter checks the repository's name and counts the call.
func (r *repository) enter() (leave func(), err error) {
	if err := registry.ValidateRepository(r.name); err != nil {
		return nil, err
	}
	return r.s.enter()
}

// wrap gives an error its class, the operation and the repository.
func (r *repository) wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s in repository %q: %w", fmt.Sprintf(format, args...), r.name, problemOf(err))
}

// Resolve implements registry.Store.
func (r *repository) Resolve(_ context.Context, reference string) (ocispec.Descriptor, error) {
	leave, err := r.enter()
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer leave()
	if err := checkReference(reference); err != nil {
		return ocispec.Descriptor{}, r.wrap(err, "resolve")
	}
	d, rec, err := r.s.statManifest(r.name, reference)
	if err != nil {
		return ocispec.Descriptor{}, r.wrap(err, "resolve")
	}
	return rec.descriptor(d), nil
}

// Fetch implements registry.Fetcher.
func (r *repository) Fetch(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	d, err := registry.ParseDigest(desc.Digest.String())
	if err != nil {
		return nil, err
	}
	if registry.IsManifest(desc.MediaType) {
		raw, _, _, err := r.s.readManifest(ctx, r.name, d.String())
		if err != nil {
			return nil, r.wrap(err, "fetch")
		}
		return io.NopCloser(bytes.NewReader(raw)), nil
	}
	rc, err := r.s.openBlob(ctx, r.name, d)
	if err != nil {
		return nil, r.wrap(err, "fetch")
	}
	return rc, nil
}

// Push implements registry.Store.
func (r *repository) Push(ctx context.Context, desc ocispec.Descriptor, content io.Reader) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	verified, err := registry.Verify(content, desc)
	if err != nil {
		return err
	}
	if registry.IsManifest(desc.MediaType) {
		return r.wrap(r.pushManifest(ctx, desc, verified), "push manifest")
	}
	return r.wrap(r.s.putBlob(ctx, r.name, desc.Digest, desc.Size, verified), "push blob")
}

func (r *repository) pushManifest(ctx context.Context, desc ocispec.Descriptor, content io.Reader) error {
	if desc.Size > r.s.limits.ManifestBytes {
		return r.s.manifestTooLarge()
	}
	raw, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	m, err := parseManifest(desc.MediaType, raw, desc.Digest)
	if err != nil {
		return err
	}
	return r.s.putManifest(ctx, r.name, m, nil, condition{})
}

// Tag implements registry.Store.
func (r *repository) Tag(_ context.Context, desc ocispec.Descriptor, tag string) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := registry.ValidateTag(tag); err != nil {
		return err
	}
	d, err := registry.ParseDigest(desc.Digest.String())
	if err != nil {
		return err
	}
	return r.wrap(r.s.tagManifest(r.name, tag, d), "tag")
}

// Tags implements registry.Store.
func (r *repository) Tags(ctx context.Context) ([]string, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	tags, err := collect(ctx, func(last string) ([]string, bool, error) { return r.s.tags(r.name, last, r.s.limits.Page) })
	if err != nil {
		if err = r.wrap(err, "list tags"); problem.Is(err, problem.NotFound) {
			return nil, nil
		}
		return nil, err
	}
	return tags, nil
}

// Exists implements registry.Exister.
func (r *repository) Exists(ctx context.Context, desc ocispec.Descriptor) (bool, error) {
	leave, err := r.enter()
	if err != nil {
		return false, err
	}
	defer leave()
	d, err := registry.ParseDigest(desc.Digest.String())
	if err != nil {
		return false, err
	}
	if registry.IsManifest(desc.MediaType) {
		_, _, err = r.s.statManifest(r.name, d.String())
	} else {
		_, err = r.s.statBlob(ctx, r.name, d)
	}
	if err = r.wrap(err, "look for content"); problem.Is(err, problem.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// Mount implements registry.Mounter.
func (r *repository) Mount(ctx context.Context, desc ocispec.Descriptor, from string) (bool, error) {
	leave, err := r.enter()
	if err != nil {
		return false, err
	}
	defer leave()
	if err := registry.ValidateRepository(from); err != nil {
		return false, err
	}
	d, err := registry.ParseDigest(desc.Digest.String())
	if err != nil {
		return false, err
	}
	mounted, err := r.s.mountBlob(ctx, r.name, from, d)
	return mounted, r.wrap(err, "mount blob")
}

// Referrers implements registry.ReferrerLister.
func (r *repository) Referrers(ctx context.Context, desc ocispec.Descriptor, artifactType string) ([]ocispec.Descriptor, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	d, err := registry.ParseDigest(desc.Digest.String())
	if err != nil {
		return nil, err
	}
	var all []ocispec.Descriptor
	for last, more := "", true; more; {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		var page []ocispec.Descriptor
		if page, more, err = r.s.referrers(r.name, d, artifactType, last, MaxReferrersBytes); err != nil {
			return nil, r.wrap(err, "list referrers")
		}
		if all = append(all, page...); len(all) > 0 {
			last = all[len(all)-1].Digest.String()
		}
	}
	return all, nil
}
