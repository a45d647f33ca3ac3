package resolver

import (
	"context"

	"github.com/universe-dcos/universe/resolver/constraint"
)

// Source is a snapshot of what exists. During a solve, and during the life of a
// [Solver], it must give the same answer to the same question. Order within an
// answer does not matter. An error ends the solve: it is never taken for
// "nothing there".
type Source interface {
	// Releases returns all known releases of a package, yanked ones included.
	// For an unknown package it returns none and no error.
	Releases(ctx context.Context, name string) ([]Release, error)
	// Providers returns the names of the packages of which some release
	// provides name. The package called name itself is not listed.
	Providers(ctx context.Context, name string) ([]string, error)
}

// Release is one package at one version, as far as solving is concerned.
type Release struct {
	// Version is unique within the package.
	Version constraint.Version
	// Requires lists what has to be there for this release.
	Requires []Dependency
	// Conflicts lists what must not be there beside this release.
	Conflicts []Conflict
	// Provides lists the names that this release can stand in for.
	Provides []Provide
	// Features lists what can be switched on, each with further requirements.
	Features []Feature
	// Yanked is the reason for which the release was withdrawn, or "".
	Yanked string
	// Deprecated is the notice with which the release is discouraged, or "".
	Deprecated string
	// Unusable says why the release cannot be used here at all, for example
	// because its metadata cannot be read, or is "".
	Unusable string

	// unlisted marks an installed version that the source does not know.
	unlisted bool
}

// Dependency asks for a package.
type Dependency struct {
	// Name is a package name or a name that packages provide.
	Name string
	// Constraint says which versions will do. The zero value is any release.
	Constraint constraint.Constraint
	// Features are switched on in the package that is chosen.
	Features []string
	// Alias is the name under which the dependent refers to the chosen
	// package. If empty, it is Name.
	Alias string
	// Optional dependencies do not choose a package, but constrain it.
	Optional bool
}

// As returns the alias, or the name if there is none.
func (d Dependency) As() string {
	if d.Alias != "" {
		return d.Alias
	}
	return d.Name
}

// Conflict forbids packages beside a release.
type Conflict struct {
	// Name is a package name or a name that packages provide.
	Name string
	// Constraint says which versions are forbidden.
	Constraint constraint.Constraint
}

// Provide lets a release stand in for a name.
type Provide struct {
	// Name is the name provided. A release that provides the name of its own
	// package changes nothing.
	Name string
	// Version is the version of that name, against which constraints on it
	// are checked.
	Version constraint.Version
}

// Feature is an optional part of a release.
type Feature struct {
	// Name is unique within the release.
	Name string
	// Requires holds when the feature is on, beside the release's own list.
	Requires []Dependency
}
