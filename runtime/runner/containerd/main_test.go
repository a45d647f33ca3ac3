package containerd

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// engine is the one containerd of this package's tests.
var engine struct {
	once     sync.Once
	err      error
	dir      string
	daemon   *Daemon
	registry *httptest.Server
	image    string // reference of the probe's image
	larger   string // reference of another one, with a layer of largerBytes on top
}

// largerBytes is the content of the second layer of engine.larger.
const largerBytes = 1 << 20

const testNamespace = "universe-test"

// ownNamespace is set in the environment of a process that has its own network.
const ownNamespace = "UNIVERSE_TEST_NETNS"

// inOwnNetwork makes the process anew in a network namespace of its own, as an
// agent of a development cluster has one: bridges, rules and forwarding of the
// tests touch nothing of the machine and end with the process.
func inOwnNetwork() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if os.Getenv(ownNamespace) != "" {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	}
	// The thread that execs is the one whose namespace the new program has.
	goruntime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), ownNamespace+"=yes"))
}

func TestMain(m *testing.M) {
	if err := inOwnNetwork(); err != nil {
		fmt.Fprintln(os.Stderr, "no network namespace for the tests:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := stopEngine(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests left something behind:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(goleak.IgnoreTopFunction("os/exec.(*Cmd).Wait")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// bundle is where the programs are.
func bundle() (string, error) {
	dir := os.Getenv("UNIVERSE_BUNDLE")
	if dir == "" {
		dir = "../../../.build/bundle"
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	_, err = os.Stat(filepath.Join(dir, "containerd"))
	return dir, err
}

// needEngine skips a test that cannot run here, except under CI, and gives the
// running daemon.
func needEngine(t testing.TB) *Daemon {
	t.Helper()
	stop := t.Skipf
	if os.Getenv("CI") == "true" {
		stop = t.Fatalf
	}
	if testing.Short() {
		t.Skip("the real containerd is not for -short")
	}
	if os.Geteuid() != 0 {
		stop("containerd needs root")
	}
	if _, err := bundle(); err != nil {
		stop("no containerd bundle: set UNIVERSE_BUNDLE, or run runtime/bundle/build.sh .build/bundle: %v", err)
	}
	engine.once.Do(func() { engine.err = startEngine() })
	if engine.err != nil {
		t.Fatal(engine.err)
	}
	return engine.daemon
}

// noFirewall is why networks are not tested somewhere.
const noFirewall = "networks need nft: install the package nftables"

// needNetwork skips a test of networks that cannot run here, except under CI.
func needNetwork(t testing.TB) {
	t.Helper()
	needEngine(t)
	if _, err := exec.LookPath("nft"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(noFirewall)
		}
		t.Skip(noFirewall)
	}
}

func startEngine() error {
	dir, err := os.MkdirTemp("", "universe-runner-")
	if err != nil {
		return err
	}
	engine.dir = dir
	programs, err := ownBundle(dir)
	if err != nil {
		return err
	}
	blobs, digests, err := probeImages(dir)
	if err != nil {
		return fmt.Errorf("the probe's image: %w", err)
	}
	engine.registry = httptest.NewServer(blobs)
	host := strings.TrimPrefix(engine.registry.URL, "http://")
	engine.image, engine.larger = host+"/probe@"+digests[0].String(), host+"/larger@"+digests[1].String()
	engine.daemon = &Daemon{Bundle: programs, Root: filepath.Join(dir, "root"), State: filepath.Join(dir, "state")}
	ctx, cancel := context.WithTimeout(context.Background(), runnertest.Patience)
	defer cancel()
	return engine.daemon.Start(ctx)
}

// ownBundle links the bundle's programs into a directory and adds the one that
// is of this module.
func ownBundle(dir string) (string, error) {
	from, err := bundle()
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "bundle")
	if err := os.Mkdir(to, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "runc", "bridge", "host-local", "portmap"} {
		if err := os.Symlink(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return "", err
		}
	}
	return to, buildProgram("../output/universe-output", filepath.Join(to, outputProgram))
}

// buildProgram builds a static program.
func buildProgram(pkg, out string) error {
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, text)
	}
	return nil
}

// stopEngine ends it and looks for what is left.
func stopEngine() error {
	if engine.dir == "" {
		return nil
	}
	defer os.RemoveAll(engine.dir)
	if engine.registry != nil {
		engine.registry.Close()
	}
	if engine.daemon == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), runnertest.Patience)
	defer cancel()
	shims := len(engine.daemon.shims())
	if err := engine.daemon.Stop(ctx); err != nil {
		return err
	}
	if shims != 0 {
		return fmt.Errorf("%d shims were still running after the last test", shims)
	}
	if left := engine.daemon.shims(); len(left) != 0 {
		return fmt.Errorf("shims after Stop: %v", left)
	}
	mounts, err := mountsBelow(engine.dir)
	if err != nil || len(mounts) != 0 {
		return fmt.Errorf("mounts after Stop: %v, %v", mounts, err)
	}
	groups, err := filepath.Glob("/sys/fs/cgroup/*" + engine.daemon.cgroup())
	if err != nil || len(groups) != 0 {
		return fmt.Errorf("cgroups after Stop: %v, %v", groups, err)
	}
	for _, path := range []string{engine.daemon.State, engine.daemon.shimSockets(), "/sys/fs/cgroup" + engine.daemon.cgroup()} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			return fmt.Errorf("%s is still there after Stop: %v", path, err)
		}
	}
	return nil
}

