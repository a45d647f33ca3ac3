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
	service := pick[cluster.ServiceID](d, "service", "s1", "s2", "db")
	run := pick[cluster.RunID](d, "run", "r1", "r2", "r3")
	switch pick(d, "kind", "operator", "operator", "register", "silence", "framework", "leave", "accept", "accept", "accept",
		"update", "update", "update", "update", "kill", "service", "unservice", "run", "keeper", "keeper", "keeper", "keeper", "keeper", "keeper") {
	case "keeper":
		return d.keeper(agent)
	case "operator":
		return d.operator(agent)
	case "register":
		return d.register(agent)
	case "silence":
		if d.oneIn(10, "gone") {
			return core.AgentGone{Agent: agent}
		}
		return core.AgentUnreachable{Agent: agent}
	case "framework":
		return core.PutFramework{Framework: cluster.Framework{ID: framework, Roles: []cluster.Role{"*", "eng", "eng/db"}}}
	case "leave":
		if d.oneIn(3, "remove") {
			return core.RemoveFramework{Framework: framework}
		}
		if d.oneIn(3, "expire") {
			return core.ExpireFramework{Framework: framework}
		}
		return core.DisconnectFramework{Framework: framework}
	case "accept":
		return d.accept(framework, agent, service, run)
	case "update":
		st := d.status(d.task())
		st.Agent = agent
		if t := d.view.Task(st.Task); t != nil && !d.oneIn(20, "wrong agent") {
			st.Agent = t.Agent
		}
		return core.UpdateTask{Status: st}
	case "kill":
		return core.KillTask{Task: d.task(), Grace: cluster.Millis(rapid.IntRange(-1, 2).Draw(d.T, "grace")),
			Reason: pick[cluster.Reason](d, "kill reason", "", "", cluster.ReasonPreempted, cluster.ReasonLimit)}
	case "service":
		if service == "db" {
			return core.PutService{Spec: d.stateful(), Over: d.oneIn(2, "over")}
		}
		return core.PutService{Over: d.oneIn(2, "over"), Spec: cluster.ServiceSpec{ID: service, Pods: []cluster.PodSpec{
			{Name: "p", Count: rapid.IntRange(0, 3).Draw(d.T, "count"), Tasks: []cluster.TaskTemplate{template("main", cluster.GoalOnce)}}}}}
	case "unservice":
		if svc := d.view.Service(service); svc != nil && svc.Removing {
			return core.ForgetService{Service: service}
		}
		return core.RemoveService{Service: service, KeepData: d.oneIn(2, "keep")}
	}
	if d.oneIn(2, "cancel") {
		return core.CancelRun{Run: run}
	}
	return core.PutRun{Spec: cluster.RunSpec{ID: run, Service: service, Task: template("driver", cluster.GoalFinish)}}
}

func (d drawer) accept(framework cluster.FrameworkID, agent cluster.AgentID, service cluster.ServiceID, run cluster.RunID) core.Command {
	c := core.AcceptOffers{Framework: framework, Role: pick[cluster.Role](d, "role", "*", "*", "eng", "eng/db", "ops"), Agent: agent,
		Offered: cluster.Resources{CPU: 4000, Mem: 1024, Ports: ports("31000-31004")}}
	if a := d.view.Agent(agent); a != nil && d.oneIn(2, "as it is") {
		c.Offered, c.OfferedReserved = a.FreePool().Open, a.FreePool().Reserved
	}
	c.AllOrNone = d.oneIn(4, "all or none")
	if d.oneIn(2, "operations") {
		c.Operations = d.operations()
	}
	for range rapid.IntRange(0, 3).Draw(d.T, "tasks") {
		t := d.spec(c.Framework, c.Role, service, run)
		if d.oneIn(3, "reserved") {
			d.reserved(&t, agent)
		}
		c.Tasks = append(c.Tasks, t)
	}
	d.group(c.Tasks)
	return c
}

// group puts tasks into groups and networks.
func (d drawer) group(tasks []cluster.TaskSpec) {
	if len(tasks) == 0 || !d.oneIn(2, "groups") {
		return
	}
	network := pick(d, "network", nil, nil, &cluster.Network{Name: "bridge"}, &cluster.Network{Name: "cni"})
	if network != nil {
		ports := cluster.Ports(nil)
		for _, t := range tasks {
			ports = ports.Union(t.Resources.Ports)
		}
		for i, r := range ports {
			network.Ports = append(network.Ports, cluster.PortMapping{Host: r.Lo, Container: uint16(80 + i)})
		}
	}
	for i := range tasks {
		tasks[i].Group, tasks[i].Network = pick(d, "group", "g1", "g1", "g1", "g2", "t1", "", "G"), network
		if d.oneIn(10, "other network") {
			tasks[i].Network = &cluster.Network{Name: "other"}
		}
		if d.oneIn(5, "mount") {
			tasks[i].Container.Volumes = []cluster.VolumeMount{{Volume: pick(d, "volume", "v1", "v2"), Path: "/data"}}
		}
	}
}

