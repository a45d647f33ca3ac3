package registry

import (
	"context"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Fetcher gives content by descriptor. Every Store is one.
type Fetcher interface {
	// Fetch opens the content that desc names. A missing one is an error of
	// class problem.NotFound. The bytes may be wrong: the caller checks them
	// (ReadBlob, Verify) and closes the reader.
	Fetch(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error)
}

// Store is one repository. It may be used by several goroutines at a time.
type Store interface {
	Fetcher
	// Resolve gives the descriptor of the manifest behind a tag or a digest:
	// media type, digest and size. A missing one is problem.NotFound.
	Resolve(ctx context.Context, reference string) (ocispec.Descriptor, error)
	// Push stores content under desc: a manifest if its media type is one, by
	// digest, else a blob. It reads desc.Size bytes. Content that does not
	// match size or digest is problem.Invalid and does not become visible.
	// Content that is there already is no error. What a manifest refers to is
	// pushed before it.
	Push(ctx context.Context, desc ocispec.Descriptor, content io.Reader) error
	// Tag points tag at a manifest that was pushed; a manifest that is missing
	// is problem.NotFound. An existing tag moves, unless the repository keeps
	// it immutable: then problem.Exists.
	Tag(ctx context.Context, desc ocispec.Descriptor, tag string) error
	// Tags lists the tags in byte order, at most MaxTags; none for a
	// repository that does not exist yet.
	Tags(ctx context.Context) ([]string, error)
}

// Exister is the optional capability of a Store to say cheaply whether it has
// content. A pusher skips what is there.
type Exister interface {
	// Exists reports whether the repository has desc.
	Exists(ctx context.Context, desc ocispec.Descriptor) (bool, error)
}

// Mounter is the optional capability of a Store to take a blob over from
// another repository of the same registry without moving bytes.
type Mounter interface {
	// Mount links blob desc of the repository named from into this one. It is
	// false, without an error, when the registry cannot: then push the blob.
	Mount(ctx context.Context, desc ocispec.Descriptor, from string) (bool, error)
}

// ReferrerLister is the optional capability of a Store to list the manifests
// whose subject is another one: signatures, SBOMs, notices.
type ReferrerLister interface {
	// Referrers lists the manifests whose subject is desc, of one artifact
	// type, or all when artifactType is empty.
	Referrers(ctx context.Context, desc ocispec.Descriptor, artifactType string) ([]ocispec.Descriptor, error)
}
