package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func (a *app) nodeCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the agents with what they have and what is used", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.nodeList(cmd.Context()) },
	}
	return newGroup("node", "The agents of the cluster", list, a.drainCommand(), a.reactivateCommand(), a.removeNodeCommand())
}

func (a *app) nodeList(ctx context.Context) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	agents, err := rt.Agents(ctx)
	if err != nil {
		return err
	}
	if len(agents) == 0 {
		a.say("No agent has registered. Start one with: universe agent")
	}
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{
			{Name: "ID"}, {Name: "STATE"}, {Name: "HOST"}, {Name: "TASKS", Right: true}, {Name: "CPUS", Right: true},
			{Name: "MEM", Right: true}, {Name: "DISK", Right: true}, {Name: "SINCE", Right: true},
			{Name: "HOSTNAME", Wide: true}, {Name: "PORTS", Wide: true},
		}}
		for _, n := range agents {
			state := nodeCell(n)
			have, used := n.Info.Total, n.Allocated
			t.Add(render.Text(string(n.Info.ID)), state, render.Text(n.Info.Host), render.Text(fmt.Sprint(n.Tasks)),
				render.Text(render.CPUs(used.CPU)+"/"+render.CPUs(have.CPU)),
				render.Text(ofBytes(used.Mem, have.Mem)), render.Text(ofBytes(used.Disk, have.Disk)),
				render.Text(a.age(n.Since)), render.Text(n.Info.Hostname), render.Text(have.Ports.String()))
		}
		return t
	}
	return a.list("NodeList", agents, table, func() []string {
		var ids []string
		for _, n := range agents {
			ids = append(ids, string(n.Info.ID))
		}
		return ids
	})
}

// nodeCell is an agent's state, with what an operator wants of it.
func nodeCell(n core.Agent) render.Cell {
	cell := render.Cell{Text: string(n.State), Style: render.Good}
	switch {
	case n.State != cluster.AgentActive:
		cell.Style = render.Bad
	case n.Drain != nil:
		cell = render.Cell{Text: string(n.Drain.State), Style: render.Warn}
	case n.Deactivated:
		cell = render.Cell{Text: "deactivated", Style: render.Warn}
	}
	return cell
}

// ofBytes prints a part of an amount: "2 GiB/8 GiB".
func ofBytes(used, have int64) string {
	if used == 0 {
		return "0/" + render.Bytes(have)
	}
	return render.Bytes(used) + "/" + render.Bytes(have)
}
