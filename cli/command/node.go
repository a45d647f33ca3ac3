package command

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func (a *app) nodeCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the agents with what they have and what is used", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.nodeList(cmd.Context()) },
	}
	show := &cobra.Command{
		Use: "show ID", Short: "Show an agent: what it has, what is kept, what runs there", Args: args("ID"),
		ValidArgsFunction: a.completeNodes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.nodeShow(cmd.Context(), cluster.AgentID(args[0]))
		},
	}
	return newGroup("node", "The agents of the cluster", list, show, a.drainCommand(), a.deactivateCommand(), a.reactivateCommand(),
		a.maintenanceCommand(), a.removeNodeCommand())
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
			{Name: "HOSTNAME", Wide: true}, {Name: "REGION", Wide: true, Sparse: true}, {Name: "ZONE", Wide: true, Sparse: true}, {Name: "PORTS", Wide: true},
			{Name: "ATTRIBUTES", Wide: true, Sparse: true}, {Name: "MAINTENANCE", Wide: true, Sparse: true},
		}}
		for _, n := range agents {
			have, used := n.Info.Total, n.Allocated
			region, zone := domainOf(n)
			t.Add(render.Text(string(n.Info.ID)), nodeState(n, a.Now()), render.Text(n.Info.Host), render.Text(fmt.Sprint(n.Tasks)),
				render.Text(render.CPUs(used.CPU)+"/"+render.CPUs(have.CPU)),
				render.Text(ofBytes(used.Mem, have.Mem)), render.Text(ofBytes(used.Disk, have.Disk)),
				render.Text(a.age(n.Since)), render.Text(n.Info.Hostname), render.Text(region), render.Text(zone), render.Text(have.Ports.String()),
				render.Text(pairs(n.Info.Attributes)), render.Text(plannedText(n)))
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

// ofBytes prints a part of an amount: "2 GiB/8 GiB".
func ofBytes(used, have int64) string { return someBytes(used) + "/" + render.Bytes(have) }

// someBytes prints an amount that may be none: "0".
func someBytes(n int64) string {
	if n == 0 {
		return "0"
	}
	return render.Bytes(n)
}

// domainOf is the fault domain of an agent; empty where it has none.
func domainOf(n core.Agent) (region, zone string) {
	if n.Info.Domain == nil {
		return "", ""
	}
	return n.Info.Domain.Region, n.Info.Domain.Zone
}

// plannedText is the maintenance that is planned; "" for none.
func plannedText(n core.Agent) string {
	if n.Maintenance == nil {
		return ""
	}
	return windowText(*n.Maintenance)
}

// pairs prints names with their values in order: "disk=ssd rack=r1".
func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}

func (a *app) nodeShow(ctx context.Context, id cluster.AgentID) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	n, err := nodeOf(ctx, rt, id)
	if err != nil {
		return err
	}
	return a.object("Node", n, string(id), func(w io.Writer) error {
		tasks, err := rt.Tasks(ctx, runtimeclient.TaskFilter{})
		if err != nil {
			return err
		}
		return a.writeNode(w, n, tasks)
	})
}

func (a *app) writeNode(w io.Writer, n core.Agent, tasks []cluster.Task) error {
	p := a.paint.out
	state := nodeState(n, a.Now())
	fmt.Fprintf(w, "%s  %s  %s  since %s\n", p.Sprint(render.Bold, render.Clean(string(n.Info.ID))),
		p.Sprint(state.Style, state.Text), render.Count(n.Tasks, "task"), a.age(n.Since))
	region, zone := domainOf(n)
	for _, f := range [][2]string{
		{"state", a.stateDetail(n)}, {"host", n.Info.Host}, {"hostname", n.Info.Hostname}, {"region", region}, {"zone", zone},
		{"attributes", pairs(n.Info.Attributes)}, {"maintenance", plannedText(n)}, {"version", n.Info.Version},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "  %-11s  %s\n", f[0], render.Clean(f[1]))
		}
	}
	fmt.Fprintln(w)
	if err := a.table(resourceTable(n)); err != nil {
		return err
	}
	if t := reservedTable(n); len(t.Rows) > 0 {
		fmt.Fprintln(w)
		if err := a.table(t); err != nil {
			return err
		}
	}
	t := &render.Table{Columns: []render.Column{{Name: "TASK"}, {Name: "STATE"}, {Name: "CPUS", Right: true}, {Name: "MEM", Right: true}, {Name: "PORTS"}}}
	for _, k := range tasks {
		if k.Agent == n.Info.ID {
			t.Add(render.Text(string(k.Spec.ID)), taskCell(k), render.Text(render.CPUs(k.Spec.Resources.CPU)),
				render.Text(render.Bytes(k.Spec.Resources.Mem)), render.Text(portList(k.Spec.Ports)))
		}
	}
	if len(t.Rows) > 0 {
		fmt.Fprintln(w)
	}
	return a.table(t)
}

// resourceTable is what an agent has, and what of it is used and kept.
func resourceTable(n core.Agent) *render.Table {
	t := &render.Table{Columns: []render.Column{{Name: "RESOURCE"}, {Name: "HAS", Right: true}, {Name: "USED", Right: true}, {Name: "KEPT", Right: true, Sparse: true}}}
	has, used := amounts(n.Info.Total), amounts(n.Allocated)
	kept := amounts(n.Reserved.Flat())
	for _, x := range has {
		t.Add(render.Text(x.name), render.Text(x.text), render.Text(textOf(used, x.name, "0")), render.Text(textOf(kept, x.name, "")))
	}
	return t
}

// amount is a resource as it is shown.
type amount struct{ name, text string }

// amounts lists what is there of each resource.
func amounts(r cluster.Resources) []amount {
	var out []amount
	add := func(name, text string, is bool) {
		if is {
			out = append(out, amount{name, text})
		}
	}
	add("cpus", render.CPUs(r.CPU), r.CPU != 0)
	add("mem", render.Bytes(r.Mem), r.Mem != 0)
	add("disk", render.Bytes(r.Disk), r.Disk != 0)
	add("gpus", fmt.Sprint(r.GPUs), r.GPUs != 0)
	add("ports", strings.Trim(r.Ports.String(), "[]"), len(r.Ports) > 0)
	for _, x := range r.Extra {
		name, text, _ := strings.Cut(cluster.Resources{Extra: cluster.Extra{x}}.Text(), ":")
		add(name, text, true)
	}
	return out
}

func textOf(all []amount, name, none string) string {
	for _, x := range all {
		if x.name == name {
			return x.text
		}
	}
	return none
}

// reservedTable is what is kept for roles, and the volumes in it.
func reservedTable(n core.Agent) *render.Table {
	t := &render.Table{Columns: []render.Column{{Name: "KEPT FOR"}, {Name: "BY"}, {Name: "RESOURCES"}, {Name: "VOLUMES", Cut: true, Sparse: true}}}
	for _, r := range n.Reserved {
		by := "operation"
		if last := len(r.Stack) - 1; last >= 0 && r.Stack[last].Static {
			by = "agent"
		}
		var res, vols []string
		for _, x := range amounts(r.Resources) {
			res = append(res, x.name+" "+x.text)
		}
		for _, v := range r.Volumes {
			vols = append(vols, v.ID+" "+render.Bytes(v.Size))
		}
		t.Add(render.Text(r.Stack.String()), render.Text(by), render.Text(strings.Join(res, ", ")), render.Text(strings.Join(vols, ", ")))
	}
	return t
}
