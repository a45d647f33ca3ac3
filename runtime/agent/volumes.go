package agent

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/agent/volume"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// groupWait is how long a task waits for the one of its group that holds a
	// volume it mounts: their orders come one by one.
	groupWait = time.Minute
	// minGroupRetry and maxGroupRetry bound the pause between two looks for it.
	minGroupRetry = 50 * time.Millisecond
	maxGroupRetry = 2 * time.Second
)

// held is a volume that a task holds.
type held struct {
	name   cluster.VolumeName
	volume cluster.Volume
	by     cluster.TaskSpec
}

// holds lists the volumes that a task holds.
func holds(spec cluster.TaskSpec) []held {
	var out []held
	for _, r := range spec.Reserved {
		for _, v := range r.Volumes {
			out = append(out, held{cluster.VolumeName{Role: r.Stack.Role(), ID: v.ID}, v, spec})
		}
	}
	return out
}

// mount is a volume as a task sees it.
type mount struct {
	held
	path     string
	readOnly bool
}

// errAwaited says that the task which holds a volume is not here.
var errAwaited = errors.New("no task of its group that is here holds it")

// mounts lists the volumes that a task sees, of its own and, where it names
// them, of other tasks in its group.
func mounts(own, group []held, named []cluster.VolumeMount) ([]mount, error) {
	var out []mount
	for _, h := range own {
		if !slices.ContainsFunc(named, func(m cluster.VolumeMount) bool { return m.Volume == h.name.ID }) {
			out = append(out, mount{held: h, path: path.Join(cluster.SandboxPath, h.volume.Path)})
		}
	}
	all := slices.Concat(own, group)
	for _, m := range named {
		i := slices.IndexFunc(all, func(h held) bool { return h.name.ID == m.Volume })
		if i < 0 {
			return nil, fmt.Errorf("volume %q: %w", m.Volume, errAwaited)
		}
		out = append(out, mount{all[i], m.Path, m.ReadOnly})
	}
	return out, nil
}

// checkVolumes refuses mounts that cannot be, whatever the other tasks of the
// group hold.
func checkVolumes(spec cluster.TaskSpec) error {
	own, named := holds(spec), spec.Container.Volumes
	if err := cluster.ValidateVolumeMounts(named); err != nil {
		return err
	}
	for _, m := range named {
		n := 0
		for _, h := range own {
			if h.name.ID == m.Volume {
				n++
			}
		}
		if n > 1 {
			return fmt.Errorf("volume %q: it holds %d volumes of that name, of different roles", m.Volume, n)
		}
		if n == 0 && spec.Group == "" {
			return fmt.Errorf("volume %q: it does not hold it, and has no group whose volumes it could mount", m.Volume)
		}
	}
	return nil
}

// admitVolumes refuses a task that holds a volume which a task of another group
// still has mounted, or is to mount.
func (a *Agent) admitVolumes(spec cluster.TaskSpec) *refusal {
	own := holds(spec)
	if len(own) == 0 {
		return nil
	}
	a.destroyFree() // a volume of this name that was to go must not come back with its data
	for _, h := range own {
		if by := a.user(h.name, spec); by != "" {
			return noRoom("volume %q of role %q is still in use by the task %s", h.name.ID, h.name.Role, by)
		}
	}
	return nil
}

// user gives an active task that holds or mounts a volume, and is neither spec
// nor of its group; empty: there is none.
func (a *Agent) user(name cluster.VolumeName, spec cluster.TaskSpec) cluster.TaskID {
	var by cluster.TaskID
	a.ledger.Scan(func(r *checkpoint.Record) bool {
		if r.Active() && r.Spec.ID != spec.ID && (spec.Group == "" || r.Spec.Group != spec.Group) && uses(r, name) {
			by = r.Spec.ID
		}
		return by == ""
	})
	return by
}

