package index_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/plan/plantest"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/artifact"
	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// counting is a source that counts what is read and can fail.
type counting struct {
	index.Source
	mu      sync.Mutex
	fetched int
	fail    error // of every call
}

func (c *counting) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fail
}

func (c *counting) setFail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

func (c *counting) reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.fetched
	c.fetched = 0
	return n
}

func (c *counting) Repositories(ctx context.Context) ([]string, error) {
	if err := c.broken(); err != nil {
		return nil, err
	}
	return c.Source.Repositories(ctx)
}

func (c *counting) Repository(name string) registry.Store {
	return countingStore{c.Source.Repository(name), c}
}

type countingStore struct {
	registry.Store
	c *counting
}

func (s countingStore) Tags(ctx context.Context) ([]string, error) {
	if err := s.c.broken(); err != nil {
		return nil, err
	}
	return s.Store.Tags(ctx)
}

func (s countingStore) Fetch(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
	if err := s.c.broken(); err != nil {
		return nil, err
	}
	s.c.mu.Lock()
	s.c.fetched++
	s.c.mu.Unlock()
	return s.Store.Fetch(ctx, d)
}

func list(s *index.Snapshot) []string {
	var out []string
	for _, name := range s.PackageNames() {
		for _, r := range s.Package(name).Releases {
			line := name + " " + r.Version.String()
			if r.Unavailable != "" {
				line += " unavailable"
			}
			out = append(out, line)
		}
	}
	return out
}

