package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
)

// Verify reads from r and checks size and digest of desc on the way: the last
// Read gives problem.Invalid instead of io.EOF when they do not match, and a
// Read past desc.Size fails at once.
func Verify(r io.Reader, desc ocispec.Descriptor) (io.Reader, error) {
	d, err := ParseDigest(desc.Digest.String())
	if err != nil {
		return nil, err
	}
	if desc.Size < 0 {
		return nil, problem.New(problem.Invalid, "descriptor %s has negative size %d", d, desc.Size)
	}
	return &verifier{r: r, desc: desc, hash: d.Verifier()}, nil
}

type verifier struct {
	r    io.Reader
	desc ocispec.Descriptor
	hash digest.Verifier
	n    int64
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.n += int64(n)
	_, _ = v.hash.Write(p[:n]) // a hash takes every write
	if v.n > v.desc.Size {
		return 0, problem.New(problem.Invalid, "content %s is longer than its %d bytes", v.desc.Digest, v.desc.Size)
	}
	if errors.Is(err, io.EOF) {
		if v.n != v.desc.Size {
			return n, problem.New(problem.Invalid, "content %s ends after %d of %d bytes", v.desc.Digest, v.n, v.desc.Size)
		}
		if !v.hash.Verified() {
			return n, problem.New(problem.Invalid, "content does not match its digest %s", v.desc.Digest)
		}
	}
	return n, err
}

// ReadBlob fetches the whole content of desc, at most limit bytes, and checks
// its size and digest. Errors: problem.TooLarge over the limit,
// problem.Invalid for content that does not match, and those of Fetch.
func ReadBlob(ctx context.Context, f Fetcher, desc ocispec.Descriptor, limit int64) ([]byte, error) {
	if desc.Size > limit {
		return nil, problem.New(problem.TooLarge, "content %s has %d bytes, more than the limit of %d", desc.Digest, desc.Size, limit)
	}
	rc, err := f.Fetch(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	r, err := Verify(rc, desc)
	if err != nil {
		return nil, err
	}
	b := make([]byte, desc.Size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read %s: %w", desc.Digest, err)
	}
	// One more read reaches the end, where the verifier judges.
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		if err == nil {
			err = problem.New(problem.Invalid, "content is longer than its %d bytes", desc.Size)
		}
		return nil, fmt.Errorf("read %s: %w", desc.Digest, err)
	}
	return b, nil
}
