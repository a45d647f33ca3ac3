package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
)

// suggest puts the nearest of names in front of the hint of e, if there is one.
func suggest(e *problem.Error, word string, names []string) *problem.Error {
	near := catalog.Nearest(word, names)
	if len(near) == 0 {
		return e
	}
	hint := fmt.Sprintf("did you mean %s?", strings.Join(near, ", "))
	if e.Hint != "" {
		hint += "\n" + e.Hint
	}
	return e.WithHint("%s", hint)
}

// unknownCommand is the error for a word that is no command below parent.
func unknownCommand(parent *cobra.Command, word string) error {
	var names []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	e := usage("%q is not a command of %q", word, parent.CommandPath()).
		WithHint("list the commands with: %s --help", parent.CommandPath())
	return suggest(e, word, names)
}

// flagError makes the error of a wrong flag one that names the nearest flag.
func flagError(cmd *cobra.Command, err error) error {
	e := usage("%s: %w", cmd.CommandPath(), err).WithHint("see: %s --help", cmd.CommandPath())
	var unknown *pflag.NotExistError
	if !asError(err, &unknown) {
		return e
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := catalog.Nearest(unknown.GetSpecifiedName(), names)
	for i, n := range near {
		near[i] = "--" + n
	}
	if len(near) > 0 {
		return e.WithHint("did you mean %s?\nsee: %s --help", strings.Join(near, ", "), cmd.CommandPath())
	}
	return e
}
