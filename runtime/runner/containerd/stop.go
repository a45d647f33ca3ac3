package containerd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// stopGrace is from TERM to KILL for the daemon.
	stopGrace = 10 * time.Second
	// cgroupLimit is how long a cgroup may stay busy after its last process.
	cgroupLimit = 10 * time.Second
)

// Stop ends the daemon and every container it has, and removes what they left:
// processes, networks, mounts, cgroups, sockets, State. Root, with the images, stays. It
// is for a cluster that goes away, not for an agent that restarts. A daemon that
// does not run is no error.
func (d *Daemon) Stop(ctx context.Context) error {
	var errs []error
	if pid, err := d.PID(); err == nil {
		errs = append(errs, endProcess(ctx, pid))
	}
	// Without their daemon the shims do nothing on their own: now each can go.
	errs = append(errs, d.endShims(ctx), networksIn(d.State, d.Bundle).removeAll(ctx), endCgroup(ctx, d.cgroup()), unmountBelow(d.State), unmountBelow(d.Root))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop containerd in %s: %w", d.State, err)
	}
	if err := errors.Join(os.RemoveAll(d.State), os.RemoveAll(d.shimSockets())); err != nil {
		return fmt.Errorf("stop containerd in %s: %w", d.State, err)
	}
	_ = os.Remove(filepath.Dir(d.shimSockets())) // fails while other daemons have theirs in it
	return nil
}

// endProcess asks pid to end, and makes it.
func endProcess(ctx context.Context, pid int) error {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(pid, sig); err != nil {
			if errors.Is(err, syscall.ESRCH) {
				return nil
			}
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
		wait, cancel := context.WithTimeout(ctx, stopGrace)
		err := awaitExit(wait, pid)
		gone := wait.Err() == nil
		cancel()
		if err != nil || gone {
			return err
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

// shim is a process of our daemon that keeps one container.
type shim struct {
	pid  int
	init int // the container's first process; 0: not known
}

// endShims kills the shims of this daemon and their containers. A shim is ours
// when it was given our socket's path.
func (d *Daemon) endShims(ctx context.Context) error {
	var errs []error
	for _, s := range d.shims() {
		for _, pid := range []int{s.init, s.pid} {
			if pid <= 1 {
				continue
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, fmt.Errorf("kill process %d: %w", pid, err))
				continue
			}
			wait, cancel := context.WithTimeout(ctx, stopGrace)
			errs = append(errs, awaitExit(wait, pid))
			cancel()
		}
	}
	return errors.Join(errs...)
}

func (d *Daemon) shims() []shim {
	var out []shim
	for pid, args := range processes {
		if filepath.Base(args[0]) != "containerd-shim-runc-v2" || flag(args, "-address") != d.Socket() {
			continue
		}
		s := shim{pid: pid}
		bundle := filepath.Join(d.State, "containerd", "io.containerd.runtime.v2.task", flag(args, "-namespace"), flag(args, "-id"))
		if b, err := os.ReadFile(filepath.Join(bundle, "init.pid")); err == nil {
			if init, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && parentOf(init) == pid {
				s.init = init
			}
		}
		out = append(out, s)
	}
	return out
}

// processes yields the machine's processes with their command lines.
func processes(yield func(pid int, args []string) bool) {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is constant and legal
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		if !yield(pid, strings.Split(string(bytes.TrimRight(b, "\x00")), "\x00")) {
			return
		}
	}
}

// flag is the value after name in args.
func flag(args []string, name string) string {
	if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// parentOf gives the parent of pid, 0 when there is no such process: a pid that
// was written down may have gone to somebody else since.
func parentOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything; the fields after it do not.
	_, rest, ok := strings.Cut(string(b[bytes.LastIndexByte(b, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// endCgroup kills every process in and below a cgroup and removes it, in each
// hierarchy of the machine.
func endCgroup(ctx context.Context, cgroup string) error {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + strings.TrimPrefix(cgroup, "/"))
	roots = append(roots, filepath.Join("/sys/fs/cgroup", cgroup))
	ctx, cancel := context.WithTimeout(ctx, cgroupLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		var busy error
		for _, root := range roots {
			busy = errors.Join(busy, removeCgroup(root))
		}
		if busy == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return busy
		case <-tick.C:
		}
	}
}

// removeCgroup kills what is in root and below and removes the directories,
// deepest first.
func removeCgroup(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && e.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	for _, dir := range slices.Backward(dirs) {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, f := range strings.Fields(string(b)) {
			if pid, perr := strconv.Atoi(f); perr == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile; the next look tells
			}
		}
		if rerr := os.Remove(dir); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

// unmountBelow unmounts everything mounted in dir, latest first.
func unmountBelow(dir string) error {
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range slices.Backward(mounts) {
		if err := unix.Unmount(m, unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", m, err))
		}
	}
	return errors.Join(errs...)
}

// mountsBelow lists the mount points in dir, in the order of mounting.
func mountsBelow(dir string) ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var out []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if at := unescape.Replace(f[4]); strings.HasPrefix(at, dir+"/") {
			out = append(out, at)
		}
	}
	return out, nil
}
