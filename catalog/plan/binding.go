package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// boundTo is bindings as a package renders them.
func boundTo(list []Binding) spec.Bindings {
	out := spec.Bindings{}
	for _, b := range list {
		out[b.Alias] = b.ServiceID
	}
	return out
}

// requirements lists what a release asks for, by alias: its own requirements,
// and those of its features as optional ones.
func requirements(c *catalog.Config) map[string]catalog.Requirement {
	out := map[string]catalog.Requirement{}
	if c == nil {
		return out
	}
	for _, f := range c.Features {
		if f == nil {
			continue
		}
		for _, q := range f.Requires {
			q.Optional = true
			out[q.As()] = q
		}
	}
	for _, q := range c.Requires {
		out[q.As()] = q
	}
	return out
}

// unbound reports whether the requirement of an edge stays unmet: the request
// says so, or it is optional, and the service that changes was not bound.
func (d *draft) unbound(e resolver.Edge) bool {
	if e.From != d.req.Package {
		return false
	}
	if id, said := d.req.Bind[e.Alias]; said {
		return id == ""
	}
	return d.target != nil && e.Optional && d.view.find(d.target.Bindings[e.Alias]) == nil
}

// chosen is the service for an edge of the package asked for: what the request
// names, what the service was bound to if that still will do, else the solver's.
func (d *draft) chosen(e resolver.Edge, q catalog.Requirement) cluster.ServiceID {
	if id := d.req.Bind[e.Alias]; id != "" {
		return id
	}
	if d.target != nil {
		if was := d.view.find(d.target.Bindings[e.Alias]); was != nil && !was.Removing && meets(d.snap, was, q) {
			return was.ID
		}
	}
	return d.ids[e.To]
}

// wasBound reports whether the service that is changed is bound to id already.
func (d *draft) wasBound(id cluster.ServiceID) bool {
	if d.target == nil {
		return false
	}
	for _, b := range d.target.Bindings { // order-free: any will do
		if b == id {
			return true
		}
	}
	return false
}

// bindTo gives the installation that the request binds.
func (d *draft) bindTo(alias string) (*Installed, error) {
	id := d.req.Bind[alias]
	inst := d.view.find(id)
	switch {
	case inst == nil:
		ids := []string{}
		for _, i := range d.view.Installations {
			ids = append(ids, string(i.ID))
		}
		return nil, problem.New(problem.NotFound, "bind %s=%s: there is no installation %q", alias, id, id).
			WithHint("installed: %s", listOr(ids, "nothing"))
	case inst.Removing:
		return nil, problem.New(problem.Conflict, "bind %s=%s: service %s is being removed", alias, id, id)
	case d.target != nil && inst.ID == d.target.ID:
		return nil, problem.New(problem.Invalid, "bind %s=%s: a service cannot be bound to itself", alias, id)
	}
	return inst, nil
}

