package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// volume is the data of a persistent volume on an agent's disk.
type volume struct {
	birth  int64 // of the volume whose task wrote it; no agent knows that, the simulator does
	doomed bool  // it is to be destroyed when the last task that sees it has ended
}

// volumeNames are the volumes an agent has data of, in order.
func (a *agent) volumeNames() []cluster.VolumeName {
	return slices.SortedFunc(maps.Keys(a.volumes), func(x, y cluster.VolumeName) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.ID, y.ID))
	})
}

// held are the volumes that a task holds itself.
func held(spec *cluster.TaskSpec) []cluster.VolumeName {
	var out []cluster.VolumeName
	for _, r := range spec.Reserved {
		for _, v := range r.Volumes {
			out = append(out, cluster.VolumeName{Role: r.Stack.Role(), ID: v.ID})
		}
	}
	return out
}

// group is the name under which a task shares what it has.
func group(spec *cluster.TaskSpec) string {
	if spec.Group == "" {
		return string(spec.ID)
	}
	return spec.Group
}

// seen are the volumes that a task sees: its own, and those of its group's
// other tasks that it mounts.
func seen(spec *cluster.TaskSpec, others []*cluster.TaskSpec) []cluster.VolumeName {
	out := held(spec)
	for _, m := range spec.Container.Volumes {
		for _, o := range others {
			if o.ID == spec.ID || group(o) != group(spec) || o.Framework != spec.Framework {
				continue
			}
			for _, n := range held(o) {
				if n.ID == m.Volume && !slices.Contains(out, n) {
					out = append(out, n)
				}
			}
		}
	}
	return out
}

// refused says why an agent does not start a task because of its volumes. The
// master never gives the same volume to two tasks; but one that only mounts the
// volume of another of its group can outlive that one.
func (a *agent) refused(t *task) string {
	var others []*cluster.TaskSpec
	for _, o := range a.order {
		if o != t && !o.ended() {
			others = append(others, &o.spec)
		}
	}
	t.sees = seen(&t.spec, others)
	for _, n := range t.sees {
		if v := a.volumes[n]; v != nil && v.doomed {
			return fmt.Sprintf("volume %s of role %s is being destroyed", n.ID, n.Role)
		}
		for _, o := range a.order {
			switch {
			case o == t || o.ended() || !slices.Contains(o.sees, n):
			case slices.Contains(held(&o.spec), n) && slices.Contains(held(&t.spec), n):
				a.sim.fail("agent %s is to launch %s with volume %s of role %s, which %s holds", a.id, t.spec.ID, n.ID, n.Role, o.spec.ID)
			case group(&o.spec) != group(&t.spec):
				return fmt.Sprintf("volume %s of role %s is still seen by task %s of another group", n.ID, n.Role, o.spec.ID)
			}
		}
	}
	mounted := func(m cluster.VolumeMount) bool {
		return slices.ContainsFunc(t.sees, func(n cluster.VolumeName) bool { return n.ID == m.Volume })
	}
	if slices.ContainsFunc(t.spec.Container.Volumes, func(m cluster.VolumeMount) bool { return !mounted(m) }) {
		return "the task of its group that holds a volume it mounts is not there"
	}
	return ""
}

// mount lets a task that starts see its volumes, and write into them.
func (a *agent) mount(t *task) {
	for _, n := range t.sees {
		for _, o := range a.order {
			if o != t && o.alive && slices.Contains(o.sees, n) && group(&o.spec) != group(&t.spec) {
				a.sim.fail("agent %s: tasks %s and %s of two groups live with volume %s of role %s", a.id, o.spec.ID, t.spec.ID, n.ID, n.Role)
			}
		}
		v := a.volumes[n]
		birth := a.sim.custody.tasks[t.spec.ID][n]
		switch {
		case v == nil && a.sim.custody.written[place{a.id, n}] == birth:
			a.sim.fail("agent %s: task %s finds volume %s of role %s empty: what was written into it is lost", a.id, t.spec.ID, n.ID, n.Role)
		case v == nil:
			a.volumes[n] = &volume{birth: birth}
			a.sim.custody.written[place{a.id, n}] = birth
		case v.birth != birth:
			a.sim.fail("agent %s: task %s sees in volume %s of role %s what was written into another one of that name", a.id, t.spec.ID, n.ID, n.Role)
		}
	}
}

// destroy ends the data of a volume, now or when nobody sees it any more.
func (a *agent) destroy(n cluster.VolumeName) {
	v := a.volumes[n]
	if v == nil {
		return
	}
	for _, t := range a.order {
		if !t.ended() && slices.Contains(t.sees, n) {
			v.doomed = true
			return
		}
	}
	if a.sim.custody.born[place{a.id, n}] == v.birth {
		a.sim.fail("agent %s destroys volume %s of role %s, and nobody asked for it", a.id, n.ID, n.Role)
	}
	delete(a.volumes, n)
}

// unmount destroys what had to wait for the end of a task.
func (a *agent) unmount() {
	for _, n := range a.volumeNames() {
		if a.volumes[n].doomed {
			a.destroy(n)
		}
	}
}
