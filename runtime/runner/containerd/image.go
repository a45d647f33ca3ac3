package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/pkg/reference"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// pullParallel is how many layers of one image are fetched at once.
	pullParallel = 3
	// pullStall is how long a pull may go without a byte before it is given up.
	pullStall = 2 * time.Minute
	// maxImageConfig bounds an image's configuration, in bytes.
	maxImageConfig = 4 << 20
	// maxImages bounds the images whose configuration is kept in memory.
	maxImages = 256
)

// image is what a start needs to know of one that is unpacked.
type image struct {
	config ocispec.ImageConfig
	parent string // the snapshot its root file system is in
}

// Prepare pulls the image in this process, so from the agent's network
// namespace, into containerd's store and unpacks it.
func (r *Runner) Prepare(ctx context.Context, spec runner.Spec, progress func(runner.Progress)) error {
	ref := spec.Task.Container.Image
	if err := checkReference(ref); err != nil {
		return fmt.Errorf("image %q: %w: %w", ref, runner.ErrImage, err)
	}
	release, err := r.preparing.lock(ctx, ref)
	if err != nil {
		return fmt.Errorf("waiting for image %s: %w", ref, err)
	}
	defer release()
	ctx = r.in(ctx)
	r.mu.Lock()
	delete(r.images, ref) // somebody may have removed it from containerd
	r.mu.Unlock()
	_, err = r.image(ctx, ref)
	if errdefs.IsNotFound(err) {
		if err = r.pull(ctx, ref, progress); err == nil {
			_, err = r.image(ctx, ref)
		}
	}
	if err != nil {
		return r.imageError(ref, err)
	}
	r.markUsed(ctx, ref)
	return nil
}

// imageError tells an engine that is away from an image that is not to be had.
func (r *Runner) imageError(ref string, err error) error {
	if errdefs.IsUnavailable(err) || errdefs.IsCanceled(err) || errors.Is(err, context.Canceled) {
		return r.wrap(err, "image %s", ref)
	}
	return fmt.Errorf("image %s: %w: %w", ref, runner.ErrImage, err)
}

// checkReference accepts "host/repository@digest" only: a tag can change.
func checkReference(ref string) error {
	s, err := reference.Parse(ref)
	if err != nil {
		return err
	}
	if err := s.Digest().Validate(); err != nil {
		return fmt.Errorf("an image is named by digest, as host/repository@sha256:…: %w", err)
	}
	return nil
}

// image gives an image that is present and unpacked, or an errdefs.ErrNotFound.
func (r *Runner) image(ctx context.Context, ref string) (image, error) {
	r.mu.Lock()
	known, ok := r.images[ref]
	r.mu.Unlock()
	if ok {
		return known, nil
	}
	img, err := r.client.GetImage(ctx, ref)
	if err != nil {
		return image{}, err
	}
	desc, err := img.Config(ctx)
	if err != nil {
		return image{}, err
	}
	if desc.Size > maxImageConfig {
		return image{}, fmt.Errorf("its configuration has %d bytes, over the limit of %d", desc.Size, maxImageConfig)
	}
	b, err := content.ReadBlob(ctx, r.client.ContentStore(), desc)
	if err != nil {
		return image{}, err
	}
	var full ocispec.Image
	if err := json.Unmarshal(b, &full); err != nil {
		return image{}, fmt.Errorf("its configuration: %w", err)
	}
	got := image{config: full.Config, parent: identity.ChainID(full.RootFS.DiffIDs).String()}
	if _, err := r.client.SnapshotService(r.opts.Snapshotter).Stat(ctx, got.parent); err != nil {
		return image{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.images) >= maxImages {
		clear(r.images)
	}
	r.images[ref] = got
	return got, nil
}

func (r *Runner) pull(ctx context.Context, ref string, report func(runner.Progress)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := newMeter(report, func() {
		cancel(fmt.Errorf("no byte came for %s", pullStall))
	})
	defer m.stop()
	m.phase("resolve")
	_, err := r.client.Pull(ctx, ref,
		client.WithPullUnpack,
		client.WithPullSnapshotter(r.opts.Snapshotter),
		client.WithResolver(countingResolver{r.resolver, m}),
		client.WithPlatformMatcher(platforms.Default()),
		client.WithMaxConcurrentDownloads(pullParallel),
		client.WithImageHandlerWrapper(func(next images.Handler) images.Handler {
			return images.HandlerFunc(func(ctx context.Context, desc ocispec.Descriptor) ([]ocispec.Descriptor, error) {
				children, err := next.Handle(ctx, desc)
				if err == nil && images.IsManifestType(desc.MediaType) {
					m.expect(ctx, r.client.ContentStore(), children)
				}
				return children, err
			})
		}),
	)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// newResolver is how registries are found and spoken to.
func newResolver(o Options) (remotes.Resolver, *http.Client) {
	transport := docker.DefaultHTTPTransport(o.RegistryTLS)
	pool := &http.Client{Transport: transport}
	return docker.NewResolver(docker.ResolverOptions{
		Hosts: docker.ConfigureDefaultRegistries(
			docker.WithClient(pool),
			docker.WithAuthorizer(docker.NewDockerAuthorizer(docker.WithAuthClient(pool),
				docker.WithAuthCreds(func(host string) (string, string, error) { return credentials(o.Auth, host) }))),
			docker.WithPlainHTTP(func(host string) (bool, error) { return slices.Contains(o.PlainHTTP, host), nil }),
		),
	}), pool
}
