package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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

	target *Installed // what is changed; nil for a new installation
	record *Record    // of target

	ids      map[string]cluster.ServiceID // of the steps, by package
	fresh    map[string]*fresh            // by package: what is rendered
	standing map[string][]*Installed      // by package: what may stand for it, the best first
	bound    map[string]bool              // packages of which the request names the installation
	kept     map[string]*Installed        // by package: what stands for it
	solution *resolver.Solution
	reached  map[string]bool // packages that the plan is about
}

// Plan says what the request would do. Errors: NotFound for an unknown package,
// version or installation, with the nearest; Invalid for wrong options, all of
// them, and for a change that cannot be made in place; Exists when the id is
// taken, or there is nothing to change; Unsatisfiable with the proof.
func (p *Planner) Plan(ctx context.Context, req Request) (*Plan, error) {
	snap, err := p.index.Fresh(ctx)
	if err != nil && snap.Len() == 0 && req.Kind != KindUninstall {
		return nil, problem.New(problem.Unavailable, "the catalog cannot be read: %w", err)
	}
	view, err := p.view(ctx)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", cmp.Or(req.Package, string(req.ServiceID)), err)
	}
	if req.Kind == "" {
		req.Kind = KindInstall
	}
	d := &draft{p: p, req: req, snap: snap, view: view, plan: &Plan{Revision: view.Revision, Kind: req.Kind}, ids: map[string]cluster.ServiceID{}, fresh: map[string]*fresh{}}
	if err := d.make(ctx); err != nil {
		return nil, err
	}
	d.plan.Request = d.req
	d.plan.Warnings = append(d.plan.Warnings, placementWarnings(d.plan.Steps, view.Agents)...)
	d.plan.Digest, err = d.plan.digest()
	return d.plan, err
}

// make fills the plan.
func (d *draft) make(ctx context.Context) error {
	if !slices.Contains([]Kind{KindInstall, KindUpgrade, KindDowngrade, KindConfigure, KindRollback, KindUninstall}, d.req.Kind) {
		return problem.New(problem.Invalid, "there is no plan of the kind %q", d.req.Kind).
			WithHint("want install, upgrade, downgrade, configure, rollback or uninstall")
	}
	if d.req.Kind != KindInstall {
		if err := d.findTarget(ctx); err != nil {
			return err
		}
	}
	switch d.req.Kind {
	case KindConfigure:
		return d.configure(ctx)
	case KindRollback:
		return d.rollback(ctx)
	case KindUninstall:
		return d.uninstall(ctx)
	}
	if err := d.resolve(ctx); err != nil {
		return err
	}
	return d.steps(ctx)
}

// digest covers what the plan does.
func (p *Plan) digest() (string, error) {
	return catalog.Digest(struct {
		Request Request
		Steps   []Step
	}{p.Request, p.Steps})
}

// steps makes a step of each package of the solution. All ids are chosen before
// anything is rendered: bindings are made of them.
func (d *draft) steps(ctx context.Context) error {
	d.reached = d.concerned()
	if err := d.checkAliases(); err != nil {
		return err
	}
	for i := range d.solution.Packages {
		sp := &d.solution.Packages[i]
		if !d.reached[sp.Name] {
			continue
		}
		if inst := d.kept[sp.Name]; inst != nil {
			d.ids[sp.Name] = inst.ID
			continue
		}
		if err := d.prepare(ctx, sp); err != nil {
			return err
		}
	}
	for i := range d.solution.Packages {
		sp := &d.solution.Packages[i]
		if !d.reached[sp.Name] {
			continue
		}
		if inst := d.kept[sp.Name]; inst != nil {
			d.keep(sp.Name, inst)
			continue
		}
		if err := d.install(ctx, sp.Name); err != nil {
			return err
		}
	}
	return d.checkGiven(ctx)
}

// concerned is the set of packages that the one asked for needs, directly or
// not, with itself: what else is installed is no business of the plan.
func (d *draft) concerned() map[string]bool {
	reached := map[string]bool{d.req.Package: true}
	for changed := true; changed; {
		changed = false
		for _, e := range d.solution.Edges {
			if reached[e.From] && !reached[e.To] && !d.unbound(e) {
				reached[e.To], changed = true, true
			}
		}
	}
	return reached
}

