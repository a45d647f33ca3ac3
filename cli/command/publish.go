package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/artifact"
	"github.com/universe-dcos/universe/registry/image"
	"github.com/universe-dcos/universe/registry/remote"
)

// publishFlags are the flags of build and publish.
type publishFlags struct {
	registry string
	insecure bool
	refresh  bool
	cache    string
}

// published is what publish answers.
type published struct {
	Package    string          `json:"package"`
	Version    string          `json:"version"`
	Repository string          `json:"repository"` // host/path
	Digest     string          `json:"digest"`     // of the artifact
	Size       int64           `json:"size"`       // bytes of the artifact, images not counted
	Images     []catalog.Image `json:"images"`
	Unchanged  bool            `json:"unchanged"` // it had been published before
}

func (a *app) publishCommand() *cobra.Command {
	var f publishFlags
	c := &cobra.Command{
		Use:   "publish DIR",
		Short: "Check a package, build its images and push both to a registry",
		Long: `Check a package, build its images and push both to a registry.

Nothing is pushed when the package has a fault, or when its version is published
with other content. The tag is set last: what is found in the registry is whole.`,
		Example: "  dcos package publish packages/spark\n  dcos package publish packages/spark --registry registry.example.com/universe",
		Args:    args("DIR"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.publish(cmd.Context(), args[0], f) },
	}
	c.Flags().StringVar(&f.registry, "registry", "", "HOST/NAMESPACE to push to (default that of the attached cluster)")
	c.Flags().BoolVar(&f.insecure, "insecure", false, "speak plain HTTP to a registry that is not on this machine")
	buildFlags(c, &f)
	return c
}

func (a *app) buildCommand() *cobra.Command {
	var f publishFlags
	c := &cobra.Command{
		Use: "build DIR", Short: "Build the images of a package, and push nothing", Args: args("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.build(cmd.Context(), args[0], f) },
	}
	buildFlags(c, &f)
	return c
}

func buildFlags(c *cobra.Command, f *publishFlags) {
	c.Flags().BoolVar(&f.refresh, "refresh", false, "build all layers anew, to take in updates")
	c.Flags().StringVar(&f.cache, "cache-dir", "", "where finished layers are kept (default in the user's cache directory)")
}

func (a *app) lintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lint DIR", Short: "Check a package's source and list all that is wrong", Args: args("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			src, err := loadSource(args[0])
			if err != nil {
				return err
			}
			m := src.pkg.Meta
			view := struct {
				Package string `json:"package"`
				Version string `json:"version"`
			}{m.Name, m.Version.String()}
			return a.object("Lint", view, m.Name, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s %s has no faults\n", m.Name, m.Version)
				return err
			})
		},
	}
}

// source is a package's checked source directory.
type source struct {
	dir     string
	pkg     *spec.Package
	recipes map[string]*image.Recipe // by image
}

// loadSource reads and checks all of a source directory.
func loadSource(dir string) (*source, error) {
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		return nil, problem.New(problem.NotFound, "directory %q does not exist", dir)
	case err != nil:
		return nil, fmt.Errorf("read package: %w", err)
	case !info.IsDir():
		return nil, usage("%q is not a directory", dir).WithHint("name the directory that holds package.yaml")
	}
	pkg, err := spec.Load(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	s := &source{dir: dir, pkg: pkg, recipes: map[string]*image.Recipe{}}
	for _, name := range pkg.Images {
		if s.recipes[name], err = image.Load(filepath.Join(dir, spec.DirImages, name+".yaml")); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// built is an image that was built, with what pushes it.
type built struct {
	catalog.Image
	push func(ctx context.Context, store registry.Store, progress registry.Progress) error
}

// buildImages builds the images of a package one after the other.
func (s *source) buildImages(ctx context.Context, f publishFlags, show *steps) ([]built, error) {
	var out []built
	for _, name := range s.pkg.Images {
		show.begin("build "+name, "building image "+name)
		img, err := s.recipes[name].Build(ctx, image.Options{
			CacheDir: f.cache, Refresh: f.refresh,
			Progress: func(e image.Event) { show.part(layerItem(name, e)) },
		})
		if err != nil {
			return nil, err
		}
		d, err := img.Digest()
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", name, err)
		}
		layers, err := img.Layers()
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", name, err)
		}
		b := built{Image: catalog.Image{Name: name, Digest: d.String()}}
		for _, l := range layers {
			n, err := l.Size()
			if err != nil {
				return nil, fmt.Errorf("image %s: %w", name, err)
			}
			b.Size += n
		}
		b.push = func(ctx context.Context, store registry.Store, progress registry.Progress) error {
			_, err := remote.PushImage(ctx, store, img, "", progress)
			return err
		}
		out = append(out, b)
		show.done(fmt.Sprintf("built image %s, %s in %s", name, render.Bytes(b.Size), render.Count(len(layers), "layer")))
	}
	return out, nil
}

