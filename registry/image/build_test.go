package image

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/universe-dcos/universe/internal/problem"
)

const filesLayers = `
  - use: ../../_layers/base.yaml
  - files:
      - {from: conf, to: /etc/app, owner: "5:6", mode: "0600"}
      - {link: app, to: /etc/link}
`

var filesContent = map[string]string{
	"_layers/base.yaml":      "files: [{content: hello, to: /etc/hello}, {dir: /tmp, mode: '1777'}]\n",
	"pkg/image/conf/b/b.txt": "b", "pkg/image/conf/a.txt": "a",
}

// build builds a recipe and returns the image, its digest and the phases seen.
func build(t *testing.T, r *Recipe, o Options) (v1.Image, v1.Hash, []Phase) {
	t.Helper()
	var phases []Phase
	o.Progress = func(e Event) { phases = append(phases, e.Phase) }
	img, err := r.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return img, digest, phases
}

func load(t *testing.T, layers string, files map[string]string) *Recipe {
	t.Helper()
	r, err := recipe(t, layers, files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names lists the entries of an image's layers from the lowest up.
func names(t *testing.T, img v1.Image) (list []string) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if err := walkTar(r, func(h *tar.Header, _ io.Reader) error {
			list = append(list, h.Name)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// checkImage checks that manifest, config and layers fit each other, and that the
// layers hold what their digests say.
func checkImage(t *testing.T, img v1.Image) {
	t.Helper()
	if err := validate.Image(img, validate.Fast); err != nil { // without Fast it knows gzip only
		t.Errorf("not a valid image: %v", err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != len(cf.RootFS.DiffIDs) {
		t.Fatalf("%d layers and %d diff ids", len(layers), len(cf.RootFS.DiffIDs))
	}
	for i, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if got := hashOf(t, l.Compressed); got != digest {
			t.Errorf("layer %d has the digest %v and not %v", i, got, digest)
		}
		if got := hashOf(t, l.Uncompressed); got != cf.RootFS.DiffIDs[i] {
			t.Errorf("layer %d unpacks to %v and not %v", i, got, cf.RootFS.DiffIDs[i])
		}
	}
}

func hashOf(t *testing.T, open func() (io.ReadCloser, error)) v1.Hash {
	t.Helper()
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h, _, err := v1.SHA256(r)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestBuild_isReproducible(t *testing.T) {
	img, first, _ := build(t, load(t, filesLayers, filesContent), Options{CacheDir: t.TempDir()})
	checkImage(t, img)
	want := []string{"etc/", "etc/hello", "tmp/", "etc/", "etc/app/", "etc/app/a.txt", "etc/app/b/", "etc/app/b/b.txt", "etc/link"}
	if diff := cmp.Diff(want, names(t, img)); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	// Another folder, another cache, another day: the same image.
	r := load(t, filesLayers, filesContent)
	old := time.Now().Add(-1000 * time.Hour)
	if err := os.Chtimes(filepath.Join(r.Layers[1].dir(), "conf/a.txt"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(r.Layers[1].dir(), "conf/a.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, second, _ := build(t, r, Options{CacheDir: t.TempDir()})
	if first != second {
		t.Errorf("digests %v and %v, want them equal", first, second)
	}
}

func TestBuild_config(t *testing.T) {
	r := load(t, filesLayers, filesContent)
	r.Env, r.Workdir = map[string]string{"B": "2", "A": "1"}, "/srv"
	img, _, _ := build(t, r, Options{CacheDir: t.TempDir(), Time: time.Unix(99, 0)})
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{User: "1:1", WorkingDir: "/srv", Env: []string{"A=1", "B=2"}}
	if diff := cmp.Diff(want, cf.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if got := cf.OS + "/" + cf.Architecture; got != "linux/amd64" {
		t.Errorf("platform %s", got)
	}
	if !cf.Created.Equal(time.Unix(99, 0)) {
		t.Errorf("created %v, want 99 s after 1970", cf.Created)
	}
}

func TestBuild_usesTheCache(t *testing.T) {
	r, cacheDir := load(t, filesLayers, filesContent), t.TempDir()
	_, first, _ := build(t, r, Options{CacheDir: cacheDir})
	_, second, phases := build(t, r, Options{CacheDir: cacheDir})
	if want := []Phase{PhaseCached, PhaseCached}; !slices.Equal(phases, want) || first != second {
		t.Errorf("second build: phases %v and digests %v, %v; want %v and equal digests", phases, first, second, want)
	}
	if _, _, phases := build(t, r, Options{CacheDir: cacheDir, Refresh: true}); slices.Contains(phases, PhaseCached) {
		t.Errorf("refresh took a layer from the cache: %v", phases)
	}
	// A changed file is seen, and only its layer is built.
	if err := os.WriteFile(filepath.Join(r.Layers[1].dir(), "conf/a.txt"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, third, phases := build(t, r, Options{CacheDir: cacheDir})
	if want := []Phase{PhaseCached, PhasePack}; len(phases) < 2 || !slices.Equal(phases[:2], want) || third == first {
		t.Errorf("after a change: phases %v and digests %v, %v; want %v… and another digest", phases, first, third, want)
	}
	// The folder holds finished layers only.
	if left, err := filepath.Glob(filepath.Join(cacheDir, ".build-*")); err != nil || len(left) > 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
}

func TestBuild_mendsTheCache(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"blob cut short": func(t *testing.T, dir string) {
			eachFile(t, dir+"/blobs", func(p string) error { return os.Truncate(p, 3) })
		},
		"blob gone": func(t *testing.T, dir string) { eachFile(t, dir+"/blobs", os.Remove) },
		"index broken": func(t *testing.T, dir string) {
			eachFile(t, dir+"/index", func(p string) error { return os.WriteFile(p, []byte("{"), 0o644) })
		},
		"index names a file elsewhere": func(t *testing.T, dir string) {
			eachFile(t, dir+"/index", func(p string) error {
				return os.WriteFile(p, []byte(`{"digest":"sha256:../../../../etc/passwd"}`), 0o644)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, dir := load(t, filesLayers, filesContent), t.TempDir()
			_, first, _ := build(t, r, Options{CacheDir: dir})
			damage(t, dir)
			img, second, _ := build(t, r, Options{CacheDir: dir})
			if first != second {
				t.Errorf("digests %v and %v, want them equal", first, second)
			}
			checkImage(t, img)
		})
	}
}

func eachFile(t *testing.T, dir string, f func(string) error) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, p := range files {
		if err := f(p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBuild_sourceDateEpoch(t *testing.T) {
	r := load(t, filesLayers, filesContent)
	_, zero, _ := build(t, r, Options{CacheDir: t.TempDir()})
	dir := t.TempDir()
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	_, set, _ := build(t, r, Options{CacheDir: dir})
	_, given, _ := build(t, r, Options{CacheDir: dir, Time: time.Unix(1700000000, 0)})
	if set == zero || set != given {
		t.Errorf("digests: unset %v, variable %v, option %v; want the last two equal and unlike the first", zero, set, given)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := r.Build(t.Context(), Options{CacheDir: dir}); !problem.Is(err, problem.Invalid) {
		t.Errorf("error %v, want class invalid", err)
	}
}

func TestBuild_refusesFilesFromElsewhere(t *testing.T) {
	secret := filepath.Join(folder(t, map[string]string{"secret": "s"}), "secret")
	r := load(t, "  - files: [{from: conf, to: /x}]\n", map[string]string{"pkg/image/conf/a": "a"})
	if err := os.Symlink(secret, filepath.Join(r.Layers[0].dir(), "conf", "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Build(t.Context(), Options{CacheDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a link to another folder was followed: error %v", err)
	}
	missing := load(t, "  - files: [{from: none, to: /x}]\n", nil)
	if _, err := missing.Build(t.Context(), Options{CacheDir: t.TempDir()}); !problem.Is(err, problem.NotFound) {
		t.Errorf("a file that is not there: error %v, want class not_found", err)
	}
}

func TestBuild_stopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	_, err := load(t, filesLayers, filesContent).Build(ctx, Options{CacheDir: t.TempDir()})
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}
