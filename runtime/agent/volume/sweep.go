package volume

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
)

// sweepBatch is how many entries of a directory are read at a time.
const sweepBatch = 1000

// Trash has an element when there may be something to sweep.
func (s *Store) Trash() <-chan struct{} { return s.trash }

// Sweep frees the room of destroyed volumes, for as long as it takes or until
// ctx is done; then, or after an error, the next Sweep goes on.
func (s *Store) Sweep(ctx context.Context) error {
	for {
		all, err := s.names(dirTrash)
		if err != nil || len(all) == 0 {
			return err
		}
		var errs []error
		for _, name := range all {
			errs = append(errs, s.empty(ctx, filepath.Join(dirTrash, name)))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
}

// empty removes a directory of the trash, or a file in it. Directories inside
// become trash of their own rather than being descended into: a task may have
// made them deeper than a path, a stack or a table of open files can hold.
func (s *Store) empty(ctx context.Context, at string) error {
	fi, err := s.root.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return s.root.Remove(at)
	}
	dir, err := s.root.Open(at)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(sweepBatch)
		if errors.Is(err, io.EOF) {
			return s.root.Remove(at)
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			inner := filepath.Join(at, e.Name())
			if e.IsDir() {
				err = s.discard(inner)
			} else {
				err = s.root.Remove(inner)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
}
