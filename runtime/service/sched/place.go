package sched

import (
	"cmp"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// labelInstance is the label of a place's reservation: what is reserved for one
// instance is never mixed with that of another one.
const labelInstance = "instance"

// Wish is a place that is to be made.
type Wish struct {
	Service   *cluster.ServiceSpec
	Pod       *cluster.PodSpec
	Index     int
	Principal string // of the framework that makes it
	Suffix    string // tells its volumes from those of all places before
}

// MakePlace reserves a place out of a room. The task stands for all that the
// place holds, with the disk of its volumes. All of it comes out of one
// reservation for the base role or a role above it, the narrowest first, or of
// what is not reserved. It reports false when none has that much.
func (r *Room) MakePlace(w Wish, task cluster.TaskTemplate, base cluster.Role) bool {
	key := core.InstanceKey(w.Pod.Name, w.Index)
	under, have, ok := r.source(NeedOf([]cluster.TaskTemplate{task}), base)
	if !ok || len(r.Tasks) > 0 || len(r.Places) >= core.MaxPlacesPerAccept || len(r.Operations)+1+len(w.Pod.Volumes) > core.MaxOperations {
		return false
	}
	claims, ok := Assign(have.Ports, []cluster.TaskTemplate{task}, Seed(string(w.Service.ID)+"."+key, w.Suffix))
	if !ok {
		return false
	}
	stack := append(slices.Clone(under), cluster.Reservation{Role: cluster.PlaceRole(w.Service), Principal: w.Principal, Labels: map[string]string{labelInstance: key}})
	p := cluster.Place{Agent: r.Agent.ID, Stack: stack, Resources: claims[0].Resources, Ports: claims[0].Ports}
	all := p.Resources
	ops := []cluster.Operation{{Kind: cluster.OpReserve, Stack: stack, Resources: all}}
	for _, v := range w.Pod.Volumes {
		p.Resources.Disk -= v.Size
		vol := cluster.Volume{ID: string(w.Service.ID) + "." + key + "." + v.Name + "." + w.Suffix, Path: v.Name, Size: v.Size, Principal: w.Principal}
		p.Volumes = append(p.Volumes, vol)
		ops = append(ops, cluster.Operation{Kind: cluster.OpCreate, Stack: stack, Volume: &vol})
	}
	r.Free = r.Free.Minus(Taken(&p))
	r.Operations = append(r.Operations, ops...)
	r.Places = append(r.Places, core.PlaceFor{Service: w.Service.ID, Pod: w.Pod.Name, Index: w.Index, Place: p})
	return true
}

// Taken is what a place is made of: all that is reserved for it, as it was before.
func Taken(p *cluster.Place) cluster.Pool {
	all := p.Resources
	for _, v := range p.Volumes {
		all.Disk += v.Size
	}
	if under := p.Stack[:len(p.Stack)-1]; len(under) > 0 {
		return cluster.Pool{Reserved: cluster.Reserves{{Stack: under, Resources: all}}}
	}
	return cluster.Pool{Open: all}
}

// source finds the one stack out of which all of a need can be reserved; an
// empty one is what is not reserved.
func (r *Room) source(need Need, base cluster.Role) (cluster.Stack, cluster.Resources, bool) {
	order := slices.Clone(r.Free.Reserved.For(base))
	slices.SortStableFunc(order, func(a, b cluster.Reserved) int { return cmp.Compare(len(b.Stack), len(a.Stack)) })
	for _, x := range order {
		if len(x.Stack) < cluster.MaxStack && need.Missing(x.Resources) == nil {
			return x.Stack, x.Resources, true
		}
	}
	return nil, r.Free.Open, need.Missing(r.Free.Open) == nil
}

// ClaimPlace gives each task of a group what it takes of its place: its ports,
// and as much of the rest as the place has; what it needs beyond that is out of
// what is not reserved. The first task holds the volumes. It reports false when
// that is not free.
func (r *Room) ClaimPlace(p *cluster.Place, tasks []cluster.TaskTemplate, seed uint64) ([]Claim, bool) {
	left := r.Free
	if len(missingVolumes(left.Reserved.Of(p.Stack).Volumes, p.Volumes)) > 0 {
		return nil, false
	}
	ports, ok := placePorts(p, tasks, left.Open.Ports, seed)
	if !ok {
		return nil, false
	}
	claims := make([]Claim, len(tasks))
	for i := range tasks {
		c := &claims[i]
		c.Resources, c.Ports = tasks[i].Resources, ports[i]
		for _, n := range slices.Sorted(maps.Keys(c.Ports)) {
			c.Resources.Ports = c.Resources.Ports.Union(cluster.Port(c.Ports[n]))
		}
		of := cluster.Pool{Open: left.Open, Reserved: cluster.NewReserves(cluster.Reserved{Stack: p.Stack, Resources: left.Reserved.Of(p.Stack).Resources})}
		part, ok := of.Draw(p.Stack.Role(), c.Resources)
		if !ok {
			return nil, false
		}
		left, c.Reserved = left.Minus(part), part.Reserved
		if i == 0 && len(p.Volumes) > 0 {
			c.Reserved = c.Reserved.Plus(cluster.Reserves{{Stack: p.Stack, Volumes: sorted(p.Volumes)}})
			for _, v := range p.Volumes {
				c.Resources.Disk += v.Size
			}
		}
	}
	return claims, true
}

// sorted is volumes by id, as a reservation has them.
func sorted(vs []cluster.Volume) []cluster.Volume {
	return slices.SortedFunc(slices.Values(vs), func(a, b cluster.Volume) int { return cmp.Compare(a.ID, b.ID) })
}

func missingVolumes(have, want []cluster.Volume) []cluster.Volume {
	return slices.DeleteFunc(slices.Clone(want), func(v cluster.Volume) bool { return slices.Contains(have, v) })
}

// placePorts gives the ports of tasks by name: those of the place, and for ports
// that came with a later spec others that are free.
func placePorts(p *cluster.Place, tasks []cluster.TaskTemplate, free cluster.Ports, seed uint64) ([]map[string]uint16, bool) {
	fresh := slices.Clone(tasks)
	for i := range fresh {
		fresh[i].Resources = cluster.Resources{}
		fresh[i].Ports = slices.DeleteFunc(slices.Clone(fresh[i].Ports), func(s cluster.PortSpec) bool {
			n, there := p.Ports[s.Name]
			return there && (s.Port == 0 || s.Port == n)
		})
	}
	claims, ok := Assign(free, fresh, seed)
	if !ok {
		return nil, false
	}
	out := make([]map[string]uint16, len(tasks))
	for i := range tasks {
		for _, s := range tasks[i].Ports {
			n, isNew := claims[i].Ports[s.Name]
			if !isNew {
				n = p.Ports[s.Name]
			}
			if out[i] == nil {
				out[i] = make(map[string]uint16, len(tasks[i].Ports))
			}
			out[i][s.Name] = n
		}
	}
	return out, true
}

// Mounts says where the tasks of a pod see the volumes of its place.
func Mounts(pod *cluster.PodSpec, p *cluster.Place) []cluster.VolumeMount {
	out := make([]cluster.VolumeMount, 0, len(p.Volumes))
	for i, v := range p.Volumes {
		if i < len(pod.Volumes) {
			out = append(out, cluster.VolumeMount{Volume: v.ID, Path: pod.Volumes[i].Path})
		}
	}
	return out
}

// Find is the room of an agent and a role; nil: there is none. The rooms are in
// the order of Rooms.
func Find(rooms []*Room, agent cluster.AgentID, role cluster.Role) *Room {
	i, ok := slices.BinarySearchFunc(rooms, agent, func(r *Room, id cluster.AgentID) int {
		return cmp.Or(cmp.Compare(r.Agent.ID, id), cmp.Compare(r.Role, role))
	})
	if !ok {
		return nil
	}
	return rooms[i]
}
