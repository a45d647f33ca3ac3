package service

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// launch places what is to be launched, pod by pod in the order of the phases,
// and notes in r what found no place, and whom that ends. It reports whether
// there was anything.
func (m *model) launch(rooms []*sched.Room, r *sched.Result) (wanted bool) {
	for _, p := range m.pods {
		wanted = m.makePlaces(p, rooms, r) || wanted
	}
	done := map[*pod]bool{}
	for _, ph := range m.phases {
		if ph.pod == nil || done[ph.pod] {
			continue
		}
		done[ph.pod] = true
		if list := ph.pod.toLaunch(); len(list) > 0 {
			wanted = true
			if len(ph.pod.spec.Volumes) > 0 {
				m.launchAtHome(ph.pod, list, rooms, r)
			} else {
				m.launchPod(ph.pod, list, rooms, r)
			}
		}
	}
	return wanted
}

// toLaunch are the instances of a pod that want a place.
func (p *pod) toLaunch() []*instance {
	var out []*instance
	for _, in := range p.instances {
		if in.action == actLaunch {
			out = append(out, in)
		}
	}
	return out
}

func (m *model) launchPod(p *pod, list []*instance, rooms []*sched.Room, r *sched.Result) {
	pl := &placing{m: m, pod: p}
	waiting := list
	if len(rooms) > 0 {
		waiting = pl.placeAll(list, rooms, pl.launch)
	}
	if len(waiting) > 0 && p.spec.Gang {
		pl.undo()
		waiting = list
	}
	if len(waiting) == 0 {
		return
	}
	m.preempt(p, waiting, rooms, pl.tally, r)
	mark := ""
	if p.spec.Gang && m.gangFits(p, list) == len(list) {
		// It would fit, if all that is free were offered at once: a demand that
		// changes with the cluster brings back the offers that were declined.
		mark = "@" + sched.Suffix(m.view.Index())
		m.keep(p, list[0], rooms, r)
	}
	for _, in := range waiting {
		r.Want(m.role(), string(m.svc.Spec.ID)+"."+core.InstanceKey(p.spec.Name, in.index)+mark)
	}
}

// placing puts instances of one pod into rooms.
type placing struct {
	m     *model
	pod   *pod
	tally *tally // nil: nothing was counted yet
	done  []placed
}

// placed is what a room was before an instance was put there.
type placed struct {
	room  *sched.Room
	free  cluster.Pool
	tasks int
}

// placeAll puts instances into the best rooms, each by put, and gives those for
// which there is none.
func (pl *placing) placeAll(list []*instance, rooms []*sched.Room, put putter) (waiting []*instance) {
	if pl.tally == nil {
		pl.tally = pl.m.newTally(pl.pod, nil)
	}
	var c *candidates
	var same []cluster.TaskTemplate
	role := pl.m.role()
	for _, in := range list {
		// Instances of a pod need the same, but for the ONCE tasks that some have behind them.
		if tasks := in.wants(); c == nil || !sameTasks(tasks, same) {
			c, same = newCandidates(rooms, role, pl.tally, tasks), tasks
		}
		if !pl.placeOne(c, in, same, put) {
			waiting = append(waiting, in)
		}
	}
	return waiting
}

// sameTasks reports whether two selections of a pod's tasks are the same.
func sameTasks(a, b []cluster.TaskTemplate) bool {
	return slices.EqualFunc(a, b, func(x, y cluster.TaskTemplate) bool { return x.Name == y.Name })
}

// putter puts an instance into a room: false when it does not fit after all, an
// error when it fits nowhere.
type putter func(in *instance, tasks []cluster.TaskTemplate, room *sched.Room) (bool, error)

