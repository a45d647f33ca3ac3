package artifact_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/artifact"
	"github.com/universe-dcos/universe/registry/layout"
	"github.com/universe-dcos/universe/registry/registrytest"
	"github.com/universe-dcos/universe/registry/server"
)

// stores are the kinds of Store a package is pushed to.
var stores = map[string]func(t *testing.T) registry.Store{
	"layout": func(t *testing.T) registry.Store {
		t.Helper()
		l, err := layout.Open(t.TempDir())
		if err != nil {
			t.Fatalf("open layout: %v", err)
		}
		return l.Repository("data/spark")
	},
	"server": func(t *testing.T) registry.Store {
		t.Helper()
		s, err := server.New(server.Options{Root: t.TempDir(), Durability: server.DurabilityOff})
		if err != nil {
			t.Fatalf("open server: %v", err)
		}
		t.Cleanup(func() {
			if err := s.Close(t.Context()); err != nil && t.Context().Err() == nil {
				t.Errorf("close server: %v", err)
			}
		})
		return s.Repository("data/spark")
	},
}

var config = []byte(`{"name":"spark","version":"4.3.0"}`)

func source() fstest.MapFS {
	return fstest.MapFS{
		"package.yaml":       {Data: []byte("name: spark\n"), Mode: 0o644},
		"README.md":          {Data: []byte("# Spark\n"), Mode: 0o600},
		"icon.png":           {Data: []byte("\x89PNG"), Mode: 0o644},
		"image/recipe.yaml":  {Data: []byte("from: jre\n"), Mode: 0o644},
		"image/bin/start.sh": {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"empty":              {Mode: 0o644},
	}
}

func pack(t *testing.T, fsys fs.FS, version string) *artifact.Package {
	t.Helper()
	p, err := artifact.Pack(fsys, artifact.Meta{Name: "spark", Version: version}, config)
	if err != nil {
		t.Fatalf("Pack: %v", err)
	}
	return p
}

// contents reads a file system into a map, with "*" behind executables' names.
func contents(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		b, err := fs.ReadFile(fsys, name)
		if info.Mode()&0o100 != 0 {
			name += "*"
		}
		m[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatalf("read files: %v", err)
	}
	return m
}

func TestPack_isReproducible(t *testing.T) {
	want := pack(t, source(), "4.3.0").Descriptor()
	// The same files on a disk, written in another order, with other times,
	// empty directories and files that are ignored.
	dir := t.TempDir()
	names := []string{}
	for name := range source() {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names {
		f := source()[name]
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, f.Data, f.Mode)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{".git/config", "image/.cache", "README.md~", "__pycache__/x.pyc"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "void"), 0o700); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, pack(t, os.DirFS(dir), "4.3.0").Descriptor()); diff != "" {
		t.Errorf("second packing, -first +second:\n%s", diff)
	}
	// The digest is part of the format: a change of it makes every published
	// version another one. Do not adapt it without an ADR.
	const golden = "sha256:2f5cd48f49ec642f066d47b06f18d149beae116124d22cf34f58f33b0a0a7516"
	if want.Digest != golden {
		t.Errorf("digest of the sample package is %s, want %s", want.Digest, golden)
	}
	f := source()
	f["empty"] = &fstest.MapFile{Data: []byte("x")}
	if pack(t, f, "4.3.0").Descriptor().Digest == want.Digest {
		t.Error("another content has the same digest")
	}
}

func TestPack_manifest(t *testing.T) {
	p := pack(t, source(), "4.3.0+build.7")
	m := p.Manifest()
	var types []string
	for _, l := range m.Layers {
		types = append(types, l.MediaType+" "+l.Annotations[ocispec.AnnotationTitle])
	}
	want := []string{registry.PackageContentType + " content.tar.gz", registry.PackageReadmeType + " README.md", registry.PackageIconPNGType + " icon.png"}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("layers, -want +got:\n%s", diff)
	}
	if m.ArtifactType != registry.PackageArtifactType || m.Config.MediaType != registry.PackageConfigType {
		t.Errorf("types are %q and %q", m.ArtifactType, m.Config.MediaType)
	}
	if p.Name() != "spark" || p.Version() != "4.3.0+build.7" {
		t.Errorf("annotations say %q %q", p.Name(), p.Version())
	}
}

func TestPushPull(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s := open(t)
			p := pack(t, source(), "4.3.0+build.7")
			want, err := artifact.Push(t.Context(), s, p, "")
			if err != nil {
				t.Fatalf("Push: %v", err)
			}
			for _, reference := range []string{"4.3.0_build.7", want.Digest.String()} {
				got, err := artifact.Pull(t.Context(), s, reference)
				if err != nil {
					t.Fatalf("Pull(%q): %v", reference, err)
				}
				checkPulled(t, got, want.Digest)
			}
			h, err := artifact.ReadConfig(t.Context(), s, "4.3.0_build.7")
			if err != nil || string(h.Config) != string(config) || h.Descriptor.Digest != want.Digest {
				t.Fatalf("ReadConfig = %+v, %v", h, err)
			}
			if b, err := artifact.ReadREADME(t.Context(), s, h); err != nil || string(b) != "# Spark\n" {
				t.Errorf("ReadREADME = %q, %v", b, err)
			}
			if b, mediaType, err := artifact.ReadIcon(t.Context(), s, h); err != nil || string(b) != "\x89PNG" || mediaType != registry.PackageIconPNGType {
				t.Errorf("ReadIcon = %q, %q, %v", b, mediaType, err)
			}
		})
	}
}

