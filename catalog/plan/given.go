package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// foreignRefs lists what a spec wants to be given by other services, each once,
// in order.
func foreignRefs(s cluster.ServiceSpec) []cluster.Ref {
	var out []cluster.Ref
	look := func(text string) (string, error) {
		for _, r := range cluster.Refs(text) {
			if r.Service != "" && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
		return text, nil
	}
	for _, p := range s.Pods {
		for _, t := range p.Tasks {
			_, _ = t.Container.Strings(look) // look gives no error
		}
	}
	for _, r := range s.Runs {
		_, _ = r.Task.Container.Strings(look)
	}
	return out
}

// gives reports whether a service has the endpoint or export, and what it has.
func gives(s cluster.ServiceSpec, r cluster.Ref) (bool, []string) {
	names := sortedKeys(s.Exports)
	if r.Field == cluster.RefEndpoint {
		names = nil
		for _, e := range s.Endpoints {
			names = append(names, e.Name)
		}
	}
	return slices.Contains(names, r.Port), names
}

// word is "endpoint" or "export".
func word(r cluster.Ref) string { return strings.TrimSuffix(r.Field, "s") }

// serviceOf gives the spec of a service as it would be after the plan, or as it
// runs; nil when the engine does not tell.
func (d *draft) serviceOf(ctx context.Context, id cluster.ServiceID) (*cluster.ServiceSpec, error) {
	for i := range d.plan.Steps {
		if s := &d.plan.Steps[i]; s.ServiceID == id && s.Service != nil {
			return s.Service, nil
		}
	}
	keeper, ok := d.p.engine.(Keeper)
	if !ok || d.view.find(id) == nil {
		return nil, nil
	}
	r, err := keeper.Record(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", id, err)
	}
	return &r.Service, nil
}

// checkGiven sees that every service of the plan is bound to services that have
// what it asks for.
func (d *draft) checkGiven(ctx context.Context) error {
	for i := range d.plan.Steps {
		s := &d.plan.Steps[i]
		if s.Service == nil {
			continue
		}
		for _, r := range foreignRefs(*s.Service) {
			to, err := d.serviceOf(ctx, r.Service)
			if err != nil {
				return err
			}
			if to == nil {
				continue
			}
			if ok, names := gives(*to, r); !ok {
				return problem.New(problem.Invalid, "package %s asks for the %s %s of service %s, which has none of that name", s.Package, word(r), r.Port, r.Service).
					WithHint("its %s: %s", r.Field, listOr(names, "none"))
			}
		}
	}
	return nil
}

// isBoundTo reports whether a service is given something by another one.
func (i *Installed) isBoundTo(id cluster.ServiceID) bool {
	return slices.Contains(sortedValues(i.Bindings), id)
}

// checkDependents refuses a change that leaves a service without what it needs:
// a version that it cannot do with, an endpoint or an export that it is given.
func (d *draft) checkDependents(ctx context.Context, s *Step) error {
	keeper, ok := d.p.engine.(Keeper)
	if !ok {
		return nil
	}
	then := &Installed{Installation: cluster.Installation{ID: s.ServiceID, Package: s.Package, Version: s.Version, Digest: s.Digest}}
	for i := range d.view.Installations {
		who := &d.view.Installations[i]
		if who.ID == s.ServiceID || who.Removing || !who.isBoundTo(s.ServiceID) {
			continue
		}
		rec, err := keeper.Record(ctx, who.ID)
		if err != nil {
			return fmt.Errorf("service %s: %w", who.ID, err)
		}
		if r := d.snap.ByDigest(who.Package, who.Digest); r != nil && r.Config != nil && s.Digest != d.target.Digest {
			reqs := requirements(r.Config)
			for _, alias := range sortedKeys(who.Bindings) {
				q, there := reqs[alias]
				if who.Bindings[alias] == s.ServiceID && there && !meets(d.snap, then, q) {
					return problem.New(problem.Invalid, "service %s is bound to %s and needs %s %s, not %s", who.ID, s.ServiceID, q.Name, q.Version, s.Version).
						WithHint("upgrade %s first, or bind it to another service: dcos package configure %s --bind %s=ID; or take another release: --version", who.ID, who.ID, alias)
				}
			}
		}
		for _, r := range foreignRefs(rec.Service) {
			if r.Service != s.ServiceID {
				continue
			}
			if ok, names := gives(*s.Service, r); !ok {
				return problem.New(problem.Invalid, "service %s is given the %s %s of %s, which would have it no more", who.ID, word(r), r.Port, s.ServiceID).
					WithHint("its %s would be: %s", r.Field, listOr(names, "none"))
			}
		}
	}
	return nil
}
