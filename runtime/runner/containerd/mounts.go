package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// HostPath is a tree of the machine that tasks may mount parts of.
type HostPath struct {
	Path     string // absolute
	Writable bool   // also for writing
}

// hostMounts are the task's mounts of the machine's directories. Links are
// followed before it is asked whether they are allowed.
func (r *Runner) hostMounts(all []cluster.HostMount) ([]specs.Mount, error) {
	var mounts []specs.Mount
	for _, m := range all {
		if !filepath.IsAbs(m.Host) || filepath.Clean(m.Host) != m.Host {
			return nil, fmt.Errorf("mount of %q: not a clean absolute path: %w", m.Host, runner.ErrSpec)
		}
		real, err := filepath.EvalSymlinks(m.Host)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("mount of %s: %w", m.Host, err)
		}
		// What is there is not told to who may not have it.
		if !r.allowed(m.Host, real, m.Writable) {
			return nil, fmt.Errorf("mount of %s: the agent's configuration does not allow it: %w", m.Host, runner.ErrSpec)
		}
		if err != nil {
			return nil, fmt.Errorf("mount of %s: %w: %w", m.Host, err, runner.ErrSpec)
		}
		access := "ro"
		if m.Writable {
			access = "rw"
		}
		mounts = append(mounts, bind(real, m.Path, access))
	}
	return mounts, nil
}

// allowed reports whether a path is below an allowed one, both as it is written
// and as it is.
func (r *Runner) allowed(path, real string, write bool) bool {
	for _, h := range r.opts.HostPaths {
		if write && !h.Writable {
			continue
		}
		root, err := filepath.EvalSymlinks(h.Path)
		if err != nil {
			continue
		}
		if below(h.Path, path) && (real == "" || below(root, real)) {
			return true
		}
	}
	return false
}

func below(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}
