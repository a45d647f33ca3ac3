package runnertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

// Run runs the suite. It leaves no container behind.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"exit codes", exitCodes},
		{"output", outputs},
		{"prepare", prepare},
		{"start twice", startTwice},
		{"start canceled", startCanceled},
		{"missing program", missingProgram},
		{"signals", signals},
		{"signal the unknown and the ended", signalOthers},
		{"exec", exec},
		{"remove", remove},
		{"another life", anotherLife},
		{"many at once", manyAtOnce},
		{"watch ends", watchEnds},
		{"ping and usage", ping},
		{"volumes", volumes},
		{"networks", networks},
		{"networks refused", networksRefused},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
	t.Run("nothing left", func(t *testing.T) {
		list, err := h.Open(t).List(Context(t))
		if err != nil || len(list) != 0 {
			t.Errorf("List after the suite: got %v, %v, want none", list, err)
		}
		if n, ok := h.Open(t).(runner.Networker); ok {
			if left, err := n.Attachments(Context(t)); err != nil || len(left) != 0 {
				t.Errorf("Attachments after the suite: got %v, %v, want none", left, err)
			}
		}
	})
}

func exitCodes(t *testing.T, h Harness) {
	r := h.Open(t)
	ends := Watch(t, r)
	for _, code := range []int{0, 3, 255} {
		spec := h.Spec(t, "exit", fmt.Sprint(code))
		Start(t, r, spec)
		got := AwaitEnd(t, ends, spec.Task.ID)
		if got.Code != code || got.Unknown || got.OOM || got.At == 0 {
			t.Errorf("end of exit %d: got %+v", code, got)
		}
		s, ok := Find(t, r, spec.Task.ID)
		if !ok || s.State != runner.Exited || s.Exit == nil || s.Exit.Code != code {
			t.Errorf("List after exit %d: got %+v, %t", code, s, ok)
		}
	}
}

