package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
)

func (a *app) taskCommand() *cobra.Command {
	var all bool
	var ofService string
	list := &cobra.Command{
		Use: "list", Short: "List the tasks that run", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.taskList(cmd.Context(), ofService, all) },
	}
	list.Flags().BoolVarP(&all, "all", "a", false, "with those that have ended")
	list.Flags().StringVar(&ofService, "service", "", "of this service only")
	var grace time.Duration
	kill := &cobra.Command{
		Use: "kill ID", Short: "End a task; a service starts another in its place", Args: args("ID"),
		ValidArgsFunction: a.completeTasks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.taskKill(cmd.Context(), args[0], grace) },
	}
	kill.Flags().DurationVar(&grace, "grace", 0, "time from TERM to KILL (default the task's own)")
	return newGroup("task", "The tasks of the cluster", list, a.taskLogCommand(), a.taskExecCommand(), kill)
}

// logFlags choose a part of a task's output.
type logFlags struct {
	stream string
	follow bool
	lines  int64
}

func (a *app) taskLogCommand() *cobra.Command {
	var f logFlags
	c := &cobra.Command{
		Use: "log ID [stdout|stderr]", Short: "Print what a task has written",
		Long: `Print what a task has written, both streams in the order of writing unless one is
named. ID is the task's id, or a part of it that only one task has.`,
		Example: `  dcos task log worker-0 --follow
  dcos task log worker-0 stderr --lines 20`,
		Args: args("ID", "[stdout|stderr]"), ValidArgsFunction: a.completeLog,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				if f.stream != "" && f.stream != args[1] {
					return usage("the streams %s and %s are named; one log has one", args[1], f.stream)
				}
				f.stream = args[1]
			}
			return a.taskLog(cmd.Context(), args[0], f)
		},
	}
	c.Flags().StringVar(&f.stream, "stream", "", "stdout or stderr (default both)")
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on until the task has ended")
	c.Flags().Int64Var(&f.lines, "lines", 0, "begin this many lines before the end (default all that is kept)")
	// Of DC/OS; the logs of tasks that have ended are always looked at here.
	for _, name := range []string{"all", "completed"} {
		c.Flags().Bool(name, false, "with tasks that have ended")
		_ = c.Flags().MarkHidden(name) // fails for flags that are not there
	}
	return c
}

func (a *app) taskList(ctx context.Context, ofService string, all bool) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	tasks, err := rt.Tasks(ctx, runtimeclient.TaskFilter{Service: cluster.ServiceID(ofService), All: all})
	if err != nil {
		return err
	}
	if len(tasks) == 0 {
		a.say("No task runs here.")
	}
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{
			{Name: "ID"}, {Name: "STATE"}, {Name: "READY"}, {Name: "AGENT"}, {Name: a.ageName(), Right: true},
			{Name: "CPUS", Right: true}, {Name: "MEM", Right: true}, {Name: "MESSAGE", Cut: true, Sparse: true},
			{Name: "SERVICE", Wide: true}, {Name: "HOST", Wide: true}, {Name: "PORTS", Wide: true}, {Name: "IMAGE", Wide: true},
		}}
		for _, k := range tasks {
			ready := "no"
			if k.Status.Ready {
				ready = "yes"
			}
			t.Add(render.Text(string(k.Spec.ID)), taskCell(k), render.Text(ready), render.Text(string(k.Agent)),
				render.Text(a.age(k.Launched)), render.Text(render.CPUs(k.Spec.Resources.CPU)),
				render.Text(render.Bytes(k.Spec.Resources.Mem)), render.Text(k.Status.Message),
				render.Text(string(k.Spec.Service)), render.Text(k.Host), render.Text(portList(k.Spec.Ports)), render.Text(k.Spec.Container.Image))
		}
		return t
	}
	return a.list("TaskList", tasks, table, func() []string {
		var ids []string
		for _, k := range tasks {
			ids = append(ids, string(k.Spec.ID))
		}
		return ids
	})
}

// taskWord is a task's state without the prefix that all of them have.
func taskWord(s cluster.TaskState) string {
	return strings.ToLower(strings.TrimPrefix(string(s), "TASK_"))
}

