package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
)

// pack writes a tree and returns the tar stream and its headers, one line each.
func pack(t *testing.T, tr *tree) ([]byte, []string) {
	t.Helper()
	var buf bytes.Buffer
	if err := tr.write(&buf, time.Unix(1000, 0).UTC(), func(int64) {}); err != nil {
		t.Fatal(err)
	}
	var lines []string
	r := tar.NewReader(bytes.NewReader(buf.Bytes()))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return buf.Bytes(), lines
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(1000, 0)) || h.Uname != "" || h.Gname != "" || len(h.PAXRecords) > 0 {
			t.Errorf("%s holds something of the machine: %+v", h.Name, h)
		}
		line := h.FileInfo().Mode().String() + " " + h.Name
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		lines = append(lines, line)
	}
}

func TestTree_isTheSameInAnyOrder(t *testing.T) {
	add := []func(*tree) error{
		func(tr *tree) error { return tr.addBytes("/usr/bin/su", []byte("x"), 0o4755, 0, 0) },
		func(tr *tree) error { return tr.addBytes("./usr/a-b", []byte("y"), 0o600, 7, 8) },
		func(tr *tree) error { return tr.add("tmp/", &entry{typ: tar.TypeDir, mode: 0o1777}) },
		func(tr *tree) error { return tr.add("bin", &entry{typ: tar.TypeSymlink, mode: 0o777, link: "usr/bin"}) },
	}
	forth, back := newTree(), newTree()
	for i := range add {
		if err := errors.Join(add[i](forth), add[len(add)-1-i](back)); err != nil {
			t.Fatal(err)
		}
	}
	a, lines := pack(t, forth)
	b, _ := pack(t, back)
	if !bytes.Equal(a, b) {
		t.Error("the layer depends on the order in which its files were added")
	}
	want := []string{"Lrwxrwxrwx bin -> usr/bin", "dtrwxrwxrwx tmp/", "drwxr-xr-x usr/", "-rw------- usr/a-b", "drwxr-xr-x usr/bin/",
		"-rwxr-xr-x usr/bin/su"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("entries (-want +got); parents before children, no setuid:\n%s", diff)
	}
}

func TestTree_refusesWhatNoLayerCanHold(t *testing.T) {
	file := func(tr *tree, p string) error { return tr.addBytes(p, nil, 0o644, 0, 0) }
	tests := []struct {
		name  string
		build func(*tree) error
		want  string
	}{
		{"a parent", func(tr *tree) error { return file(tr, "a/../../b") }, "leaves its folder"},
		{"a control character", func(tr *tree) error { return file(tr, "a\nb") }, "control character"},
		{"a long path", func(tr *tree) error { return file(tr, strings.Repeat("a", MaxPathBytes+1)) }, "is longer than"},
		{"a file over a folder", func(tr *tree) error {
			return errors.Join(file(tr, "a/b"), tr.add("a", &entry{typ: tar.TypeDir}), file(tr, "a"))
		},
			"a folder with content"},
		{"a file below a link", func(tr *tree) error {
			return errors.Join(file(tr, "a/b"), tr.add("a", &entry{typ: tar.TypeSymlink, link: "c"}), tr.write(io.Discard, time.Time{}, func(int64) {}))
		}, "is not a folder"},
		{"a huge file", func(tr *tree) error { return tr.add("a", &entry{typ: tar.TypeReg, size: MaxFileBytes + 1}) }, "more than"},
		{"a file that shrank", func(tr *tree) error {
			e := &entry{typ: tar.TypeReg, size: 5, open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("abc")), nil }}
			return errors.Join(tr.add("a", e), tr.write(io.Discard, time.Time{}, func(int64) {}))
		}, "changed while it was read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.build(newTree()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestMatchAny(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"usr/share/man", "usr/share/man", true},
		{"usr/share/man", "usr/share/man/man1/a.gz", true},
		{"usr/share/man", "usr/share/mans", false},
		{"usr/share/doc/*/changelog*", "usr/share/doc/x/changelog.gz", true},
		{"usr/share/doc/*/changelog*", "usr/share/doc/x/y/changelog.gz", false},
		{"usr/**/gconv", "usr/lib/x86/gconv/a.so", true},
		{"usr/**/gconv", "usr/gconv", true},
		{"**/*.md", "a/b/c.md", true},
		{"/etc/x", "etc/x", true},
		{"*.jar", "sub/a.jar", false},
	}
	for _, tt := range tests {
		if got := matchAny([]string{tt.pattern}, tt.path); got != tt.want {
			t.Errorf("matchAny(%q, %q) = %v, want %v", tt.pattern, tt.path, got, tt.want)
		}
	}
}

func TestMergeUsr(t *testing.T) {
	tests := []struct{ path, moved, folder string }{
		{"lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6", "lib"},
		{"lib64/ld.so", "usr/lib64/ld.so", "lib64"},
		{"bin", "", ""},
		{"usr/bin/a", "usr/bin/a", ""},
		{"library/a", "library/a", ""},
	}
	for _, tt := range tests {
		if moved, folder := mergeUsr(tt.path); moved != tt.moved || folder != tt.folder {
			t.Errorf("mergeUsr(%q) = %q, %q, want %q, %q", tt.path, moved, folder, tt.moved, tt.folder)
		}
	}
}

func TestSpool_isBounded(t *testing.T) {
	s, err := newSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.keep(strings.NewReader("x"), MaxFileBytes+1); !problem.Is(err, problem.TooLarge) {
		t.Errorf("a file over the limit: error %v, want class too_large", err)
	}
	if _, err := s.keep(strings.NewReader("short"), 100); err == nil {
		t.Error("a file that ends early was taken")
	}
}
