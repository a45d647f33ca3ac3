package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// defaultDrain is how long tasks have to move away, unless it is said.
const defaultDrain = 10 * time.Minute

// drainPoll is the time between two looks at an agent that drains.
const drainPoll = time.Second

// drainFlags are how an agent is emptied.
type drainFlags struct {
	within, grace time.Duration
	gone, noWait  bool
}

func (a *app) drainCommand() *cobra.Command {
	var f drainFlags
	cmd := &cobra.Command{
		Use: "drain ID", Short: "Empty an agent: its tasks are moved, and killed after a while",
		Long: `Empty an agent. It gets no more tasks; services start replacements elsewhere and
end theirs here. What still runs after --within is killed. The agent stays empty
until dcos node reactivate.`,
		Args: args("ID"), ValidArgsFunction: a.completeNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.drain(cmd.Context(), cluster.AgentID(args[0]), f)
		},
	}
	cmd.Flags().DurationVar(&f.within, "within", defaultDrain, "after how long what still runs is killed; 0: at once")
	cmd.Flags().DurationVar(&f.grace, "max-grace", 0, "the longest time from TERM to KILL (default: each task's own)")
	cmd.Flags().BoolVar(&f.gone, "remove", false, "remove the agent for good once it is empty")
	cmd.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait until it is empty")
	return cmd
}

func (a *app) drain(ctx context.Context, id cluster.AgentID, f drainFlags) error {
	if f.within < 0 || f.grace < 0 {
		return usage("a time is negative")
	}
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	if f.gone {
		if err := a.confirm(ctx, fmt.Sprintf("Empty agent %s and remove it for good?", id)); err != nil {
			return err
		}
	}
	_, err = rt.DrainAgent(ctx, id, runtimeclient.DrainAgent{Within: millisOf(f.within), MaxGrace: millisOf(f.grace), MarkGone: f.gone})
	if err != nil {
		return err
	}
	if f.noWait {
		a.say("Agent %s drains. Look at it with: dcos node show %s", id, id)
		return a.changedNodes(ctx, rt, id)
	}
	if err := a.drained(ctx, rt, id, f.gone); err != nil {
		return err
	}
	return a.changedNodes(ctx, rt, id)
}

// drained follows an agent until it is empty, or gone where that is wanted.
func (a *app) drained(ctx context.Context, rt *runtimeclient.Client, id cluster.AgentID, gone bool) error {
	left := -1
	for {
		n, err := nodeOf(ctx, rt, id)
		switch {
		case ctx.Err() != nil:
			a.say("\nStopped waiting; the drain goes on. Look at it with: dcos node show %s", id)
			return quiet(ExitInterrupted)
		case err != nil:
			return err
		case n.State == cluster.AgentGone:
			a.say("Agent %s is empty and removed.", id)
			return nil
		case n.Drain == nil:
			return problem.New(problem.Conflict, "agent %q is not drained any more: somebody reactivated it", id)
		case n.Drain.State == core.Drained && !gone:
			a.say("Agent %s is empty.", id)
			return nil
		case n.Tasks != left:
			left = n.Tasks
			a.say("Agent %s drains: %s left.", id, render.Count(left, "task"))
		}
		select {
		case <-ctx.Done():
		case <-time.After(drainPoll):
		}
	}
}

func millisOf(d time.Duration) cluster.Millis { return cluster.Millis(d / time.Millisecond) }

// nodeOf is one agent of the list.
func nodeOf(ctx context.Context, rt *runtimeclient.Client, id cluster.AgentID) (core.Agent, error) {
	agents, err := rt.Agents(ctx)
	if err != nil {
		return core.Agent{}, err
	}
	var ids []string
	for _, n := range agents {
		if n.Info.ID == id {
			return n, nil
		}
		ids = append(ids, string(n.Info.ID))
	}
	e := problem.New(problem.NotFound, "there is no agent %q", id).WithHint("see what there is: dcos node list")
	return core.Agent{}, suggest(e, string(id), ids)
}

func (a *app) removeNodeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Remove an agent for good: its machine will not come back",
		Long: `Remove an agent whose machine will not come back. Its tasks count as lost and are
started elsewhere, and no agent of this id is let in again. To move the tasks
first, use dcos node drain --remove.`,
		Args: args("ID"), ValidArgsFunction: a.completeNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.removeNode(cmd.Context(), cluster.AgentID(args[0]))
		},
	}
}

func (a *app) removeNode(ctx context.Context, id cluster.AgentID) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	n, err := nodeOf(ctx, rt, id)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, fmt.Sprintf("Remove agent %s (%s, %d tasks) for good?", id, n.State, n.Tasks)); err != nil {
		return err
	}
	if _, err := rt.RemoveAgent(ctx, id); err != nil {
		return err
	}
	a.say("Agent %s is removed.", id)
	return a.changedNodes(ctx, rt, id)
}

// completeNodes completes the id of an agent that is not gone.
func (a *app) completeNodes(cmd *cobra.Command, got []string, _ string) ([]string, cobra.ShellCompDirective) {
	rt, err := a.runtime()
	if err != nil || len(got) > 0 && cmd.Name() != "maintenance" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	agents, err := rt.Agents(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, n := range agents {
		if id := string(n.Info.ID); n.State != cluster.AgentGone && !slices.Contains(got, id) {
			ids = append(ids, id)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
