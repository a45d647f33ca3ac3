package service

import (
	"errors"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// Step says what the framework does at time now in the state of view with the
// offers it got. Every offer is answered. Step may be called with no offers: the
// result then says for which roles some are wanted.
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

// launch places what is to be launched, pod by pod in the order of the phases,
// and notes in r what found no place. It reports whether there was anything.
func (m *model) launch(rooms []*sched.Room, r *sched.Result) (wanted bool) {
	done := map[*pod]bool{}
	for _, ph := range m.phases {
		if done[ph.pod] {
			continue
		}
		done[ph.pod] = true
		var c *candidates
		for _, in := range ph.pod.instances {
			if in.action != actLaunch {
				continue
			}
			wanted = true
			tasks := in.toLaunch()
			if c == nil || len(tasks) != c.tasks {
				// Instances of a pod need the same, but for the ONCE tasks that some have behind them.
				c = m.newCandidates(rooms, in.pod, tasks)
			}
			if !m.launchOne(c, in, tasks) {
				r.Want(m.role(), string(m.svc.Spec.ID)+"."+core.InstanceKey(in.pod.spec.Name, in.index))
			}
		}
	}
	return wanted
}

// launchOne puts an instance into the best room. It reports false when no room
// is left, so that another offer is wanted.
func (m *model) launchOne(c *candidates, in *instance, tasks []cluster.TaskTemplate) bool {
	for {
		room := c.next()
		if room == nil {
			return false
		}
		specs, err := m.specs(in, tasks, room)
		if err != nil {
			return true // no offer helps
		}
		if specs == nil {
			c.drop() // too full by now
			continue
		}
		room.Put(specs)
		c.placed()
		return true
	}
}

// toLaunch are the templates an instance is launched with: all but the ONCE
// tasks that are done.
func (in *instance) toLaunch() []cluster.TaskTemplate {
	out := in.pod.spec.Tasks
	for i := range out {
		if out[i].Goal != cluster.GoalOnce {
			continue
		}
		if _, done := in.record().Done[out[i].Name]; done {
			return slices.DeleteFunc(slices.Clone(out), func(t cluster.TaskTemplate) bool {
				_, done := in.record().Done[t.Name]
				return done && t.Goal == cluster.GoalOnce
			})
		}
	}
	return out
}

// errUnfillable says that a spec can never be settled: a reference names what
// is not there, or a task's id is too long. Validate refuses such specs.
var errUnfillable = errors.New("the spec cannot be settled")

// specs settles the tasks of an instance in a room: nil when they do not fit.
func (m *model) specs(in *instance, tasks []cluster.TaskTemplate, room *sched.Room) ([]cluster.TaskSpec, error) {
	service, group := m.svc.Spec.ID, core.InstanceKey(in.pod.spec.Name, in.index)
	suffix := sched.Suffix(m.view.Index())
	claims, ok := sched.Assign(room.Free.Ports, tasks, sched.Seed(string(service)+"."+group, suffix))
	if !ok {
		return nil, nil
	}
	self := sched.Self{Pod: in.pod.spec.Name, Index: in.index, Host: room.Agent.Host, Hostname: room.Agent.Hostname, Ports: map[string]uint16{}}
	for i := range claims {
		maps.Copy(self.Ports, claims[i].Ports)
	}
	values, missing := sched.Resolve(in.pod.openRefs(in.index), m.place)
	if len(missing) > 0 {
		return nil, errUnfillable
	}
	hash := sched.WithRefs(in.pod.templateHash(), values)
	specs := make([]cluster.TaskSpec, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		self.Task = sched.TaskID(service, group, t.Name, suffix)
		container, err := sched.Expand(t.Container, self, m.place)
		if err != nil || len(self.Task) > sched.MaxTaskID {
			return nil, errUnfillable
		}
		specs[i] = cluster.TaskSpec{
			ID: self.Task, Name: sched.TaskName(service, group, t.Name),
			Framework: Framework, Role: m.role(), Service: service,
			Pod: in.pod.spec.Name, Index: in.index, Task: t.Name, Goal: t.Goal,
			Hash: hash, Container: container, Resources: claims[i].Resources, Ports: claims[i].Ports,
			Generation: m.svc.Generation,
		}
	}
	return specs, nil
}
