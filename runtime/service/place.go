package service

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// findPlace reads where an instance of a pod with volumes lives.
func (m *model) findPlace(in *instance) {
	if len(in.pod.spec.Volumes) == 0 {
		return
	}
	in.home = m.svc.Places[core.InstanceKey(in.pod.spec.Name, in.index)]
	in.replace = in.home != nil && in.record().Replace
}

// leave sees to an instance that is to get another place: it ends, and then its
// place is given up.
func (m *model) leave(in *instance) {
	in.state = StateWaiting
	if len(in.live)+len(in.old) > 0 {
		in.state = StateKilling
	}
}

// hostOf is the address of a place: that of its agent now, where it is known.
func (m *model) hostOf(p *cluster.Place) string {
	if a := m.view.Agent(p.Agent); a != nil && a.State != cluster.AgentGone {
		return a.Info.Host
	}
	return p.Host
}

// placeTask stands for all that a place of the pod holds: the most that its
// tasks need at a time, all their ports, and the disk of the volumes.
func (p *pod) placeTask() cluster.TaskTemplate {
	out := cluster.TaskTemplate{Name: "place"}
	var forever cluster.Resources
	ending := map[int]cluster.Resources{}
	last := 0
	for i := range p.spec.Tasks {
		t := &p.spec.Tasks[i]
		stage := p.stage(t.Name)
		last = max(last, stage)
		if t.Goal == cluster.GoalRunning {
			forever = forever.Plus(t.Resources)
		} else {
			ending[stage] = ending[stage].Plus(t.Resources)
		}
		out.Ports = append(out.Ports, t.Ports...)
	}
	if p.stages == nil {
		out.Resources = forever.Plus(ending[0])
	} else {
		out.Resources = forever
		for stage := range last + 1 {
			out.Resources = most(out.Resources, ending[stage])
		}
	}
	for _, v := range p.spec.Volumes {
		out.Resources.Disk += v.Size
	}
	return out
}

// most is the larger of two amounts, each resource by itself.
func most(a, b cluster.Resources) cluster.Resources {
	more := b.Minus(a)
	more.CPU, more.Mem, more.Disk, more.GPUs = max(more.CPU, 0), max(more.Mem, 0), max(more.Disk, 0), max(more.GPUs, 0)
	more.Extra = slices.DeleteFunc(slices.Clone(more.Extra), func(n cluster.Named) bool { return n.Milli < 0 })
	return a.Plus(more)
}

// makePlaces reserves places for the instances of a pod that have none, and
// notes in r who found none. It reports whether there was anybody.
func (m *model) makePlaces(p *pod, rooms []*sched.Room, r *sched.Result) bool {
	list := p.with(actPlace)
	if len(list) == 0 {
		return false
	}
	// What is reserved for the service already is its other places: here only
	// what its own role may have counts.
	var own []*sched.Room
	for _, room := range rooms {
		if room.Role == p.role(m) {
			shadow := *room
			shadow.Role = m.role()
			own = append(own, &shadow)
		}
	}
	pl := &placing{m: m, pod: p, tally: m.newTally(p, nil)}
	waiting := list
	if len(own) > 0 {
		waiting = pl.placeAll(list, own, pl.makePlace)
	}
	for _, shadow := range own {
		room := sched.Find(rooms, shadow.Agent.ID, p.role(m))
		room.Free, room.Operations, room.Places = shadow.Free, shadow.Operations, shadow.Places
	}
	if len(waiting) > 0 {
		m.preempt(p, waiting, rooms, pl.tally, r)
	}
	for _, in := range waiting {
		r.Want(p.role(m), string(m.svc.Spec.ID)+"."+core.InstanceKey(p.spec.Name, in.index)+"/place")
	}
	return true
}

// makePlace reserves a place for an instance in a room.
func (pl *placing) makePlace(in *instance, tasks []cluster.TaskTemplate, room *sched.Room) (bool, error) {
	m := pl.m
	w := sched.Wish{Service: &m.svc.Spec, Pod: in.pod.spec, Index: in.index, Suffix: sched.Suffix(m.view.Index())}
	if f := m.view.Framework(Framework); f != nil {
		w.Principal = f.Info.Principal
	}
	return room.MakePlace(w, tasks[0], m.role()), nil
}

// launchAtHome launches instances where they live.
func (m *model) launchAtHome(p *pod, list []*instance, rooms []*sched.Room, r *sched.Result) {
	for _, in := range list {
		tasks := in.toLaunch()
		room := sched.Find(rooms, in.home.Agent, p.role(m))
		if room != nil && len(room.Places) == 0 && len(room.Tasks)+len(tasks) <= core.MaxTasksPerAccept {
			if specs, err := m.specs(in, tasks, room); err != nil {
				continue // no offer helps
			} else if specs != nil {
				room.Put(specs)
				continue
			}
		}
		r.Want(p.role(m), string(m.svc.Spec.ID)+"."+core.InstanceKey(p.spec.Name, in.index))
	}
}

// claim settles what the tasks of an instance take of a room.
func (in *instance) claim(tasks []cluster.TaskTemplate, room *sched.Room, seed uint64) ([]sched.Claim, bool) {
	if in.home != nil {
		return room.ClaimPlace(in.home, tasks, seed)
	}
	return room.Claim(tasks, seed)
}

// with are the instances of a pod for which something is to be done.
func (p *pod) with(a action) (out []*instance) {
	for _, in := range p.instances {
		if in.action == a {
			out = append(out, in)
		}
	}
	return out
}

// awaited is the first other instance of the pod that has no place yet, and for
// which the first launch of an instance waits: then all hosts and ports are known.
func (in *instance) awaited() *instance {
	if in.record().Launches > 0 {
		return nil
	}
	for _, o := range in.pod.instances {
		if o.home == nil || o.replace {
			return o
		}
	}
	return nil
}

// decidePlaced sets the action of an instance of a pod with volumes that is not
// there; it reports false when it can be launched as far as its place goes.
func (m *model) decidePlaced(in *instance) bool {
	switch {
	case in.replace:
		in.action, in.why = actRelease, &Why{Reason: WhyRelease}
		return true
	case in.home == nil && m.change.held != nil && in.record().Launches == 0:
		in.why = m.change.held
		return true
	case in.home == nil:
		in.action = actPlace
		return true
	}
	a := m.view.Agent(in.home.Agent)
	if a == nil || !a.Offerable() {
		in.why = m.whyLost(in, a)
		return true
	}
	if o := in.awaited(); o != nil {
		in.why = &Why{Reason: WhyPeer, Instance: core.InstanceKey(o.pod.spec.Name, o.index)}
		return true
	}
	return false
}
