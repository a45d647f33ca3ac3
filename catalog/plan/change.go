package plan

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// findTarget finds the installation that the request is about, and for changes
// what the engine keeps of it.
func (d *draft) findTarget(ctx context.Context) error {
	id := d.req.ServiceID
	if id == "" {
		return problem.New(problem.Invalid, "a plan to %s names the service that it is for", d.req.Kind)
	}
	inst, err := d.view.known(id)
	if err != nil {
		return err
	}
	if inst.Removing {
		return problem.New(problem.Exists, "service %s is still being removed", id).
			WithHint("wait until dcos package list does not show it any more")
	}
	if d.req.Package != "" && d.req.Package != inst.Package {
		return problem.New(problem.Invalid, "service %s is of package %s, not %s", id, inst.Package, d.req.Package)
	}
	d.req.Package, d.target = inst.Package, inst
	keeper, ok := d.p.engine.(Keeper)
	switch {
	case ok:
		r, err := keeper.Record(ctx, id)
		if err != nil {
			return fmt.Errorf("service %s: %w", id, err)
		}
		d.record = &r
		if r.Busy != "" && !d.req.Force && d.req.Kind != KindRollback && d.req.Kind != KindUninstall {
			return problem.New(problem.Conflict, "service %s: %s", id, r.Busy).
				WithHint("wait until it is done; take it back: dcos package rollback %s; or give it up for this one: --force", id)
		}
	case d.req.Kind != KindUninstall:
		return problem.New(problem.Invalid, "%s %s: this engine can install and uninstall services and cannot change them", d.req.Kind, id)
	}
	return nil
}

// running gives the content of the release that runs.
func (d *draft) running(ctx context.Context) (*index.Content, error) {
	c, err := d.p.index.Content(ctx, d.target.Repository, d.target.Digest)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", d.target.ID, err)
	}
	return c, nil
}

// carryOptions takes what was set of the options of a service over to another
// release, with what the request changes. Defaults follow the new release.
func (d *draft) carryOptions(ctx context.Context, to *index.Content) (spec.Options, error) {
	from, err := d.running(ctx)
	if err != nil {
		return spec.Options{}, err
	}
	old, err := from.Spec.Options(d.target.Options, d.target.ID)
	if err != nil {
		return spec.Options{}, fmt.Errorf("service %s: %w", d.target.ID, err)
	}
	set, err := from.Spec.Overrides(old)
	if err != nil {
		return spec.Options{}, fmt.Errorf("service %s: %w", d.target.ID, err)
	}
	if set, err = spec.Merge(set, d.req.Options); err != nil {
		return spec.Options{}, err
	}
	o, err := to.Spec.Options(set, d.target.ID)
	if p := problem.Of(err); err != nil && p.Class == problem.Invalid && p.Hint == "" {
		return o, p.WithHint("options of %s %s are taken over; take one back with --set name=null", d.target.Package, d.target.Version)
	}
	return o, err
}

// configure plans other options or bindings for the release that runs.
func (d *draft) configure(ctx context.Context) error {
	if d.req.Version != "" {
		return problem.New(problem.Invalid, "configure %s: another version is an upgrade", d.target.ID).
			WithHint("dcos package upgrade %s --version %s", d.target.ID, d.req.Version)
	}
	content, err := d.running(ctx)
	if err != nil {
		return err
	}
	merged, err := spec.Merge(d.target.Options, d.req.Options)
	if err != nil {
		return err
	}
	f := &fresh{content: content, id: d.target.ID, asked: true, release: d.releaseOf(content)}
	if f.options, err = content.Spec.Options(merged, f.id); err != nil {
		return err
	}
	bindings, err := d.rebind(&content.Config)
	if err != nil {
		return err
	}
	s, err := f.step(bindings)
	if err != nil {
		return err
	}
	if err := d.change(ctx, &s); err != nil {
		return err
	}
	if d.plan.Notes, err = content.Spec.RenderNotes(f.options, f.id, boundTo(bindings)); err != nil {
		return err
	}
	d.plan.Steps = append(d.plan.Steps, s)
	d.plan.Warnings = append(d.plan.Warnings, rootWarnings(*s.Service)...)
	return d.checkGiven(ctx)
}

