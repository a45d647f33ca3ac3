package job

import (
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

const (
	// Framework is the id of this framework.
	Framework cluster.FrameworkID = "jobs"
	// RetryAfter is the wait after an acceptance that was refused.
	RetryAfter cluster.Millis = 1_000
)

// Step says what the framework does at time now in the state of view with the
// offers it got, as service.Step does.
func Step(now cluster.Time, view *core.View, offers []cluster.Offer) sched.Result {
	var r sched.Result
	rooms := sched.Rooms(view, offers)
	for run := range view.Runs() {
		if run.State != core.RunPending {
			continue
		}
		p := newPending(view, run)
		if held := p.heldUntil(); now < held {
			if r.Wake == 0 || held < r.Wake {
				r.Wake = held
			}
			continue
		}
		if len(p.missing) > 0 {
			continue // the change that gives them a place steps again
		}
		switch p.launch(rooms) {
		case hopeless:
			r.Calls = append(r.Calls, sched.Cancel{Run: run.Spec.ID})
		case waits:
			r.Want(run.Spec.Role, string(run.Spec.ID))
		}
	}
	r.Calls = append(r.Calls, sched.Answer(rooms, r.Wanted)...)
	return r
}

// pending is a run that waits for its launch.
type pending struct {
	view    *core.View
	run     *core.Run
	tasks   []cluster.TaskTemplate // the one task
	others  sched.Lookup
	missing []cluster.Ref // references to pod instances that have no place
}

func newPending(view *core.View, run *core.Run) *pending {
	p := &pending{view: view, run: run, tasks: []cluster.TaskTemplate{run.Spec.Task}}
	if refs := sched.OpenRefs(p.tasks, "", -1); len(refs) > 0 {
		p.others = service.Places(view, run.Spec.Service)
		_, p.missing = sched.Resolve(refs, p.others)
	}
	return p
}

// heldUntil is the time before which a run whose acceptance was refused is not
// tried again.
func (p *pending) heldUntil() cluster.Time {
	if p.run.Attempts == 0 {
		return 0
	}
	var until cluster.Time
	for t := range p.view.ServiceTasks(p.run.Spec.Service) {
		if t.Spec.Run == p.run.Spec.ID {
			until = max(until, t.Ended.Add(RetryAfter))
		}
	}
	return until
}

type outcome uint8

const (
	launched outcome = iota
	waits
	hopeless // no offer can help
)

// launch puts the run into a room where it fits, on the agent with the fewest tasks.
func (p *pending) launch(rooms []*sched.Room) outcome {
	need := sched.NeedOf(p.tasks)
	var best *sched.Room
	for _, room := range rooms {
		if room.Role != p.run.Spec.Role || need.Missing(room.Usable()) != nil || len(room.Tasks) >= core.MaxTasksPerAccept {
			continue
		}
		if best == nil || room.Load() < best.Load() {
			best = room
		}
	}
	if best == nil {
		return waits
	}
	spec, ok := p.spec(best)
	if !ok {
		return hopeless
	}
	best.Put([]cluster.TaskSpec{spec})
	return launched
}

// index is what ${self.index} is in a run: of the gate after an instance, that
// of the instance, else 0.
func (p *pending) index() int {
	svc := p.view.Service(p.run.Spec.Service)
	if p.run.Spec.Plan == nil || svc == nil {
		return 0
	}
	phases, _ := svc.Spec.Phases(p.run.Spec.Plan.Plan)
	for _, ph := range phases {
		num, gate := strings.CutPrefix(p.run.Spec.Plan.Key, cluster.StepKey(ph.Name, ph.Pod+"-"))
		if n, err := strconv.Atoi(num); gate && err == nil && ph.Gate != "" {
			return n
		}
	}
	return 0
}

// spec settles the run's task in a room where it fits.
func (p *pending) spec(room *sched.Room) (cluster.TaskSpec, bool) {
	run, t := &p.run.Spec, &p.tasks[0]
	owner := run.Service
	if owner == "" {
		owner = cluster.ServiceID(Framework)
	}
	suffix, group := sched.Suffix(p.view.Index()), string(run.ID)
	claims, ok := room.Claim(p.tasks, sched.Seed(group, suffix))
	if !ok {
		return cluster.TaskSpec{}, false
	}
	self := sched.Self{Task: sched.TaskID(owner, group, t.Name, suffix), Index: p.index(),
		Host: room.Agent.Host, Hostname: room.Agent.Hostname, Ports: claims[0].Ports}
	container, err := sched.Expand(t.Container, self, p.others)
	if err != nil || len(self.Task) > sched.MaxTaskID {
		return cluster.TaskSpec{}, false
	}
	return cluster.TaskSpec{
		ID: self.Task, Name: sched.TaskName(owner, group, t.Name),
		Framework: Framework, Role: run.Role, Service: run.Service, Run: run.ID,
		Task: t.Name, Goal: cluster.GoalFinish, Hash: sched.TemplateHash(p.tasks, ""),
		Container: container, Resources: claims[0].Resources, Reserved: claims[0].Reserved, Ports: claims[0].Ports,
	}, true
}
