package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// MaxSuffix bounds the numbers tried to find a free id for an automatic
// installation.
const MaxSuffix = 100

// Planner makes and applies plans.
type Planner struct {
	index  *index.Index
	engine Engine

	applying sync.Mutex // one at a time: what was checked is still so when it is done
}

// New makes a planner over a catalog and a runtime.
func New(idx *index.Index, engine Engine) *Planner { return &Planner{index: idx, engine: engine} }

// draft is a plan on the way.
type draft struct {
	p    *Planner
	req  Request
	snap *index.Snapshot
	view View
	plan *Plan

	ids      map[string]cluster.ServiceID // of the steps, by package
	standing map[string][]*Installed      // by package: what may stand for it, the best first
	bound    map[string]bool              // packages of which the request names the installation
	kept     map[string]*Installed        // by package: what stands for it
	solution *resolver.Solution
	reached  map[string]bool // packages that the plan is about
}

// Plan says what the request would do. Errors: NotFound for an unknown package
// or version, with the nearest; Invalid for wrong options, all of them; Exists
// when the id is taken; Unsatisfiable with the proof.
func (p *Planner) Plan(ctx context.Context, req Request) (*Plan, error) {
	snap, err := p.index.Fresh(ctx)
	if err != nil && snap.Len() == 0 {
		return nil, problem.New(problem.Unavailable, "the catalog cannot be read: %w", err)
	}
	view, err := p.engine.View(ctx)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", req.Package, err)
	}
	d := &draft{p: p, req: req, snap: snap, view: view, plan: &Plan{Revision: view.Revision, Request: req}, ids: map[string]cluster.ServiceID{}}
	if err := d.resolve(ctx); err != nil {
		return nil, err
	}
	if err := d.steps(ctx); err != nil {
		return nil, err
	}
	d.plan.Warnings = append(d.plan.Warnings, placementWarnings(d.plan.Steps, view.Agents)...)
	d.plan.Digest, err = d.plan.digest()
	return d.plan, err
}

// digest covers what the plan does.
func (p *Plan) digest() (string, error) {
	return catalog.Digest(struct {
		Request Request
		Steps   []Step
	}{p.Request, p.Steps})
}

// steps makes a step of each package of the solution.
func (d *draft) steps(ctx context.Context) error {
	d.reached = d.concerned()
	for i := range d.solution.Packages {
		sp := &d.solution.Packages[i]
		if !d.reached[sp.Name] {
			continue
		}
		if inst := d.kept[sp.Name]; inst != nil {
			d.ids[sp.Name] = inst.ID
			d.keep(sp, inst)
			continue
		}
		if err := d.install(ctx, sp); err != nil {
			return err
		}
	}
	if err := d.checkBindings(); err != nil {
		return err
	}
	return nil
}

// concerned is the set of packages that the one asked for needs, directly or
// not, with itself: what else is installed is no business of the plan.
func (d *draft) concerned() map[string]bool {
	reached := map[string]bool{d.req.Package: true}
	for changed := true; changed; {
		changed = false
		for _, e := range d.solution.Edges {
			if reached[e.From] && !reached[e.To] {
				reached[e.To], changed = true, true
			}
		}
	}
	return reached
}

func (d *draft) keep(sp *resolver.Package, inst *Installed) {
	d.plan.Steps = append(d.plan.Steps, Step{Action: ActionKeep, ServiceID: inst.ID, Package: sp.Name, Version: inst.Version,
		Repository: inst.Repository, Digest: inst.Digest, Auto: inst.Auto, Why: d.reasons(sp.Name)})
}

// reasons lists who needs a package.
func (d *draft) reasons(name string) []Why {
	var out []Why
	for _, e := range d.solution.Why(name) {
		if e.From != "" && !d.reached[e.From] {
			continue // somebody else's need, met by another installation
		}
		w := Why{From: e.From, Feature: e.Feature, Constraint: e.Constraint.String()}
		if e.Name != name {
			w.Name = e.Name
		}
		out = append(out, w)
	}
	return out
}

