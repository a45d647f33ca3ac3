package explain

import (
	"context"
	"slices"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// MaxHints is the most hints given.
const MaxHints = 5

// Codes of hints, for programs.
const (
	// HintUnknownName says that a name is not known and which names are near.
	HintUnknownName = "unknown_name"
	// HintPrerelease says that only prereleases match.
	HintPrerelease = "only_prereleases"
	// HintVersions says which versions there are, if none matches.
	HintVersions = "known_versions"
	// HintYanked says that a withdrawn release would match.
	HintYanked = "yanked"
	// HintPin says that a pin or the request allows no version that is needed.
	HintPin = "pin"
)

// Hint says what could be done. Hints follow from the facts of the proof; they
// are not checked by solving again.
type Hint struct {
	// Code is one of the Hint constants.
	Code string `json:"code"`
	// Package is what the hint is about.
	Package string `json:"package"`
	// Text is the hint as a sentence without a full stop at its end.
	Text string `json:"text"`
	// Candidates are names or versions to use instead, the best first.
	Candidates []string `json:"candidates,omitempty"`
}

// Namer is what a source may implement so that hints can name packages whose
// names are near an unknown one.
type Namer interface {
	// Names returns all package names and all names that packages provide.
	Names(ctx context.Context) ([]string, error)
}

// Hints looks for what could be done about a failure. The source is the one
// that was solved with. An error is that of the source.
func Hints(ctx context.Context, source resolver.Source, n *resolver.NoSolution) ([]Hint, error) {
	var out []Hint
	add := func(h Hint) {
		if len(out) < MaxHints && !slices.ContainsFunc(out, func(o Hint) bool { return o.Code == h.Code && o.Package == h.Package }) {
			out = append(out, h)
		}
	}
	facts := given(n)
	for _, f := range facts {
		h, err := hintOn(ctx, source, f)
		if err != nil {
			return nil, err
		}
		if h != nil {
			add(*h)
		}
	}
	for _, h := range tooNarrow(facts) {
		add(h)
	}
	return out, nil
}

func given(n *resolver.NoSolution) []*resolver.Fact {
	var out []*resolver.Fact
	for _, s := range n.Proof {
		if s.Fact != nil {
			out = append(out, s.Fact)
		}
	}
	return out
}

// hintOn returns a hint that follows from one fact, or nil.
func hintOn(ctx context.Context, source resolver.Source, f *resolver.Fact) (*Hint, error) {
	switch f.Kind {
	case resolver.FactUnknown:
		return unknownName(ctx, source, f.Dependency.Name)
	case resolver.FactNoVersions:
		return noVersions(ctx, source, f.Dependency)
	case resolver.FactYanked:
		versions := f.Versions.List()
		v := versions[len(versions)-1].String()
		return &Hint{
			Code: HintYanked, Package: f.Package, Candidates: []string{v},
			Text: f.Package + " " + v + " was withdrawn (" + f.Reason + "); it is used only if you ask for exactly that version: " + f.Package + " =" + v,
		}, nil
	}
	return nil, nil
}

func unknownName(ctx context.Context, source resolver.Source, name string) (*Hint, error) {
	h := &Hint{Code: HintUnknownName, Package: name, Text: "there is no package " + name}
	if s, ok := source.(Namer); ok {
		names, err := s.Names(ctx)
		if err != nil {
			return nil, err
		}
		if h.Candidates = Nearest(name, names, 3); len(h.Candidates) > 0 {
			h.Text += "; did you mean " + list(h.Candidates, "or") + "?"
		}
	}
	return h, nil
}

func noVersions(ctx context.Context, source resolver.Source, d *resolver.Dependency) (*Hint, error) {
	releases, err := source.Releases(ctx, d.Name)
	if err != nil || len(releases) == 0 {
		return nil, err
	}
	var known, near []constraint.Version
	for _, r := range releases {
		known = append(known, r.Version)
		if r.Version.IsPrerelease() && d.Constraint.Check(r.Version.Release()) {
			near = append(near, r.Version)
		}
	}
	constraint.SortVersions(known)
	constraint.SortVersions(near)
	if len(near) > 0 {
		v := near[len(near)-1].String()
		return &Hint{
			Code: HintPrerelease, Package: d.Name, Candidates: []string{v},
			Text: "of " + want(d.Name, d.Constraint.String(), nil) + " there are only prereleases; to use one, name it: " + d.Name + " =" + v,
		}, nil
	}
	low, high := known[0].String(), known[len(known)-1].String()
	h := &Hint{Code: HintVersions, Package: d.Name, Candidates: []string{high}, Text: "the only version of " + d.Name + " is " + high}
	if len(known) > 1 {
		h.Text = "the versions of " + d.Name + " go from " + low + " to " + high
	}
	if v, ok := d.Constraint.Exact(); ok {
		h.Candidates = nil
		below, above := constraint.Nearest(known, v)
		for _, n := range []constraint.Version{below, above} {
			if !n.IsZero() {
				h.Candidates = append(h.Candidates, n.String())
			}
		}
		h.Text = "near " + v.String() + ", " + d.Name + " has " + list(h.Candidates, "and")
	}
	return h, nil
}

// tooNarrow finds pins and requests that allow no version that some other fact
// needs.
func tooNarrow(facts []*resolver.Fact) []Hint {
	var out []Hint
	for _, p := range facts {
		name, allowed, whose := p.Package, p.Allowed, "a pin allows"
		if p.Kind == resolver.FactRequest && len(p.Dependency.Features) == 0 {
			name, allowed, whose = p.Dependency.Name, p.Dependency.Constraint, "you allow"
		} else if p.Kind != resolver.FactPinned {
			continue
		}
		mine, err := allowed.Set()
		if err != nil {
			continue
		}
		for _, f := range facts {
			if f.Kind != resolver.FactDependency || f.Dependency.Name != name || f.Package == name {
				continue
			}
			need, err := f.Dependency.Constraint.Set()
			if err != nil || !need.Intersect(mine).IsEmpty() {
				continue
			}
			c := f.Dependency.Constraint.String()
			out = append(out, Hint{
				Code: HintPin, Package: name, Candidates: []string{c},
				Text: whose + " only " + name + " " + allowed.String() + ", but " + words{}.factText(f) +
					"; allow that, or another version of " + f.Package,
			})
		}
	}
	return out
}
