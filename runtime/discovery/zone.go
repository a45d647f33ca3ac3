package discovery

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

const (
	// MaxServices is how many services can have names.
	MaxServices = 20_000
	// MaxInstances bounds the instances of one service.
	MaxInstances = 20_000
	// MaxTasks bounds the tasks of one instance, and the ports of one task.
	MaxTasks = 256
	// MaxEndpoints bounds the endpoints of one service.
	MaxEndpoints = 256
	// MaxAgents is how many agents can have names.
	MaxAgents = 100_000
	// MaxMasters is how many addresses the master can have.
	MaxMasters = 16
	// MaxGone is how many services that went are remembered. Who asks for what
	// changed since before the oldest of them gets everything.
	MaxGone = 1024
)

// Zone is all names of a cluster at one moment. It is immutable and safe for
// concurrent use; the zero value has no names.
type Zone struct {
	index    int64
	floor    int64 // services that went after it are all in gone
	nodes    *Nodes
	services map[cluster.ServiceID]*Service
	gone     []Gone // oldest first
	order    func() []*Service
}

// Nodes is the master and the agents.
type Nodes struct {
	Index  int64        `json:"index"` // of the log, at which they became so
	Master []netip.Addr `json:"master,omitempty"`
	Agents []Agent      `json:"agents,omitempty"` // by id

	byID   map[string]netip.Addr
	byAddr map[netip.Addr]cluster.AgentID
}

// Agent is the address of an agent.
type Agent struct {
	ID   cluster.AgentID `json:"id"`
	Addr netip.Addr      `json:"addr"`
}

// Service is the names of a service.
type Service struct {
	ID        cluster.ServiceID `json:"id"`
	Index     int64             `json:"index"`               // of the log, at which it became so
	Instances []Instance        `json:"instances,omitempty"` // by pod and index
	Endpoints []Endpoint        `json:"endpoints,omitempty"` // as in the spec

	compiled func() *table
}

// Instance is an instance of a pod that has an address.
type Instance struct {
	Pod   string     `json:"pod"`
	Index int        `json:"n"`
	Addr  netip.Addr `json:"addr"`            // at which its ports are reached
	Ready bool       `json:"ready,omitempty"` // all its tasks that are to run are ready
	Tasks []Task     `json:"tasks,omitempty"` // by name
}

// Task is a task of an instance.
type Task struct {
	Name  string `json:"name"`
	Ports []Port `json:"ports,omitempty"` // by name
}

// Port is a named port at the address of the instance.
type Port struct {
	Name string `json:"name"`
	Port uint16 `json:"port"`
}

// Endpoint is a named way into a service.
type Endpoint struct {
	Name string         `json:"name"`
	Pod  string         `json:"pod"`
	Task string         `json:"task"`
	Port string         `json:"port"`
	VIP  netip.AddrPort `json:"vip"` // its virtual address; the zero value when the range had none left
}

// Gone is a service that has no names any more.
type Gone struct {
	ID    cluster.ServiceID `json:"id"`
	Index int64             `json:"index"` // of the log, at which it went
}

// Backend is where connections to an endpoint go.
type Backend struct {
	Instance string // "broker-0"
	Addr     netip.AddrPort
}

// SRV is a target of a service record.
type SRV struct {
	Target string // a name, without the dot at its end
	Port   uint16
	Addr   netip.Addr // of Target
}

// Answer is what there is at a name.
type Answer struct {
	Exists bool // the name is there, or one below it is
	Addrs  []netip.Addr
	SRV    []SRV
}

// newZone seals a zone: from here on nothing of it changes.
func newZone(z Zone) *Zone {
	z.order = sync.OnceValue(func() []*Service {
		out := make([]*Service, 0, len(z.services))
		for _, id := range slices.Sorted(maps.Keys(z.services)) {
			out = append(out, z.services[id])
		}
		return out
	})
	return &z
}

// Index is the log index at which the zone became what it is.
func (z *Zone) Index() int64 { return z.index }

// Services gives the services in order of their ids. The slice is shared and
// must not be changed.
func (z *Zone) Services() []*Service {
	if z.order == nil {
		return nil
	}
	return z.order()
}

// Service gives a service, nil when it has no names.
func (z *Zone) Service(id cluster.ServiceID) *Service { return z.services[id] }

// Nodes gives the master and the agents, nil when there are none.
func (z *Zone) Nodes() *Nodes { return z.nodes }

// AgentAt gives the agent at an address; of several the first.
func (z *Zone) AgentAt(a netip.Addr) (cluster.AgentID, bool) {
	if z.nodes == nil {
		return "", false
	}
	id, ok := z.nodes.byAddr[a]
	return id, ok
}

// In reports whether a name is names.Domain or below it, with or without the
// dot at its end.
func In(name string) bool {
	_, ok := below(name)
	return ok
}

// below gives the part of a name before names.Domain.
func below(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	at := len(name) - len(names.Domain)
	if at < 0 || !strings.EqualFold(name[at:], names.Domain) {
		return "", false
	}
	if at == 0 {
		return "", true
	}
	if name[at-1] != '.' {
		return "", false
	}
	return name[:at-1], true
}

// Lookup gives what there is at a name, with or without the dot at its end, in
// any case. Slices of the answer are shared and must not be changed.
func (z *Zone) Lookup(name string) Answer {
	rest, ok := below(name)
	if !ok {
		return Answer{}
	}
	if rest == "" {
		return Answer{Exists: true}
	}
	rest = strings.ToLower(rest)
	head, last := cutLast(rest)
	switch last {
	case names.MasterLabel:
		if head != "" {
			return Answer{}
		}
		if z.nodes == nil {
			return Answer{Exists: true}
		}
		return Answer{Exists: true, Addrs: z.nodes.Master}
	case names.AgentsLabel:
		return z.nodes.lookup(head)
	case names.VIPLabel:
		return z.lookupVIP(head)
	}
	s := z.services[cluster.ServiceID(last)]
	if s == nil {
		return Answer{}
	}
	return s.compiled().names[head]
}

func (n *Nodes) lookup(id string) Answer {
	if n == nil || id == "" {
		return Answer{Exists: id == ""}
	}
	a, ok := n.byID[id]
	if !ok {
		return Answer{}
	}
	return Answer{Exists: true, Addrs: []netip.Addr{a}}
}

// lookupVIP looks below names.VIPLabel.
func (z *Zone) lookupVIP(rest string) Answer {
	if rest == "" {
		return Answer{Exists: true}
	}
	endpoint, service := cutLast(rest)
	s := z.services[cluster.ServiceID(service)]
	if s == nil {
		return Answer{}
	}
	return s.compiled().vips[endpoint]
}

// cutLast cuts the last label off a name.
func cutLast(name string) (head, last string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// Backends gives where connections to an endpoint of the service go: to the
// ready instances of its pod, in order. The slice is shared and must not be changed.
func (s *Service) Backends(endpoint string) []Backend { return s.compiled().backends[endpoint] }
