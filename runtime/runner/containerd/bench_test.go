package containerd

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"

	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// The baseline is containerd's client as one would write it in an example:
// container, snapshot, task, start, with the client's default spec. It sets no
// limits, no seccomp profile and mounts no files.

// rawStart is the baseline's way to a running process.
func rawStart(ctx context.Context, r *Runner, id, log string) (func() error, error) {
	ctx = r.in(ctx)
	img, err := r.client.GetImage(ctx, engine.image)
	if err != nil {
		return nil, err
	}
	c, err := r.client.NewContainer(ctx, id, client.WithImage(img), client.WithSnapshotter(DefaultSnapshotter),
		client.WithRuntime(runtimeName, r.runcOptions()), client.WithNewSnapshot(id, img),
		client.WithNewSpec(oci.WithImageConfig(img), oci.WithProcessArgs("/probe", "run"),
			// Below our own parent, which goes at the end; the default would stay.
			oci.WithCgroup(path.Join(r.opts.CgroupParent, r.opts.Namespace, id))))
	if err != nil {
		return nil, err
	}
	task, err := c.NewTask(ctx, cio.LogFile(log))
	if err != nil {
		return nil, err
	}
	remove := func() error {
		if _, err := task.Delete(ctx, client.WithProcessKill); err != nil {
			return err
		}
		return c.Delete(ctx, client.WithSnapshotCleanup)
	}
	return remove, task.Start(ctx)
}

func ourStart(ctx context.Context, r *Runner, spec runner.Spec) (func() error, error) {
	return func() error { return r.Remove(ctx, spec.Task.ID) }, r.Start(ctx, spec)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkLaunch alternates between the baseline and Runner.Start, one at a time.
func BenchmarkLaunch(b *testing.B) {
	h := harness(b)
	r := open(b)
	ctx := context.Background()
	if err := r.Prepare(ctx, h.Spec(b, "run"), nil); err != nil {
		b.Fatal(err)
	}
	var raw, ours []time.Duration
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		spec := h.Spec(b, "run")
		begun := time.Now()
		removeRaw, err := rawStart(ctx, r, "raw-"+strconv.Itoa(i), filepath.Join(spec.Sandbox, "raw"))
		raw = append(raw, time.Since(begun))
		if err != nil {
			b.Fatal(err)
		}
		if err := removeRaw(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		begun = time.Now()
		remove, err := ourStart(ctx, r, spec)
		ours = append(ours, time.Since(begun))
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		if err := remove(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.StopTimer()
	b.ReportMetric(float64(median(raw).Microseconds())/1000, "raw-ms")
	b.ReportMetric(float64(median(ours).Microseconds())/1000, "ours-ms")
	fmt.Printf("figure runner.launch_ratio %.3f ratio\n", float64(median(ours))/float64(median(raw)))
}

const (
	throughputWidth  = 8
	throughputRounds = 4
	throughputEach   = 32 // containers a round
)

// lifecycles runs n whole lives, width at once, and gives how many a second.
func lifecycles(b *testing.B, start func(i int) (func() error, error)) float64 {
	b.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	begun := time.Now()
	for range throughputWidth {
		wg.Go(func() {
			for i := range next {
				remove, err := start(i)
				if err == nil {
					err = remove()
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range throughputEach {
		next <- i
	}
	close(next)
	wg.Wait()
	return throughputEach / time.Since(begun).Seconds()
}

// BenchmarkThroughput alternates rounds of whole lives, eight at once.
func BenchmarkThroughput(b *testing.B) {
	h := harness(b)
	r := open(b)
	ctx, cancel := context.WithTimeout(context.Background(), 10*runnertest.Patience)
	defer cancel()
	if err := r.Prepare(ctx, h.Spec(b, "run"), nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var raw, ours float64
		for round := range throughputRounds {
			specs := make([]runner.Spec, throughputEach)
			for i := range specs {
				specs[i] = h.Spec(b, "run")
			}
			raw += lifecycles(b, func(i int) (func() error, error) {
				return rawStart(ctx, r, fmt.Sprintf("raw-%d-%d", round, i), filepath.Join(specs[i].Sandbox, "raw"))
			})
			ours += lifecycles(b, func(i int) (func() error, error) { return ourStart(ctx, r, specs[i]) })
		}
		b.ReportMetric(raw/throughputRounds, "raw/s")
		b.ReportMetric(ours/throughputRounds, "ours/s")
		fmt.Printf("figure runner.throughput_ratio %.3f ratio\n", ours/raw)
	}
}