func outputs(t *testing.T, h Harness) {
	r := h.Open(t)
	ends := Watch(t, r)
	spec := h.Spec(t, "print", "hello from inside")
	Start(t, r, spec)
	AwaitEnd(t, ends, spec.Task.ID)
	AwaitLog(t, spec, "hello from inside\n")
	if _, stderr := output.Paths(spec.Sandbox); size(t, stderr) != 0 {
		t.Error("standard error of a program that writes none: got some")
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

func prepare(t *testing.T, h Harness) {
	r, ctx := h.Open(t), Context(t)
	spec := h.Spec(t, "exit", "0")
	for range 2 { // idempotent
		if err := r.Prepare(ctx, spec, func(runner.Progress) {}); err != nil {
			t.Fatalf("Prepare: %v", err)
		}
	}
	for _, image := range []string{h.MissingImage, "no-digest/at-all:latest", "", "%%%@sha256:12"} {
		spec.Task.Container.Image = image
		wantErr(t, fmt.Sprintf("Prepare of image %q", image), r.Prepare(ctx, spec, nil), runner.ErrImage)
	}
}

func startTwice(t *testing.T, h Harness) {
	r := h.Open(t)
	spec := h.Spec(t, "run")
	Start(t, r, spec)
	AwaitLog(t, spec, "ready")
	wantErr(t, "second Start", r.Start(Context(t), spec), runner.ErrExists)
	if s, ok := Find(t, r, spec.Task.ID); !ok || s.State != runner.Running || s.PID == 0 {
		t.Errorf("after a second Start: got %+v, %t, want the first one running", s, ok)
	}
}

func startCanceled(t *testing.T, h Harness) {
	r := h.Open(t)
	spec := h.Spec(t, "run")
	if err := r.Prepare(Context(t), spec, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(Context(t))
	cancel()
	if err := r.Start(ctx, spec); err == nil {
		t.Error("Start with a canceled context: got no error")
	}
	if s, ok := Find(t, r, spec.Task.ID); ok {
		t.Errorf("after a canceled Start: got %+v, want nothing left behind", s)
	}
}

func missingProgram(t *testing.T, h Harness) {
	if h.NoMissingProgram {
		t.Skip("this runner starts no program")
	}
	r := h.Open(t)
	spec := h.Spec(t)
	spec.Task.Container.Command = []string{"/no/such/program"}
	ctx := Context(t)
	if err := r.Prepare(ctx, spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(ctx, spec); err == nil {
		t.Error("Start of a missing program: got no error")
	}
	if s, ok := Find(t, r, spec.Task.ID); ok {
		t.Errorf("after a failed Start: got %+v, want nothing left behind", s)
	}
	spec.Task.Container.Command = []string{Probe, "exit", "0"}
	Start(t, r, spec) // the id is free again
}

func signals(t *testing.T, h Harness) {
	r := h.Open(t)
	ends := Watch(t, r)
	for _, c := range []struct {
		verb string
		sig  syscall.Signal
		code int
	}{{"run", syscall.SIGKILL, 137}, {"graceful", syscall.SIGTERM, 0}} {
		spec := h.Spec(t, c.verb)
		Start(t, r, spec)
		AwaitLog(t, spec, "ready")
		if err := r.Signal(Context(t), spec.Task.ID, int(c.sig), false); err != nil {
			t.Fatalf("Signal(%s, %v): %v", c.verb, c.sig, err)
		}
		if got := AwaitEnd(t, ends, spec.Task.ID); got.Code != c.code || got.OOM {
			t.Errorf("%s after %v: got %+v, want code %d", c.verb, c.sig, got, c.code)
		}
	}
	stubborn := h.Spec(t, "stubborn")
	Start(t, r, stubborn)
	AwaitLog(t, stubborn, "ready")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if s, _ := Find(t, r, stubborn.Task.ID); s.State != runner.Running {
			t.Fatalf("stubborn before %v: got %+v, want it running", sig, s)
		}
		if err := r.Signal(Context(t), stubborn.Task.ID, int(sig), true); err != nil {
			t.Fatalf("Signal(stubborn, %v): %v", sig, err)
		}
	}
	if got := AwaitEnd(t, ends, stubborn.Task.ID); got.Code != 137 {
		t.Errorf("stubborn after KILL: got %+v, want code 137", got)
	}
}

func signalOthers(t *testing.T, h Harness) {
	r, ctx := h.Open(t), Context(t)
	wantErr(t, "Signal of an unknown id", r.Signal(ctx, "nobody.1", int(syscall.SIGTERM), false), runner.ErrNotFound)
	ends := Watch(t, r)
	spec := h.Spec(t, "exit", "0")
	Start(t, r, spec)
	AwaitEnd(t, ends, spec.Task.ID)
	for _, all := range []bool{false, true} {
		if err := r.Signal(ctx, spec.Task.ID, int(syscall.SIGTERM), all); err != nil {
			t.Errorf("Signal of an ended container (all: %t): %v", all, err)
		}
	}
}

func exec(t *testing.T, h Harness) {
	r, ctx := h.Open(t), Context(t)
	ends := Watch(t, r)
	spec := h.Spec(t, "run")
	Start(t, r, spec)
	AwaitLog(t, spec, "ready")
	var out bytes.Buffer
	code, err := r.Exec(ctx, spec.Task.ID, []string{Probe, "print", "from exec"}, &out)
	if err != nil || code != 0 || out.String() != "from exec\n" {
		t.Errorf("Exec print: got %d, %v, %q", code, err, out.String())
	}
	if code, err = r.Exec(ctx, spec.Task.ID, []string{Probe, "exit", "7"}, &out); err != nil || code != 7 {
		t.Errorf("Exec exit 7: got %d, %v", code, err)
	}
	out.Reset()
	if _, err = r.Exec(ctx, spec.Task.ID, []string{Probe, "flood", fmt.Sprint(runner.MaxExecOutput + 5000)}, &out); err != nil || out.Len() != runner.MaxExecOutput {
		t.Errorf("Exec flood: got %d bytes, %v, want %d", out.Len(), err, runner.MaxExecOutput)
	}
	if s, _ := Find(t, r, spec.Task.ID); s.State != runner.Running {
		t.Errorf("after execs: got %+v, want the task running", s)
	}
	if err := r.Signal(ctx, spec.Task.ID, int(syscall.SIGKILL), false); err != nil {
		t.Fatal(err)
	}
	if got := AwaitEnd(t, ends, spec.Task.ID); got.Code != 137 {
		t.Errorf("first end of the task: got %+v, want 137 (an exec's end is not the task's)", got)
	}
	if _, err = r.Exec(ctx, spec.Task.ID, []string{Probe, "exit", "0"}, &out); err == nil {
		t.Error("Exec in an ended container: got no error")
	}
	_, err = r.Exec(ctx, "nobody.1", []string{Probe, "exit", "0"}, &out)
	wantErr(t, "Exec in an unknown container", err, runner.ErrNotFound)
}

func remove(t *testing.T, h Harness) {
	r, ctx := h.Open(t), Context(t)
	if err := r.Remove(ctx, "nobody.1"); err != nil {
		t.Errorf("Remove of an unknown id: %v", err)
	}
	spec := h.Spec(t, "stubborn")
	Start(t, r, spec)
	if err := r.Remove(ctx, spec.Task.ID); err != nil {
		t.Fatalf("Remove of a running container: %v", err)
	}
	if s, ok := Find(t, r, spec.Task.ID); ok {
		t.Errorf("after Remove: got %+v, want nothing", s)
	}
	wantErr(t, "Signal after Remove", r.Signal(ctx, spec.Task.ID, int(syscall.SIGTERM), false), runner.ErrNotFound)
}

func anotherLife(t *testing.T, h Harness) {
	first := h.Open(t)
	running, ended := h.Spec(t, "run"), h.Spec(t, "exit", "42")
	ends := Watch(t, first)
	Start(t, first, running)
	Start(t, first, ended)
	AwaitEnd(t, ends, ended.Task.ID)

	second := h.Open(t)
	ends = Watch(t, second)
	if s, ok := Find(t, second, running.Task.ID); !ok || s.State != runner.Running || s.PID == 0 {
		t.Errorf("running container in another life: got %+v, %t", s, ok)
	}
	if s, ok := Find(t, second, ended.Task.ID); !ok || s.Exit == nil || s.Exit.Code != 42 || s.Exit.Unknown {
		t.Errorf("ended container in another life: got %+v, %t, want exit 42", s, ok)
	}
	wantErr(t, "Start of an adopted id", second.Start(Context(t), running), runner.ErrExists)
	if err := second.Signal(Context(t), running.Task.ID, int(syscall.SIGKILL), true); err != nil {
		t.Fatal(err)
	}
	if got := AwaitEnd(t, ends, running.Task.ID); got.Code != 137 {
		t.Errorf("end of an adopted container: got %+v, want 137", got)
	}
}

func manyAtOnce(t *testing.T, h Harness) {
	const n = 8
	r := h.Open(t)
	ends := Watch(t, r)
	want := map[cluster.TaskID]int{}
	var wg sync.WaitGroup
	for i := range n {
		spec := h.Spec(t, "exit", fmt.Sprint(i))
		want[spec.Task.ID] = i
		wg.Go(func() { Start(t, r, spec) })
	}
	wg.Wait()
	for s := range ends {
		if s.Exit == nil {
			continue
		}
		if code, ok := want[s.ID]; ok && s.Exit.Code != code {
			t.Errorf("end of %s: got %+v, want %d", s.ID, *s.Exit, code)
		}
		if delete(want, s.ID); len(want) == 0 {
			return
		}
	}
	t.Errorf("no end of %v", want)
}

func watchEnds(t *testing.T, h Harness) {
	r := h.Open(t)
	ctx, cancel := context.WithCancel(Context(t))
	ch := r.Watch(ctx)
	<-ch
	cancel()
	for range ch { // closed, or the test hangs
	}
}

func ping(t *testing.T, h Harness) {
	r, ctx := h.Open(t), Context(t)
	if v, err := r.Ping(ctx); err != nil || v == "" {
		t.Errorf("Ping: got %q, %v", v, err)
	}
	m, ok := r.(runner.Meter)
	if !ok {
		return
	}
	spec := h.Spec(t, "run")
	Start(t, r, spec)
	AwaitLog(t, spec, "ready")
	u, err := m.Usage(ctx, spec.Task.ID)
	if err != nil || u.Memory <= 0 || u.PIDs <= 0 {
		t.Errorf("Usage: got %+v, %v", u, err)
	}
	_, err = m.Usage(ctx, "nobody.1")
	wantErr(t, "Usage of an unknown container", err, runner.ErrNotFound)
}
