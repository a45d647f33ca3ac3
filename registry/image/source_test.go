package image

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
)

// newMaker makes a builder of one layer that works in a folder of the test.
func newMaker(t *testing.T, l *Layer) *maker {
	t.Helper()
	dir := t.TempDir()
	s, err := newSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	b := &builder{recipe: &Recipe{Platform: "linux/amd64"}, work: dir, progress: &progress{}, log: slog.New(slog.DiscardHandler)}
	return &maker{builder: b, layer: l, tree: newTree(), spool: s}
}

// tarOf writes entries as a tar stream; a name with " -> " is a link.
func tarOf(t *testing.T, entries ...string) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, e := range entries {
		name, link, isLink := strings.Cut(e, " -> ")
		h := &tar.Header{Name: name, Mode: 0o775, Uid: 1001, Typeflag: tar.TypeReg, Size: int64(len(name))}
		if isLink {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, link, 0
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if !isLink {
			if _, err := io.WriteString(tw, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

// A compiled wheel is one of many of its version: which, must not depend on the
// Python that happens to run pip.
func TestPyPI_asksForTheImagesPython(t *testing.T) {
	for _, test := range []struct {
		python, platform string
		want             []string
	}{
		{"", "linux/amd64", nil},
		{"3.11", "linux/amd64", []string{"--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux2014_x86_64"}},
		{"3.11", "linux/arm64", []string{"--python-version", "3.11", "--implementation", "cp", "--platform", "manylinux2014_aarch64"}},
	} {
		if diff := cmp.Diff(test.want, (&PyPI{Python: test.python}).target(test.platform)); diff != "" {
			t.Errorf("%s on %s (-want +got):\n%s", test.python, test.platform, diff)
		}
	}
}

func TestPicker_takesTheSelectedMembers(t *testing.T) {
	members := []string{"x-1.0/lib/a.jar", "x-1.0/lib/b.txt", "x-1.0/lib/sub/c.jar", "x-1.0/LICENSE", "x-1.0/other"}
	pypi := &PyPI{Name: "x", Version: "1.0", Select: []Select{
		{From: "lib/", To: "/opt/", Exclude: []string{"*.txt"}}, {From: "LICENSE", To: "/opt/LICENCE"}}}
	want := []string{"opt/LICENCE", "opt/a.jar", "opt/sub/c.jar"}
	for _, kind := range []string{"x-1.0.tar.gz", "x-1.0.zip"} {
		t.Run(kind, func(t *testing.T) {
			archive := filepath.Join(t.TempDir(), kind)
			writeArchive(t, archive, members)
			p := &picker{maker: newMaker(t, &Layer{PyPI: pypi}), from: pypi, taken: make([]int, 2)}
			read := p.tarball
			if strings.HasSuffix(kind, ".zip") {
				read = p.zip
			}
			if err := read(archive); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, sortedKeys(p.tree.entries)); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			for name, e := range p.tree.entries {
				if e.uid != 0 || e.mode != 0o644 && e.mode != 0o755 {
					t.Errorf("%s has owner %d and mode %o, want what every machine would give it", name, e.uid, e.mode)
				}
			}
		})
	}
}

func writeArchive(t *testing.T, path string, members []string) {
	t.Helper()
	var buf bytes.Buffer
	if strings.HasSuffix(path, ".zip") {
		zw := zip.NewWriter(&buf)
		for _, m := range members {
			w, err := zw.Create(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, m); err != nil {
				t.Fatal(err)
			}
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		zw := gzip.NewWriter(&buf)
		if _, err := io.Copy(zw, tarOf(t, members...)); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPicker_refusesToLeaveTheFolder(t *testing.T) {
	pypi := &PyPI{Select: []Select{{From: "lib/", To: "/opt/"}}}
	archive := filepath.Join(t.TempDir(), "x.tar.gz")
	writeArchive(t, archive, []string{"x/lib/../../../etc/cron.d/x"})
	p := &picker{maker: newMaker(t, &Layer{PyPI: pypi}), from: pypi, taken: make([]int, 1)}
	if err := p.tarball(archive); err == nil || !strings.Contains(err.Error(), "leaves its folder") {
		t.Errorf("error %v, want one that names the path", err)
	}
}

func TestUnpacker_staysInItsFolder(t *testing.T) {
	tests := []struct {
		name    string
		entries []string
		want    string // in the error; empty for none
	}{
		{"a path above", []string{"../x"}, "leaves its folder"},
		{"a link above", []string{"a/b -> ../../x"}, "leaves the package"},
		{"a file below a link", []string{"a -> b", "a/x"}, "lies below the link"},
		{"a link below a link", []string{"a/b/c -> ../d", "a/b/c/e -> ../../../../etc"}, "lies below the link"},
		{"an absolute link", []string{"etc/conf", "a/b -> /etc/conf"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			err = walkTar(tarOf(t, tt.entries...), (&unpacker{root: root, links: map[string]bool{}}).entry)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want …%s…", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "a/b")); err != nil || string(got) != "etc/conf" {
				t.Errorf("through the link: %q, %v; want the file in the folder", got, err)
			}
		})
	}
}

func TestDebianEntry(t *testing.T) {
	s := &Debian{Exclude: []string{"usr/share/man"}}
	m := newMaker(t, &Layer{Debian: s})
	in := tarOf(t, "./lib/libx.so.1", "./lib/libx.so -> libx.so.1", "./usr/share/man/x.1", "./usr/share/ca-certificates/b.crt",
		"./usr/share/ca-certificates/a.crt")
	if err := walkTar(in, func(h *tar.Header, r io.Reader) error { return m.debianEntry(s, h, r) }); err != nil {
		t.Fatal(err)
	}
	if err := m.certificates("/etc/all.crt"); err != nil {
		t.Fatal(err)
	}
	want := []string{"etc/all.crt", "lib", "usr/lib/libx.so", "usr/lib/libx.so.1", "usr/share/ca-certificates/a.crt",
		"usr/share/ca-certificates/b.crt"}
	if diff := cmp.Diff(want, sortedKeys(m.tree.entries)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	r, err := m.tree.entries["etc/all.crt"].open()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if want := "./usr/share/ca-certificates/a.crt\n./usr/share/ca-certificates/b.crt\n"; err != nil || string(got) != want {
		t.Errorf("certificates %q, %v, want %q", got, err, want)
	}
	device := &tar.Header{Name: "./dev/x", Typeflag: tar.TypeChar}
	if err := m.debianEntry(s, device, nil); !problem.Is(err, problem.Invalid) {
		t.Errorf("a device: error %v, want class invalid", err)
	}
}

func TestJarOf_isReproducible(t *testing.T) {
	classes := fstest.MapFS{"b/B.class": {Data: []byte("b")}, "A.class": {Data: []byte("a")}}
	first, err := jarOf(classes)
	if err != nil {
		t.Fatal(err)
	}
	second, err := jarOf(classes)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two jars of the same classes differ (%v)", err)
	}
	zr, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range zr.File {
		got = append(got, f.Name)
		if !f.Modified.Equal(jarTime) {
			t.Errorf("%s has the time %v, want %v", f.Name, f.Modified, jarTime)
		}
	}
	if diff := cmp.Diff([]string{"META-INF/MANIFEST.MF", "A.class", "b/B.class"}, got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}
