package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
)

// tool is an external program and the Debian package that has it.
type tool struct{ name, pkg string }

var (
	aptGet = tool{"apt-get", "apt"}
	dpkg   = tool{"dpkg-deb", "dpkg"}
	pip    = tool{"pip3", "python3-pip"}
	mvn    = tool{"mvn", "maven"}
)

// path finds the program.
func (t tool) path() (string, error) {
	p, err := exec.LookPath(t.name)
	if err != nil {
		return "", problem.New(problem.Unavailable, "the program %s is not on PATH", t.name).
			WithHint("install it: apt-get install %s", t.pkg)
	}
	return p, nil
}

// command prepares a run of a program in a folder, with the variables of env
// set over those of this process.
func command(ctx context.Context, program, dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(append(clean(os.Environ()), "LC_ALL=C.UTF-8", "TMPDIR="+dir), env...)
	// First a chance to clean up, then the end.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// steering are variables that would change what the tools make.
var steering = []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "JDK_JAVAC_OPTIONS",
	"LC_ALL", "LANGUAGE", "TMPDIR"}

func clean(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(steering, name)
	})
}

// run runs a program to its end and returns the end of its output. The error
// carries the last lines of it.
func run(ctx context.Context, program, dir string, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, MaxToolTime, fmt.Errorf("no end after %v", MaxToolTime))
	defer cancel()
	cmd := command(ctx, program, dir, env, args...)
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return out.text(), fmt.Errorf("%s: %w", program, context.Cause(ctx))
	}
	if err != nil {
		return out.text(), &toolError{program: program, output: out.text(), err: err}
	}
	return out.text(), nil
}

// toolError is a program that ended with a failure.
type toolError struct {
	program, output string
	err             error
}

// Error names the program and the last lines it wrote.
func (e *toolError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.output), "\n")
	if len(lines) > 4 {
		lines = lines[len(lines)-4:]
	}
	return fmt.Sprintf("%s: %v: %s", e.program, e.err, strings.Join(lines, "; "))
}

// Unwrap gives the exit error.
func (e *toolError) Unwrap() error { return e.err }

// download runs a client that fetches something into dir, up to DownloadTries
// times. final says that a failure will not go away by trying again.
func (b *builder) download(ctx context.Context, t tool, what, dir string, env []string, final func(*toolError) error, args ...string) error {
	program, err := t.path()
	if err != nil {
		return err
	}
	defer b.progress.watch(what, dir)()
	pause := b.pause
	for try := 1; ; try++ {
		_, err := run(ctx, program, dir, env, args...)
		if err == nil {
			return nil
		}
		var te *toolError
		if !errors.As(err, &te) {
			return err
		}
		if fe := final(te); fe != nil {
			return fe
		}
		if try == DownloadTries {
			return problem.New(problem.Unavailable, "download of %s failed %d times: %w", what, try, err).
				WithHint("check the network and the set-up of %s, then run the same command again", t.name)
		}
		b.log.Warn("download failed, trying again", "what", what, "try", try, "err", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// tail keeps the last MaxToolOutput bytes written to it.
type tail struct{ b []byte }

// Write keeps the end of p.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - MaxToolOutput; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) text() string { return strings.ToValidUTF8(string(t.b), "?") }
