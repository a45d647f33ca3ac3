package containerd

import (
	"context"
	"fmt"
	"math"
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

// quantile gives the value that a part q of d does not exceed, in milliseconds.
func quantile(d []time.Duration, q float64) float64 {
	slices.Sort(d)
	return float64(d[max(int(math.Ceil(q*float64(len(d))))-1, 0)].Microseconds()) / 1000
}

const (
	launchRounds  = 96 // starts one at a time
	launch8Rounds = 16 // rounds of launchWidth at once
	launchWidth   = 8
)

// launch starts width containers at once and removes them; it gives how long
// each start took.
func launch(b *testing.B, width int, start func(i int) (func() error, error)) []time.Duration {
	b.Helper()
	took := make([]time.Duration, width)
	remove := make([]func() error, width)
	var wg sync.WaitGroup
	for i := range width {
		wg.Go(func() {
			begun := time.Now()
			var err error
			remove[i], err = start(i)
			took[i] = time.Since(begun)
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	for _, f := range remove {
		if f == nil {
			continue
		}
		if err := f(); err != nil {
			b.Error(err)
		}
	}
	return took
}

// BenchmarkLaunch alternates between the baseline and Runner.Start, from the
// call to the running process: one at a time, and eight at once.
func BenchmarkLaunch(b *testing.B) {
	h := harness(b)
	r := open(b)
	ctx := context.Background()
	if err := r.Prepare(ctx, h.Spec(b, "run"), nil); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		width, rounds int
	}{{"", 1, launchRounds}, {"8", launchWidth, launch8Rounds}} {
		b.Run("width"+strconv.Itoa(c.width), func(b *testing.B) {
			for b.Loop() {
				var raw, ours []time.Duration
				for round := range c.rounds {
					specs := make([]runner.Spec, c.width)
					for i := range specs {
						specs[i] = h.Spec(b, "run")
					}
					raw = append(raw, launch(b, c.width, func(i int) (func() error, error) {
						return rawStart(ctx, r, fmt.Sprintf("raw%s-%d-%d", c.name, round, i), filepath.Join(specs[i].Sandbox, "raw"))
					})...)
					ours = append(ours, launch(b, c.width, func(i int) (func() error, error) { return ourStart(ctx, r, specs[i]) })...)
				}
				for _, q := range []struct {
					name string
					at   float64
				}{{"p50", 0.5}, {"p99", 0.99}} {
					fmt.Printf("figure runner.launch%s_%s %.1f ms\n", c.name, q.name, quantile(ours, q.at))
					fmt.Printf("figure runner.raw%s_%s %.1f ms\n", c.name, q.name, quantile(raw, q.at))
				}
				fmt.Printf("figure runner.launch%s_ratio %.3f ratio\n", c.name, quantile(ours, 0.5)/quantile(raw, 0.5))
			}
		})
	}
}

// attachRounds is how many attachments are made and undone.
const attachRounds = 20

// BenchmarkAttach attaches groups with one published port, one after another,
// beside one that stays, as on an agent that has some.
func BenchmarkAttach(b *testing.B) {
	needNetwork(b)
	r := open(b)
	ctx := context.Background()
	runnertest.Attach(b, r, "stays")
	for b.Loop() {
		var attach, detach []time.Duration
		for i := range attachRounds {
			group := "bench-" + strconv.Itoa(i)
			begun := time.Now()
			if _, err := r.Attach(ctx, group, publish(31900, 80)); err != nil {
				b.Fatal(err)
			}
			attach = append(attach, time.Since(begun))
			begun = time.Now()
			if err := r.Detach(ctx, group); err != nil {
				b.Fatal(err)
			}
			detach = append(detach, time.Since(begun))
		}
		fmt.Printf("figure runner.attach %.1f ms\n", quantile(attach, 0.5))
		fmt.Printf("figure runner.detach %.1f ms\n", quantile(detach, 0.5))
	}
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
