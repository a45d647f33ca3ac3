package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// planVerb is a verb of `dcos service plan`.
type planVerb struct {
	verb    core.Verb
	short   string
	long    string
	aliases []string // what DC/OS and other tools call it
	parts   []string // arguments after the plan
}

// planVerbs lists the verbs that change a plan.
func planVerbs() []planVerb {
	return []planVerb{
		{core.VerbStart, "Start a plan that is started by hand", "", nil, nil},
		{core.VerbConfirm, "Give the word that a plan, a phase or a step waits for", "", nil, []string{"[PHASE]", "[STEP]"}},
		{core.VerbPause, "Begin nothing new of a plan; what runs goes on", "", []string{"interrupt"}, nil},
		{core.VerbResume, "Go on with a plan that was paused or stopped", "", []string{"continue", "proceed"}, nil},
		{core.VerbStop, "Stop a plan and cancel what runs of it", "One that was started by hand ends with it; a change of the service can be resumed.", nil, nil},
		{core.VerbForce, "Declare a step, or an instance with its gate, complete", "Its run is canceled. The plan goes on as if it had ended well.", []string{"force"}, []string{"PHASE", "STEP"}},
		{core.VerbRestart, "Do a phase, or a step of it, again", "What was done, forced and confirmed of it is forgotten.", []string{"force-restart"}, []string{"PHASE", "[STEP]"}},
	}
}

// planCommand makes the commands on plans. With a service bound, as in `dcos
// kafka plan list`, they take no id.
func (a *app) planCommand(bound cluster.ServiceID) *cobra.Command {
	short := "The plans of a service: how it is brought up, changed and looked after"
	if bound != "" {
		short = "The plans of service " + string(bound)
	}
	list := a.ofService(bound, &cobra.Command{Use: "list", Short: "List the plans with where they stand"}, nil,
		func(ctx context.Context, id cluster.ServiceID, _ []string) error { return a.planList(ctx, id) })
	show := a.ofService(bound, &cobra.Command{Use: "show", Aliases: []string{"status"}, Short: "Show a plan: its phases, its steps and what it waits for",
		Long: `Show a plan: its phases, its steps and what it waits for.

Without a name it is the plan that is under way, or else the latest change.`}, []string{"[PLAN]"},
		func(ctx context.Context, id cluster.ServiceID, rest []string) error {
			return a.planShow(ctx, id, strings.Join(rest, ""))
		})
	group := newGroup("plan", short, list, show)
	for _, v := range planVerbs() {
		group.AddCommand(a.planVerbCommand(bound, v))
	}
	return group
}

func (a *app) planVerbCommand(bound cluster.ServiceID, v planVerb) *cobra.Command {
	var wait bool
	var timeout time.Duration
	c := &cobra.Command{Use: string(v.verb), Short: v.short, Aliases: v.aliases}
	if v.long != "" {
		c.Long = v.short + ".\n\n" + v.long
	}
	a.ofService(bound, c, append([]string{"PLAN"}, v.parts...), func(ctx context.Context, id cluster.ServiceID, rest []string) error {
		part := runtimeclient.CallPlan{}
		if len(rest) > 1 {
			part.Phase = rest[1]
		}
		if len(rest) > 2 {
			part.Step = rest[2]
		}
		return a.callPlan(ctx, id, rest[0], v.verb, part, wait, timeout)
	})
	switch v.verb {
	case core.VerbPause, core.VerbStop:
	default:
		c.Flags().BoolVar(&wait, "wait", false, "follow the plan to its end")
		c.Flags().DurationVar(&timeout, "timeout", defaultTimeout, "with --wait: how long")
	}
	return c
}

// ofService completes a command on a service: its arguments are ID and rest, or
// only rest when the service is bound.
func (a *app) ofService(bound cluster.ServiceID, c *cobra.Command, rest []string, run func(ctx context.Context, id cluster.ServiceID, rest []string) error) *cobra.Command {
	names := rest
	if bound == "" {
		names = append([]string{"ID"}, rest...)
	}
	c.ValidArgsFunction = func(cmd *cobra.Command, got []string, word string) ([]string, cobra.ShellCompDirective) {
		switch {
		case bound == "" && len(got) == 0:
			return a.completeServices(cmd, got, word)
		case len(got) >= len(names) || !strings.Contains(names[len(got)], "PLAN"):
			return nil, cobra.ShellCompDirectiveNoFileComp
		case bound == "":
			return a.completePlans(cmd.Context(), cluster.ServiceID(got[0])), cobra.ShellCompDirectiveNoFileComp
		}
		return a.completePlans(cmd.Context(), bound), cobra.ShellCompDirectiveNoFileComp
	}
	c.Use = strings.TrimSpace(c.Use + " " + strings.Join(names, " "))
	c.Args = args(names...)
	c.RunE = func(cmd *cobra.Command, got []string) error {
		if bound != "" {
			return run(cmd.Context(), bound, got)
		}
		return run(cmd.Context(), cluster.ServiceID(got[0]), got[1:])
	}
	return c
}

// completePlans lists the plans of a service, none when they cannot be had.
func (a *app) completePlans(ctx context.Context, id cluster.ServiceID) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	_, s, err := a.status(ctx, id)
	if err != nil {
		return nil
	}
	return planNames(s)
}