// layerItem is the progress line of a layer.
func layerItem(img string, e image.Event) render.Item {
	it := render.Item{
		Key: fmt.Sprintf("layer %s %d", img, e.Layer), State: render.ItemWorking,
		Text: fmt.Sprintf("layer %d of %d, %s", e.Layer, e.Layers, e.Name), Note: string(e.Phase),
	}
	switch e.Phase {
	case image.PhaseDone, image.PhaseCached:
		it.State, it.Note = render.ItemDone, fmt.Sprintf("%s %s", e.Phase, render.Bytes(e.Bytes))
		return it
	}
	if e.Total > 0 {
		it.Done, it.Total = e.Bytes, e.Total
	} else if e.Bytes > 0 {
		it.Note += " " + render.Bytes(e.Bytes)
	}
	return it
}

func (a *app) build(ctx context.Context, dir string, f publishFlags) error {
	src, err := loadSource(dir)
	if err != nil {
		return err
	}
	show := a.steps()
	images, err := src.buildImages(ctx, f, show)
	show.close(err)
	if err != nil {
		return err
	}
	items := []catalog.Image{}
	for _, b := range images {
		items = append(items, b.Image)
	}
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{{Name: "IMAGE"}, {Name: "SIZE", Right: true}, {Name: "DIGEST"}}}
		for _, i := range items {
			t.Add(render.Text(i.Name), render.Text(render.Bytes(i.Size)), render.Text(i.Digest))
		}
		return t
	}
	return a.list("ImageList", items, table, func() []string {
		var names []string
		for _, i := range items {
			names = append(names, i.Name+"@"+i.Digest)
		}
		return names
	})
}

func (a *app) publish(ctx context.Context, dir string, f publishFlags) error {
	target, plain, err := a.registryTarget(f)
	if err != nil {
		return err
	}
	f.insecure = plain
	src, err := loadSource(dir)
	if err != nil {
		return fmt.Errorf("nothing was pushed: %w", err)
	}
	p := &publication{source: src, flags: f, show: a.steps()}
	if p.ref, err = registry.ParseRef(target + "/" + src.pkg.Meta.Name); err != nil {
		return err
	}
	err = p.run(ctx)
	p.show.close(err)
	if err != nil {
		return err
	}
	r := p.result
	return a.object("Publication", r, r.Repository+"@"+r.Digest, func(w io.Writer) error {
		verb := "Published"
		if r.Unchanged {
			verb = "Nothing to do: the same content was published before as"
		}
		_, err := fmt.Fprintf(w, "%s %s %s\n%s@%s\n", verb, r.Package, r.Version, r.Repository, r.Digest)
		return err
	})
}

// defaultNamespace is where packages go in a cluster's own registry.
const defaultNamespace = "universe"

// registryTarget is HOST/NAMESPACE to publish to, and whether it speaks plain
// HTTP: the flag, DCOS_REGISTRY, what the configuration says, or the registry
// that a cluster serves at its own address.
func (a *app) registryTarget(f publishFlags) (target string, plain bool, err error) {
	target = strings.TrimSuffix(cmp.Or(f.registry, a.Getenv("DCOS_REGISTRY")), "/")
	if target != "" {
		return strings.TrimPrefix(target, registry.Scheme), f.insecure, nil
	}
	_, cl, err := a.selected()
	if err != nil {
		return "", false, err
	}
	u, err := url.Parse(cl.URL)
	if err != nil {
		return "", false, usage("the URL of the cluster: %w", err)
	}
	target = cmp.Or(cl.Registry, u.Host+"/"+defaultNamespace)
	// At the cluster's own address there is one protocol.
	own := strings.HasPrefix(target, u.Host+"/") && u.Scheme == "http"
	return target, f.insecure || own, nil
}

