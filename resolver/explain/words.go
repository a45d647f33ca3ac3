package explain

import (
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// Parts of clauses by which joinNeeds knows them.
const (
	needs = " needs "
	asked = "you asked for "
)

// words words facts and terms. It knows how authors wrote the sets of a proof.
type words struct {
	written map[string]string
}

// newWords learns from the facts that the lines name.
func newWords(steps []resolver.Step, lines []planned) words {
	w := words{map[string]string{}}
	for _, p := range lines {
		for _, i := range p.because {
			if steps[i].Fact != nil {
				w.learn(steps[i])
			}
		}
	}
	return w
}

func (w words) learn(s resolver.Step) {
	d := s.Fact.Dependency
	if d == nil || len(d.Features) > 0 || s.Fact.Kind == resolver.FactInstalled {
		return
	}
	for _, t := range s.Terms {
		if t.Kind != resolver.TermPackage || t.Package != d.Name || t.Package == s.Fact.Package {
			continue
		}
		key, text := setKey(t.Package, t.Versions), d.Constraint.String()
		if old, ok := w.written[key]; !ok || len(text) < len(old) {
			w.written[key] = text
		}
	}
}

// setKey tells sets of versions of packages apart.
func setKey(name string, set resolver.VersionSet) string {
	key := []byte(name)
	for i := range set.Known {
		if set.Has(i) != (i > 0 && set.Has(i-1)) {
			key = strconv.AppendInt(append(key, ' '), int64(i), 10)
		}
	}
	return string(key)
}

// versions names some of the known versions of a package.
func (w words) versions(name string, set resolver.VersionSet) string {
	switch {
	case set.Len() == 1:
		return name + " " + set.List()[0].String()
	case set.Every() && set.Len() > 0:
		return "every version of " + name
	}
	if text, ok := w.written[setKey(name, set)]; ok && text != "*" {
		return name + " " + text
	}
	return name + " " + constraint.Describe(set.Known, set.Has)
}

// want names what a requirement asks for.
func want(name, constraintText string, features []string) string {
	text := name
	if constraintText != "*" {
		text += " " + constraintText
	}
	switch len(features) {
	case 0:
		return text
	case 1:
		return text + " with feature " + features[0]
	}
	return text + " with features " + list(features, "and")
}

// list joins words: "a, b and c".
func list(parts []string, last string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	n := len(parts) - 1
	return strings.Join(parts[:n], ", ") + " " + last + " " + parts[n]
}

// fact words a given fact.
func (w words) fact(f *resolver.Fact) Fact {
	out := Fact{Kind: f.Kind, Package: f.Package, Feature: f.Feature, Provider: f.Provider, Reason: f.Reason}
	if f.Versions.Len() > 0 {
		out.Set = constraint.Describe(f.Versions.Known, f.Versions.Has)
	}
	if f.Kind == resolver.FactPinned {
		out.Set2 = f.Allowed.String()
	}
	if d := f.Dependency; d != nil && f.Kind != resolver.FactInstalled {
		out.DependsOn, out.Set2, out.Features = d.Name, d.Constraint.String(), d.Features
	}
	out.Text = w.factText(f)
	return out
}

func (w words) factText(f *resolver.Fact) string {
	who := w.versions(f.Package, f.Versions)
	switch f.Kind {
	case resolver.FactInstalled:
		return f.Package + " is installed and has to stay"
	case resolver.FactPinned:
		return "a pin allows only " + f.Package + " " + f.Allowed.String()
	case resolver.FactYanked:
		return who + " was withdrawn (" + f.Reason + ")"
	case resolver.FactUnusable:
		return who + " cannot be used (" + f.Reason + ")"
	}
	d := f.Dependency
	what := want(d.Name, d.Constraint.String(), d.Features)
	if f.Kind == resolver.FactProvider {
		if f.Provider == d.Name {
			return what + " from the package of that name means " + what
		}
		return what + " from " + f.Provider + " means a version of it that provides that"
	}
	if f.Feature != "" {
		who += " with feature " + f.Feature
	}
	asks := who + needs + what
	if f.Package == "" {
		asks = asked + what
	}
	switch f.Kind {
	case resolver.FactOptional:
		return who + " works with no " + d.Name + " but " + what
	case resolver.FactConflict:
		text := who + " conflicts with " + what
		if f.Provider != "" {
			text += " and so with " + f.Provider + ", which provides it"
		}
		return text
	case resolver.FactUnknown:
		return asks + ", but there is no package " + d.Name
	case resolver.FactNoVersions:
		return asks + ", but no version matches"
	case resolver.FactNoFeature:
		return asks + ", but no such version has it"
	case resolver.FactSelf:
		return asks + ", which is another version of itself"
	}
	if f.Provider != "" {
		return asks + ", which only " + f.Provider + " provides"
	}
	return asks
}

// terms words a conclusion: the terms cannot all hold.
func (w words) terms(terms []resolver.Term) string {
	var has, lacks []string
	var whole []string // packages of which every version is meant
	for _, t := range terms {
		switch every := t.Kind == resolver.TermPackage && t.Every() && t.Versions.Len() > 1; {
		case t.Negated && every:
			lacks = append(lacks, t.Package)
		case t.Negated:
			lacks = append(lacks, w.term(t))
		case every:
			whole = append(whole, t.Package)
		default:
			has = append(has, w.term(t))
		}
	}
	if len(lacks) > 0 {
		return needing(append(has, each("every version of ", whole)...), lacks)
	}
	switch {
	case len(has)+len(whole) == 0:
		return "nothing can be done"
	case len(has) == 0 && len(whole) == 1:
		return "no version of " + whole[0] + " can be used"
	case len(has) == 0:
		return "no version of " + whole[0] + " can go with " + list(each("any version of ", whole[1:]), "and")
	}
	rest := append(has[1:], each("any version of ", whole)...)
	if len(rest) == 0 {
		return has[0] + " cannot be used"
	}
	return has[0] + " cannot go with " + list(rest, "and")
}

func needing(has, lacks []string) string {
	switch len(has) {
	case 0:
		return list(lacks, "or") + " is needed"
	case 1:
		return has[0] + needs + list(lacks, "or")
	}
	return list(has, "and") + " together need " + list(lacks, "or")
}

func each(prefix string, names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

func (w words) term(t resolver.Term) string {
	switch t.Kind {
	case resolver.TermFeature:
		return t.Package + " with feature " + t.Feature
	case resolver.TermChoice:
		what := want(t.Package, t.Constraint.String(), nil)
		if t.Every() {
			return what + " (from " + list(t.Providers(), "or") + ")"
		}
		return what + " from " + list(t.Providers(), "or")
	}
	return w.versions(t.Package, t.Versions)
}
