package service

import (
	"cmp"
	"math"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// Stepper is Step for one who steps again and again. It remembers which services
// wanted nothing, by the records that this followed from, and does not think
// about them again until one of the records is another. What it gives is what
// Step gives: the memory saves time and decides nothing. It has one owner; the
// zero value has seen nothing yet.
type Stepper struct {
	view     *core.View // of the latest step
	draining []cluster.AgentID
	quiet    []quiet // in the order of world.services
}

// quiet is a service that wanted nothing, whatever the time and the offers are.
type quiet struct {
	svc   *core.Service
	tasks []*cluster.Task // all of the service, in order
}

// Step is the function Step.
func (s *Stepper) Step(now cluster.Time, view *core.View, offers []cluster.Offer) sched.Result {
	var r sched.Result
	w := newWorld(now, view)
	if !slices.Equal(w.draining, s.draining) {
		s.view, s.quiet = nil, nil // whoever is on such an agent may want to move
	}
	rooms := sched.Rooms(view, offers)
	known, i := s.quiet, 0
	next := make([]quiet, 0, len(known)+1)
	for _, svc := range w.services {
		for i < len(known) && before(known[i].svc, svc) < 0 {
			i++
		}
		if i < len(known) && known[i].svc == svc && (s.view == view || known[i].holds(view)) {
			next = append(next, known[i])
			continue
		}
		if w.step(svc, rooms, &r) {
			next = append(next, quiet{svc: svc, tasks: slices.Collect(view.ServiceTasks(svc.Spec.ID))})
		}
	}
	s.view, s.draining, s.quiet = view, w.draining, next
	r.Calls = append(r.Calls, sched.Answer(rooms, r.Wanted)...)
	return r
}

// holds reports whether a view has the very records that a service wanted
// nothing with. A record is never changed in place, and what the core remembers
// of instances changes only together with a task's record or the service's.
func (q *quiet) holds(view *core.View) bool {
	i := 0
	for t := range view.ServiceTasks(q.svc.Spec.ID) {
		if i == len(q.tasks) || q.tasks[i] != t {
			return false
		}
		i++
	}
	return i == len(q.tasks)
}

// world is what all services of one step have in common.
type world struct {
	now      cluster.Time
	view     *core.View
	draining []cluster.AgentID // agents that are to be empty soon, in order
	services []*core.Service   // in the order in which they are served: the highest priority first
	lowest   int               // the lowest priority of a service that is preemptible
	outlook  *outlook          // nil: nobody asked yet
	peers    map[cluster.ServiceID]*peer
	goingOn  map[string]*core.Run // runs of plans, by service, plan and step
	keeping  bool                 // a gang keeps offers in this step
}

func newWorld(now cluster.Time, view *core.View) *world {
	w := &world{now: now, view: view, services: slices.Collect(view.Services()), lowest: math.MaxInt}
	slices.SortFunc(w.services, before)
	for _, svc := range w.services {
		if svc.Spec.Preemptible && !svc.Removing {
			w.lowest = min(w.lowest, svc.Spec.Priority)
		}
	}
	for a := range view.Agents() {
		if a.Drain != nil && a.Drain.State == core.Draining && !a.Drain.Killing && a.State == cluster.AgentActive {
			w.draining = append(w.draining, a.Info.ID)
		}
	}
	return w
}

// before orders services: the higher priority first, then by id.
func before(a, b *core.Service) int {
	return cmp.Or(cmp.Compare(b.Spec.Priority, a.Spec.Priority), cmp.Compare(a.Spec.ID, b.Spec.ID))
}

// step adds to r what one service wants. It reports whether that is nothing, and
// will be nothing until a record of the service changes.
func (w *world) step(svc *core.Service, rooms []*sched.Room, r *sched.Result) (nothing bool) {
	m := newModel(w, svc)
	if svc.Removing {
		r.Calls = append(r.Calls, m.remove()...)
		return false
	}
	kills := m.kills()
	r.Calls = append(r.Calls, kills...)
	if m.goesBack {
		return false
	}
	wants := m.launch(rooms, r)
	wake := m.wake()
	if wake != 0 && (r.Wake == 0 || wake < r.Wake) {
		r.Wake = wake
	}
	return len(kills) == 0 && !wants && wake == 0 && !m.stuck && !m.unsettled()
}
