package plan

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver/constraint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// ApplyTimeout bounds the making of a plan's changes once they have begun.
const ApplyTimeout = 30 * time.Second

// Apply does what the plan with this digest says. The plan is made again first:
// if it came out differently, the error is problem.Conflict and its Data is the
// new plan. An empty digest applies whatever the plan is now.
//
// When a later step fails, earlier ones stand; the error names them, and the
// same request goes on from there.
func (p *Planner) Apply(ctx context.Context, principal string, req Request, digest string) (*Plan, error) {
	p.applying.Lock()
	defer p.applying.Unlock()
	plan, err := p.Plan(ctx, req)
	if err != nil {
		return nil, err
	}
	if digest != "" && digest != plan.Digest {
		return nil, problem.New(problem.Conflict, "the plan to %s %s is stale: the catalog or the cluster changed since it was made", plan.Kind, plan.Request.Package).
			WithHint("look at the new plan and confirm it").WithData(plan)
	}
	// From here on it is not left half done because somebody stopped waiting.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), ApplyTimeout)
	defer stop()
	var done []string
	for i := range plan.Steps {
		s := &plan.Steps[i]
		if s.Action == ActionKeep {
			continue
		}
		if err := p.applyStep(ctx, principal, plan.Digest, s); err != nil {
			err = fmt.Errorf("%s %s: %w", s.Action, s.ServiceID, err)
			if len(done) > 0 {
				err = fmt.Errorf("%w (installed before: %s)", err, strings.Join(done, ", "))
			}
			return nil, err
		}
		done = append(done, string(s.ServiceID))
	}
	return plan, nil
}

// applyStep makes one change.
func (p *Planner) applyStep(ctx context.Context, principal, digest string, s *Step) error {
	keeper, keeps := p.engine.(Keeper)
	if s.Action == ActionUninstall {
		if keeps {
			return keeper.RemoveService(ctx, principal, s.ServiceID, s.KeepData)
		}
		return p.engine.Remove(ctx, principal, s.ServiceID)
	}
	inst := cluster.Installation{ID: s.ServiceID, Package: s.Package, Version: s.Version, Digest: s.Digest, Repository: s.Repository,
		Options: s.Options, PlanDigest: digest, Auto: s.Auto, At: cluster.Time(time.Now().UnixMilli()), Principal: principal}
	if !keeps {
		return p.engine.ApplyInstallation(ctx, inst, *s.Service)
	}
	c := Change{Installation: inst, Bindings: boundTo(s.Bindings), Service: *s.Service}
	if s.From != nil {
		c.Expect, c.From, c.Over = s.From.Generation, s.From.To, s.From.Over
	}
	return keeper.Change(ctx, c)
}

// view is the engine's, with what it can do.
func (p *Planner) view(ctx context.Context) (View, error) {
	v, err := p.engine.View(ctx)
	_, v.bound = p.engine.(Keeper)
	return v, err
}

// Installations lists what is installed, by id.
func (p *Planner) Installations(ctx context.Context) ([]Installation, error) {
	snap, _ := p.index.Fresh(ctx) // without the catalog the list is still right
	view, err := p.view(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the installations: %w", err)
	}
	out := make([]Installation, 0, len(view.Installations))
	for i := range view.Installations {
		out = append(out, show(snap, view, &view.Installations[i]))
	}
	return out, nil
}

// Installation gives one installation. An unknown id is NotFound, with the
// nearest.
func (p *Planner) Installation(ctx context.Context, id cluster.ServiceID) (Installation, error) {
	snap, _ := p.index.Fresh(ctx)
	view, err := p.view(ctx)
	if err != nil {
		return Installation{}, fmt.Errorf("installation %s: %w", id, err)
	}
	inst, err := view.known(id)
	if err != nil {
		return Installation{}, err
	}
	return show(snap, view, inst), nil
}

// known gives an installation, or NotFound.
func (v View) known(id cluster.ServiceID) (*Installed, error) {
	if inst := v.find(id); inst != nil {
		return inst, nil
	}
	var ids []string
	for i := range v.Installations {
		ids = append(ids, string(v.Installations[i].ID))
	}
	e := problem.New(problem.NotFound, "there is no installation %q", id)
	if near := catalog.Nearest(string(id), ids); len(near) > 0 {
		return nil, e.WithHint("did you mean %s?", strings.Join(near, ", "))
	}
	return nil, e.WithHint("dcos package list shows what is installed")
}