// open gives a Runner on the engine.
func open(t testing.TB, change ...func(*Options)) *Runner {
	t.Helper()
	o := needEngine(t).Options(testNamespace)
	o.PlainHTTP = []string{strings.TrimPrefix(engine.registry.URL, "http://")}
	o.Hostname, o.Host = "node-1", "127.0.0.7"
	for _, c := range change {
		c(&o)
	}
	r, err := New(runnertest.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func harness(t testing.TB) runnertest.Harness {
	t.Helper()
	needEngine(t)
	noNetworks := ""
	if _, err := exec.LookPath("nft"); err != nil && os.Getenv("CI") != "true" {
		noNetworks = noFirewall
	}
	return runnertest.Harness{
		NoNetworks:   noNetworks,
		Open:         func(t *testing.T) runner.Runner { return open(t) },
		Image:        engine.image,
		Address:      "127.0.0.1",
		MissingImage: strings.TrimPrefix(engine.registry.URL, "http://") + "/probe@sha256:" + strings.Repeat("1", 64),
	}
}

// blobs serves the pull half of a registry: everything by digest, plain HTTP.
type blobs map[digest.Digest]blob

type blob struct {
	mediaType string
	data      []byte
}

func (b blobs) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	d := digest.Digest(req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:])
	got, ok := b[d]
	if !ok {
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", got.mediaType)
	w.Header().Set("Docker-Content-Digest", d.String())
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(got.data))
}

func (b blobs) add(mediaType string, data []byte) ocispec.Descriptor {
	d := digest.FromBytes(data)
	b[d] = blob{mediaType, data}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
}

// probeImages builds the probe, an image of one layer with nothing else in it,
// and one with a second layer.
func probeImages(dir string) (blobs, []digest.Digest, error) {
	program := filepath.Join(dir, "probe")
	if err := buildProgram("./testdata/probe", program); err != nil {
		return nil, nil, err
	}
	code, err := os.ReadFile(program)
	if err != nil {
		return nil, nil, err
	}
	// A link that climbs out of the root to a directory of this machine.
	escape := filepath.Join(dir, "escape")
	link := &tar.Header{Typeflag: tar.TypeSymlink, Name: "outside", Linkname: strings.Repeat("../", 40) + escape}
	passwd := "root:x:0:0::/:/none\nspark:x:10001:10002::/:/none\n"
	base, err := layer(link,
		file{"probe", 0o755, code}, file{"etc/passwd", 0o644, []byte(passwd)}, file{"etc/group", 0o644, []byte("spark:x:10002:\n")})
	if err != nil {
		return nil, nil, err
	}
	top, err := layer(nil, file{"more", 0o644, bytes.Repeat([]byte("more "), largerBytes/5)})
	if err != nil {
		return nil, nil, err
	}
	b := blobs{}
	small, err := b.image(base)
	if err != nil {
		return nil, nil, err
	}
	large, err := b.image(base, top)
	return b, []digest.Digest{small, large}, errors.Join(err, os.Mkdir(escape, 0o755))
}

type file struct {
	name string
	mode int64
	data []byte
}

// layer is an archive of files, and of a link if there is one.
func layer(link *tar.Header, files ...file) ([]byte, error) {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, f := range files {
		if err := tw.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return nil, err
		}
		if _, err := tw.Write(f.data); err != nil {
			return nil, err
		}
	}
	if link != nil {
		if err := tw.WriteHeader(link); err != nil {
			return nil, err
		}
	}
	err := tw.Close()
	return b.Bytes(), err
}

// image adds an image of the layers and gives its manifest's digest.
func (b blobs) image(layers ...[]byte) (digest.Digest, error) {
	config := ocispec.Image{
		Platform: ocispec.Platform{Architecture: goruntime.GOARCH, OS: "linux"},
		Config: ocispec.ImageConfig{
			User: "spark", Env: []string{"FROM=image", "OVER=image"},
			Entrypoint: []string{"/probe"}, Cmd: []string{"print", "the image's own command"}, WorkingDir: "/etc",
		},
		RootFS: ocispec.RootFS{Type: "layers"},
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, l := range layers {
		d := b.add(ocispec.MediaTypeImageLayer, l)
		manifest.Layers = append(manifest.Layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, d.Digest)
	}
	c, err := json.Marshal(config)
	if err != nil {
		return "", err
	}
	manifest.Config = b.add(ocispec.MediaTypeImageConfig, c)
	m, err := json.Marshal(manifest)
	if err != nil {
		return "", err
	}
	return b.add(ocispec.MediaTypeImageManifest, m).Digest, nil
}
