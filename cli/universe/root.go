package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/internal/problem"
)

// version is set by the linker from the release; "dev" otherwise.
var version = "dev"

// root makes the command tree of the daemon.
func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "universe",
		Short:         "The data centre's app store and its operating system in one daemon",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.AddCommand(devCommand(), masterCommand(), agentCommand(), doctorCommand())
	return cmd
}

// daemonCommand completes the command of a role that reads its configuration
// from a file and runs until it is told to end.
func daemonCommand[T any](role, defaultFile string, run func(context.Context, T) error, cmd *cobra.Command) *cobra.Command {
	var file string
	var bound bool
	cmd.Use, cmd.Args = role, cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var cfg T
		if err := readConfig(file, &cfg); err != nil {
			return err
		}
		ctx := cmd.Context()
		if bound {
			var cancel context.CancelFunc
			ctx, cancel = untilStdinCloses(ctx)
			defer cancel()
		}
		return run(ctx, cfg)
	}
	cmd.Flags().StringVar(&file, "config", defaultFile, "the "+role+"'s configuration")
	cmd.Flags().BoolVar(&bound, "until-stdin-closes", false, "end when standard input does")
	return cmd
}

// explain is an error as a person reads it: what failed, each cause, the way out.
func explain(err error) string {
	p := problem.Of(err)
	var b strings.Builder
	fmt.Fprintf(&b, "universe: %s\n", p.Detail)
	for _, d := range p.Details {
		if d.Pointer != "" {
			fmt.Fprintf(&b, "  %s: %s\n", d.Pointer, d.Message)
		} else {
			fmt.Fprintf(&b, "  %s\n", d.Message)
		}
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", p.Hint)
	}
	return b.String()
}

// exitCode is 130 for an interrupted command and 1 for any other failure.
func exitCode(err error) int {
	if errors.Is(err, context.Canceled) {
		return 130
	}
	return 1
}

// logger writes text lines to standard error from level on.
func logger(level string) (*slog.Logger, error) {
	var l slog.Level
	if level != "" {
		if err := l.UnmarshalText([]byte(level)); err != nil {
			return nil, problem.New(problem.Invalid, "log level %q: %w", level, err).WithHint("use debug, info, warn or error")
		}
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l})), nil
}

// defaultBundle is the bundle beside the program: ../bundle or ../.build/bundle
// of where it lies, else the system's own place.
func defaultBundle() string {
	if exe, err := os.Executable(); err == nil {
		for _, rel := range []string{"bundle", "../.build/bundle", "../bundle"} {
			dir := filepath.Join(filepath.Dir(exe), rel)
			if _, err := os.Stat(filepath.Join(dir, "containerd")); err == nil {
				return dir
			}
		}
	}
	return "/usr/local/lib/universe"
}

// defaultDevDir is where `universe dev` keeps its state unless told.
func defaultDevDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "universe", "dev")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "/var/lib/universe/dev"
	}
	return filepath.Join(home, ".local", "state", "universe", "dev")
}
