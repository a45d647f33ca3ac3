package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// uninstallFlags are the flags of uninstall.
type uninstallFlags struct {
	keepData, force, planOnly, noWait bool
	timeout                           time.Duration
}

func (a *app) uninstallCommand() *cobra.Command {
	var f uninstallFlags
	c := &cobra.Command{
		Use: "uninstall ID", Short: "Remove a service and wait until all of it is gone", Args: args("ID"),
		Long: `Remove a service and wait until all of it is gone.

Its volumes are destroyed with their data: the question says how much that is,
and --yes answers it. With --keep-data they stay, and the next service of that id
takes them up; "dcos service leftovers" lists them, and destroys them.`,
		Example:           "  dcos package uninstall kafka\n  dcos package uninstall kafka --keep-data --yes",
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.uninstall(cmd.Context(), cluster.ServiceID(args[0]), f)
		},
	}
	c.Flags().BoolVar(&f.keepData, "keep-data", false, "leave the volumes, for the next service of this id")
	c.Flags().BoolVar(&f.force, "force", false, "even if another installation needs it")
	c.Flags().BoolVar(&f.planOnly, "plan", false, "show the plan and change nothing")
	c.Flags().BoolVar(&f.planOnly, "dry-run", false, "the same as --plan")
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait until it is gone")
	c.Flags().DurationVar(&f.timeout, "timeout", defaultTimeout, "how long to wait")
	return c
}

func (a *app) uninstall(ctx context.Context, id cluster.ServiceID, f uninstallFlags) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	inst, err := cat.Installation(ctx, id)
	if err != nil {
		return err
	}
	removal := plan.Removal{ID: id}
	// That it is being removed already is no reason not to wait for it.
	if inst.Removing && !f.planOnly {
		a.say("%s is being removed already; what becomes of its data was decided then.", id)
	} else {
		p, err := cat.Plan(ctx, plan.Request{Kind: plan.KindUninstall, ServiceID: id, KeepData: f.keepData, Force: f.force})
		if err != nil {
			return err
		}
		if f.planOnly {
			return a.showPlan(p, false)
		}
		if p, err = a.apply(ctx, cat, p, removalQuestion(p)); err != nil {
			return err
		}
		if r := removalOf(p); r != nil {
			removal = *r
		}
	}
	if !f.noWait {
		if err := a.waitGone(ctx, id, f.timeout); err != nil {
			return err
		}
	}
	for _, o := range removal.Orphans {
		a.say("%s was installed for it and is needed by nothing else now. Remove it with: dcos package uninstall %s", o, o)
	}
	if removal.KeptData {
		a.sayKept(ctx, id)
	}
	return a.object("Removal", removal, string(id), func(w io.Writer) error {
		verb := "Removed"
		if f.noWait {
			verb = "Removing"
		}
		_, err := fmt.Fprintf(w, "%s %s\n", verb, render.Clean(string(id)))
		return err
	})
}

// removalOf is what a plan to uninstall does to others.
func removalOf(p *plan.Plan) *plan.Removal {
	i := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Action == plan.ActionUninstall })
	if i < 0 {
		return nil
	}
	return p.Steps[i].Removal
}

// removalQuestion asks for what an uninstallation ends and destroys.
func removalQuestion(p *plan.Plan) string {
	if slices.ContainsFunc(p.Warnings, func(w plan.Warning) bool { return w.Code == plan.WarnData }) {
		return fmt.Sprintf("Remove %s, end all its tasks and destroy its data?", target(p))
	}
	return fmt.Sprintf("Remove %s and end all its tasks?", target(p))
}

// sayKept tells what a service left, where it left something.
func (a *app) sayKept(ctx context.Context, id cluster.ServiceID) {
	rt, err := a.runtime()
	if err != nil {
		return
	}
	l, err := rt.Leftover(ctx, id)
	switch {
	case err == nil:
		a.say("%s of %s stay for the next service of that id. Destroy them with: dcos service leftovers destroy %s", volumesText(leftVolumes(l)), id, id)
	case !problem.Is(err, problem.NotFound):
		a.say("What %s left could not be asked: dcos service leftovers list", id)
	}
}
