package index

import (
	"context"
	"encoding/json"
	"fmt"
	"path"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
	"github.com/universe-dcos/universe/registry/artifact"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// readRepository brings what is known of a repository up to date. It reports
// whether a release changed. On an error the old knowledge stays.
func (i *Index) readRepository(ctx context.Context, p place) (bool, error) {
	store := i.registries[p.registry].Source.Repository(p.name)
	tags, err := store.Tags(ctx)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return false, fmt.Errorf("list the tags of %s/%s: %w", i.registries[p.registry].Host, p.name, err)
	}
	old := i.repos[p]
	now := make(map[string]entry, len(tags))
	moved := false
	for _, tag := range tags {
		version, ok := registry.VersionOfTag(tag)
		if !ok {
			continue
		}
		was, known := old[tag]
		e, err := i.readTag(ctx, store, p, tag, version, was)
		if err != nil {
			return false, err
		}
		now[tag] = e
		moved = moved || (e.digest != was.digest || e.retry != was.retry || !known) && (e.release != nil || was.release != nil)
	}
	for tag, was := range old {
		if _, still := now[tag]; !still && was.release != nil {
			moved = true
		}
	}
	if len(now) == 0 {
		delete(i.repos, p)
	} else {
		i.repos[p] = now
	}
	return moved, nil
}

// readTag looks at one tag. The error is that of a context that ended; all else
// becomes a reason.
func (i *Index) readTag(ctx context.Context, store registry.Store, p place, tag, version string, was entry) (entry, error) {
	v, err := constraint.ParseVersion(version)
	if err != nil {
		return entry{}, nil // a tag no package can have
	}
	repository := i.registries[p.registry].Host + "/" + p.name
	r := &catalog.Release{Package: path.Base(p.name), Version: v, Repository: repository}
	desc, err := store.Resolve(ctx, tag)
	if err == nil {
		if desc.Digest.String() == was.digest && !was.retry {
			return was, nil
		}
		r.Digest = desc.Digest.String()
		err = fill(ctx, store, desc, r)
	}
	if cause := context.Cause(ctx); cause != nil {
		return entry{}, cause
	}
	switch {
	case err == nil && r.Config == nil:
		return entry{digest: r.Digest}, nil
	case err == nil:
		return entry{digest: r.Digest, release: r}, nil
	}
	e := entry{digest: r.Digest, release: r, retry: !lasting(err)}
	if e.retry && was.release != nil && was.release.Config != nil && was.digest == e.digest {
		return was, nil
	}
	r.Unavailable = err.Error()
	i.log.Warn("a package cannot be used", "pkg", r.Package, "version", version, "repository", repository, "err", err)
	return e, nil
}

// lasting reports whether an error says something of the content, which has a
// digest and will not change.
func lasting(err error) bool {
	return problem.Is(err, problem.Invalid) || problem.Is(err, problem.TooLarge)
}

// fill reads the config of a package artifact into r. It leaves r.Config nil
// for what is no package.
func fill(ctx context.Context, store registry.Store, desc ocispec.Descriptor, r *catalog.Release) error {
	if desc.MediaType != ocispec.MediaTypeImageManifest {
		return nil
	}
	raw, err := registry.ReadBlob(ctx, store, desc, registry.MaxManifestBytes)
	if err != nil {
		return err
	}
	var kind struct {
		ArtifactType string             `json:"artifactType"`
		Config       ocispec.Descriptor `json:"config"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil // the registry holds what it likes; this is no package
	}
	if kind.ArtifactType != registry.PackageArtifactType && kind.Config.MediaType != registry.PackageConfigType {
		return nil
	}
	head, err := artifact.ReadConfig(ctx, store, desc.Digest.String())
	if err != nil {
		return err
	}
	c, err := catalog.DecodeConfig(head.Config)
	if err != nil {
		return err
	}
	switch {
	case c.Name != r.Package:
		return problem.New(problem.Invalid, "the artifact says it is package %q, its repository is %q", c.Name, r.Repository)
	case !c.Version.Equal(r.Version):
		return problem.New(problem.Invalid, "the artifact says it is version %s, its tag says %s", c.Version, r.Version)
	}
	r.Config = &c
	r.Size = head.Descriptor.Size + head.Manifest.Config.Size
	for _, l := range head.Manifest.Layers {
		r.Size += max(l.Size, 0)
	}
	return nil
}