// change completes the step of a service that changes: what it does, whether it
// can be done, and how it will be carried out.
func (d *draft) change(ctx context.Context, s *Step) error {
	old, new := d.record.Service, *s.Service
	s.Auto = d.target.Auto
	s.From = &From{Version: d.target.Version, Digest: d.target.Digest, Generation: d.record.Generation}
	switch {
	case d.req.Kind == KindRollback:
		s.Action = ActionRollback
	case newer(d.target.Version, s.Version):
		s.Action, d.plan.Kind = ActionDowngrade, KindDowngrade
	case newer(s.Version, d.target.Version):
		s.Action, d.plan.Kind = ActionUpgrade, KindUpgrade
	default:
		s.Action = ActionConfigure
		if d.req.Kind != KindConfigure { // the same version with other content
			s.Action, d.plan.Kind = ActionUpgrade, KindUpgrade
		}
	}
	if err := d.checkDirection(s); err != nil {
		return err
	}
	s.Settings = settings(d.target.Options, s.Options)
	s.Changes = podChanges(old, new)
	same := d.target.Digest == s.Digest && len(s.Settings) == 0 && len(s.Changes) == 0 && equalJSON(withoutVersion(old), withoutVersion(new)) && sameBindings(d.target.Bindings, s.Bindings)
	if same {
		return problem.New(problem.Exists, "service %s is as the request wants it: there is nothing to change", d.target.ID)
	}
	if err := checkVolumes(old, new); err != nil {
		return err
	}
	if err := d.checkDependents(ctx, s); err != nil {
		return err
	}
	s.Rollout = rollout(old, new, s.Changes)
	s.From.Over = d.record.Busy != ""
	_, before := podCosts(old)
	d.plan.Cost = d.plan.Cost.plus(*s.Cost, 1).plus(*before, -1)
	d.plan.Cost.Disk += keptBytes(s.Changes, old)
	if s.From.Over {
		d.plan.Warnings = append(d.plan.Warnings, Warning{Code: WarnOver, ServiceID: s.ServiceID, Message: d.record.Busy + ": it is given up where it stands"})
	}
	d.plan.Warnings = append(d.plan.Warnings, changeWarnings(s, old)...)
	return nil
}

// checkDirection refuses a request for the opposite of what it would do.
func (d *draft) checkDirection(s *Step) error {
	if d.req.Kind == KindDowngrade && s.Action == ActionUpgrade {
		return problem.New(problem.Invalid, "downgrade %s: version %s is not older than %s, which runs", d.target.ID, s.Version, d.target.Version)
	}
	return nil
}

func withoutVersion(s cluster.ServiceSpec) cluster.ServiceSpec {
	s.Version = ""
	if s.Role == cluster.DefaultRole { // what the cluster makes of no role
		s.Role = ""
	}
	return s
}

func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func sameBindings(old map[string]cluster.ServiceID, list []Binding) bool {
	if len(old) != len(list) {
		return false
	}
	return !slices.ContainsFunc(list, func(b Binding) bool { return old[b.Alias] != b.ServiceID })
}

