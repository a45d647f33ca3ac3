package artifact

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
)

// tree is a file system in memory: what a content layer holds. Directories
// exist because files are in them.
type tree struct {
	files map[string]*file            // by path
	dirs  map[string][]fs.DirEntry    // by path, entries sorted by name; "." is always there
	names map[string]map[string]*node // while building: children of a directory
	order []string                    // paths of files, sorted
	bytes int64                       // of all files together
}

type file struct {
	data []byte
	exec bool
}

func newTree() *tree {
	return &tree{files: map[string]*file{}, names: map[string]map[string]*node{".": {}}}
}

// add puts a file in. Errors are of class problem.Invalid or problem.TooLarge.
func (t *tree) add(name string, f *file) error {
	if err := checkPath(name); err != nil {
		return err
	}
	if len(t.files) >= MaxFiles {
		return problem.New(problem.TooLarge, "package has more than %d files", MaxFiles)
	}
	if t.files[name] != nil {
		return problem.New(problem.Invalid, "file %q is there twice", name)
	}
	if t.names[name] != nil {
		return problem.New(problem.Invalid, "%q is both a file and a directory", name)
	}
	if t.bytes += int64(len(f.data)); t.bytes > MaxContentBytes {
		return problem.New(problem.TooLarge, "files have more than %d bytes together (at %q)", MaxContentBytes, name).
			WithHint("reference large assets by URL and digest instead of packing them")
	}
	t.files[name] = f
	t.link(name, &node{name: path.Base(name), file: f})
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if t.files[dir] != nil {
			return problem.New(problem.Invalid, "%q is both a file and a directory", dir)
		}
		t.link(dir, &node{name: path.Base(dir)})
	}
	return nil
}

func (t *tree) link(name string, n *node) {
	dir := path.Dir(name)
	if t.names[dir] == nil {
		t.names[dir] = map[string]*node{}
	}
	t.names[dir][n.name] = n
}

// seal sorts what add collected; the tree does not change after it.
func (t *tree) seal() {
	t.dirs = make(map[string][]fs.DirEntry, len(t.names))
	for dir, children := range t.names {
		entries := make([]fs.DirEntry, 0, len(children))
		for _, n := range children {
			entries = append(entries, n)
		}
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		t.dirs[dir] = entries
	}
	for name := range t.files {
		t.order = append(t.order, name)
	}
	slices.Sort(t.order)
	t.names = nil
}

// checkPath refuses names that could leave the directory or that not every
// file system can hold.
func checkPath(name string) error {
	switch {
	case len(name) > MaxPathBytes:
		return problem.New(problem.TooLarge, "path of %d bytes is longer than %d", len(name), MaxPathBytes)
	case !fs.ValidPath(name) || name == ".":
		return problem.New(problem.Invalid, "path %q is not a relative path inside the package", name)
	case strings.Count(name, "/") > MaxDepth:
		return problem.New(problem.TooLarge, "path %q is deeper than %d directories", name, MaxDepth)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' }):
		return problem.New(problem.Invalid, "path %q has a control character, a backslash or a colon", name)
	}
	return nil
}

// Open implements fs.FS.
func (t *tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if f := t.files[name]; f != nil {
		return &openFile{node: &node{name: path.Base(name), file: f}, Reader: bytes.NewReader(f.data)}, nil
	}
	if entries, ok := t.dirs[name]; ok {
		return &openDir{node: &node{name: path.Base(name)}, path: name, left: entries}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadFile implements fs.ReadFileFS.
func (t *tree) ReadFile(name string) ([]byte, error) {
	if f := t.files[name]; f != nil && fs.ValidPath(name) {
		return slices.Clone(f.data), nil
	}
	err := fs.ErrNotExist
	if _, ok := t.dirs[name]; ok || !fs.ValidPath(name) {
		err = fs.ErrInvalid
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: err}
}

// node is a file or a directory by name; it is its own FileInfo and DirEntry.
type node struct {
	name string
	file *file // nil for a directory
}

func (n *node) Name() string               { return n.name }
func (n *node) IsDir() bool                { return n.file == nil }
func (n *node) Type() fs.FileMode          { return n.Mode().Type() }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) ModTime() time.Time         { return time.Time{} }
func (n *node) Sys() any                   { return nil }

func (n *node) Size() int64 {
	if n.file == nil {
		return 0
	}
	return int64(len(n.file.data))
}

func (n *node) Mode() fs.FileMode {
	switch {
	case n.file == nil:
		return fs.ModeDir | 0o755
	case n.file.exec:
		return 0o755
	}
	return 0o644
}

type openFile struct {
	*node
	*bytes.Reader
}

func (f *openFile) Size() int64                { return f.node.Size() }
func (f *openFile) Stat() (fs.FileInfo, error) { return f.node, nil }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	*node
	path string
	left []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.node, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(d.left) {
		if n > 0 && len(d.left) == 0 {
			return nil, io.EOF
		}
		n = len(d.left)
	}
	out := slices.Clone(d.left[:n])
	d.left = d.left[n:]
	return out, nil
}
