package containerd

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/runtime/runner"
)

// meter counts the bytes of a pull and reports them, from one goroutine at a
// time. While bytes are due and none comes, it calls stalled.
type meter struct {
	mu     sync.Mutex
	report func(runner.Progress)
	now    runner.Progress
	timer  *time.Timer
}

func newMeter(report func(runner.Progress), stalled func()) *meter {
	if report == nil {
		report = func(runner.Progress) {}
	}
	return &meter{report: report, timer: time.AfterFunc(pullStall, stalled)}
}

func (m *meter) stop() { m.timer.Stop() }

func (m *meter) phase(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Phase = name
	m.report(m.now)
}

// expect adds the layers among children to what is to come; those that are
// already in the store count as done.
func (m *meter) expect(ctx context.Context, store content.InfoProvider, children []ocispec.Descriptor) {
	var total, done int64
	for _, c := range children {
		if !images.IsLayerType(c.MediaType) {
			continue
		}
		total += c.Size
		if _, err := store.Info(ctx, c.Digest); err == nil {
			done += c.Size
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Phase = "pull"
	m.now.Total += total
	m.now.Done += done
	m.report(m.now)
	m.finished()
}

// add counts n bytes of a layer.
func (m *meter) add(n int) {
	if n == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now.Phase != "pull" {
		return
	}
	m.timer.Reset(pullStall)
	m.now.Done += int64(n)
	m.report(m.now)
	m.finished()
}

// finished goes over to unpacking when everything has come. Unpacking tells no
// bytes, so it cannot stall in our eyes.
func (m *meter) finished() {
	if m.now.Phase == "pull" && m.now.Total > 0 && m.now.Done >= m.now.Total {
		m.timer.Stop()
		m.now = runner.Progress{Phase: "unpack"}
		m.report(m.now)
	}
}

// countingResolver counts what is fetched through it.
type countingResolver struct {
	remotes.Resolver
	meter *meter
}

func (c countingResolver) Fetcher(ctx context.Context, ref string) (remotes.Fetcher, error) {
	f, err := c.Resolver.Fetcher(ctx, ref)
	if err != nil {
		return nil, err
	}
	return remotes.FetcherFunc(func(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
		body, err := f.Fetch(ctx, desc)
		if err != nil || !images.IsLayerType(desc.MediaType) {
			return body, err
		}
		return &countingBody{ReadCloser: body, meter: c.meter}, nil
	}), nil
}

// countingBody keeps the Seek of the body it wraps: a broken transfer goes on
// where it stopped.
type countingBody struct {
	io.ReadCloser
	meter *meter
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.meter.add(n)
	return n, err
}

func (b *countingBody) Seek(offset int64, whence int) (int64, error) {
	if s, ok := b.ReadCloser.(io.Seeker); ok {
		return s.Seek(offset, whence)
	}
	return 0, io.ErrNoProgress
}
