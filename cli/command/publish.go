package command

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/artifact"
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