// TestFresh_incremental: only what changed is read again, and a push is seen by
// the next reader.
func TestFresh_incremental(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	src := &counting{Source: w.Registry}
	idx := index.New(nil, index.Registry{Host: plantest.Host, Source: src})
	w.Index = idx // the registry's push events go here

	w.Publish(t, plantest.Small("spark", "4.3.0", ""))
	w.Publish(t, plantest.Small("spark", "4.2.0", ""))
	w.Publish(t, plantest.Small("kafka", "4.0.0", ""))
	fresh := func(want ...string) *index.Snapshot {
		t.Helper()
		s, err := idx.Fresh(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, list(s)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		return s
	}
	first := fresh("kafka 4.0.0", "spark 4.3.0", "spark 4.2.0")
	src.reads()
	if again := fresh("kafka 4.0.0", "spark 4.3.0", "spark 4.2.0"); again != first {
		t.Error("a new snapshot though nothing changed")
	}
	if n := src.reads(); n != 0 {
		t.Errorf("%d reads though nothing changed", n)
	}

	w.Publish(t, plantest.Small("spark", "4.3.0+2", ""))
	second := fresh("kafka 4.0.0", "spark 4.3.0+2", "spark 4.3.0", "spark 4.2.0")
	if n := src.reads(); n == 0 || n > 4 {
		t.Errorf("%d reads for one new version: want a manifest and a config only", n)
	}
	if second.Package("kafka") != first.Package("kafka") {
		t.Error("a package that did not change was built again")
	}
	if len(first.Package("spark").Releases) != 2 {
		t.Error("the old snapshot changed")
	}

	// Without an event, a full refresh finds it and reads nothing that it knows.
	if err := idx.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if n := src.reads(); n != 0 || idx.Snapshot() != second {
		t.Errorf("a full refresh with nothing new: %d reads", n)
	}
}

// TestFresh_broken: what is no package is skipped, what is a broken one is
// listed with the reason, and neither disturbs the rest.
func TestFresh_broken(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	w.Publish(t, plantest.Small("good", "1.0.0", ""))

	// An artifact of another name and one of another version in a package's repository.
	blob := func(name, version string) []byte {
		b, err := catalog.EncodeConfig(catalog.Config{Metadata: catalog.Metadata{Name: name, Version: constraint.MustVersion(version)}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files := fstest.MapFS{"x": {Data: []byte("x")}}
	w.Push(t, files, "alias", "1.0.0", blob("good", "1.0.0"))
	w.Push(t, files, "good", "2.0.0", blob("good", "3.0.0"))
	w.Push(t, files, "good", "2.1.0", []byte(`{"configVersion": 9}`))
	// A plain image under a version tag, and tags that are no versions.
	store := w.Registry.Repository("universe/image")
	push := func(mediaType, content string) ocispec.Descriptor {
		d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(content), Size: int64(len(content))}
		if err := store.Push(ctx, d, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	config := push(ocispec.MediaTypeImageConfig, "{}")
	image := push(ocispec.MediaTypeImageManifest, fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},"layers":[]}`,
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig, config.Digest))
	for _, tag := range []string{"1.0.0", "latest"} {
		if err := store.Tag(ctx, image, tag); err != nil {
			t.Fatal(err)
		}
	}

	s, err := w.Index.Fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"alias 1.0.0 unavailable", "good 2.1.0 unavailable", "good 2.0.0 unavailable", "good 1.0.0"}
	if d := cmp.Diff(want, list(s)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, c := range []struct{ name, versions, want string }{
		{"alias", "", `the artifact says it is package "good"`},
		{"good", "2.0.0", "the artifact says it is version 3.0.0, its tag says 2.0.0"},
		{"good", "2.1.0", "version 9 of the form is not known"},
	} {
		if _, _, err := s.Choose(c.name, c.versions); !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got %v", c.name, c.versions, err)
		}
	}
	if _, r, err := s.Choose("good", ""); err != nil || r.Version.String() != "1.0.0" {
		t.Errorf("the newest usable: %v, %v", r, err)
	}
	if _, err := w.Index.Content(ctx, s.Package("alias").Releases[0].Repository, s.Package("alias").Releases[0].Digest); !problem.Is(err, problem.Invalid) {
		t.Errorf("content of a broken package: %v", err)
	}
}

// TestFresh_unreachable: a registry that fails takes nothing away.
func TestFresh_unreachable(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	src := &counting{Source: w.Registry}
	idx := index.New(nil, index.Registry{Host: plantest.Host, Source: src})
	w.Index = idx
	down := errors.New("the line is cut")

	src.setFail(down)
	if s, err := idx.Fresh(ctx); !errors.Is(err, down) || s.Len() != 0 {
		t.Errorf("a registry that is down from the start: %v, %v", list(s), err)
	}
	w.Index = index.New(nil) // nobody tells idx of this push
	w.Publish(t, plantest.Small("spark", "1.0.0", ""))
	w.Index = idx
	src.setFail(nil)
	if s, err := idx.Fresh(ctx); err != nil || s.Len() != 1 {
		t.Fatalf("after it is back: %v, %v", list(s), err)
	}
	src.setFail(down)
	if err := idx.Refresh(ctx); !errors.Is(err, down) {
		t.Errorf("refresh: %v", err)
	}
	if got := list(idx.Snapshot()); !slices.Equal(got, []string{"spark 1.0.0"}) {
		t.Errorf("what was known is lost: %v", got)
	}
	src.setFail(nil)
	if s, err := idx.Fresh(ctx); err != nil || s.Len() != 1 {
		t.Errorf("at last: %v, %v", list(s), err)
	}

	ended, cancel := context.WithCancelCause(ctx)
	cancel(down)
	w.Publish(t, plantest.Small("spark", "1.1.0", ""))
	if _, err := idx.Fresh(ended); !errors.Is(err, down) {
		t.Errorf("a context that ended: %v", err)
	}
	if s, err := idx.Fresh(ctx); err != nil || len(list(s)) != 2 {
		t.Errorf("a push was forgotten with the context: %v, %v", list(s), err)
	}
}

// TestTwoRegistries: the first one's releases count, versions only the second
// has are added.
func TestTwoRegistries(t *testing.T) {
	ctx := context.Background()
	first, second := plantest.New(t), plantest.New(t)
	one := first.Publish(t, plantest.Small("spark", "1.0.0", ""))
	second.Publish(t, plantest.Small("spark", "1.0.0", "description: other\n"))
	two := second.Publish(t, plantest.Small("spark", "2.0.0", ""))
	idx := index.New(nil, index.Registry{Host: "a:1", Source: first.Registry}, index.Registry{Host: "b:2", Source: second.Registry})
	s, err := idx.Fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.Package("spark").Releases {
		got = append(got, r.Repository+" "+r.Digest)
	}
	if d := cmp.Diff([]string{"b:2/universe/spark " + two, "a:1/universe/spark " + one}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if c, err := idx.Content(ctx, "b:2/universe/spark", two); err != nil || c.Images["main"] == "" {
		t.Errorf("content: %v", err)
	}
	if _, err := idx.Content(ctx, "c:3/universe/spark", two); !problem.Is(err, problem.NotFound) {
		t.Errorf("content of a foreign registry: %v", err)
	}
}

// TestContent_config: the solver decides by the config, so one that is not the
// content's own is refused.
func TestContent_config(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	fsys := plantest.Small("spark", "1.0.0", "requires: [{name: zookeeper}]\n")
	blob, err := catalog.EncodeConfig(catalog.Config{Metadata: catalog.Metadata{Name: "spark", Version: constraint.MustVersion("1.0.0"), Summary: "The package spark"},
		Images: []catalog.Image{{Name: "main", Digest: "sha256:" + strings.Repeat("00", 32)}}})
	if err != nil {
		t.Fatal(err)
	}
	digest := w.Push(t, fsys, "spark", "1.0.0", blob)
	_, err = w.Index.Content(ctx, plantest.Host+"/universe/spark", digest)
	if !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), "not that of its content") {
		t.Errorf("got %v", err)
	}
}

// TestSource: a snapshot answers the solver.
func TestSource(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	w.Publish(t, plantest.Small("zookeeper", "3.9.0", "provides: [{name: coordination}]\nfeatures: {tls: {requires: [{name: ca}]}}\n"))
	w.Publish(t, plantest.Small("ca", "1.0.0", ""))
	w.Publish(t, plantest.Small("app", "1.0.0", "requires: [{name: coordination, version: ^3}, {name: zookeeper, feature: tls}]\nconflicts: [{name: old}]\n"))
	s, err := w.Index.Fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sol, err := s.Solver().Solve(ctx, resolver.Request{Requirements: []resolver.Dependency{{Name: "app"}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range sol.Packages {
		got = append(got, p.Name+" "+p.Version.String())
	}
	if d := cmp.Diff([]string{"ca 1.0.0", "zookeeper 3.9.0", "app 1.0.0"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	names, err := s.Names(ctx)
	if err != nil || !slices.Equal(names, []string{"app", "ca", "coordination", "zookeeper"}) {
		t.Errorf("names: %v, %v", names, err)
	}
}

func TestChoose(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	for _, v := range []string{"1.0.0", "1.2.0", "2.0.0-rc.1"} {
		w.Publish(t, plantest.Small("spark", v, ""))
	}
	w.Publish(t, plantest.Small("beta", "0.1.0-a", ""))
	s, err := w.Index.Fresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, versions, want, hint string }{
		{"spark", "", "1.2.0", ""},
		{"spark", "^1", "1.2.0", ""},
		{"spark", "1.0.0", "1.0.0", ""},
		{"spark", ">=2.0.0-0", "2.0.0-rc.1", ""},
		{"beta", "", "0.1.0-a", ""},
		{"spark", "1.1.0", "package spark has no version 1.1.0", "the nearest: 1.0.0, 1.2.0"},
		{"spark", "^3", "package spark has no version ^3", "there are: 2.0.0-rc.1, 1.2.0, 1.0.0"},
		{"sparc", "", `package "sparc" is not in the catalog`, "did you mean spark?"},
		{"zzz", "", `package "zzz" is not in the catalog`, "dcos package search lists what there is"},
		{"", "", "the request names no package", ""},
		{"spark", "^^", `package spark: version constraint "^^" cannot be read`, ""},
	} {
		_, r, err := s.Choose(c.name, c.versions)
		got, hint := "", ""
		if err != nil {
			got, hint = err.Error(), problem.Of(err).Hint
		} else {
			got = r.Version.String()
		}
		if !strings.HasPrefix(got, c.want) || hint != c.hint {
			t.Errorf("%s %q: got %q (%q), want %q (%q)", c.name, c.versions, got, hint, c.want, c.hint)
		}
	}
}

// TestConcurrent is for the race detector: pushes, refreshes and readers at
// once, and every reader sees its own push.
func TestConcurrent(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for v := range 4 {
				name, version := fmt.Sprintf("p%d", n), fmt.Sprintf("1.%d.0", v)
				a, err := artifact.Pack(plantest.Small(name, version, ""), artifact.Meta{Name: name, Version: version},
					fmt.Appendf(nil, `{"configVersion":1,"name":%q,"version":%q}`, name, version))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := artifact.Push(ctx, w.Registry.Repository("universe/"+name), a, ""); err != nil {
					t.Error(err)
					return
				}
				s, err := w.Index.Fresh(ctx)
				if err != nil || s.Package(name) == nil || s.Package(name).Release(constraint.MustVersion(version)) == nil {
					t.Errorf("%s %s is not seen after its push: %v", name, version, err)
				}
			}
		})
	}
	wg.Wait()
	if s := w.Index.Snapshot(); len(list(s)) != 16 {
		t.Errorf("got %v", list(s))
	}
}
