package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/artifact"
)

// pushLayer publishes an artifact with a content layer of our making.
func pushLayer(t *testing.T, s registry.Store, mediaType string, layer []byte) string {
	t.Helper()
	blob := func(mediaType string, b []byte) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(b), Size: int64(len(b))}
		if err := s.Push(t.Context(), d, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	body, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: registry.PackageArtifactType,
		Config: blob(registry.PackageConfigType, []byte(`{}`)), Layers: []ocispec.Descriptor{blob(mediaType, layer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return blob(ocispec.MediaTypeImageManifest, body).Digest.String()
}

func gzipped(t *testing.T, write func(w io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if err := write(zw); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(headers ...tar.Header) func(w io.Writer) error {
	return func(w io.Writer) error {
		tw := tar.NewWriter(w)
		for _, h := range headers {
			if h.Typeflag == 0 {
				h.Typeflag = tar.TypeReg
			}
			if err := tw.WriteHeader(&h); err != nil {
				return err
			}
			if _, err := io.CopyN(tw, zeros{}, h.Size); err != nil {
				return err
			}
		}
		return tw.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPull_refusesHostileLayers(t *testing.T) {
	many := make([]tar.Header, artifact.MaxFiles+1)
	for i := range many {
		many[i].Name = fmt.Sprintf("f%d", i)
	}
	for name, c := range map[string]struct {
		headers []tar.Header
		want    problem.Class
	}{
		"absolute":           {[]tar.Header{{Name: "/etc/passwd"}}, problem.Invalid},
		"parent":             {[]tar.Header{{Name: "../x"}}, problem.Invalid},
		"hidden parent":      {[]tar.Header{{Name: "a/../../x"}}, problem.Invalid},
		"parent behind dot":  {[]tar.Header{{Name: "./../x"}}, problem.Invalid},
		"parent directory":   {[]tar.Header{{Name: "../x/", Typeflag: tar.TypeDir}}, problem.Invalid},
		"backslash":          {[]tar.Header{{Name: `a\..\..\x`}}, problem.Invalid},
		"drive":              {[]tar.Header{{Name: "C:x"}}, problem.Invalid},
		"control character":  {[]tar.Header{{Name: "a\nb"}}, problem.Invalid},
		"symbolic link":      {[]tar.Header{{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, {Name: "a/passwd"}}, problem.Invalid},
		"hard link":          {[]tar.Header{{Name: "a", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}, problem.Invalid},
		"device":             {[]tar.Header{{Name: "a", Typeflag: tar.TypeBlock}}, problem.Invalid},
		"pipe":               {[]tar.Header{{Name: "a", Typeflag: tar.TypeFifo}}, problem.Invalid},
		"twice":              {[]tar.Header{{Name: "a"}, {Name: "./a"}}, problem.Invalid},
		"file and directory": {[]tar.Header{{Name: "a"}, {Name: "a/b"}}, problem.Invalid},
		"directory and file": {[]tar.Header{{Name: "a/b"}, {Name: "a"}}, problem.Invalid},
		"many files":         {many, problem.TooLarge},
		"large file":         {[]tar.Header{{Name: "a", Size: artifact.MaxFileBytes + 1}}, problem.TooLarge},
		"bomb":               {[]tar.Header{{Name: "a", Size: 32 << 20}}, problem.TooLarge},
		"deep":               {[]tar.Header{{Name: strings.Repeat("a/", artifact.MaxDepth+1) + "a"}}, problem.TooLarge},
		"long path":          {[]tar.Header{{Name: strings.Repeat("a", artifact.MaxPathBytes+1)}}, problem.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			s := stores["layout"](t)
			ref := pushLayer(t, s, registry.PackageContentType, gzipped(t, tarred(c.headers...)))
			if _, err := artifact.Pull(t.Context(), s, ref); !problem.Is(err, c.want) {
				t.Errorf("Pull = %v, want class %s", err, c.want)
			}
		})
	}
}

func TestPull_refusesDamagedLayers(t *testing.T) {
	good := gzipped(t, tarred(tar.Header{Name: "a", Size: 5000}))
	bomb := gzipped(t, func(w io.Writer) error { // zeros behind the archive's end
		if err := tarred(tar.Header{Name: "a"})(w); err != nil {
			return err
		}
		_, err := io.CopyN(w, zeros{}, 32<<20)
		return err
	})
	for name, c := range map[string]struct {
		mediaType string
		layer     []byte
		want      problem.Class
	}{
		"cut":          {registry.PackageContentType, good[:len(good)-12], problem.Invalid},
		"check sum":    {registry.PackageContentType, append(bytes.Clone(good[:len(good)-8]), 1, 2, 3, 4, 5, 6, 7, 8), problem.Invalid},
		"no gzip":      {registry.PackageContentType, []byte("text"), problem.Invalid},
		"no tar":       {registry.PackageContentType, gzipped(t, func(w io.Writer) error { _, err := w.Write(bytes.Repeat([]byte("text"), 500)); return err }), problem.Invalid},
		"no zstd":      {registry.PackageContentZstdType, []byte("text"), problem.Invalid},
		"unknown type": {"application/x", good, problem.Invalid},
		"bomb behind":  {registry.PackageContentType, bomb, problem.TooLarge},
	} {
		s := stores["layout"](t)
		ref := pushLayer(t, s, c.mediaType, c.layer)
		if _, err := artifact.Pull(t.Context(), s, ref); !problem.Is(err, c.want) {
			t.Errorf("Pull of a layer with fault %q = %v, want class %s", name, err, c.want)
		}
	}
}

func TestPull_readsZstd(t *testing.T) {
	var b bytes.Buffer
	zw, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := tarred(tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./d/", Typeflag: tar.TypeDir}, tar.Header{Name: "./d/a", Size: 3, Mode: 0o755})(zw); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	s := stores["layout"](t)
	p, err := artifact.Pull(t.Context(), s, pushLayer(t, s, registry.PackageContentZstdType, b.Bytes()))
	if err != nil {
		t.Fatalf("Pull: %v", err)
	}
	if got := contents(t, p.Content()); len(got) != 1 || got["d/a*"] != "\x00\x00\x00" {
		t.Errorf("content = %q", got)
	}
}

func TestPack_refuses(t *testing.T) {
	big := func(n int) []byte { return make([]byte, n) }
	many := fstest.MapFS{}
	for i := range artifact.MaxFiles + 1 {
		many[fmt.Sprintf("f%d", i)] = &fstest.MapFile{}
	}
	file := func(name string, data []byte) fstest.MapFS { return fstest.MapFS{name: {Data: data}} }
	for name, c := range map[string]struct {
		fsys    fstest.MapFS
		version string
		config  string
		want    problem.Class
	}{
		"no files":        {fstest.MapFS{}, "1.0.0", `{}`, problem.Invalid},
		"only dot files":  {file(".x", nil), "1.0.0", `{}`, problem.Invalid},
		"no version":      {file("a", nil), "1.0", `{}`, problem.Invalid},
		"config":          {file("a", nil), "1.0.0", `{`, problem.Invalid},
		"large config":    {file("a", nil), "1.0.0", `"` + strings.Repeat("x", artifact.MaxConfigPackBytes) + `"`, problem.TooLarge},
		"large file":      {file("a", big(artifact.MaxFileBytes+1)), "1.0.0", `{}`, problem.TooLarge},
		"large README":    {file("README.md", big(artifact.MaxReadmeBytes+1)), "1.0.0", `{}`, problem.TooLarge},
		"large icon":      {file("icon.svg", big(artifact.MaxIconBytes+1)), "1.0.0", `{}`, problem.TooLarge},
		"many files":      {many, "1.0.0", `{}`, problem.TooLarge},
		"name with colon": {file("a:b", nil), "1.0.0", `{}`, problem.Invalid},
	} {
		_, err := artifact.Pack(c.fsys, artifact.Meta{Name: "x", Version: c.version}, []byte(c.config))
		if !problem.Is(err, c.want) {
			t.Errorf("Pack with fault %q = %v, want class %s", name, err, c.want)
		}
	}
	notes := map[string]string{"a": strings.Repeat("x", artifact.MaxAnnotationBytes)}
	if _, err := artifact.Pack(file("a", nil), artifact.Meta{Name: "x", Version: "1.0.0", Annotations: notes}, []byte(`{}`)); !problem.Is(err, problem.TooLarge) {
		t.Errorf("Pack with large annotations = %v, want class too_large", err)
	}
}

func TestPack_refusesLinksAndPipes(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"link out":   func(p string) error { return os.Symlink("/etc/passwd", p) },
		"link to":    func(p string) error { return os.Symlink("a", p) },
		"named pipe": func(p string) error { return syscall.Mkfifo(p, 0o600) },
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := put(filepath.Join(dir, "odd")); err != nil {
			t.Fatal(err)
		}
		_, err := artifact.Pack(os.DirFS(dir), artifact.Meta{Name: "x", Version: "1.0.0"}, []byte(`{}`))
		if !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), `"odd"`) {
			t.Errorf("Pack of a %s = %v, want class invalid and its name", name, err)
		}
	}
}

// Extraction cannot be led out of its directory by links that are there.
func TestExtract_staysInside(t *testing.T) {
	out, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(out, filepath.Join(dir, "image")); err != nil {
		t.Fatal(err)
	}
	if err := pack(t, source(), "1.0.0").Extract(dir); err == nil {
		t.Error("Extract through a link that leads out succeeds")
	}
	if entries, err := os.ReadDir(out); err != nil || len(entries) != 0 {
		t.Errorf("the directory behind the link holds %v, %v", entries, err)
	}
}
