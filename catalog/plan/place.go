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
	for i := range s.Pods {
		p := &s.Pods[i]
		r := instance(p)
		each := Cost{r.CPU, r.Mem, r.Disk, 0, len(p.Tasks)}
		for _, t := range p.Tasks {
			each.Ports += len(t.Ports)
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
	has  map[string]int // instances on it, by "service/pod"
}

// placementWarnings places the new instances on trial, first fit in the order
// of the agents, and tells of pods that do not fit as things are. The scheduler
// may place better; it never places what fits nowhere.
func placementWarnings(steps []Step, nodes []Node) []Warning {
	var beds []*bed
	for _, n := range nodes {
		if n.State != cluster.AgentGone {
			beds = append(beds, &bed{node: n, free: n.Free, has: map[string]int{}})
		}
	}
	var out []Warning
	for _, s := range steps {
		if s.Service == nil {
			continue
		}
		for i := range s.Service.Pods {
			p := s.Service.Pods[i]
			if s.From != nil { // those that run have their places
				p.Count -= runningOf(s, p.Name)
			}
			if w := tryPod(s.Service.ID, &p, beds); w != nil {
				out = append(out, *w)
			}
		}
	}
	return out
}

// runningOf is how many instances of a pod are there before a change.
func runningOf(s Step, pod string) int {
	for _, c := range s.Changes {
		if c.Pod == pod {
			return min(c.From, c.To)
		}
	}
	return findPod(*s.Service, pod).Count
}

func tryPod(id cluster.ServiceID, p *cluster.PodSpec, beds []*bed) *Warning {
	placed := 0
	for ; placed < p.Count; placed++ {
		if !placeOne(id, p, beds) {
			break
		}
	}
	if placed >= p.Count {
		return nil
	}
	w := &Warning{Code: WarnResources, ServiceID: id, Pod: p.Name, Message: shortMessage(id, p, placed, beds)}
	for _, b := range beds {
		lack := AgentLack{Agent: b.node.Agent.ID, Hostname: b.node.Agent.Hostname}
		lack.Lacks, lack.Reason = b.refuses(id, p, beds)
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
		if lacks, reason := b.refuses(id, p, beds); lacks != nil || reason != "" {
			continue
		}
		need, _ := b.need(p)
		b.free = b.free.Minus(need)
		b.has[string(id)+"/"+p.Name]++
		return true
	}
	return false
}

// refuses says why the agent cannot take an instance: nil and "" when it can.
func (b *bed) refuses(id cluster.ServiceID, p *cluster.PodSpec, beds []*bed) ([]cluster.Shortfall, string) {
	switch {
	case b.node.State != cluster.AgentActive:
		return nil, "the agent is " + string(b.node.State)
	case p.Unique && b.has[string(id)+"/"+p.Name] > 0:
		return nil, "it has an instance of the pod, and the pod takes one on each agent"
	}
	if rule := b.forbids(id, p, beds); rule != "" {
		return nil, rule
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
	need = instance(p)
	any := 0
	for _, t := range p.Tasks {
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
