package core

import (
	"fmt"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// refusedPlaces says why an acceptance cannot make its places; an empty code
// when it can, as far as its operations are.
func (s *State) refusedPlaces(c AcceptOffers) (Code, string) {
	switch {
	case len(c.Places) > MaxPlacesPerAccept:
		return CodeInvalid, fmt.Sprintf("%d places in one acceptance, over the limit of %d", len(c.Places), MaxPlacesPerAccept)
	case !c.AllOrNone:
		return CodeInvalid, "places are made all or none, and the acceptance does not say so"
	case len(c.Tasks) > 0:
		return CodeInvalid, "it makes places and launches tasks: a place is there before the first launch on it"
	}
	seen := map[string]bool{}
	rest := c.Operations
	for i := range c.Places {
		m := &c.Places[i]
		name := bounded(InstanceKey(m.Pod, m.Index), maxTaskID)
		if code, why := s.refusedPlaceFor(c, m); code != "" {
			return code, fmt.Sprintf("the place of %q of service %q: %s", name, bounded(string(m.Service), maxName), why)
		}
		if k := key(string(m.Service), name); seen[k] {
			return CodeInvalid, fmt.Sprintf("the place of %q of service %q is there twice", name, m.Service)
		} else {
			seen[k] = true
		}
		if len(rest) < 1+len(m.Place.Volumes) || !makes(rest[:1+len(m.Place.Volumes)], &m.Place) {
			return CodeInvalid, fmt.Sprintf("the place of %q of service %q: the operations do not make it: it takes a RESERVE of its resources and its volumes' disk, then a CREATE of each volume", name, m.Service)
		}
		rest = rest[1+len(m.Place.Volumes):]
	}
	if len(rest) > 0 {
		return CodeInvalid, fmt.Sprintf("%d operations make no place", len(rest))
	}
	return "", ""
}

// makes reports whether operations make a place and nothing else.
func makes(ops []cluster.Operation, p *cluster.Place) bool {
	whole := p.Resources
	for i, v := range p.Volumes {
		o := ops[1+i]
		if o.Kind != cluster.OpCreate || o.Volume == nil || *o.Volume != v || o.Stack.Compare(p.Stack) != 0 {
			return false
		}
		whole.Disk += v.Size
	}
	return ops[0].Kind == cluster.OpReserve && ops[0].Stack.Compare(p.Stack) == 0 && ops[0].Resources.Equal(whole)
}

// refusedPlaceFor says why an instance cannot get a place.
func (s *State) refusedPlaceFor(c AcceptOffers, m *PlaceFor) (Code, string) {
	svc := s.v.Service(m.Service)
	if svc == nil {
		return CodeNotFound, "there is no such service"
	}
	pod := podOf(&svc.Spec, m.Pod)
	k := InstanceKey(m.Pod, m.Index)
	switch {
	case svc.Removing:
		return CodeConflict, "the service is being removed"
	case pod == nil || !hasInstance(svc.Spec, m.Pod, m.Index):
		return CodeInvalid, "the service has no such instance"
	case len(pod.Volumes) == 0:
		return CodeInvalid, "its pod has no volumes"
	case svc.Places[k] != nil:
		return CodeExists, fmt.Sprintf("it has one on agent %q", svc.Places[k].Agent)
	case m.Place.Agent != c.Agent:
		return CodeInvalid, fmt.Sprintf("it is on agent %q and the offers are of %q", bounded(string(m.Place.Agent), maxAgentID), c.Agent)
	}
	if why := invalidPlace(svc, pod, m); why != "" {
		return CodeInvalid, why
	}
	for t := range s.v.AgentTasks(c.Agent) {
		if t.Spec.Run == "" && t.Spec.Service == m.Service && InstanceKey(t.Spec.Pod, t.Spec.Index) == k && len(t.Spec.Reserved) > 0 {
			return CodeConflict, fmt.Sprintf("task %q of it holds a reservation", t.Spec.ID)
		}
	}
	return "", ""
}

// invalidPlace says why a place is none for an instance of a pod.
func invalidPlace(svc *Service, pod *cluster.PodSpec, m *PlaceFor) string {
	p := &m.Place
	if err := p.Stack.Validate(); err != nil {
		return "stack: " + err.Error()
	}
	if want := cluster.PlaceRole(&svc.Spec); p.Stack.Role() != want {
		return fmt.Sprintf("it is reserved for role %q, and must be for %q", p.Stack.Role(), want)
	}
	if p.Stack[len(p.Stack)-1].Static {
		return "a static reservation is the agent's own"
	}
	if err := p.Resources.Validate(); err != nil {
		return "its resources: " + err.Error()
	}
	if why := disagrees(p, pod); why != "" {
		return why
	}
	head := string(m.Service) + "." + InstanceKey(m.Pod, m.Index) + "."
	for i, v := range p.Volumes {
		if err := v.Validate(); err != nil {
			return "volume: " + err.Error()
		}
		name := head + pod.Volumes[i].Name + "."
		if suffix, ok := strings.CutPrefix(v.ID, name); !ok || !isLabel(suffix, maxName) {
			return fmt.Sprintf("volume %q is not named %q and a suffix of a-z, 0-9 and -", bounded(v.ID, maxTaskID), name)
		}
	}
	return invalidPorts(p, pod)
}

// disagrees says why a place has not the volumes of a pod.
func disagrees(p *cluster.Place, pod *cluster.PodSpec) string {
	if len(p.Volumes) != len(pod.Volumes) {
		return fmt.Sprintf("it has %d volumes, the pod has %d", len(p.Volumes), len(pod.Volumes))
	}
	for i, v := range p.Volumes {
		want := pod.Volumes[i]
		if v.Size != want.Size || volumeName(v.ID) != want.Name {
			return fmt.Sprintf("volume %q has %s, the pod wants %q with %s", bounded(v.ID, maxTaskID), cluster.Bytes(v.Size), want.Name, cluster.Bytes(want.Size))
		}
	}
	return ""
}

// volumeName gives the name in a volume's id, "<service>.<pod>-<index>.<name>.<suffix>".
func volumeName(id string) string {
	if parts := strings.Split(id, "."); len(parts) == 4 {
		return parts[2]
	}
	return ""
}

// invalidPorts says why a place has not the ports of a pod.
func invalidPorts(p *cluster.Place, pod *cluster.PodSpec) string {
	var ports cluster.Ports
	for _, n := range sortedKeys(p.Ports) {
		if p.Ports[n] == 0 {
			return fmt.Sprintf("port %q is 0", bounded(n, maxName))
		}
		ports = ports.Union(cluster.Port(p.Ports[n]))
	}
	if ports.Len() != len(p.Ports) || !p.Resources.Ports.Contains(ports) || p.Resources.Ports.Len() != ports.Len() {
		return fmt.Sprintf("its ports %s do not agree with its resources, %s", ports, p.Resources)
	}
	names := 0
	for i := range pod.Tasks {
		for _, want := range pod.Tasks[i].Ports {
			names++
			have, ok := p.Ports[want.Name]
			if !ok || want.Port != 0 && want.Port != have {
				return fmt.Sprintf("port %q is not there or not the one that is asked for", want.Name)
			}
		}
	}
	if names != len(p.Ports) {
		return fmt.Sprintf("it has %d ports, the pod has %d", len(p.Ports), names)
	}
	return ""
}

// refusedPlace says why a task cannot take what it does of reservations: one
// with a place takes of it only, another one takes of none.
func (x *acceptance) refusedPlace(s *State, t *cluster.TaskSpec) *refusal {
	p := s.v.placeOf(t)
	if p == nil {
		return x.refusedOutside(s, t)
	}
	instance := InstanceKey(t.Pod, t.Index)
	svc := s.v.Service(t.Service)
	switch in := s.v.Instance(t.Service, t.Pod, t.Index); {
	case in.Replace:
		return invalidOffer("instance %s of service %q waits for another place", instance, t.Service)
	case p.Agent != x.c.Agent:
		return invalidOffer("instance %s of service %q has its place on agent %q", instance, t.Service, p.Agent)
	case t.Role != cluster.PlaceRole(&svc.Spec):
		return invalidTask("a task with a place is launched under role %q", cluster.PlaceRole(&svc.Spec))
	}
	for _, n := range sortedKeys(p.Ports) {
		if have, ok := t.Ports[n]; ok && have != p.Ports[n] {
			return invalidTask("its port %q is %d, its place has %d", n, have, p.Ports[n])
		}
	}
	rest := taken(p).Minus(x.desk.keep.places[key(string(t.Service), instance)])
	if short := (cluster.Pool{Reserved: rest}).Missing(cluster.Pool{Reserved: t.Reserved}); short != nil {
		return invalidOffer("its place has not that much left: %s", short[0])
	}
	return nil
}

// refusedOutside is refusedPlace of a task that has no place.
func (x *acceptance) refusedOutside(s *State, t *cluster.TaskSpec) *refusal {
	if svc := s.v.Service(t.Service); svc != nil && t.Run == "" {
		if pod := podOf(&svc.Spec, t.Pod); pod != nil && len(pod.Volumes) > 0 {
			return invalidOffer("instance %s of service %q has volumes and no place yet", InstanceKey(t.Pod, t.Index), t.Service)
		}
	}
	if len(t.Reserved) == 0 || x.desk.keep.places == nil {
		return nil
	}
	rest := x.desk.all.Minus(x.desk.keep.all)
	if short := (cluster.Pool{Reserved: rest}).Missing(cluster.Pool{Reserved: t.Reserved}); short != nil {
		return invalidOffer("what it takes is kept for places of services: %s", short[0])
	}
	return nil
}

// refusedVolumes says that tasks which are launched together lack volumes of
// their place: a task of a pod with volumes never runs without them.
func refusedVolumes(s *State, specs ...*cluster.TaskSpec) error {
	held := map[string]bool{}
	for _, t := range specs {
		for _, r := range t.Reserved {
			for _, v := range r.Volumes {
				held[key(string(t.Service), InstanceKey(t.Pod, t.Index), v.ID)] = true
			}
		}
	}
	for _, t := range specs {
		p := s.v.placeOf(t)
		if p == nil {
			continue
		}
		for _, v := range p.Volumes {
			if instance := InstanceKey(t.Pod, t.Index); !held[key(string(t.Service), instance, v.ID)] {
				return fmt.Errorf("volume %q of its place is held by no task of instance %s that is launched with it", v.ID, instance)
			}
		}
	}
	return nil
}
