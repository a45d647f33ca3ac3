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
	"github.com/universe-dcos/universe/runtime/service"
)

// againFlags say how instances are started again.
type againFlags struct {
	task    string
	replace bool
	noWait  bool
	timeout time.Duration
}

// restartCommand makes `restart`, of instances of a service; those of a bound
// one take no id.
func (a *app) restartCommand(bound cluster.ServiceID) *cobra.Command {
	var f againFlags
	c := a.againCommand(bound, &f, &cobra.Command{Use: "restart", Short: "Start instances again where they are, on the same volumes",
		Long: `Start instances again where they are, on the same volumes.

Several are restarted one after the other, each when the one before is ready.`,
		Example: "  dcos service restart kafka kafka-1"})
	c.Flags().StringVar(&f.task, "task", "", "only this task of each (default all)")
	return c
}

// replaceCommand makes `replace`.
func (a *app) replaceCommand(bound cluster.ServiceID) *cobra.Command {
	f := againFlags{replace: true}
	return a.againCommand(bound, &f, &cobra.Command{Use: "replace", Short: "Give instances another place, with empty volumes",
		Long: `Give instances another place, with empty volumes.

The data of the old volumes is destroyed, also where their agent is unreachable
and comes back later. Several are replaced one after the other.`,
		Example: "  dcos service replace kafka kafka-1"})
}

func (a *app) againCommand(bound cluster.ServiceID, f *againFlags, c *cobra.Command) *cobra.Command {
	least := 2
	c.Use += " ID INSTANCE..."
	if bound != "" {
		least, c.Use = 1, strings.Replace(c.Use, " ID", "", 1)
		c.Example = ""
	} else {
		c.ValidArgsFunction = a.completeServices
	}
	c.Args = func(cmd *cobra.Command, got []string) error {
		if len(got) < least {
			return usage("%s needs %s", cmd.CommandPath(), []string{"INSTANCE", "ID"}[max(least-len(got)-1, 0)]).WithHint("usage: %s", cmd.UseLine())
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, got []string) error {
		if bound != "" {
			return a.again(cmd.Context(), bound, got, *f)
		}
		return a.again(cmd.Context(), cluster.ServiceID(got[0]), got[1:], *f)
	}
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait until they are ready again")
	c.Flags().DurationVar(&f.timeout, "timeout", defaultTimeout, "how long to wait for each")
	return c
}

// again restarts or replaces instances.
func (a *app) again(ctx context.Context, id cluster.ServiceID, names []string, f againFlags) error {
	rt, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	var lost []string
	for _, name := range names {
		if _, _, err := findInstance(s, name); err != nil {
			return err
		}
		if text := lostBy(s, name); f.replace && text != "" {
			lost = append(lost, text)
		}
	}
	if len(lost) > 0 {
		if err := a.confirm(ctx, fmt.Sprintf("Replace and destroy with their data: %s?", strings.Join(lost, "; "))); err != nil {
			return err
		}
	}
	for _, name := range names {
		// Read anew: those before were waited for.
		if s, err = rt.Service(ctx, id); err != nil {
			return err
		}
		pod, in, err := findInstance(s, name)
		if err != nil {
			return err
		}
		_, err = rt.RestartInstance(ctx, id, runtimeclient.RestartInstance{Pod: pod, Index: in.Index, Task: f.task, Replace: f.replace})
		if err != nil {
			return err
		}
		if f.noWait {
			continue
		}
		if _, err := a.wait(ctx, f.timeout, againGoal(s, in, f), id); err != nil {
			return err
		}
	}
	return a.changedInstances(ctx, rt, id, names)
}

// findInstance finds an instance by its name, with the name of its pod.
func findInstance(s service.Status, name string) (string, service.InstanceStatus, error) {
	var names []string
	for _, p := range s.Pods {
		for _, in := range p.Instances {
			if in.Name == name {
				return p.Name, in, nil
			}
			names = append(names, in.Name)
		}
	}
	e := problem.New(problem.NotFound, "service %s has no instance %q", s.ID, name).WithHint("list them with: dcos service show %s", s.ID)
	return "", service.InstanceStatus{}, suggest(e, name, names)
}

// lostBy says what is lost when an instance gets another place; "" for nothing.
func lostBy(s service.Status, name string) string {
	for _, p := range s.Places {
		if p.Instance == name {
			return fmt.Sprintf("%s of %s on agent %s", volumesText(p.Volumes), name, p.Agent)
		}
	}
	return ""
}

// volumesText counts volumes and adds up their sizes: "2 volumes (3 GiB)".
func volumesText(list []cluster.Volume) string {
	var size int64
	for _, v := range list {
		size += v.Size
	}
	return fmt.Sprintf("%s (%s)", render.Count(len(list), "volume"), render.Bytes(size))
}

// againGoal waits until an instance is ready again with other tasks than it has
// in s, and after a replacement on another place.
func againGoal(s service.Status, before service.InstanceStatus, f againFlags) goal {
	id := s.ID
	var made cluster.Time
	old := map[cluster.TaskID]bool{}
	for _, p := range s.Places {
		if p.Instance == before.Name {
			made = p.Made
		}
	}
	for _, t := range before.Tasks {
		if f.task == "" || t.Task == f.task {
			old[t.ID] = true
		}
	}
	back := func(s service.Status) bool {
		_, in, err := findInstance(s, before.Name)
		if err != nil || !in.Ready && in.State != service.StateFinished {
			return err != nil // it was scaled away: nothing comes back
		}
		for _, p := range s.Places {
			if f.replace && p.Instance == before.Name && p.Made == made {
				return false
			}
		}
		return !slices.ContainsFunc(in.Tasks, func(t service.TaskBrief) bool { return old[t.ID] })
	}
	verb := "restarted"
	if f.replace {
		verb = "replaced"
	}
	return goal{
		done: back,
		item: func(s service.Status, now time.Time) render.Item {
			_, in, err := findInstance(s, before.Name)
			if err != nil {
				return render.Item{Key: before.Name, State: render.ItemFailed, Text: before.Name + " is not wanted any more"}
			}
			it := instanceItem(string(id), in, now)
			if back(s) {
				it.State, it.Text = render.ItemDone, fmt.Sprintf("%s %s, ready on %s", in.Name, verb, in.Agent)
			} else if it.State == render.ItemDone {
				it.State, it.Text = render.ItemWorking, in.Name+" is to be "+verb
			}
			return it
		},
		late: "does not have " + before.Name + " back", goes: "the restart",
		hint: fmt.Sprintf("what it waits for: dcos service why %s", id), missing: notReady,
	}
}

// changedInstances prints the instances of these names.
func (a *app) changedInstances(ctx context.Context, rt *runtimeclient.Client, id cluster.ServiceID, names []string) error {
	s, err := rt.Service(ctx, id)
	if err != nil {
		return err
	}
	var list []service.InstanceStatus
	for _, p := range s.Pods {
		for _, in := range p.Instances {
			if slices.Contains(names, in.Name) {
				list = append(list, in)
			}
		}
	}
	return a.instanceList(list)
}

// podList prints all instances of a service.
func (a *app) podList(ctx context.Context, id cluster.ServiceID) error {
	_, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	var list []service.InstanceStatus
	for _, p := range s.Pods {
		list = append(list, p.Instances...)
	}
	return a.instanceList(list)
}

func (a *app) instanceList(list []service.InstanceStatus) error {
	return a.list("InstanceList", list, func() *render.Table { return a.instanceTable(list, false) }, func() []string {
		var names []string
		for _, in := range list {
			names = append(names, in.Name)
		}
		return names
	})
}

// instanceTable lists instances; apart says that reasons stand elsewhere.
func (a *app) instanceTable(list []service.InstanceStatus, apart bool) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Name: "INSTANCE"}, {Name: "STATE"}, {Name: "LEADER", Sparse: true}, {Name: "AGENT", Cut: true}, {Name: "HOST"}, {Name: "PORTS", Cut: true}, {Name: "SINCE", Right: true}, {Name: "WHY", Cut: true, Sparse: true},
	}}
	for _, in := range list {
		leads, why := "", ""
		if in.Leader {
			leads = "yes"
		}
		if !apart {
			why = waitReason(in)
		}
		t.Add(render.Text(in.Name), instanceCell(in), render.Text(leads), render.Text(string(in.Agent)), render.Text(in.Host),
			render.Text(portList(in.Ports)), render.Text(a.age(in.Since)), render.Text(why))
	}
	return t
}

