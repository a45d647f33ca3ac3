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
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

func (a *app) serviceListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the services that run on the cluster", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serviceList(cmd.Context()) },
	}
}

func (a *app) serviceCommand() *cobra.Command {
	show := &cobra.Command{
		Use: "show ID", Short: "Show a service: its instances, endpoints and what it waits for", Args: args("ID"),
		ValidArgsFunction: a.completeServices,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.serviceShow(cmd.Context(), args[0]) },
	}
	var timeout time.Duration
	watch := &cobra.Command{
		Use: "watch ID", Short: "Follow a service until all its instances are ready", Args: args("ID"),
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.serviceWatch(cmd.Context(), args[0], timeout)
		},
	}
	watch.Flags().DurationVar(&timeout, "timeout", defaultTimeout, "how long to wait")
	return newGroup("service", "The services that run on the cluster", a.serviceListCommand(), show, watch, a.whyCommand(),
		a.planCommand(""), a.pauseCommand(), a.resumeCommand(), a.restartCommand(""), a.replaceCommand(""), a.scaleCommand(),
		a.historyCommand(), a.rollbackCommand(), a.endpointsCommand(""), a.releaseCommand(), a.leftoversCommand())
}

func (a *app) serviceList(ctx context.Context) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	list, err := rt.Services(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		a.say("No service runs. Install a package with: dcos package install NAME")
	}
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{
			{Name: "ID"}, {Name: "PACKAGE"}, {Name: "VERSION"}, {Name: "STATE"}, {Name: "READY", Right: true},
			{Name: a.ageName(), Right: true}, {Name: "ENDPOINTS", Cut: true, Sparse: true},
			{Name: "WHY", Cut: true, Sparse: true}, {Name: "GENERATION", Right: true, Wide: true},
		}}
		for _, s := range list {
			t.Add(render.Text(string(s.ID)), render.Text(s.Package), render.Text(s.Version),
				serviceCell(s.State), render.Text(fmt.Sprintf("%d/%d", s.Ready, s.Total)),
				render.Text(a.age(s.Created)), render.Text(strings.Join(addresses(s), " ")), render.Text(whyText(s)), render.Text(fmt.Sprint(s.Generation)))
		}
		return t
	}
	return a.list("ServiceList", list, table, func() []string {
		var ids []string
		for _, s := range list {
			ids = append(ids, string(s.ID))
		}
		return ids
	})
}

// serviceCell is a service's state with its colour.
func serviceCell(s service.ServiceState) render.Cell {
	style := render.Warn
	if s == service.ServiceRunning {
		style = render.Good
	}
	return render.Cell{Text: string(s), Style: style}
}

// addresses lists a service's endpoints as people type them.
func addresses(s service.Status) []string {
	var out []string
	for _, e := range s.Endpoints {
		for _, at := range e.Addresses {
			out = append(out, addressText(e.Scheme, at))
		}
	}
	return out
}

// ageName heads the column of age.
func (a *app) ageName() string {
	if a.OutTerminal {
		return "AGE"
	}
	return "SINCE"
}

// age is how long ago t was: relative on a terminal, a time elsewhere.
func (a *app) age(t cluster.Time) string {
	if t == 0 {
		return "-"
	}
	if !a.OutTerminal {
		return timeOf(t).UTC().Format(time.RFC3339)
	}
	return render.Duration(a.Now().Sub(timeOf(t)).Truncate(time.Second))
}

func (a *app) serviceShow(ctx context.Context, id string) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	s, err := rt.Service(ctx, cluster.ServiceID(id))
	if err != nil {
		return a.nearService(ctx, id, err)
	}
	return a.object("Service", s, string(s.ID), func(w io.Writer) error { return a.writeService(w, s) })
}

func (a *app) serviceWatch(ctx context.Context, id string, timeout time.Duration) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	if _, err := rt.Service(ctx, cluster.ServiceID(id)); err != nil {
		return a.nearService(ctx, id, err)
	}
	_, err = a.waitReady(ctx, timeout, cluster.ServiceID(id))
	return err
}

// nearService adds the nearest services to the error for an unknown one.
func (a *app) nearService(ctx context.Context, id string, err error) error {
	if !problem.Is(err, problem.NotFound) {
		return err
	}
	e := problem.New(problem.NotFound, "service %q does not run here", id).WithHint("list the services with: dcos service list")
	return suggest(e, id, a.serviceIDs(ctx))
}