func (d *draft) install(ctx context.Context, sp *resolver.Package) error {
	var rel *catalog.Release
	if pkg := d.snap.Package(sp.Name); pkg != nil {
		rel = pkg.Release(sp.Version)
	}
	if rel == nil || rel.Config == nil {
		return problem.New(problem.Internal, "the solver chose %s %s, which the catalog has not", sp.Name, sp.Version)
	}
	content, err := d.p.index.Content(ctx, rel.Repository, rel.Digest)
	if err != nil {
		return fmt.Errorf("install %s: %w", sp.Name, err)
	}
	asked := sp.Name == d.req.Package
	var user []byte
	var id cluster.ServiceID
	if asked {
		user, id = d.req.Options, d.req.ServiceID
	} else if id, err = d.freeID(sp.Name); err != nil {
		return err
	}
	options, err := content.Spec.Options(user, id)
	if err != nil {
		return err
	}
	if id == "" {
		id = content.Spec.ID(options)
	}
	if err := d.checkFree(id); err != nil {
		return err
	}
	service, err := content.Spec.Render(options, id, content.Images)
	if err != nil {
		return err
	}
	defaults, err := content.Spec.Options(nil, id)
	if err != nil { // a required option has no default: then all is changed
		defaults = spec.Options{}
	}
	d.ids[sp.Name] = id
	s := Step{Action: ActionInstall, ServiceID: id, Package: sp.Name, Version: rel.Version.String(), AppVersion: rel.Config.AppVersion,
		Repository: rel.Repository, Digest: rel.Digest, Licenses: rel.Config.Licenses, Auto: !asked, Why: d.reasons(sp.Name),
		Options: options.JSON(), Changed: options.Differ(defaults), Service: &service, Images: content.Config.Images}
	s.Pods, s.Cost = podCosts(service)
	for _, e := range d.solution.Edges {
		if e.From == sp.Name && d.ids[e.To] != "" {
			s.Bindings = append(s.Bindings, Binding{e.Alias, d.ids[e.To]})
		}
	}
	if asked {
		if d.plan.Notes, err = content.Spec.RenderNotes(options, id); err != nil {
			return err
		}
	}
	d.plan.Cost = d.plan.Cost.plus(*s.Cost, 1)
	d.plan.Steps = append(d.plan.Steps, s)
	d.plan.Warnings = append(d.plan.Warnings, rootWarnings(service)...)
	return nil
}

// checkFree sees that an id is not taken, by the cluster or by the plan itself.
func (d *draft) checkFree(id cluster.ServiceID) error {
	if inst := d.view.find(id); inst != nil {
		if inst.Removing {
			return problem.New(problem.Exists, "service %s is still being removed", id).WithHint("wait until dcos package list does not show it any more")
		}
		return problem.New(problem.Exists, "service %s exists: package %s %s", id, inst.Package, inst.Version).
			WithHint("choose another id: --id %s-2, or uninstall it first: dcos package uninstall %s", id, id)
	}
	for _, taken := range d.ids {
		if taken == id {
			return problem.New(problem.Exists, "the plan would give the id %s to two services", id).WithHint("choose another id: --id")
		}
	}
	return nil
}

// freeID finds an id for an automatic installation: the package's name, or
// with a number.
func (d *draft) freeID(name string) (cluster.ServiceID, error) {
	for n := 1; n <= MaxSuffix; n++ {
		id := cluster.ServiceID(name)
		if n > 1 {
			id = cluster.ServiceID(fmt.Sprintf("%s-%d", name, n))
		}
		if id != d.req.ServiceID && d.checkFree(id) == nil {
			return id, nil
		}
	}
	return "", problem.New(problem.Exists, "no free id for package %s: %s to %s-%d are taken", name, name, name, MaxSuffix)
}

// checkBindings sees that what was bound is a requirement that the bound
// installation meets.
func (d *draft) checkBindings() error {
	for _, alias := range slices.Sorted(maps.Keys(d.req.Bind)) {
		id := d.req.Bind[alias]
		var known []string
		ok := false
		for _, e := range d.solution.Edges {
			if e.From == d.req.Package {
				known = append(known, e.Alias)
				ok = ok || e.Alias == alias && d.ids[e.To] == id
			}
		}
		if !ok && !slices.Contains(known, alias) {
			return problem.New(problem.Invalid, "bind %s=%s: package %s has no requirement called %q", alias, id, d.req.Package, alias).
				WithHint("its requirements: %s", strings.Join(known, ", "))
		}
		if !ok {
			return problem.New(problem.Invalid, "bind %s=%s: installation %s is not what the requirement %s asks for", alias, id, id, alias)
		}
	}
	return nil
}
