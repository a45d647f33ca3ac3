package core

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Check verifies the invariants of a state:
//
//   - the active tasks of an agent hold no more than it has (unless it shrank),
//     and no host port twice; what is counted as allocated and used is their sum;
//   - what is reserved on an agent fits into it (unless it shrank), tasks hold no
//     more of reservations than there is, and no volume twice;
//   - a draining agent is drained exactly when it has no task; one that is gone
//     has neither tasks nor reservations;
//   - the active tasks of a group are on one agent, of one framework and in one network;
//   - every active task is on a known agent and of a known framework;
//   - a task is TASK_UNREACHABLE exactly as long as its agent is unreachable,
//     and none is active on an agent that is gone;
//   - an instance has one task of a name that is neither unreachable nor being
//     killed; an active run has one active task;
//   - what the places of an agent take is reserved on it, no volume is of two
//     places, an instance's tasks hold no more than its place, and what others
//     hold of reservations is not of places;
//   - of a step of a plan one run goes on, and none once it is complete; a change
//     is under way exactly as long as its plan is;
//   - only as many ended records are kept as the limits say;
//   - the indexes say what the tables say.
//
// It takes time in proportion to the state: tests and the simulator run it
// after each command.
func Check(s *State) error {
	v := &s.v
	sum := checker{v: v, agents: map[cluster.AgentID]*Agent{}, usage: map[string]Usage{}, slots: map[string]cluster.TaskID{}}
	for t := range v.Tasks() {
		if err := sum.task(t); err != nil {
			return fmt.Errorf("invariant: task %q: %w", t.Spec.ID, err)
		}
	}
	for a := range v.Agents() {
		if err := sum.agent(a); err != nil {
			return fmt.Errorf("invariant: agent %q: %w", a.Info.ID, err)
		}
	}
	if err := sum.usages(); err != nil {
		return fmt.Errorf("invariant: %w", err)
	}
	for r := range v.Runs() {
		if err := sum.run(r); err != nil {
			return fmt.Errorf("invariant: run %q: %w", r.Spec.ID, err)
		}
	}
	if err := sum.places(); err != nil {
		return fmt.Errorf("invariant: %w", err)
	}
	for svc := range v.Services() {
		if err := sum.service(svc); err != nil {
			return fmt.Errorf("invariant: service %q: %w", svc.Spec.ID, err)
		}
	}
	if err := sum.sizes(); err != nil {
		return fmt.Errorf("invariant: %w", err)
	}
	return nil
}

// checker adds up what the tables should say.
type checker struct {
	v         *View
	agents    map[cluster.AgentID]*Agent // only Allocated and Tasks are set
	usage     map[string]Usage
	slots     map[string]cluster.TaskID
	active    int
	ended     int
	inService int
	inGroup   int
	endedOf   int
	endedRuns int
	total     Usage
}

func (c *checker) task(t *cluster.Task) error {
	id := string(t.Spec.ID)
	if t.Spec.Service != "" {
		c.inService++
		if o, _ := c.v.byService.get(key(string(t.Spec.Service), id)); o != t {
			return fmt.Errorf("the index by service has another record")
		}
	}
	if n := len(t.History); n == 0 || n > cluster.MaxTaskHistory || !sameStatus(t.History[n-1], t.Status) {
		return fmt.Errorf("its history of %d does not end in %s", n, t.Status.State)
	}
	if !t.Active() {
		return c.endedTask(t)
	}
	c.active++
	if o, _ := c.v.byAgent.get(key(string(t.Agent), id)); o != t {
		return fmt.Errorf("the index by agent has another record")
	}
	a := c.v.Agent(t.Agent)
	if a == nil || a.State == cluster.AgentGone {
		return fmt.Errorf("it is active on agent %q, which is not there", t.Agent)
	}
	if (t.Status.State == cluster.TaskUnreachable) != (a.State == cluster.AgentUnreachable) {
		return fmt.Errorf("it is %s on an agent that is %s", t.Status.State, a.State)
	}
	if c.v.Framework(t.Spec.Framework) == nil {
		return fmt.Errorf("its framework %q is not there", t.Spec.Framework)
	}
	if err := c.group(t); err != nil {
		return err
	}
	if err := c.hold(t); err != nil {
		return err
	}
	return c.slot(t)
}

