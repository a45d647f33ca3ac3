package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/universe-dcos/universe/internal/problem"
)

// DefaultCopyConcurrency is how many blobs Copy moves at a time by default.
const DefaultCopyConcurrency = 3

// Progress is told how many bytes of a copy are done and how many there are in
// all. Calls are serialised; done never falls.
type Progress func(done, total int64)

// CopyOptions are the choices of Copy. The zero value is usable.
type CopyOptions struct {
	// Concurrency is how many blobs move at a time; 0 means
	// DefaultCopyConcurrency.
	Concurrency int
	// Progress is called as bytes are done; nil for none. Blobs that dst has
	// already count as done.
	Progress Progress
}

// Copy brings the manifest root and all it refers to from src to dst: blobs
// first, then manifests from the leaves up, then the tag, unless it is empty.
// What dst has is skipped. Foreign layers (IsForeignLayer) are left out. A
// copy that fails leaves no tag and no manifest without its content.
func Copy(ctx context.Context, dst Store, src Fetcher, root ocispec.Descriptor, tag string, opts CopyOptions) error {
	p := &copyPlan{dst: dst, src: src, seen: map[digest.Digest]bool{}}
	if err := p.walk(ctx, root, 0); err != nil {
		return fmt.Errorf("copy %s: %w", root.Digest, err)
	}
	if err := p.pushBlobs(ctx, opts); err != nil {
		return fmt.Errorf("copy %s: %w", root.Digest, err)
	}
	for _, m := range p.manifests {
		if err := dst.Push(ctx, m.desc, bytes.NewReader(m.body)); err != nil {
			return fmt.Errorf("copy manifest %s: %w", m.desc.Digest, err)
		}
	}
	if tag == "" {
		return nil
	}
	if err := dst.Tag(ctx, root, tag); err != nil {
		return fmt.Errorf("tag %s as %q: %w", root.Digest, tag, err)
	}
	return nil
}

// copyPlan is what a copy has to move.
type copyPlan struct {
	dst       Store
	src       Fetcher
	seen      map[digest.Digest]bool
	manifests []copyManifest // children before parents
	blobs     []ocispec.Descriptor
	total     int64 // bytes of blobs
}

type copyManifest struct {
	desc ocispec.Descriptor
	body []byte
}

// children is the part of a manifest or index that refers to other content.
type children struct {
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Manifests []ocispec.Descriptor `json:"manifests"`
}

func (p *copyPlan) walk(ctx context.Context, desc ocispec.Descriptor, depth int) error {
	if p.seen[desc.Digest] {
		return nil
	}
	p.seen[desc.Digest] = true
	if depth > MaxCopyDepth || len(p.manifests) >= MaxCopyManifests {
		return problem.New(problem.TooLarge, "index nests deeper than %d or holds more than %d manifests", MaxCopyDepth, MaxCopyManifests)
	}
	// A manifest is pushed after its content, so one that is there is whole.
	if has, err := exists(ctx, p.dst, desc); err != nil || has {
		return err
	}
	body, err := ReadBlob(ctx, p.src, desc, MaxManifestBytes)
	if err != nil {
		return err
	}
	var c children
	if err := json.Unmarshal(body, &c); err != nil {
		return problem.New(problem.Invalid, "manifest %s is not valid JSON: %w", desc.Digest, err)
	}
	for _, m := range c.Manifests {
		if err := p.walk(ctx, m, depth+1); err != nil {
			return err
		}
	}
	if c.Config != nil {
		p.addBlob(*c.Config)
	}
	for _, l := range c.Layers {
		if !IsForeignLayer(l) {
			p.addBlob(l)
		}
	}
	p.manifests = append(p.manifests, copyManifest{desc: desc, body: body})
	return nil
}

func (p *copyPlan) addBlob(d ocispec.Descriptor) {
	if p.seen[d.Digest] {
		return
	}
	p.seen[d.Digest] = true
	p.blobs = append(p.blobs, d)
	p.total += d.Size
}

func (p *copyPlan) pushBlobs(ctx context.Context, opts CopyOptions) error {
	meter := &meter{total: p.total, report: opts.Progress}
	meter.add(0)
	g, ctx := errgroup.WithContext(ctx)
	width := opts.Concurrency
	if width <= 0 {
		width = DefaultCopyConcurrency
	}
	g.SetLimit(width)
	for _, d := range p.blobs {
		g.Go(func() error {
			if err := p.pushBlob(ctx, d, meter); err != nil {
				return fmt.Errorf("blob %s: %w", d.Digest, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (p *copyPlan) pushBlob(ctx context.Context, d ocispec.Descriptor, m *meter) error {
	has, err := exists(ctx, p.dst, d)
	if err != nil {
		return err
	}
	if has {
		m.add(d.Size)
		return nil
	}
	rc, err := p.src.Fetch(ctx, d)
	if err != nil {
		return err
	}
	defer rc.Close()
	counted := &countingReader{r: rc, meter: m, left: d.Size}
	if err := p.dst.Push(ctx, d, counted); err != nil {
		return err
	}
	m.add(counted.left) // dst may have known the content and not read it
	return nil
}

// exists asks dst when it can tell, and says no when it cannot.
func exists(ctx context.Context, dst Store, d ocispec.Descriptor) (bool, error) {
	e, ok := dst.(Exister)
	if !ok {
		return false, nil
	}
	return e.Exists(ctx, d)
}

// meter sums the bytes of several blobs and reports them.
type meter struct {
	mu     sync.Mutex
	done   int64
	total  int64
	report Progress
}

func (m *meter) add(n int64) {
	if m.report == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	m.report(m.done, m.total)
}

// countingReader reports what passes, at most the blob's size: a transport
// that sends a blob again must not count it twice.
type countingReader struct {
	r     io.Reader
	meter *meter
	left  int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if add := min(int64(n), c.left); add > 0 {
		c.left -= add
		c.meter.add(add)
	}
	return n, err
}
