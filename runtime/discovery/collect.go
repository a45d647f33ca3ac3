package discovery

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

// collector brings together what is known of the instances of one service.
type collector struct{ byKey map[string]*gathered }

// gathered is what is known of one instance.
type gathered struct {
	pod   string
	index int
	place *cluster.Place
	spec  *cluster.PodSpec // where it has a place
	tasks []*cluster.Task
}

func (c *collector) at(pod string, index int) *gathered {
	k := core.InstanceKey(pod, index)
	g := c.byKey[k]
	if g == nil {
		g = &gathered{pod: pod, index: index}
		c.byKey[k] = g
	}
	return g
}

// addPlaces adds the instances of the spec that have a place.
func (c *collector) addPlaces(r *core.Service) {
	if len(r.Places) == 0 {
		return
	}
	for i := range r.Spec.Pods {
		p := &r.Spec.Pods[i]
		for n := range p.Count {
			if place := r.Places[core.InstanceKey(p.Name, n)]; place != nil {
				g := c.at(p.Name, n)
				g.place, g.spec = place, p
			}
		}
	}
}

func (c *collector) addTask(t *cluster.Task) {
	g := c.at(t.Spec.Pod, t.Spec.Index)
	g.tasks = append(g.tasks, t)
}

// instances gives those that have an address, by pod and index.
func (c *collector) instances() []Instance {
	all := slices.SortedFunc(maps.Values(c.byKey), func(a, b *gathered) int {
		return cmp.Or(cmp.Compare(a.pod, b.pod), cmp.Compare(a.index, b.index))
	})
	var out []Instance
	for _, g := range all[:min(len(all), MaxInstances)] {
		if in, ok := g.instance(); ok {
			out = append(out, in)
		}
	}
	return out
}

// better orders the tasks of one instance: first the one that speaks for it. An
// instance that is launched elsewhere while its old agent is silent has two.
func better(a, b *cluster.Task) int {
	return cmp.Or(
		cmp.Compare(b2i(a.Status.State == cluster.TaskUnreachable), b2i(b.Status.State == cluster.TaskUnreachable)),
		cmp.Compare(b2i(a.Killing), b2i(b.Killing)),
		cmp.Compare(b.Launched, a.Launched),
		cmp.Compare(a.Spec.ID, b.Spec.ID))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (g *gathered) instance() (Instance, bool) {
	slices.SortFunc(g.tasks, better)
	var agent cluster.AgentID
	var addr netip.Addr
	switch {
	case g.place != nil:
		agent, addr = g.place.Agent, address(g.place.Host)
	case len(g.tasks) > 0:
		agent, addr = g.tasks[0].Agent, address(g.tasks[0].Host)
	}
	if !addr.IsValid() {
		return Instance{}, false
	}
	in := Instance{Pod: g.pod, Index: g.index, Addr: addr}
	byName := map[string]map[string]uint16{}
	if g.spec != nil {
		for i := range g.spec.Tasks {
			byName[g.spec.Tasks[i].Name] = placedPorts(g.place, &g.spec.Tasks[i])
		}
	}
	running, ready := 0, 0
	seen := map[string]bool{}
	for _, t := range g.tasks {
		if t.Agent != agent || seen[t.Spec.Task] {
			continue
		}
		seen[t.Spec.Task] = true
		byName[t.Spec.Task] = t.Spec.Ports
		if t.Spec.Goal == cluster.GoalRunning {
			running++
			ready += b2i(t.Status.State == cluster.TaskRunning && t.Status.Ready && !t.Killing)
		}
	}
	in.Ready = running > 0 && ready == running
	in.Tasks = tasks(byName)
	return in, true
}

// placedPorts gives the ports of a task that its place keeps for it.
func placedPorts(p *cluster.Place, t *cluster.TaskTemplate) map[string]uint16 {
	out := map[string]uint16{}
	for _, port := range t.Ports {
		if n, ok := p.Ports[port.Name]; ok {
			out[port.Name] = n
		}
	}
	return out
}

func tasks(byName map[string]map[string]uint16) []Task {
	var out []Task
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if !names.Valid(name) || len(out) == MaxTasks {
			continue
		}
		t := Task{Name: name}
		ports := byName[name]
		for _, p := range slices.Sorted(maps.Keys(ports)) {
			if names.Valid(p) && ports[p] != 0 && len(t.Ports) < MaxTasks {
				t.Ports = append(t.Ports, Port{p, ports[p]})
			}
		}
		out = append(out, t)
	}
	return out
}
