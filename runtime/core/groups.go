package core

import (
	"fmt"
	"iter"
	"maps"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// groupOf names the group of a task: its own, or, when it is alone in a network,
// one by its id. Empty: it is in none.
func groupOf(t *cluster.TaskSpec) string {
	if t.Group == "" && t.Network != nil {
		return string(t.ID)
	}
	return t.Group
}

// GroupTasks yields the active tasks of a group in order of their ids. A task
// that is alone in a network is a group that has its id for a name.
func (v *View) GroupTasks(group string) iter.Seq[*cluster.Task] {
	return seconds(v.byGroup.from(key(group, "")))
}

// groupHead is one of the active tasks of a group, nil when there is none.
func (v *View) groupHead(group string) *cluster.Task {
	for t := range v.GroupTasks(group) {
		return t
	}
	return nil
}

// tryGroup decides on the tasks of a group, all or none.
func (x *acceptance) tryGroup(s *State, members []int) {
	desk, slots := x.desk, maps.Clone(x.slots)
	desk.keep.places = maps.Clone(desk.keep.places)
	why := ""
	specs := make([]*cluster.TaskSpec, len(members))
	for n, i := range members {
		specs[n] = &x.c.Tasks[i]
		x.tryTask(s, i)
		if why == "" {
			why = x.whyNot(i)
		}
	}
	if why == "" {
		no := x.refusedGroup(s, specs)
		if no == nil {
			x.groups[specs[0].Group] = true
			return
		}
		for _, i := range members {
			x.tasks[i] = no
		}
	}
	x.desk, x.slots = desk, slots
	for _, i := range members {
		if x.tasks[i] == nil {
			x.tasks[i] = &refusal{cluster.TaskDropped, cluster.ReasonGroupInvalid, why}
		}
	}
}

// refusedGroup says why tasks that could be launched one by one are no group.
func (x *acceptance) refusedGroup(s *State, specs []*cluster.TaskSpec) *refusal {
	err := invalidTogether(specs...)
	if !isTaskID(specs[0].Group) {
		err = fmt.Errorf("its group's name %q is not 1 to %d of a-z, 0-9, - and .", bounded(specs[0].Group, maxTaskID), maxTaskID)
	}
	if err == nil {
		err = refusedVolumes(s, specs...)
	}
	if err != nil {
		return &refusal{cluster.TaskError, cluster.ReasonGroupInvalid, err.Error()}
	}
	return x.refusedName(s, specs[0])
}

// refusedName says that a group of the name of a task's lives already.
func (x *acceptance) refusedName(s *State, t *cluster.TaskSpec) *refusal {
	g := groupOf(t)
	if g == "" {
		return nil
	}
	if x.groups[g] || s.v.groupHead(g) != nil {
		return &refusal{cluster.TaskDropped, cluster.ReasonGroupInvalid, fmt.Sprintf("group %q is there already", g)}
	}
	return nil
}

// invalidTogether says why tasks cannot share a network and volumes: the
// network is not the same for all, publishes a port that none of them has, or a
// mount names a volume that not exactly one of them holds.
func invalidTogether(specs ...*cluster.TaskSpec) error {
	var ports cluster.Ports
	volumes := map[string]int{}
	network := specs[0].Network
	for _, t := range specs {
		if !network.Equal(t.Network) {
			return fmt.Errorf("the tasks of group %q are not all in the same network", t.Group)
		}
		ports = ports.Union(t.Resources.Ports)
		for _, r := range t.Reserved {
			for _, v := range r.Volumes {
				volumes[v.ID]++
			}
		}
	}
	if network != nil {
		if err := network.Validate(); err != nil {
			return fmt.Errorf("its network: %w", err)
		}
		for _, p := range network.Ports {
			if !ports.Contains(cluster.Port(p.Host)) {
				return fmt.Errorf("its network publishes host port %d, which is not among its resources", p.Host)
			}
		}
	}
	for _, t := range specs {
		if err := cluster.ValidateVolumeMounts(t.Container.Volumes); err != nil {
			return err
		}
		for _, m := range t.Container.Volumes {
			if n := volumes[m.Volume]; n != 1 {
				return fmt.Errorf("task %q mounts volume %q, of which its group holds %d", t.ID, m.Volume, n)
			}
		}
	}
	return nil
}

// invalidListen says what is wrong with the ports a task listens on.
func invalidListen(t *cluster.TaskSpec) error {
	for _, name := range sortedKeys(t.Listen) {
		host, ok := t.Ports[name]
		switch listen := t.Listen[name]; {
		case !ok:
			return fmt.Errorf("it listens on a port %q, which it does not have", bounded(name, maxName))
		case listen == 0:
			return fmt.Errorf("it listens on port 0 for %q", name)
		case t.Network == nil && listen != host:
			return fmt.Errorf("it listens on port %d for %q, which is %d on its agent's network", listen, name, host)
		}
	}
	return nil
}

// group sees that the active tasks of a group are together.
func (c *checker) group(t *cluster.Task) error {
	g := groupOf(&t.Spec)
	if g == "" {
		return nil
	}
	c.inGroup++
	if o, _ := c.v.byGroup.get(key(g, string(t.Spec.ID))); o != t {
		return fmt.Errorf("the index by group has another record")
	}
	if o := c.v.groupHead(g); o.Agent != t.Agent || o.Spec.Framework != t.Spec.Framework || o.Spec.Role != t.Spec.Role || !o.Spec.Network.Equal(t.Spec.Network) {
		return fmt.Errorf("it is of group %q and not on the agent, of the framework or in the network of %q", g, o.Spec.ID)
	}
	return nil
}
