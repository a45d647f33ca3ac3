package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

// MaxUpdate bounds an Update on the wire, in bytes.
const MaxUpdate = 64 << 20

// Update is what changed from one zone to a later one, or all of a zone. It is
// the form in which zones are kept and sent.
type Update struct {
	// Life names who made the zone: indexes of two lives have nothing to do with
	// each other.
	Life     string              `json:"life,omitempty"`
	Base     int64               `json:"base,omitempty"`     // the index of the zone it changes; 0: it is all of a zone
	Index    int64               `json:"index"`              // the index of the zone it leads to
	Nodes    *Nodes              `json:"nodes,omitempty"`    // nil: as they were
	Services []*Service          `json:"services,omitempty"` // those that changed, by id
	Gone     []cluster.ServiceID `json:"gone,omitempty"`     // those that went
}

// ErrBase says that an update changes another zone than the one at hand.
var ErrBase = errors.New("the update changes another zone")

// All gives the whole zone as an update.
func (z *Zone) All() Update { return Update{Index: z.index, Nodes: z.nodes, Services: z.Services()} }

// Since gives what changed since the zone of an index: all of it where that is
// not known any more, or never was one of this life.
func (z *Zone) Since(index int64) Update {
	if index <= 0 || index < z.floor || index > z.index {
		return z.All()
	}
	u := Update{Base: index, Index: z.index}
	if index == z.index {
		return u
	}
	if z.nodes != nil && z.nodes.Index > index {
		u.Nodes = z.nodes
	}
	for _, s := range z.Services() {
		if s.Index > index {
			u.Services = append(u.Services, s)
		}
	}
	for _, g := range z.gone {
		if g.Index > index {
			u.Gone = append(u.Gone, g.ID)
		}
	}
	return u
}

// Apply gives the zone that an update leads to; the receiver stays as it is. It
// fails with ErrBase, or where the update is not one that a master makes.
func (z *Zone) Apply(u Update) (*Zone, error) {
	if err := u.validate(); err != nil {
		return nil, fmt.Errorf("names: %w", err)
	}
	if u.Base != 0 && u.Base != z.index {
		return nil, fmt.Errorf("names: %w: that of index %d, not %d", ErrBase, u.Base, z.index)
	}
	next := Zone{index: u.Index, floor: u.Index, nodes: u.Nodes, services: map[cluster.ServiceID]*Service{}}
	if u.Base != 0 {
		next.services = maps.Clone(z.services)
		if next.services == nil {
			next.services = map[cluster.ServiceID]*Service{}
		}
		if next.nodes == nil {
			next.nodes = z.nodes
		}
	}
	if u.Nodes != nil {
		next.nodes = u.Nodes.seal()
	}
	for _, id := range u.Gone {
		delete(next.services, id)
	}
	for _, s := range u.Services {
		next.services[s.ID] = s.seal()
	}
	if len(next.services) > MaxServices {
		return nil, fmt.Errorf("names: %d services, over the limit of %d", len(next.services), MaxServices)
	}
	return newZone(next), nil
}

// MarshalJSON gives the zone as All does. Equal zones give equal text.
func (z *Zone) MarshalJSON() ([]byte, error) { return json.Marshal(z.All()) }

// UnmarshalJSON reads what MarshalJSON gave.
func (z *Zone) UnmarshalJSON(text []byte) error {
	if len(text) > MaxUpdate {
		return fmt.Errorf("names: %d bytes, over the limit of %d", len(text), MaxUpdate)
	}
	var u Update
	if err := json.Unmarshal(text, &u); err != nil {
		return fmt.Errorf("names: %w", err)
	}
	if u.Base != 0 {
		return fmt.Errorf("names: %w: that of index %d", ErrBase, u.Base)
	}
	next, err := new(Zone).Apply(u)
	if err != nil {
		return err
	}
	*z = *next
	return nil
}

func (u *Update) validate() error {
	switch {
	case u.Index < 0 || u.Base < 0 || u.Base > u.Index:
		return fmt.Errorf("it leads from index %d to %d", u.Base, u.Index)
	case len(u.Services) > MaxServices:
		return fmt.Errorf("%d services, over the limit of %d", len(u.Services), MaxServices)
	}
	if u.Nodes != nil {
		if err := u.Nodes.validate(); err != nil {
			return err
		}
	}
	for _, s := range u.Services {
		if s == nil {
			return errors.New("a service is null")
		}
		if err := s.validate(); err != nil {
			return fmt.Errorf("service %q: %w", s.ID[:min(len(s.ID), names.MaxLabel)], err)
		}
	}
	return nil
}

func (n *Nodes) validate() error {
	if len(n.Agents) > MaxAgents || len(n.Master) > MaxMasters {
		return fmt.Errorf("%d agents and %d addresses of the master, over the limits of %d and %d", len(n.Agents), len(n.Master), MaxAgents, MaxMasters)
	}
	if slices.ContainsFunc(n.Master, func(a netip.Addr) bool { return !plain(a) }) {
		return errors.New("an address of the master is none")
	}
	for _, a := range n.Agents {
		if !names.Valid(string(a.ID)) || !plain(a.Addr) {
			return fmt.Errorf("agent %q: the id is no name, or it has no address", a.ID[:min(len(a.ID), names.MaxLabel)])
		}
	}
	return nil
}

func (s *Service) validate() error {
	switch {
	case !names.Valid(string(s.ID)) || names.Reserved(s.ID):
		return errors.New("the id is no name")
	case len(s.Instances) > MaxInstances || len(s.Endpoints) > MaxEndpoints:
		return fmt.Errorf("%d instances and %d endpoints, over the limits of %d and %d", len(s.Instances), len(s.Endpoints), MaxInstances, MaxEndpoints)
	}
	for i := range s.Instances {
		in := &s.Instances[i]
		if !names.Valid(in.Pod) || in.Index < 0 || !plain(in.Addr) || len(in.Tasks) > MaxTasks {
			return fmt.Errorf("instance %d: the pod is no name, it has no address, or over %d tasks", i, MaxTasks)
		}
		for _, t := range in.Tasks {
			bad := func(p Port) bool { return p.Port == 0 || !names.Valid(p.Name) }
			if !names.Valid(t.Name) || len(t.Ports) > MaxTasks || slices.ContainsFunc(t.Ports, bad) {
				return fmt.Errorf("instance %d: a task or a port is no name, a port is 0, or there are over %d of them", i, MaxTasks)
			}
		}
	}
	for i, e := range s.Endpoints {
		if e.VIP.IsValid() && (!plain(e.VIP.Addr()) || e.VIP.Port() == 0) {
			return fmt.Errorf("endpoint %d: %s is no virtual address", i, e.VIP)
		}
	}
	return nil
}

// plain reports whether an address can stand in a record.
func plain(a netip.Addr) bool { return a.IsValid() && a.Zone() == "" }
