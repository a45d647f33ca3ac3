package service

import (
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery/names"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// peer is another service as references see it: where its instances are, without
// a thought of what is to be done for it.
type peer struct {
	svc   *core.Service
	view  *core.View
	tasks map[string][]*cluster.Task // active, of the newest launch, by InstanceKey
}

// peer reads another service once in a step; nil: it is not there, or goes.
func (w *world) peer(id cluster.ServiceID) *peer {
	if p, known := w.peers[id]; known {
		return p
	}
	if w.peers == nil {
		w.peers = map[cluster.ServiceID]*peer{}
	}
	var p *peer
	if svc := w.view.Service(id); svc != nil && !svc.Removing {
		p = &peer{svc: svc, view: w.view, tasks: map[string][]*cluster.Task{}}
		for t := range w.view.ServiceTasks(id) {
			if t.Active() && t.Spec.Run == "" && t.Spec.Framework == Framework {
				p.add(t)
			}
		}
	}
	w.peers[id] = p
	return p
}

func (p *peer) add(t *cluster.Task) {
	key := core.InstanceKey(t.Spec.Pod, t.Spec.Index)
	have := p.tasks[key]
	switch {
	case len(have) == 0 || sched.LaunchOf(have[0].Spec.ID) == sched.LaunchOf(t.Spec.ID):
		p.tasks[key] = append(have, t)
	case newer(t, have[0]):
		p.tasks[key] = []*cluster.Task{t}
	}
}

// place is model.place as others see it.
func (p *peer) place(name string, index int) (sched.Place, bool) {
	pod := findPod(p.svc.Spec.Pods, name)
	if pod == nil || index < 0 || index >= pod.Count {
		return sched.Place{}, false
	}
	key, out := core.InstanceKey(name, index), sched.Place{Ports: map[string]uint16{}}
	fixedPorts(pod, out.Ports)
	home, tasks := p.svc.Places[key], p.tasks[key]
	if home != nil && p.view.Instance(p.svc.Spec.ID, name, index).Replace {
		return out, false
	}
	known := home != nil || len(tasks) > 0 && len(pod.Volumes) == 0
	if home != nil {
		out.Host = home.Host
		if a := p.view.Agent(home.Agent); a != nil && a.State != cluster.AgentGone {
			out.Host = a.Info.Host
		}
		for n, port := range home.Ports { // order-free: into a map
			out.Ports[n] = port
		}
	}
	for _, t := range tasks {
		if home == nil {
			out.Host = t.Host
			known = known && !t.Killing && t.Status.State != cluster.TaskUnreachable
		}
		if known {
			for n, port := range t.Spec.Ports { // order-free: into a map
				out.Ports[n] = port
			}
		}
	}
	return out, known
}

// other is the value of a reference to another service: the names and ports of
// all instances of an endpoint's pod, by index, or the text of an export. It is
// false as long as any of it is not known: a value that lacks an instance for a
// moment would have everybody restarted who was given it.
func (w *world) other(r cluster.Ref) (string, bool) {
	p := w.peer(r.Service)
	if p == nil {
		return "", false
	}
	if r.Field == cluster.RefExport {
		return p.export(r.Port)
	}
	i := slices.IndexFunc(p.svc.Spec.Endpoints, func(e cluster.Endpoint) bool { return e.Name == r.Port })
	if i < 0 {
		return "", false
	}
	e := &p.svc.Spec.Endpoints[i]
	pod := findPod(p.svc.Spec.Pods, e.Pod)
	if pod == nil || pod.Count == 0 {
		return "", false
	}
	parts := make([]string, pod.Count)
	for i := range parts {
		at, _ := p.place(pod.Name, i)
		port, known := at.Ports[e.Port]
		if !known {
			return "", false
		}
		parts[i] = names.Task(p.svc.Spec.ID, pod.Name, i, e.Task) + ":" + strconv.Itoa(int(port))
	}
	return strings.Join(parts, ","), true
}

// export fills the references of an export in. They are of its own service: one
// to a third service is not followed.
func (p *peer) export(name string) (string, bool) {
	text, there := p.svc.Spec.Exports[name]
	if !there {
		return "", false
	}
	out, err := sched.ExpandText(text, sched.Self{Index: -1}, sched.Lookup{Pod: p.place})
	return out, err == nil
}

// knows says why another service cannot tell the value of a reference.
func (w *world) knows(r cluster.Ref) string {
	p := w.peer(r.Service)
	switch {
	case p == nil && w.view.Service(r.Service) != nil:
		return "it is being removed"
	case p == nil:
		return "there is no such service"
	case r.Field == cluster.RefExport && !has(p.svc.Spec.Exports, r.Port):
		return "it has no such export"
	case r.Field == cluster.RefEndpoint && !slices.ContainsFunc(p.svc.Spec.Endpoints, func(e cluster.Endpoint) bool { return e.Name == r.Port }):
		return "it has no such endpoint"
	}
	return "its ports are not known yet"
}

func has(m map[string]string, k string) bool { _, ok := m[k]; return ok }

// texts are references for people, with why a service cannot tell.
func (w *world) texts(refs []cluster.Ref) []string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = r.String()
		if r.Service != "" {
			out[i] += " (" + w.knows(r) + ")"
		}
	}
	return out
}
