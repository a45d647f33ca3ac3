package core_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// drawer draws commands over few ids, so that they meet; most of them suit the state.
type drawer struct {
	*rapid.T
	view *core.View
}

func pick[V any](d drawer, name string, of ...V) V { return rapid.SampledFrom(of).Draw(d.T, name) }

func (d drawer) oneIn(n int, name string) bool { return rapid.IntRange(1, n).Draw(d.T, name) == n }

func (d drawer) command() core.Command {
	agent := pick[cluster.AgentID](d, "agent", "a1", "a2", "a3")
	framework := pick[cluster.FrameworkID](d, "framework", "services", "jobs", "other")
	service := pick[cluster.ServiceID](d, "service", "s1", "s2")
	run := pick[cluster.RunID](d, "run", "r1", "r2", "r3")
	switch pick(d, "kind", "register", "silence", "framework", "leave", "accept", "accept", "accept",
		"update", "update", "update", "update", "kill", "service", "unservice", "run") {
	case "register":
		return d.register(agent)
	case "silence":
		if d.oneIn(10, "gone") {
			return core.AgentGone{Agent: agent}
		}
		return core.AgentUnreachable{Agent: agent}
	case "framework":
		return core.PutFramework{Framework: cluster.Framework{ID: framework, Roles: []cluster.Role{"*", "eng"}}}
	case "leave":
		if d.oneIn(3, "remove") {
			return core.RemoveFramework{Framework: framework}
		}
		return core.DisconnectFramework{Framework: framework}
	case "accept":
		c := core.AcceptOffers{Framework: framework, Role: pick[cluster.Role](d, "role", "*", "*", "eng", "ops"), Agent: agent,
			Offered: cluster.Resources{CPU: 4000, Mem: 1024, Ports: ports("31000-31004")}}
		for range rapid.IntRange(1, 3).Draw(d.T, "tasks") {
			c.Tasks = append(c.Tasks, d.spec(c.Framework, c.Role, service, run))
		}
		return c
	case "update":
		st := d.status(d.task())
		st.Agent = agent
		if t := d.view.Task(st.Task); t != nil && !d.oneIn(20, "wrong agent") {
			st.Agent = t.Agent
		}
		return core.UpdateTask{Status: st}
	case "kill":
		return core.KillTask{Task: d.task(), Grace: cluster.Millis(rapid.IntRange(-1, 2).Draw(d.T, "grace"))}
	case "service":
		return core.PutService{Spec: cluster.ServiceSpec{ID: service, Pods: []cluster.PodSpec{
			{Name: "p", Count: rapid.IntRange(0, 3).Draw(d.T, "count"), Tasks: []cluster.TaskTemplate{template("main", cluster.GoalOnce)}}}}}
	case "unservice":
		if svc := d.view.Service(service); svc != nil && svc.Removing {
			return core.ForgetService{Service: service}
		}
		return core.RemoveService{Service: service}
	}
	if d.oneIn(2, "cancel") {
		return core.CancelRun{Run: run}
	}
	return core.PutRun{Spec: cluster.RunSpec{ID: run, Service: service, Task: template("driver", cluster.GoalFinish)}}
}

// register is an agent with most of the tasks it should have, and others.
func (d drawer) register(agent cluster.AgentID) core.Command {
	c := core.RegisterAgent{Boot: pick(d, "boot", "b1", "b2"), Agent: cluster.Agent{ID: agent, Total: cluster.Resources{
		CPU: rapid.Int64Range(1, 4).Draw(d.T, "cpus") * 1000, Mem: 1024, Ports: ports("31000-31004")}}}
	report := func(id cluster.TaskID) {
		c.Tasks = append(c.Tasks, cluster.TaskReport{Spec: cluster.TaskSpec{ID: id}, Status: d.status(id)})
	}
	for t := range d.view.AgentTasks(agent) {
		if !d.oneIn(4, "lacks") {
			report(t.Spec.ID)
		}
	}
	for range rapid.IntRange(0, 2).Draw(d.T, "others") {
		report(d.task())
	}
	return c
}

// task is the id of a task that is there, or of one that may not be.
func (d drawer) task() cluster.TaskID {
	var ids []cluster.TaskID
	for t := range d.view.Tasks() {
		ids = append(ids, t.Spec.ID)
	}
	if len(ids) > 0 && !d.oneIn(8, "any") {
		return pick(d, "known task", ids...)
	}
	return cluster.TaskID(fmt.Sprintf("t%d", rapid.IntRange(0, 99).Draw(d.T, "task")))
}

func (d drawer) status(id cluster.TaskID) cluster.TaskStatus {
	return cluster.TaskStatus{Task: id, Ready: d.oneIn(2, "ready"), UUID: pick(d, "uuid", "", "u1", "u2", "u3"),
		State: pick[cluster.TaskState](d, "state", cluster.TaskStaging, cluster.TaskStarting, cluster.TaskRunning, cluster.TaskRunning,
			cluster.TaskKilling, cluster.TaskFinished, cluster.TaskFailed, cluster.TaskKilled, cluster.TaskLost, "NONSENSE")}
}

