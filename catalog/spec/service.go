package spec

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// serviceKeys are the keys of service.yaml.
var serviceKeys = []string{"pods", "plans", "endpoints", "actions"}

// service reads service.yaml but for its actions. images maps the names of the
// package's images to references.
func (d *decoder) service(root *node, images map[string]string) cluster.ServiceSpec {
	o := d.object(root, "service", serviceKeys...)
	var s cluster.ServiceSpec
	if n := o.need("pods"); n != nil {
		at := map[string]pos{}
		for _, p := range d.list(n, MaxPods) {
			pod := d.podSpec(p, images)
			if first, twice := at[pod.Name]; twice && pod.Name != "" {
				d.f.at(p.pos, "pod %q stands twice: first in line %d", pod.Name, first.line)
			}
			at[pod.Name] = p.pos
			s.Pods = append(s.Pods, pod)
		}
		total := 0
		for _, p := range s.Pods {
			if p.Count != anyCount {
				total += p.Count
			}
		}
		switch {
		case len(s.Pods) == 0 && n.kind == sequence:
			d.f.at(n.pos, "a service has at least one pod")
		case total > MaxInstances:
			d.f.at(n.pos, "the pods have %d instances together, more than %d", total, MaxInstances)
		}
	}
	if n := o.get("plans"); n != nil {
		s.Deploy = d.deploy(n, s.Pods)
	}
	if n := o.get("endpoints"); n != nil {
		s.Endpoints = d.endpoints(n, s.Pods)
	}
	return s
}

// podSpec reads a pod. A count that is not known is 0 with a note in the
// decoder's counts.
func (d *decoder) podSpec(n *node, images map[string]string) cluster.PodSpec {
	o := d.object(n, "pod", "name", "count", "placement", "tasks")
	p := cluster.PodSpec{Name: o.name("name", MaxPartName), Count: 1}
	d.pod = p.Name
	defer func() { d.pod = "" }()
	if c := o.get("count"); c != nil {
		v, known := d.integer(c, 0, MaxInstances)
		p.Count = int(v)
		if !known {
			p.Count = anyCount
		}
	}
	if pl := o.get("placement"); pl != nil {
		po := d.object(pl, "placement", "unique")
		if u := po.need("unique"); u != nil {
			if s, known := d.str(u, false); known && s != "host" {
				d.f.at(u.pos, "unique is %q: want host, at most one instance of the pod on an agent", clip(s))
			}
			p.Unique = true
		}
	}
	if ts := o.need("tasks"); ts != nil {
		ports := &portSet{d: d, names: map[string]pos{}, fixed: map[uint16]pos{}}
		for _, t := range d.list(ts, MaxTasks) {
			task := d.taskTemplate(t, "task", images, ports)
			if slices.ContainsFunc(p.Tasks, func(o cluster.TaskTemplate) bool { return o.Name == task.Name && o.Name != "" }) {
				d.f.at(t.pos, "task %q stands twice in pod %q", task.Name, p.Name)
			}
			p.Tasks = append(p.Tasks, task)
		}
		if len(p.Tasks) == 0 && ts.kind == sequence {
			d.f.at(ts.pos, "a pod has at least one task")
		}
	}
	return p
}

// anyCount stands for the count of a pod that is not known in the static pass.
const anyCount = MaxInstances + 1

// strategies are the words for how a phase goes.
var strategies = []string{string(cluster.Serial), string(cluster.Parallel)}

// deploy reads plans: the phases of the plan deploy.
func (d *decoder) deploy(n *node, pods []cluster.PodSpec) []cluster.Phase {
	plans := d.object(n, "list of plans", "deploy")
	dep := plans.get("deploy")
	if dep == nil {
		return nil
	}
	o := d.object(dep, "plan", "phases")
	list := o.need("phases")
	if list == nil {
		return nil
	}
	var out []cluster.Phase
	used := map[string]bool{}
	for _, ph := range d.list(list, MaxPhases) {
		po := d.object(ph, "phase", "name", "pod", "strategy")
		p := cluster.Phase{Name: po.name("name", MaxPartName), Strategy: cluster.Parallel}
		if pod := po.need("pod"); pod != nil {
			p.Pod, _ = d.word(pod, "the pod of a phase")
			d.knownPod(pod.pos, p.Pod, pods)
		}
		if st := po.get("strategy"); st != nil {
			if s, known := d.str(st, false); known {
				p.Strategy = cluster.Strategy(s)
				if !slices.Contains(strategies, s) {
					d.f.at(st.pos, "strategy is %q: want %s", clip(s), oneOf(strategies))
				}
			}
		}
		if slices.ContainsFunc(out, func(o cluster.Phase) bool { return o.Name == p.Name && p.Name != "" }) {
			d.f.at(ph.pos, "phase %q stands twice", p.Name)
		}
		used[p.Pod] = true
		out = append(out, p)
	}
	for _, p := range pods {
		if !used[p.Name] && p.Name != "" {
			d.f.at(list.pos, "pod %q is in no phase: it would never be started", p.Name)
		}
	}
	return out
}