// releaseCommand makes `release`.
func (a *app) releaseCommand() *cobra.Command {
	return &cobra.Command{
		Use: "release ID INSTANCE...", Short: "Give up the places of instances that do not run, with their data",
		Long: `Give up the places of instances that do not run, with their data: those that
were scaled away keep theirs until then.`,
		Args: func(cmd *cobra.Command, got []string) error {
			if len(got) < 2 {
				return usage("%s needs %s", cmd.CommandPath(), []string{"ID", "INSTANCE"}[len(got)]).WithHint("usage: %s", cmd.UseLine())
			}
			return nil
		},
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, got []string) error {
			return a.release(cmd.Context(), cluster.ServiceID(got[0]), got[1:])
		},
	}
}

func (a *app) release(ctx context.Context, id cluster.ServiceID, names []string) error {
	rt, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	var lost []string
	for _, n := range names {
		text := lostBy(s, n)
		if text == "" {
			var have []string
			for _, p := range s.Places {
				have = append(have, p.Instance)
			}
			return suggest(problem.New(problem.NotFound, "service %s has no place for %q", id, n).WithHint("list its places with: dcos service show %s", id), n, have)
		}
		lost = append(lost, text)
	}
	if err := a.confirm(ctx, fmt.Sprintf("Destroy with their data: %s?", strings.Join(lost, "; "))); err != nil {
		return err
	}
	done, err := rt.ReleasePlaces(ctx, id, names...)
	if err != nil {
		return err
	}
	return a.object("Accepted", done, string(id), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Released %s\n", render.Clean(strings.Join(names, ", ")))
		return err
	})
}