// operator is what an operator can ask for.
func (d drawer) operator(agent cluster.AgentID) core.Command {
	role := pick[cluster.Role](d, "quota role", "eng", "ops")
	switch pick(d, "wish", "drain", "expire", "deactivate", "reactivate", "reactivate", "maintenance", "operate", "quota", "weights") {
	case "drain":
		return core.DrainAgent{Agent: agent, Deadline: d.view.Time() + cluster.Time(rapid.IntRange(-1, 1).Draw(d.T, "deadline")*70_000),
			MaxGrace: cluster.Millis(rapid.IntRange(-1, 2).Draw(d.T, "max grace")), MarkGone: d.oneIn(10, "mark gone")}
	case "expire":
		return core.ExpireDrain{Agent: agent}
	case "deactivate":
		return core.DeactivateAgent{Agent: agent}
	case "reactivate":
		return core.ReactivateAgent{Agent: agent}
	case "maintenance":
		return core.PutMaintenance{Agents: []cluster.AgentID{agent}, Window: &cluster.Unavailability{Start: 5}}
	case "operate":
		return core.OperateAgent{Agent: agent, Operations: d.operations()}
	case "quota":
		return core.PutQuota{Quotas: []cluster.Quota{{Role: role, Guarantee: cluster.Scalars{CPU: rapid.Int64Range(0, 9000).Draw(d.T, "guarantee")}}}, Force: d.oneIn(2, "force")}
	}
	return core.PutWeights{Weights: []core.Weight{{Role: role, Weight: rapid.Int64Range(-1, 2000).Draw(d.T, "weight")}}}
}

// stack is one of few, so that they meet.
func (d drawer) stack() cluster.Stack {
	eng := cluster.Reservation{Role: "eng"}
	return pick(d, "stack", cluster.Stack{eng}, cluster.Stack{{Role: "eng", Static: true}}, cluster.Stack{eng, {Role: "eng/db"}}, cluster.Stack{{Role: "eng/db"}},
		cluster.Stack{{Role: "eng", Static: true}, {Role: "eng/db"}}, cluster.Stack{{Role: "eng", Labels: map[string]string{"a": "b"}}})
}

func (d drawer) volume() *cluster.Volume {
	return &cluster.Volume{ID: pick(d, "volume", "v1", "v2"), Path: "data", Size: rapid.Int64Range(0, 60).Draw(d.T, "size")}
}

func (d drawer) operations() []cluster.Operation {
	var out []cluster.Operation
	for range rapid.IntRange(0, 3).Draw(d.T, "operations") {
		o := cluster.Operation{Kind: pick(d, "operation", cluster.OpReserve, cluster.OpReserve, cluster.OpUnreserve, cluster.OpCreate, cluster.OpDestroy), Stack: d.stack()}
		if o.Kind == cluster.OpCreate || o.Kind == cluster.OpDestroy {
			o.Volume = d.volume()
		} else {
			o.Resources = cluster.Resources{CPU: rapid.Int64Range(-1, 1500).Draw(d.T, "op cpus"), Disk: rapid.Int64Range(0, 60).Draw(d.T, "op disk")}
			if d.oneIn(3, "op port") {
				o.Resources.Ports = cluster.Port(rapid.Uint16Range(31000, 31005).Draw(d.T, "op number"))
			}
		}
		out = append(out, o)
	}
	return out
}

// reserved takes part of a task out of what is reserved, as it is or made up.
func (d drawer) reserved(s *cluster.TaskSpec, agent cluster.AgentID) {
	part := cluster.Reserves{{Stack: d.stack(), Resources: cluster.Resources{CPU: rapid.Int64Range(0, 800).Draw(d.T, "reserved cpus")}}}
	if a := d.view.Agent(agent); a != nil && len(a.Reserved) > 0 && d.oneIn(2, "of the agent") {
		part = cluster.Reserves{pick(d, "reserved", a.Reserved...)}
	}
	s.Reserved = part
	if d.oneIn(4, "overdraw") {
		return
	}
	s.Resources = s.Resources.Plus(part.Flat())
	for i, p := range s.Resources.Ports { // they must all have a name
		for n := int(p.Lo); n <= int(p.Hi); n++ {
			if s.Ports == nil {
				s.Ports = map[string]uint16{}
			}
			s.Ports[fmt.Sprintf("p%d-%d", i, n)] = uint16(n)
		}
	}
	delete(s.Ports, "http")
}

