package index

import (
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// maxVersionsShown bounds the versions that an error lists.
const maxVersionsShown = 10

// Choose finds the newest usable release of a package that a constraint admits
// (empty: any), releases before prereleases. Errors: NotFound for an unknown
// package or version, with the nearest; Invalid for a constraint that cannot be
// read or a release that is broken.
func (s *Snapshot) Choose(name, versions string) (*catalog.Package, *catalog.Release, error) {
	pkg, err := s.Known(name)
	if err != nil {
		return nil, nil, err
	}
	c, err := constraint.Parse(versions)
	if err != nil {
		return nil, nil, problem.New(problem.Invalid, "package %s: %w", name, err)
	}
	if r := newestOf(pkg, c); r != nil {
		return pkg, r, nil
	}
	if versions == "" {
		// No release, but a prerelease is better than nothing to look at.
		if h := pkg.Head(); h != nil {
			return pkg, h, nil
		}
	}
	return nil, nil, noVersion(pkg, c)
}

// Known gives a package, or NotFound with the nearest names.
func (s *Snapshot) Known(name string) (*catalog.Package, error) {
	if name == "" {
		return nil, problem.New(problem.Invalid, "the request names no package")
	}
	if pkg := s.packages[name]; pkg != nil {
		return pkg, nil
	}
	e := problem.New(problem.NotFound, "package %q is not in the catalog", name)
	if near := catalog.Nearest(name, s.names); len(near) > 0 {
		return nil, e.WithHint("did you mean %s?", strings.Join(near, ", "))
	}
	return nil, e.WithHint("dcos package search lists what there is")
}

func newestOf(pkg *catalog.Package, c constraint.Constraint) *catalog.Release {
	var pre *catalog.Release
	for i := range pkg.Releases {
		r := &pkg.Releases[i]
		switch {
		case r.Config == nil || !c.Check(r.Version):
		case !r.Version.IsPrerelease():
			return r
		case pre == nil:
			pre = r
		}
	}
	return pre
}

// noVersion says why no release of a package will do.
func noVersion(pkg *catalog.Package, c constraint.Constraint) error {
	for i := range pkg.Releases {
		if r := &pkg.Releases[i]; r.Unavailable != "" && c.Check(r.Version) {
			return problem.New(problem.Invalid, "package %s %s cannot be used: %s", pkg.Name, r.Version, r.Unavailable)
		}
	}
	known := pkg.Versions(false)
	if len(known) == 0 {
		return problem.New(problem.NotFound, "package %s has no version that can be used: %s", pkg.Name, pkg.Releases[0].Unavailable)
	}
	if c.IsAny() {
		return problem.New(problem.NotFound, "package %s has only prereleases", pkg.Name).WithHint("name one: %s", known[0])
	}
	e := problem.New(problem.NotFound, "package %s has no version %s", pkg.Name, c)
	if want, exact := c.Exact(); exact {
		below, above := constraint.Nearest(known, want)
		var near []string
		for _, v := range []constraint.Version{below, above} {
			if !v.IsZero() {
				near = append(near, v.String())
			}
		}
		return e.WithHint("the nearest: %s", strings.Join(near, ", "))
	}
	var list []string
	for _, v := range known[:min(len(known), maxVersionsShown)] {
		list = append(list, v.String())
	}
	return e.WithHint("there are: %s", strings.Join(list, ", "))
}

// Admits reads a constraint and sees that a usable release of the package meets
// it. Errors as of Choose.
func Admits(pkg *catalog.Package, versions string) (constraint.Constraint, error) {
	c, err := constraint.Parse(versions)
	if err != nil {
		return c, problem.New(problem.Invalid, "package %s: %w", pkg.Name, err)
	}
	if newestOf(pkg, c) == nil {
		return c, noVersion(pkg, c)
	}
	return c, nil
}