// sameStatus compares two reports.
func sameStatus(a, b cluster.TaskStatus) bool {
	same := equalOr(a.ExitCode, b.ExitCode) && equalOr(a.Healthy, b.Healthy)
	a.ExitCode, a.Healthy, b.ExitCode, b.Healthy = nil, nil, nil, nil
	return same && a == b
}

func equalOr[V comparable](a, b *V) bool { return a == b || a != nil && b != nil && *a == *b }

// hold adds up what an active task holds.
func (c *checker) hold(t *cluster.Task) error {
	a := c.agents[t.Agent]
	if a == nil {
		a = &Agent{}
		c.agents[t.Agent] = a
	}
	if a.Allocated.Overlaps(t.Spec.Resources) {
		return fmt.Errorf("a port, number or item of %s is another task's on %q too", t.Spec.Resources, t.Agent)
	}
	a.Allocated = a.Allocated.Plus(t.Spec.Resources)
	a.Held = a.Held.Plus(t.Spec.Reserved)
	a.Tasks++
	k := key(string(t.Spec.Role), string(t.Spec.Framework))
	u := c.usage[k].plus(t.Spec.Resources, 1)
	u.Role, u.Framework = t.Spec.Role, t.Spec.Framework
	u.Tasks++
	c.usage[k] = u
	return nil
}

// slot sees that nothing is launched twice.
func (c *checker) slot(t *cluster.Task) error {
	if t.Killing || t.Status.State == cluster.TaskUnreachable || t.Spec.Service == "" && t.Spec.Run == "" {
		return nil
	}
	k := key("run", string(t.Spec.Run))
	if t.Spec.Run == "" {
		k = key("service", string(t.Spec.Service), InstanceKey(t.Spec.Pod, t.Spec.Index), t.Spec.Task)
	}
	other := c.slots[k]
	c.slots[k] = t.Spec.ID
	// Two can be there when one was unreachable, was replaced, and came back.
	if other != "" && !returned(c.v.Task(other)) && !returned(t) {
		return fmt.Errorf("it and %q are the same task of the same instance", other)
	}
	return nil
}

// returned reports whether a task was unreachable before.
func returned(t *cluster.Task) bool {
	for _, h := range t.History {
		if h.State == cluster.TaskUnreachable {
			return true
		}
	}
	return len(t.History) == cluster.MaxTaskHistory // it may be forgotten
}

func (c *checker) endedTask(t *cluster.Task) error {
	c.ended++
	k := endedKey(t.Ended, string(t.Spec.ID))
	if o, _ := c.v.ended.get(k); o != t {
		return fmt.Errorf("the list of ended tasks has another record")
	}
	if t.Spec.Service == "" {
		return nil
	}
	c.endedOf++
	if o, _ := c.v.endedOf.get(key(string(t.Spec.Service), k)); o != t {
		return fmt.Errorf("the list of its service's ended tasks has another record")
	}
	return nil
}

func (c *checker) agent(a *Agent) error {
	want := c.agents[a.Info.ID]
	if want == nil {
		want = &Agent{}
	}
	if !want.Allocated.Equal(a.Allocated) || want.Tasks != a.Tasks {
		return fmt.Errorf("%d tasks hold %s, counted are %d with %s", want.Tasks, want.Allocated, a.Tasks, a.Allocated)
	}
	if over := a.shrunk(); over != a.Shrunk {
		return fmt.Errorf("%s are allocated of %s; marked as shrunk: %t", a.Allocated, a.Info.Total, a.Shrunk)
	}
	if a.Attempt < 0 || len(a.Life) > maxLife || a.Life == "" && a.Attempt > 0 {
		return fmt.Errorf("its attempt %d of life %q cannot be", a.Attempt, a.Life)
	}
	if a.State == cluster.AgentGone {
		if len(a.Reserved) > 0 || a.Tasks > 0 {
			return fmt.Errorf("it is gone and has %d reservations and %d tasks", len(a.Reserved), a.Tasks)
		}
		return nil
	}
	c.total = c.total.plus(a.Info.Total, 1)
	if d := a.Drain; d != nil && (d.State == Drained) != (a.Tasks == 0) {
		return fmt.Errorf("it is %s with %d tasks", d.State, a.Tasks)
	}
	return c.reserved(a, want)
}

