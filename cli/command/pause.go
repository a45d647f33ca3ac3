package command

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.ofService("", &cobra.Command{Use: "pause", Short: "Begin nothing new of what is under way with a service",
		Long: `Begin nothing new of what is under way with a service: all its plans are paused,
or the one that is named. What runs goes on.`}, []string{"[PLAN]"},
		func(ctx context.Context, id cluster.ServiceID, rest []string) error {
			return a.callAll(ctx, id, core.VerbPause, rest, func(p service.PlanStatus) bool {
				return underway(p) && p.Status != service.PlanPaused && p.Status != service.PlanStopped
			})
		})
}

func (a *app) resumeCommand() *cobra.Command {
	return a.ofService("", &cobra.Command{Use: "resume", Short: "Go on with what was paused or stopped of a service"}, []string{"[PLAN]"},
		func(ctx context.Context, id cluster.ServiceID, rest []string) error {
			return a.callAll(ctx, id, core.VerbResume, rest, func(p service.PlanStatus) bool {
				return underway(p) && (p.Status == service.PlanPaused || p.Status == service.PlanStopped)
			})
		})
}

// callAll gives a verb to the plan that is named, or to all that it suits.
func (a *app) callAll(ctx context.Context, id cluster.ServiceID, verb core.Verb, rest []string, suits func(service.PlanStatus) bool) error {
	rt, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	names := rest
	if len(names) == 0 {
		for _, p := range s.Plans {
			if suits(p) {
				names = append(names, p.Name)
			}
		}
	} else if _, err := choosePlan(s, names[0]); err != nil {
		return err
	}
	if len(names) == 0 {
		return problem.New(problem.Conflict, "service %s has no plan to %s", id, verb).WithHint("see its plans: dcos service plan list %s", id)
	}
	for _, n := range names {
		if _, err := rt.CallPlan(ctx, id, n, verb, runtimeclient.CallPlan{}); err != nil {
			return err
		}
	}
	if s, err = rt.Service(ctx, id); err != nil {
		return err
	}
	list := slices.DeleteFunc(slices.Clone(s.Plans), func(p service.PlanStatus) bool { return !slices.Contains(names, p.Name) })
	return a.list("ServicePlanList", list, func() *render.Table { return a.planTable(list) }, func() []string { return names })
}
