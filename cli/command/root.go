package command

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Main runs the command line args and gives the exit code. The first interrupt
// ends ctx, so that a command can say where it stands; the second ends the
// program at once.
func Main(ctx context.Context, deps Deps, args []string) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	defer stop()
	a := &app{Deps: deps}
	err := a.run(ctx, args)
	var said *exitError
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled) && ctx.Err() != nil && !errors.As(err, &said):
		a.say("\nInterrupted.")
		return ExitInterrupted
	default:
		a.fail(err)
	}
	return exitCode(err)
}

func (a *app) run(ctx context.Context, args []string) error {
	root := a.root()
	root.SetArgs(args)
	if err := a.attachActions(ctx, root, args); err != nil {
		return err
	}
	return root.ExecuteContext(ctx)
}

// root makes the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "dcos",
		Short: "Find, install and run service packages on a cluster",
		Long: `Find, install and run service packages on a cluster.

A cluster is attached with "dcos cluster setup URL", or started on this machine
with "universe dev". The verbs of an installed package are commands too:
"dcos spark --help" lists those of spark.`,
		Example: `  dcos package search sql
  dcos package install spark
  dcos spark run pi 200
  dcos service list`,
		SilenceErrors: true, SilenceUsage: true,
		Version:           a.version().Version,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.settle() },
		Args:              cobra.ArbitraryArgs,
		RunE:              group,
		ValidArgsFunction: a.completeServices,
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetVersionTemplate("dcos {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	a.globalFlags(root.PersistentFlags())
	root.SetGlobalNormalizationFunc(sameFlag)
	root.AddGroup(&cobra.Group{ID: groupMain, Title: "Commands:"}, &cobra.Group{ID: groupShort, Title: "Shortcuts:"})
	for _, c := range []*cobra.Command{
		a.packageCommand(), a.serviceCommand(), a.taskCommand(), a.nodeCommand(),
		a.clusterCommand(), a.eventsCommand(), a.versionCommand(),
	} {
		c.GroupID = groupMain
		root.AddCommand(c)
	}
	for _, s := range []struct {
		name string
		cmd  *cobra.Command
	}{
		{"install", a.installCommand()}, {"uninstall", a.uninstallCommand()},
		{"ps", a.serviceListCommand()}, {"logs", a.taskLogCommand()},
	} {
		_, rest, _ := strings.Cut(s.cmd.Use, " ")
		s.cmd.Use = strings.TrimSpace(s.name + " " + rest)
		s.cmd.GroupID = groupShort
		root.AddCommand(s.cmd)
	}
	return root
}

// The groups of commands in the help of the root.
const (
	groupMain  = "main"
	groupShort = "short"
)

func (a *app) globalFlags(f *pflag.FlagSet) {
	f.StringVarP(&a.flags.output, "output", "o", "", "how to print: table, wide, json, yaml, name (default table)")
	f.BoolVar(&a.flags.json, "json", false, "the same as -o json")
	f.BoolVarP(&a.flags.quiet, "quiet", "q", false, "print identifiers and errors only")
	f.BoolVarP(&a.flags.verbose, "verbose", "v", false, "tell about each request on the error stream")
	f.StringVar(&a.flags.color, "color", "auto", "colours: auto, always, never")
	f.BoolVar(&a.flags.noColor, "no-color", false, "the same as --color never")
	f.BoolVar(&a.flags.noHeader, "no-header", false, "tables without their header")
	f.BoolVarP(&a.flags.yes, "yes", "y", false, "go ahead without asking")
	f.BoolVar(&a.flags.noInput, "no-input", false, "fail where a question would be asked")
	f.StringVar(&a.flags.cluster, "cluster", "", "the cluster to use: a name or a URL (default the attached one)")
	f.BoolVar(&a.flags.accessible, "accessible", false, "no animation and no symbols")
}

// sameFlag makes --context the same flag as --cluster, and --tail as --lines.
func sameFlag(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "context":
		name = "cluster"
	case "tail":
		name = "lines"
	}
	return pflag.NormalizedName(name)
}

// group is what a command does that only holds others: help, or an error that
// names the nearest of them.
func group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return cmd.Help()
}

// newGroup makes a command that only holds others.
func newGroup(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: group}
	c.AddCommand(children...)
	return c
}

// args checks the number of arguments and names the missing one.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, got []string) error {
		least := 0
		for _, n := range names {
			if !strings.HasPrefix(n, "[") {
				least++
			}
		}
		switch {
		case len(got) < least:
			return usage("%s needs %s", cmd.CommandPath(), names[len(got)]).WithHint("usage: %s", cmd.UseLine())
		case len(got) > len(names):
			return usage("%s takes no argument %q", cmd.CommandPath(), got[len(names)]).WithHint("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// firstWord is the first argument that is neither a global flag nor the value
// of one, and its place; "" for none.
func firstWord(root *cobra.Command, args []string) (string, int) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return "", -1
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			return arg, i
		}
		if takesValue(root.PersistentFlags(), arg) {
			i++
		}
	}
	return "", -1
}

// takesValue reports whether the argument after arg is the value of flag arg.
func takesValue(fs *pflag.FlagSet, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	var f *pflag.Flag
	if name, long := strings.CutPrefix(arg, "--"); long {
		f = fs.Lookup(name)
	} else if len(arg) == 2 {
		f = fs.ShorthandLookup(arg[1:])
	}
	return f != nil && f.NoOptDefVal == ""
}

// known reports whether word is a command of root.
func known(root *cobra.Command, word string) bool {
	switch word {
	case "help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return true
	}
	return slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool {
		return c.Name() == word || c.HasAlias(word)
	})
}

// asError is errors.As.
func asError[T error](err error, target *T) bool { return errors.As(err, target) }
