package plan

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// podCosts adds up what a service takes.
func podCosts(s cluster.ServiceSpec) ([]PodCost, *Cost) {
	var pods []PodCost
	total := Cost{}
	for _, p := range s.Pods {
		each := Cost{}
		for _, t := range p.Tasks {
			each = each.plus(Cost{t.Resources.CPU, t.Resources.Mem, t.Resources.Disk, len(t.Ports), 1}, 1)
		}
		pods = append(pods, PodCost{p.Name, p.Count, each})
		total = total.plus(each, p.Count)
	}
	return pods, &total
}

// rootWarnings names the tasks that run as root: a package may ask for it, and
// whoever installs it sees it.
func rootWarnings(s cluster.ServiceSpec) []Warning {
	var out []Warning
	for _, p := range s.Pods {
		for _, t := range p.Tasks {
			if uid, _, _ := strings.Cut(t.Container.User, ":"); uid == "0" {
				out = append(out, Warning{Code: WarnRoot, ServiceID: s.ID, Pod: p.Name,
					Message: fmt.Sprintf("task %s of pod %s runs as root inside its container", t.Name, p.Name)})
			}
		}
	}
	return out
}

// bed is an agent on which instances are placed on trial.
type bed struct {
	node Node
	free cluster.Resources
	has  map[string]bool // "service/pod" that is on it
}

// placementWarnings places the new instances on trial, first fit in the order
// of the agents, and tells of pods that do not fit as things are. The scheduler
// may place better; it never places what fits nowhere.
func placementWarnings(steps []Step, nodes []Node) []Warning {
	var beds []*bed
	for _, n := range nodes {
		if n.State != cluster.AgentGone {
			beds = append(beds, &bed{node: n, free: n.Free, has: map[string]bool{}})
		}
	}
	var out []Warning
	for _, s := range steps {
		if s.Service == nil {
			continue
		}
		for i := range s.Service.Pods {
			if w := tryPod(s.Service.ID, &s.Service.Pods[i], beds); w != nil {
				out = append(out, *w)
			}
		}
	}
	return out
}

func tryPod(id cluster.ServiceID, p *cluster.PodSpec, beds []*bed) *Warning {
	placed := 0
	for ; placed < p.Count; placed++ {
		if !placeOne(id, p, beds) {
			break
		}
	}
	if placed == p.Count {
		return nil
	}
	w := &Warning{Code: WarnResources, ServiceID: id, Pod: p.Name, Message: shortMessage(id, p, placed, beds)}
	for _, b := range beds {
		lack := AgentLack{Agent: b.node.Agent.ID, Hostname: b.node.Agent.Hostname}
		lack.Lacks, lack.Reason = b.refuses(id, p)
		w.Agents = append(w.Agents, lack)
	}
	return w
}

func shortMessage(id cluster.ServiceID, p *cluster.PodSpec, placed int, beds []*bed) string {
	active := 0
	for _, b := range beds {
		if b.node.State == cluster.AgentActive {
			active++
		}
	}
	switch {
	case active == 0:
		return fmt.Sprintf("the cluster has no active agent: pod %s of %s would wait", p.Name, id)
	case p.Unique && p.Count > active:
		return fmt.Sprintf("pod %s of %s needs %d agents, one for each instance, and the cluster has %d", p.Name, id, p.Count, active)
	}
	return fmt.Sprintf("%d of %d instances of pod %s of %s find no place now and would wait", p.Count-placed, p.Count, p.Name, id)
}

func placeOne(id cluster.ServiceID, p *cluster.PodSpec, beds []*bed) bool {
	for _, b := range beds {
		if lacks, reason := b.refuses(id, p); lacks != nil || reason != "" {
			continue
		}
		need, _ := b.need(p)
		b.free = b.free.Minus(need)
		b.has[string(id)+"/"+p.Name] = true
		return true
	}
	return false
}

// refuses says why the agent cannot take an instance: nil and "" when it can.
func (b *bed) refuses(id cluster.ServiceID, p *cluster.PodSpec) ([]cluster.Shortfall, string) {
	switch {
	case b.node.State != cluster.AgentActive:
		return nil, "the agent is " + string(b.node.State)
	case p.Unique && b.has[string(id)+"/"+p.Name]:
		return nil, "it has an instance of the pod, and the pod takes one on each agent"
	}
	need, short := b.need(p)
	lacks := cluster.Fits(b.free, need)
	if short > 0 {
		lacks = append(lacks, cluster.Shortfall{Resource: "ports", Have: fmt.Sprint(b.free.Ports.Len()), Need: fmt.Sprint(b.free.Ports.Len() + short)})
	}
	return lacks, ""
}

// need is what an instance takes of the agent, with ports picked from what is
// free; short is how many ports without a number are not to be had.
func (b *bed) need(p *cluster.PodSpec) (need cluster.Resources, short int) {
	any := 0
	for _, t := range p.Tasks {
		need = need.Plus(t.Resources)
		for _, port := range t.Ports {
			if port.Port != 0 {
				need.Ports = need.Ports.Union(cluster.Port(port.Port))
			} else {
				any++
			}
		}
	}
	for _, r := range b.free.Ports.Minus(need.Ports) {
		if any == 0 {
			break
		}
		take := min(any, int(r.Hi)-int(r.Lo)+1)
		need.Ports = need.Ports.Union(cluster.NewPorts(cluster.PortRange{Lo: r.Lo, Hi: r.Lo + uint16(take-1)}))
		any -= take
	}
	return need, any
}