// register is an agent with most of the tasks it should have, and others.
func (d drawer) register(agent cluster.AgentID) core.Command {
	c := core.RegisterAgent{Boot: pick(d, "boot", "b1", "b2"), Agent: cluster.Agent{ID: agent, Total: cluster.Resources{
		CPU: rapid.Int64Range(1, 4).Draw(d.T, "cpus") * 1000, Mem: 1024, Disk: 100, Ports: ports("31000-31004")}}}
	if n := rapid.Int64Range(0, 3).Draw(d.T, "static"); n > 0 {
		c.Agent.Reserved = cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: "eng", Static: true}}, Resources: cluster.Resources{CPU: n * 400, Disk: 50}})
	}
	if a := d.view.Agent(agent); a != nil && d.oneIn(2, "counts") {
		c.Life, c.Attempt = pick(d, "life", "m1", "m1", "m2", a.Life), a.Attempt+rapid.Int64Range(-1, 2).Draw(d.T, "attempt")
	}
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
	rapid.Check(t, func(r *rapid.T) { life(r, 1, drawer.command) })
}

// life is a random life of at least so many commands.
func life(r *rapid.T, least int, draw func(drawer) core.Command) {
	s := core.New()
	var log [][]byte
	var snapshot []byte
	var kept *core.View
	var keptHash string
	at := cluster.Time(1)
	first := beginning()
	for i := range len(first) + rapid.IntRange(least, 100).Draw(r, "steps") {
		var c core.Command
		if i < len(first) {
			c = first[i]
		} else {
			c = draw(drawer{r, s.View()})
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
		checkGroups(r, before, s.View(), c)
		checkKept(r, before, s.View(), c)
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
}

// beginning is a cluster in which something can happen.
func beginning() []core.Command {
	var out []core.Command
	for _, a := range []cluster.AgentID{"a1", "a2", "a3"} {
		out = append(out, core.RegisterAgent{Agent: cluster.Agent{ID: a, Total: cluster.Resources{CPU: 4000, Mem: 1024, Disk: 100, Ports: ports("31000-31004")},
			Reserved: cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: "eng", Static: true}}, Resources: cluster.Resources{CPU: 1200, Disk: 50}})}})
	}
	for _, f := range []cluster.FrameworkID{"services", "jobs"} {
		out = append(out, core.PutFramework{Framework: cluster.Framework{ID: f, Roles: []cluster.Role{"*", "eng", "eng/db"}}})
	}
	return append(out,
		core.PutService{Spec: cluster.ServiceSpec{ID: "s1", Pods: []cluster.PodSpec{{Name: "p", Count: 3, Tasks: []cluster.TaskTemplate{template("main", cluster.GoalOnce)}}}}},
		core.PutRun{Spec: cluster.RunSpec{ID: "r1", Service: "s1", Task: template("driver", cluster.GoalFinish)}},
		core.PutService{Spec: drawn(2, 20, true)})
}

// checkAgent verifies that nothing of an agent appears or vanishes but by its
// registration: what is open and what is reserved are its total.
func checkAgent(r *rapid.T, before, after *core.Agent) {
	if before == nil || after == nil || after.Shrunk || !before.Info.Total.Equal(after.Info.Total) {
		return
	}
	if free := after.FreePool(); after.Offerable() && !free.Flat().Plus(after.Allocated).Equal(after.Info.Total) {
		r.Fatalf("agent %s: %v free and %s allocated are not its %s", after.Info.ID, free, after.Allocated, after.Info.Total)
	}
}

// checkGroups verifies that of each group of an acceptance all tasks were
// launched, or none, and only where no such group was active.
func checkGroups(r *rapid.T, before, after *core.View, c core.Command) {
	accept, ok := c.(core.AcceptOffers)
	if !ok {
		return
	}
	members, launched := map[string]int{}, map[string]int{}
	for _, t := range accept.Tasks {
		members[t.Group]++
		if n := after.Task(t.ID); before.Task(t.ID) == nil && n != nil && n.Active() {
			launched[t.Group]++
		}
	}
	for _, g := range sorted(members) {
		if g == "" || launched[g] == 0 {
			continue
		}
		if launched[g] != members[g] {
			r.Fatalf("%d of the %d tasks of group %s are launched", launched[g], members[g], g)
		}
		for t := range before.GroupTasks(g) {
			r.Fatalf("group %s is launched while %s of such a group is active", g, t.Spec.ID)
		}
	}
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
	for id := range map[cluster.AgentID]bool{"a1": true, "a2": true, "a3": true} {
		checkAgent(r, before.Agent(id), after.Agent(id))
		if b, a := before.Agent(id), after.Agent(id); b != nil && b.Life == a.Life && b.Attempt > a.Attempt {
			r.Fatalf("agent %s: attempt %d of life %s came after attempt %d", id, a.Attempt, a.Life, b.Attempt)
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
