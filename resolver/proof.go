package resolver

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/resolver/constraint"
)

// NoSolution is the error of a request that cannot be met. Proof derives, fact
// by fact, that it cannot; package explain words it.
type NoSolution struct {
	// Request is the request that cannot be met.
	Request Request
	// Proof lists the steps of the derivation, each after those it uses. The
	// last is the conclusion. No step is unused.
	Proof []Step
	// Stats counts the work.
	Stats Stats
}

// Error names the request, not the reasons: those take several lines.
func (n *NoSolution) Error() string {
	names := make([]string, 0, len(n.Request.Requirements))
	for _, d := range n.Request.Requirements {
		names = append(names, strings.TrimSuffix(d.Name+" "+d.Constraint.String(), " *"))
	}
	if len(names) == 0 {
		return "no set of versions keeps what is installed"
	}
	return "no set of versions satisfies " + strings.Join(names, ", ")
}

// Step is one statement of a proof: its terms cannot all hold at once. It is
// either a given fact or follows from two earlier steps.
type Step struct {
	// Terms is empty for the conclusion. The request itself is not among them.
	Terms []Term
	// Fact is set for a given fact.
	Fact *Fact
	// From holds the indexes of the two steps from which this one follows, if
	// Fact is nil.
	From [2]int
}

// TermKind says what a term speaks about.
type TermKind string

// The kinds of terms.
const (
	// TermPackage speaks about the version of a package.
	TermPackage TermKind = "package"
	// TermFeature speaks about a feature of a package being on.
	TermFeature TermKind = "feature"
	// TermChoice speaks about which package meets a requirement that several
	// could meet.
	TermChoice TermKind = "choice"
)

// Term is a condition on one package. If not Negated, it holds if the package
// is chosen at one of Versions. If Negated, it holds if that is not so, thus
// also if the package is not chosen at all.
type Term struct {
	// Kind says what the term speaks about.
	Kind TermKind
	// Package is the name of the package; for a choice, the name asked for.
	Package string
	// Feature is the feature, for TermFeature.
	Feature string
	// Constraint is the constraint on the name asked for, for TermChoice.
	Constraint constraint.Constraint
	// Negated turns the condition round.
	Negated bool
	// Versions are the versions the term names, for TermPackage.
	Versions VersionSet
	// KnownProviders are all packages that could meet the requirement, for
	// TermChoice.
	KnownProviders []string

	values set
}

// Providers returns the packages the term names, for TermChoice.
func (t Term) Providers() []string { return pick(t.KnownProviders, t.values) }

// Every tells whether the term names all that is known.
func (t Term) Every() bool {
	if t.Kind == TermPackage {
		return t.Versions.Every()
	}
	return t.values.count() == max(1, len(t.KnownProviders))
}

// VersionSet is a subset of the known versions of a package.
type VersionSet struct {
	// Known are all versions of the package, ascending.
	Known []constraint.Version

	values set
}

// List returns the members, ascending.
func (s VersionSet) List() []constraint.Version { return pick(s.Known, s.values) }

// Has tells whether Known[i] is a member.
func (s VersionSet) Has(i int) bool { return s.values.has(i + 1) }

// Len returns the number of members.
func (s VersionSet) Len() int { return s.values.count() }

// Every tells whether all known versions are members.
func (s VersionSet) Every() bool { return s.values.count() == len(s.Known) }

// pick returns the members of list whose values are in values.
func pick[T any](list []T, values set) []T {
	if len(list) == 0 {
		return nil // the term is of another kind
	}
	out := make([]T, 0, values.count())
	for v := values.next(1); v > 0; v = values.next(v + 1) {
		out = append(out, list[v-1])
	}
	return out
}

// FactKind says where a given fact comes from. Text and numbers of the kinds
// are stable: programs read them.
type FactKind string

// The kinds of facts.
const (
	// FactRequest is a requirement of the request.
	FactRequest FactKind = "request"
	// FactInstalled says that an installed package stays.
	FactInstalled FactKind = "installed"
	// FactDependency is a requirement of releases.
	FactDependency FactKind = "dependency"
	// FactOptional is an optional requirement of releases.
	FactOptional FactKind = "optional"
	// FactConflict is a conflict of releases.
	FactConflict FactKind = "conflict"
	// FactUnknown is a requirement on a name that nothing has or provides.
	FactUnknown FactKind = "unknown"
	// FactNoVersions is a requirement that no known version passes.
	FactNoVersions FactKind = "noVersions"
	// FactNoFeature says which releases lack a feature.
	FactNoFeature FactKind = "noFeature"
	// FactProvider says which releases of a package can meet a requirement on
	// a provided name.
	FactProvider FactKind = "provider"
	// FactSelf is a requirement of a release on another version of itself.
	FactSelf FactKind = "self"
	// FactPinned is a pin of the administrator.
	FactPinned FactKind = "pinned"
	// FactYanked says that releases were withdrawn.
	FactYanked FactKind = "yanked"
	// FactUnusable says that releases cannot be used.
	FactUnusable FactKind = "unavailable"
)

// Fact is a given fact of a proof.
type Fact struct {
	// Kind says where the fact comes from.
	Kind FactKind
	// Package is the package the fact is about; empty for FactRequest.
	Package string
	// Feature is the feature of Package that the fact is about, or "".
	Feature string
	// Versions are the versions of Package that the fact holds for.
	Versions VersionSet
	// Dependency is what is required or in conflict, or nil.
	Dependency *Dependency
	// Provider is the package that meets a requirement (FactProvider) or that
	// a conflict rules out because it provides the name (FactConflict).
	Provider string
	// Allowed is the administrator's pin, for FactPinned.
	Allowed constraint.Constraint
	// Reason is the publisher's text for FactYanked and FactUnusable.
	Reason string
}

// BudgetExceeded is the error of a solve that reached one of its [Limits]. The
// request may or may not have a solution.
type BudgetExceeded struct {
	// What names the field of Limits.
	What string
	// Limit is its value.
	Limit int
	// Subject is the package at which the limit was reached, or "".
	Subject string
	// Most lists the packages with the most conflicts, at most five.
	Most []PackageConflicts
	// Stats counts the work until then.
	Stats Stats
}

// PackageConflicts counts the dead ends in which a package took part.
type PackageConflicts struct {
	// Package is the name of the package.
	Package string
	// Conflicts is the count.
	Conflicts int
}

// Error names the limit and the packages that were hard.
func (b *BudgetExceeded) Error() string {
	text := fmt.Sprintf("solving stopped at its limit of %d %s", b.Limit, b.What)
	if b.Subject != "" {
		text += " at " + b.Subject
	}
	for i, m := range b.Most {
		if i == 0 {
			text += "; most conflicts:"
		}
		text += fmt.Sprintf(" %s (%d)", m.Package, m.Conflicts)
	}
	return text
}
