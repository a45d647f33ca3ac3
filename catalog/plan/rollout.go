package plan

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// rollout says what the update plan does for the changes. Phases that have
// nothing to do are left out.
func rollout(old, new cluster.ServiceSpec, changes []PodChange) []RolloutPhase {
	phases, _ := new.Phases(cluster.PlanUpdate)
	var out []RolloutPhase
	for _, p := range phases {
		r := RolloutPhase{Name: p.Name, Pod: p.Pod, Strategy: p.Strategy, Confirm: p.Confirm, Gate: p.Gate, Steps: p.Steps}
		if i := slices.IndexFunc(changes, func(c PodChange) bool { return c.Pod == p.Pod && p.Pod != "" }); i >= 0 {
			r.Restarts, r.Starts, r.Ends = changes[i].instances()
		}
		if r.Restarts+r.Starts+r.Ends+len(r.Steps) > 0 {
			out = append(out, r)
		}
	}
	for _, c := range changes {
		if c.Kind == ChangeRemove {
			out = append(out, RolloutPhase{Name: "remove-" + c.Pod, Pod: c.Pod, Ends: c.From})
		}
	}
	return out
}

// instances counts what a change does to the instances of a pod.
func (c PodChange) instances() (restarts, starts, ends int) {
	if c.Kind == ChangeRestart {
		restarts = min(c.From, c.To)
	}
	return restarts, max(c.To-c.From, 0), max(c.From-c.To, 0)
}

// keptBytes adds up the volumes of instances that end: their places stay.
func keptBytes(changes []PodChange, old cluster.ServiceSpec) int64 {
	var n int64
	for _, c := range changes {
		if was := findPod(old, c.Pod); was != nil && c.To < c.From {
			for _, v := range was.Volumes {
				n += v.Size * int64(c.From-c.To)
			}
		}
	}
	return n
}

// changeWarnings tells what somebody should know before a change begins.
func changeWarnings(s *Step, old cluster.ServiceSpec) []Warning {
	var out []Warning
	warn := func(code WarningCode, pod, format string, args ...any) {
		out = append(out, Warning{Code: code, ServiceID: s.ServiceID, Pod: pod, Message: fmt.Sprintf(format, args...)})
	}
	if newer(s.From.Version, s.Version) && keepsVolumes(old) {
		warn(WarnDowngrade, "", "%s goes back from %s to %s with the data that it has", s.ServiceID, s.From.Version, s.Version)
	}
	for _, c := range s.Changes {
		was := findPod(old, c.Pod)
		if was == nil || len(was.Volumes) == 0 || c.To >= c.From {
			continue
		}
		var bytes int64
		for _, v := range was.Volumes {
			bytes += v.Size
		}
		warn(WarnKept, c.Pod, "the volumes of %d of %d instances of pod %s, %s in all, stay with their data until their places are released", c.From-c.To, c.From, c.Pod, cluster.Bytes(bytes*int64(c.From-c.To)))
	}
	for _, r := range s.Rollout {
		for _, step := range r.Steps {
			if step.NoReturn {
				warn(WarnNoReturn, r.Pod, "step %s of phase %s closes the way back: what %s was before cannot come back after it", step.Name, r.Name, s.ServiceID)
			}
		}
	}
	return out
}
