package containerd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// newDaemon starts a daemon of the test's own and sees it gone at the end.
func newDaemon(t *testing.T) *Daemon {
	t.Helper()
	shared := needEngine(t)
	dir, err := os.MkdirTemp("", "universe-daemon-") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Bundle: shared.Bundle, Root: filepath.Join(dir, "root"), State: filepath.Join(dir, "state")}
	t.Cleanup(func() {
		defer os.RemoveAll(dir)
		ctx, cancel := context.WithTimeout(context.Background(), runnertest.Patience)
		defer cancel()
		if err := d.Stop(ctx); err != nil {
			t.Error(err)
		}
		if mounts, err := mountsBelow(dir); err != nil || len(mounts) != 0 {
			t.Errorf("mounts after Stop: %v, %v", mounts, err)
		}
		if left := d.shims(); len(left) != 0 {
			t.Errorf("shims after Stop: %v", left)
		}
		if groups, _ := filepath.Glob("/sys/fs/cgroup/*" + d.cgroup()); len(groups) != 0 {
			t.Errorf("cgroups after Stop: %v", groups)
		}
	})
	if err := d.Start(runnertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	return d
}

func runnerOn(t *testing.T, d *Daemon, namespace string, change ...func(*Options)) *Runner {
	t.Helper()
	o := d.Options(namespace)
	o.PlainHTTP = []string{strings.TrimPrefix(engine.registry.URL, "http://")}
	for _, c := range change {
		c(&o)
	}
	r, err := New(runnertest.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func mustStart(t *testing.T, r *Runner, spec runner.Spec) {
	t.Helper()
	ctx := runnertest.Context(t)
	if err := r.Prepare(ctx, spec, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(ctx, spec); err != nil {
		t.Fatal(err)
	}
}

func kill9(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := awaitExit(runnertest.Context(t), pid); err != nil {
		t.Fatal(err)
	}
}

func TestDaemon_isAdopted(t *testing.T) {
	d := newDaemon(t)
	before, err := d.PID()
	if err != nil {
		t.Fatal(err)
	}
	again := &Daemon{Bundle: d.Bundle, Root: d.Root, State: d.State}
	if err := again.Start(runnertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if after, err := again.PID(); err != nil || after != before {
		t.Errorf("pid after a second Start: got %d, %v, want %d", after, err, before)
	}
	sid, err := unix.Getsid(before)
	if err != nil || sid != before {
		t.Errorf("session of the daemon: got %d, %v, want its own", sid, err)
	}
}

// TestDaemon_killed is the worst hour: containerd dies with containers running,
// one of them ends meanwhile, one had ended before.
func TestDaemon_killed(t *testing.T) {
	d := newDaemon(t)
	h := harness(t)
	r := runnerOn(t, d, "ns-1")
	ends := runnertest.Watch(t, r)
	lives, dies, died := h.Spec(t, "run"), h.Spec(t, "run"), h.Spec(t, "exit", "42")
	for _, s := range []runner.Spec{lives, dies, died} {
		mustStart(t, r, s)
	}
	runnertest.AwaitEnd(t, ends, died.Task.ID)
	before, _ := runnertest.Find(t, r, lives.Task.ID)
	victim, _ := runnertest.Find(t, r, dies.Task.ID)
	pid, err := d.PID()
	if err != nil {
		t.Fatal(err)
	}

	kill9(t, pid)
	if err := r.Signal(runnertest.Context(t), lives.Task.ID, int(syscall.SIGTERM), false); err == nil ||
		!strings.Contains(err.Error(), runner.ErrUnavailable.Error()) {
		t.Errorf("Signal without a daemon: got %v, want ErrUnavailable", err)
	}
	kill9(t, victim.PID)
	if err := d.Start(runnertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	for s := range ends { // Watch came back by itself
		if s.ID == "" && s.Exit == nil {
			break
		}
	}

	if s, ok := runnertest.Find(t, r, lives.Task.ID); !ok || s.State != runner.Running || s.PID != before.PID {
		t.Errorf("running container: got %+v, %t, want it as before: %+v", s, ok, before)
	}
	if s, ok := runnertest.Find(t, r, dies.Task.ID); !ok || s.Exit == nil || !s.Exit.Unknown {
		t.Errorf("container that ended meanwhile: got %+v, %t, want an unknown exit", s, ok)
	}
	if s, ok := runnertest.Find(t, r, died.Task.ID); !ok || s.Exit == nil || s.Exit.Unknown || s.Exit.Code != 42 {
		t.Errorf("container that had ended before: got %+v, %t, want exit 42", s, ok)
	}
	if err := r.Signal(runnertest.Context(t), lives.Task.ID, int(syscall.SIGKILL), true); err != nil {
		t.Fatal(err)
	}
	if got := runnertest.AwaitEnd(t, ends, lives.Task.ID); got.Code != 137 {
		t.Errorf("end under the new daemon: got %+v", got)
	}
	for _, s := range []runner.Spec{lives, dies, died} {
		if err := r.Remove(runnertest.Context(t), s.Task.ID); err != nil {
			t.Errorf("Remove(%s): %v", s.Task.ID, err)
		}
	}
	if list, err := r.List(runnertest.Context(t)); err != nil || len(list) != 0 {
		t.Errorf("List at the end: got %+v, %v", list, err)
	}
}

func TestDaemon_superviseStartsItAgain(t *testing.T) {
	d := newDaemon(t)
	ctx, cancel := context.WithCancel(runnertest.Context(t))
	done := make(chan error, 1)
	go func() { done <- d.Supervise(ctx) }()
	before, err := d.PID()
	if err != nil {
		t.Fatal(err)
	}
	kill9(t, before)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if pid, err := d.PID(); err == nil && pid != before && d.ping(ctx) == nil {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("containerd was not started again")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Supervise: %v", err)
	}
	if _, err := d.PID(); err != nil {
		t.Errorf("after Supervise ended: %v, want the daemon running", err)
	}
}

// TestDaemon_stopEndsEverything is checked by newDaemon's clean-up.
func TestDaemon_stopEndsEverything(t *testing.T) {
	d := newDaemon(t)
	h := harness(t)
	r := runnerOn(t, d, "ns-1")
	for _, verb := range []string{"run", "stubborn"} {
		mustStart(t, r, h.Spec(t, verb))
	}
	if err := d.Stop(runnertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Root); err != nil {
		t.Errorf("the images after Stop: %v, want them kept", err)
	}
	if err := d.Stop(runnertest.Context(t)); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
}

// TestDaemon_reboot takes away all that does not survive one: processes, mounts,
// State, which lies in memory. The images and containerd's records stay.
func TestDaemon_reboot(t *testing.T) {
	d := newDaemon(t)
	h := harness(t)
	r := runnerOn(t, d, "ns-1")
	running, ended := h.Spec(t, "run"), h.Spec(t, "exit", "4")
	ends := runnertest.Watch(t, r)
	mustStart(t, r, running)
	mustStart(t, r, ended)
	runnertest.AwaitEnd(t, ends, ended.Task.ID)
	if err := d.Stop(runnertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if err := d.Start(runnertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	r = runnerOn(t, d, "ns-1")
	if s, ok := runnertest.Find(t, r, running.Task.ID); !ok || s.Exit == nil || !s.Exit.Unknown {
		t.Errorf("what ran: got %+v, %t, want an unknown exit", s, ok)
	}
	if s, ok := runnertest.Find(t, r, ended.Task.ID); !ok || s.Exit == nil || s.Exit.Unknown || s.Exit.Code != 4 {
		t.Errorf("what had ended: got %+v, %t, want its code", s, ok)
	}
	for _, s := range []runner.Spec{running, ended} {
		if err := r.Remove(runnertest.Context(t), s.Task.ID); err != nil {
			t.Errorf("Remove(%s): %v", s.Task.ID, err)
		}
		if _, err := r.Disk(runnertest.Context(t), s.Task.ID); !errors.Is(err, runner.ErrNotFound) {
			t.Errorf("snapshot of %s after its removal: got %v, want none", s.Task.ID, err)
		}
	}
	mustStart(t, r, running) // the image is there, and the name is free
	if err := r.Remove(runnertest.Context(t), running.Task.ID); err != nil {
		t.Error(err)
	}
	if found := left(t, d); len(found) != 0 {
		t.Errorf("left behind: %v", found)
	}
}

// TestDaemon_equalTaskIDs is the trap of two daemons on one machine: the second
// must not kill what the first runs under the same name.
func TestDaemon_equalTaskIDs(t *testing.T) {
	h := harness(t)
	one, two := runnerOn(t, newDaemon(t), "ns-1"), runnerOn(t, newDaemon(t), "ns-1")
	spec := h.Spec(t, "run")
	mustStart(t, one, spec)
	other := h.Spec(t, "run")
	other.Task.ID = spec.Task.ID
	mustStart(t, two, other)
	if err := two.Remove(runnertest.Context(t), spec.Task.ID); err != nil {
		t.Fatal(err)
	}
	if s, ok := runnertest.Find(t, one, spec.Task.ID); !ok || s.State != runner.Running {
		t.Errorf("the first daemon's container: got %+v, %t, want it running", s, ok)
	}
}

func TestDaemon_namesWhatIsMissing(t *testing.T) {
	bundle := t.TempDir()
	for name, d := range map[string]*Daemon{
		"relative":    {Bundle: bundle, Root: "root", State: "/s"},
		"long":        {Bundle: bundle, Root: "/r", State: "/" + strings.Repeat("x", 100)},
		"root cgroup": {Bundle: bundle, Root: "/r", State: "/s", Cgroup: "/"},
		"dots":        {Bundle: bundle, Root: "/r/../x", State: "/s"},
		"bundle":      {Bundle: bundle, Root: "/r", State: "/s"},
	} {
		if err := d.Start(t.Context()); problem.Of(err) == nil || problem.Is(err, problem.Internal) {
			t.Errorf("%s: got %v, want a problem", name, err)
		}
	}
}

// childVariable makes the test's binary a client that starts a container and is killed.
const childVariable = "UNIVERSE_TEST_CLIENT"

func TestClient_killedAndAdopted(t *testing.T) {
	h := harness(t)
	spec := h.Spec(t, "run")
	runnertest.Start(t, open(t), h.Spec(t, "exit", "0")) // the image is there
	child := exec.Command(os.Args[0], "-test.run=^TestClient_child$", "-test.v")
	child.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{
		engine.daemon.State, engine.daemon.Bundle, engine.image, string(spec.Task.ID), spec.Sandbox}, ","))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() && !strings.Contains(lines.Text(), "client started it") {
		said = append(said, lines.Text())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatalf("the client ended by itself: %s", strings.Join(said, "\n"))
	}
	r := open(t)
	ends := runnertest.Watch(t, r)
	s, ok := runnertest.Find(t, r, spec.Task.ID)
	if !ok || s.State != runner.Running {
		t.Fatalf("the killed client's container: got %+v, %t, want it running", s, ok)
	}
	t.Cleanup(func() {
		if err := r.Remove(runnertest.Context(t), spec.Task.ID); err != nil {
			t.Error(err)
		}
	})
	if err := r.Signal(runnertest.Context(t), spec.Task.ID, int(syscall.SIGKILL), true); err != nil {
		t.Fatal(err)
	}
	if got := runnertest.AwaitEnd(t, ends, spec.Task.ID); got.Code != 137 {
		t.Errorf("its end: got %+v", got)
	}
}

// TestClient_child is the client of TestClient_killedAndAdopted.
func TestClient_child(t *testing.T) {
	f := strings.Split(os.Getenv(childVariable), ",")
	if len(f) != 5 {
		t.Skip("only as a child of TestClient_killedAndAdopted")
	}
	d := &Daemon{State: f[0], Bundle: f[1]}
	r, err := New(runnertest.Context(t), d.Options(testNamespace))
	if err != nil {
		t.Fatal(err)
	}
	var spec runner.Spec
	spec.Task.ID, spec.Task.Container.Image, spec.Task.Container.Command = cluster.TaskID(f[3]), f[2], []string{runnertest.Probe, "run"}
	spec.Sandbox = f[4]
	if err := r.Start(runnertest.Context(t), spec); err != nil {
		t.Fatal(err)
	}
	fmt.Println("client started it")
	<-runnertest.Context(t).Done()
}
