package plan

import (
	"context"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver/constraint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// keepsVolumes reports whether a service has data of its own.
func keepsVolumes(s cluster.ServiceSpec) bool {
	return slices.ContainsFunc(s.Pods, func(p cluster.PodSpec) bool { return len(p.Volumes) > 0 })
}

// comesFrom reports whether a release takes over from an older version.
func comesFrom(to *catalog.Config, from constraint.Version) bool {
	return to.UpgradesFrom.IsZero() || to.UpgradesFrom.Check(from)
}

// goesBack reports whether a release gives way to an older version; volumes
// that the service keeps volumes.
func goesBack(from *catalog.Config, to constraint.Version, volumes bool) bool {
	if from.DowngradesTo.IsZero() {
		return !volumes
	}
	return from.DowngradesTo.Check(to)
}

// releaseOf gives the catalog's release of a content, or what stands for it when
// the catalog has it no more.
func (d *draft) releaseOf(c *index.Content) *catalog.Release {
	if r := d.snap.ByDigest(d.target.Package, d.target.Digest); r != nil && r.Config != nil {
		return r
	}
	return &catalog.Release{Package: c.Config.Name, Version: c.Config.Version, Repository: d.target.Repository, Digest: d.target.Digest, Config: &c.Config}
}

// checkPath sees that the service can become a release in one step, and says
// the way where it takes several.
func (d *draft) checkPath(ctx context.Context, to *catalog.Release) error {
	now, err := constraint.ParseVersion(d.target.Version)
	if err != nil {
		return problem.New(problem.Internal, "service %s: %w", d.target.ID, err)
	}
	order := constraint.Order(to.Version, now)
	if order == 0 {
		return nil
	}
	content, err := d.running(ctx)
	if err != nil {
		return err
	}
	volumes := keepsVolumes(d.record.Service)
	if order > 0 {
		if comesFrom(to.Config, now) {
			return nil
		}
		e := problem.New(problem.Invalid, "service %s is %s %s, and release %s takes over from %s only", d.target.ID, d.target.Package, now, to.Version, to.Config.UpgradesFrom)
		return d.withPath(e, d.way(now, to, volumes, content.Config))
	}
	if b := d.record.Barrier; b != nil && newer(b.Version, to.Version.String()) {
		return problem.New(problem.Invalid, "service %s cannot go back to %s: step %q, done with %s, closed the way back", d.target.ID, to.Version, b.Step, b.Version)
	}
	switch {
	case goesBack(&content.Config, to.Version, volumes):
		return nil
	case content.Config.DowngradesTo.IsZero():
		return problem.New(problem.Invalid, "service %s keeps data, and release %s of package %s does not say that an older one can read it (downgradesTo)", d.target.ID, now, d.target.Package).
			WithHint("install %s beside it and move the data: dcos package install %s --version %s --id NEW", to.Version, d.target.Package, to.Version)
	}
	e := problem.New(problem.Invalid, "service %s is %s %s, which goes back to %s only, not to %s", d.target.ID, d.target.Package, now, content.Config.DowngradesTo, to.Version)
	return d.withPath(e, d.way(now, to, volumes, content.Config))
}

// withPath adds the versions to go by.
func (d *draft) withPath(e *problem.Error, way []string) error {
	if len(way) == 0 {
		return e.WithHint("no way over other releases of the catalog leads there")
	}
	return e.WithHint("go by way of %s: dcos package upgrade %s --version %s", strings.Join(way, ", then "), d.target.ID, way[0])
}

// way finds the fewest releases to go by from a version to a release, the last
// one included; nil when there is no way. All steps go up, or all go down.
func (d *draft) way(now constraint.Version, to *catalog.Release, volumes bool, running catalog.Config) []string {
	pkg := d.snap.Package(d.target.Package)
	if pkg == nil {
		return nil
	}
	up := constraint.Order(to.Version, now) > 0
	step := func(from constraint.Version, c *catalog.Config, next *catalog.Release) bool {
		if next.Config == nil || (constraint.Order(next.Version, from) > 0) != up || constraint.Order(next.Version, from) == 0 {
			return false
		}
		if up {
			return comesFrom(next.Config, from)
		}
		return goesBack(c, next.Version, volumes)
	}
	type stop struct {
		version constraint.Version
		config  *catalog.Config
		path    []string
	}
	queue, seen := []stop{{version: now, config: &running}}, map[string]bool{}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for i := range pkg.Releases { // newest first: the largest stride wins
			next := &pkg.Releases[i]
			if seen[next.Version.String()] || !step(at.version, at.config, next) {
				continue
			}
			seen[next.Version.String()] = true
			path := append(slices.Clone(at.path), next.Version.String())
			if constraint.Order(next.Version, to.Version) == 0 {
				return path
			}
			queue = append(queue, stop{next.Version, next.Config, path})
		}
	}
	return nil
}
