package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

// The parts of a sandbox.
const (
	sandboxEtc     = "etc"     // resolv.conf, hosts, hostname
	sandboxFiles   = "files"   // the task's files, numbered
	sandboxScratch = "scratch" // the task's writable directories, numbered
)

// defaultFileMode is the mode of a file that names none.
const defaultFileMode = 0o444

// withSandbox writes the files and directories of a task and mounts them. It
// runs when the user is known, who owns them.
func (r *Runner) withSandbox(s runner.Spec) oci.SpecOpts {
	return func(_ context.Context, _ oci.Client, _ *containers.Container, spec *oci.Spec) error {
		uid, gid := int(spec.Process.User.UID), int(spec.Process.User.GID)
		mounts, err := r.buildSandbox(s, uid, gid)
		if err != nil {
			return fmt.Errorf("sandbox %s: %w", s.Sandbox, err)
		}
		spec.Mounts = append(spec.Mounts, mounts...)
		return nil
	}
}

func (r *Runner) buildSandbox(s runner.Spec, uid, gid int) ([]specs.Mount, error) {
	if err := os.MkdirAll(s.Sandbox, 0o711); err != nil {
		return nil, err
	}
	if err := output.Touch(s.Sandbox); err != nil {
		return nil, err
	}
	etc, err := r.etc(s)
	if err != nil {
		return nil, err
	}
	scratch, err := scratchMounts(s, uid, gid)
	if err != nil {
		return nil, err
	}
	files, err := fileMounts(s, uid, gid)
	if err != nil {
		return nil, err
	}
	artifacts, err := artifactMounts(s)
	if err != nil {
		return nil, err
	}
	host, err := r.hostMounts(s.Task.Container.Mounts)
	if err != nil {
		return nil, err
	}
	volumes, err := volumeMounts(s.Volumes)
	if err != nil {
		return nil, err
	}
	// What lies in a directory must be mounted after it.
	dirs := slices.Concat(host, volumes, scratch, artifacts)
	slices.SortStableFunc(dirs, byDestination)
	return slices.Concat(etc, dirs, files), nil
}

func byDestination(a, b specs.Mount) int { return strings.Compare(a.Destination, b.Destination) }

// volumeMounts mounts the directories that the agent made.
func volumeMounts(all []runner.Mount) ([]specs.Mount, error) {
	var mounts []specs.Mount
	for _, v := range all {
		fi, err := os.Lstat(v.Source)
		if err != nil {
			return nil, fmt.Errorf("volume for %s: %w", v.Path, err)
		}
		if !fi.IsDir() {
			return nil, fmt.Errorf("volume for %s: %s is no directory: %w", v.Path, v.Source, runner.ErrSpec)
		}
		access := "rw"
		if v.ReadOnly {
			access = "ro"
		}
		mounts = append(mounts, bind(v.Source, v.Path, access))
	}
	return mounts, nil
}

// artifactMounts mounts what the agent fetched.
func artifactMounts(s runner.Spec) ([]specs.Mount, error) {
	var mounts []specs.Mount
	for i, a := range s.Task.Container.Artifacts {
		at := runner.ArtifactPath(s.Sandbox, i)
		fi, err := os.Lstat(at)
		if err != nil {
			return nil, fmt.Errorf("artifact for %s: %w", a.Path, err)
		}
		if !fi.IsDir() {
			return nil, fmt.Errorf("artifact for %s is no directory: %w", a.Path, runner.ErrSpec)
		}
		mounts = append(mounts, bind(at, a.Path, "ro"))
	}
	return mounts, nil
}

// etc gives the container the three files by which a host knows itself.
func (r *Runner) etc(s runner.Spec) ([]specs.Mount, error) {
	resolv := r.opts.ResolvConf
	if resolv == "" {
		var err error
		if resolv, err = r.opts.resolvConf(s.Network != ""); err != nil {
			return nil, err
		}
	}
	host := r.opts.Host
	if s.Network != "" {
		own, err := r.networks.address(s.Network)
		if err != nil {
			return nil, err
		}
		host = own
	}
	hosts := "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" + host + " " + r.opts.Hostname + "\n"
	var mounts []specs.Mount
	for _, f := range []struct{ name, text string }{
		{"resolv.conf", resolv}, {"hosts", hosts}, {"hostname", r.opts.Hostname + "\n"},
	} {
		at := filepath.Join(s.Sandbox, sandboxEtc, f.name)
		if err := writeFile(at, f.text, 0o644, 0, 0); err != nil {
			return nil, err
		}
		mounts = append(mounts, bind(at, "/etc/"+f.name, "ro"))
	}
	return mounts, nil
}

// scratchMounts makes the writable directories, parents before what lies in them.
func scratchMounts(s runner.Spec, uid, gid int) ([]specs.Mount, error) {
	var mounts []specs.Mount
	for i, dst := range slices.Compact(slices.Sorted(slices.Values(s.Task.Container.Scratch))) {
		at := filepath.Join(s.Sandbox, sandboxScratch, strconv.Itoa(i))
		if err := os.MkdirAll(at, 0o711); err != nil {
			return nil, err
		}
		mode := os.FileMode(0o755)
		if dst == "/tmp" || dst == "/var/tmp" {
			mode = 0o777 | os.ModeSticky
		}
		// Not by MkdirAll: the umask must not count.
		if err := errors.Join(os.Chmod(at, mode), os.Chown(at, uid, gid)); err != nil {
			return nil, err
		}
		mounts = append(mounts, bind(at, dst, "rw"))
	}
	return mounts, nil
}

func fileMounts(s runner.Spec, uid, gid int) ([]specs.Mount, error) {
	var mounts []specs.Mount
	files := slices.Clone(s.Task.Container.Files)
	for i, f := range files {
		at := filepath.Join(s.Sandbox, sandboxFiles, strconv.Itoa(i))
		mode := os.FileMode(cmp.Or(f.Mode, defaultFileMode))
		if err := writeFile(at, f.Content, mode, uid, gid); err != nil {
			return nil, err
		}
		mounts = append(mounts, bind(at, f.Path, "ro"))
	}
	slices.SortStableFunc(mounts, byDestination)
	return mounts, nil
}

// writeFile makes path anew with exactly this content, mode and owner.
func writeFile(path, content string, mode os.FileMode, uid, gid int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return errors.Join(os.Chown(path, uid, gid), os.Chmod(path, mode))
}

func bind(src, dst, access string) specs.Mount {
	return specs.Mount{Type: "bind", Source: src, Destination: dst,
		Options: []string{"bind", "rprivate", "nosuid", "nodev", access}}
}