// knownPod finds a pod by name; an unknown one is a fault.
func (d *decoder) knownPod(at pos, name string, pods []cluster.PodSpec) *cluster.PodSpec {
	var names []string
	for i := range pods {
		if pods[i].Name == name {
			return &pods[i]
		}
		names = append(names, pods[i].Name)
	}
	if name != "" {
		d.f.at(at, "%s", didYouMean(fmt.Sprintf("there is no pod %q", clip(name)), name, names))
	}
	return nil
}

func (d *decoder) endpoints(n *node, pods []cluster.PodSpec) []cluster.Endpoint {
	var out []cluster.Endpoint
	for _, en := range d.list(n, MaxEndpoints) {
		o := d.object(en, "endpoint", "name", "pod", "task", "port", "scheme")
		e := cluster.Endpoint{Name: o.name("name", MaxPartName), Scheme: o.text("scheme", false)}
		if slices.ContainsFunc(out, func(o cluster.Endpoint) bool { return o.Name == e.Name && e.Name != "" }) {
			d.f.at(en.pos, "endpoint %q stands twice", e.Name)
		}
		pod, task, port := o.need("pod"), o.need("task"), o.need("port")
		if pod == nil || task == nil || port == nil {
			continue
		}
		e.Pod, _ = d.word(pod, "the pod of an endpoint")
		e.Task, _ = d.word(task, "the task of an endpoint")
		e.Port, _ = d.word(port, "the port of an endpoint")
		if p := d.knownPod(pod.pos, e.Pod, pods); p != nil {
			d.endpointPort(task.pos, port.pos, e, p)
		}
		out = append(out, e)
	}
	return out
}

func (d *decoder) endpointPort(taskAt, portAt pos, e cluster.Endpoint, p *cluster.PodSpec) {
	var names []string
	for _, t := range p.Tasks {
		if t.Name == e.Task {
			d.knownPort(portAt, e.Port, t.Ports, fmt.Sprintf("task %q of pod %q", t.Name, p.Name))
			return
		}
		names = append(names, t.Name)
	}
	d.f.at(taskAt, "%s", didYouMean(fmt.Sprintf("pod %q has no task %q", p.Name, clip(e.Task)), e.Task, names))
}

// knownPort checks that a port is among ports.
func (d *decoder) knownPort(at pos, name string, ports []cluster.PortSpec, owner string) {
	var names []string
	for _, p := range ports {
		if p.Name == name {
			return
		}
		names = append(names, p.Name)
	}
	d.f.at(at, "%s", didYouMean(fmt.Sprintf("%s has no port %q", owner, clip(name)), name, names))
}

// checkRefs checks the launch-time references against the pods that there are.
// An index can be checked only where the count is known.
func (d *decoder) checkRefs(pods []cluster.PodSpec, tasks map[string][]cluster.PortSpec) {
	for _, u := range d.refs {
		if u.ref.Pod == "" {
			if u.ref.Field == cluster.RefPort {
				d.knownPort(u.at, u.ref.Port, tasks[u.pod+"/"+u.task], fmt.Sprintf("task %q", u.task))
			}
			continue
		}
		p := d.knownPod(u.at, u.ref.Pod, pods)
		if p == nil {
			continue
		}
		if u.ref.Index >= p.Count && p.Count != anyCount {
			d.f.at(u.at, "${%s}: pod %q has %d instances, the highest index is %d", u.ref, p.Name, p.Count, p.Count-1)
		}
		if u.ref.Field == cluster.RefPort {
			var all []cluster.PortSpec
			for _, t := range p.Tasks {
				all = append(all, t.Ports...)
			}
			d.knownPort(u.at, u.ref.Port, all, fmt.Sprintf("pod %q", p.Name))
		}
	}
}

// portsByTask maps "pod/task" to the task's ports.
func portsByTask(pods []cluster.PodSpec) map[string][]cluster.PortSpec {
	out := map[string][]cluster.PortSpec{}
	for _, p := range pods {
		for _, t := range p.Tasks {
			out[p.Name+"/"+t.Name] = t.Ports
		}
	}
	return out
}

// checkSize bounds the rendered service as a whole.
func (d *decoder) checkSize(s cluster.ServiceSpec) {
	b, err := json.Marshal(s)
	if err != nil {
		d.f.at(pos{file: FileService}, "%v", err)
	} else if len(b) > MaxServiceBytes {
		d.f.at(pos{file: FileService}, "the rendered service has %d bytes, more than %d", len(b), MaxServiceBytes)
	}
}
