package image

import (
	"archive/tar"
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/universe-dcos/universe/internal/problem"
)

// pypi takes members of an archive of the Python index.
func (m *maker) pypi(ctx context.Context) error {
	s := m.layer.PyPI
	archive, err := m.fetchPyPI(ctx, s)
	if err != nil {
		return err
	}
	defer os.Remove(archive)
	p := &picker{maker: m, from: s, taken: make([]int, len(s.Select))}
	m.progress.set("pypi "+s.Name+" "+s.Version, PhaseUnpack, 0, 0)
	if strings.HasSuffix(archive, ".tar.gz") {
		err = p.tarball(archive)
	} else {
		err = p.zip(archive)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(archive), err)
	}
	for i, n := range p.taken {
		if n == 0 {
			return problem.New(problem.Invalid, "%s has no member %q", filepath.Base(archive), s.Select[i].From)
		}
	}
	m.origins = append(m.origins, fmt.Sprintf("pypi %s %s sha256:%s", s.Name, s.Version, s.SHA256))
	return nil
}

// fetchPyPI downloads the one archive that the recipe pins.
func (m *maker) fetchPyPI(ctx context.Context, s *PyPI) (string, error) {
	dir, err := m.temp("pypi")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return "", err
	}
	requirements := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", s.Name, s.Version, s.SHA256)
	if err := os.WriteFile(requirements, []byte(line), 0o644); err != nil {
		return "", err
	}
	kind := "--no-binary=:all:"
	if s.Kind == "wheel" {
		kind = "--only-binary=:all:"
	}
	final := func(e *toolError) error {
		switch {
		case strings.Contains(e.output, "DO NOT MATCH THE HASHES"):
			return problem.New(problem.Invalid, "%s %s is not the archive the recipe pins: %w", s.Name, s.Version, e).
				WithHint("the index serves another file than the one that was reviewed; do not change sha256 without looking into it")
		case strings.Contains(e.output, "No matching distribution"):
			return problem.New(problem.NotFound, "the Python index has no %s of %s %s: %w", m.kind(), s.Name, s.Version, e)
		}
		return nil
	}
	what := "pypi " + s.Name + " " + s.Version
	args := append([]string{"download", "--quiet", "--no-deps", "--require-hashes", kind, "--dest", out, "--requirement", requirements},
		s.target(m.recipe.Platform)...)
	err = m.download(ctx, pip, what, dir, []string{"PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1"}, final, args...)
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(files) != 1 {
		return "", problem.New(problem.Invalid, "pip gave %d files for %s %s and not one", len(files), s.Name, s.Version)
	}
	return files[0], checkSHA256(files[0], s.SHA256)
}

// target are the options that make pip choose among the wheels of a version as on
// the image's system and Python, whatever runs pip itself: PEP 599 names the
// platforms. There are none where the recipe leaves it to the machine.
func (s *PyPI) target(platform string) []string {
	if s.Python == "" {
		return nil
	}
	arch := "x86_64"
	if platform == "linux/arm64" {
		arch = "aarch64"
	}
	return []string{"--python-version", s.Python, "--implementation", "cp", "--platform", "manylinux2014_" + arch}
}

func (m *maker) kind() string {
	if m.layer.PyPI.Kind == "wheel" {
		return "wheel"
	}
	return "source archive"
}

// checkSHA256 checks a file again ourselves: the pin is ours, not the client's.
func checkSHA256(file, want string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if n, err := io.Copy(h, io.LimitReader(f, MaxFileBytes+1)); err != nil {
		return err
	} else if n > MaxFileBytes {
		return problem.New(problem.TooLarge, "%s is larger than %d bytes", filepath.Base(file), int64(MaxFileBytes))
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return problem.New(problem.Invalid, "%s has the digest sha256:%s and not sha256:%s", filepath.Base(file), got, want)
	}
	return nil
}

// picker takes the selected members of an archive into the layer.
type picker struct {
	*maker
	from  *PyPI
	taken []int // members taken, for each selection
}

func (p *picker) tarball(archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	defer zr.Close()
	return walkTar(zr, func(h *tar.Header, r io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		// A source archive holds one folder NAME-VERSION (PyPA, source distribution format).
		_, name, _ := strings.Cut(h.Name, "/")
		return p.member(name, h.Size, h.Mode, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
	})
}

func (p *picker) zip(archive string) error {
	zr, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer zr.Close()
	if len(zr.File) > MaxFiles {
		return problem.New(problem.TooLarge, "the archive holds more than %d members", MaxFiles)
	}
	for _, f := range zr.File {
		name := f.Name
		if strings.HasSuffix(archive, ".zip") {
			_, name, _ = strings.Cut(name, "/")
		}
		if !f.Mode().IsRegular() || f.UncompressedSize64 > MaxFileBytes {
			continue
		}
		if err := p.member(name, int64(f.UncompressedSize64), int64(f.Mode().Perm()), f.Open); err != nil {
			return err
		}
	}
	return nil
}

// member takes a member if it is selected. Owners in an archive are those of
// whoever packed it: the layer's files belong to root.
func (p *picker) member(name string, size, mode int64, open func() (io.ReadCloser, error)) error {
	for i, sel := range p.from.Select {
		to, ok := sel.place(name)
		if !ok {
			continue
		}
		r, err := open()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		kept, err := p.spool.keep(r, size)
		r.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		perm := int64(0o644)
		if mode&0o100 != 0 {
			perm = 0o755
		}
		if err := p.tree.add(to, &entry{typ: tar.TypeReg, mode: perm, size: size, open: kept}); err != nil {
			return err
		}
		p.taken[i]++
		return nil // the first selection that fits gets it
	}
	return nil
}

// place gives a member's path in the image, or false if it is not selected.
func (s Select) place(name string) (string, bool) {
	if !strings.HasSuffix(s.From, "/") {
		return s.To, name == s.From
	}
	rest, ok := strings.CutPrefix(name, s.From)
	if !ok || rest == "" || matchAny(s.Exclude, rest) {
		return "", false
	}
	return s.To + rest, true
}