// taskCell is a task's state with its colour.
func taskCell(k cluster.Task) render.Cell {
	c := render.Cell{Text: taskWord(k.Status.State), Style: render.Warn}
	switch k.Status.State {
	case cluster.TaskRunning, cluster.TaskFinished:
		c.Style = render.Good
	case cluster.TaskFailed, cluster.TaskError, cluster.TaskLost, cluster.TaskUnreachable:
		c.Style = render.Bad
	}
	if k.Killing && !k.Status.State.Terminal() {
		c.Text = "killing"
	}
	return c
}

// findTask finds the task that an id, or a part of one, means. One that runs
// wins over those that have ended.
func (a *app) findTask(ctx context.Context, part string) (cluster.TaskID, error) {
	rt, err := a.runtime()
	if err != nil {
		return "", err
	}
	tasks, err := rt.Tasks(ctx, runtimeclient.TaskFilter{All: true})
	if err != nil {
		return "", err
	}
	return matchTask(tasks, part)
}

// maxAmbiguous is how many tasks an ambiguous part of an id names.
const maxAmbiguous = 10

func matchTask(tasks []cluster.Task, part string) (cluster.TaskID, error) {
	var ids []string
	var prefix, inside, active []cluster.TaskID
	for _, t := range tasks {
		id := string(t.Spec.ID)
		ids = append(ids, id)
		switch {
		case id == part:
			return t.Spec.ID, nil
		case strings.HasPrefix(id, part):
			prefix = append(prefix, t.Spec.ID)
		case strings.Contains(id, part):
			inside = append(inside, t.Spec.ID)
		default:
			continue
		}
		if t.Active() {
			active = append(active, t.Spec.ID)
		}
	}
	for _, hits := range [][]cluster.TaskID{prefix, append(prefix, inside...), active} {
		if len(hits) == 1 {
			return hits[0], nil
		}
	}
	hits := append(prefix, inside...)
	if len(hits) == 0 {
		e := problem.New(problem.NotFound, "no task has %q in its id", part).WithHint("list the tasks with: dcos task list --all")
		return "", suggest(e, part, ids)
	}
	e := usage("%q is in the ids of %d tasks", part, len(hits)).WithHint("write more of the id")
	for _, id := range hits[:min(len(hits), maxAmbiguous)] {
		e = e.WithDetails(problem.Detail{Message: string(id)})
	}
	return "", e
}

func (a *app) taskLog(ctx context.Context, part string, f logFlags) error {
	switch {
	case f.stream != "" && f.stream != "stdout" && f.stream != "stderr":
		return usage("stream %q is not known", f.stream).WithHint("use stdout or stderr, or name none for both")
	case f.lines < 0:
		return usage("--lines %d is negative", f.lines)
	}
	id, err := a.findTask(ctx, part)
	if err != nil {
		return err
	}
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	r, err := rt.TaskLog(ctx, id, runtimeclient.LogOptions{Stream: f.stream, Follow: f.follow, Tail: f.lines})
	if err != nil {
		return err
	}
	defer r.Close()
	// As it is: it is data, and may be bytes.
	if _, err := io.Copy(a.Out, r); err != nil {
		return fmt.Errorf("read the log of task %s: %w", id, err)
	}
	return nil
}

func (a *app) taskKill(ctx context.Context, part string, grace time.Duration) error {
	id, err := a.findTask(ctx, part)
	if err != nil {
		return err
	}
	if err := a.confirm(ctx, fmt.Sprintf("End task %s?", id)); err != nil {
		return err
	}
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	if _, err := rt.KillTask(ctx, id, cluster.Millis(grace.Milliseconds())); err != nil {
		return err
	}
	a.say("Asked task %s to end.", id)
	return nil
}

// completeLog completes the arguments of task log.
func (a *app) completeLog(cmd *cobra.Command, got []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(got) == 1 {
		return []string{"stdout", "stderr"}, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeTasks(cmd, got, word)
}

func (a *app) completeTasks(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	rt, err := a.runtime()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	tasks, err := rt.Tasks(ctx, runtimeclient.TaskFilter{})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, t := range tasks {
		ids = append(ids, string(t.Spec.ID))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
