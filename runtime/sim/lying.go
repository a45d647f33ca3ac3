package sim

import "github.com/universe-dcos/universe/runtime/cluster"

// lie answers an offer as only a broken or hostile framework does.
func (g *guest) lie(o cluster.Offer) {
	t := g.task(cluster.Resources{CPU: 100, Mem: 64 << 20})
	switch g.sim.between(0, 12) {
	case 0: // twice, under two names
		g.accept([]cluster.TaskSpec{t}, o.ID)
		g.accept([]cluster.TaskSpec{g.task(t.Resources)}, o.ID)
	case 1: // the same offer twice in one
		g.accept([]cluster.TaskSpec{t}, o.ID, o.ID)
	case 2: // what was never offered
		g.accept([]cluster.TaskSpec{t}, "no-such-offer")
	case 3:
		t.Role = "other"
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 4:
		t.Framework = "services"
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 5:
		t.Resources = cluster.Resources{CPU: -1 << 62, Mem: -1, Disk: -1 << 63}
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 6: // together they are more than an int64 holds
		t.Resources = cluster.Resources{CPU: 1<<63 - 1, Mem: 1<<63 - 1, Disk: 1<<63 - 1}
		u := t
		u.ID += "x"
		g.accept([]cluster.TaskSpec{t, u}, o.ID)
	case 7: // somebody else's task
		for other := range g.sim.View().Tasks() {
			t.ID = other.Spec.ID
		}
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 8: // a port that is not among those it claims
		t.Ports = map[string]uint16{"http": 31001}
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 9: // each fits, both do not
		t.Resources = cluster.Resources{CPU: o.Resources.CPU, Mem: o.Resources.Mem}
		g.accept([]cluster.TaskSpec{t, g.task(t.Resources)}, o.ID)
	case 10:
		t.Service, t.Pod, t.Run = "s0", "head", "r1"
		g.accept([]cluster.TaskSpec{t}, o.ID)
	case 11:
		g.lieOfGroup(o)
	default:
		g.lieOfVolume(o)
	}
}

// lieOfGroup launches a group that must not be launched, no task of it.
func (g *guest) lieOfGroup(o cluster.Offer) {
	need := cluster.Resources{CPU: 100, Mem: 64 << 20}
	if len(o.Resources.Ports) == 0 || cluster.Fits(o.Resources, twice(need)) != nil {
		g.decline(o, -1)
		return
	}
	tasks, _ := g.group(o.Resources, need)
	t := &tasks[1]
	switch g.sim.between(0, 6) {
	case 0:
		t.Resources.Mem = o.Resources.Mem
	case 1: // into one that may be there
		tasks[0].Group, t.Group = g.grouped, g.grouped
	case 2:
		t.Network = &cluster.Network{Name: "other"}
	case 3:
		t.Network = nil
	case 4: // a port that is not its own
		tasks[0].Network.Ports = append(tasks[0].Network.Ports, cluster.PortMapping{Host: 22, Container: 22})
	case 5: // one port twice
		tasks[0].Network.Ports = append(tasks[0].Network.Ports, tasks[0].Network.Ports[0])
	case 6:
		t.ID = tasks[0].ID
	}
	g.grouped = tasks[0].Group
	g.accept(tasks, o.ID)
}

// lieOfVolume asks for what is another role's, or not there.
func (g *guest) lieOfVolume(o cluster.Offer) {
	own := cluster.Stack{{Role: "lying", Principal: string(g.id)}}
	other := cluster.Stack{{Role: "eng", Principal: string(g.id)}}
	v := cluster.Volume{ID: "v1", Path: "data", Size: volumeSize, Principal: string(g.id)}
	a := acceptance{}
	switch g.sim.between(0, 5) {
	case 0: // a volume out of nothing
		a.operations = []cluster.Operation{{Kind: cluster.OpCreate, Stack: own, Volume: &v}}
	case 1:
		a.operations = []cluster.Operation{{Kind: cluster.OpDestroy, Stack: other, Volume: &v}}
	case 2:
		a.operations = []cluster.Operation{{Kind: cluster.OpReserve, Stack: other, Resources: cluster.Resources{Disk: volumeSize}}}
	case 3:
		a.operations = []cluster.Operation{{Kind: cluster.OpUnreserve, Stack: other, Resources: cluster.Resources{Disk: volumeSize}}}
	case 4: // a task with another role's volume
		t := g.task(cluster.Resources{CPU: 100, Mem: 64 << 20, Disk: v.Size})
		t.Reserved = cluster.NewReserves(cluster.Reserved{Stack: other, Volumes: []cluster.Volume{v}})
		a.tasks = []cluster.TaskSpec{t}
	default: // a task that mounts what nobody holds
		t := g.task(cluster.Resources{CPU: 100, Mem: 64 << 20})
		t.Container.Volumes = []cluster.VolumeMount{{Volume: v.ID, Path: "/stolen"}}
		a.tasks = []cluster.TaskSpec{t}
	}
	g.call(func(m *master) { m.acceptGuest(g, []cluster.OfferID{o.ID}, a) })
}
