package containerd

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/cgroups/v3"
	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// nobody is the user of a task that names none, of an image that names none or root.
	nobody = "65534:65534"
	// defaultPath is the PATH where neither task nor image has one.
	defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// maxFileCount bounds the files and scratch directories of a task.
	maxFileCount = 256
	// maxFileBytes bounds the content of one file.
	maxFileBytes = 1 << 20
)

// capabilities are what a container that runs as root can do beyond its own
// files: change owners, change user, bind low ports, signal its processes.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID",
}

// reserved are the trees of a container that tasks may not mount over.
var reserved = []string{"/proc", "/sys", "/dev"}

// checkSpec refuses what could reach outside the sandbox or the limits.
func checkSpec(s runner.Spec) error {
	c := s.Task.Container
	switch {
	case s.Task.ID == "":
		return fmt.Errorf("the task has no id: %w", runner.ErrSpec)
	case !filepath.IsAbs(s.Sandbox):
		return fmt.Errorf("sandbox %q must be absolute: %w", s.Sandbox, runner.ErrSpec)
	case len(c.Files)+len(c.Scratch)+len(c.Artifacts)+len(c.Mounts)+len(s.Volumes) > maxFileCount:
		return fmt.Errorf("%d files, scratch directories, artifacts, mounts and volumes, over the limit of %d: %w",
			len(c.Files)+len(c.Scratch)+len(c.Artifacts)+len(c.Mounts)+len(s.Volumes), maxFileCount, runner.ErrSpec)
	}
	if err := checkRlimits(c.Rlimits); err != nil {
		return err
	}
	for _, a := range c.Artifacts {
		if err := checkPath(a.Path); err != nil {
			return err
		}
	}
	for _, m := range c.Mounts {
		if err := checkPath(m.Path); err != nil {
			return err
		}
	}
	for _, v := range s.Volumes {
		if err := checkVolume(v); err != nil {
			return err
		}
	}
	for _, f := range c.Files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if len(f.Content) > maxFileBytes {
			return fmt.Errorf("file %s has %d bytes, over the limit of %d: %w", f.Path, len(f.Content), maxFileBytes, runner.ErrSpec)
		}
		if f.Mode&^0o777 != 0 {
			return fmt.Errorf("file %s: mode %#o has more than permission bits: %w", f.Path, f.Mode, runner.ErrSpec)
		}
	}
	for _, p := range c.Scratch {
		if err := checkPath(p); err != nil {
			return err
		}
	}
	if c.Workdir != "" && (!path.IsAbs(c.Workdir) || strings.ContainsRune(c.Workdir, 0)) {
		return fmt.Errorf("workdir %q is not an absolute path: %w", c.Workdir, runner.ErrSpec)
	}
	for _, s := range slices.Concat(c.Command, slices.Collect(maps.Keys(c.Env)), slices.Collect(maps.Values(c.Env))) {
		if strings.ContainsRune(s, 0) {
			return fmt.Errorf("%q contains a zero byte: %w", s, runner.ErrSpec)
		}
	}
	return nil
}

// checkVolume accepts a directory of the agent's at a place that may be mounted over.
func checkVolume(v runner.Mount) error {
	if !filepath.IsAbs(v.Source) || filepath.Clean(v.Source) != v.Source {
		return fmt.Errorf("volume %q is not a clean absolute path: %w", v.Source, runner.ErrSpec)
	}
	return checkPath(v.Path)
}

// checkPath accepts a clean absolute path in a container that may be mounted over.
func checkPath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsRune(p, 0) {
		return fmt.Errorf("path %q is not a clean absolute path below /: %w", p, runner.ErrSpec)
	}
	for _, r := range reserved {
		if p == r || strings.HasPrefix(p, r+"/") {
			return fmt.Errorf("path %q lies in %s, which is the kernel's: %w", p, r, runner.ErrSpec)
		}
	}
	return nil
}

// specOptions are the steps that make the OCI spec of a container, in order:
// the sandbox is last, since its owner is the user found before.
func (r *Runner) specOptions(s runner.Spec, img image, gpus []string) []oci.SpecOpts {
	c, id := s.Task.Container, containerID(s.Task.ID)
	opts := []oci.SpecOpts{
		oci.WithEnv(environment(img.config.Env, c.Env)),
		oci.WithProcessArgs(arguments(img, c)...),
		oci.WithProcessCwd(firstOf(c.Workdir, img.config.WorkingDir, "/")),
		withUser(c.User, img.config.User),
		oci.WithHostname(r.opts.Hostname),
		withNetwork(s.Network),
		oci.WithCgroup(path.Join(r.opts.CgroupParent, r.opts.Namespace, id)),
		oci.WithCapabilities(capabilities),
		oci.WithNoNewPrivileges,
		withSeccomp, // after the capabilities: it depends on them
		oci.WithPidsLimit(r.opts.PIDs),
		withRlimits(r.nofile, c.Rlimits),
		withCgroupMount,
	}
	if c.ReadOnly {
		opts = append(opts, oci.WithRootFSReadonly())
	}
	opts = append(opts, r.withResources(s.Task.Resources, c.CPUQuota)...)
	opts = append(opts, withGPUs(gpus)...)
	return append(opts, r.withSandbox(s))
}

