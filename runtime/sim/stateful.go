package sim

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// volumeSize is the size of every volume, in bytes.
	volumeSize = 1 << 30
	// maxKept is how many volumes a framework wants at once.
	maxKept = 4
)

// keep answers an offer as a framework that keeps volumes does: it goes on with
// what is there for its role, from a reservation over a volume and tasks that
// use it to nothing.
func (g *guest) keep(o cluster.Offer) {
	for _, r := range o.Reserved {
		if r.Stack[len(r.Stack)-1].Static {
			continue
		}
		switch {
		case len(r.Volumes) > 0 && g.sim.chance(0.25):
			g.drop(o, r)
			return
		case len(r.Volumes) > 0:
			g.use(o, nil, r.Stack, r.Volumes[0])
			return
		case g.sim.chance(0.5):
			g.operate(o, cluster.Operation{Kind: cluster.OpUnreserve, Stack: r.Stack, Resources: r.Resources})
			return
		case r.Resources.Disk >= volumeSize:
			v := g.volume()
			g.use(o, []cluster.Operation{{Kind: cluster.OpCreate, Stack: r.Stack, Volume: &v}}, r.Stack, v)
			return
		}
	}
	if g.kept >= maxKept || o.Resources.Disk < volumeSize {
		g.decline(o, -1)
		return
	}
	g.begin(o)
}

// begin reserves out of what is open: alone, with a volume, or with all that follows.
func (g *guest) begin(o cluster.Offer) {
	stack := cluster.Stack{{Role: g.role, Principal: string(g.id)}}
	amount := cluster.Resources{Disk: volumeSize}
	if g.sim.chance(0.5) {
		amount.CPU, amount.Mem = 100, 64<<20
	}
	ops := []cluster.Operation{{Kind: cluster.OpReserve, Stack: stack, Resources: amount}}
	if g.sim.chance(0.3) {
		g.operate(o, ops...)
		return
	}
	v := g.volume()
	ops = append(ops, cluster.Operation{Kind: cluster.OpCreate, Stack: stack, Volume: &v})
	if g.sim.chance(0.3) {
		g.operate(o, ops...)
		return
	}
	g.use(o, ops, stack, v)
}

// volume names a new volume. Those of other roles have the same names; within a
// role a name comes again only where that is wanted.
func (g *guest) volume() cluster.Volume {
	g.volumes++
	n := g.volumes * len(g.sim.guests)
	if g.reuse {
		n = g.volumes % 2
	}
	for _, o := range g.sim.guests {
		if o == g {
			break
		}
		if o.role == g.role && !g.reuse {
			n++
		}
	}
	return cluster.Volume{ID: fmt.Sprintf("v%d", n), Path: "data", Size: volumeSize, Principal: string(g.id)}
}

// drop destroys a volume, mostly with the reservation under it.
func (g *guest) drop(o cluster.Offer, r cluster.Reserved) {
	ops := []cluster.Operation{{Kind: cluster.OpDestroy, Stack: r.Stack, Volume: &r.Volumes[0]}}
	if g.sim.chance(0.8) {
		free := r.Resources
		free.Disk += r.Volumes[0].Size
		ops = append(ops, cluster.Operation{Kind: cluster.OpUnreserve, Stack: r.Stack, Resources: free})
	}
	g.operate(o, ops...)
}

// told learns which operations were done. It may miss that.
func (g *guest) told(operations []cluster.Operation) {
	for _, o := range operations {
		switch o.Kind {
		case cluster.OpCreate:
			g.kept++
		case cluster.OpDestroy:
			g.kept, g.rounds = max(0, g.kept-1), g.rounds+1
		}
	}
}

func (g *guest) operate(o cluster.Offer, ops ...cluster.Operation) {
	g.call(func(m *master) { m.acceptGuest(g, []cluster.OfferID{o.ID}, acceptance{operations: ops}) })
}

// use launches a task that holds a volume, perhaps with another one of its
// group that only sees it, after operations that make the volume.
func (g *guest) use(o cluster.Offer, ops []cluster.Operation, stack cluster.Stack, v cluster.Volume) {
	a := acceptance{operations: ops, tasks: []cluster.TaskSpec{g.holder(stack, v)}, allOrNone: g.sim.chance(0.5)}
	if g.sim.chance(0.3) {
		a.tasks = append(a.tasks, g.mate(&a.tasks[0], v))
	}
	g.call(func(m *master) { m.acceptGuest(g, []cluster.OfferID{o.ID}, a) })
}

// holder names a task that holds a volume.
func (g *guest) holder(stack cluster.Stack, v cluster.Volume) cluster.TaskSpec {
	t := g.task(cluster.Resources{CPU: 100, Mem: 64 << 20, Disk: v.Size})
	t.Reserved = cluster.NewReserves(cluster.Reserved{Stack: stack, Volumes: []cluster.Volume{v}})
	return t
}

// mate names another task of a holder's group, which sees its volume.
func (g *guest) mate(holder *cluster.TaskSpec, v cluster.Volume) cluster.TaskSpec {
	t := g.task(cluster.Resources{CPU: 50, Mem: 64 << 20})
	holder.Group = string(holder.ID) + "-group"
	t.Group = holder.Group
	t.Container.Volumes = []cluster.VolumeMount{{Volume: v.ID, Path: "/shared", ReadOnly: true}}
	return t
}