func show(snap *index.Snapshot, view View, i *Installed) Installation {
	out := Installation{ID: i.ID, Package: i.Package, Version: i.Version, Digest: i.Digest, Repository: i.Repository, Options: i.Options,
		PlanDigest: i.PlanDigest, Auto: i.Auto, Removing: i.Removing, At: i.At, Principal: i.Principal, Bindings: i.Bindings,
		RequiredBy: dependents(snap, view, i)}
	if pkg := snap.Package(i.Package); pkg != nil {
		if h := pkg.Head(); h != nil && newer(h.Version.String(), i.Version) {
			out.Newest = h.Version.String()
		}
	}
	return out
}

// Remove uninstalls. It refuses (problem.Conflict) while another installation
// needs this one, unless force. Volumes are left: what destroys data is a plan of
// KindUninstall, which says so before it is confirmed.
func (p *Planner) Remove(ctx context.Context, principal string, id cluster.ServiceID, force bool) (Removal, error) {
	p.applying.Lock()
	defer p.applying.Unlock()
	snap, _ := p.index.Fresh(ctx)
	view, err := p.view(ctx)
	if err != nil {
		return Removal{}, fmt.Errorf("uninstall %s: %w", id, err)
	}
	inst, err := view.known(id)
	if err != nil {
		return Removal{}, err
	}
	out, err := removal(snap, view, inst, force)
	if err != nil {
		return Removal{}, err
	}
	remove := p.engine.Remove
	if keeper, ok := p.engine.(Keeper); ok {
		r, err := keeper.Record(ctx, id)
		if err != nil {
			return Removal{}, fmt.Errorf("uninstall %s: %w", id, err)
		}
		out.KeptData = keepsVolumes(r.Service)
		remove = func(ctx context.Context, principal string, id cluster.ServiceID) error {
			return keeper.RemoveService(ctx, principal, id, out.KeptData)
		}
	}
	if err := remove(ctx, principal, id); err != nil {
		return Removal{}, fmt.Errorf("uninstall %s: %w", id, err)
	}
	return out, nil
}

// dependents lists the installations that would miss a requirement without
// target: those that are bound to it, or where the engine keeps no bindings by
// what the catalog knows of their releases.
func dependents(snap *index.Snapshot, view View, target *Installed) []cluster.ServiceID {
	var out []cluster.ServiceID
	for i := range view.Installations {
		who := &view.Installations[i]
		if who.ID == target.ID || who.Removing {
			continue
		}
		if view.bound {
			if who.isBoundTo(target.ID) {
				out = append(out, who.ID)
			}
			continue
		}
		r := snap.ByDigest(who.Package, who.Digest)
		if r == nil || r.Config == nil {
			continue
		}
		for _, q := range r.Config.Requires {
			if !q.Optional && meets(snap, target, q) && !othersMeet(snap, view, target, who, q) {
				out = append(out, who.ID)
				break
			}
		}
	}
	return out
}

func othersMeet(snap *index.Snapshot, view View, target, who *Installed, q catalog.Requirement) bool {
	for i := range view.Installations {
		o := &view.Installations[i]
		if o.ID != target.ID && o.ID != who.ID && !o.Removing && meets(snap, o, q) {
			return true
		}
	}
	return false
}

// meets reports whether an installation satisfies a requirement, by its own
// name or by what it provides.
func meets(snap *index.Snapshot, i *Installed, q catalog.Requirement) bool {
	if i == nil {
		return false
	}
	v, err := constraint.ParseVersion(i.Version)
	if err != nil {
		return false
	}
	if i.Package == q.Name {
		return q.Version.Check(v)
	}
	r := snap.ByDigest(i.Package, i.Digest)
	if r == nil || r.Config == nil {
		return false
	}
	for _, p := range r.Config.Provides {
		pv := p.Version
		if pv.IsZero() {
			pv = v
		}
		if p.Name == q.Name && q.Version.Check(pv) {
			return true
		}
	}
	return false
}

// maxRunAction is how much of an action's name stands in the id of a run, in
// bytes: task ids are made of it and have a limit.
const maxRunAction = 31

// runID makes an id for a run of an action that nobody had before.
func runID(service cluster.ServiceID, action string) cluster.RunID {
	action = strings.ReplaceAll(action[:min(len(action), maxRunAction)], " ", "-") // names are ASCII
	b := make([]byte, 5)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return cluster.RunID(fmt.Sprintf("%s-%s-%s", service, action, hex.EncodeToString(b)))
}