// placeOne puts an instance into the best room. It reports false when no room
// is left, so that another offer is wanted.
func (pl *placing) placeOne(c *candidates, in *instance, tasks []cluster.TaskTemplate, put putter) bool {
	for {
		room := c.next()
		if room == nil {
			return false
		}
		before := placed{room, room.Free, len(room.Tasks)}
		ok, err := put(in, tasks, room)
		switch {
		case err != nil:
			return true // no offer helps
		case !ok:
			c.drop() // too full by now
			continue
		}
		pl.done = append(pl.done, before)
		c.placed()
		return true
	}
}

// undo takes back all that was placed.
func (pl *placing) undo() {
	for _, d := range slices.Backward(pl.done) {
		d.room.Free, d.room.Tasks = d.free, d.room.Tasks[:d.tasks]
	}
	pl.done, pl.tally = nil, nil
}

// launch puts the tasks of an instance into a room.
func (pl *placing) launch(in *instance, tasks []cluster.TaskTemplate, room *sched.Room) (bool, error) {
	specs, err := pl.m.specs(in, tasks, room)
	if specs == nil || err != nil {
		return false, err
	}
	room.Put(specs)
	return true, nil
}

// try takes what an instance needs out of a room, to see what fits.
func try(_ *instance, tasks []cluster.TaskTemplate, room *sched.Room) (bool, error) {
	claims, ok := room.Claim(tasks, 0)
	for i := range claims {
		room.Free = room.Free.Minus(claims[i].Pool())
	}
	return ok, nil
}

// errUnfillable says that a spec can never be settled: a reference names what
// is not there, or a task's id is too long. Validate refuses such specs.
var errUnfillable = errors.New("the spec cannot be settled")

// specs settles the tasks of an instance in a room: nil when they do not fit.
func (m *model) specs(in *instance, tasks []cluster.TaskTemplate, room *sched.Room) ([]cluster.TaskSpec, error) {
	service, group := m.svc.Spec.ID, core.InstanceKey(in.pod.spec.Name, in.index)
	suffix := in.launch()
	claims, ok := in.claim(tasks, room, sched.Seed(string(service)+"."+group, suffix))
	if !ok {
		return nil, nil
	}
	from := in.source()
	network, listen := sched.Network(from.spec.Network, tasks, claims)
	self := sched.Self{Pod: in.pod.spec.Name, Index: in.index, Host: room.Agent.Host, Hostname: room.Agent.Hostname, Ports: map[string]uint16{}}
	if in.home != nil {
		maps.Copy(self.Ports, in.home.Ports) // those of tasks that are not launched now too
	}
	if network != nil {
		self.Listen = map[string]uint16{}
	}
	for i := range claims {
		maps.Copy(self.Ports, claims[i].Ports)
		maps.Copy(self.Listen, listen[i])
	}
	values, missing := sched.Resolve(from.openRefs(in.index), m.lookup())
	if len(missing) > 0 {
		return nil, errUnfillable
	}
	hash := sched.WithRefs(from.templateHash(), values)
	together := ""
	if len(tasks) > 1 || network != nil {
		together = in.groupName(tasks, suffix)
	}
	specs := make([]cluster.TaskSpec, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		self.Task = sched.TaskID(service, group, t.Name, suffix)
		container, err := sched.Expand(t.Container, self, m.lookup())
		if err != nil || len(self.Task) > sched.MaxTaskID {
			return nil, errUnfillable
		}
		if in.home != nil {
			container.Volumes = append(container.Volumes, sched.Mounts(in.pod.spec, in.home)...)
		}
		specs[i] = cluster.TaskSpec{
			ID: self.Task, Name: sched.TaskName(service, group, t.Name),
			Framework: Framework, Role: in.pod.role(m), Service: service,
			Pod: in.pod.spec.Name, Index: in.index, Task: t.Name, Goal: t.Goal, Group: together, Network: network,
			Hash: hash, Container: container, Resources: claims[i].Resources, Reserved: claims[i].Reserved,
			Ports: claims[i].Ports, Listen: listen[i], Generation: cmp.Or(from.of, m.svc.Generation),
		}
	}
	return specs, nil
}