// reserved sees that what is reserved on an agent holds together.
func (c *checker) reserved(a, want *Agent) error {
	if !want.Held.Equal(a.Held) {
		return fmt.Errorf("its tasks hold %v of reservations, counted are %v", want.Held, a.Held)
	}
	if short := (cluster.Pool{Reserved: a.Reserved}).Missing(cluster.Pool{Reserved: a.Held}); short != nil {
		return fmt.Errorf("its tasks hold more than is reserved: %s", short[0])
	}
	if err := a.Reserved.Validate(); err != nil {
		return err
	}
	if a.Shrunk {
		return nil
	}
	if short := cluster.Fits(a.unheld().Open, cluster.Resources{}); short != nil {
		return fmt.Errorf("what is not reserved is overdrawn: %s", short[0])
	}
	volumes := map[string]bool{}
	for _, r := range a.Reserved {
		for _, v := range r.Volumes {
			k := key(string(r.Stack.Role()), v.ID)
			if volumes[k] {
				return fmt.Errorf("volume %q of role %q is there twice", v.ID, r.Stack.Role())
			}
			volumes[k] = true
		}
	}
	return nil
}

func (c *checker) usages() error {
	if c.total != c.v.total {
		return fmt.Errorf("the agents have %+v in all, counted are %+v", c.total, c.v.total)
	}
	for u := range c.v.Usage() {
		if want := c.usage[key(string(u.Role), string(u.Framework))]; want != *u {
			return fmt.Errorf("usage is %+v, counted is %+v", want, *u)
		}
	}
	if len(c.usage) != c.v.usage.n {
		return fmt.Errorf("%d usages, counted are %d", len(c.usage), c.v.usage.n)
	}
	return nil
}

func (c *checker) run(r *Run) error {
	if r.State.Final() {
		c.endedRuns++
		if o, _ := c.v.endedRuns.get(endedKey(r.Ended, string(r.Spec.ID))); o != r {
			return fmt.Errorf("the list of ended runs has another record")
		}
		return nil
	}
	if svc := r.Spec.Service; svc != "" && c.v.Service(svc) == nil {
		return fmt.Errorf("its service %q is not there", svc)
	}
	if err := c.step(r); err != nil {
		return err
	}
	t := c.v.Task(r.Task)
	if alive := t != nil && t.Active(); alive != (r.State == RunActive) {
		return fmt.Errorf("it is %s, its task %q is alive: %t", r.State, r.Task, alive)
	}
	return nil
}

func (c *checker) sizes() error {
	v := c.v
	for _, n := range []struct {
		what      string
		want, got int
	}{
		{"active tasks by agent", c.active, v.byAgent.n},
		{"tasks by service", c.inService, v.byService.n},
		{"active tasks by group", c.inGroup, v.byGroup.n},
		{"ended tasks", c.ended, v.ended.n},
		{"ended tasks by service", c.endedOf, v.endedOf.n},
		{"ended runs", c.endedRuns, v.endedRuns.n},
	} {
		if n.want != n.got {
			return fmt.Errorf("%d %s, the index has %d", n.want, n.what, n.got)
		}
	}
	if v.ended.n > MaxEnded || v.endedRuns.n > MaxEndedRuns {
		return fmt.Errorf("%d ended tasks and %d ended runs are kept, over the limits", v.ended.n, v.endedRuns.n)
	}
	for svc := range v.Services() {
		n := 0
		for range v.endedOf.from(key(string(svc.Spec.ID), "")) {
			n++
		}
		if n > MaxEndedPerService {
			return fmt.Errorf("service %q: %d ended tasks are kept, over the limit", svc.Spec.ID, n)
		}
	}
	return nil
}
