package sim

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// task names a task that ends by itself.
func (g *guest) task(need cluster.Resources) cluster.TaskSpec {
	g.minted++
	return cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("%s.t%d", g.id, g.minted)), Name: "t", Framework: g.id, Role: g.role,
		Task: "t", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "r/i@sha256:42"}, Resources: need}
}

func (g *guest) accept(tasks []cluster.TaskSpec, offers ...cluster.OfferID) {
	g.call(func(m *master) { m.acceptGuest(g, offers, acceptance{tasks: tasks}) })
}

func (g *guest) decline(o cluster.Offer, refuse cluster.Millis) {
	g.call(func(m *master) { m.declineGuest(g, o.ID, refuse) })
}

// fill launches as many tasks of one core as there is room for.
func (g *guest) fill(o cluster.Offer) {
	need, left := cluster.Resources{CPU: 1000, Mem: 512 << 20}, o.Resources
	var tasks []cluster.TaskSpec
	if cluster.Fits(left, twice(need)) == nil && g.sim.chance(0.3) {
		tasks, left = g.group(left, need)
	}
	for cluster.Fits(left, need) == nil && len(tasks) < core.MaxTasksPerAccept {
		tasks, left = append(tasks, g.task(need)), left.Minus(need)
	}
	if len(tasks) == 0 {
		g.decline(o, -1)
		return
	}
	g.accept(tasks, o.ID)
}

func twice(r cluster.Resources) cluster.Resources { return r.Plus(r) }

// group makes two tasks that share a network namespace, and gives what they
// leave.
func (g *guest) group(left, need cluster.Resources) ([]cluster.TaskSpec, cluster.Resources) {
	tasks := []cluster.TaskSpec{g.task(need), g.task(need)}
	network := &cluster.Network{Name: cluster.DefaultNetwork}
	for i := range tasks {
		t := &tasks[i]
		t.Group, t.Network = string(tasks[0].ID)+"-group", network
		if len(left.Ports) > 0 {
			host := left.Ports[0].Lo
			t.Resources.Ports, t.Ports = cluster.Port(host), map[string]uint16{"http": host}
			network.Ports = append(network.Ports, cluster.PortMapping{Host: host, Container: uint16(8000 + i)})
			t.Listen = map[string]uint16{"http": uint16(8000 + i)}
		}
		left = left.Minus(t.Resources)
	}
	return tasks, left
}

// one launches a single small task, which never ends as long as the framework
// has few of those.
func (g *guest) one(o cluster.Offer) {
	t := g.task(cluster.Resources{CPU: 100, Mem: 64 << 20})
	if g.residents < maxResidents {
		g.residents++
		t.Goal = cluster.GoalRunning
	}
	g.accept([]cluster.TaskSpec{t}, o.ID)
}

func (g *guest) refuse(o cluster.Offer) {
	g.decline(o, g.sim.between(-1, 120_000))
	if g.sim.chance(0.1) {
		g.call(func(m *master) { m.alloc.Suppress(g.id) })
		g.later(g.sim.between(1_000, 60_000), func() { g.call(func(m *master) { m.alloc.Revive(g.id) }) })
	}
}

// release uses an offer that was held, or lets it run out.
func (g *guest) release(o cluster.Offer) {
	if !slices.ContainsFunc(g.held, func(h cluster.Offer) bool { return h.ID == o.ID }) {
		return
	}
	g.rescinded(o.ID)
	if g.sim.chance(0.5) {
		g.one(o)
	}
}
