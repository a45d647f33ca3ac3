package containerd

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

const (
	leakTasks = 200
	leakWidth = 8
)

// left names what a daemon's containers have on this machine: shims, loggers,
// mounts, cgroups, pipes.
func left(t *testing.T, d *Daemon) []string {
	t.Helper()
	var out []string
	for pid, args := range processes {
		name := filepath.Base(args[0])
		if name == outputProgram && strings.HasPrefix(args[0], d.Bundle) ||
			strings.HasPrefix(name, "containerd-shim") && flag(args, "-address") == d.Socket() {
			if parentOf(pid) != 0 { // not one that is just ending
				out = append(out, "process "+strings.Join(args, " "))
			}
		}
	}
	mounts, err := mountsBelow(filepath.Dir(d.State))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		out = append(out, "mount "+m)
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*" + d.cgroup() + "/*/*")
	v2, _ := filepath.Glob("/sys/fs/cgroup" + d.cgroup() + "/*/*")
	for _, g := range append(groups, v2...) {
		if fi, err := os.Stat(g); err == nil && fi.IsDir() {
			out = append(out, "cgroup "+g)
		}
	}
	for _, dir := range []string{d.State, d.shimSockets()} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type()&fs.ModeNamedPipe != 0 {
				out = append(out, "pipe "+path)
			}
			if err == nil && e.Type()&fs.ModeSocket != 0 && dir == d.shimSockets() {
				out = append(out, "socket "+path)
			}
			return nil // what vanishes is not left
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestLeaks_twoHundredShortTasks runs whole lives, some with an exec in the
// middle, and looks for what is left.
func TestLeaks_twoHundredShortTasks(t *testing.T) {
	h := harness(t)
	d := newDaemon(t)
	r := runnerOn(t, d, testNamespace)
	ctx := runnertest.Context(t)
	if err := r.Prepare(ctx, h.Spec(t, "exit", "0"), nil); err != nil {
		t.Fatal(err)
	}
	seen := h.Spec(t, "run")
	mustStart(t, r, seen)
	if found := left(t, d); len(found) < 4 {
		t.Errorf("of a running task: got %v, want its shim, logger, mounts and cgroups", found)
	}
	if err := r.Remove(ctx, seen.Task.ID); err != nil {
		t.Fatal(err)
	}
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range leakWidth {
		wg.Go(func() {
			for i := range numbers {
				verb := []string{"print", "short"}
				if i%10 == 0 {
					verb = []string{"run"}
				}
				spec := h.Spec(t, verb...)
				if err := r.Start(ctx, spec); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					if _, err := r.Exec(ctx, spec.Task.ID, []string{runnertest.Probe, "exit", "3"}, &strings.Builder{}); err != nil {
						t.Error(err)
					}
				}
				if err := r.Remove(ctx, spec.Task.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range leakTasks {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); ; {
		found := left(t, d)
		if len(found) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("left behind by %d tasks: %d things, such as %s", leakTasks, len(found), found[0])
		}
	}
}
