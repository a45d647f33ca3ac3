package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// files lays the recipe's own files into the layer.
func (m *maker) files(context.Context) error {
	for i, f := range m.layer.Files {
		if err := m.file(f); err != nil {
			return fmt.Errorf("%s: %s/files/%d: %w", m.layer.file, m.layer.pointer, i, err)
		}
	}
	m.origins = append(m.origins, fmt.Sprintf("%d files", len(m.layer.Files)))
	return nil
}

func (m *maker) file(f File) error {
	uid, gid := f.owner()
	switch {
	case f.Dir != "":
		return m.tree.add(f.Dir, &entry{typ: tar.TypeDir, mode: f.mode(0o755), uid: uid, gid: gid})
	case f.Link != "":
		return m.tree.add(f.To, &entry{typ: tar.TypeSymlink, mode: 0o777, uid: uid, gid: gid, link: f.Link})
	case f.Content != "":
		return m.tree.addBytes(f.To, []byte(f.Content), f.mode(0o644), uid, gid)
	}
	return m.layer.eachLocal(f.From, func(rest string, data []byte) error {
		return m.tree.addBytes(path.Join(f.To, rest), data, f.mode(0o644), uid, gid)
	})
}

// mode is the mode of the file; the text was checked when the recipe was read.
func (f File) mode(otherwise int64) int64 {
	if n, err := strconv.ParseInt(f.Mode, 8, 64); err == nil {
		return n
	}
	return otherwise
}

func (f File) owner() (uid, gid int) {
	u, g, _ := strings.Cut(f.Owner, ":")
	uid, _ = strconv.Atoi(u) // empty is 0
	gid, _ = strconv.Atoi(g)
	return uid, gid
}

// eachLocal calls f for a file beside the recipe, or for each file below a
// folder there in lexical order, with its path below name. A symbolic link that
// leads out of the recipe's folder is an error.
func (l *Layer) eachLocal(name string, f func(rest string, data []byte) error) error {
	root, err := os.OpenRoot(l.dir())
	if err != nil {
		return err
	}
	defer root.Close()
	name = path.Clean(name)
	err = fs.WalkDir(root.FS(), name, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := root.Stat(p) // a link counts as what it leads to
		if err != nil || st.IsDir() {
			return err
		}
		if !st.Mode().IsRegular() {
			return problem.New(problem.Invalid, "%s is not a file", p)
		}
		file, err := root.Open(p)
		if err != nil {
			return err
		}
		defer file.Close()
		data, err := readAll(file, p, MaxLocalBytes)
		if err != nil {
			return err
		}
		rest, _ := under(name, p)
		if p == name {
			rest = ""
		}
		return f(rest, data)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return problem.New(problem.NotFound, "%s is not beside the recipe: %w", name, err)
	}
	return err
}

// readLocal reads one file beside the recipe.
func (l *Layer) readLocal(name string) ([]byte, error) {
	var content []byte
	n := 0
	err := l.eachLocal(name, func(rest string, data []byte) error {
		n++
		content = data
		if rest != "" || n > 1 {
			return problem.New(problem.Invalid, "%s is a folder and not a file", name)
		}
		return nil
	})
	if err == nil && n == 0 {
		err = problem.New(problem.Invalid, "%s is an empty folder", name)
	}
	return content, err
}

// localDigests gives the digest of every file of the recipe's folder that the
// layer is made of.
func (l *Layer) localDigests() (map[string]string, error) {
	var names []string
	if l.Maven != nil {
		names = append(names, l.Maven.POM)
	}
	if l.Java != nil {
		names = append(names, l.Java.Sources...)
	}
	for _, f := range l.Files {
		if f.From != "" {
			names = append(names, f.From)
		}
	}
	digests := map[string]string{}
	for _, name := range names {
		if err := l.eachLocal(name, func(rest string, data []byte) error {
			sum := sha256.Sum256(data)
			digests[path.Join(name, rest)] = hex.EncodeToString(sum[:])
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return digests, nil
}

// addFolder puts a folder of the disk into the layer: files and links, with the
// execute bit kept and everything owned by root.
func (t *tree) addFolder(fsys fs.FS, to string, exclude []string) error {
	return fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || matchAny(exclude, p) {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := fs.ReadLink(fsys, p)
			if err != nil {
				return err
			}
			return t.add(path.Join(to, p), &entry{typ: tar.TypeSymlink, mode: 0o777, link: target})
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return problem.New(problem.Invalid, "%s is not a file", p)
		}
		mode := int64(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		return t.add(path.Join(to, p), &entry{typ: tar.TypeReg, mode: mode, size: info.Size(),
			open: func() (io.ReadCloser, error) { return fsys.Open(p) }})
	})
}
