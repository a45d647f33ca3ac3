package containerd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"

	"github.com/universe-dcos/universe/internal/problem"
)

const (
	// maxSocketPath is what the kernel takes for a socket's path, less
	// containerd's own ".ttrpc".
	maxSocketPath = 107 - len(".ttrpc")
	// bootLimit is how long a new daemon may take to answer.
	bootLimit = 60 * time.Second
	// pollEvery is the time between two looks at what has no event.
	pollEvery = 20 * time.Millisecond
	// maxDaemonLog is the size over which the log is put aside at the next start, in bytes.
	maxDaemonLog = 16 << 20
)

// Daemon is a containerd of our own: its programs come from the bundle, its
// files lie in two directories, and no other containerd of the machine is
// touched. It outlives the process that starts it, and the next one adopts it.
//
// The containers' "host" network is the network namespace in which Start was called.
type Daemon struct {
	// Bundle is the directory of the programs: containerd,
	// containerd-shim-runc-v2 and runc, and the CNI plugins for the networks of
	// groups. Absolute.
	Bundle string
	// Root keeps images and snapshots. Absolute; made when missing.
	Root string
	// State keeps the socket, the log and what ends with the machine's
	// uptime. Absolute, at most 80 bytes; made when missing.
	State string
	// Cgroup is the parent of the containers' cgroups; empty: one named after
	// State. It must be this daemon's alone, since Stop ends all that is in it.
	Cgroup string
	// Logger is for starts and ends; nil: silent.
	Logger *slog.Logger
}

// Socket is where the daemon answers.
func (d *Daemon) Socket() string { return filepath.Join(d.State, "containerd.sock") }

// Log is the file of the daemon's own log.
func (d *Daemon) Log() string { return filepath.Join(d.State, "containerd.log") }

// Options are those of a Runner on this daemon for one namespace; the caller
// adds what else it wants, but for CgroupParent, which Stop has to know (Daemon.Cgroup).
func (d *Daemon) Options(namespace string) Options {
	return Options{
		Socket: d.Socket(), Namespace: namespace, Runc: filepath.Join(d.Bundle, "runc"),
		Output: programIn(filepath.Join(d.Bundle, outputProgram)),
		Dir:    d.State, Bundle: d.Bundle, CgroupParent: d.cgroup(), Logger: d.Logger,
	}
}

// short names this daemon where a path must be short or is shared by the machine.
func (d *Daemon) short() string {
	sum := sha256.Sum256([]byte(d.State))
	return hex.EncodeToString(sum[:6])
}

// cgroup is the parent of all containers' cgroups of this daemon: Stop takes it
// away whole, without harm to another cluster on the machine.
func (d *Daemon) cgroup() string {
	if d.Cgroup != "" {
		return d.Cgroup
	}
	return "/universe-" + d.short()
}

// shimSockets is a short directory for the sockets of the shims, since theirs
// are long names: of this daemon alone.
func (d *Daemon) shimSockets() string { return filepath.Join("/run/universe", d.short()) }

func (d *Daemon) logger() *slog.Logger {
	if d.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Logger
}

// Start makes sure that the daemon answers: it adopts the one that runs, and
// starts one where none does.
func (d *Daemon) Start(ctx context.Context) error {
	if err := d.check(); err != nil {
		return err
	}
	if pid, err := d.PID(); err == nil {
		d.logger().Info("containerd is running already", "pid", pid, "socket", d.Socket())
		if gone, err := d.await(ctx, pid); !gone {
			return err
		}
		// It ended just now: it is as if none had been running.
	}
	if err := d.writeConfig(); err != nil {
		return fmt.Errorf("configuration of containerd in %s: %w", d.State, err)
	}
	cmd, err := d.spawn()
	if err != nil {
		return fmt.Errorf("start containerd: %w", err)
	}
	d.logger().Info("containerd started", "pid", cmd.Process.Pid, "socket", d.Socket())
	// A child must be waited for, or it stays as a zombie; it may well live longer than we.
	go func() { _ = cmd.Wait() }()
	gone, err := d.await(ctx, cmd.Process.Pid)
	if gone {
		return problem.New(problem.Unavailable, "containerd ended at its start: %s", d.lastWords()).
			WithHint("its log is %s", d.Log())
	}
	return err
}

