package command

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	catalogclient "github.com/universe-dcos/universe/catalog/client"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// changeFlags are the flags of all commands that change a service by a plan.
type changeFlags struct {
	planOnly bool
	detailed bool
	noWait   bool
	timeout  time.Duration
}

func (f *changeFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.planOnly, "plan", false, "show the plan and change nothing")
	c.Flags().BoolVar(&f.planOnly, "dry-run", false, "the same as --plan")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "with --plan: exit with 10 when something would change")
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait until it is done")
	c.Flags().DurationVar(&f.timeout, "timeout", defaultTimeout, "how long to wait")
}

// wantFlags are the flags that say what a service is to be.
type wantFlags struct {
	changeFlags
	version string
	file    string
	sets    []string
	binds   []string
	force   bool
}

func (f *wantFlags) add(c *cobra.Command) {
	f.changeFlags.add(c)
	c.Flags().StringVar(&f.file, "options", "", "a file with the options that change, JSON or YAML; - is the standard input")
	c.Flags().StringArrayVar(&f.sets, "set", nil, "one option, as name=value; name=null takes it back to its default; may be repeated")
	c.Flags().StringArrayVar(&f.binds, "bind", nil, "meet a requirement by an installation, as alias=id; may be repeated")
	c.Flags().BoolVar(&f.force, "force", false, "give up a change that is under way")
}

// request makes the request of the command line.
func (a *app) changeRequest(kind plan.Kind, id string, f wantFlags) (plan.Request, error) {
	opts, err := a.readOptions(f.file, f.sets)
	if err != nil {
		return plan.Request{}, err
	}
	r := plan.Request{Kind: kind, ServiceID: cluster.ServiceID(id), Version: f.version, Options: opts, Force: f.force}
	r.Bind, err = bindings(f.binds)
	return r, err
}

func (a *app) upgradeCommand() *cobra.Command {
	var f wantFlags
	c := &cobra.Command{
		Use: "upgrade ID", Short: "Bring a service to another release: show the plan, ask, and follow it",
		Long: `Bring a service to another release: show the plan, ask, and follow it.

Without --version it is the newest. An older version is a downgrade, if the
package allows it. The options stay as they are but for those that are given.
The plan says which pods change and why, in which order, and what cannot be
taken back. Where the package waits for a person's word, so does the upgrade.`,
		Example: "  dcos package upgrade kafka\n  dcos package upgrade kafka --version 4.3.1 --plan\n  dcos package upgrade kafka --set brokers.mem=4096",
		Args:    args("ID"), ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, got []string) error {
			r, err := a.changeRequest(plan.KindUpgrade, got[0], f)
			if err != nil {
				return err
			}
			return a.change(cmd.Context(), r, f.changeFlags)
		},
	}
	c.Flags().StringVar(&f.version, "version", "", "a version or a range such as ^4 (default the newest)")
	f.add(c)
	return c
}

func (a *app) configureCommand() *cobra.Command {
	var f wantFlags
	c := &cobra.Command{
		Use: "configure ID", Short: "Change the options of a service: show the plan, ask, and follow it",
		Long: `Change the options of a service: show the plan, ask, and follow it.

The options that are given are merged into those that it has; the release stays.`,
		Example: "  dcos package configure kafka --set brokers.count=5\n  dcos package configure kafka --options kafka.yaml --plan",
		Args:    args("ID"), ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, got []string) error {
			r, err := a.changeRequest(plan.KindConfigure, got[0], f)
			if err != nil {
				return err
			}
			if len(r.Options) == 0 && len(r.Bind) == 0 {
				return usage("nothing to change is given").WithHint("give --set name=value, --options FILE or --bind alias=id")
			}
			return a.change(cmd.Context(), r, f.changeFlags)
		},
	}
	f.add(c)
	return c
}

// change makes the plan of a request, shows it, asks, applies it and follows the
// service until it is as the plan has it.
func (a *app) change(ctx context.Context, req plan.Request, f changeFlags) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	p, err := cat.Plan(ctx, req)
	if err != nil {
		return err
	}
	if f.planOnly {
		return a.showPlan(p, f.detailed)
	}
	return a.carryOut(ctx, cat, p, f)
}

// showPlan prints a plan as data.
func (a *app) showPlan(p *plan.Plan, detailed bool) error {
	err := a.object("Plan", p, p.Digest, func(w io.Writer) error { return writePlan(w, p, a.planStyle(a.paint.out, a.OutTerminal)) })
	if err == nil && detailed && len(changedServices(p)) > 0 {
		return quiet(ExitChanges)
	}
	return err
}

// carryOut applies a plan that changes a service, and follows it.
func (a *app) carryOut(ctx context.Context, cat *catalogclient.Client, p *plan.Plan, f changeFlags) error {
	began := a.Now()
	p, err := a.apply(ctx, cat, p, kindQuestion(p.Kind))
	if err != nil {
		return err
	}
	id := target(p)
	if f.noWait {
		a.say("%s of %s is accepted. Watch it with: dcos service watch %s", kindWord(p.Kind), id, id)
		return a.printInstalled(ctx, cat, p, nil)
	}
	last, err := a.wait(ctx, f.timeout, changeGoal(id), changedServices(p)...)
	if err != nil {
		return err
	}
	for _, s := range last {
		if c := changeOf(s); s.ID == id && p.Kind != plan.KindRollback && c != nil && c.Back != 0 {
			return problem.New(problem.Conflict, "service %s went back to generation %d: the time of the change was over", id, c.Back).
				WithHint("what it was: dcos service history %s", id)
		}
	}
	a.say("%s of %s done in %s.", kindWord(p.Kind), id, render.Duration(a.Now().Sub(began)))
	return a.printInstalled(ctx, cat, p, last)
}

// changeGoal waits until the change of a service is through.
func changeGoal(id cluster.ServiceID) goal {
	g := installGoal(id)
	g.late, g.goes = "is not through with its change", "the change"
	g.hint = fmt.Sprintf("what it waits for: dcos service why %s\nor take it back with: dcos package rollback %s", id, id)
	runs := planGoal(id, cluster.PlanUpdate).missing
	g.missing = func(s service.Status) []string {
		if out := notReady(s); len(out) > 0 {
			return out
		}
		return runs(s)
	}
	return g
}

// kindWord is a kind of a plan as a heading.
func kindWord(k plan.Kind) string {
	switch k {
	case plan.KindUpgrade:
		return "Upgrade"
	case plan.KindDowngrade:
		return "Downgrade"
	case plan.KindConfigure:
		return "Configuration"
	case plan.KindRollback:
		return "Rollback"
	case plan.KindUninstall:
		return "Removal"
	}
	return "Installation"
}

// kindQuestion asks whether to go ahead with a plan.
func kindQuestion(k plan.Kind) string {
	switch k {
	case plan.KindUpgrade:
		return "Upgrade?"
	case plan.KindDowngrade:
		return "Downgrade?"
	case plan.KindConfigure:
		return "Change it?"
	case plan.KindRollback:
		return "Roll back?"
	}
	return "Install?"
}

// changedServices lists the services that a plan adds or changes, in order.
func changedServices(p *plan.Plan) []cluster.ServiceID {
	var ids []cluster.ServiceID
	for _, s := range p.Steps {
		if s.Action != plan.ActionKeep {
			ids = append(ids, s.ServiceID)
		}
	}
	return ids
}
