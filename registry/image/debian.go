package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// deb is a downloaded Debian package.
type deb struct{ path, name, version string }

// debian lays the files of Debian packages into the layer.
func (m *maker) debian(ctx context.Context) error {
	s := m.layer.Debian
	debs, err := m.fetchDebs(ctx, s.Packages)
	if err != nil {
		return err
	}
	for _, d := range debs {
		m.progress.set("debian "+d.name, PhaseUnpack, 0, 0)
		if err := d.walk(ctx, m.work, func(h *tar.Header, r io.Reader) error {
			return m.debianEntry(s, h, r)
		}); err != nil {
			return fmt.Errorf("%s %s: %w", d.name, d.version, err)
		}
		m.origins = append(m.origins, "debian "+d.name+" "+d.version)
		if err := os.Remove(d.path); err != nil {
			return err
		}
	}
	if s.Certificates != "" {
		return m.certificates(s.Certificates)
	}
	return nil
}

// debianEntry takes one entry of a package's file tree.
func (m *maker) debianEntry(s *Debian, h *tar.Header, r io.Reader) error {
	p, err := cleanPath(h.Name)
	if err != nil {
		return err
	}
	p, folder := mergeUsr(p)
	if p == "" || matchAny(s.Exclude, p) {
		return nil
	}
	if folder != "" {
		if err := m.tree.add(folder, &entry{typ: tar.TypeSymlink, mode: 0o777, link: "usr/" + folder}); err != nil {
			return err
		}
	}
	e := &entry{mode: h.Mode, uid: h.Uid, gid: h.Gid}
	switch h.Typeflag {
	case tar.TypeDir:
		e.typ = tar.TypeDir
	case tar.TypeSymlink:
		e.typ, e.link, e.mode = tar.TypeSymlink, h.Linkname, 0o777
	case tar.TypeReg:
		e.typ, e.size = tar.TypeReg, h.Size
		if e.open, err = m.spool.keep(r, h.Size); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	case tar.TypeLink:
		// The few hard links that packages have become copies.
		target, err := cleanPath(h.Linkname)
		if err != nil {
			return err
		}
		target, _ = mergeUsr(target)
		old := m.tree.entries[target]
		if old == nil || old.typ != tar.TypeReg {
			return problem.New(problem.Invalid, "%s is a hard link to %s, which is not in the package", p, target)
		}
		*e = *old
	default:
		return problem.New(problem.Invalid, "%s has the type %q, which a layer cannot hold", p, h.Typeflag)
	}
	return m.tree.add(p, e)
}

// mergeUsr moves a path of /bin, /sbin, /lib or /lib64 into /usr and names the
// folder it came from, which becomes a link. An image is put together from
// layers, and a link and a folder of one name in two of them would hide each
// other's content. The folder entry itself vanishes.
func mergeUsr(p string) (moved, folder string) {
	top, rest, below := strings.Cut(p, "/")
	if !slices.Contains([]string{"bin", "sbin", "lib", "lib64"}, top) {
		return p, ""
	}
	if !below || rest == "" {
		return "", ""
	}
	return "usr/" + p, top
}

// certificates joins the certificates of the layer into one file.
func (m *maker) certificates(to string) error {
	var all bytes.Buffer
	for _, p := range sortedKeys(m.tree.entries) {
		e := m.tree.entries[p]
		if _, ok := under("usr/share/ca-certificates", p); !ok || e.typ != tar.TypeReg || !strings.HasSuffix(p, ".crt") {
			continue
		}
		r, err := e.open()
		if err != nil {
			return err
		}
		data, err := readAll(r, p, MaxLocalBytes)
		r.Close()
		if err != nil {
			return err
		}
		all.Write(bytes.TrimSpace(data))
		all.WriteByte('\n')
	}
	if all.Len() == 0 {
		return problem.New(problem.Invalid, "the layer has no certificates in /usr/share/ca-certificates").
			WithHint("add the package ca-certificates, or leave certificates out")
	}
	return m.tree.addBytes(to, all.Bytes(), 0o644, 0, 0)
}

// fetchDebs downloads packages for the recipe's architecture, sorted by name.
func (b *builder) fetchDebs(ctx context.Context, packages []string) ([]deb, error) {
	dir, err := b.temp("deb")
	if err != nil {
		return nil, err
	}
	_, arch, _ := strings.Cut(b.recipe.Platform, "/") // Go and Debian name both architectures alike
	args := []string{"download"}
	for _, p := range packages {
		name, version, pinned := strings.Cut(p, "=")
		name += ":" + arch
		if pinned {
			name += "=" + version
		}
		args = append(args, name)
	}
	final := func(e *toolError) error {
		if strings.Contains(e.output, "Unable to locate package") || strings.Contains(e.output, "No packages found") ||
			strings.Contains(e.output, "Can't select") || strings.Contains(e.output, "was not found") {
			return problem.New(problem.NotFound, "apt does not know a package: %w", e).
				WithHint("run apt-get update; a package of another architecture also needs dpkg --add-architecture %s", arch)
		}
		return nil
	}
	what := "debian " + ellipsis(packages)
	if err := b.download(ctx, aptGet, what, dir, nil, final, args...); err != nil {
		return nil, err
	}
	return b.readDebs(ctx, dir, packages)
}

// readDebs reads what was downloaded and checks that it is what was asked for.
func (b *builder) readDebs(ctx context.Context, dir string, packages []string) ([]deb, error) {
	program, err := dpkg.path()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return nil, err
	}
	var debs []deb
	for _, f := range files {
		out, err := run(ctx, program, dir, nil, "--show", "--showformat=${Package} ${Version}", f)
		if err != nil {
			return nil, err
		}
		name, version, ok := strings.Cut(strings.TrimSpace(out), " ")
		if !ok {
			return nil, problem.New(problem.Invalid, "%s does not say its name and version", filepath.Base(f))
		}
		debs = append(debs, deb{f, name, version})
	}
	sort.Slice(debs, func(i, j int) bool { return debs[i].name < debs[j].name })
	for _, p := range packages {
		name, _, _ := strings.Cut(p, "=")
		if !slices.ContainsFunc(debs, func(d deb) bool { return d.name == name }) {
			return nil, problem.New(problem.NotFound, "apt-get download gave no file for %s", name).
				WithHint("is it a virtual package? name the one that provides it")
		}
	}
	return debs, nil
}

// walk calls f for each entry of the package's file tree.
func (d deb) walk(ctx context.Context, dir string, f func(*tar.Header, io.Reader) error) error {
	program, err := dpkg.path()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, MaxToolTime)
	defer cancel()
	cmd := command(ctx, program, dir, nil, "--fsys-tarfile", d.path)
	var problems tail
	cmd.Stderr = &problems
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	walkErr := walkTar(stdout, f)
	if walkErr != nil {
		cancel() // nobody reads on: do not let it wait for us
	}
	if err := cmd.Wait(); err != nil && walkErr == nil {
		return &toolError{program: program, output: problems.text(), err: err}
	}
	return walkErr
}

// walkTar calls f for each entry of a tar stream and reads the stream to its end.
func walkTar(r io.Reader, f func(*tar.Header, io.Reader) error) error {
	limited := &io.LimitedReader{R: r, N: MaxScanBytes}
	tr := tar.NewReader(limited)
	for {
		h, err := tr.Next()
		if limited.N <= 0 {
			return problem.New(problem.TooLarge, "the archive unpacks to more than %d bytes", int64(MaxScanBytes))
		}
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, limited)
			return err
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if err := f(h, tr); err != nil {
			return err
		}
	}
}