// check names what is missing before anything is tried.
func (d *Daemon) check() error {
	if os.Geteuid() != 0 {
		return problem.New(problem.Forbidden, "containerd needs root, and this process runs as uid %d", os.Geteuid()).
			WithHint("run it as root, for example with sudo")
	}
	for _, dir := range []string{d.Bundle, d.Root, d.State, d.cgroup()} {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/" {
			return problem.New(problem.Invalid, "directory %q of containerd is not a clean absolute path below /", dir)
		}
	}
	if n := len(d.Socket()); n > maxSocketPath {
		return problem.New(problem.Invalid, "the socket path %s has %d bytes, and the kernel takes %d", d.Socket(), n, maxSocketPath).
			WithHint("choose a shorter directory")
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "runc"} {
		if _, err := exec.LookPath(filepath.Join(d.Bundle, name)); err != nil {
			return problem.New(problem.NotFound, "the program %s is not in the bundle %s: %w", name, d.Bundle, err).
				WithHint("build the bundle with runtime/bundle/build.sh")
		}
	}
	return nil
}

// PID is the daemon's process, also while it boots and does not answer yet; an
// error when there is none. A process is ours when it was started with our
// configuration file.
func (d *Daemon) PID() (int, error) {
	for pid, args := range processes {
		if filepath.Base(args[0]) == "containerd" && flag(args, "--config") == d.configFile() {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no containerd runs with %s", d.configFile())
}

// await waits until the daemon answers, or process pid has ended.
func (d *Daemon) await(ctx context.Context, pid int) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	ended := make(chan error, 1)
	go func() { ended <- awaitExit(ctx, pid) }()
	watching := true
	defer func() {
		cancel()
		if watching {
			<-ended
		}
	}()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := d.ping(ctx)
		if err == nil {
			return false, nil
		}
		select {
		case werr := <-ended:
			watching = false
			if ctx.Err() == nil {
				return werr == nil, werr
			}
		case <-tick.C:
		}
		if ctx.Err() != nil {
			return false, problem.New(problem.Unavailable, "containerd at %s does not answer: %w", d.Socket(), err).
				WithHint("its log is %s", d.Log())
		}
	}
}

func (d *Daemon) ping(ctx context.Context) error {
	// The client would wait for a socket that is not there yet.
	conn, err := net.Dial("unix", d.Socket())
	if err != nil {
		return err
	}
	conn.Close()
	c, err := client.New(d.Socket(), client.WithTimeout(maxReconnect))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Version(ctx)
	return err
}

// lastWords is the last error line of the daemon's log.
func (d *Daemon) lastWords() string {
	b, err := os.ReadFile(d.Log())
	if err != nil {
		return "it left no log"
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// spawn starts the daemon in a session of its own, so that neither the
// terminal's signals nor our death reach it.
func (d *Daemon) spawn() (*exec.Cmd, error) {
	if fi, err := os.Stat(d.Log()); err == nil && fi.Size() > maxDaemonLog {
		if err := os.Rename(d.Log(), d.Log()+".1"); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(d.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(d.Bundle, "containerd"), "--config", d.configFile())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = d.State
	cmd.Env = append(os.Environ(), "PATH="+d.Bundle+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, cmd.Start()
}

func (d *Daemon) configFile() string { return filepath.Join(d.State, "containerd.toml") }

// disabled are the plugins we do not use: Kubernetes' side, snapshotters that
// need what is not here, tracing.
var disabled = []string{
	"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
	"io.containerd.podsandbox.controller.v1.podsandbox", "io.containerd.nri.v1.nri",
	"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
	"io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.erofs",
	"io.containerd.snapshotter.v1.blockfile", "io.containerd.internal.v1.tracing",
	"io.containerd.tracing.processor.v1.otlp",
}

func (d *Daemon) writeConfig() error {
	for _, dir := range []string{d.Root, d.State, filepath.Join(d.State, "runc"), filepath.Join(d.State, "fifo"), d.shimSockets()} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version = 3\nroot = %q\nstate = %q\n", d.Root, filepath.Join(d.State, "containerd"))
	b.WriteString("disabled_plugins = [\n")
	for _, p := range disabled {
		fmt.Fprintf(&b, "  %q,\n", p)
	}
	fmt.Fprintf(&b, "]\n\n[grpc]\naddress = %q\n\n[ttrpc]\naddress = %q\n", d.Socket(), d.Socket()+".ttrpc")
	fmt.Fprintf(&b, "\n[plugins.'io.containerd.shim.v1.manager']\nsocket_dir = %q\n", d.shimSockets())
	tmp := d.configFile() + ".new"
	if err := os.WriteFile(tmp, []byte(b.String()), 0o640); err != nil {
		return err
	}
	return os.Rename(tmp, d.configFile())
}
