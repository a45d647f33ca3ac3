package runnertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

// Probe is the path of the test program in the image.
const Probe = "/probe"

// Patience is how long the suite waits for anything, on a loaded machine.
const Patience = 90 * time.Second

// Harness is how the suite gets at an implementation.
type Harness struct {
	// Open gives a Runner. Each call stands for another life of the process
	// that uses it: all of them see the same containers.
	Open func(t *testing.T) runner.Runner
	// Image is the reference, by digest, of the image that holds Probe.
	Image string
	// MissingImage is a well-formed reference to an image that does not exist.
	MissingImage string
	// Address is where published ports of this machine answer; empty: a
	// Networker whose namespaces carry no traffic.
	Address string
	// NoNetworks says why a Networker cannot be tried on this machine; empty: it can.
	NoNetworks string
	// NoMissingProgram is set where the runner cannot know that a program does not exist.
	NoMissingProgram bool
}

var taskNumber atomic.Int64

// Spec is a small task that runs Probe with args, with a sandbox of its own.
func (h Harness) Spec(t testing.TB, args ...string) runner.Spec {
	t.Helper()
	sandbox := t.TempDir()
	id := cluster.TaskID(fmt.Sprintf("suite.%d", taskNumber.Add(1)))
	return runner.Spec{
		Task: cluster.TaskSpec{
			ID: id, Name: string(id), Task: "probe", Goal: cluster.GoalFinish,
			Container: cluster.Container{Image: h.Image, Command: append([]string{Probe}, args...), User: "65534:65534"},
			Resources: cluster.Resources{CPU: 100, Mem: 64 << 20},
		},
		Sandbox: sandbox,
	}
}

// Context is done after Patience, or with the test.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Start prepares and starts spec and removes it when the test ends.
func Start(t testing.TB, r runner.Runner, spec runner.Spec) {
	t.Helper()
	ctx := Context(t)
	if err := r.Prepare(ctx, spec, nil); err != nil {
		t.Fatalf("Prepare(%s): %v", spec.Task.ID, err)
	}
	if err := r.Start(ctx, spec); err != nil {
		t.Fatalf("Start(%s): %v", spec.Task.ID, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := r.Remove(ctx, spec.Task.ID); err != nil {
			t.Errorf("Remove(%s): %v", spec.Task.ID, err)
		}
	})
}

// Watch starts watching and returns when no later end can be missed.
func Watch(t testing.TB, r runner.Runner) <-chan runner.Status {
	t.Helper()
	ch := r.Watch(Context(t))
	if s, ok := <-ch; !ok || s.ID != "" || s.Exit != nil {
		t.Fatalf("first status of Watch: got %+v (open: %t), want the marker", s, ok)
	}
	return ch
}

// AwaitEnd reads ends until that of id.
func AwaitEnd(t testing.TB, ends <-chan runner.Status, id cluster.TaskID) runner.Exit {
	t.Helper()
	for s := range ends {
		if s.ID == id && s.Exit != nil {
			return *s.Exit
		}
	}
	t.Fatalf("no end of %s within %s", id, Patience)
	return runner.Exit{}
}

// Find gives the status of id in List.
func Find(t testing.TB, r runner.Runner, id cluster.TaskID) (runner.Status, bool) {
	t.Helper()
	list, err := r.List(Context(t))
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	for _, s := range list {
		if s.ID == id {
			return s, true
		}
	}
	return runner.Status{}, false
}

// AwaitLog waits until the standard output of spec contains text.
func AwaitLog(t testing.TB, spec runner.Spec, text string) {
	t.Helper()
	stdout, _ := output.Paths(spec.Sandbox)
	AwaitFile(t, stdout, text)
}

// AwaitFile waits until a file contains text.
func AwaitFile(t testing.TB, path, text string) {
	t.Helper()
	ctx := Context(t)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), text) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: got %q (%v), want it to contain %q", path, b, err, text)
		case <-tick.C:
		}
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want one that wraps %q", what, got, want)
	}
}
