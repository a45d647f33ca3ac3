package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	runtimeclient "github.com/universe-dcos/universe/runtime/client"
)

// execFlags are how a command in a task is connected, in the letters of DC/OS.
type execFlags struct{ interactive, tty bool }

func (a *app) taskExecCommand() *cobra.Command {
	var f execFlags
	c := &cobra.Command{
		Use: "exec [-i] [-t] ID COMMAND [ARG...]", DisableFlagsInUseLine: true, Short: "Run a command in the container of a task",
		Long: `Run a command in the container of a task, as its user and in its environment,
and end with its exit code. ID is the task's id, or a part of it that only one
task has. What stands after ID is the command's, flags too.

With -i it reads the standard input. With -i and -t on a terminal every key goes
to it, Ctrl-C too; exit, or Ctrl-D in a shell, ends it. The task goes on.`,
		Example: `  dcos task exec web-0 cat /etc/hosts
  dcos task exec -it web-0 sh`,
		Args: func(cmd *cobra.Command, got []string) error {
			return args("ID", "COMMAND")(cmd, got[:min(len(got), 2)])
		},
		ValidArgsFunction: a.completeTasks,
		RunE: func(cmd *cobra.Command, args []string) error {
			argv := args[1:]
			if argv[0] == "--" && len(argv) > 1 {
				argv = argv[1:] // as other programs of this kind want it
			}
			return a.taskExec(cmd.Context(), args[0], argv, f)
		},
	}
	c.Flags().BoolVarP(&f.interactive, "interactive", "i", false, "read the standard input")
	c.Flags().BoolVarP(&f.tty, "tty", "t", false, "give it a terminal")
	c.Flags().SetInterspersed(false) // flags after ID are the command's
	return c
}

// taskExec runs a command in a task, and ends with its exit code.
func (a *app) taskExec(ctx context.Context, part string, argv []string, f execFlags) error {
	id, err := a.findTask(ctx, part)
	if err != nil {
		return err
	}
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	o := runtimeclient.ExecOptions{Argv: argv, TTY: f.tty, Stdout: a.Out, Stderr: a.Err}
	if f.interactive {
		o.Stdin = a.In
	}
	if f.tty {
		sizes, cancel := context.WithCancel(ctx)
		defer cancel()
		o.Size, o.Resize = a.terminal(), a.resizes(sizes)
	}
	if f.tty && f.interactive && a.InTerminal {
		restore, err := a.Raw()
		if err != nil {
			return fmt.Errorf("the terminal: %w", err)
		}
		defer restore()
	}
	code, err := rt.Exec(ctx, id, o)
	if err != nil || code == 0 {
		return err
	}
	return quiet(code)
}

// terminal is the size of the terminal, 0 for none.
func (a *app) terminal() runtimeclient.Size {
	w, h := a.Size()
	return runtimeclient.Size{Columns: uint16(w), Rows: uint16(h)}
}

// resizes gives the sizes that the terminal changes to, until ctx is done.
func (a *app) resizes(ctx context.Context) <-chan runtimeclient.Size {
	out := make(chan runtimeclient.Size)
	resized, stop := a.Resized()
	go func() {
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-resized:
			}
			select {
			case <-ctx.Done():
				return
			case out <- a.terminal():
			}
		}
	}()
	return out
}
