package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
)

// tree is the content of a layer while it is put together. A later entry of the
// same path replaces the earlier one.
type tree struct {
	entries map[string]*entry
	bytes   int64 // content of all entries, replaced ones included
}

// entry is one file, folder or symbolic link of a layer.
type entry struct {
	typ      byte   // tar.TypeReg, tar.TypeDir or tar.TypeSymlink
	mode     int64  // permission bits and the sticky bit
	uid, gid int    //
	link     string // target of a symbolic link
	size     int64  // bytes of a file
	open     func() (io.ReadCloser, error)
}

// modeBits are the bits of a mode that a layer keeps. Setuid and setgid are not
// among them: no process of ours may gain privileges, so they only mislead.
const modeBits = 0o1777

func newTree() *tree { return &tree{entries: map[string]*entry{}} }

// add puts an entry at a path of a recipe or an archive.
func (t *tree) add(name string, e *entry) error {
	p, err := cleanPath(name)
	if err != nil {
		return err
	}
	if p == "" {
		return nil // the root folder itself is not ours to describe
	}
	if len(e.link) > MaxPathBytes {
		return problem.New(problem.Invalid, "the link target of %s is longer than %d bytes", p, MaxPathBytes)
	}
	if e.size > MaxFileBytes {
		return problem.New(problem.TooLarge, "%s has %d bytes, more than %d", p, e.size, int64(MaxFileBytes))
	}
	if old := t.entries[p]; old != nil && old.typ == tar.TypeDir && e.typ != tar.TypeDir {
		for q := range t.entries {
			if _, below := under(p, q); below {
				return problem.New(problem.Invalid, "%s is a folder with content and cannot become something else", p)
			}
		}
	}
	e.mode &= modeBits
	t.bytes += e.size
	t.entries[p] = e
	if len(t.entries) > MaxFiles {
		return problem.New(problem.TooLarge, "the layer holds more than %d files", MaxFiles)
	}
	if t.bytes > MaxLayerBytes {
		return problem.New(problem.TooLarge, "the layer holds more than %d bytes", int64(MaxLayerBytes))
	}
	return nil
}

// addBytes puts a small file at a path.
func (t *tree) addBytes(name string, content []byte, mode int64, uid, gid int) error {
	return t.add(name, &entry{typ: tar.TypeReg, mode: mode, uid: uid, gid: gid, size: int64(len(content)),
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }})
}

// complete adds the folders that entries lie in and no source described, and
// gives all paths in the order of the layer.
func (t *tree) complete() ([]string, error) {
	for _, p := range sortedKeys(t.entries) {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			switch e := t.entries[dir]; {
			case e == nil:
				t.entries[dir] = &entry{typ: tar.TypeDir, mode: 0o755}
			case e.typ != tar.TypeDir:
				return nil, problem.New(problem.Invalid, "%s lies below %s, which is not a folder", p, dir)
			}
		}
	}
	return sortedKeys(t.entries), nil
}

// write writes the layer as a tar stream and tells seen the content bytes so far.
func (t *tree) write(w io.Writer, at time.Time, seen func(int64)) error {
	paths, err := t.complete()
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	var done int64
	for _, p := range paths {
		e := t.entries[p]
		h := &tar.Header{Typeflag: e.typ, Name: p, Linkname: e.link, Mode: e.mode, Uid: e.uid, Gid: e.gid,
			Size: e.size, ModTime: at}
		if e.typ == tar.TypeDir {
			h.Name += "/"
		}
		if err := tw.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if e.typ != tar.TypeReg {
			continue
		}
		if err := e.copyTo(tw); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		done += e.size
		seen(done)
	}
	return tw.Close()
}

func (e *entry) copyTo(w io.Writer) error {
	r, err := e.open()
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(w, io.LimitReader(r, e.size+1))
	if err == nil && n != e.size {
		err = fmt.Errorf("has %d bytes and not %d: it changed while it was read", n, e.size)
	}
	return err
}

// spool keeps the contents of unpacked archives in one file, so that a layer of
// thousands of files needs one.
type spool struct {
	f   *os.File
	end int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "spool-*")
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &spool{f: f}, nil
}

// keep copies size bytes of r and returns how to read them again.
func (s *spool) keep(r io.Reader, size int64) (func() (io.ReadCloser, error), error) {
	if size < 0 || size > MaxFileBytes {
		return nil, problem.New(problem.TooLarge, "a file of %d bytes is over the limit of %d", size, int64(MaxFileBytes))
	}
	if s.end+size > MaxLayerBytes {
		return nil, problem.New(problem.TooLarge, "the layer holds more than %d bytes", int64(MaxLayerBytes))
	}
	at := s.end
	if _, err := io.CopyN(s.f, r, size); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s.end += size
	return func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(s.f, at, size)), nil
	}, nil
}

func (s *spool) close() { s.f.Close() }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
