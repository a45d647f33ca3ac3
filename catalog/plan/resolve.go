package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// resolve asks the solver. What runs is to meet the requirements, as it is; an
// installation that the proof names as the reason for a failure gives way to
// the next one of its package, and the last one to a new installation beside
// it. It does not give way where the request binds it, or where the new
// packages conflict with it.
func (d *draft) resolve(ctx context.Context) error {
	pkg, err := d.snap.Known(d.req.Package)
	if err != nil {
		return err
	}
	c, err := index.Admits(pkg, d.req.Version)
	if err != nil {
		return err
	}
	if err := d.findStanding(); err != nil {
		return err
	}
	if d.target != nil {
		// An upgrade is to the newest, and says so when that cannot be: another one
		// is chosen by whoever asks.
		_, r, err := d.snap.Choose(pkg.Name, d.req.Version)
		if err != nil {
			return err
		}
		c = constraint.Exactly(r.Version)
	}
	if err := d.checkBound(pkg, c); err != nil {
		return err
	}
	var first *resolver.NoSolution
	for {
		none, err := d.solve(ctx, c)
		if err != nil {
			return err
		}
		if none == nil {
			break
		}
		if first == nil {
			first = none
		}
		if !d.giveWay(none) {
			return unsatisfiable(ctx, d.req, d.snap, none)
		}
	}
	fresh, there := d.conflict()
	switch {
	case there == nil:
		return nil
	case first != nil:
		return unsatisfiable(ctx, d.req, d.snap, first)
	}
	return problem.New(problem.Unsatisfiable, "%s %s: %s %s and the installation %s (%s %s) exclude each other",
		d.req.Kind, d.req.Package, fresh.Package, fresh.Version, there.ID, there.Package, there.Version).
		WithHint("uninstall it first: dcos package uninstall %s", there.ID)
}

// solve asks once, with the first of each standing. A request that cannot be
// met is no error.
func (d *draft) solve(ctx context.Context, c constraint.Constraint) (*resolver.NoSolution, error) {
	request := resolver.Request{
		Requirements: []resolver.Dependency{{Name: d.req.Package, Constraint: c}},
		Installed:    map[string]constraint.Version{},
		Pins:         map[string]constraint.Constraint{},
	}
	d.kept = map[string]*Installed{}
	for name, list := range d.standing {
		if len(list) == 0 {
			continue
		}
		v, err := constraint.ParseVersion(list[0].Version)
		if err != nil {
			return nil, fmt.Errorf("installation %s: %w", list[0].ID, err)
		}
		d.kept[name] = list[0]
		request.Installed[name] = v
		request.Pins[name] = constraint.Exactly(v)
	}
	var err error
	d.solution, err = d.snap.Solver().Solve(ctx, request)
	var none *resolver.NoSolution
	var budget *resolver.BudgetExceeded
	switch {
	case errors.As(err, &none):
		return none, nil
	case errors.As(err, &budget):
		return nil, problem.New(problem.Unsatisfiable, "%s %s: %w", d.req.Kind, d.req.Package, err).
			WithHint("name the version that you want: --version")
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w", d.req.Kind, d.req.Package, err)
	}
	return nil, nil
}

// giveWay takes the installations that a proof rests on out of the way. It
// reports false when there is none that may go.
func (d *draft) giveWay(n *resolver.NoSolution) bool {
	moved := map[string]bool{}
	for _, s := range n.Proof {
		if f := s.Fact; f != nil && (f.Kind == resolver.FactInstalled || f.Kind == resolver.FactPinned) && !d.bound[f.Package] && len(d.standing[f.Package]) > 0 {
			moved[f.Package] = true
		}
	}
	for name := range moved {
		d.standing[name] = d.standing[name][1:]
	}
	return len(moved) > 0
}

// conflict finds a new package and an installation that cannot be there at the
// same time. The solver looks at one installation of each package; this looks
// at all.
func (d *draft) conflict() (fresh, there *Installed) {
	for i := range d.solution.Packages {
		p := &d.solution.Packages[i]
		pkg := d.snap.Package(p.Name)
		if d.kept[p.Name] != nil || pkg == nil || pkg.Release(p.Version) == nil {
			continue
		}
		fresh = &Installed{Installation: cluster.Installation{Package: p.Name, Version: p.Version.String(), Digest: pkg.Release(p.Version).Digest}}
		for j := range d.view.Installations {
			there = &d.view.Installations[j]
			if !there.Removing && (excludes(d.snap, fresh, there) || excludes(d.snap, there, fresh)) {
				return fresh, there
			}
		}
	}
	return nil, nil
}

// excludes reports whether the release of a says that it conflicts with b.
func excludes(snap *index.Snapshot, a, b *Installed) bool {
	r := snap.ByDigest(a.Package, a.Digest)
	if r == nil || r.Config == nil || a.Package == b.Package {
		return false
	}
	return slices.ContainsFunc(r.Config.Conflicts, func(c catalog.Conflict) bool {
		return meets(snap, b, catalog.Requirement{Name: c.Name, Version: c.Version})
	})
}

// findStanding lists which running installations may stand for each package:
// the one that the request binds, else all, the newest first. The package asked
// for is installed anew.
func (d *draft) findStanding() error {
	d.standing, d.bound = map[string][]*Installed{}, map[string]bool{}
	for i := range d.view.Installations {
		if inst := &d.view.Installations[i]; inst.Package != d.req.Package && !inst.Removing {
			d.standing[inst.Package] = append(d.standing[inst.Package], inst)
		}
	}
	for _, list := range d.standing {
		slices.SortStableFunc(list, func(a, b *Installed) int {
			switch {
			case d.wasBound(a.ID) != d.wasBound(b.ID): // what a service is bound to already comes first
				if d.wasBound(a.ID) {
					return -1
				}
				return 1
			case newer(a.Version, b.Version):
				return -1
			case newer(b.Version, a.Version):
				return 1
			}
			return 0
		})
	}
	for _, alias := range slices.Sorted(maps.Keys(d.req.Bind)) {
		if d.req.Bind[alias] == "" {
			continue
		}
		inst, err := d.bindTo(alias)
		if err != nil {
			return err
		}
		if !d.bound[inst.Package] { // of two that are bound, the solver sees the first
			d.standing[inst.Package], d.bound[inst.Package] = []*Installed{inst}, true
		}
	}
	return nil
}

func newer(a, b string) bool {
	x, errX := constraint.ParseVersion(a)
	y, errY := constraint.ParseVersion(b)
	return errX == nil && (errY != nil || constraint.Order(x, y) > 0)
}
