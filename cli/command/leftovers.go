package command

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// leftoversCommand makes the commands on what uninstalled services left.
func (a *app) leftoversCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the volumes that uninstalled services left", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.leftovers(cmd.Context()) },
	}
	destroy := &cobra.Command{
		Use: "destroy ID", Short: "Destroy what an uninstalled service left", Args: args("ID"),
		RunE: func(cmd *cobra.Command, got []string) error {
			return a.destroyLeftovers(cmd.Context(), cluster.ServiceID(got[0]))
		},
	}
	return newGroup("leftovers", "The volumes that uninstalled services left", list, destroy)
}

// leftVolumes are all volumes of what a service left, in order.
func leftVolumes(l core.Leftovers) []cluster.Volume {
	var out []cluster.Volume
	for _, k := range sortedKeys(l.Places) {
		out = append(out, l.Places[k].Volumes...)
	}
	return out
}

func (a *app) leftovers(ctx context.Context) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	list, err := rt.Leftovers(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		a.say("No uninstalled service left anything.")
	}
	names := func() []string {
		var out []string
		for _, l := range list {
			out = append(out, string(l.Service))
		}
		return out
	}
	return a.list("LeftoversList", list, func() *render.Table {
		t := &render.Table{Columns: []render.Column{{Name: "ID"}, {Name: "INSTANCES", Cut: true}, {Name: "VOLUMES"}, {Name: "AGENTS", Cut: true}, {Name: a.ageName(), Right: true}}}
		for _, l := range list {
			var agents []string
			for _, k := range sortedKeys(l.Places) {
				agents = append(agents, string(l.Places[k].Agent))
			}
			t.Add(render.Text(string(l.Service)), render.Text(strings.Join(sortedKeys(l.Places), " ")), render.Text(volumesText(leftVolumes(l))),
				render.Text(strings.Join(unique(agents), " ")), render.Text(a.age(l.At)))
		}
		return t
	}, names)
}

func (a *app) destroyLeftovers(ctx context.Context, id cluster.ServiceID) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	l, err := rt.Leftover(ctx, id)
	if problem.Is(err, problem.NotFound) {
		var ids []string
		list, _ := rt.Leftovers(ctx) // for the hint only
		for _, l := range list {
			ids = append(ids, string(l.Service))
		}
		return suggest(problem.New(problem.NotFound, "no uninstalled service %q left anything", id).WithHint("list what is left with: dcos service leftovers list"), string(id), ids)
	}
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, fmt.Sprintf("Destroy the %s that %s left, with their data?", volumesText(leftVolumes(l)), id)); err != nil {
		return err
	}
	done, err := rt.ReleaseLeftovers(ctx, id)
	if err != nil {
		return err
	}
	return a.object("Accepted", done, string(id), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Destroyed what %s left\n", render.Clean(string(id)))
		return err
	})
}
