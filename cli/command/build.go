package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/image"
	"github.com/universe-dcos/universe/registry/remote"
)

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