func checkPulled(t *testing.T, p *artifact.Package, want digest.Digest) {
	t.Helper()
	if p.Descriptor().Digest != want {
		t.Errorf("pulled %s, want %s", p.Descriptor().Digest, want)
	}
	if string(p.Config()) != string(config) {
		t.Errorf("config = %s, want %s", p.Config(), config)
	}
	if diff := cmp.Diff(contents(t, source()), contents(t, p.Content())); diff != "" {
		t.Errorf("content, -packed +pulled:\n%s", diff)
	}
	if string(p.README()) != "# Spark\n" {
		t.Errorf("README = %q", p.README())
	}
	if b, mediaType := p.Icon(); string(b) != "\x89PNG" || mediaType != registry.PackageIconPNGType {
		t.Errorf("icon = %q of %q", b, mediaType)
	}
	if err := fstest.TestFS(p.Content(), "package.yaml", "image/bin/start.sh"); err != nil {
		t.Errorf("content is no good file system: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := p.Extract(dir); err != nil {
		t.Fatalf("Extract: %v", err)
	}
	if diff := cmp.Diff(contents(t, source()), contents(t, os.DirFS(dir))); diff != "" {
		t.Errorf("extracted, -packed +extracted:\n%s", diff)
	}
	if err := p.Extract(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Extract over existing files = %v, want that they exist", err)
	}
}

func TestPush_sameTag(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s := open(t)
			first := pack(t, source(), "4.3.0")
			for range 2 {
				if _, err := artifact.Push(t.Context(), s, first, ""); err != nil {
					t.Fatalf("Push: %v", err)
				}
			}
			changed := source()
			changed["package.yaml"] = &fstest.MapFile{Data: []byte("other")}
			second := pack(t, changed, "4.3.0")
			_, err := artifact.Push(t.Context(), s, second, "")
			if !problem.Is(err, problem.Exists) {
				t.Fatalf("Push of other content = %v, want class exists", err)
			}
			for _, d := range []digest.Digest{first.Descriptor().Digest, second.Descriptor().Digest} {
				if !strings.Contains(err.Error(), d.String()) {
					t.Errorf("error %q does not name %s", err, d)
				}
			}
			if _, err := s.Resolve(t.Context(), second.Descriptor().Digest.String()); !problem.Is(err, problem.NotFound) {
				t.Errorf("the refused manifest was pushed: %v", err)
			}
		})
	}
}

// Of several that publish a version at the same time, one succeeds and the
// others learn what is there.
func TestPush_race(t *testing.T) {
	s := stores["server"](t)
	const racers = 8
	var wg sync.WaitGroup
	var won atomic.Int32
	errs := make([]error, racers)
	for i := range racers {
		f := source()
		f["package.yaml"] = &fstest.MapFile{Data: []byte{byte(i)}}
		p := pack(t, f, "4.3.0")
		wg.Go(func() {
			if _, errs[i] = artifact.Push(t.Context(), s, p, ""); errs[i] == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d pushes succeeded, want 1", won.Load())
	}
	there, err := s.Resolve(t.Context(), "4.3.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range errs {
		if err != nil && (!problem.Is(err, problem.Exists) || !strings.Contains(err.Error(), there.Digest.String())) {
			t.Errorf("push that came late = %v, want class exists and the digest %s", err, there.Digest)
		}
	}
}

// Whatever operation a push fails at, no tag is left, and pushing again works.
func TestPush_failureLeavesNoTag(t *testing.T) {
	p := pack(t, source(), "4.3.0")
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			count := &registrytest.Faulty{Store: open(t)}
			if _, err := artifact.Push(t.Context(), count, p, ""); err != nil {
				t.Fatalf("Push: %v", err)
			}
			if count.Operations() < 8 {
				t.Fatalf("a push took %d operations; the test expects to break at least 8", count.Operations())
			}
			for at := 1; at <= count.Operations(); at++ {
				s := open(t)
				_, err := artifact.Push(t.Context(), &registrytest.Faulty{Store: s, At: at}, p, "")
				if !errors.Is(err, registrytest.ErrInjected) {
					t.Fatalf("operation %d fails: Push = %v, want its error", at, err)
				}
				if tags, err := s.Tags(t.Context()); err != nil || len(tags) != 0 {
					t.Errorf("operation %d failed: tags = %q, %v, want none", at, tags, err)
				}
				if _, err := artifact.Push(t.Context(), s, p, ""); err != nil {
					t.Errorf("Push again after operation %d failed: %v", at, err)
				}
				if _, err := artifact.Pull(t.Context(), s, "4.3.0"); err != nil {
					t.Errorf("Pull after the second push: %v", err)
				}
			}
		})
	}
}

func TestReadConfig_refusesWhatIsNoPackage(t *testing.T) {
	s := stores["server"](t)
	m := registrytest.PushManifest(t, s, "image", nil)
	if err := s.Tag(t.Context(), m, "latest"); err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.ReadConfig(t.Context(), s, "latest"); !problem.Is(err, problem.Invalid) {
		t.Errorf("ReadConfig of another artifact = %v, want class invalid", err)
	}
	if _, err := artifact.ReadConfig(t.Context(), s, "1.0.0"); !problem.Is(err, problem.NotFound) {
		t.Errorf("ReadConfig of nothing = %v, want class not_found", err)
	}
	p := pack(t, source(), "4.3.0")
	if _, err := artifact.Push(t.Context(), s, p, "9.9.9"); err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.ReadConfig(t.Context(), s, "9.9.9"); !problem.Is(err, problem.Invalid) {
		t.Errorf("ReadConfig of 4.3.0 under the tag 9.9.9 = %v, want class invalid", err)
	}
}
