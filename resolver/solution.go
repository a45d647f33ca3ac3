package resolver

import "github.com/universe-dcos/universe/resolver/constraint"

// Solution is a set of packages that meets a request. It is determined by the
// snapshot and the request.
type Solution struct {
	// Packages is in dependency order: a package comes after those it needs.
	// Packages that need each other in a cycle stand together, by name.
	Packages []Package `json:"packages"`
	// Edges says which package meets which requirement, sorted by From (that
	// of the request first), Feature, Name and Constraint.
	Edges []Edge `json:"edges"`
	// Stats counts the work, which is the same on every machine.
	Stats Stats `json:"stats"`
}

// State compares a chosen package with what is installed.
type State string

// The states of a chosen package.
const (
	// StateNew means that the package is not installed.
	StateNew State = "new"
	// StateKept means that the installed version stays.
	StateKept State = "kept"
	// StateUpgraded means that a higher version replaces the installed one.
	StateUpgraded State = "upgraded"
	// StateDowngraded means that a lower version replaces the installed one.
	StateDowngraded State = "downgraded"
)

// Package is one chosen package.
type Package struct {
	// Name is the package name.
	Name string `json:"name"`
	// Version is the chosen version.
	Version constraint.Version `json:"version"`
	// State compares with what is installed.
	State State `json:"state"`
	// Installed is the version that runs now, or zero.
	Installed constraint.Version `json:"installed,omitzero"`
	// Features are those switched on, sorted.
	Features []string `json:"features,omitempty"`
	// Group numbers the packages that need each other in a cycle: packages
	// with the same number form one. Numbers rise along Packages.
	Group int `json:"group"`
	// Deprecated is the notice of a discouraged release, or "".
	Deprecated string `json:"deprecated,omitempty"`
	// Yanked is the reason for which the release was withdrawn, or "".
	Yanked string `json:"yanked,omitempty"`
	// Unlisted means that the source does not know the installed version, which
	// stays.
	Unlisted bool `json:"unlisted,omitempty"`
}

// Edge says that the requirement Alias of From is met by To.
type Edge struct {
	// From is the package that requires, or "" for the request.
	From string `json:"from,omitempty"`
	// Feature is the feature of From that requires, or "".
	Feature string `json:"feature,omitempty"`
	// Alias is the name under which From refers to To.
	Alias string `json:"alias"`
	// Name is the name asked for.
	Name string `json:"name"`
	// Constraint is the constraint on Name.
	Constraint constraint.Constraint `json:"constraint"`
	// To is the chosen package: Name itself or a provider of it.
	To string `json:"to"`
	// Features are those of To that the requirement switches on.
	Features []string `json:"features,omitempty"`
	// Optional tells that the requirement is optional. Optional requirements
	// whose package is not chosen have no edge.
	Optional bool `json:"optional,omitempty"`
}

// Package returns the chosen package of that name.
func (s *Solution) Package(name string) (Package, bool) {
	for _, p := range s.Packages {
		if p.Name == name {
			return p, true
		}
	}
	return Package{}, false
}

// Why returns the requirements that the package of that name meets. There is
// none only for a package that stays because it is installed.
func (s *Solution) Why(name string) []Edge {
	var out []Edge
	for _, e := range s.Edges {
		if e.To == name {
			out = append(out, e)
		}
	}
	return out
}

// Stats counts the work of a solve.
type Stats struct {
	// Decisions is the number of choices made, those taken back included.
	Decisions int `json:"decisions"`
	// Conflicts is the number of dead ends learned from.
	Conflicts int `json:"conflicts"`
	// Facts is the number of facts used, given and learned.
	Facts int `json:"facts"`
	// Packages is the number of packages looked at.
	Packages int `json:"packages"`
	// Steps is the number of facts looked at during propagation.
	Steps int `json:"steps"`
}
