package fake

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/universe-dcos/universe/runtime/runner"
)

// ImageBytes is the size of an image where Runner.ImageSize is nil.
const ImageBytes = 1 << 20

var _ runner.ImageKeeper = (*Runner)(nil)

// use notes that an image is used now; the caller holds the lock.
func (r *Runner) use(ref string) {
	if r.images == nil {
		r.images = map[string]time.Time{}
	}
	r.images[ref] = time.Now()
}

// Prune forgets images as a real runner removes them.
func (r *Runner) Prune(_ context.Context, before time.Time, enough func(freed int64) bool) (int64, error) {
	if err := r.available(); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	used := map[string]bool{}
	for _, c := range r.containers {
		used[c.spec.Task.Container.Image] = true
	}
	refs := slices.SortedFunc(maps.Keys(r.images), func(a, b string) int {
		return cmp.Or(r.images[a].Compare(r.images[b]), strings.Compare(a, b))
	})
	var freed int64
	for _, ref := range refs {
		if used[ref] || !r.images[ref].Before(before) {
			continue
		}
		if enough(freed) {
			break
		}
		delete(r.images, ref)
		if r.ImageSize != nil {
			freed += r.ImageSize(ref)
		} else {
			freed += ImageBytes
		}
	}
	return freed, nil
}

// Images lists the images that are present, sorted.
func (r *Runner) Images() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.images))
}