// rollback plans what a service was at a generation, exactly.
func (d *draft) rollback(ctx context.Context) error {
	if d.req.Version != "" || len(d.req.Options) > 0 || len(d.req.Bind) > 0 {
		return problem.New(problem.Invalid, "roll back %s: what the service was comes back whole, without other options, bindings or versions", d.target.ID)
	}
	past, err := d.past()
	if err != nil {
		return err
	}
	d.req.Generation = past.Generation
	if b := d.record.Barrier; b != nil && past.Generation < b.Generation {
		return problem.New(problem.Invalid, "roll back %s to generation %d: step %q closed the way back", d.target.ID, past.Generation, b.Step).
			WithHint("what can come back: %s", listOr(d.generations(b.Generation), "nothing"))
	}
	i := past.Installation
	for _, id := range sortedValues(past.Bindings) {
		if d.view.find(id) == nil {
			return problem.New(problem.Invalid, "roll back %s to generation %d: it was bound to service %s, which is gone", d.target.ID, past.Generation, id).
				WithHint("configure it instead: dcos package configure %s", d.target.ID)
		}
	}
	if i.Digest != d.target.Digest {
		// The catalog may have it no more; what says its artifact counts.
		content, err := d.p.index.Content(ctx, i.Repository, i.Digest)
		if err != nil {
			return fmt.Errorf("roll back %s to generation %d: %w", d.target.ID, past.Generation, err)
		}
		to := &catalog.Release{Package: i.Package, Version: content.Config.Version, Repository: i.Repository, Digest: i.Digest, Config: &content.Config}
		if err := d.checkPath(ctx, to); err != nil {
			return err
		}
	}
	service := past.Service
	s := Step{ServiceID: d.target.ID, Package: i.Package, Version: i.Version, Repository: i.Repository, Digest: i.Digest,
		Options: i.Options, Service: &service}
	for _, alias := range sortedKeys(past.Bindings) {
		b := Binding{Alias: alias, ServiceID: past.Bindings[alias]}
		if inst := d.view.find(b.ServiceID); inst != nil {
			b.Package, b.Version = inst.Package, inst.Version
		}
		s.Bindings = append(s.Bindings, b)
	}
	s.Pods, s.Cost = podCosts(service)
	if err := d.change(ctx, &s); err != nil {
		return err
	}
	s.From.To = past.Generation
	d.plan.Steps = append(d.plan.Steps, s)
	return d.checkGiven(ctx)
}

// past finds what a rollback brings back.
func (d *draft) past() (*Past, error) {
	h := d.record.History
	if d.req.Generation == 0 {
		var latest *Past
		for i := len(h) - 1; i >= 0; i-- {
			if equalJSON(h[i].Service, d.record.Service) {
				continue
			}
			if h[i].Settled {
				return &h[i], nil
			}
			latest = cmp.Or(latest, &h[i])
		}
		if latest == nil {
			return nil, problem.New(problem.NotFound, "roll back %s: it was nothing else before", d.target.ID)
		}
		return latest, nil
	}
	for i := range h {
		if h[i].Generation == d.req.Generation {
			return &h[i], nil
		}
	}
	return nil, problem.New(problem.NotFound, "service %s has no generation %d in its history", d.target.ID, d.req.Generation).
		WithHint("it has: %s", listOr(d.generations(0), "none"))
}

// generations lists what is in the history, from a generation on.
func (d *draft) generations(from int64) []string {
	var out []string
	for _, p := range d.record.History {
		if p.Generation >= from {
			out = append(out, fmt.Sprintf("%d (%s)", p.Generation, p.Installation.Version))
		}
	}
	return out
}

// settings lists the options that become something else.
func settings(from, to []byte) []Setting {
	var a, b any
	_ = json.Unmarshal(from, &a) // both are canonical JSON of ours
	_ = json.Unmarshal(to, &b)
	return differ(nil, "", a, b)
}

func differ(out []Setting, name string, a, b any) []Setting {
	x, okX := a.(map[string]any)
	y, okY := b.(map[string]any)
	if (okX || a == nil) && (okY || b == nil) && (okX || okY) {
		keys := map[string]bool{}
		for k := range x {
			keys[k] = true
		}
		for k := range y {
			keys[k] = true
		}
		for _, k := range sortedKeys(keys) {
			out = differ(out, strings.TrimPrefix(name+"."+k, "."), x[k], y[k])
		}
		return out
	}
	if equalJSON(a, b) {
		return out
	}
	s := Setting{Name: name}
	if a != nil {
		s.From, _ = json.Marshal(a)
	}
	if b != nil {
		s.To, _ = json.Marshal(b)
	}
	return append(out, s)
}