func (d drawer) spec(f cluster.FrameworkID, role cluster.Role, service cluster.ServiceID, run cluster.RunID) cluster.TaskSpec {
	s := cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("t%d", rapid.IntRange(0, 99).Draw(d.T, "task"))), Framework: f, Role: role,
		Task: "main", Goal: cluster.GoalOnce, Container: cluster.Container{Image: "i"},
		Resources: cluster.Resources{CPU: rapid.Int64Range(-1, 2500).Draw(d.T, "cpus"), Mem: 100}}
	if d.oneIn(2, "port") {
		p := rapid.Uint16Range(31000, 31005).Draw(d.T, "number")
		s.Ports, s.Resources.Ports = map[string]uint16{"http": p}, cluster.Port(p)
	}
	switch pick(d, "owner", "nobody", "service", "run") {
	case "service":
		s.Service, s.Pod, s.Index = service, "p", rapid.IntRange(0, 3).Draw(d.T, "index")
	case "run":
		s.Service, s.Run = service, run
	}
	return s
}

// TestApply_properties applies random commands and sees after each one that the
// invariants hold, that ended tasks stay ended, that older views are unchanged,
// and that replaying the log or restoring any snapshot gives the same state.
func TestApply_properties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := core.New()
		var log [][]byte
		var snapshot []byte
		var kept *core.View
		var keptHash string
		at := cluster.Time(1)
		first := beginning()
		for i := range len(first) + rapid.IntRange(1, 100).Draw(r, "steps") {
			var c core.Command
			if i < len(first) {
				c = first[i]
			} else {
				c = drawer{r, s.View()}.command()
			}
			at += cluster.Time(rapid.SampledFrom([]int{-5, 0, 1, 70_000}).Draw(r, "ms"))
			log = append(log, core.Encode(at, c))
			before := s.View()
			_, c, err := core.Decode(log[len(log)-1])
			if err != nil {
				r.Fatal(err)
			}
			events, effects := s.Apply(at, c)
			if err := core.Check(s); err != nil {
				r.Fatalf("after %s: %v", c.Kind(), err)
			}
			checkStep(r, before, s.View(), events, effects)
			if rapid.IntRange(0, 19).Draw(r, "keep") == 0 {
				kept, keptHash, snapshot = s.View(), s.Hash(), s.Snapshot()
			}
		}
		if kept != nil && kept.Hash() != keptHash {
			r.Fatal("a view changed after it was given")
		}
		replayed := core.New()
		if snapshot != nil {
			var err error
			if replayed, err = core.Restore(snapshot); err != nil {
				r.Fatal(err)
			}
		}
		for _, entry := range log[replayed.Index():] {
			at, c, err := core.Decode(entry)
			if err != nil {
				r.Fatal(err)
			}
			replayed.Apply(at, c)
		}
		if replayed.Hash() != s.Hash() {
			r.Fatalf("replay gives another state:\n%s\n%s", s.Snapshot(), replayed.Snapshot())
		}
	})
}

// beginning is a cluster in which something can happen.
func beginning() []core.Command {
	var out []core.Command
	for _, a := range []cluster.AgentID{"a1", "a2", "a3"} {
		out = append(out, core.RegisterAgent{Agent: cluster.Agent{ID: a, Total: cluster.Resources{CPU: 4000, Mem: 1024, Ports: ports("31000-31004")}}})
	}
	for _, f := range []cluster.FrameworkID{"services", "jobs"} {
		out = append(out, core.PutFramework{Framework: cluster.Framework{ID: f, Roles: []cluster.Role{"*", "eng"}}})
	}
	return append(out,
		core.PutService{Spec: cluster.ServiceSpec{ID: "s1", Pods: []cluster.PodSpec{{Name: "p", Count: 3, Tasks: []cluster.TaskTemplate{template("main", cluster.GoalOnce)}}}}},
		core.PutRun{Spec: cluster.RunSpec{ID: "r1", Service: "s1", Task: template("driver", cluster.GoalFinish)}})
}

// checkStep verifies what must be so of one Apply.
func checkStep(r *rapid.T, before, after *core.View, events []core.Event, effects []core.Effect) {
	for t := range before.Tasks() {
		if n := after.Task(t.Spec.ID); !t.Active() && n != nil && n != t {
			r.Fatalf("ended task %s changed from %s to %s", t.Spec.ID, t.Status.State, n.Status.State)
		}
		if n := after.Task(t.Spec.ID); t.Active() && n == nil {
			r.Fatalf("active task %s vanished", t.Spec.ID)
		}
	}
	if core.Refused(events) != nil && len(events) == 1 {
		for _, e := range effects {
			if e.Order.Kind == cluster.OrderLaunch {
				r.Fatalf("a refused command launches %s", e.Order.Task)
			}
		}
	}
	for i, e := range events {
		if e.Index != after.Index() || e.At != after.Time() {
			r.Fatalf("event %d is of index %d at %d, the state is at %d, %d", i, e.Index, e.At, after.Index(), after.Time())
		}
	}
	for _, e := range effects {
		t := after.Task(e.Order.Task)
		if e.Order.Kind == cluster.OrderLaunch && (t == nil || t.Agent != e.Agent || t.Status.State != cluster.TaskStaging || t.Killing) {
			r.Fatalf("order to launch %s on %s, which the state does not want", e.Order.Task, e.Agent)
		}
		if a := after.Agent(e.Agent); e.Order.Kind == cluster.OrderLaunch && a.State != cluster.AgentActive {
			r.Fatalf("order to launch %s on agent %s, which is %s", e.Order.Task, e.Agent, a.State)
		}
	}
}
