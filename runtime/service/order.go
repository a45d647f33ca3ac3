package service

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// validateOrder checks that no instance waits for the address of one that waits
// for it: a reference to another pod must lead to one that is deployed before.
// Phases follow each other, and each is of one pod, so pods that refer to each
// other can never start, whatever their phases are. Inside a pod, two instances
// must not need each other's address, and in a serial phase none that of a later one.
func validateOrder(f *faults, spec *cluster.ServiceSpec) {
	turn := turns(spec)
	for i := range spec.Pods {
		p := &spec.Pods[i]
		if p.Count <= 0 || len(p.Tasks) > MaxTasks {
			continue
		}
		at := fmt.Sprintf("/pods/%d", i)
		var own []int
		for _, r := range sched.OpenRefs(p.Tasks, "", -1) {
			other := findPod(spec.Pods, r.Pod)
			switch {
			case other == nil || r.Index >= other.Count: // it is a fault already
			case known(other, r): // before anything is launched
			case other == p:
				if !slices.Contains(own, r.Index) {
					own = append(own, r.Index)
				}
			case turn[r.Pod] > turn[p.Name]:
				f.add(at, "%s", deadlock(spec, p, other, r))
			}
		}
		if p.Gang && len(own) > 0 && p.Count > 1 {
			f.add(at+"/gang", "starts as one, and its instances wait for the address of %s-%d: take the reference out, or the gang", p.Name, own[0])
		} else if len(own) > 1 {
			f.add(at, "instances %s-%d and %s-%d wait for each other's address, so neither can start: let all of them follow one instance, or name fixed ports and a fixed host",
				p.Name, own[0], p.Name, own[1])
		} else if len(own) == 1 && own[0] > 0 && serial(spec, p.Name) {
			f.add(at, "%s-0 waits for the address of %s-%d, which is launched after it in a serial phase: refer to instance 0, or make the phase parallel", p.Name, p.Name, own[0])
		}
	}
}

// known reports whether a reference has its value before its pod is launched:
// the pod has volumes, and so a place first, or it is about a port with a number.
func known(p *cluster.PodSpec, r cluster.Ref) bool {
	ports := map[string]uint16{}
	fixedPorts(p, ports)
	return len(p.Volumes) > 0 || r.Field == cluster.RefPort && ports[r.Port] != 0
}

// deadlock says why a reference to a later pod is never resolved.
func deadlock(spec *cluster.ServiceSpec, p, other *cluster.PodSpec, r cluster.Ref) string {
	for _, back := range sched.OpenRefs(other.Tasks, "", -1) {
		if back.Pod == p.Name && !known(p, back) {
			return fmt.Sprintf("pods %q and %q wait for each other's address (${%s} and ${%s}), so neither can start: take one of the references out", p.Name, other.Name, r, back)
		}
	}
	if len(spec.Deploy) == 0 {
		return fmt.Sprintf("${%s} names a pod that is deployed after pod %q, so neither can start: put pod %q first", r, p.Name, other.Name)
	}
	return fmt.Sprintf("${%s} names a pod that is deployed after pod %q, so neither can start: put the phase of %q first", r, p.Name, other.Name)
}

// turns gives, by pod, when it is deployed: in the order of the phases, then of
// the pods without one.
func turns(spec *cluster.ServiceSpec) map[string]int {
	out := map[string]int{}
	put := func(pod string) {
		if _, there := out[pod]; !there {
			out[pod] = len(out)
		}
	}
	for _, ph := range spec.Deploy {
		put(ph.Pod)
	}
	for i := range spec.Pods {
		put(spec.Pods[i].Name)
	}
	return out
}

// serial reports whether the first phase of a pod is serial.
func serial(spec *cluster.ServiceSpec, pod string) bool {
	i := slices.IndexFunc(spec.Deploy, func(ph cluster.Phase) bool { return ph.Pod == pod })
	return i >= 0 && spec.Deploy[i].Strategy == cluster.Serial
}
