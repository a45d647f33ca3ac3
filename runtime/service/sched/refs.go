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

// Lookup gives the place of a pod's instance; false while it has none.
type Lookup func(pod string, index int) (Place, bool)

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

// ErrNoPlace says that a reference names an instance that has no place yet.
var ErrNoPlace = errors.New("has no place yet")

// Expand fills the references of a container in. The error wraps ErrNoPlace
// when waiting can help.
func Expand(c cluster.Container, self Self, pods Lookup) (cluster.Container, error) {
	return c.Strings(func(s string) (string, error) {
		return cluster.Expand(s, func(r cluster.Ref) (string, error) { return value(r, self, pods) })
	})
}

func value(r cluster.Ref, self Self, pods Lookup) (string, error) {
	place := Place{Host: self.Host, Ports: self.Ports}
	if r.Pod != "" && (r.Pod != self.Pod || r.Index != self.Index) {
		var ok bool
		if place, ok = pods(r.Pod, r.Index); !ok {
			return "", fmt.Errorf("${%s}: %s-%d %w", r, r.Pod, r.Index, ErrNoPlace)
		}
	}
	switch r.Field {
	case cluster.RefHost:
		return place.Host, nil
	case cluster.RefHostname:
		return self.Hostname, nil
	case cluster.RefIndex:
		return strconv.Itoa(self.Index), nil
	case cluster.RefTask:
		return string(self.Task), nil
	}
	ports := place.Ports
	if r.Field == cluster.RefListen && self.Listen != nil {
		ports = self.Listen
	}
	port, ok := ports[r.Port]
	if !ok {
		return "", fmt.Errorf("${%s}: there is no port %q", r, r.Port)
	}
	return strconv.Itoa(int(port)), nil
}

// OpenRefs lists the distinct references of tasks to other pod instances than
// self, in the order of their text.
func OpenRefs(tasks []cluster.TaskTemplate, pod string, index int) []cluster.Ref {
	var out []cluster.Ref
	for i := range tasks {
		// The visitor never fails and changes nothing: only the references count.
		_, _ = tasks[i].Container.Strings(func(s string) (string, error) {
			for _, r := range cluster.Refs(s) {
				if r.Pod != "" && (r.Pod != pod || r.Index != index) && !slices.Contains(out, r) {
					out = append(out, r)
				}
			}
			return s, nil
		})
	}
	slices.SortFunc(out, func(a, b cluster.Ref) int { return cmp.Compare(a.String(), b.String()) })
	return out
}

// Resolve gives each reference its value. Missing holds those whose instance
// has no place. One that names no port of its instance is in neither: Expand
// refuses it.
func Resolve(refs []cluster.Ref, pods Lookup) (values []string, missing []cluster.Ref) {
	for _, r := range refs {
		v, err := value(r, Self{Index: -1}, pods)
		switch {
		case err == nil:
			values = append(values, v)
		case errors.Is(err, ErrNoPlace):
			missing = append(missing, r)
		}
	}
	return values, missing
}
