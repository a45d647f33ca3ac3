package spec

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/resolver/constraint"
)

// validName is catalog.ValidName.
func validName(s string, most int) bool { return catalog.ValidName(s, most) }

// metadata reads package.yaml. The node of the notes is returned too: they may
// hold expressions.
func metadata(root *node, f *faults) (catalog.Metadata, *node) {
	d := &decoder{f: f}
	o := d.object(root, "package", "name", "version", "appVersion", "summary", "description", "keywords", "categories",
		"maintainers", "licenses", "home", "icon", "requires", "provides", "conflicts", "features", "upgradesFrom", "downgradesTo", "notes")
	m := catalog.Metadata{
		Name:        o.name("name", catalog.MaxNameBytes),
		Version:     d.version(o.need("version")),
		AppVersion:  d.line(o.get("appVersion"), "appVersion", catalog.MaxText),
		Summary:     d.line(o.need("summary"), "summary", catalog.MaxSummary),
		Description: d.paragraph(o.get("description"), "description", catalog.MaxDescription),
		Notes:       d.paragraph(o.get("notes"), "notes", catalog.MaxNotes),
		Home:        d.home(o.get("home")),
		Icon:        d.icon(o.get("icon")),
		Keywords:    d.words(o.get("keywords"), "a keyword"),
		Categories:  d.words(o.get("categories"), "a category"),
		Maintainers: d.maintainers(o.get("maintainers")),
		Requires:    d.requirements(o.get("requires")),
		Features:    d.features(o.get("features")),

		UpgradesFrom: d.constraint(o.get("upgradesFrom")),
		DowngradesTo: d.constraint(o.get("downgradesTo")),
	}
	for _, n := range d.optionalList(o.get("licenses"), catalog.MaxKeywords) {
		m.Licenses = append(m.Licenses, d.line(n, "a licence", catalog.MaxText))
	}
	for _, n := range d.optionalList(o.get("provides"), catalog.MaxRelations) {
		p := d.object(n, "provision", "name", "version")
		m.Provides = append(m.Provides, catalog.Provision{Name: p.name("name", catalog.MaxNameBytes), Version: d.version(p.get("version"))})
	}
	for _, n := range d.optionalList(o.get("conflicts"), catalog.MaxRelations) {
		c := d.object(n, "conflict", "name", "version")
		m.Conflicts = append(m.Conflicts, catalog.Conflict{Name: c.name("name", catalog.MaxNameBytes), Version: d.constraint(c.get("version"))})
	}
	return m, o.get("notes")
}

// line reads a text of one line; "" when n is nil.
func (d *decoder) line(n *node, what string, most int) string {
	if n == nil {
		return ""
	}
	s, _ := d.str(n, false)
	switch {
	case strings.ContainsAny(s, "\r\n"):
		d.f.at(n.pos, "the %s is one line", strings.TrimPrefix(what, "a "))
	case strings.TrimSpace(s) == "":
		d.f.at(n.pos, "the %s is empty", strings.TrimPrefix(what, "a "))
	}
	d.runes(n, s, what, most)
	return strings.TrimSpace(s)
}

// paragraph reads a text of any lines; "" when n is nil.
func (d *decoder) paragraph(n *node, what string, most int) string {
	if n == nil {
		return ""
	}
	s, _ := d.str(n, false)
	d.runes(n, s, what, most)
	return s
}

func (d *decoder) runes(n *node, s, what string, most int) {
	if c := utf8.RuneCountInString(s); c > most {
		d.f.at(n.pos, "the %s has %d characters, more than %d", strings.TrimPrefix(what, "a "), c, most)
	}
}

// optionalList reads a list that may be absent.
func (d *decoder) optionalList(n *node, most int) []*node {
	if n == nil {
		return nil
	}
	return d.list(n, most)
}

