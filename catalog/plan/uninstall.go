package plan

import (
	"context"
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// removal says what uninstalling does to others. It refuses while another
// installation needs this one, unless force.
func removal(snap *index.Snapshot, view View, inst *Installed, force bool) (Removal, error) {
	out := Removal{ID: inst.ID, Broken: dependents(snap, view, inst)}
	if len(out.Broken) > 0 && !force {
		names := make([]string, len(out.Broken))
		for i, b := range out.Broken {
			names[i] = string(b)
		}
		return Removal{}, problem.New(problem.Conflict, "%s is needed by %s", inst.ID, strings.Join(names, ", ")).
			WithHint("uninstall %s first, or do it all the same: --force", names[0])
	}
	after := View{bound: view.bound}
	for _, i := range view.Installations {
		if i.ID != inst.ID {
			after.Installations = append(after.Installations, i)
		}
	}
	for i := range after.Installations {
		if o := &after.Installations[i]; o.Auto && !o.Removing && len(dependents(snap, after, o)) == 0 {
			out.Orphans = append(out.Orphans, o.ID)
		}
	}
	return out, nil
}

// volumesOf counts the volumes of a service and adds up their sizes.
func volumesOf(s cluster.ServiceSpec) (n int, bytes int64) {
	for _, p := range s.Pods {
		for _, v := range p.Volumes {
			n += p.Count
			bytes += v.Size * int64(p.Count)
		}
	}
	return n, bytes
}

// uninstall plans the end of a service.
func (d *draft) uninstall(ctx context.Context) error {
	r, err := removal(d.snap, d.view, d.target, d.req.Force)
	if err != nil {
		return err
	}
	i := d.target
	r.KeptData = d.req.KeepData
	s := Step{Action: ActionUninstall, ServiceID: i.ID, Package: i.Package, Version: i.Version, Repository: i.Repository, Digest: i.Digest,
		Auto: i.Auto, KeepData: d.req.KeepData, Removal: &r}
	if d.record == nil {
		if d.req.KeepData {
			return problem.New(problem.Invalid, "uninstall %s: this engine cannot keep volumes", i.ID)
		}
	} else {
		var cost *Cost
		s.From = &From{Version: i.Version, Digest: i.Digest, Generation: d.record.Generation}
		s.Pods, cost = podCosts(d.record.Service)
		d.plan.Cost = d.plan.Cost.plus(*cost, -1)
		if n, bytes := volumesOf(d.record.Service); n > 0 && !d.req.KeepData {
			d.plan.Warnings = append(d.plan.Warnings, Warning{Code: WarnData, ServiceID: i.ID,
				Message: fmt.Sprintf("%d volumes of %s are destroyed with their data, %s in all; --keep-data leaves them for the next service of this id", n, i.ID, cluster.Bytes(bytes))})
		} else if n > 0 {
			d.plan.Cost.Disk += bytes // it stays taken
		}
	}
	d.plan.Steps = append(d.plan.Steps, s)
	return nil
}

// takeUp tells of volumes that an earlier service of the id left, and refuses
// them to another package.
func (d *draft) takeUp(s *Step) error {
	for _, l := range d.view.Leftovers {
		switch {
		case l.ID != s.ServiceID:
		case l.Package != "" && l.Package != s.Package:
			return problem.New(problem.Exists, "the id %s holds volumes that package %s %s left", l.ID, l.Package, l.Version).
				WithHint("choose another id: --id %s-2", s.Package)
		default:
			who := "the service " + string(l.ID) + " of before"
			if l.Package != "" {
				who = l.Package + " " + l.Version
			}
			d.plan.Warnings = append(d.plan.Warnings, Warning{Code: WarnLeftover, ServiceID: l.ID,
				Message: fmt.Sprintf("%s takes up the volumes of %d instances, %s, which %s left", l.ID, l.Instances, cluster.Bytes(l.Bytes), who)})
		}
	}
	return nil
}