func (r *Runner) withResources(need cluster.Resources, quota bool) []oci.SpecOpts {
	var opts []oci.SpecOpts
	if need.Mem > 0 {
		opts = append(opts, oci.WithMemoryLimit(uint64(need.Mem)))
		if r.swap {
			// Memory and swap together: a task that outgrows its memory is to be
			// told so, not to crawl.
			opts = append(opts, oci.WithMemorySwap(need.Mem))
		}
	}
	if need.CPU > 0 {
		opts = append(opts, oci.WithCPUShares(max(uint64(need.CPU)*sharesPerCPU/1000, minShares)))
		if quota || r.opts.Quota {
			opts = append(opts, oci.WithCPUCFS(need.CPU*cpuPeriod/1000, cpuPeriod))
		}
	}
	return opts
}

// environment is the image's variables, overridden by the task's, sorted.
func environment(img []string, task map[string]string) []string {
	all := map[string]string{}
	for _, kv := range append([]string{defaultPath}, img...) {
		if k, v, ok := strings.Cut(kv, "="); ok {
			all[k] = v
		}
	}
	maps.Copy(all, task)
	out := make([]string, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, k+"="+all[k])
	}
	return out
}

// arguments is the task's command, which replaces all the image would run.
func arguments(img image, c cluster.Container) []string {
	if len(c.Command) > 0 {
		return c.Command
	}
	return slices.Concat(img.config.Entrypoint, img.config.Cmd)
}

// withNetwork joins a network namespace; without one the container is in that of
// the daemon.
func withNetwork(path string) oci.SpecOpts {
	if path == "" {
		return oci.WithHostNamespace(specs.NetworkNamespace)
	}
	return oci.WithLinuxNamespace(specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: path})
}

func firstOf(options ...string) string {
	for _, o := range options {
		if o != "" {
			return o
		}
	}
	return ""
}

// withUser sets the task's user, or the image's unless that is root: root must
// be asked for by the task. A number alone is also the group, as nothing of
// the image is asked.
func withUser(task, img string) oci.SpecOpts {
	user := task
	if user == "" {
		if name, _, _ := strings.Cut(img, ":"); name != "root" && name != "0" {
			user = img
		}
	}
	if user == "" {
		user = nobody
	}
	name, group, both := strings.Cut(user, ":")
	if !both {
		group = name
	}
	uid, uerr := strconv.ParseUint(name, 10, 32)
	gid, gerr := strconv.ParseUint(group, 10, 32)
	if uerr == nil && gerr == nil {
		return oci.WithUIDGID(uint32(uid), uint32(gid))
	}
	return func(ctx context.Context, c oci.Client, co *containers.Container, s *oci.Spec) error {
		if err := oci.WithUser(user)(ctx, c, co, s); err != nil {
			return fmt.Errorf("user %q: %w: %w", user, runner.ErrSpec, err)
		}
		return nil
	}
}

// withSeccomp sets the default profile for the machine's own architecture: a
// program of another, such as a 32-bit one, is refused. Their rules would be
// two thirds of the filter, and of the time it takes to make.
func withSeccomp(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error {
	s.Linux.Seccomp = seccomp.DefaultProfile(s)
	if native, ok := nativeArch[runtime.GOARCH]; ok {
		s.Linux.Seccomp.Architectures = []specs.Arch{native}
	}
	return nil
}

// nativeArch names Go's architectures as seccomp does.
var nativeArch = map[string]specs.Arch{"amd64": specs.ArchX86_64, "arm64": specs.ArchAARCH64}

// withCgroupMount lets the container read its own limits: a JVM sizes its heap
// and its pools by them.
func withCgroupMount(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error {
	s.Mounts = append(s.Mounts, specs.Mount{
		Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
		Options: []string{"ro", "nosuid", "noexec", "nodev", "relatime"},
	})
	if cgroups.Mode() == cgroups.Unified {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return nil
}
