package command

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
)

// world is a Deps of buffers.
type world struct {
	Deps
	out, err strings.Builder
}

// newWorld makes a world without a terminal, with these variables.
func newWorld(t *testing.T, env ...string) *world {
	t.Helper()
	w := &world{}
	vars := map[string]string{"DCOS_CONFIG_HOME": t.TempDir()}
	for i := 0; i+1 < len(env); i += 2 {
		vars[env[i]] = env[i+1]
	}
	w.Deps = Deps{
		In: strings.NewReader(""), Out: &w.out, Err: &w.err,
		Size:   func() (int, int) { return 80, 24 },
		Getenv: func(k string) string { return vars[k] },
		Now:    time.Now,
		Ticker: func(d time.Duration) (<-chan time.Time, func()) {
			tick := time.NewTicker(min(d, 5*time.Millisecond))
			return tick.C, tick.Stop
		},
		HTTP: &http.Client{},
	}
	return w
}

// app makes the run of a command line whose flags are settled.
func (w *world) app(t *testing.T, args ...string) *app {
	t.Helper()
	a := &app{Deps: w.Deps}
	if err := a.root().PersistentFlags().Parse(args); err != nil {
		t.Fatal(err)
	}
	if err := a.settle(); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, ExitOK},
		{errors.New("x"), ExitError},
		{problem.New(problem.Invalid, "x"), ExitUsage},
		{problem.New(problem.NotFound, "x"), ExitNotFound},
		{problem.New(problem.Unauthorized, "x"), ExitDenied},
		{problem.New(problem.Forbidden, "x"), ExitDenied},
		{problem.New(problem.Unsatisfiable, "x"), ExitNoSolution},
		{problem.New(problem.Exists, "x"), ExitError},
		{exitWith(ExitTimeout, problem.New(problem.Invalid, "x")), ExitTimeout},
		{quiet(42), 42},
		{context.Canceled, ExitInterrupted},
		{context.DeadlineExceeded, ExitTimeout},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

func TestColour_followsFlagsThenVariables(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal bool
		args     []string
		env      []string
		want     bool
	}{
		{"terminal", true, nil, nil, true},
		{"pipe", false, nil, nil, false},
		{"dumb", true, nil, []string{"TERM", "dumb"}, false},
		{"NO_COLOR", true, nil, []string{"NO_COLOR", "1"}, false},
		{"NO_COLOR wins over DCOS_COLOR", true, nil, []string{"NO_COLOR", "1", "DCOS_COLOR", "always"}, false},
		{"flag wins over NO_COLOR", true, []string{"--color", "always"}, []string{"NO_COLOR", "1"}, true},
		{"--no-color", true, []string{"--no-color"}, []string{"DCOS_COLOR", "always"}, false},
		{"--color never", true, []string{"--color", "never"}, nil, false},
		{"DCOS_COLOR", false, nil, []string{"DCOS_COLOR", "always"}, true},
		{"CLICOLOR", true, nil, []string{"CLICOLOR", "0"}, false},
		{"CLICOLOR_FORCE", false, nil, []string{"CLICOLOR_FORCE", "1"}, true},
	} {
		w := newWorld(t, c.env...)
		w.OutTerminal = c.terminal
		if got := bool(w.app(t, c.args...).paint.out); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSymbols_areWordsWhereTheyMustBe(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want render.Symbols
	}{
		{nil, render.Unicode},
		{[]string{"ACCESSIBLE", "1"}, render.ASCII},
		{[]string{"LC_ALL", "C"}, render.ASCII},
		{[]string{"LANG", "C.UTF-8"}, render.Unicode},
	} {
		w := newWorld(t, c.env...)
		w.ErrTerminal = true
		if got := w.app(t).symbols(); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}

func TestConfirm(t *testing.T) {
	ask := func(answer string, args ...string) (error, string) {
		w := newWorld(t)
		w.In, w.InTerminal, w.ErrTerminal = strings.NewReader(answer), true, true
		return w.app(t, args...).confirm(t.Context(), "Go?"), w.err.String()
	}
	for _, yes := range []string{"y\n", "YES\n", " y \n", "y"} {
		if err, _ := ask(yes); err != nil {
			t.Errorf("%q: %v", yes, err)
		}
	}
	for _, no := range []string{"\n", "n\n", "", "yep\n", strings.Repeat("y", 5000) + "\n"} {
		if err, said := ask(no); exitCode(err) != ExitUsage || !strings.Contains(said, "Nothing was changed") {
			t.Errorf("%.10q: %v, said %q", no, err, said)
		}
	}
	if err, said := ask("", "--yes"); err != nil || said != "" {
		t.Errorf("--yes: %v, asked %q", err, said)
	}
	if err, said := ask("y\n", "--no-input"); !problem.Is(err, problem.Invalid) || said != "" {
		t.Errorf("--no-input: %v, asked %q", err, said)
	}
}

func TestConfirm_anInterruptEndsTheQuestion(t *testing.T) {
	w := newWorld(t)
	in, _ := io.Pipe() // nobody ever answers
	w.In, w.InTerminal, w.ErrTerminal = in, true, true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.app(t).confirm(ctx, "Go?"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	in.Close()
}

func TestSilent_forProgramsThatReadErrors(t *testing.T) {
	for _, c := range []struct {
		args     []string
		terminal bool
		want     bool
	}{
		{nil, false, false}, {[]string{"-q"}, true, true},
		{[]string{"-o", "json"}, false, true}, {[]string{"--json"}, true, false}, {[]string{"-o", "yaml"}, false, true},
	} {
		w := newWorld(t)
		w.ErrTerminal = c.terminal
		if got := w.app(t, c.args...).silent(); got != c.want {
			t.Errorf("%v, terminal %v: %v", c.args, c.terminal, got)
		}
	}
}

func TestErrors_areDocumentsWhenJSONIsAsked(t *testing.T) {
	for _, env := range [][]string{{"DCOS_OUTPUT", "json"}, nil} {
		w := newWorld(t, env...)
		args := []string{"package", "lint", "/does/not/exist"}
		if env == nil {
			args = append(args, "--json")
		}
		if code := Main(t.Context(), w.Deps, args); code != ExitNotFound {
			t.Errorf("exit code %d", code)
		}
		if got := w.err.String(); !strings.HasPrefix(got, "{") || !strings.Contains(got, `"code": "not_found"`) {
			t.Errorf("not a document: %s", got)
		}
	}
}

func TestList_ofNothingIsAnEmptyList(t *testing.T) {
	w := newWorld(t)
	var none []string
	if err := w.app(t, "--json").list("XList", none, nil, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.out.String(), `"items": []`) {
		t.Errorf("printed %s", w.out.String())
	}
}

func TestSay_goesAboveTheTreeOnATerminal(t *testing.T) {
	w := newWorld(t)
	w.ErrTerminal = true
	a := w.app(t)
	p := a.progress()
	p.Set([]render.Item{{Key: "x", Text: "tree"}})
	a.say("note")
	if got := w.err.String(); !strings.HasSuffix(got, "\x1b[1A\x1b[Jnote\n\x1b[2K\x1b[2m◌\x1b[0m tree\n\x1b[J") {
		t.Errorf("got %q", got)
	}
}

// TestCommands_areExplained sees that every command has what a reader needs,
// and that none has a flag of the same letter as a global one.
func TestCommands_areExplained(t *testing.T) {
	w := newWorld(t)
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short text %q", c.CommandPath(), c.Short)
		}
		if c.RunE == nil {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		c.InheritedFlags() // panics on a letter that is taken
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(w.app(t).root())
}
