package runnertest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// Host ports of the suite's groups; the container's port is the same in each.
const (
	firstPort     = 31801
	secondPort    = 31802
	containerPort = 8080
)

// volumes checks that data stays when its container goes, and that a volume
// that may only be read cannot be written.
func volumes(t *testing.T, h Harness) {
	r := h.Open(t)
	ends := Watch(t, r)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil { // the probe is not root
		t.Fatal(err)
	}
	try := func(readOnly bool, args ...string) (runner.Spec, int) {
		t.Helper()
		spec := h.Spec(t, args...)
		spec.Volumes = []runner.Mount{{Source: dir, Path: "/data", ReadOnly: readOnly}}
		Start(t, r, spec)
		exit := AwaitEnd(t, ends, spec.Task.ID)
		if err := r.Remove(Context(t), spec.Task.ID); err != nil {
			t.Fatal(err)
		}
		return spec, exit.Code
	}
	if _, code := try(true, "write", "/data/x"); code == 0 {
		t.Error("write to a volume that may only be read: got code 0")
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after a refused write: got %v, want no file", err)
	}
	if _, code := try(false, "write", "/data/x"); code != 0 {
		t.Errorf("write to a volume: got code %d", code)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "x")); err != nil || string(b) != "written\n" {
		t.Errorf("data of a removed container: got %q, %v", b, err)
	}
	// The file is its writer's alone, and the next one is the same user.
	if spec, code := try(true, "read", "/data/x"); code != 0 {
		t.Errorf("read of a volume by the next container: got code %d", code)
	} else {
		AwaitLog(t, spec, "written")
	}
	spec := h.Spec(t, "exit", "0")
	spec.Volumes = []runner.Mount{{Source: filepath.Join(dir, "x"), Path: "/data"}}
	wantErr(t, "Start with a file for a volume", r.Start(Context(t), spec), runner.ErrSpec)
	spec.Volumes = []runner.Mount{{Source: dir, Path: "data"}}
	wantErr(t, "Start with a volume at a relative path", r.Start(Context(t), spec), runner.ErrSpec)
}

// Attach attaches a group to the default network and detaches it when the test ends.
func Attach(t testing.TB, r runner.Networker, group string, ports ...cluster.PortMapping) runner.Attachment {
	t.Helper()
	a, err := r.Attach(Context(t), group, cluster.Network{Name: cluster.DefaultNetwork, Ports: ports})
	if err != nil {
		t.Fatalf("Attach(%s): %v", group, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := r.Detach(ctx, group); err != nil {
			t.Errorf("Detach(%s): %v", group, err)
		}
	})
	return a
}

// Ask gives what a port of this machine answers.
func (h Harness) Ask(t testing.TB, port int) (string, error) {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(Context(t), "tcp", net.JoinHostPort(h.Address, strconv.Itoa(port)))
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	return string(b), err
}

// networker gives r as one, or skips the test.
func (h Harness) networker(t *testing.T, r runner.Runner) runner.Networker {
	t.Helper()
	n, ok := r.(runner.Networker)
	if !ok {
		t.Skip("this runner makes no networks")
	}
	if h.NoNetworks != "" {
		t.Skip(h.NoNetworks)
	}
	return n
}

func networks(t *testing.T, h Harness) {
	r := h.networker(t, h.Open(t))
	first := Attach(t, r, "suite.first", cluster.PortMapping{Host: firstPort, Container: containerPort})
	second := Attach(t, r, "suite.second", cluster.PortMapping{Host: secondPort, Container: containerPort})
	if first.Address == second.Address || first.Namespace == second.Namespace {
		t.Errorf("two groups: got %+v and %+v, want different ones", first, second)
	}
	if again := Attach(t, r, "suite.first"); again != first {
		t.Errorf("second Attach: got %+v, want %+v", again, first)
	}
	wantAttachments(t, h, first, second) // as another life sees it
	both := h.Open(t)
	serve := func(a runner.Attachment, text string) runner.Spec {
		spec := h.Spec(t, "serve", strconv.Itoa(containerPort), text)
		spec.Network = a.Namespace
		Start(t, both, spec)
		AwaitLog(t, spec, "ready")
		return spec
	}
	one, two := serve(first, "one"), serve(second, "two")
	if h.Address != "" {
		neighbour := h.Spec(t, "fetch", "127.0.0.1:"+strconv.Itoa(containerPort))
		neighbour.Network = first.Namespace
		Start(t, both, neighbour)
		AwaitLog(t, neighbour, "one to 127.0.0.1")
		wantAnswer(t, h, firstPort, "one")
		wantAnswer(t, h, secondPort, "two")
	}
	for _, spec := range []runner.Spec{one, two} {
		if err := both.Remove(Context(t), spec.Task.ID); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // idempotent
		if err := r.Detach(Context(t), first.Group); err != nil {
			t.Errorf("Detach: %v", err)
		}
	}
	wantAttachments(t, h, second)
	if h.Address != "" {
		again := serve(second, "still")
		wantAnswer(t, h, secondPort, "still")
		if got, err := h.Ask(t, firstPort); err == nil {
			t.Errorf("port of a detached group: got %q, want no answer", got)
		}
		if err := both.Remove(Context(t), again.Task.ID); err != nil {
			t.Fatal(err)
		}
	}
}

func wantAnswer(t *testing.T, h Harness, port int, text string) {
	t.Helper()
	if got, err := h.Ask(t, port); err != nil || !strings.HasPrefix(got, text+" ") {
		t.Errorf("port %d: got %q, %v, want %s", port, got, err, text)
	}
}

func wantAttachments(t *testing.T, h Harness, want ...runner.Attachment) {
	t.Helper()
	got, err := h.Open(t).(runner.Networker).Attachments(Context(t))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b runner.Attachment) int { return strings.Compare(a.Group, b.Group) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Attachments (-want +got):\n%s", diff)
	}
}

func networksRefused(t *testing.T, h Harness) {
	all := h.Open(t)
	r := h.networker(t, all)
	ctx := Context(t)
	ports := func(p ...cluster.PortMapping) cluster.Network {
		return cluster.Network{Name: cluster.DefaultNetwork, Ports: p}
	}
	for name, n := range map[string]cluster.Network{
		"a network that is not there": {Name: "nobody-has-it"},
		"host port 0":                 ports(cluster.PortMapping{Container: 1}),
		"container port 0":            ports(cluster.PortMapping{Host: 1}),
		"a host port twice":           ports(cluster.PortMapping{Host: 31803, Container: 1}, cluster.PortMapping{Host: 31803, Container: 2}),
	} {
		_, err := r.Attach(ctx, "suite.refused", n)
		wantErr(t, "Attach with "+name, err, runner.ErrSpec)
	}
	_, err := r.Attach(ctx, "", ports())
	wantErr(t, "Attach without a group", err, runner.ErrSpec)
	if err := r.Detach(ctx, "suite.nobody"); err != nil {
		t.Errorf("Detach of a group that is not there: %v", err)
	}
	if err := r.Detach(ctx, "suite.refused"); err != nil {
		t.Errorf("Detach of a refused group: %v", err)
	}
	gone := Attach(t, r, "suite.gone")
	if err := r.Detach(ctx, gone.Group); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{gone.Namespace, "/proc/self/ns/net", "relative"} {
		spec := h.Spec(t, "exit", "0")
		spec.Network = ns
		if err := all.Prepare(ctx, spec, nil); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "Start in namespace "+ns, all.Start(ctx, spec), runner.ErrSpec)
	}
}
