package command

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

func (a *app) historyCommand() *cobra.Command {
	return a.ofService("", &cobra.Command{Use: "history", Short: "List what a service was before, and whether it can come back"}, nil,
		func(ctx context.Context, id cluster.ServiceID, _ []string) error { return a.history(ctx, id) })
}

func (a *app) history(ctx context.Context, id cluster.ServiceID) error {
	_, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{{Name: "GENERATION", Right: true}, {Name: "PACKAGE"}, {Name: "VERSION"}, {Name: "STATE"},
			{Name: a.ageName(), Right: true}, {Name: "BY", Sparse: true}, {Name: "ROLLBACK", Cut: true}}}
		for _, r := range s.History {
			t.Add(render.Text(fmt.Sprint(r.Generation)), render.Text(r.Package), render.Text(r.Version), revisionCell(r),
				render.Text(a.age(r.At)), render.Text(r.Principal), render.Text(comesBack(r)))
		}
		return t
	}
	return a.list("RevisionList", s.History, table, func() []string {
		var out []string
		for _, r := range s.History {
			out = append(out, fmt.Sprint(r.Generation))
		}
		return out
	})
}

func revisionCell(r service.RevisionStatus) render.Cell {
	switch {
	case r.Present && r.Settled:
		return render.Cell{Text: "present", Style: render.Good}
	case r.Present:
		return render.Cell{Text: "coming", Style: render.Warn}
	case r.Settled:
		return render.Text("was up")
	}
	return render.Cell{Text: "never up", Style: render.Muted}
}

// comesBack says whether a rollback can bring a revision back.
func comesBack(r service.RevisionStatus) string {
	switch {
	case r.Present:
		return "-"
	case r.NoReturn != "":
		return "no: " + r.NoReturn + " closed the way"
	}
	return "yes"
}

// rollbackCommand makes `rollback`, the same below service and package.
func (a *app) rollbackCommand() *cobra.Command {
	var f changeFlags
	c := &cobra.Command{
		Use: "rollback ID [GENERATION]", Short: "Bring back what a service was before",
		Long: `Bring back what a service was before: its release, options and bindings, whole.

Without a generation it is the latest that was brought up completely and is
another one. It can begin while a change is under way. "dcos service history ID"
lists the generations.`,
		Args: args("ID", "[GENERATION]"), ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, got []string) error {
			var to int64
			if len(got) > 1 {
				var err error
				if to, err = strconv.ParseInt(got[1], 10, 64); err != nil || to <= 0 {
					return usage("generation %q is not a number above 0", got[1]).WithHint("list them with: dcos service history %s", got[0])
				}
			}
			return a.rollback(cmd.Context(), cluster.ServiceID(got[0]), to, f)
		},
	}
	f.add(c)
	return c
}

// rollback goes by a plan where the service is of a package; a bare service has
// nothing to plan with.
func (a *app) rollback(ctx context.Context, id cluster.ServiceID, to int64, f changeFlags) error {
	rt, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	if s.Installation != nil {
		return a.change(ctx, plan.Request{Kind: plan.KindRollback, ServiceID: id, Generation: to}, f)
	}
	if f.planOnly {
		return usage("service %s is of no package: there is no plan to show", id)
	}
	what := "what it was before"
	if to != 0 {
		what = fmt.Sprintf("generation %d", to)
	}
	if err := a.confirm(ctx, fmt.Sprintf("Roll %s back to %s?", id, what)); err != nil {
		return err
	}
	if _, err := rt.RollbackService(ctx, id, runtimeclient.Rollback{Generation: to, Expect: &s.Generation}); err != nil {
		return err
	}
	return a.settled(ctx, id, f)
}

// settled waits for the end of a change of a bare service, and prints it.
func (a *app) settled(ctx context.Context, id cluster.ServiceID, f changeFlags) error {
	if f.noWait {
		a.say("The change of %s is accepted. Watch it with: dcos service watch %s", id, id)
		return a.serviceShow(ctx, string(id))
	}
	if _, err := a.wait(ctx, f.timeout, changeGoal(id), id); err != nil {
		return err
	}
	return a.serviceShow(ctx, string(id))
}
