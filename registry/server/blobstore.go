package server

import (
	"context"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
)

// BlobStore keeps bytes: finished blobs by digest, and uploads that are still
// growing by an id. It trusts its caller that a committed upload matches its
// digest, and ids and digests are well-formed. Disk is one; an object store
// may be another.
type BlobStore interface {
	// Append writes what r gives to upload id at offset, dropping what was
	// there beyond it, and makes the upload when it is new. It says how many
	// bytes are safe to count on; they are kept when it fails.
	Append(ctx context.Context, id string, offset int64, r io.Reader) (int64, error)
	// OpenUpload reads what upload id holds. fs.ErrNotExist when it is not
	// there.
	OpenUpload(ctx context.Context, id string) (io.ReadCloser, error)
	// Commit turns the first size bytes of upload id into blob d, durably.
	// A blob that is there is replaced: the new bytes were just checked.
	Commit(ctx context.Context, id string, size int64, d digest.Digest) error
	// Abort drops upload id; one that is not there is no error.
	Abort(ctx context.Context, id string) error
	// Uploads lists the uploads there are.
	Uploads(ctx context.Context) ([]UploadInfo, error)
	// Stat gives the size of blob d. fs.ErrNotExist when it is not there.
	Stat(ctx context.Context, d digest.Digest) (int64, error)
	// Open reads blob d. fs.ErrNotExist when it is not there.
	Open(ctx context.Context, d digest.Digest) (io.ReadSeekCloser, error)
}

// UploadInfo is what a BlobStore remembers of an upload.
type UploadInfo struct {
	ID    string    // as given to Append
	Size  int64     // bytes held
	Wrote time.Time // the last write
}

// FreeSpacer is the optional capability of a BlobStore to say how many bytes
// it can still take.
type FreeSpacer interface {
	// FreeBytes is how many bytes there is room for.
	FreeBytes() (int64, error)
}
