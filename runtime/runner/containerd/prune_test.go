package containerd

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"

	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// imagesOf lists the references of a Runner's images, sorted.
func imagesOf(t *testing.T, r *Runner) []string {
	t.Helper()
	all, err := r.client.ImageService().List(r.in(runnertest.Context(t)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, img := range all {
		out = append(out, img.Name)
	}
	slices.Sort(out)
	return out
}

// age makes an image's last use one of so long ago.
func age(t *testing.T, r *Runner, ref string, by time.Duration) {
	t.Helper()
	_, err := r.client.ImageService().Update(r.in(runnertest.Context(t)), images.Image{
		Name: ref, Labels: map[string]string{labelUsed: time.Now().Add(-by).UTC().Format(time.RFC3339)},
	}, "labels."+labelUsed)
	if err != nil {
		t.Fatal(err)
	}
}

// blobsOf is how many bytes of content the engine has for a Runner.
func blobsOf(t *testing.T, r *Runner) (bytes int64) {
	t.Helper()
	store := r.client.ContentStore()
	ctx := r.in(runnertest.Context(t))
	for d := range engine.registry.Config.Handler.(blobs) {
		if info, err := store.Info(ctx, d); err == nil {
			bytes += info.Size
		}
	}
	return bytes
}

func never(int64) bool { return false }

func TestPrune(t *testing.T) {
	h := harness(t)
	d := newDaemon(t)
	r := runnerOn(t, d, testNamespace)
	ctx := runnertest.Context(t)
	small, large := h.Spec(t, "run"), h.Spec(t, "run")
	large.Task.Container.Image = engine.larger
	for _, s := range []runner.Spec{small, large} {
		if err := r.Prepare(ctx, s, nil); err != nil {
			t.Fatal(err)
		}
	}
	prune := func(enough func(int64) bool) int64 {
		t.Helper()
		freed, err := r.Prune(ctx, time.Now().Add(-time.Hour), enough)
		if err != nil {
			t.Fatal(err)
		}
		return freed
	}
	both := imagesOf(t, r)
	if freed := prune(never); freed != 0 || len(both) != 2 || !slices.Equal(imagesOf(t, r), both) {
		t.Errorf("images just used: freed %d, left %v of %v, want all", freed, imagesOf(t, r), both)
	}
	// A container of it, also an ended one, is a use.
	runnertest.Start(t, r, large)
	for _, ref := range both {
		age(t, r, ref, 2*time.Hour)
	}
	if freed := prune(func(int64) bool { return true }); freed != 0 || !slices.Equal(imagesOf(t, r), both) {
		t.Errorf("nothing to free: freed %d, left %v, want all", freed, imagesOf(t, r))
	}
	// The smaller image's layer is also the other one's: little comes of its removal.
	if freed := prune(never); freed <= 0 || freed > 8<<10 || !slices.Equal(imagesOf(t, r), []string{engine.larger}) {
		t.Errorf("one image used: freed %d, left %v, want the used one and less than 8 KiB", freed, imagesOf(t, r))
	}
	// The end of a container is a use.
	if err := r.Remove(ctx, large.Task.ID); err != nil {
		t.Fatal(err)
	}
	age(t, r, engine.larger, 2*time.Hour)
	before := blobsOf(t, r)
	freed := prune(never)
	if after := blobsOf(t, r); len(imagesOf(t, r)) != 0 || after != 0 || freed < before+largerBytes {
		t.Errorf("nothing used: freed %d, %d of %d bytes of blobs are left, images %v; want none, and the snapshots counted",
			freed, after, before, imagesOf(t, r))
	}
	// It comes back, and stays while a lease holds a part of it.
	if err := r.Prepare(ctx, small, nil); err != nil {
		t.Fatal(err)
	}
	age(t, r, engine.image, 2*time.Hour)
	lease, err := r.client.LeasesService().Create(r.in(ctx), leases.WithRandomID())
	if err != nil {
		t.Fatal(err)
	}
	part := leases.Resource{ID: engine.image[strings.Index(engine.image, "@")+1:], Type: "content"}
	if err := r.client.LeasesService().AddResource(r.in(ctx), lease, part); err != nil {
		t.Fatal(err)
	}
	if freed := prune(never); freed != 0 || len(imagesOf(t, r)) != 1 {
		t.Errorf("leased image: freed %d, left %v, want it", freed, imagesOf(t, r))
	}
	if err := r.client.LeasesService().Delete(r.in(ctx), lease); err != nil {
		t.Fatal(err)
	}
	if freed := prune(never); freed == 0 || len(imagesOf(t, r)) != 0 {
		t.Errorf("after the lease: freed %d, left %v, want none", freed, imagesOf(t, r))
	}
}

func TestPrune_useIsWrittenDown(t *testing.T) {
	h := harness(t)
	d := newDaemon(t)
	r := runnerOn(t, d, testNamespace)
	ctx := runnertest.Context(t)
	spec := h.Spec(t, "run")
	use := func(what string, step func() error) {
		t.Helper()
		if err := step(); err != nil {
			t.Fatal(err)
		}
		img, err := r.client.ImageService().Get(r.in(ctx), engine.image)
		if err != nil {
			t.Fatal(err)
		}
		if got := lastUse(img); time.Since(got) > time.Hour {
			t.Errorf("last use after %s: got %s", what, got)
		}
		age(t, r, engine.image, 2*time.Hour)
		r.mu.Lock()
		clear(r.used) // as if useEvery had passed
		r.mu.Unlock()
	}
	use("Prepare", func() error { return r.Prepare(ctx, spec, nil) })
	use("a second Prepare", func() error { return r.Prepare(ctx, spec, nil) })
	use("Start", func() error { return r.Start(ctx, spec) })
	use("Remove", func() error { return r.Remove(ctx, spec.Task.ID) })
}

func TestPrune_leavesWhatIsBeingPrepared(t *testing.T) {
	h := harness(t)
	d := newDaemon(t)
	r := runnerOn(t, d, testNamespace)
	ctx := runnertest.Context(t)
	if err := r.Prepare(ctx, h.Spec(t, "run"), nil); err != nil {
		t.Fatal(err)
	}
	age(t, r, engine.image, 2*time.Hour)
	release, err := r.preparing.lock(ctx, engine.image)
	if err != nil {
		t.Fatal(err)
	}
	if freed, err := r.Prune(ctx, time.Now(), never); err != nil || freed != 0 || len(imagesOf(t, r)) != 1 {
		t.Errorf("image being prepared: freed %d, %v, left %v", freed, err, imagesOf(t, r))
	}
	release()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := r.Prune(canceled, time.Now(), never); err == nil {
		t.Error("Prune with a canceled context: got no error")
	}
}
