package containerd

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/output"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// run runs a container to its end and gives what it printed.
func run(t testing.TB, r *Runner, spec runner.Spec) (string, runner.Exit) {
	t.Helper()
	ends := runnertest.Watch(t, r)
	runnertest.Start(t, r, spec)
	return finish(t, r, spec, ends)
}

// finish waits for the end of a started container and gives what it printed.
func finish(t testing.TB, r *Runner, spec runner.Spec, ends <-chan runner.Status) (string, runner.Exit) {
	t.Helper()
	exit := runnertest.AwaitEnd(t, ends, spec.Task.ID)
	// The logger ends with the container's removal.
	if err := r.Remove(runnertest.Context(t), spec.Task.ID); err != nil {
		t.Fatal(err)
	}
	output.Settled(t.Context(), spec.Sandbox, runnertest.Patience)
	return read(t, spec, output.Stdout), exit
}

// read gives what is kept of a task's output.
func read(t testing.TB, spec runner.Spec, stream output.Stream) string {
	t.Helper()
	r, err := output.Open(spec.Sandbox, stream)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first, err := r.First()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Size(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(r, first, 1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantLines checks that out has each of the lines.
func wantLines(t *testing.T, out string, lines ...string) {
	t.Helper()
	got := strings.Split(out, "\n")
	for _, l := range lines {
		if !slices.Contains(got, l) {
			t.Errorf("no line %q in:\n%s", l, out)
		}
	}
}

func TestContainer_isConfined(t *testing.T) {
	h := harness(t)
	spec := h.Spec(t, "look")
	spec.Task.Container.Env = map[string]string{"OVER": "task", "OWN": "x=y"}
	spec.Task.Container.Workdir = "/run"
	spec.Task.Container.User = "4000:4001"
	r := open(t)
	out, _ := run(t, r, spec)
	net, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, out, "uid=4000", "gid=4001", "pid=1", "hostname=node-1", "workdir=/run", "NoNewPrivs=1", "Seccomp=2",
		"CapEff=0000000000000000", "CapBnd=00000000000004fb", "net="+net, fmt.Sprintf("nofile=%d", r.nofile),
		"env.FROM=image", "env.OVER=task", "env.OWN=x=y", "env.PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}

func TestContainer_users(t *testing.T) {
	h := harness(t)
	r := open(t)
	for user, want := range map[string]string{
		"":         "uid=10001\ngid=10002", // the image's own, by name
		"spark":    "uid=10001\ngid=10002",
		"7":        "uid=7\ngid=7",
		"0":        "uid=0\ngid=0", // root, but only as it was asked for
		"spark:50": "uid=10001\ngid=50",
	} {
		spec := h.Spec(t, "look")
		spec.Task.Container.User = user
		if out, _ := run(t, r, spec); !strings.HasPrefix(out, want) {
			t.Errorf("user %q: got %q, want %q", user, out[:min(len(out), 40)], want)
		}
	}
	spec := h.Spec(t, "look")
	spec.Task.Container.User = "nobody-knows"
	if err := r.Start(runnertest.Context(t), spec); err == nil {
		t.Error("a user the image does not know: got no error")
	}
}

func TestContainer_imageDefaults(t *testing.T) {
	spec := harness(t).Spec(t)
	spec.Task.Container.Command, spec.Task.Container.User = nil, ""
	if out, exit := run(t, open(t), spec); out != "the image's own command\n" || exit.Code != 0 {
		t.Errorf("the image's own command: got %q, %+v", out, exit)
	}
}

func TestContainer_filesAndScratch(t *testing.T) {
	h := harness(t)
	r := open(t)
	try := func(verb, path string, change func(*cluster.Container)) (string, int) {
		t.Helper()
		spec := h.Spec(t, verb, path)
		if change != nil {
			change(&spec.Task.Container)
		}
		out, exit := run(t, r, spec)
		return out, exit.Code
	}
	conf := func(c *cluster.Container) {
		c.Scratch = []string{"/data/deep", "/data", "/tmp"}
		c.Files = []cluster.File{
			{Path: "/data/conf/x.conf", Content: "a=1\n"},
			{Path: "/etc/secret", Content: "hush\n", Mode: 0o400},
		}
	}
	for _, c := range []struct {
		verb, path string
		out        string
		code       int
	}{
		{"read", "/data/conf/x.conf", "a=1\n", 0},
		{"read", "/etc/secret", "hush\n", 0}, // belongs to the user
		{"write", "/data/conf/x.conf", "", 99},
		{"write", "/data/new", "wrote /data/new\n", 0},
		{"write", "/data/deep/new", "wrote /data/deep/new\n", 0},
		{"write", "/tmp/new", "wrote /tmp/new\n", 0},
		{"write", "/new", "", 99}, // the root belongs to root
		{"read", "/etc/hostname", "node-1\n", 0},
		{"read", "/etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.0.7 node-1\n", 0},
	} {
		out, code := try(c.verb, c.path, conf)
		if code != c.code || (c.out != "" && out != c.out) {
			t.Errorf("%s %s: got %d %q, want %d %q", c.verb, c.path, code, out, c.code, c.out)
		}
	}
}

func TestContainer_readsItsOwnLimits(t *testing.T) {
	h := harness(t)
	r := open(t)
	path := "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		path = "/sys/fs/cgroup/memory.max"
	}
	spec := h.Spec(t, "read", path)
	if out, _ := run(t, r, spec); out != fmt.Sprintln(spec.Task.Resources.Mem) {
		t.Errorf("memory limit as the container sees it: got %q, want %d", out, spec.Task.Resources.Mem)
	}
	if out, exit := run(t, r, h.Spec(t, "write", path)); exit.Code == 0 {
		t.Errorf("a container wrote its own limit: %q", out)
	}
}

func TestContainer_hostileSpecs(t *testing.T) {
	h := harness(t)
	r := open(t)
	for name, change := range map[string]func(*runner.Spec){
		"file over the kernel's": func(s *runner.Spec) { s.Task.Container.Files = []cluster.File{{Path: "/proc/self/x"}} },
		"file with dots":         func(s *runner.Spec) { s.Task.Container.Files = []cluster.File{{Path: "/a/../../etc/passwd"}} },
		"relative file":          func(s *runner.Spec) { s.Task.Container.Files = []cluster.File{{Path: "a"}} },
		"file at the root":       func(s *runner.Spec) { s.Task.Container.Files = []cluster.File{{Path: "/"}} },
		"set-uid file":           func(s *runner.Spec) { s.Task.Container.Files = []cluster.File{{Path: "/a", Mode: 0o4755}} },
		"large file": func(s *runner.Spec) {
			s.Task.Container.Files = []cluster.File{{Path: "/a", Content: strings.Repeat("x", maxFileBytes+1)}}
		},
		"many files":               func(s *runner.Spec) { s.Task.Container.Scratch = slices.Repeat([]string{"/a"}, maxFileCount+1) },
		"scratch over devices":     func(s *runner.Spec) { s.Task.Container.Scratch = []string{"/dev"} },
		"scratch at the root":      func(s *runner.Spec) { s.Task.Container.Scratch = []string{"/"} },
		"relative workdir":         func(s *runner.Spec) { s.Task.Container.Workdir = "tmp" },
		"zero byte in the command": func(s *runner.Spec) { s.Task.Container.Command = []string{"/probe", "a\x00b"} },
		"zero byte in a variable":  func(s *runner.Spec) { s.Task.Container.Env = map[string]string{"A": "\x00"} },
		"relative sandbox":         func(s *runner.Spec) { s.Sandbox = "sandbox" },
		"no id":                    func(s *runner.Spec) { s.Task.ID = "" },
	} {
		spec := h.Spec(t, "exit", "0")
		change(&spec)
		if err := r.Start(runnertest.Context(t), spec); !strings.Contains(fmt.Sprint(err), runner.ErrSpec.Error()) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

// TestContainer_linksOfTheImageStayInside mounts through a symbolic link of the
// image that climbs to a directory of the host.
func TestContainer_linksOfTheImageStayInside(t *testing.T) {
	h := harness(t)
	r := open(t)
	for _, verb := range []string{"read", "write"} {
		spec := h.Spec(t, verb, "/outside/dir/x")
		spec.Task.Container.Scratch = []string{"/outside/dir"}
		if verb == "read" {
			spec.Task.Container.Files = []cluster.File{{Path: "/outside/dir/x", Content: "inside\n"}}
		}
		if out, exit := run(t, r, spec); exit.Code != 0 {
			t.Errorf("%s through a link of the image: got %q, %+v", verb, out, exit)
		}
	}
	if left, err := os.ReadDir(filepath.Join(engine.dir, "escape")); err != nil || len(left) != 0 {
		t.Errorf("the host's directory behind the link: got %v, %v, want it empty", left, err)
	}
}

func TestContainer_longTaskIDs(t *testing.T) {
	h := harness(t)
	r := open(t)
	var ids []cluster.TaskID
	for _, id := range []string{strings.Repeat("long-", 39) + "x.1", strings.Repeat("long-", 39) + "x.2", "with--double.dashes-.1"} {
		spec := h.Spec(t, "run")
		spec.Task.ID = cluster.TaskID(id)
		runnertest.Start(t, r, spec)
		ids = append(ids, spec.Task.ID)
	}
	second := open(t) // which has to learn the names from the labels
	for _, id := range ids {
		if s, ok := runnertest.Find(t, second, id); !ok || s.State != runner.Running {
			t.Errorf("%s: got %+v, %t, want it running", id, s, ok)
		}
	}
}

func TestExit_outOfMemoryIsNotAKill(t *testing.T) {
	h := harness(t)
	r := open(t)
	ends := runnertest.Watch(t, r)
	big := h.Spec(t, "alloc", "256")
	runnertest.Start(t, r, big)
	if got := runnertest.AwaitEnd(t, ends, big.Task.ID); got.Code != 137 || !got.OOM {
		t.Errorf("256 MiB within 64: got %+v, want 137 for want of memory", got)
	}
	small := h.Spec(t, "alloc", "16")
	runnertest.Start(t, r, small)
	runnertest.AwaitLog(t, small, "holds 16 MiB")
	s, _ := runnertest.Find(t, r, small.Task.ID)
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil { // as an operator does, behind our back
		t.Fatal(err)
	}
	if got := runnertest.AwaitEnd(t, ends, small.Task.ID); got.Code != 137 || got.OOM {
		t.Errorf("killed from outside: got %+v, want 137 and no want of memory", got)
	}
}

func TestExit_outOfMemoryUnobservedIsKnownLater(t *testing.T) {
	h := harness(t)
	r := open(t)
	big := h.Spec(t, "alloc", "256")
	runnertest.Start(t, r, big)
	second := open(t)
	ctx := runnertest.Context(t)
	for {
		s, ok := runnertest.Find(t, second, big.Task.ID)
		if !ok || ctx.Err() != nil {
			t.Fatalf("never ended: %+v", s)
		}
		if s.Exit == nil {
			continue
		}
		if s.Exit.Code != 137 || !s.Exit.OOM {
			t.Errorf("as a later life sees it: got %+v, want 137 for want of memory", *s.Exit)
		}
		return
	}
}

func TestPrepare_reportsProgress(t *testing.T) {
	needEngine(t)
	d := newDaemon(t)
	o := d.Options(testNamespace)
	o.PlainHTTP = []string{strings.TrimPrefix(engine.registry.URL, "http://")}
	r, err := New(runnertest.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var phases []string
	var last runner.Progress
	spec := harness(t).Spec(t, "exit", "0")
	err = r.Prepare(runnertest.Context(t), spec, func(p runner.Progress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
		if p.Phase == "pull" {
			last = p
		}
	})
	if err != nil || strings.Join(phases, " ") != "resolve pull unpack" {
		t.Errorf("phases: got %v, %v, want resolve, pull, unpack", phases, err)
	}
	if last.Total == 0 || last.Done != last.Total {
		t.Errorf("last step of the pull: got %+v, want all of it", last)
	}
}

func TestPrepare_canBeCanceled(t *testing.T) {
	needEngine(t)
	ctx, cancel := context.WithCancel(runnertest.Context(t))
	cancel()
	spec := harness(t).Spec(t, "exit", "0")
	spec.Task.Container.Image = strings.Replace(engine.image, "/probe@", "/other@", 1)
	if err := open(t).Prepare(ctx, spec, nil); err == nil {
		t.Error("Prepare with a canceled context: got no error")
	}
}

func TestIdentifier(t *testing.T) {
	long := strings.Repeat("a.", 90)
	for _, c := range []struct{ in, want string }{
		{"spark.worker-0.worker.1f", "spark.worker-0.worker.1f"},
		{"universe-a1", "universe-a1"},
	} {
		if got := identifier(c.in); got != c.want {
			t.Errorf("identifier(%q): got %q", c.in, got)
		}
	}
	seen := map[string]string{}
	for _, in := range []string{long, long + "b", "a--b", "a-.b", "--", "-", "a-", strings.Repeat("-", 100)} {
		got := identifier(in)
		if other, ok := seen[got]; ok || identifier(got) != got || len(got) > 76 {
			t.Errorf("identifier(%q): got %q, which is not valid or is also that of %q", in, got, other)
		}
		seen[got] = in
	}
}

func TestSandbox_isBuiltAnew(t *testing.T) {
	// A start after a failed one finds the remains of it.
	r := &Runner{opts: Options{Hostname: "n", Host: "127.0.0.1", ResolvConf: "nameserver 10.0.0.1\n"}}
	dir := t.TempDir()
	spec := runner.Spec{Sandbox: dir}
	spec.Task.Container.Files = []cluster.File{{Path: "/a", Content: "long content", Mode: 0o400}}
	for range 2 {
		if _, err := r.buildSandbox(spec, os.Getuid(), os.Getgid()); err != nil {
			t.Fatal(err)
		}
		spec.Task.Container.Files[0].Content = "short"
	}
	b, err := os.ReadFile(filepath.Join(dir, "files", "0"))
	if err != nil || string(b) != "short" {
		t.Errorf("file after a second build: got %q, %v", b, err)
	}
	b, err = os.ReadFile(filepath.Join(dir, "etc", "resolv.conf"))
	if err != nil || string(b) != "nameserver 10.0.0.1\n" {
		t.Errorf("resolv.conf: got %q, %v", b, err)
	}
}
