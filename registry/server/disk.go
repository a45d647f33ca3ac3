package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

const (
	blobsDir   = "blobs"
	uploadsDir = "uploads"
	// copyBufferBytes is the size of one write to an upload.
	copyBufferBytes = 256 << 10
)

// Disk is a BlobStore in a directory:
//
//	blobs/<algorithm>/<first two digits>/<digits>
//	uploads/<id>
type Disk struct {
	root       string
	durability Durability
	log        *slog.Logger

	mu   sync.Mutex
	dirs map[string]bool // blob directories that exist, durably
}

var _ interface {
	BlobStore
	FreeSpacer
} = (*Disk)(nil)

// OpenDisk opens or makes a store under root.
func OpenDisk(root string, d Durability, log *slog.Logger) (*Disk, error) {
	for _, dir := range []string{blobsDir, uploadsDir} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			return nil, fmt.Errorf("make blob store: %w", err)
		}
	}
	k := &Disk{root: root, durability: d, log: log, dirs: map[string]bool{}}
	if err := k.syncDir(root); err != nil {
		return nil, fmt.Errorf("make blob store: %w", err)
	}
	return k, nil
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBufferBytes); return &b }}

func (k *Disk) uploadPath(id string) string { return filepath.Join(k.root, uploadsDir, id) }

func (k *Disk) blobDir(d digest.Digest) string {
	return filepath.Join(k.root, blobsDir, d.Algorithm().String(), d.Encoded()[:2])
}

func (k *Disk) blobPath(d digest.Digest) string {
	return filepath.Join(k.blobDir(d), d.Encoded())
}

// Append implements BlobStore.
func (k *Disk) Append(ctx context.Context, id string, offset int64, r io.Reader) (n int64, err error) {
	f, err := os.OpenFile(k.uploadPath(id), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open upload: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err != nil {
		return 0, fmt.Errorf("open upload: %w", err)
	} else if info.Size() > offset {
		if err := f.Truncate(offset); err != nil {
			return 0, fmt.Errorf("cut upload: %w", err)
		}
	}
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	for {
		if err := context.Cause(ctx); err != nil {
			return n, err
		}
		got, rerr := r.Read(*buf)
		if got > 0 {
			wrote, err := f.WriteAt((*buf)[:got], offset+n)
			n += int64(wrote)
			if err != nil {
				return n, fmt.Errorf("write upload: %w", err)
			}
		}
		if errors.Is(rerr, io.EOF) {
			return n, nil
		}
		if rerr != nil {
			return n, fmt.Errorf("read upload's content: %w", rerr)
		}
	}
}

// OpenUpload implements BlobStore.
func (k *Disk) OpenUpload(_ context.Context, id string) (io.ReadCloser, error) {
	return os.Open(k.uploadPath(id))
}

// Commit implements BlobStore: sync the file, rename it, sync the directory.
// After a failed sync the kernel may have dropped the pages, so the upload is
// removed rather than tried again.
func (k *Disk) Commit(_ context.Context, id string, size int64, d digest.Digest) error {
	from, to := k.uploadPath(id), k.blobPath(d)
	if err := k.finish(from, size); err != nil {
		return errors.Join(fmt.Errorf("commit blob %s: %w", d, err), os.Remove(from))
	}
	if old, err := os.Stat(to); err == nil && old.Size() != size {
		k.log.Warn("damaged blob replaced", "digest", d.String(), "had_bytes", old.Size(), "has_bytes", size)
	}
	if err := k.ensureDir(k.blobDir(d)); err != nil {
		return fmt.Errorf("commit blob %s: %w", d, err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("commit blob %s: %w", d, err)
	}
	if err := k.syncDir(k.blobDir(d)); err != nil {
		return fmt.Errorf("commit blob %s: %w", d, err)
	}
	return nil
}

// finish gives an upload its final size and mode and syncs it.
func (k *Disk) finish(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < size {
		return fmt.Errorf("upload holds %d of %d bytes", info.Size(), size)
	}
	if info.Size() > size {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	if err := f.Chmod(0o400); err != nil {
		return err
	}
	if k.durability == Durable {
		return f.Sync()
	}
	return nil
}

// ensureDir makes a blob directory and syncs its parents, once.
func (k *Disk) ensureDir(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dirs[dir] {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	algorithm := filepath.Dir(dir)
	if err := errors.Join(k.syncDir(algorithm), k.syncDir(filepath.Dir(algorithm))); err != nil {
		return err
	}
	k.dirs[dir] = true
	return nil
}

func (k *Disk) syncDir(dir string) error {
	if k.durability != Durable {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Abort implements BlobStore.
func (k *Disk) Abort(_ context.Context, id string) error {
	if err := os.Remove(k.uploadPath(id)); err != nil && !isNotExist(err) {
		return fmt.Errorf("drop upload: %w", err)
	}
	return nil
}

// Uploads implements BlobStore.
func (k *Disk) Uploads(context.Context) ([]UploadInfo, error) {
	entries, err := os.ReadDir(filepath.Join(k.root, uploadsDir))
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	var out []UploadInfo
	for _, e := range entries {
		info, err := e.Info()
		if isNotExist(err) {
			continue // it ended since
		}
		if err != nil {
			return nil, fmt.Errorf("list uploads: %w", err)
		}
		out = append(out, UploadInfo{ID: e.Name(), Size: info.Size(), Wrote: info.ModTime()})
	}
	return out, nil
}

// Stat implements BlobStore.
func (k *Disk) Stat(_ context.Context, d digest.Digest) (int64, error) {
	info, err := os.Stat(k.blobPath(d))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Open implements BlobStore. It is a plain file, which the kernel can send by
// itself.
func (k *Disk) Open(_ context.Context, d digest.Digest) (io.ReadSeekCloser, error) {
	return os.Open(k.blobPath(d))
}

// FreeBytes implements FreeSpacer.
func (k *Disk) FreeBytes() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(k.root, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", k.root, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // another type on other systems
}
