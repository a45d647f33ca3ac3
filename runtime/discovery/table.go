package discovery

import (
	"net/netip"
	"sync"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

// table is what a service answers, by name below it.
type table struct {
	names    map[string]Answer // "" is the service itself
	vips     map[string]Answer // by endpoint, "" is the name they are below
	backends map[string][]Backend
}

// seal makes a service ready to be looked up in; its table is made when it is
// first used, for a master that only hands it on needs none.
func (s *Service) seal() *Service {
	s.compiled = sync.OnceValue(s.compile)
	return s
}

// seal makes nodes ready to be looked up in.
func (n *Nodes) seal() *Nodes {
	n.byID = make(map[string]netip.Addr, len(n.Agents))
	n.byAddr = make(map[netip.Addr]cluster.AgentID, len(n.Agents))
	for _, a := range n.Agents {
		n.byID[string(a.ID)] = a.Addr
		if _, taken := n.byAddr[a.Addr]; !taken {
			n.byAddr[a.Addr] = a.ID
		}
	}
	return n
}

func (s *Service) compile() *table {
	t := &table{names: map[string]Answer{"": {Exists: true}}, vips: map[string]Answer{}, backends: map[string][]Backend{}}
	// The names of tasks come before those of instances: "a-0-b-1" is the task
	// "b-1" of the instance "a-0", if both it and an instance 1 of a pod "a-0-b" are there.
	for i := range s.Instances {
		in := &s.Instances[i]
		for _, task := range in.Tasks {
			t.addTask(s, in, task)
		}
	}
	var ready []netip.Addr
	seen := map[netip.Addr]bool{}
	for i := range s.Instances {
		in := &s.Instances[i]
		if label := names.InstanceLabel(in.Pod, in.Index); names.Valid(label) && !t.names[label].Exists {
			t.names[label] = Answer{Exists: true, Addrs: []netip.Addr{in.Addr}}
		}
		if in.Ready && !seen[in.Addr] {
			seen[in.Addr] = true
			ready = append(ready, in.Addr)
		}
	}
	t.names[""] = Answer{Exists: true, Addrs: ready}
	for _, e := range s.Endpoints {
		t.addEndpoint(s, e)
	}
	return t
}

func (t *table) addTask(s *Service, in *Instance, task Task) {
	label := names.TaskLabel(in.Pod, in.Index, task.Name)
	if !names.Valid(label) || t.names[label].Exists {
		return
	}
	t.names[label] = Answer{Exists: true, Addrs: []netip.Addr{in.Addr}}
	if len(task.Ports) == 0 {
		return
	}
	target := label + "." + names.Service(s.ID)
	t.names["_tcp."+label] = Answer{Exists: true} // so that the names below it are in the tree
	for _, p := range task.Ports {
		t.names["_"+p.Name+"._tcp."+label] = Answer{Exists: true, SRV: []SRV{{Target: target, Port: p.Port, Addr: in.Addr}}}
	}
}

func (t *table) addEndpoint(s *Service, e Endpoint) {
	if !names.Valid(e.Name) {
		return
	}
	var srv []SRV
	var backends []Backend
	for i := range s.Instances {
		in := &s.Instances[i]
		if in.Pod != e.Pod || !in.Ready {
			continue
		}
		port := in.port(e.Task, e.Port)
		if port == 0 {
			continue
		}
		srv = append(srv, SRV{Target: names.Task(s.ID, in.Pod, in.Index, e.Task), Port: port, Addr: in.Addr})
		backends = append(backends, Backend{Instance: names.InstanceLabel(in.Pod, in.Index), Addr: netip.AddrPortFrom(in.Addr, port)})
	}
	t.names["_tcp"] = Answer{Exists: true}
	t.names["_"+e.Name+"._tcp"] = Answer{Exists: true, SRV: srv}
	t.vips[""] = Answer{Exists: true}
	vip := Answer{Exists: true}
	if e.VIP.IsValid() {
		vip.Addrs = []netip.Addr{e.VIP.Addr()}
	}
	t.vips[e.Name] = vip
	t.backends[e.Name] = backends
}

// port gives a named port of a task, 0 when there is none.
func (in *Instance) port(task, port string) uint16 {
	for _, t := range in.Tasks {
		if t.Name != task {
			continue
		}
		for _, p := range t.Ports {
			if p.Name == port {
				return p.Port
			}
		}
	}
	return 0
}