func (d *draft) keep(name string, inst *Installed) {
	s := Step{Action: ActionKeep, ServiceID: inst.ID, Package: inst.Package, Version: inst.Version,
		Repository: inst.Repository, Digest: inst.Digest, Auto: inst.Auto}
	if name != "" {
		s.Why = d.reasons(name)
	}
	d.plan.Steps = append(d.plan.Steps, s)
}

// reasons lists who needs a package.
func (d *draft) reasons(name string) []Why {
	var out []Why
	for _, e := range d.solution.Why(name) {
		if e.From != "" && !d.reached[e.From] || d.unbound(e) {
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

// fresh is a release that is to run, before it is rendered.
type fresh struct {
	release *catalog.Release
	content *index.Content
	options spec.Options
	id      cluster.ServiceID
	asked   bool // by the request itself
}

// prepare reads a release that is to run, and settles its options and its id.
func (d *draft) prepare(ctx context.Context, sp *resolver.Package) error {
	f := &fresh{asked: sp.Name == d.req.Package}
	if pkg := d.snap.Package(sp.Name); pkg != nil {
		f.release = pkg.Release(sp.Version)
	}
	if f.release == nil || f.release.Config == nil {
		return problem.New(problem.Internal, "the solver chose %s %s, which the catalog has not", sp.Name, sp.Version)
	}
	if f.asked && d.target != nil {
		if err := d.checkPath(ctx, f.release); err != nil {
			return err
		}
	}
	var err error
	if f.content, err = d.p.index.Content(ctx, f.release.Repository, f.release.Digest); err != nil {
		return fmt.Errorf("install %s: %w", sp.Name, err)
	}
	switch {
	case f.asked && d.target != nil:
		f.id = d.target.ID
		f.options, err = d.carryOptions(ctx, f.content)
	case f.asked:
		f.id = d.req.ServiceID
		f.options, err = f.content.Spec.Options(d.req.Options, f.id)
	default:
		if f.id, err = d.freeID(sp.Name); err == nil {
			f.options, err = f.content.Spec.Options(nil, f.id)
		}
	}
	if err != nil {
		return err
	}
	if f.id == "" {
		f.id = f.content.Spec.ID(f.options)
	}
	if !f.asked || d.target == nil {
		if err := d.checkFree(f.id); err != nil {
			return err
		}
	}
	d.ids[sp.Name], d.fresh[sp.Name] = f.id, f
	return nil
}

// install makes the step of a release that is to run.
func (d *draft) install(ctx context.Context, name string) error {
	f := d.fresh[name]
	bindings, err := d.bindings(name, f)
	if err != nil {
		return err
	}
	s, err := f.step(bindings)
	if err != nil {
		return err
	}
	s.Why = d.reasons(name)
	if f.asked && d.target != nil {
		if err := d.change(ctx, &s); err != nil {
			return err
		}
	} else {
		s.Auto = !f.asked
		if err := d.takeUp(&s); err != nil {
			return err
		}
		d.plan.Cost = d.plan.Cost.plus(*s.Cost, 1)
	}
	if f.asked {
		if d.plan.Notes, err = f.content.Spec.RenderNotes(f.options, f.id, boundTo(bindings)); err != nil {
			return err
		}
	}
	d.plan.Steps = append(d.plan.Steps, s)
	d.plan.Warnings = append(d.plan.Warnings, rootWarnings(*s.Service)...)
	return nil
}

// step renders a release.
func (f *fresh) step(bindings []Binding) (Step, error) {
	service, err := f.content.Spec.Render(f.options, f.id, f.content.Images, boundTo(bindings))
	if err != nil {
		return Step{}, err
	}
	defaults, err := f.content.Spec.Options(nil, f.id)
	if err != nil { // a required option has no default: then all is changed
		defaults = spec.Options{}
	}
	c := f.content.Config
	s := Step{Action: ActionInstall, ServiceID: f.id, Package: c.Name, Version: c.Version.String(), AppVersion: c.AppVersion,
		Repository: f.release.Repository, Digest: f.release.Digest, Licenses: c.Licenses,
		Options: f.options.JSON(), Changed: f.options.Differ(defaults), Service: &service, Images: c.Images, Bindings: bindings}
	s.Pods, s.Cost = podCosts(service)
	return s, nil
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