// uses reports whether a task holds a volume, or mounts it.
func uses(r *checkpoint.Record, name cluster.VolumeName) bool {
	return slices.Contains(r.Volumes, name) || slices.ContainsFunc(holds(r.Spec), func(h held) bool { return h.name == name })
}

// volumes makes the task's volumes ready, and waits for the task that holds one
// where it is another of its group.
func (t *task) volumes(ctx context.Context) ([]runner.Mount, error) {
	own, named := holds(t.spec), t.spec.Container.Volumes
	if len(own)+len(named) == 0 {
		return nil, nil
	}
	b, since := backoff{least: minGroupRetry, most: maxGroupRetry}, time.Now()
	for {
		all, err := mounts(own, t.a.groupHolds(t.spec), named)
		if err == nil {
			return t.make(all)
		}
		if !errors.Is(err, errAwaited) || time.Since(since) > groupWait {
			return nil, err
		}
		if !b.wait(ctx) {
			return nil, context.Cause(ctx)
		}
	}
}

// groupHolds lists the volumes that other active tasks of a task's group hold.
func (a *Agent) groupHolds(spec cluster.TaskSpec) []held {
	if spec.Group == "" {
		return nil
	}
	var out []held
	a.ledger.Scan(func(r *checkpoint.Record) bool {
		if r.Active() && r.Spec.Group == spec.Group && r.Spec.ID != spec.ID {
			out = append(out, holds(r.Spec)...)
		}
		return true
	})
	slices.SortFunc(out, func(x, y held) int {
		return strings.Compare(string(x.name.Role)+"/"+x.name.ID, string(y.name.Role)+"/"+y.name.ID)
	})
	return out
}

// make makes directories for volumes, once it is on disk that the task has them.
func (t *task) make(all []mount) ([]runner.Mount, error) {
	names := make([]cluster.VolumeName, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	if err := t.a.ledger.SetVolumes(t.spec.ID, names); err != nil {
		return nil, err
	}
	out := make([]runner.Mount, len(all))
	for i, m := range all {
		dir, err := t.a.store.Make(m.name, owner(m.by.Container.User))
		if err != nil {
			return nil, err
		}
		out[i] = runner.Mount{Source: dir, Path: m.path, ReadOnly: m.readOnly}
	}
	return out, nil
}

// owner is the user of a task where it is named by numbers: a number alone is
// also the group. Names are the image's to know.
func owner(user string) *volume.Owner {
	uid, gid, both := strings.Cut(user, ":")
	if !both {
		gid = uid
	}
	u, uerr := strconv.ParseUint(uid, 10, 31)
	g, gerr := strconv.ParseUint(gid, 10, 31)
	if uerr != nil || gerr != nil {
		return nil
	}
	return &volume.Owner{UID: int(u), GID: int(g)}
}

// measureVolumes ends the tasks of a group that mount a volume which has grown
// over its size. t holds it.
func (a *Agent) measureVolumes(t *task) {
	for _, h := range holds(t.spec) {
		used, err := treeSize(a.store.Path(h.name))
		if err != nil {
			a.log.Warn("a volume cannot be measured", "volume", h.name.ID, "role", string(h.name.Role), "err", err)
			continue
		}
		if used <= h.volume.Size {
			continue
		}
		message := fmt.Sprintf("volume %q holds %s and may hold %s", h.name.ID, cluster.Bytes(used), cluster.Bytes(h.volume.Size))
		for _, spec := range a.mounting(h.name) {
			a.condemn(spec, cluster.ReasonDiskLimit, message)
		}
	}
}

// mounting lists the active tasks that hold or mount a volume.
func (a *Agent) mounting(name cluster.VolumeName) []cluster.TaskSpec {
	var out []cluster.TaskSpec
	a.ledger.Scan(func(r *checkpoint.Record) bool {
		if r.Active() && r.Kill == nil && uses(r, name) {
			out = append(out, r.Spec)
		}
		return true
	})
	return out
}
