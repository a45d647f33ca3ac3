package service

import (
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// Step says what the framework does at time now in the state of view with the
// offers it got: new ones, and those that it did not answer in the step before.
// Step may be called with no offers: the result then says for which roles some
// are wanted.
func Step(now cluster.Time, view *core.View, offers []cluster.Offer) sched.Result {
	return new(Stepper).Step(now, view, offers)
}

// remove ends all tasks of a service that is to go, and drops it after the last.
func (m *model) remove() []sched.Call {
	if m.active == 0 {
		if len(m.svc.Places) > 0 && !m.svc.KeepData {
			return []sched.Call{sched.Release{Service: m.svc.Spec.ID, Instances: slices.Sorted(maps.Keys(m.svc.Places))}}
		}
		return []sched.Call{sched.Forget{Service: m.svc.Spec.ID}}
	}
	calls := killAll(nil, m.extra)
	for _, p := range m.pods {
		for _, in := range p.instances {
			calls = killAll(killAll(calls, in.live), in.old)
		}
	}
	return calls
}

// kills ends what is not wanted: tasks of no instance, launches that were
// replaced, and instances whose turn it is to be replaced.
func (m *model) kills() []sched.Call {
	end := m.conclude()
	if m.goesBack {
		return end // all else is of a spec that is given up
	}
	calls := killAll(nil, m.surplus())
	var release []string
	for _, p := range m.pods {
		for _, in := range p.instances {
			calls = killAll(calls, in.old)
			switch in.action {
			case actKill:
				calls = killAll(calls, in.live)
			case actRelease:
				release = append(release, core.InstanceKey(p.spec.Name, in.index))
			}
			if in.lost {
				calls = append(calls, sched.Replace{Service: m.svc.Spec.ID, Pod: p.spec.Name, Index: in.index})
			}
		}
	}
	if len(release) > 0 {
		slices.Sort(release)
		calls = append(calls, sched.Release{Service: m.svc.Spec.ID, Instances: release})
	}
	for _, run := range m.runs {
		calls = append(calls, run)
	}
	return append(calls, end...)
}

// surplus are the tasks that no instance of the spec wants and that are to end
// now. Of a pod with volumes, which is scaled down, the instance with the highest
// index ends first, and then the one before it; those nobody can reach do not count.
func (m *model) surplus() []*cluster.Task {
	if m.over == nil {
		return m.extra
	}
	var out []*cluster.Task
	for _, t := range m.extra {
		p := m.byName[t.Spec.Pod]
		if p == nil || len(p.spec.Volumes) == 0 || t.Status.State == cluster.TaskUnreachable || t.Spec.Index == m.over[p] {
			out = append(out, t)
		}
	}
	return out
}

func killAll(calls []sched.Call, tasks []*cluster.Task) []sched.Call {
	for _, t := range tasks {
		if !t.Killing {
			calls = append(calls, sched.Kill{Task: t.Spec.ID})
		}
	}
	return calls
}

// wake is when time alone changes something: the end of a backoff, or of the
// time for a launch.
func (m *model) wake() cluster.Time {
	wake := m.wakeAt
	for _, p := range m.pods {
		for _, in := range p.instances {
			for _, t := range [...]cluster.Time{in.until, in.launchBy, in.lostAt} {
				if t != 0 && (wake == 0 || t < wake) {
					wake = t
				}
			}
		}
	}
	return wake
}
