package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	orasremote "oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// Limits of what a registry may make us read.
const (
	// MaxListPages bounds the pages of one tag or referrer listing.
	MaxListPages = 10_000
	// MaxBufferedBytes is the size up to which a pushed blob is held in
	// memory, in bytes, so that it can be sent again after a failure.
	MaxBufferedBytes = 1 << 20
)

// UserAgent is what a registry sees of us.
const UserAgent = "dcos-universe"

// Credential is what proves an identity to a registry. Empty means anonymous.
type Credential = auth.Credential

// Options are the choices of Open. The zero value is usable.
type Options struct {
	// PlainHTTP asks for http:// on a host that is not loopback.
	PlainHTTP bool
	// TLS asks for https:// on a loopback host.
	TLS bool
	// Anonymous sends no credentials and reads no configuration.
	Anonymous bool
	// DockerConfig is the path of Docker's config.json; empty means the
	// user's own.
	DockerConfig string
	// Credential gives the credential for a host; nil means DockerConfig.
	Credential func(ctx context.Context, host string) (Credential, error)
	// Client sends the requests; nil means a client that retries what failed
	// for a passing reason.
	Client *http.Client
}

// Repository is one repository of a remote registry. It is a registry.Store
// with the capabilities Exister, Mounter and ReferrerLister.
type Repository struct {
	ref  registry.Ref
	repo *orasremote.Repository
}

var (
	_ registry.Store          = (*Repository)(nil)
	_ registry.Exister        = (*Repository)(nil)
	_ registry.Mounter        = (*Repository)(nil)
	_ registry.ReferrerLister = (*Repository)(nil)
)

// Open gives the repository that ref names; it makes no request. Errors are of
// class problem.Invalid: a wrong name or an unreadable Docker configuration.
func Open(ref registry.Ref, opts Options) (*Repository, error) {
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	repo, err := orasremote.NewRepository(ref.Name())
	if err != nil {
		return nil, problem.New(problem.Invalid, "repository %q: %w", ref.Name(), err)
	}
	client, err := newClient(opts)
	if err != nil {
		return nil, err
	}
	repo.Client = client
	repo.PlainHTTP = opts.PlainHTTP || (ref.Loopback() && !opts.TLS)
	repo.TagListMaxPages = MaxListPages
	repo.ReferrerListMaxPages = MaxListPages
	repo.SkipReferrersGC = true
	return &Repository{ref: ref, repo: repo}, nil
}

func newClient(opts Options) (*auth.Client, error) {
	c := &auth.Client{Client: opts.Client, Cache: auth.NewCache()}
	if c.Client == nil {
		c.Client = retry.DefaultClient
	}
	c.SetUserAgent(UserAgent)
	switch {
	case opts.Anonymous:
	case opts.Credential != nil:
		c.Credential = opts.Credential
	default:
		store, err := dockerStore(opts.DockerConfig)
		if err != nil {
			return nil, problem.New(problem.Invalid, "read Docker's credential configuration: %w", err).
				WithHint("mend or remove the file; docker login writes it")
		}
		c.Credential = credentials.Credential(store)
	}
	return c, nil
}

func dockerStore(path string) (credentials.Store, error) {
	if path != "" {
		return credentials.NewStore(path, credentials.StoreOptions{})
	}
	return credentials.NewStoreFromDocker(credentials.StoreOptions{})
}

// Ref is what the repository was opened for.
func (r *Repository) Ref() registry.Ref { return r.ref }

// Resolve implements registry.Store with one HEAD request.
func (r *Repository) Resolve(ctx context.Context, reference string) (ocispec.Descriptor, error) {
	d, err := r.repo.Manifests().Resolve(ctx, reference)
	if err != nil {
		return ocispec.Descriptor{}, r.wrap(err, "resolve %q", reference)
	}
	return d, nil
}

