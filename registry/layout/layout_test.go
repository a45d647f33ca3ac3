package layout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/layout"
	"github.com/universe-dcos/universe/registry/registrytest"
)

func open(t *testing.T, dir string) *layout.Layout {
	t.Helper()
	l, err := layout.Open(dir)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return l
}

func TestStore(t *testing.T) {
	for _, name := range []string{"", "data/spark"} {
		t.Run("repository="+name, func(t *testing.T) {
			registrytest.Run(t, func(t *testing.T) registry.Store { return open(t, t.TempDir()).Repository(name) })
		})
	}
}

func TestLayout_keepsRepositoriesApartAndOverReopening(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	a, b, bare := l.Repository("team/a"), l.Repository("team/b"), l.Repository("")
	one, two := registrytest.PushManifest(t, a, "one", nil), registrytest.PushManifest(t, b, "two", nil)
	for _, step := range []error{a.Tag(t.Context(), one, "1.0.0"), b.Tag(t.Context(), two, "1.0.0"), bare.Tag(t.Context(), two, "x")} {
		if step != nil {
			t.Fatalf("Tag: %v", step)
		}
	}
	again := open(t, dir)
	for _, c := range []struct {
		repository, tag string
		want            any
	}{{"team/a", "1.0.0", one.Digest}, {"team/b", "1.0.0", two.Digest}, {"", "x", two.Digest}} {
		s := again.Repository(c.repository)
		d, err := s.Resolve(t.Context(), c.tag)
		if err != nil || d.Digest != c.want {
			t.Errorf("repository %q: Resolve(%q) = %v, %v, want %v", c.repository, c.tag, d.Digest, err, c.want)
		}
		if tags, err := s.Tags(t.Context()); err != nil || !cmp.Equal(tags, []string{c.tag}) {
			t.Errorf("repository %q: Tags = %q, %v, want only %q", c.repository, tags, err, c.tag)
		}
	}
}

func TestOpen_refusesWhatIsNoLayout(t *testing.T) {
	for name, content := range map[string]string{"oci-layout": "not json", "index.json": `{"manifests": 7}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := layout.Open(dir); !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Open with a broken %s = %v, want class invalid and the directory's name", name, err)
		}
	}
}

func TestOpen_boundsTheIndex(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(layout.MaxIndexBytes + 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := layout.Open(dir); !problem.Is(err, problem.TooLarge) {
		t.Errorf("Open with an index over the limit = %v, want class too_large", err)
	}
}
