package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// serviceKeys are the keys of service.yaml.
var serviceKeys = []string{"pods", "plans", "endpoints", "exports", "actions", "priority", "preemptible", "deadline", "rollback"}

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
		d.plans(n, &s)
	}
	if n := o.get("endpoints"); n != nil {
		s.Endpoints = d.endpoints(n, s.Pods)
	}
	if n := o.get("exports"); n != nil {
		s.Exports = d.exports(n)
	}
	d.rules(o, &s)
	return s
}

// rules reads what holds for the service as a whole.
func (d *decoder) rules(o *object, s *cluster.ServiceSpec) {
	if n := o.get("priority"); n != nil {
		v, known := d.integer(n, -cluster.MaxPriority, cluster.MaxPriority)
		if known {
			s.Priority = int(v)
		}
	}
	if n := o.get("preemptible"); n != nil {
		s.Preemptible = d.boolean(n)
	}
	if n := o.get("deadline"); n != nil {
		s.Deadline = d.span(n, time.Second, MaxDeadline)
	}
	if n := o.get("rollback"); n != nil {
		s.Rollback = d.boolean(n)
		if o.get("deadline") == nil {
			d.f.at(n.pos, "rollback needs a deadline: it is what happens when a change is not done by then")
		}
	}
}

// exports reads what others may be given. They speak of the service's own pods.
func (d *decoder) exports(n *node) map[string]string {
	out := map[string]string{}
	for _, e := range d.entries(n, MaxExports) {
		if e.val.open == nil && !validName(e.key, MaxPartName) {
			d.f.at(e.pos, "export %q: want a lower-case letter, then lower-case letters, digits and -, at most %d characters", clip(e.key), MaxPartName)
			continue
		}
		before := len(d.refs)
		out[e.key], _ = d.longStr(e.val, true, MaxExportBytes)
		for _, u := range d.refs[before:] {
			if u.ref.Pod == "" {
				d.f.at(u.at, "${%s} cannot be exported: an export is of the service as a whole and names its own pods only", u.ref)
			}
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
func (d *decoder) checkRefs(pods []cluster.PodSpec, ports map[string][]cluster.PortSpec) {
	for _, u := range d.refs {
		switch {
		case u.ref.Service != "":
			continue // what it has, it says at the launch
		case u.ref.Pod == "":
			if u.ref.Field == cluster.RefPort || u.ref.Field == cluster.RefListen {
				owner := fmt.Sprintf("pod %q", u.pod)
				if u.pod == "" {
					owner = fmt.Sprintf("task %q", u.task)
				}
				d.knownPort(u.at, u.ref.Port, ports[u.pod], owner)
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
			d.knownPort(u.at, u.ref.Port, allPorts(p), fmt.Sprintf("pod %q", p.Name))
		}
	}
}

// portsByPod maps a pod to the ports of its tasks: they are launched together,
// so that each task may speak of all.
func portsByPod(pods []cluster.PodSpec) map[string][]cluster.PortSpec {
	out := map[string][]cluster.PortSpec{}
	for i := range pods {
		out[pods[i].Name] = allPorts(&pods[i])
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