// publication is one run of publish.
type publication struct {
	*source
	flags  publishFlags
	ref    registry.Ref
	show   *steps
	result published
}

func (p *publication) run(ctx context.Context) error {
	images, err := p.buildImages(ctx, p.flags, p.show)
	if err != nil {
		return err
	}
	pack, err := p.pack(images)
	if err != nil {
		return err
	}
	p.result.Repository, p.result.Digest, p.result.Size = p.ref.Name(), pack.Descriptor().Digest.String(), pack.Size()
	store, err := p.open(p.ref.Repository)
	if err != nil {
		return err
	}
	there, err := p.published(ctx, store, pack.Descriptor().Digest)
	if err != nil || there {
		p.result.Unchanged = there
		return err
	}
	for _, b := range images {
		p.show.begin("push "+b.Name, "pushing image "+b.Name)
		repo, err := p.open(catalog.ImageRepository(p.ref.Repository, b.Name))
		if err != nil {
			return err
		}
		if err := b.push(ctx, repo, p.show.bytes); err != nil {
			return fmt.Errorf("push image %s: %w", b.Name, err)
		}
		p.show.done(fmt.Sprintf("pushed image %s, %s", b.Name, render.Bytes(b.Size)))
	}
	p.show.begin("push", fmt.Sprintf("pushing %s %s", pack.Name(), pack.Version()))
	if _, err := artifact.Push(ctx, store, pack, ""); err != nil {
		return err
	}
	p.show.done(fmt.Sprintf("pushed %s %s, %s", pack.Name(), pack.Version(), render.Bytes(pack.Size())))
	return nil
}

// pack makes the artifact.
func (p *publication) pack(images []built) (*artifact.Package, error) {
	p.show.begin("pack", "packing")
	for _, b := range images {
		p.result.Images = append(p.result.Images, b.Image)
	}
	cfg, err := p.pkg.Config(p.result.Images)
	if err != nil {
		return nil, err
	}
	blob, err := catalog.EncodeConfig(cfg)
	if err != nil {
		return nil, err
	}
	m := p.pkg.Meta
	p.result.Package, p.result.Version = m.Name, m.Version.String()
	pack, err := artifact.Pack(os.DirFS(p.dir), artifact.Meta{
		Name: m.Name, Version: m.Version.String(), Annotations: annotations(m),
	}, blob)
	if err != nil {
		return nil, err
	}
	p.show.done(fmt.Sprintf("packed %s %s, %s", m.Name, m.Version, render.Bytes(pack.Size())))
	return pack, nil
}

// annotations are what a registry's own pages show of a package.
func annotations(m catalog.Metadata) map[string]string {
	out := map[string]string{}
	for k, v := range map[string]string{
		"org.opencontainers.image.description": m.Summary,
		"org.opencontainers.image.licenses":    strings.Join(m.Licenses, " AND "),
		"org.opencontainers.image.url":         m.Home,
	} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

func (p *publication) open(repository string) (*remote.Repository, error) {
	ref := registry.Ref{Host: p.ref.Host, Repository: repository}
	return remote.Open(ref, remote.Options{PlainHTTP: p.flags.insecure})
}

// published reports whether the version is in the registry with this content;
// with other content it is an error, before anything is pushed.
func (p *publication) published(ctx context.Context, store registry.Store, want digest.Digest) (bool, error) {
	tag, err := registry.TagOfVersion(p.result.Version)
	if err != nil {
		return false, err
	}
	desc, err := store.Resolve(ctx, tag)
	switch {
	case problem.Is(err, problem.NotFound):
		return false, nil
	case err != nil:
		return false, err
	case desc.Digest == want:
		return true, nil
	}
	return false, problem.New(problem.Exists, "%s %s is published in %s with other content, and nothing was pushed: there %s, here %s",
		p.result.Package, p.result.Version, p.ref.Name(), desc.Digest, want).
		WithHint("a published version does not change: raise version in package.yaml and publish again")
}
