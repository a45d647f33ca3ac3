package containerd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/output"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// turns is what the probe's verb of that name writes.
func turns(n int) (stdout, stderr, both string) {
	var o, e, b strings.Builder
	for i := range n {
		fmt.Fprintf(&o, "out %d\n", i)
		fmt.Fprintf(&e, "err %d\n", i)
		fmt.Fprintf(&b, "out %d\nerr %d\n", i, i)
	}
	return o.String(), e.String(), b.String()
}

// both runs f with our logger and with the shim alone.
func both(t *testing.T, f func(t *testing.T, r *Runner)) {
	t.Run("logger", func(t *testing.T) { f(t, open(t)) })
	t.Run("shim", func(t *testing.T) { f(t, open(t, func(o *Options) { o.Output = "" })) })
}

func TestOutput_streamsAreApart(t *testing.T) {
	h := harness(t)
	both(t, func(t *testing.T, r *Runner) {
		const lines = 5
		dir := t.TempDir()
		spec := h.Spec(t, "steps", fmt.Sprint(lines), "/steps")
		spec.Volumes = []runner.Mount{{Source: dir, Path: "/steps", ReadOnly: true}}
		stdout, stderr, merged := turns(lines)
		outFile, errFile := output.Paths(spec.Sandbox)
		ends := runnertest.Watch(t, r)
		runnertest.Start(t, r, spec)
		for i := range lines {
			// The next line is written when this one was read: their order is certain.
			for _, line := range []struct{ name, file string }{{"out", outFile}, {"err", errFile}} {
				runnertest.AwaitFile(t, line.file, fmt.Sprintf("%s %d\n", line.name, i))
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d", line.name, i)), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		finish(t, r, spec, ends)
		if got := read(t, spec, output.Stdout); got != stdout {
			t.Errorf("standard output: got %q, want its own lines", got)
		}
		if got := read(t, spec, output.Stderr); got != stderr {
			t.Errorf("standard error: got %q, want its own lines", got)
		}
		if r.opts.Output == "" {
			merged = stdout + stderr // nobody noted their order
		}
		if got := read(t, spec, output.Merged); got != merged {
			t.Errorf("both: got %q, want %q", got, merged)
		}
	})
}

func TestOutput_ofAFastTaskIsWhole(t *testing.T) {
	h := harness(t)
	both(t, func(t *testing.T, r *Runner) {
		for range 5 {
			spec := h.Spec(t, "flood", fmt.Sprint(1<<20))
			run(t, r, spec)
			runnertest.AwaitFile(t, filepath.Join(spec.Sandbox, "stdout"), strings.Repeat("x", 1<<20))
		}
	})
}

// TestOutput_goesOnWithoutUsAndContainerd closes the client and kills
// containerd: the shim and the logger are alone.
func TestOutput_goesOnWithoutUsAndContainerd(t *testing.T) {
	h := harness(t)
	for _, program := range []string{engine.daemon.Options("").Output, ""} {
		d := newDaemon(t)
		o := d.Options("ns-1")
		o.PlainHTTP, o.Output = []string{strings.TrimPrefix(engine.registry.URL, "http://")}, program
		r, err := New(runnertest.Context(t), o)
		if err != nil {
			t.Fatal(err)
		}
		spec := h.Spec(t, "turns", "200")
		mustStart(t, r, spec)
		stdout, stderr := output.Paths(spec.Sandbox)
		runnertest.AwaitFile(t, stderr, "err 0\n")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		pid, err := d.PID()
		if err != nil {
			t.Fatal(err)
		}
		kill9(t, pid)
		runnertest.AwaitFile(t, stdout, "out 199\n")
		runnertest.AwaitFile(t, stderr, "err 199\n")
		if err := d.Start(runnertest.Context(t)); err != nil {
			t.Fatal(err)
		}
		again := runnerOn(t, d, "ns-1")
		ctx := runnertest.Context(t)
		for s, ok := runnertest.Find(t, again, spec.Task.ID); ok && s.Exit == nil; s, ok = runnertest.Find(t, again, spec.Task.ID) {
			if ctx.Err() != nil {
				t.Fatalf("it never ended: %+v", s)
			}
		}
		if err := again.Remove(ctx, spec.Task.ID); err != nil {
			t.Error(err)
		}
	}
}

// TestOutput_aFullDiskDoesNotStopTheTask writes more than the disk takes.
func TestOutput_aFullDiskDoesNotStopTheTask(t *testing.T) {
	h := harness(t)
	r := open(t)
	spec := h.Spec(t, "flood", fmt.Sprint(4<<20))
	spec.Sandbox = filepath.Join(smallDisk(t, "1m"), "box")
	if got, exit := run(t, r, spec); exit.Code != 0 || len(got) < 512<<10 {
		t.Errorf("a task whose log has no room: got %d bytes and %+v, want it to end well", len(got), exit)
	}
	after := h.Spec(t, "print", "still well")
	if out, _ := run(t, r, after); out != "still well\n" {
		t.Errorf("a task after it: got %q", out)
	}
}

// TestOutput_noRoomToStart needs a clear answer and no container.
func TestOutput_noRoomToStart(t *testing.T) {
	h := harness(t)
	r := open(t)
	spec := h.Spec(t, "exit", "0")
	spec.Sandbox = filepath.Join(smallDisk(t, "4k"), "box", "deep", "deeper")
	err := r.Start(runnertest.Context(t), spec)
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("start without room for the sandbox: got %v, want it named", err)
	}
	if s, ok := runnertest.Find(t, r, spec.Task.ID); ok {
		t.Errorf("after it: got %+v, want nothing", s)
	}
}
