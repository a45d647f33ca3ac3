package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// DefaultMaxBytes bounds an artifact unpacked, in bytes.
	DefaultMaxBytes = 8 << 30
	// DefaultTimeout bounds the fetching of one artifact.
	DefaultTimeout = 30 * time.Minute
	// maxFiles bounds the files and directories of an artifact.
	maxFiles = 200_000
	// maxSource bounds the text of a source, in bytes.
	maxSource = 8 << 10
	// sizeEvery is the time between two looks at how large it has become.
	sizeEvery = 500 * time.Millisecond
)

var (
	// ErrRefused is wrapped when an artifact is not allowed or cannot be:
	// trying again would fail again.
	ErrRefused = errors.New("artifact refused")
	// ErrTooLarge is wrapped when an artifact is over the limit of bytes or files.
	ErrTooLarge = errors.New("artifact too large")
	// ErrChecksum is wrapped when what came is not what was named.
	ErrChecksum = errors.New("artifact does not match its checksum")
)

// Options are what an agent's operator allows. The zero value is the default.
type Options struct {
	// FileRoots are the directories of the agent's machine below which file://
	// sources may be read, as far as an unprivileged user can; none: no such
	// source. Not below /tmp, which the fetching process has of its own.
	FileRoots []string
	// RequireChecksum refuses artifacts without a checksum (see Pinned).
	RequireChecksum bool
	// MaxBytes bounds an artifact unpacked; 0: DefaultMaxBytes.
	MaxBytes int64
	// Timeout bounds the fetching of one artifact; 0: DefaultTimeout.
	Timeout time.Duration
}

// Fetcher fetches artifacts. It is safe for concurrent use.
type Fetcher struct{ opts Options }

// New makes a Fetcher.
func New(o Options) *Fetcher {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	return &Fetcher{opts: o}
}

// Check refuses, with an error that wraps ErrRefused, what Fetch would refuse
// before it asks anybody.
func (f *Fetcher) Check(a cluster.Artifact) error {
	s, err := parse(a)
	if err != nil {
		return err
	}
	if s.scheme == "file" && len(f.opts.FileRoots) == 0 {
		return fmt.Errorf("artifact %s: files of the agent's machine are not allowed by its configuration: %w", s, ErrRefused)
	}
	if f.opts.RequireChecksum && !s.pinned() {
		return fmt.Errorf("artifact %s has no checksum, which this agent requires: %w", s, ErrRefused)
	}
	return nil
}

// Pinned reports whether an artifact can only be what was meant: it has a
// checksum, or is a git commit.
func Pinned(a cluster.Artifact) bool {
	s, err := parse(a)
	return err == nil && s.pinned()
}

// Name is an artifact's source without secrets, for people.
func Name(a cluster.Artifact) string { return redact(a.Source) }

// Fetch makes the directory dst with the artifact in it: the content of an
// archive or repository, or a file under its own name. All can read it. It is
// there whole or not at all; one that is there already is left alone.
func (f *Fetcher) Fetch(ctx context.Context, a cluster.Artifact, dst string) error {
	if err := f.Check(a); err != nil {
		return err
	}
	if _, err := os.Lstat(dst); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o711); err != nil {
		return fmt.Errorf("artifact %s: %w", Name(a), err)
	}
	work := dst + ".part"
	err := f.into(ctx, a, work)
	if err == nil {
		err = os.Rename(filepath.Join(work, content), dst)
	}
	err = errors.Join(err, os.RemoveAll(work))
	if err != nil {
		return fmt.Errorf("artifact %s: %w", Name(a), err)
	}
	return nil
}

// into fetches into a new directory work.
func (f *Fetcher) into(ctx context.Context, a cluster.Artifact, work string) error {
	if err := errors.Join(os.RemoveAll(work), os.Mkdir(work, 0o700)); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(work, fetchUser, fetchUser); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.opts.Timeout,
		fmt.Errorf("it took longer than %s: %w", f.opts.Timeout, context.DeadlineExceeded))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.measure(ctx, work, 2*f.opts.MaxBytes); err != nil {
			stop(err)
		}
	}()
	err := f.child(ctx, a, work)
	cause := context.Cause(ctx)
	stop(nil)
	<-done
	if err != nil && cause != nil {
		return cause
	}
	if err == nil { // nothing runs there any more
		_, err = tree(filepath.Join(work, content), f.opts.MaxBytes)
	}
	return err
}

// measure returns an error when dir grows over limit, and nil when ctx is done.
// The archive and what is unpacked of it are there at once.
func (f *Fetcher) measure(ctx context.Context, dir string, limit int64) error {
	tick := time.NewTicker(sizeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := tree(dir, limit); errors.Is(err, ErrTooLarge) {
			return err
		}
	}
}

// tree adds up what is in dir. It follows no link.
func tree(dir string, limit int64) (bytes int64, err error) {
	files := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if files++; files > maxFiles {
			return fmt.Errorf("more than %d files: %w", maxFiles, ErrTooLarge)
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		if fi.Mode().IsRegular() {
			bytes += fi.Size()
		}
		if bytes > limit {
			return fmt.Errorf("more than %s: %w", cluster.Bytes(limit), ErrTooLarge)
		}
		return nil
	})
	return bytes, err
}