// words reads a list of short lower-case words, sorted, none twice.
func (d *decoder) words(n *node, what string) []string {
	var out []string
	for _, w := range d.optionalList(n, catalog.MaxKeywords) {
		s := strings.ToLower(d.line(w, what, 40))
		if slices.Contains(out, s) {
			d.f.at(w.pos, "%q stands twice", clip(s))
		}
		out = append(out, s)
	}
	return out
}

func (d *decoder) version(n *node) constraint.Version {
	if n == nil {
		return constraint.Version{}
	}
	s, known := d.str(n, false)
	if !known {
		return constraint.Version{}
	}
	v, err := constraint.ParseVersion(s)
	if err != nil {
		d.f.at(n.pos, "%v", err)
	}
	return v
}

func (d *decoder) constraint(n *node) constraint.Constraint {
	if n == nil {
		return constraint.Constraint{}
	}
	s, known := d.str(n, false)
	if !known {
		return constraint.Constraint{}
	}
	c, err := constraint.Parse(s)
	if err != nil {
		d.f.at(n.pos, "%v", err)
	}
	return c
}

func (d *decoder) maintainers(n *node) []catalog.Maintainer {
	var out []catalog.Maintainer
	for _, m := range d.optionalList(n, catalog.MaxKeywords) {
		o := d.object(m, "maintainer", "name", "email")
		out = append(out, catalog.Maintainer{
			Name:  d.line(o.need("name"), "name", catalog.MaxText),
			Email: d.line(o.get("email"), "email", catalog.MaxText),
		})
	}
	return out
}

func (d *decoder) requirements(n *node) []catalog.Requirement {
	var out []catalog.Requirement
	aliases := map[string]bool{}
	for _, r := range d.optionalList(n, catalog.MaxRelations) {
		o := d.object(r, "requirement", "name", "version", "alias", "optional", "feature")
		q := catalog.Requirement{Name: o.name("name", catalog.MaxNameBytes), Version: d.constraint(o.get("version"))}
		if a := o.get("alias"); a != nil {
			q.Alias = d.checkedName(a, "the alias of a requirement", catalog.MaxNameBytes)
		}
		if x := o.get("optional"); x != nil {
			q.Optional = d.boolean(x)
		}
		if x := o.get("feature"); x != nil {
			q.Feature = d.checkedName(x, "the feature of a requirement", catalog.MaxNameBytes)
		}
		alias := q.As()
		if aliases[alias] {
			d.f.at(r.pos, "two requirements are called %q: give one an alias", alias)
		}
		aliases[alias] = true
		out = append(out, q)
	}
	return out
}

func (d *decoder) features(n *node) map[string]*catalog.Feature {
	if n == nil {
		return nil
	}
	out := map[string]*catalog.Feature{}
	for _, e := range d.entries(n, catalog.MaxFeatures) {
		if !validName(e.key, catalog.MaxNameBytes) {
			d.f.at(e.pos, "feature %q: want a lower-case letter, then lower-case letters, digits and -", clip(e.key))
			continue
		}
		o := d.object(e.val, "feature", "summary", "requires")
		out[e.key] = &catalog.Feature{Summary: d.line(o.get("summary"), "summary", catalog.MaxSummary), Requires: d.requirements(o.get("requires"))}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (d *decoder) home(n *node) string {
	s := d.line(n, "home", catalog.MaxText)
	if n == nil || s == "" {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		d.f.at(n.pos, "home is %q: want a URL that begins with https:// or http://", clip(s))
		return ""
	}
	return s
}

// icon reads the name of a file of the package.
func (d *decoder) icon(n *node) string {
	s := d.line(n, "icon", catalog.MaxText)
	if n == nil || s == "" {
		return s
	}
	if path.Clean(s) != s || path.IsAbs(s) || strings.HasPrefix(s, "..") || strings.Contains(s, "\\") || path.Ext(s) != ".png" && path.Ext(s) != ".svg" {
		d.f.at(n.pos, "icon is %q: want a .png or .svg file of the package", clip(s))
		return ""
	}
	return s
}
