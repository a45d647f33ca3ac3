package command

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/universe-dcos/universe/cli/config"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
)

// app is one run of the program: its world and its global flags.
type app struct {
	Deps
	flags  flags
	format render.Format // settled by settle
	paint  struct{ out, err render.Paint }
	// showing is the tree on the terminal, if there is one: lines for people
	// must go through it.
	showing atomic.Pointer[render.Progress]
}

// flags are the global flags.
type flags struct {
	output     string
	json       bool
	quiet      bool
	verbose    bool
	color      string
	noColor    bool
	noHeader   bool
	yes        bool
	noInput    bool
	cluster    string
	accessible bool
}

// settle turns flags and environment into the choices the commands use.
func (a *app) settle() error {
	name := cmp.Or(a.flags.output, a.Getenv("DCOS_OUTPUT"), string(render.FormatTable))
	if a.flags.json {
		name = string(render.FormatJSON)
	}
	var err error
	if a.format, err = render.ParseFormat(name); err != nil {
		return err
	}
	a.flags.quiet = a.flags.quiet || a.on("DCOS_QUIET")
	a.flags.verbose = a.flags.verbose || a.on("DCOS_DEBUG")
	a.flags.yes = a.flags.yes || a.on("DCOS_ASSUME_YES")
	a.flags.noInput = a.flags.noInput || a.on("DCOS_NO_INPUT")
	a.flags.accessible = a.flags.accessible || a.on("ACCESSIBLE")
	switch a.flags.color {
	case "auto", "always", "never":
	default:
		return usage("--color %q is not known", a.flags.color).WithHint("use one of auto, always, never")
	}
	a.paint.out = render.Paint(a.colour(a.OutTerminal))
	a.paint.err = render.Paint(a.colour(a.ErrTerminal))
	return nil
}

// on reports whether a variable is set to anything but "0" or "false".
func (a *app) on(name string) bool {
	v := a.Getenv(name)
	return v != "" && v != "0" && v != "false"
}

// colour decides whether a stream is coloured: the flags, then NO_COLOR, then
// DCOS_COLOR, then CLICOLOR and CLICOLOR_FORCE, then what the stream is.
func (a *app) colour(terminal bool) bool {
	want := a.flags.color
	switch {
	case a.flags.noColor:
		return false
	case want == "always":
		return true
	case want == "never" || a.Getenv("NO_COLOR") != "":
		return false
	}
	switch a.Getenv("DCOS_COLOR") {
	case "always":
		return true
	case "never":
		return false
	}
	if a.on("CLICOLOR_FORCE") {
		return true
	}
	return terminal && a.Getenv("CLICOLOR") != "0" && a.Getenv("TERM") != "dumb"
}

// symbols are the marks for the error stream.
func (a *app) symbols() render.Symbols {
	if !a.ErrTerminal || a.plainText() {
		return render.ASCII
	}
	return render.Unicode
}

// plainText reports whether symbols are to be words: for a screen reader, or in
// a locale that has no others.
func (a *app) plainText() bool {
	locale := cmp.Or(a.Getenv("LC_ALL"), a.Getenv("LC_CTYPE"), a.Getenv("LANG"))
	return a.flags.accessible || locale == "C" || locale == "POSIX"
}

// animated reports whether the error stream can be redrawn.
func (a *app) animated() bool {
	return a.ErrTerminal && !a.flags.accessible && a.Getenv("TERM") != "dumb" && !a.on("CI")
}

// width is the width of the terminal a stream is shown on, 0 for none.
func (a *app) width(terminal bool) int {
	if !terminal || a.Size == nil {
		return 0
	}
	w, _ := a.Size()
	return w
}

// progress starts showing how something long goes on.
func (a *app) progress() *render.Progress {
	lines := 0
	if _, h := a.Size(); h > 4 {
		lines = h - 3
	}
	p := render.NewProgress(a.Err, render.ProgressOptions{
		Terminal: a.animated(), Width: func() int { return cmp.Or(a.width(true), 80) }, MaxLines: lines,
		Quiet: a.silent(), Paint: a.paint.err, Symbols: a.symbols(), Now: a.Now,
	})
	a.showing.Store(p)
	return p
}

// silent reports whether plans, progress and hints are left out: by -q, and for
// a program that reads JSON or YAML and finds errors as such on the error stream.
func (a *app) silent() bool {
	machine := a.format == render.FormatJSON || a.format == render.FormatYAML
	return a.flags.quiet || machine && !a.ErrTerminal
}

// say prints a line for people on the error stream, unless it is to be silent.
func (a *app) say(format string, args ...any) {
	if a.silent() {
		return
	}
	line := render.CleanText(fmt.Sprintf(format, args...))
	if p := a.showing.Load(); p != nil {
		p.Log(line)
		return
	}
	fmt.Fprintln(a.Err, line)
}

// fail prints an error.
func (a *app) fail(err error) {
	var e *exitError
	if errors.As(err, &e) && e.err == nil {
		return
	}
	if a.format == "" {
		// The command line was wrong before the flags were settled; a wrong
		// flag among them leaves the plain text.
		_ = a.settle()
	}
	render.Problem(a.Err, problem.Of(err), render.ProblemOptions{
		Format: a.format, Width: a.width(a.ErrTerminal), Paint: a.paint.err,
		Symbols: render.Symbols{Failed: a.failMark()},
	})
}

func (a *app) failMark() string {
	if s := a.symbols(); s == render.Unicode {
		return s.Failed
	}
	return "error:"
}

// maxAnswer bounds an answer to a question, in bytes.
const maxAnswer = 1024

// confirm asks a yes-or-no question; no answer is no. A no, and a question that
// cannot be asked, end the command with ExitUsage.
func (a *app) confirm(ctx context.Context, question string) error {
	if a.flags.yes {
		return nil
	}
	if a.flags.noInput || !a.InTerminal || !a.ErrTerminal {
		return usage("this needs a confirmation, and there is nobody to ask").
			WithDetails(problem.Detail{Message: question}).WithHint("add --yes to go ahead")
	}
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		// A read of a terminal cannot be broken off; after an interrupt the
		// program ends and this with it. A read that fails is no answer.
		line, _ := bufio.NewReader(io.LimitReader(a.In, maxAnswer)).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
	}
	a.say("Nothing was changed.")
	return quiet(ExitUsage)
}

// configDir is where the configuration is.
func (a *app) configDir() (string, error) { return config.Dir(a.Getenv) }

// selected is the cluster that the command goes to.
func (a *app) selected() (string, config.Cluster, error) {
	dir, err := a.configDir()
	if err != nil {
		return "", config.Cluster{}, err
	}
	c, err := config.Load(dir)
	if err != nil {
		return "", config.Cluster{}, err
	}
	name, cl, err := c.Select(a.flags.cluster, a.Getenv)
	if problem.Is(err, problem.NotFound) {
		err = suggest(problem.Of(err), cmp.Or(a.flags.cluster, a.Getenv("DCOS_CLUSTER")), c.Names())
	}
	return name, cl, err
}
