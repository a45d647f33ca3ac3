package service

import (
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
	calls := killAll(nil, m.extra)
	for _, p := range m.pods {
		for _, in := range p.instances {
			calls = killAll(calls, in.old)
			if in.action == actKill {
				calls = killAll(calls, in.live)
			}
		}
	}
	return calls
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
	var wake cluster.Time
	for _, p := range m.pods {
		for _, in := range p.instances {
			for _, t := range [...]cluster.Time{in.until, in.launchBy} {
				if t != 0 && (wake == 0 || t < wake) {
					wake = t
				}
			}
		}
	}
	return wake
}
