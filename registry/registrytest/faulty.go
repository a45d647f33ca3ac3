package registrytest

import (
	"context"
	"errors"
	"io"
	"sync"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/registry"
)

// ErrInjected is what Faulty fails with.
var ErrInjected = errors.New("injected failure")

// Faulty is a Store that fails on purpose, at the n-th operation and at all
// after it, as a registry that goes away. Resolve, Fetch, Push, Tag, Tags and
// Exists count.
type Faulty struct {
	// Store does the work.
	Store registry.Store
	// At is the number of the first operation that fails, from 1; 0 for none.
	At int
	// Late carries the operation At out and only then fails, as a reply that
	// is lost.
	Late bool

	mu sync.Mutex
	n  int
}

var (
	_ registry.Store   = (*Faulty)(nil)
	_ registry.Exister = (*Faulty)(nil)
)

// Operations is how many operations were asked for.
func (f *Faulty) Operations() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// do counts op in and carries it out, or not.
func (f *Faulty) do(op func() error) error {
	f.mu.Lock()
	f.n++
	n := f.n
	f.mu.Unlock()
	switch {
	case f.At == 0 || n < f.At:
		return op()
	case n == f.At && f.Late:
		return errors.Join(op(), ErrInjected)
	}
	return ErrInjected
}

// Resolve implements registry.Store.
func (f *Faulty) Resolve(ctx context.Context, reference string) (d ocispec.Descriptor, err error) {
	err = f.do(func() (err error) { d, err = f.Store.Resolve(ctx, reference); return err })
	return d, err
}

// Fetch implements registry.Fetcher.
func (f *Faulty) Fetch(ctx context.Context, desc ocispec.Descriptor) (rc io.ReadCloser, err error) {
	err = f.do(func() (err error) { rc, err = f.Store.Fetch(ctx, desc); return err })
	if err != nil && rc != nil {
		err = errors.Join(err, rc.Close())
		rc = nil
	}
	return rc, err
}

// Push implements registry.Store.
func (f *Faulty) Push(ctx context.Context, desc ocispec.Descriptor, content io.Reader) error {
	return f.do(func() error { return f.Store.Push(ctx, desc, content) })
}

// Tag implements registry.Store.
func (f *Faulty) Tag(ctx context.Context, desc ocispec.Descriptor, tag string) error {
	return f.do(func() error { return f.Store.Tag(ctx, desc, tag) })
}

// Tags implements registry.Store.
func (f *Faulty) Tags(ctx context.Context) (tags []string, err error) {
	err = f.do(func() (err error) { tags, err = f.Store.Tags(ctx); return err })
	return tags, err
}

// Exists implements registry.Exister; without the capability in Store nothing
// exists, and what is pushed again is no error.
func (f *Faulty) Exists(ctx context.Context, desc ocispec.Descriptor) (has bool, err error) {
	err = f.do(func() (err error) {
		if e, ok := f.Store.(registry.Exister); ok {
			has, err = e.Exists(ctx, desc)
		}
		return err
	})
	return has, err
}