func listOr(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

// checkBound sees that some admitted release has a requirement of each bound
// name that the installation meets: otherwise there is nothing to solve, and a
// proof would hide what is wrong.
func (d *draft) checkBound(pkg *catalog.Package, c constraint.Constraint) error {
	for _, alias := range slices.Sorted(maps.Keys(d.req.Bind)) {
		var last *catalog.Requirement
		known := map[string]bool{}
		ok := false
		for i := range pkg.Releases {
			r := &pkg.Releases[i]
			if r.Config == nil || !c.Check(r.Version) {
				continue
			}
			for name, q := range requirements(r.Config) {
				known[name] = true
				if name != alias {
					continue
				}
				if last == nil {
					last = &q
				}
				ok = ok || d.req.Bind[alias] == "" || meets(d.snap, d.view.find(d.req.Bind[alias]), q)
			}
		}
		if err := d.wrongBind(alias, last, slices.Sorted(maps.Keys(known)), ok); err != nil {
			return err
		}
	}
	return nil
}

// wrongBind words what is wrong with a binding of the request: q is what the
// package asks for under the alias, nil when nothing; ok that it is met.
func (d *draft) wrongBind(alias string, q *catalog.Requirement, known []string, ok bool) error {
	id := d.req.Bind[alias]
	switch {
	case q == nil:
		return problem.New(problem.Invalid, "bind %s=%s: package %s has no requirement called %q", alias, id, d.req.Package, alias).
			WithHint("its requirements: %s", listOr(known, "none"))
	case id == "" && !q.Optional:
		return problem.New(problem.Invalid, "bind %s: package %s cannot do without it: it needs %s %s", alias, d.req.Package, q.Name, q.Version)
	case ok || id == "":
		return nil
	}
	inst := d.view.find(id)
	e := problem.New(problem.Invalid, "bind %s=%s: service %s is %s %s, and package %s needs %s %s", alias, id, id, inst.Package, inst.Version, d.req.Package, q.Name, q.Version)
	if fit := d.candidates(*q, ""); len(fit) > 0 {
		return e.WithHint("installed and fit: %s", describe(fit))
	}
	return e.WithHint("no installation is fit; without --bind the plan adds one")
}

func describe(list []*Installed) string {
	var out []string
	for _, i := range list {
		out = append(out, fmt.Sprintf("%s (%s %s)", i.ID, i.Package, i.Version))
	}
	return strings.Join(out, ", ")
}

// candidates lists the installations that meet a requirement, by id; not one
// that is on its way out, the one that is changed, or except.
func (d *draft) candidates(q catalog.Requirement, except cluster.ServiceID) []*Installed {
	var out []*Installed
	for i := range d.view.Installations {
		inst := &d.view.Installations[i]
		if !inst.Removing && inst.ID != except && (d.target == nil || inst.ID != d.target.ID) && meets(d.snap, inst, q) {
			out = append(out, inst)
		}
	}
	return out
}

// checkAliases sees that the release that was chosen has the requirements that
// the request binds.
func (d *draft) checkAliases() error {
	pkg, ok := d.solution.Package(d.req.Package)
	if !ok {
		return nil // the solver always has what was asked for
	}
	var reqs map[string]catalog.Requirement
	if p := d.snap.Package(pkg.Name); p != nil && p.Release(pkg.Version) != nil {
		reqs = requirements(p.Release(pkg.Version).Config)
	}
	for _, alias := range slices.Sorted(maps.Keys(d.req.Bind)) {
		q, there := reqs[alias]
		var want *catalog.Requirement
		if there {
			want = &q
		}
		ok := d.req.Bind[alias] == "" || there && meets(d.snap, d.view.find(d.req.Bind[alias]), q)
		if err := d.wrongBind(alias, want, slices.Sorted(maps.Keys(reqs)), ok); err != nil {
			return err
		}
	}
	return nil
}

// bindings says which service meets each requirement of a package of the
// solution, in the order of its edges. What the request names wins; an
// installation that it names beside the solver's choice becomes a step too.
func (d *draft) bindings(name string, f *fresh) ([]Binding, error) {
	reqs := requirements(f.release.Config)
	var out []Binding
	for _, e := range d.solution.Edges {
		if e.From != name || d.unbound(e) {
			continue
		}
		id := d.ids[e.To]
		if f.asked {
			id = d.chosen(e, reqs[e.Alias])
		}
		if id == "" {
			return nil, problem.New(problem.Internal, "nothing was chosen for the requirement %s of package %s", e.Alias, name)
		}
		b := Binding{Alias: e.Alias, ServiceID: id, Package: e.To}
		if inst := d.view.find(id); inst != nil {
			b.Package, b.Version = inst.Package, inst.Version
			if !slices.ContainsFunc(d.plan.Steps, func(s Step) bool { return s.ServiceID == id }) && d.kept[e.To] != inst {
				d.keep("", inst)
			}
		} else if to := d.fresh[e.To]; to != nil {
			b.Version, b.New = to.release.Version.String(), true
		}
		for _, c := range d.candidates(reqs[e.Alias], id) {
			b.Others = append(b.Others, c.ID)
		}
		out = append(out, b)
	}
	return out, nil
}

// rebind keeps what a service is bound to, but for what the request says and
// what is gone. A requirement that must be met takes the first installation that
// meets it.
func (d *draft) rebind(c *catalog.Config) ([]Binding, error) {
	reqs := requirements(c)
	var out []Binding
	for _, alias := range slices.Sorted(maps.Keys(d.req.Bind)) {
		if _, ok := reqs[alias]; !ok {
			return nil, d.wrongBind(alias, nil, slices.Sorted(maps.Keys(reqs)), false)
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(reqs)) {
		q := reqs[alias]
		id, err := d.rebound(alias, q)
		if err != nil {
			return nil, err
		}
		if id == "" {
			continue
		}
		b := Binding{Alias: alias, ServiceID: id}
		if inst := d.view.find(id); inst != nil {
			b.Package, b.Version = inst.Package, inst.Version
		}
		for _, other := range d.candidates(q, id) {
			b.Others = append(b.Others, other.ID)
		}
		out = append(out, b)
	}
	return out, nil
}

// rebound chooses the service for one requirement of a service that runs; none
// for one that is optional and was not bound.
func (d *draft) rebound(alias string, q catalog.Requirement) (cluster.ServiceID, error) {
	if id, said := d.req.Bind[alias]; said {
		if id == "" {
			return "", d.wrongBind(alias, &q, nil, true)
		}
		inst, err := d.bindTo(alias)
		if err != nil {
			return "", err
		}
		return id, d.wrongBind(alias, &q, nil, meets(d.snap, inst, q))
	}
	if id := d.target.Bindings[alias]; d.view.find(id) != nil {
		return id, nil
	}
	if q.Optional {
		return "", nil
	}
	fit := d.candidates(q, "")
	if len(fit) == 0 {
		return "", problem.New(problem.Unsatisfiable, "service %s needs %s %s, and no installation is that", d.target.ID, q.Name, q.Version).
			WithHint("install it first: dcos package install %s", q.Name)
	}
	return fit[0].ID, nil
}

// guessBindings gives what a service of an engine that keeps no bindings is
// bound to: the first installation that meets each requirement.
func (d *draft) guessBindings(c *catalog.Config) spec.Bindings {
	out := spec.Bindings{}
	reqs := requirements(c)
	for _, alias := range slices.Sorted(maps.Keys(reqs)) {
		if fit := d.candidates(reqs[alias], ""); len(fit) > 0 {
			out[alias] = fit[0].ID
		}
	}
	return out
}
