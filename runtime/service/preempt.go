package service

import (
	"cmp"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// MaxPreemptions is how many instances give their places to others in one step.
const MaxPreemptions = 100

// outlook is what agents will have when all that is being ended there has ended,
// but for what is promised of it to instances that wait.
type outlook struct {
	agents []prospect          // those that get tasks, in order of their ids
	seen   map[*sched.Room]int // tasks of it that are accounted for
	made   map[*sched.Room]int // and places
	ended  int                 // instances that this step preempts
}

// prospect is an agent as it will be.
type prospect struct {
	room    sched.Room // Free is what it will have
	victims []victim   // what else could be ended there, the cheapest first
}

// victim is an instance of a service that others may take the place of.
type victim struct {
	priority int
	launched cluster.Time
	tasks    []*cluster.Task
	pool     cluster.Pool
}

// newOutlook looks at all agents.
func newOutlook(view *core.View) *outlook {
	o := &outlook{seen: map[*sched.Room]int{}, made: map[*sched.Room]int{}}
	for a := range view.Agents() {
		if !a.Offerable() {
			continue
		}
		p := prospect{room: sched.Room{Agent: &a.Info, Free: a.FreePool(), Before: a.Tasks}}
		at := map[string]int{} // place in victims, by service and launch
		for t := range view.AgentTasks(a.Info.ID) {
			if t.Killing {
				p.room.Free = p.room.Free.Plus(t.Spec.Pool())
				continue
			}
			svc := view.Service(t.Spec.Service)
			if svc == nil || !svc.Spec.Preemptible || t.Spec.Framework != Framework || t.Spec.Run != "" {
				continue
			}
			key := sched.GroupName(t.Spec.Service, core.InstanceKey(t.Spec.Pod, t.Spec.Index), sched.LaunchOf(t.Spec.ID))
			i, known := at[key]
			if !known {
				i, at[key] = len(p.victims), len(p.victims)
				p.victims = append(p.victims, victim{priority: svc.Spec.Priority, launched: t.Launched})
			}
			v := &p.victims[i]
			v.tasks, v.pool = append(v.tasks, t), v.pool.Plus(t.Spec.Pool())
		}
		slices.SortFunc(p.victims, victim.compare)
		o.agents = append(o.agents, p)
	}
	return o
}

// compare orders victims: the lowest priority first, then the youngest.
func (v victim) compare(o victim) int {
	return cmp.Or(cmp.Compare(v.priority, o.priority), cmp.Compare(o.launched, v.launched), cmp.Compare(v.tasks[0].Spec.ID, o.tasks[0].Spec.ID))
}

// note takes away what was put into offers since the last call.
func (o *outlook) note(rooms []*sched.Room) {
	for _, r := range rooms {
		fresh, places := r.Tasks[o.seen[r]:], r.Places[o.made[r]:]
		if len(fresh)+len(places) == 0 {
			continue
		}
		o.seen[r], o.made[r] = len(r.Tasks), len(r.Places)
		if p := o.agent(r.Agent.ID); p != nil {
			for i := range fresh {
				p.room.Free = p.room.Free.Minus(fresh[i].Pool())
			}
			for i := range places {
				p.room.Free = p.room.Free.Minus(sched.Taken(&places[i].Place))
			}
		}
	}
}

// agent finds an agent; nil when it gets no tasks.
func (o *outlook) agent(id cluster.AgentID) *prospect {
	i, found := slices.BinarySearchFunc(o.agents, id, func(p prospect, id cluster.AgentID) int { return cmp.Compare(p.room.Agent.ID, id) })
	if !found {
		return nil
	}
	return &o.agents[i]
}

// rooms gives what there will be as rooms of a role.
func (o *outlook) rooms(role cluster.Role) []*sched.Room {
	out := make([]*sched.Room, len(o.agents))
	for i := range o.agents {
		o.agents[i].room.Role = role
		out[i] = &o.agents[i].room
	}
	return out
}

// preempt sees to instances for which no offer has room. One that will fit when
// what is being ended has ended waits for that, and what it waits for is kept
// from whoever comes later in this step. For one that will not, instances of
// services that are preemptible and of a lower priority are ended on one agent,
// the fewest there are. MinReady does not protect them: who is preemptible says so.
func (m *model) preempt(p *pod, waiting []*instance, rooms []*sched.Room, t *tally, r *sched.Result) {
	if m.svc.Spec.Priority <= m.lowest {
		return
	}
	if m.outlook == nil {
		m.outlook = newOutlook(m.view)
	}
	o := m.outlook
	o.note(rooms)
	if t == nil {
		t = m.newTally(p, nil)
	}
	saved, ended := slices.Clone(o.agents), o.ended
	x := &preemption{placing: placing{m: m, pod: p, tally: t}, outlook: o, all: o.rooms(m.role()), priority: m.svc.Spec.Priority}
	if complete := x.claimAll(waiting); p.spec.Gang && !complete {
		copy(o.agents, saved)
		o.ended = ended
		return
	}
	r.Calls = append(r.Calls, x.calls...)
	for _, room := range rooms {
		room.Held = room.Held || slices.Contains(x.claimed, room.Agent.ID)
	}
}

// preemption finds places to come for instances of one pod.
type preemption struct {
	placing
	outlook  *outlook
	all      []*sched.Room // of the outlook
	priority int
	costs    []cost // by agent
	calls    []sched.Call
	claimed  []cluster.AgentID
}

// cost is what has to be ended on an agent for one more instance.
type cost struct {
	known   bool
	victims []int // in the agent's; none: that does not help
}

// claimAll gives each instance a place to come, and reports whether all have one.
func (x *preemption) claimAll(list []*instance) bool {
	var c *candidates
	var same []cluster.TaskTemplate
	left, complete := x.m.unconsumed(), true
	for _, in := range list {
		if tasks := in.wants(); c == nil || !sameTasks(tasks, same) {
			c, same = newCandidates(x.all, x.m.role(), x.tally, tasks), tasks
			x.costs = make([]cost, len(x.all))
		}
		need := c.need.Resources.Scalars()
		if !need.Within(left) || !x.claim(c, in, same) && !x.end(c, in, same) {
			complete = false
			continue
		}
		left = left.Minus(need)
	}
	return complete
}

// claim takes the place of an instance out of what there will be anyway.
func (x *preemption) claim(c *candidates, in *instance, tasks []cluster.TaskTemplate) bool {
	if !x.placeOne(c, in, tasks, try) {
		return false
	}
	x.taken(x.done[len(x.done)-1].room)
	return true
}

// taken notes that a room has become smaller.
func (x *preemption) taken(room *sched.Room) {
	x.claimed = append(x.claimed, room.Agent.ID)
	x.costs[slices.Index(x.all, room)] = cost{}
}

// end makes a place for an instance on the agent where the fewest have to go for
// it, those of the lowest priority, and then the youngest.
func (x *preemption) end(c *candidates, in *instance, tasks []cluster.TaskTemplate) bool {
	var best *prospect
	var victims []int
	for i := range x.outlook.agents {
		p := &x.outlook.agents[i]
		if !x.costs[i].known {
			x.costs[i] = cost{true, p.cheapest(c.need, x.priority)}
		}
		v := x.costs[i].victims
		if len(v) == 0 || best != nil && p.compare(v, best, victims) >= 0 || !x.tally.possible(p.room.Agent) {
			continue
		}
		best, victims = p, v
	}
	if best == nil || x.outlook.ended+len(victims) > MaxPreemptions {
		return false
	}
	x.outlook.ended += len(victims)
	left := make([]victim, 0, len(best.victims))
	for i, v := range best.victims {
		if !slices.Contains(victims, i) {
			left = append(left, v)
			continue
		}
		best.room.Free = best.room.Free.Plus(v.pool)
		for _, t := range v.tasks {
			x.calls = append(x.calls, sched.Kill{Task: t.Spec.ID, Reason: cluster.ReasonPreempted})
		}
	}
	best.victims = left
	if ok, _ := try(in, tasks, &best.room); !ok {
		return false // not reached: cheapest saw that it fits
	}
	x.tally.add(best.room.Agent)
	x.taken(&best.room)
	c.add(&best.room, 1) // for another instance, if there is room left
	return true
}

// cheapest picks what has to be ended for a need to fit, by place in victims;
// nothing when that is impossible or not needed.
func (p *prospect) cheapest(need sched.Need, priority int) []int {
	role := p.room.Role
	have, n := p.room.Free, 0
	for ; n < len(p.victims) && p.victims[n].priority < priority; n++ {
		if need.Missing(sched.Usable(have, role)) == nil {
			break
		}
		have = have.Plus(p.victims[n].pool)
	}
	if n == 0 || need.Missing(sched.Usable(have, role)) != nil {
		return nil
	}
	var out []int
	for i := n - 1; i >= 0; i-- { // spare whom it does not need, the dearest first
		if without := have.Minus(p.victims[i].pool); need.Missing(sched.Usable(without, role)) == nil {
			have = without
			continue
		}
		out = append(out, i)
	}
	return out
}

// compare orders what has to be ended on two agents, the better first.
func (p *prospect) compare(victims []int, o *prospect, others []int) int {
	// The dearest is the first: cheapest goes down.
	a, b := &p.victims[victims[0]], &o.victims[others[0]]
	return cmp.Or(cmp.Compare(len(victims), len(others)), cmp.Compare(a.priority, b.priority), cmp.Compare(b.launched, a.launched))
}

// unconsumed is what the role's limit lets it have more: where that is too
// little, no agent's place would help.
func (m *model) unconsumed() cluster.Scalars {
	top := m.role().Top()
	q := m.view.Quota(top)
	if q == nil || q.Limit == nil {
		return cluster.Quota{}.Ceiling()
	}
	return q.Ceiling().Minus(m.view.Consumed(top))
}