// status reads a service; the error for an unknown one names the nearest.
func (a *app) status(ctx context.Context, id cluster.ServiceID) (*runtimeclient.Client, service.Status, error) {
	rt, err := a.runtime()
	if err != nil {
		return nil, service.Status{}, err
	}
	s, err := rt.Service(ctx, id)
	if err != nil {
		return nil, s, a.nearService(ctx, string(id), err)
	}
	return rt, s, nil
}

func (a *app) planList(ctx context.Context, id cluster.ServiceID) error {
	_, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	table := func() *render.Table { return a.planTable(s.Plans) }
	return a.list("ServicePlanList", s.Plans, table, func() []string { return planNames(s) })
}

// planTable lists plans.
func (a *app) planTable(list []service.PlanStatus) *render.Table {
	t := &render.Table{Columns: []render.Column{{Name: "PLAN"}, {Name: "STATUS"}, {Name: "STARTS"}, {Name: "GENERATION", Right: true, Wide: true},
		{Name: "STARTED", Right: true}, {Name: "ENDED", Right: true}, {Name: "WHY", Cut: true, Sparse: true}}}
	for _, p := range list {
		starts := "by itself"
		if p.ByHand {
			starts = "by hand"
		}
		t.Add(render.Text(p.Name), planCell(p.Status), render.Text(starts), render.Text(fmt.Sprint(p.Generation)),
			render.Text(a.age(p.Started)), render.Text(a.age(p.Ended)), render.Text(p.WhyText))
	}
	return t
}

func planNames(s service.Status) []string {
	var names []string
	for _, p := range s.Plans {
		names = append(names, p.Name)
	}
	return names
}

// choosePlan finds a plan by its name; without one, the plan that is under way,
// else the latest change.
func choosePlan(s service.Status, name string) (service.PlanStatus, error) {
	if name != "" {
		if p := planOf(s, name); p != nil {
			return *p, nil
		}
		e := problem.New(problem.NotFound, "service %s has no plan %q", s.ID, name).WithHint("list its plans with: dcos service plan list %s", s.ID)
		return service.PlanStatus{}, suggest(e, name, planNames(s))
	}
	if i := slices.IndexFunc(s.Plans, underway); i >= 0 {
		return s.Plans[i], nil
	}
	if p := changeOf(s); p != nil {
		return *p, nil
	}
	return service.PlanStatus{}, problem.New(problem.NotFound, "service %s has no plan: it is %s", s.ID, s.State)
}

func (a *app) planShow(ctx context.Context, id cluster.ServiceID, name string) error {
	_, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	p, err := choosePlan(s, name)
	if err != nil {
		return err
	}
	return a.object("ServicePlan", p, p.Name, func(w io.Writer) error { return a.writePlanStatus(w, p) })
}

// callPlan gives a verb to a plan, after asking where it closes the way back.
func (a *app) callPlan(ctx context.Context, id cluster.ServiceID, name string, verb core.Verb, part runtimeclient.CallPlan, wait bool, timeout time.Duration) error {
	rt, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	if _, err := choosePlan(s, name); err != nil {
		return err
	}
	rec, err := rt.ServiceRecord(ctx, id)
	if err != nil {
		return err
	}
	if steps := closing(&rec.Spec, name, verb, part); len(steps) > 0 {
		if err := a.confirm(ctx, fmt.Sprintf("%s closes the way back: what %s was before cannot come back after it. Go ahead?", strings.Join(steps, ", "), id)); err != nil {
			return err
		}
	}
	if _, err := rt.CallPlan(ctx, id, name, verb, part); err != nil {
		return err
	}
	if !wait {
		return a.planShow(ctx, id, name)
	}
	last, err := a.wait(ctx, timeout, planGoal(id, name), id)
	if err != nil {
		return err
	}
	p := planOf(last[0], name)
	if p == nil || p.Status != service.PlanComplete {
		return problem.New(problem.Conflict, "plan %s of service %s was not completed", name, id).WithHint("look at it with: dcos service plan show %s %s", id, name)
	}
	return a.object("ServicePlan", *p, name, func(w io.Writer) error { return a.writePlanStatus(w, *p) })
}

// closing lists the steps that close the way back and that a verb sets going, or
// declares done. A step that asks for a word of its own is asked about then.
func closing(spec *cluster.ServiceSpec, name string, verb core.Verb, part runtimeclient.CallPlan) []string {
	switch verb {
	case core.VerbStart, core.VerbConfirm, core.VerbForce:
	default:
		return nil
	}
	i := slices.IndexFunc(spec.Plans, func(p cluster.PlanSpec) bool { return p.Name == name })
	if verb == core.VerbStart && i >= 0 && spec.Plans[i].Confirm {
		return nil
	}
	phases, _ := spec.Phases(name)
	var out []string
	for _, ph := range phases {
		if part.Phase != "" && ph.Name != part.Phase || part.Phase == "" && ph.Confirm {
			continue
		}
		for _, st := range ph.Steps {
			here := !st.Confirm
			if part.Step != "" {
				here = st.Name == part.Step
			}
			if st.NoReturn && here {
				out = append(out, "step "+cluster.StepKey(ph.Name, st.Name))
			}
		}
	}
	return out
}
