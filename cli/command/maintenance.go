package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// maintenanceFlags are when agents are away.
type maintenanceFlags struct {
	start    string
	duration time.Duration
	clear    bool
}

func (a *app) maintenanceCommand() *cobra.Command {
	var f maintenanceFlags
	c := &cobra.Command{
		Use: "maintenance ID...", Short: "Plan when agents are away, or that they are not",
		Long: `Plan when agents are away. It moves nothing: offers of the agents carry the
plan, so that frameworks can avoid them. To move tasks, use dcos node drain.`,
		Example: `  dcos node maintenance a1 --start 2h --duration 30m
  dcos node maintenance a1 a2 --start 2026-12-24T20:00:00Z --duration 4h
  dcos node maintenance a1 --clear`,
		Args: func(cmd *cobra.Command, got []string) error {
			return args("ID")(cmd, got[:min(len(got), 1)])
		},
		ValidArgsFunction: a.completeNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.maintenance(cmd.Context(), args, f)
		},
	}
	c.Flags().StringVar(&f.start, "start", "", "2026-12-24T20:00:00Z, or 2h for from now on (default now)")
	c.Flags().DurationVar(&f.duration, "duration", 0, "how long (default without an end)")
	c.Flags().BoolVar(&f.clear, "clear", false, "nothing is planned any more")
	return c
}

// window is the plan that the flags mean; nil: none.
func (f maintenanceFlags) window(now time.Time) (*cluster.Unavailability, error) {
	switch {
	case f.clear && (f.start != "" || f.duration != 0):
		return nil, usage("--clear takes neither --start nor --duration")
	case f.clear:
		return nil, nil
	case f.start == "" && f.duration == 0:
		return nil, usage("when the agents are away is not said").WithHint("give --start, --duration or both, or --clear")
	case f.duration < 0:
		return nil, usage("--duration %s is negative", f.duration)
	}
	start := now
	if f.start != "" {
		in, err := time.ParseDuration(f.start)
		start = now.Add(in)
		if err != nil {
			if start, err = time.Parse(time.RFC3339, f.start); err != nil {
				return nil, usage("--start %q is neither a time nor how long from now", f.start).WithHint("write it as 2026-12-24T20:00:00Z, or as 2h")
			}
		}
		if in < 0 || start.UnixMilli() < 0 {
			return nil, usage("--start %q is in the past", f.start)
		}
	}
	return &cluster.Unavailability{Start: cluster.Time(start.UnixMilli()), Duration: millisOf(f.duration)}, nil
}

func (a *app) maintenance(ctx context.Context, ids []string, f maintenanceFlags) error {
	w, err := f.window(a.Now())
	if err != nil {
		return err
	}
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	m := runtimeclient.Maintenance{Window: w}
	for _, id := range ids {
		m.Agents = append(m.Agents, cluster.AgentID(id))
	}
	if _, err := rt.PutMaintenance(ctx, m); err != nil {
		return err
	}
	for _, id := range m.Agents {
		if w == nil {
			a.say("No maintenance is planned for agent %s.", id)
		} else {
			a.say("Agent %s is planned to be away %s.", id, windowText(*w))
		}
	}
	return a.changedNodes(ctx, rt, m.Agents...)
}

// windowText says when a window is: "from 2026-12-24T20:00:00Z for 4h00m".
func windowText(w cluster.Unavailability) string {
	text := "from " + timeOf(w.Start).UTC().Format(time.RFC3339)
	if w.Duration > 0 {
		text += " for " + render.Duration(time.Duration(w.Duration)*time.Millisecond)
	}
	return text
}

// away reports whether an agent is in its maintenance window.
func away(n core.Agent, now time.Time) bool {
	w := n.Maintenance
	if w == nil || now.Before(timeOf(w.Start)) {
		return false
	}
	return w.Duration == 0 || now.Before(timeOf(w.Start.Add(w.Duration)))
}

// changedNodes prints agents after a change, for programs: people were told in
// a sentence. A list is printed of more than one.
func (a *app) changedNodes(ctx context.Context, rt *runtimeclient.Client, ids ...cluster.AgentID) error {
	if a.format != render.FormatJSON && a.format != render.FormatYAML {
		return nil
	}
	var changed []core.Agent
	for _, id := range ids {
		n, err := nodeOf(ctx, rt, id)
		if err != nil {
			return err
		}
		changed = append(changed, n)
	}
	if len(changed) == 1 {
		return a.object("Node", changed[0], string(ids[0]), nil)
	}
	return a.list("NodeList", changed, nil, nil)
}

// switchCommand makes the command of a change that an agent only has to be named for.
func (a *app) switchCommand(verb, short, long, done string,
	change func(*runtimeclient.Client, context.Context, cluster.AgentID) (runtimeclient.Accepted, error)) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Long: long, Args: args("ID"), ValidArgsFunction: a.completeNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			rt, err := a.runtime()
			if err != nil {
				return err
			}
			id := cluster.AgentID(args[0])
			if _, err := change(rt, cmd.Context(), id); err != nil {
				return err
			}
			a.say(done, id)
			return a.changedNodes(cmd.Context(), rt, id)
		},
	}
}

func (a *app) deactivateCommand() *cobra.Command {
	return a.switchCommand("deactivate", "Give an agent no more tasks; those it has run on",
		"Give an agent no more tasks. Those it has run on. It lasts until dcos node reactivate.",
		"Agent %s gets no more tasks.", (*runtimeclient.Client).DeactivateAgent)
}

func (a *app) reactivateCommand() *cobra.Command {
	return a.switchCommand("reactivate", "Let an agent that was drained or deactivated get tasks again", "",
		"Agent %s gets tasks again.", (*runtimeclient.Client).ReactivateAgent)
}

// nodeState is an agent's state with what an operator wants of it.
func nodeState(n core.Agent, now time.Time) render.Cell {
	cell := render.Cell{Text: string(n.State), Style: render.Good}
	switch {
	case n.State != cluster.AgentActive:
		cell.Style = render.Bad
	case n.Drain != nil:
		cell = render.Cell{Text: string(n.Drain.State), Style: render.Warn}
	case n.Deactivated:
		cell = render.Cell{Text: "deactivated", Style: render.Warn}
	case away(n, now):
		cell = render.Cell{Text: "maintenance", Style: render.Warn}
	}
	return cell
}

// stateDetail is what nodeState leaves out; "" for nothing.
func (a *app) stateDetail(n core.Agent) string {
	switch {
	case n.State == cluster.AgentGone:
		return ""
	case n.Drain != nil && n.Drain.State == core.Draining && n.Drain.Killing:
		return "its tasks are being killed"
	case n.Drain != nil && n.Drain.State == core.Draining && n.Drain.Deadline > 0:
		return fmt.Sprintf("what still runs at %s is killed", timeOf(n.Drain.Deadline).UTC().Format(time.RFC3339))
	case n.Shrunk:
		return "its tasks and reservations need more than it has; it gets no more"
	}
	return ""
}
