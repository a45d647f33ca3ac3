package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/universe-dcos/universe/cli/universe/devnet"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// e2e is a development cluster of real processes under test.
type e2e struct {
	t      testing.TB
	dir    string // the cluster's
	bin    string // of dcos and universe
	bundle string
	agents int
	url    string
	api    *client.Client
	dev    *exec.Cmd
}

// e2ePatience bounds each wait; it is long, for the machine may be busy.
const e2ePatience = 90 * time.Second

func newE2E(t testing.TB) *e2e {
	t.Helper()
	return newE2EOf(t, 2)
}

// newE2EOf is newE2E with another number of agents.
func newE2EOf(t testing.TB, agents int) *e2e {
	t.Helper()
	skip := func(why string) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have it: %s", why)
		}
		t.Skip(why)
	}
	if testing.Short() {
		t.Skip("starts a real cluster")
	}
	if os.Geteuid() != 0 {
		skip("needs root: network namespaces, mounts and cgroups")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bundle := os.Getenv("UNIVERSE_BUNDLE")
	if bundle == "" {
		bundle = filepath.Join(root, ".build", "bundle")
	}
	if _, err := os.Stat(filepath.Join(bundle, "containerd")); err != nil {
		skip("needs the bundle: make bundle")
	}
	e := &e2e{t: t, dir: t.TempDir(), bin: t.TempDir(), bundle: bundle, agents: agents}
	build := exec.Command("go", "build", "-o", e.bin, "../dcos", ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	e.url = "http://" + addr
	if e.api, err = client.New(e.url, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	e.start(addr)
	return e
}

// start runs `universe dev` and waits for its greeting.
func (e *e2e) start(addr string) {
	e.t.Helper()
	e.dev = exec.Command(filepath.Join(e.bin, "universe"), "dev", "--dir", e.dir, "--bundle", e.bundle, "--listen", addr, "--agents", strconv.Itoa(e.agents))
	e.dev.Env = e.env()
	e.dev.Stderr = os.Stderr
	out, err := e.dev.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.dev.Start(); err != nil {
		e.t.Fatal(err)
	}
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if strings.HasPrefix(sc.Text(), "Stop it") {
			go io.Copy(io.Discard, out)
			return
		}
	}
	e.t.Fatalf("universe dev ended before it greeted: %v", e.dev.Wait())
}

func (e *e2e) env() []string {
	return append(os.Environ(), "DCOS_CONFIG_HOME="+filepath.Join(e.dir, "dcos"))
}

// close ends the cluster and looks for what is left, also after a failure.
func (e *e2e) close() {
	if e.t.Failed() {
		logs, _ := filepath.Glob(filepath.Join(e.dir, "logs", "*.log"))
		for _, l := range logs {
			data, _ := os.ReadFile(l)
			e.t.Logf("%s:\n%s", filepath.Base(l), data[max(0, len(data)-4000):])
		}
	}
	if e.dev != nil {
		_ = e.dev.Process.Signal(syscall.SIGTERM) // ours, by pid; it may have ended
		_ = e.dev.Wait()
	}
	clean := exec.Command(filepath.Join(e.bin, "universe"), "dev", "--clean", "--dir", e.dir)
	if out, err := clean.CombinedOutput(); err != nil {
		e.t.Errorf("universe dev --clean: %v\n%s", err, out)
	}
	dir, _ := filepath.Abs(e.dir)
	for _, left := range (devnet.Net{Tag: tagOf(dir)}).Left() {
		e.t.Errorf("left behind: %s", left)
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, e.dir) || strings.Contains(line, "/run/universe/"+tagOf(dir)) {
			e.t.Errorf("left behind: mount %s", line)
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/universe-%s-*", "/sys/fs/cgroup/*/universe-%s-*"} { // version 2 and 1
		groups, _ := filepath.Glob(fmt.Sprintf(pattern, tagOf(dir)))
		for _, g := range groups {
			e.t.Errorf("left behind: cgroup %s", g)
		}
	}
	if pids := e.pids("/"); len(pids) > 0 {
		e.t.Errorf("left behind: processes %v", pids)
	}
}

// dcos runs the command line and gives what it printed.
func (e *e2e) dcos(args ...string) string {
	e.t.Helper()
	cmd := exec.Command(filepath.Join(e.bin, "dcos"), args...)
	cmd.Env = e.env()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		e.t.Fatalf("dcos %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// pids are the processes of this cluster whose command line has all of words.
func (e *e2e) pids(words ...string) []int {
	var out []int
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, d := range dirs {
		data, err := os.ReadFile(d)
		if err != nil {
			continue // it has ended
		}
		line := strings.ReplaceAll(string(data), "\x00", " ")
		dir, _ := filepath.Abs(e.dir)
		ok := strings.Contains(line, e.dir) || strings.Contains(line, "/run/universe/"+tagOf(dir))
		for _, w := range words {
			ok = ok && strings.Contains(line, w)
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(d)))
		if ok && pid != os.Getpid() {
			out = append(out, pid)
		}
	}
	return out
}

// until asks again and again until f says done, and fails with what it said last.
func (e *e2e) until(what string, f func(ctx context.Context) (done bool, state string)) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e2ePatience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	state := ""
	for {
		var done bool
		if done, state = f(ctx); done {
			return
		}
		select {
		case <-ctx.Done():
			e.t.Fatalf("%s: still not after %s: %s", what, e2ePatience, state)
		case <-tick.C:
		}
	}
}

// task is nginx's one task, as the master knows it.
func (e *e2e) task() cluster.Task {
	e.t.Helper()
	tasks, err := e.api.Tasks(context.Background(), client.TaskFilter{Service: "nginx"})
	if err != nil || len(tasks) != 1 {
		e.t.Fatalf("tasks of nginx: %v %v", tasks, err)
	}
	return tasks[0]
}

// killed kills a process of the cluster by pid, without a chance to tidy up.
func (e *e2e) killed(words ...string) int {
	e.t.Helper()
	pids := e.pids(words...)
	if len(pids) != 1 {
		e.t.Fatalf("want one process %v, found %v", words, pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		e.t.Fatal(err)
	}
	return pids[0]
}

// again kills a process and waits until it is started again.
func (e *e2e) again(words ...string) {
	e.t.Helper()
	old := e.killed(words...)
	e.until(fmt.Sprintf("%v is started again", words), func(context.Context) (bool, string) {
		now := e.pids(words...)
		return len(now) == 1 && now[0] != old, fmt.Sprint(now)
	})
}

// same waits until first is known, ready and in touch, and fails when another
// task has taken its place.
func (e *e2e) same(first cluster.Task, after string) {
	e.t.Helper()
	e.until("the task is known and ready "+after, func(ctx context.Context) (bool, string) {
		tasks, err := e.api.Tasks(ctx, client.TaskFilter{Service: "nginx", All: true})
		if err != nil {
			return false, err.Error()
		}
		if len(tasks) != 1 || tasks[0].Spec.ID != first.Spec.ID {
			e.t.Fatalf("%s the task is another one: %+v", after, tasks)
		}
		s := tasks[0].Status
		return s.State == cluster.TaskRunning && s.Ready, fmt.Sprintf("%+v", s)
	})
	resp, err := http.Get(fmt.Sprintf("http://%s:%d/healthz", first.Host, first.Spec.Ports["http"]))
	if err != nil {
		e.t.Fatalf("%s the page does not answer: %v", after, err)
	}
	resp.Body.Close()
	// Its log comes from the agent itself: it must be in touch, too.
	e.until("the task's log can be read "+after, func(ctx context.Context) (bool, string) {
		log, err := e.api.TaskLog(ctx, first.Spec.ID, client.LogOptions{})
		if err != nil {
			return false, err.Error()
		}
		defer log.Close()
		text, err := io.ReadAll(log)
		return err == nil && len(text) > 0, fmt.Sprintf("%d bytes, %v", len(text), err)
	})
}

// TestDev_survives kills every part of a running cluster once: the service's
// container must live through all of it, and nothing may be left at the end.
func TestDev_survives(t *testing.T) {
	e := newE2E(t)
	e.dcos("package", "publish", "../../packages/nginx")
	e.dcos("package", "install", "nginx", "--yes")
	first := e.task()
	e.same(first, "at first")

	e.again("universe agent", string(first.Agent)+"/agent.yaml")
	e.same(first, "after the agent was killed")

	e.again("universe master")
	e.same(first, "after the master was killed")

	e.again("containerd --config", "/"+string(first.Agent)+"/")
	e.same(first, "after containerd was killed")

	// The supervisor itself: its children end, the containers stay.
	_ = e.dev.Process.Kill()
	_ = e.dev.Wait()
	e.until("master and agents have ended", func(context.Context) (bool, string) {
		left := append(e.pids("universe master"), e.pids("universe agent")...)
		return len(left) == 0, fmt.Sprint(left)
	})
	e.start(strings.TrimPrefix(e.url, "http://"))
	e.same(first, "after universe dev was killed and started again")

	e.dcos("package", "uninstall", "nginx", "--yes")
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(e.dcos("task", "list", "-o", "json")), &list); err != nil || len(list.Items) != 0 {
		t.Errorf("after uninstalling: %d tasks (%v)", len(list.Items), err)
	}
	if err := e.dev.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := e.dev.Wait(); err != nil {
		t.Errorf("universe dev ended with %v", err)
	}
	e.dev = nil
}
