package containerd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

func TestContainer_rlimits(t *testing.T) {
	h := harness(t)
	r := open(t)
	spec := h.Spec(t, "read", "/proc/self/limits")
	spec.Task.Container.Rlimits = []cluster.Rlimit{{Name: "nofile", Soft: 99, Hard: 99}, {Name: "core", Soft: 4096, Hard: 8192}}
	out, _ := run(t, r, spec)
	for _, want := range []string{"Max open files            99                   99", "Max core file size        4096                 8192"} {
		if !strings.Contains(out, want) {
			t.Errorf("limits: got\n%s\nwant %q", out, want)
		}
	}
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]cluster.Rlimit{
		"unknown":    {{Name: "nonsense"}},
		"twice":      {{Name: "core"}, {Name: "core"}},
		"soft":       {{Name: "core", Soft: 2, Hard: 1}},
		"over ours":  {{Name: "nofile", Soft: 1, Hard: own.Max + 1}},
		"upper case": {{Name: "RLIMIT_CORE"}},
	} {
		spec := h.Spec(t, "exit", "0")
		spec.Task.Container.Rlimits = bad
		if err := r.Start(runnertest.Context(t), spec); !strings.Contains(fmt.Sprint(err), runner.ErrSpec.Error()) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func TestContainer_readOnlyRoot(t *testing.T) {
	h := harness(t)
	r := open(t)
	for path, code := range map[string]int{"/new": 99, "/data/new": 0} {
		spec := h.Spec(t, "write", path)
		spec.Task.Container.User, spec.Task.Container.ReadOnly = "0", true
		spec.Task.Container.Scratch = []string{"/data"}
		if out, exit := run(t, r, spec); exit.Code != code {
			t.Errorf("write %s with a read-only root: got %d %q, want %d", path, exit.Code, out, code)
		}
	}
}

func TestContainer_cpuQuota(t *testing.T) {
	h := harness(t)
	r := open(t)
	path, want := "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "25000\n"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		path, want = "/sys/fs/cgroup/cpu.max", "25000 100000\n"
	}
	for quota, want := range map[bool]string{true: want, false: "-1\n"} {
		spec := h.Spec(t, "read", path)
		spec.Task.Resources.CPU, spec.Task.Container.CPUQuota = 250, quota
		if out, _ := run(t, r, spec); out != want && !strings.HasPrefix(out, "max") {
			t.Errorf("quota %t: got %q, want %q", quota, out, want)
		}
	}
}

func TestContainer_hostMounts(t *testing.T) {
	h := harness(t)
	dir := t.TempDir()
	for _, d := range []string{"ro", "rw", "secret"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ro", "f"), []byte("of the machine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "rw", "way-out")); err != nil {
		t.Fatal(err)
	}
	r := open(t, func(o *Options) {
		o.HostPaths = []HostPath{{Path: filepath.Join(dir, "ro")}, {Path: filepath.Join(dir, "rw"), Writable: true}}
	})
	for _, c := range []struct {
		name  string
		mount cluster.HostMount
		args  []string
		code  int // -1: refused
	}{
		{"read", cluster.HostMount{Host: dir + "/ro", Path: "/m"}, []string{"read", "/m/f"}, 0},
		{"a file", cluster.HostMount{Host: dir + "/ro/f", Path: "/m"}, []string{"read", "/m"}, 0},
		{"write to one for reading", cluster.HostMount{Host: dir + "/rw", Path: "/m"}, []string{"write", "/m/new"}, 99},
		{"write", cluster.HostMount{Host: dir + "/rw", Path: "/m", Writable: true}, []string{"write", "/m/new"}, 0},
		{"write where only reading is allowed", cluster.HostMount{Host: dir + "/ro", Path: "/m", Writable: true}, nil, -1},
		{"elsewhere", cluster.HostMount{Host: "/etc", Path: "/m"}, nil, -1},
		{"the parent", cluster.HostMount{Host: dir, Path: "/m"}, nil, -1},
		{"a neighbour by name", cluster.HostMount{Host: dir + "/ro-not", Path: "/m"}, nil, -1},
		{"with dots", cluster.HostMount{Host: dir + "/ro/../secret", Path: "/m"}, nil, -1},
		{"through a link", cluster.HostMount{Host: dir + "/rw/way-out", Path: "/m"}, nil, -1},
		{"missing", cluster.HostMount{Host: dir + "/ro/none", Path: "/m"}, nil, -1},
		{"over the kernel's", cluster.HostMount{Host: dir + "/ro", Path: "/proc"}, nil, -1},
		{"relative", cluster.HostMount{Host: "ro", Path: "/m"}, nil, -1},
	} {
		spec := h.Spec(t, c.args...)
		spec.Task.Container.Mounts = []cluster.HostMount{c.mount}
		if c.code < 0 {
			if err := r.Start(runnertest.Context(t), spec); !strings.Contains(fmt.Sprint(err), runner.ErrSpec.Error()) {
				t.Errorf("%s: got %v, want it refused", c.name, err)
			}
			continue
		}
		if out, exit := run(t, r, spec); exit.Code != c.code {
			t.Errorf("%s: got %d %q, want %d", c.name, exit.Code, out, c.code)
		}
	}
}

