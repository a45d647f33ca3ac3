package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
)

// java compiles the sources into a jar.
func (m *maker) java(ctx context.Context) error {
	s := m.layer.Java
	pkg := s.JDK
	if pkg == "" {
		pkg = defaultJDK
	}
	home, err := m.jdk(ctx, pkg)
	if err != nil {
		return err
	}
	dir, err := m.temp("java")
	if err != nil {
		return err
	}
	for _, name := range []string{"classes", "sources", "classpath"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	args := []string{"-proc:none", "-implicit:none", "-encoding", "UTF-8", "-d", filepath.Join(dir, "classes")}
	if s.Classpath != "" {
		if err := m.extractJars(s.Classpath, filepath.Join(dir, "classpath")); err != nil {
			return err
		}
		args = append(args, "-classpath", filepath.Join(dir, "classpath", "*"))
	}
	for _, name := range s.Sources {
		data, err := m.layer.readLocal(name)
		if err != nil {
			return err
		}
		p := filepath.Join(dir, "sources", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, data, 0o644); err != nil {
			return err
		}
		args = append(args, p)
	}
	m.progress.set("javac", PhaseRun, 0, 0)
	if _, err := run(ctx, filepath.Join(home, "bin/javac"), dir, nil, args...); err != nil {
		return problem.New(problem.Invalid, "%w", err)
	}
	jar, err := jarOf(os.DirFS(filepath.Join(dir, "classes")))
	if err != nil {
		return err
	}
	version, err := javaVersion(filepath.Join(home, "release"))
	if err != nil {
		return err
	}
	m.origins = append(m.origins, "java "+ellipsis(s.Sources)+" by javac "+version)
	return m.tree.addBytes(s.To, jar, 0o644, 0, 0)
}

// extractJars writes the jars that the layers below have in a folder into dir.
func (m *maker) extractJars(folder, dir string) error {
	prefix, err := cleanPath(folder)
	if err != nil {
		return err
	}
	n := 0
	for _, l := range m.done {
		r, err := l.Uncompressed()
		if err != nil {
			return err
		}
		err = walkTar(r, func(h *tar.Header, r io.Reader) error {
			name, ok := under(prefix, strings.TrimSuffix(h.Name, "/"))
			if !ok || h.Typeflag != tar.TypeReg || strings.Contains(name, "/") || !strings.HasSuffix(name, ".jar") {
				return nil
			}
			n++
			f, err := os.Create(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			_, err = io.CopyN(f, r, h.Size)
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			return err
		})
		r.Close()
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return problem.New(problem.Invalid, "no layer below has a jar in %s", folder)
	}
	return nil
}

// jarTime is the earliest time a jar can hold.
var jarTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// jarOf makes a jar of the files below classes: sorted, with one fixed time, the
// manifest first as the JAR specification asks.
func jarOf(classes fs.FS) ([]byte, error) {
	var buf bytes.Buffer
	zw := zip.NewWriter(&buf)
	write := func(name string, data []byte) error {
		w, err := zw.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: jarTime})
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	if err := write("META-INF/MANIFEST.MF", []byte("Manifest-Version: 1.0\r\n\r\n")); err != nil {
		return nil, err
	}
	// WalkDir goes in lexical order.
	err := fs.WalkDir(classes, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(classes, p)
		if err != nil {
			return err
		}
		return write(p, data)
	})
	if err != nil {
		return nil, fmt.Errorf("jar: %w", err)
	}
	if err := zw.Close(); err != nil {
		return nil, fmt.Errorf("jar: %w", err)
	}
	return buf.Bytes(), nil
}
