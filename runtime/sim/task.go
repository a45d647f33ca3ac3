package sim

import (
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// task is a made-up container and what its agent wrote down of it.
type task struct {
	spec   cluster.TaskSpec
	status cluster.TaskStatus
	outbox []cluster.TaskStatus // reports that are not acknowledged, oldest first

	alive   bool // its process runs
	missed  *int // exit code of an end that came while the agent's program was down
	killing bool
	sees    []cluster.VolumeName // volumes that are mounted while it has not ended

	sent   string // UUID that was sent last, in which session and when
	sentIn string
	sentAt cluster.Time
}

func (t *task) ended() bool { return t.status.State.Terminal() }

// launch takes on a task. One that is held is left alone; one that has ended
// says so again.
func (a *agent) launch(spec cluster.TaskSpec) {
	if t := a.tasks[spec.ID]; t != nil {
		if t.ended() && len(t.outbox) == 0 {
			a.report(t, t.status)
		}
		return
	}
	var used cluster.Resources
	for _, t := range a.order {
		if !t.ended() {
			used = used.Plus(t.spec.Resources)
		}
	}
	if short := cluster.Fits(a.info.Total.Minus(used), spec.Resources); short != nil {
		a.sim.fail("agent %s is to launch %s, which does not fit: %s", a.id, spec.ID, short[0])
	}
	t := &task{spec: spec}
	a.add(t)
	if why := a.refused(t); why != "" {
		a.report(t, cluster.TaskStatus{State: cluster.TaskFailed, Reason: cluster.ReasonLaunchFailed, Message: why})
		return
	}
	a.report(t, cluster.TaskStatus{State: cluster.TaskStarting})
	a.sim.after(a.sim.between(50, 3000), func() { a.begin(t) })
}

func (a *agent) add(t *task) {
	a.tasks[t.spec.ID] = t
	a.order = append(a.order, t)
}

func (a *agent) forget(t *task) {
	delete(a.tasks, t.spec.ID)
	a.order = slices.DeleteFunc(a.order, func(o *task) bool { return o == t })
}

// begin starts a task's process.
func (a *agent) begin(t *task) {
	if a.tasks[t.spec.ID] != t || t.ended() || t.alive {
		return
	}
	if !a.up {
		a.sim.after(1000, func() { a.begin(t) })
		return
	}
	t.alive = true
	a.mount(t)
	a.sim.starts(t)
	slow := t.spec.Container.Readiness != nil
	a.report(t, cluster.TaskStatus{State: cluster.TaskRunning, Ready: !slow && t.spec.Goal == cluster.GoalRunning})
	if slow {
		a.sim.after(a.sim.between(500, 5000), func() { a.ready(t) })
	}
	switch {
	case t.spec.Goal != cluster.GoalRunning:
		a.sim.after(a.sim.between(1000, 20_000), func() { a.exit(t, a.sim.once(a.sim.faults.TaskCrash)) })
	case a.sim.chance(a.sim.faults.TaskCrash):
		a.sim.after(a.sim.between(1, 60_000), func() { a.exit(t, 1) })
	}
}

func (a *agent) ready(t *task) {
	if a.up && t.alive && !t.killing {
		a.report(t, cluster.TaskStatus{State: cluster.TaskRunning, Ready: true})
	} else if t.alive && !t.killing {
		a.sim.after(1000, func() { a.ready(t) })
	}
}

// exit ends a task's process by itself.
func (a *agent) exit(t *task, code int) {
	if !t.alive {
		return
	}
	t.alive = false
	if !a.up {
		t.missed = &code
		return
	}
	a.end(t, code)
}

// end writes down how a task ended.
func (a *agent) end(t *task, code int) {
	st := cluster.TaskStatus{State: cluster.TaskFinished, ExitCode: &code}
	switch {
	case t.killing:
		st.State = cluster.TaskKilled
	case code != 0:
		st.State, st.Message = cluster.TaskFailed, fmt.Sprintf("exit code %d", code)
	}
	a.report(t, st)
	if st.State == cluster.TaskFinished {
		a.sim.finished(t)
	}
}

// kill asks a task to end. One that is not here is lost.
func (a *agent) kill(o cluster.Order) {
	t := a.tasks[o.Task]
	switch {
	case t == nil:
		t = &task{spec: cluster.TaskSpec{ID: o.Task}}
		a.add(t)
		a.report(t, cluster.TaskStatus{State: cluster.TaskLost, Reason: cluster.ReasonReconciliation})
	case t.ended():
		if len(t.outbox) == 0 {
			a.report(t, t.status)
		}
	case !t.killing:
		t.killing = true
		a.report(t, cluster.TaskStatus{State: cluster.TaskKilling})
		a.sim.after(a.sim.between(1, max(1, o.Grace)), func() { a.killed(t) })
	}
}

func (a *agent) killed(t *task) {
	if a.tasks[t.spec.ID] != t || t.ended() {
		return
	}
	t.alive = false
	if !a.up {
		a.sim.after(1000, func() { a.killed(t) })
		return
	}
	a.end(t, 137)
}

// report says something new of a task.
func (a *agent) report(t *task, st cluster.TaskStatus) {
	a.minted++
	st.Task, st.Agent, st.At, st.Seq = t.spec.ID, a.id, a.sim.now.Add(a.skew), t.status.Seq+1
	st.UUID = fmt.Sprintf("%s-%d", a.id, a.minted)
	t.status = st
	t.outbox = append(t.outbox, st)
	a.flush(t)
	if t.ended() {
		a.unmount()
	}
}

// recover takes over, as the agent's program starts, what became of its tasks.
func (a *agent) recover() {
	for _, t := range slices.Clone(a.order) {
		switch {
		case t.ended():
		case t.missed != nil:
			a.end(t, *t.missed)
		case t.killing && !t.alive:
			a.end(t, 137)
		}
	}
}

// reboot ends the machine and all that runs on it, and starts it. A machine
// that is wiped also loses what its agent wrote down.
func (a *agent) reboot(wipe bool) {
	a.boot++
	if wipe {
		a.memory, a.hellos, a.volumes = a.memory+1, 0, map[cluster.VolumeName]*volume{}
		a.sim.custody.wiped(a.id)
		a.sim.unheard(a.order)
	}
	for _, t := range slices.Clone(a.order) {
		t.alive = false
		if wipe {
			a.forget(t)
			continue
		}
		if !t.ended() {
			t.missed = nil
			a.report(t, cluster.TaskStatus{State: cluster.TaskLost, Reason: cluster.ReasonAgentRestarted})
		}
	}
}