func TestContainer_artifacts(t *testing.T) {
	h := harness(t)
	r := open(t)
	for _, verb := range []string{"read", "write"} {
		spec := h.Spec(t, verb, "/opt/app/f")
		spec.Task.Container.Artifacts = []cluster.Artifact{{Path: "/opt/app"}}
		at := runner.ArtifactPath(spec.Sandbox, 0)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(at, "f"), []byte("fetched\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out, exit := run(t, r, spec)
		if verb == "read" && out != "fetched\n" || verb == "write" && exit.Code == 0 {
			t.Errorf("%s: got %q, %+v", verb, out, exit)
		}
	}
	spec := h.Spec(t, "exit", "0")
	spec.Task.Container.Artifacts = []cluster.Artifact{{Path: "/opt/app"}}
	if err := r.Start(runnertest.Context(t), spec); err == nil {
		t.Error("an artifact that was not fetched: got no error")
	}
}

// TestContainer_gpus gives out devices that are none, but devices.
func TestContainer_gpus(t *testing.T) {
	h := harness(t)
	dir := t.TempDir()
	var gpus []string
	for i := range 2 {
		path := filepath.Join(dir, fmt.Sprintf("gpu%d", i))
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
			t.Skip("devices cannot be made here:", err)
		}
		gpus = append(gpus, path)
	}
	with := func(o *Options) { o.GPUs = gpus }
	r := open(t, with)
	first, second, third := h.Spec(t, "run"), h.Spec(t, "run"), h.Spec(t, "run")
	for _, s := range []*runner.Spec{&first, &second, &third} {
		s.Task.Resources.GPUs = 1
	}
	runnertest.Start(t, r, first)
	again := open(t, with) // it knows by the labels
	runnertest.Start(t, again, second)
	if err := again.Start(runnertest.Context(t), third); !strings.Contains(fmt.Sprint(err), "0 of the 2 devices here are free") {
		t.Errorf("a third: got %v, want none free", err)
	}
	seen := map[string]bool{}
	for _, s := range []runner.Spec{first, second} {
		for _, name := range []string{"gpu0", "gpu1"} {
			var b strings.Builder
			code, err := r.Exec(runnertest.Context(t), s.Task.ID, []string{runnertest.Probe, "stat", "/dev/" + name}, &b)
			if err != nil {
				t.Fatal(err)
			}
			if code == 0 {
				seen[string(s.Task.ID)+name] = true
			}
		}
	}
	if len(seen) != 2 || seen[string(first.Task.ID)+"gpu0"] == seen[string(second.Task.ID)+"gpu0"] {
		t.Errorf("devices in the containers: got %v, want another one in each", seen)
	}
}

