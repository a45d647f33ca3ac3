package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	// labelUsed is on an image: the time of its last use (RFC 3339).
	labelUsed = "universe/used"
	// useEvery is how exact that time is: writing it down costs a transaction of
	// the engine's, which most starts should not pay for.
	useEvery = 5 * time.Minute
)

// markUsed writes down that an image is used now, unless that was done a moment ago.
func (r *Runner) markUsed(ctx context.Context, ref string) {
	now := time.Now()
	r.mu.Lock()
	last, ok := r.used[ref]
	recent := ok && now.Sub(last) < useEvery
	if !recent {
		if len(r.used) >= maxImages {
			clear(r.used)
		}
		r.used[ref] = now
	}
	r.mu.Unlock()
	if recent {
		return
	}
	_, err := r.client.ImageService().Update(ctx, images.Image{
		Name: ref, Labels: map[string]string{labelUsed: now.UTC().Format(time.RFC3339)},
	}, "labels."+labelUsed)
	if ignoreMissing(err) != nil {
		r.log.Warn("the use of an image could not be written down: it may be removed too early", "image", ref, "err", err)
	}
}

// lastUse is when an image was used last; without our word the time it was made.
func lastUse(img images.Image) time.Time {
	if t, err := time.Parse(time.RFC3339, img.Labels[labelUsed]); err == nil {
		return t
	}
	return img.UpdatedAt
}

// footprint is what an image takes, in bytes: blobs by digest, snapshots by chain.
type footprint map[string]int64

// Prune implements runner.ImageKeeper. The images are those of our namespace. One
// of which a lease holds a part stays, since somebody works with it, such as a
// pull under way. What two images share is counted with the last.
func (r *Runner) Prune(ctx context.Context, before time.Time, enough func(freed int64) bool) (int64, error) {
	ctx = r.in(ctx)
	all, err := r.client.ImageService().List(ctx)
	if err != nil {
		return 0, r.wrap(err, "list images")
	}
	slices.SortFunc(all, func(a, b images.Image) int { return lastUse(a).Compare(lastUse(b)) })
	held, err := r.leased(ctx)
	if err != nil {
		return 0, r.wrap(err, "list leases")
	}
	prints := map[string]footprint{}
	shared := map[string]int{} // how many images have a blob or snapshot
	for _, img := range all {
		fp, err := r.footprint(ctx, img)
		if err != nil {
			r.log.Warn("the size of an image is not known in full", "image", img.Name, "err", err)
		}
		prints[img.Name] = fp
		for key := range fp {
			shared[key]++
		}
	}
	var freed int64
	for _, img := range all {
		if !lastUse(img).Before(before) || enough(freed) {
			break
		}
		if prints[img.Name].meets(held) {
			continue
		}
		gone, err := r.pruneOne(ctx, img.Name, before)
		if err != nil {
			return freed, r.wrap(err, "remove image %s", img.Name)
		}
		if !gone {
			continue
		}
		for key, size := range prints[img.Name] {
			if shared[key]--; shared[key] == 0 {
				freed += size
			}
		}
		r.log.Info("image removed", "image", img.Name, "last_use", lastUse(img), "freed", freed)
	}
	return freed, nil
}

// meets reports whether a part of the image is in keys.
func (f footprint) meets(keys map[string]struct{}) bool {
	for key := range f {
		if _, ok := keys[key]; ok {
			return true
		}
	}
	return false
}

// leased gives the blobs and snapshots that leases hold.
func (r *Runner) leased(ctx context.Context) (map[string]struct{}, error) {
	all, err := r.client.LeasesService().List(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]struct{}{}
	for _, l := range all {
		parts, err := r.client.LeasesService().ListResources(ctx, l)
		if ignoreMissing(err) != nil {
			return nil, err
		}
		for _, p := range parts {
			out[p.ID] = struct{}{}
		}
	}
	return out, nil
}

// pruneOne removes an image, unless it is used by now, and waits for its space.
func (r *Runner) pruneOne(ctx context.Context, ref string, before time.Time) (bool, error) {
	release, other := r.preparing.try(ref)
	if other != nil {
		return false, nil // it is being prepared
	}
	defer release()
	img, err := r.client.ImageService().Get(ctx, ref)
	if err != nil {
		return false, ignoreMissing(err)
	}
	if !lastUse(img).Before(before) {
		return false, nil
	}
	users, err := r.client.ContainerService().List(ctx, fmt.Sprintf("image==%q", ref))
	if err != nil || len(users) > 0 {
		return false, err
	}
	r.mu.Lock()
	delete(r.images, ref)
	delete(r.used, ref)
	r.mu.Unlock()
	if err := r.client.ImageService().Delete(ctx, ref, images.SynchronousDelete()); err != nil {
		return false, ignoreMissing(err)
	}
	return true, nil
}

// footprint gives what there is of an image, also beside an error; a part that
// is missing takes nothing.
func (r *Runner) footprint(ctx context.Context, img images.Image) (footprint, error) {
	fp := footprint{}
	store := r.client.ContentStore()
	count := images.HandlerFunc(func(ctx context.Context, desc ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		info, err := store.Info(ctx, desc.Digest)
		if errdefs.IsNotFound(err) {
			return nil, images.ErrSkipDesc
		}
		if err != nil {
			return nil, err
		}
		fp[desc.Digest.String()] = info.Size
		return images.Children(ctx, store, desc)
	})
	if err := images.Walk(ctx, count, img.Target); err != nil {
		return fp, err
	}
	chain, err := r.chain(ctx, img)
	if err != nil {
		return fp, ignoreMissing(err)
	}
	snapshots := r.client.SnapshotService(r.opts.Snapshotter)
	for _, id := range chain {
		u, err := snapshots.Usage(ctx, id)
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fp, err
		}
		fp[id] = u.Size
	}
	return fp, nil
}

// chain gives the names of the snapshots of an image's layers.
func (r *Runner) chain(ctx context.Context, img images.Image) ([]string, error) {
	desc, err := img.Config(ctx, r.client.ContentStore(), platforms.Default())
	if err != nil {
		return nil, err
	}
	if desc.Size > maxImageConfig {
		return nil, fmt.Errorf("its configuration has %d bytes, over the limit of %d", desc.Size, maxImageConfig)
	}
	b, err := content.ReadBlob(ctx, r.client.ContentStore(), desc)
	if err != nil {
		return nil, err
	}
	var full ocispec.Image
	if err := json.Unmarshal(b, &full); err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	var out []string
	for _, id := range identity.ChainIDs(full.RootFS.DiffIDs) {
		out = append(out, id.String())
	}
	return out, nil
}
