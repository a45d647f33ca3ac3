package image

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// jdk unpacks the JDK of a Debian package into the work folder and gives its
// home. The machine's own Java is not used: its version may differ, and then the
// image would.
func (m *maker) jdk(ctx context.Context, pkg string) (string, error) {
	if home := m.jdks[pkg]; home != "" {
		return home, nil
	}
	debs, err := m.fetchDebs(ctx, []string{pkg, strings.Replace(pkg, "-jdk-", "-jre-", 1)})
	if err != nil {
		return "", err
	}
	dir, err := m.temp("jdk")
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	u := &unpacker{root: root, links: map[string]bool{}}
	for _, d := range debs {
		m.progress.set("debian "+d.name, PhaseUnpack, 0, 0)
		if err := d.walk(ctx, m.work, u.entry); err != nil {
			return "", fmt.Errorf("%s %s: %w", d.name, d.version, err)
		}
		if err := os.Remove(d.path); err != nil {
			return "", err
		}
	}
	home, err := javaHome(dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", pkg, err)
	}
	m.jdks[pkg] = home
	return home, nil
}

// javaHome finds the one JDK below dir; Debian has a second name for it, a link.
func javaHome(dir string) (string, error) {
	compilers, err := filepath.Glob(filepath.Join(dir, "usr/lib/jvm/*/bin/javac"))
	if err != nil {
		return "", err
	}
	homes := map[string]bool{}
	for _, c := range compilers {
		home, err := filepath.EvalSymlinks(filepath.Dir(filepath.Dir(c)))
		if err != nil {
			return "", err
		}
		homes[home] = true
	}
	if len(homes) != 1 {
		return "", problem.New(problem.Invalid, "the package has %d Java compilers in /usr/lib/jvm and not one", len(homes))
	}
	return sortedKeys(homes)[0], nil
}

// unpacker writes the entries of archives below a folder.
type unpacker struct {
	root  *os.Root
	links map[string]bool // the symbolic links made so far
	bytes int64
}

// entry writes one entry. Absolute links are made relative, so that they point
// into the folder as they would into the system. Nothing may lie below a link:
// with that, where a link leads can be read off the names alone.
func (u *unpacker) entry(h *tar.Header, r io.Reader) error {
	p, err := cleanPath(h.Name)
	if err != nil || p == "" {
		return err
	}
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if u.links[dir] {
			return problem.New(problem.Invalid, "%s lies below the link %s", p, dir)
		}
	}
	if err := u.root.MkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.root.MkdirAll(p, 0o755)
	case tar.TypeReg:
		return u.file(p, h, r)
	case tar.TypeSymlink:
		target := h.Linkname
		if path.IsAbs(target) {
			target = strings.Repeat("../", strings.Count(p, "/")) + strings.TrimPrefix(path.Clean(target), "/")
		}
		if !filepath.IsLocal(path.Join(path.Dir(p), target)) {
			return problem.New(problem.Invalid, "the link %s to %s leaves the package", p, h.Linkname)
		}
		u.links[p] = true
		return u.root.Symlink(target, p)
	default:
		return nil // nothing else is of use for running a JDK
	}
}

func (u *unpacker) file(p string, h *tar.Header, r io.Reader) error {
	u.bytes += h.Size
	if h.Size > MaxFileBytes || u.bytes > MaxLayerBytes {
		return problem.New(problem.TooLarge, "%s makes the package larger than %d bytes", p, int64(MaxLayerBytes))
	}
	f, err := u.root.OpenFile(p, os.O_CREATE|os.O_WRONLY|os.O_EXCL, fs.FileMode(h.Mode)&0o777|0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, r, h.Size)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// jlink links a Java runtime and lays it into the layer.
func (m *maker) jlink(ctx context.Context) error {
	s := m.layer.Jlink
	home, err := m.jdk(ctx, s.Package)
	if err != nil {
		return err
	}
	dir, err := m.temp("jlink")
	if err != nil {
		return err
	}
	m.progress.set("jlink", PhaseRun, 0, 0)
	// Two things of jlink change from run to run and are therefore off. Its
	// compression writes the content in no fixed order; the layer compresses the
	// whole better anyway, and classes load faster. The module graph computed in
	// advance follows the order of a hash table that is seeded with the time; a
	// JVM without it takes some 80 ms of CPU more to start.
	out := filepath.Join(dir, "runtime")
	if _, err := run(ctx, filepath.Join(home, "bin/jlink"), dir, nil,
		"--module-path", filepath.Join(home, "jmods"), "--add-modules", strings.Join(s.Modules, ","),
		"--strip-debug", "--no-header-files", "--no-man-pages", "--compress=0",
		"--disable-plugin", "system-modules", "--output", out); err != nil {
		return err
	}
	version, err := javaVersion(filepath.Join(out, "release"))
	if err != nil {
		return err
	}
	m.origins = append(m.origins, "jlink "+s.Package+" "+version)
	return m.tree.addFolder(os.DirFS(out), s.To, nil)
}

// javaVersion reads the version from a runtime's release file.
func javaVersion(release string) (string, error) {
	data, err := readBounded(release, MaxRecipeBytes)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "JAVA_VERSION="); ok {
			return strings.Trim(v, `"`), nil
		}
	}
	return "", problem.New(problem.Invalid, "the Java runtime does not say its version")
}