func TestDisk_countsTheWritableLayer(t *testing.T) {
	h := harness(t)
	r := open(t)
	spec := h.Spec(t, "fill", "/big", fmt.Sprint(3<<20))
	spec.Task.Container.User = "0"
	runnertest.Start(t, r, spec)
	runnertest.AwaitLog(t, spec, "filled")
	used, err := r.Disk(runnertest.Context(t), spec.Task.ID)
	if err != nil || used < 3<<20 || used > 6<<20 {
		t.Errorf("disk: got %d, %v, want about 3 MiB", used, err)
	}
}

// registryOf serves the engine's image behind a handler.
func registryOf(t *testing.T, h http.HandlerFunc) (host, image string) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	host = strings.TrimPrefix(srv.URL, "http://")
	return host, host + engine.image[strings.IndexByte(engine.image, '/'):]
}

func TestPrepare_credentials(t *testing.T) {
	h := harness(t)
	host, image := registryOf(t, func(w http.ResponseWriter, req *http.Request) {
		if user, password, _ := req.BasicAuth(); user != "me" || password != "hu:sh" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		engine.registry.Config.Handler.ServeHTTP(w, req)
	})
	d := newDaemon(t)
	auth := filepath.Join(t.TempDir(), "config.json")
	spec := h.Spec(t, "exit", "0")
	spec.Task.Container.Image = image
	for _, c := range []struct{ file, want string }{
		{`{"auths":{}}`, "no basic auth credentials"},
		{`{"auths":{"` + host + `":{"auth":"bWU6d3Jvbmc="}}}`, "401"},
		{`{"auths":{"` + host + `":{"auth":"%"}}}`, "not base64"},
		{`{"auths"`, "not a Docker config.json"},
		{`{"auths":{"http://` + host + `/v2/":{"auth":"bWU6aHU6c2g="}}}`, ""},
	} {
		if err := os.WriteFile(auth, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		r := runnerOn(t, d, testNamespace, func(o *Options) { o.Auth, o.PlainHTTP = auth, []string{host} })
		err := r.Prepare(runnertest.Context(t), spec, nil)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("credentials %s: got %v, want %q", c.file, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "wrong") {
			t.Errorf("a password is in the error: %v", err)
		}
	}
}

// TestPrepare_brokenMidway cuts the layer's transfer: within a pull, and for good.
func TestPrepare_brokenMidway(t *testing.T) {
	h := harness(t)
	var cuts, piece, ranges atomic.Int64
	host, image := registryOf(t, func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/blobs/") && req.Header.Get("Range") != "" {
			ranges.Add(1)
		}
		if strings.Contains(req.URL.Path, "/blobs/") && cuts.Add(-1) >= 0 {
			engine.registry.Config.Handler.ServeHTTP(&cutWriter{ResponseWriter: w, left: int(piece.Load())}, req)
			return
		}
		engine.registry.Config.Handler.ServeHTTP(w, req)
	})
	d := newDaemon(t)
	spec := h.Spec(t, "print", "whole")
	spec.Task.Container.Image = image
	r := runnerOn(t, d, testNamespace, func(o *Options) { o.PlainHTTP = []string{host} })
	cuts.Store(1 << 40)
	if err := r.Prepare(runnertest.Context(t), spec, nil); !strings.Contains(fmt.Sprint(err), runner.ErrImage.Error()) {
		t.Fatalf("a registry that always breaks: got %v, want ErrImage", err)
	}
	cuts.Store(3)
	piece.Store(300_000)
	if err := r.Prepare(runnertest.Context(t), spec, nil); err != nil {
		t.Fatalf("after it has mended, but for three breaks: %v", err)
	}
	if out, exit := run(t, r, spec); out != "whole\n" || exit.Code != 0 {
		t.Errorf("the image after a broken pull: got %q, %+v", out, exit)
	}
	if ranges.Load() == 0 {
		t.Error("requests that went on in the middle: got none")
	}
}

// cutWriter breaks the connection after some bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}