// Fetch implements registry.Fetcher. The reader may be an io.Seeker.
func (r *Repository) Fetch(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	rc, err := r.repo.Fetch(ctx, desc)
	if err != nil {
		return nil, r.wrap(err, "fetch %s", desc.Digest)
	}
	return rc, nil
}

// Push implements registry.Store. Manifests and small blobs are held in memory
// and sent again when the registry fails for a passing reason.
func (r *Repository) Push(ctx context.Context, desc ocispec.Descriptor, content io.Reader) error {
	verified, err := registry.Verify(content, desc)
	if err != nil {
		return err
	}
	body := verified
	limit := int64(MaxBufferedBytes)
	manifest := registry.IsManifest(desc.MediaType)
	if manifest {
		limit = registry.MaxManifestBytes
	}
	switch {
	case desc.Size <= limit:
		b, err := io.ReadAll(verified)
		if err != nil {
			return r.wrap(err, "push %s", desc.Digest)
		}
		body = bytes.NewReader(b)
	case manifest:
		return problem.New(problem.TooLarge, "manifest %s has %d bytes, more than the limit of %d", desc.Digest, desc.Size, limit)
	}
	if err := r.repo.Push(ctx, desc, body); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return r.wrap(err, "push %s", desc.Digest)
	}
	return nil
}

// Tag implements registry.Store: it sends the manifest again under the tag,
// as the distribution protocol has no other way.
func (r *Repository) Tag(ctx context.Context, desc ocispec.Descriptor, tag string) error {
	if err := registry.ValidateTag(tag); err != nil {
		return err
	}
	if err := r.repo.Tag(ctx, desc, tag); err != nil {
		return r.wrap(err, "tag %s as %q", desc.Digest, tag)
	}
	return nil
}

// Tags implements registry.Store.
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	var tags []string
	err := r.repo.Tags(ctx, "", func(page []string) error {
		if len(tags)+len(page) > registry.MaxTags {
			return problem.New(problem.TooLarge, "repository has more than %d tags", registry.MaxTags)
		}
		tags = append(tags, page...)
		return nil
	})
	if err != nil {
		if err = r.wrap(err, "list tags"); problem.Is(err, problem.NotFound) {
			return nil, nil
		}
		return nil, err
	}
	slices.Sort(tags) // some registries list in another order
	return tags, nil
}

// Exists implements registry.Exister with one HEAD request.
func (r *Repository) Exists(ctx context.Context, desc ocispec.Descriptor) (bool, error) {
	has, err := r.repo.Exists(ctx, desc)
	if err != nil {
		return false, r.wrap(err, "look for %s", desc.Digest)
	}
	return has, nil
}

// errNotMounted ends a mount that the registry turned into an upload.
var errNotMounted = errors.New("registry does not mount the blob")

// Mount implements registry.Mounter.
func (r *Repository) Mount(ctx context.Context, desc ocispec.Descriptor, from string) (bool, error) {
	if err := registry.ValidateRepository(from); err != nil {
		return false, err
	}
	err := r.repo.Mount(ctx, desc, from, func() (io.ReadCloser, error) { return nil, errNotMounted })
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errNotMounted):
		return false, nil
	}
	return false, r.wrap(err, "mount %s from %q", desc.Digest, from)
}

// Referrers implements registry.ReferrerLister; it falls back to the referrers
// tag of registries older than distribution-spec 1.1.
func (r *Repository) Referrers(ctx context.Context, desc ocispec.Descriptor, artifactType string) ([]ocispec.Descriptor, error) {
	var found []ocispec.Descriptor
	err := r.repo.Referrers(ctx, desc, artifactType, func(page []ocispec.Descriptor) error {
		if len(found)+len(page) > registry.MaxTags {
			return problem.New(problem.TooLarge, "manifest has more than %d referrers", registry.MaxTags)
		}
		found = append(found, page...)
		return nil
	})
	if err != nil {
		return nil, r.wrap(err, "list referrers of %s", desc.Digest)
	}
	return found, nil
}
