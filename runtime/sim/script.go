package sim

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// doOperate has a scripted framework use the next offer, all in one acceptance:
//
//	operate f1 reserve create task mate network lasting volume=v1 on=a1
//
// The words reserve, create, destroy and unreserve are operations, in the order
// in which they are written, on a volume and the disk for it. A task holds the
// volume, a mate is of its group and sees the volume, and network gives both a
// network of their own. With "lasting" they never end by themselves, with
// "together" all is done or nothing.
func (s *Sim) doOperate(op Op) error {
	g := s.guest(cluster.FrameworkID(op.word(0)))
	if g == nil || g.kind != Scripted {
		return fmt.Errorf("%s: there is no scripted framework of that name", op)
	}
	stack := cluster.Stack{{Role: g.role, Principal: string(g.id)}}
	v := cluster.Volume{ID: op.text("volume", "v"), Path: "data", Size: volumeSize, Principal: string(g.id)}
	a := acceptance{allOrNone: op.has("together")}
	for _, word := range op.Words[1:] {
		switch word {
		case "reserve":
			a.operations = append(a.operations, cluster.Operation{Kind: cluster.OpReserve, Stack: stack, Resources: cluster.Resources{Disk: v.Size}})
		case "create":
			a.operations = append(a.operations, cluster.Operation{Kind: cluster.OpCreate, Stack: stack, Volume: &v})
		case "destroy":
			a.operations = append(a.operations, cluster.Operation{Kind: cluster.OpDestroy, Stack: stack, Volume: &v})
		case "unreserve":
			a.operations = append(a.operations, cluster.Operation{Kind: cluster.OpUnreserve, Stack: stack, Resources: cluster.Resources{Disk: v.Size}})
		case "task":
			a.tasks = append(a.tasks, g.holder(stack, v))
		case "mate":
			a.tasks = append(a.tasks, g.mate(&a.tasks[0], v))
		case "network", "lasting", "together":
		default:
			return fmt.Errorf("%s: there is no word %q", op, word)
		}
	}
	g.script = append(g.script, line{op, a})
	g.call(func(m *master) { m.alloc.Revive(g.id) })
	return nil
}

// line is what a scripted framework is to do with an offer.
type line struct {
	op Op
	acceptance
}

// perform does the first line of a script that an offer is good for.
func (g *guest) perform(o cluster.Offer) {
	for i, l := range g.script {
		if on := l.op.text("on", ""); on == "" || o.Agent.ID == cluster.AgentID(on) {
			g.script = slices.Delete(g.script, i, i+1)
			g.finish(l.op, o, l.tasks)
			g.call(func(m *master) { m.acceptGuest(g, []cluster.OfferID{o.ID}, l.acceptance) })
			return
		}
	}
	g.decline(o, alloc.MaxRefuse)
}

// finish gives the tasks of a script what they have in common.
func (g *guest) finish(op Op, o cluster.Offer, tasks []cluster.TaskSpec) {
	var network *cluster.Network
	if op.has("network") {
		network = &cluster.Network{Name: cluster.DefaultNetwork}
	}
	left := o.Resources.Ports
	for i := range tasks {
		t := &tasks[i]
		if op.has("lasting") {
			t.Goal = cluster.GoalRunning
		}
		t.Network = network
		if network == nil || len(left) == 0 {
			continue
		}
		host := left[0].Lo
		left = left.Minus(cluster.Port(host))
		t.Resources.Ports = cluster.Port(host)
		t.Ports, t.Listen = map[string]uint16{"http": host}, map[string]uint16{"http": uint16(8000 + i)}
		network.Ports = append(network.Ports, cluster.PortMapping{Host: host, Container: uint16(8000 + i)})
	}
}
