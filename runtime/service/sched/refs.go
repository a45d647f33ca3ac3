package sched

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Place is where a pod instance is: what references to it become.
type Place struct {
	Host  string
	Ports map[string]uint16 // of all tasks of the instance
}

// Lookup gives what references to others become.
type Lookup struct {
	// Pod gives the place of a pod's instance; false while it has none, and then
	// those of its ports that are known all the same.
	Pod func(pod string, index int) (Place, bool)
	// Service gives the value of a reference to another service; false while it
	// has none. Nil: there are no other services.
	Service func(cluster.Ref) (string, bool)
}

// Self is what a task's references to itself become.
type Self struct {
	Task     cluster.TaskID
	Pod      string
	Index    int
	Host     string
	Hostname string
	Ports    map[string]uint16 // of all tasks of its instance
	Listen   map[string]uint16 // of all tasks of its instance, where it has a network of its own; else those of Ports
}

// ErrNoPlace says that a reference names an instance that has no place yet, or
// another service that cannot tell what is asked for.
var ErrNoPlace = errors.New("has no place yet")

// Expand fills the references of a container in. The error wraps ErrNoPlace
// when waiting can help.
func Expand(c cluster.Container, self Self, others Lookup) (cluster.Container, error) {
	return c.Strings(func(s string) (string, error) { return ExpandText(s, self, others) })
}

// ExpandText fills the references of a text in, as Expand.
func ExpandText(s string, self Self, others Lookup) (string, error) {
	return cluster.Expand(s, func(r cluster.Ref) (string, error) { return value(r, self, others) })
}

func value(r cluster.Ref, self Self, others Lookup) (string, error) {
	place, known := Place{Host: self.Host, Ports: self.Ports}, true
	switch {
	case r.Service != "":
		if others.Service != nil {
			if v, ok := others.Service(r); ok {
				return v, nil
			}
		}
		return "", fmt.Errorf("${%s}: service %q %w", r, r.Service, ErrNoPlace)
	case r.Pod != "" && (r.Pod != self.Pod || r.Index != self.Index):
		place, known = others.Pod(r.Pod, r.Index)
	}
	switch {
	case r.Field == cluster.RefHost && known:
		return place.Host, nil
	case r.Field == cluster.RefHostname:
		return self.Hostname, nil
	case r.Field == cluster.RefIndex:
		return strconv.Itoa(self.Index + r.Index), nil
	case r.Field == cluster.RefTask:
		return string(self.Task), nil
	}
	ports := place.Ports
	if r.Field == cluster.RefListen && self.Listen != nil {
		ports = self.Listen
	}
	port, ok := ports[r.Port]
	switch {
	case ok && r.Port != "":
		return strconv.Itoa(int(port)), nil
	case !known:
		return "", fmt.Errorf("${%s}: %s-%d %w", r, r.Pod, r.Index, ErrNoPlace)
	}
	return "", fmt.Errorf("${%s}: there is no port %q", r, r.Port)
}

// OpenRefs lists the distinct references of tasks to other services, and to
// other pod instances than self, in the order of their text.
func OpenRefs(tasks []cluster.TaskTemplate, pod string, index int) []cluster.Ref {
	var out []cluster.Ref
	for i := range tasks {
		// The visitor never fails and changes nothing: only the references count.
		_, _ = tasks[i].Container.Strings(func(s string) (string, error) {
			for _, r := range cluster.Refs(s) {
				other := r.Service != "" || r.Pod != "" && (r.Pod != pod || r.Index != index)
				if other && !slices.Contains(out, r) {
					out = append(out, r)
				}
			}
			return s, nil
		})
	}
	slices.SortFunc(out, func(a, b cluster.Ref) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

// Resolve gives each reference its value. Missing holds those that have none
// yet. One that names no port of its instance is in neither: Expand refuses it.
func Resolve(refs []cluster.Ref, others Lookup) (values []string, missing []cluster.Ref) {
	for _, r := range refs {
		v, err := value(r, Self{Index: -1}, others)
		switch {
		case err == nil:
			values = append(values, v)
		case errors.Is(err, ErrNoPlace):
			missing = append(missing, r)
		}
	}
	return values, missing
}