// serviceIDs lists the services, none when they cannot be had: it serves hints.
func (a *app) serviceIDs(ctx context.Context) []string {
	rt, err := a.runtime()
	if err != nil {
		return nil
	}
	list, err := rt.Services(ctx)
	if err != nil {
		return nil
	}
	var ids []string
	for _, s := range list {
		ids = append(ids, string(s.ID))
	}
	return ids
}

func (a *app) writeService(w io.Writer, s service.Status) error {
	paint := a.paint.out
	fmt.Fprintf(w, "%s  %s  %d of %d ready  role %s%s  since %s\n",
		paint.Sprint(render.Bold, render.Clean(string(s.ID)))+release(s), paint.Sprint(serviceCell(s.State).Style, string(s.State)), s.Ready, s.Total,
		render.Clean(string(s.Role)), priorityText(s), a.age(s.Created))
	// A line of a file or a pipe has room for the reason; on a terminal it stands apart.
	apart := a.tableWidth() > 0
	var list []service.InstanceStatus
	for _, pod := range s.Pods {
		list = append(list, pod.Instances...)
	}
	fmt.Fprintln(w)
	if err := a.table(a.instanceTable(list, apart)); err != nil {
		return err
	}
	a.writeNotices(w, s)
	if apart {
		a.writeWaiting(w, waitings(s))
	}
	for _, p := range s.Plans {
		if !underway(p) {
			continue
		}
		fmt.Fprintf(w, "\n%s ", paint.Sprint(render.Bold, "PLAN"))
		if err := a.writePlanStatus(w, p); err != nil {
			return err
		}
	}
	for _, t := range []*render.Table{placeTable(s.Places), endpointTable(s.Endpoints), exportTable(s.Exports)} {
		if len(t.Rows) == 0 {
			continue
		}
		fmt.Fprintln(w)
		if err := a.table(t); err != nil {
			return err
		}
	}
	return nil
}

// placeTable lists where instances with volumes live.
func placeTable(list []service.PlaceStatus) *render.Table {
	t := &render.Table{Columns: []render.Column{{Name: "PLACE OF"}, {Name: "AGENT"}, {Name: "VOLUMES", Cut: true}, {Name: "NOTE", Sparse: true}}}
	for _, p := range list {
		var vols []string
		for _, v := range p.Volumes {
			vols = append(vols, v.ID+" "+render.Bytes(v.Size))
		}
		note := ""
		if p.Spare {
			note = "kept, not wanted now"
		}
		t.Add(render.Text(p.Instance), render.Text(string(p.Agent)), render.Text(strings.Join(vols, ", ")), render.Text(note))
	}
	return t
}

// exportTable lists what a service gives others.
func exportTable(list []service.ExportStatus) *render.Table {
	t := &render.Table{Columns: []render.Column{{Name: "EXPORT"}, {Name: "VALUE", Cut: true}}}
	for _, e := range list {
		value := render.Text(e.Value)
		if !e.Known {
			value = render.Cell{Text: "not known yet", Style: render.Muted}
		}
		t.Add(render.Text(e.Name), value)
	}
	return t
}

// release is the package and version of a service, after two spaces; a bare
// service has none.
func release(s service.Status) string {
	if s.Package == "" {
		return ""
	}
	return "  " + render.Clean(strings.TrimSpace(s.Package+" "+s.Version))
}

// priorityText is a service's priority, after two spaces; "" for the common one.
func priorityText(s service.Status) string {
	switch {
	case s.Priority == 0 && !s.Preemptible:
		return ""
	case s.Preemptible:
		return fmt.Sprintf("  priority %d, preemptible", s.Priority)
	}
	return fmt.Sprintf("  priority %d", s.Priority)
}

func instanceCell(in service.InstanceStatus) render.Cell {
	c := render.Cell{Text: instanceWord(in), Style: render.Warn}
	switch in.State {
	case service.StateReady, service.StateFinished:
		c.Style = render.Good
	case service.StateBackoff, service.StateUnreachable:
		c.Style = render.Bad
	}
	return c
}

// portList prints named ports in order: "rpc=31000 ui=8080".
func portList(ports map[string]uint16) string {
	var out []string
	for name, port := range ports {
		out = append(out, fmt.Sprintf("%s=%d", name, port))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// completionTimeout bounds a question for shell completion.
const completionTimeout = 300 * time.Millisecond

func (a *app) completeServices(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	return a.serviceIDs(ctx), cobra.ShellCompDirectiveNoFileComp
}
