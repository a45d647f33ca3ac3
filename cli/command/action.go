package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// attachActions makes a command of the first word of args, when it is no
// command of ours but names an installation: `dcos spark run pi 200`. Its
// actions are read from the cluster, so that help and completion know them.
func (a *app) attachActions(ctx context.Context, root *cobra.Command, args []string) error {
	line := args
	completing := false
	if len(line) > 0 && (line[0] == cobra.ShellCompRequestCmd || line[0] == cobra.ShellCompNoDescRequestCmd) {
		line, completing = line[1:], true
		if len(line) < 2 { // the first word itself is being completed
			return nil
		}
	}
	word, _ := firstWord(root, line)
	if word == "" || known(root, word) {
		return nil
	}
	// The flags decide which cluster is asked. Those of the action are not
	// known yet, and wrong ones are reported when the whole line is read.
	fs := root.PersistentFlags()
	fs.ParseErrorsAllowlist.UnknownFlags = true
	_ = fs.Parse(line)
	fs.ParseErrorsAllowlist.UnknownFlags = false
	if err := a.settle(); err != nil {
		return err
	}
	cmd, err := a.serviceActions(ctx, root, word)
	if err != nil {
		if completing {
			return nil
		}
		return err
	}
	root.AddCommand(cmd)
	return nil
}

// serviceActions makes the command of an installation.
func (a *app) serviceActions(ctx context.Context, root *cobra.Command, word string) (*cobra.Command, error) {
	cat, err := a.catalog()
	if err != nil {
		return nil, notAService(root, word, nil, err)
	}
	list, err := cat.Installations(ctx)
	if err != nil {
		return nil, notAService(root, word, nil, err)
	}
	inst, err := findInstallation(root, list, word)
	if err != nil {
		if d, derr := cat.Package(ctx, word, ""); derr == nil {
			return nil, usage("package %s is in the catalog and not installed", d.Package.Name).
				WithHint("install it with: dcos package install %s", d.Package.Name)
		}
		return nil, err
	}
	actions, err := cat.Actions(ctx, inst.ID)
	if err != nil {
		return nil, err
	}
	cmd := newGroup(word, fmt.Sprintf("Actions and plans of service %s (package %s %s)", inst.ID, inst.Package, inst.Version))
	for _, act := range actions {
		a.addAction(cmd, inst.ID, act)
	}
	for _, c := range a.sharedCommands(inst.ID) {
		if find(cmd, c.Name()) == nil { // the package's own action of that name wins
			cmd.AddCommand(c)
		}
	}
	return cmd, nil
}

// sharedCommands are those that every service has below its own name, as DC/OS
// services have them.
func (a *app) sharedCommands(id cluster.ServiceID) []*cobra.Command {
	list := a.ofService(id, &cobra.Command{Use: "list", Short: "List the instances with where they stand"}, nil,
		func(ctx context.Context, id cluster.ServiceID, _ []string) error { return a.podList(ctx, id) })
	return []*cobra.Command{a.planCommand(id), a.endpointsCommand(id),
		newGroup("pod", "The instances of service "+string(id), list, a.restartCommand(id), a.replaceCommand(id))}
}

// findInstallation finds what a word means: a service id, or the only
// installation of a package.
func findInstallation(root *cobra.Command, list []plan.Installation, word string) (plan.Installation, error) {
	var of []plan.Installation
	for _, i := range list {
		if string(i.ID) == word {
			return i, nil
		}
		if i.Package == word {
			of = append(of, i)
		}
	}
	switch len(of) {
	case 1:
		return of[0], nil
	case 0:
		return plan.Installation{}, notAService(root, word, installationIDs(list), nil)
	}
	return plan.Installation{}, usage("package %s is installed %d times", word, len(of)).
		WithHint("name one of: %s", strings.Join(installationIDs(of), ", "))
}

// notAService is the error for a first word that is neither a command nor an
// installation. cause is why the cluster could not be asked.
func notAService(root *cobra.Command, word string, ids []string, cause error) error {
	names := ids
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	e := usage("%q is neither a command nor an installed service", word)
	if cause != nil {
		if errors.Is(cause, context.Canceled) {
			return cause
		}
		e = usage("%q is not a command", word).
			WithDetails(problem.Detail{Message: "whether it is an installed service could not be asked: " + problem.Of(cause).Detail})
	}
	e = e.WithHint("list the commands with: dcos --help\nand the services with: dcos package list")
	return suggest(e, word, names)
}

// addAction puts an action below parent, one command a word.
func (a *app) addAction(parent *cobra.Command, id cluster.ServiceID, act catalog.Action) {
	words := strings.Fields(act.Name)
	for i, w := range words {
		child := find(parent, w)
		if child == nil {
			child = newGroup(w, "")
			parent.AddCommand(child)
		}
		if i < len(words)-1 && child.Short == "" {
			child.Short = "more: " + parent.CommandPath() + " " + w + " --help"
		}
		parent = child
	}
	var detach bool
	var timeout time.Duration
	last := words[len(words)-1]
	parent.Use = last + strings.TrimPrefix(act.Usage(), act.Name)
	parent.Short = render.Clean(act.Summary)
	parent.Long = actionHelp(act)
	parent.RunE = func(cmd *cobra.Command, args []string) error {
		return a.runAction(cmd.Context(), id, words, args, detach, timeout)
	}
	parent.Flags().BoolVarP(&detach, "detach", "d", false, "start it and print the id of the run")
	parent.Flags().DurationVar(&timeout, "timeout", 0, "how long to follow it (default to its end)")
}

func find(parent *cobra.Command, name string) *cobra.Command {
	for _, c := range parent.Commands() {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// actionHelp is the help of an action: its summary and its arguments.
func actionHelp(act catalog.Action) string {
	var b strings.Builder
	b.WriteString(render.Clean(act.Summary) + "\n\nThe output goes to the standard output, and the program ends with the exit code\nof the task.")
	for i, g := range act.Args {
		if i == 0 {
			b.WriteString("\n\nArguments:")
		}
		fmt.Fprintf(&b, "\n  %s  %s", render.Pad(g.Name, 12, false), g.Allowed())
		if g.Default != nil {
			fmt.Fprintf(&b, ", default %s", literal(g.Default))
		}
		if g.Summary != "" {
			b.WriteString(": " + render.Clean(g.Summary))
		}
	}
	return b.String()
}

func (a *app) runAction(ctx context.Context, id cluster.ServiceID, words, args []string, detach bool, timeout time.Duration) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	run, err := cat.Run(ctx, id, words, args)
	if err != nil {
		return err
	}
	if detach {
		_, err := fmt.Fprintln(a.Out, render.Clean(string(run.ID)))
		return err
	}
	return a.followRun(ctx, run.ID, timeout)
}
