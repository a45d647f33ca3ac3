package core_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// TestScenarios runs the files of testdata. Each line is a command for the
// state; what it prints is its events and, after "->", its effects. Every
// command takes one second, goes through the encoding, and leaves a state that
// passes Check.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		e := &env{t: t, state: core.New(), at: 1_000_000}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			e.t = t
			return e.run(d)
		})
	})
}

// env runs the lines of a scenario.
type env struct {
	t     *testing.T
	state *core.State
	at    cluster.Time
}

func (e *env) run(d *datadriven.TestData) string {
	switch d.Cmd {
	case "advance":
		e.at += cluster.Time(number(d, "ms", 0))
		return ""
	case "show":
		return e.show(text(d, "of", ""))
	case "reconcile":
		return e.reconcile(d)
	case "due":
		var b strings.Builder
		for _, c := range e.state.View().Due(e.at) {
			fmt.Fprintf(&b, "%s %+v\n", c.Kind(), c)
		}
		return b.String()
	case "pending":
		return effects(e.state.View().Pending(cluster.AgentID(text(d, "agent", ""))))
	case "restore":
		data := e.state.Snapshot()
		s, err := core.Restore(data)
		if err != nil {
			e.t.Fatal(err)
		}
		same := s.Hash() == e.state.Hash()
		e.state = s
		return fmt.Sprintf("index %d, same hash: %t\n", s.Index(), same)
	}
	c := command(e.t, d)
	if a, ok := c.(core.AcceptOffers); ok && d.HasArg("all") {
		free := e.state.View().Agent(a.Agent).FreePool()
		a.Offered, a.OfferedReserved = free.Open, free.Reserved
		c = a
	}
	if a, ok := c.(core.AcceptOffers); ok {
		c = e.placed(d, a)
	}
	return e.apply(c)
}

func (e *env) apply(c core.Command) string {
	e.at += 1000
	at, c, err := core.Decode(core.Encode(e.at, c))
	if err != nil {
		e.t.Fatal(err)
	}
	ev, ef := e.state.Apply(at, c)
	if err := core.Check(e.state); err != nil {
		e.t.Fatalf("after %s: %v", c.Kind(), err)
	}
	return events(ev) + effects(ef)
}

// command reads one line of a scenario.
func command(t *testing.T, d *datadriven.TestData) core.Command {
	agent, task := cluster.AgentID(text(d, "agent", "")), cluster.TaskID(text(d, "task", ""))
	framework, service := cluster.FrameworkID(text(d, "framework", "services")), cluster.ServiceID(text(d, "service", ""))
	run := cluster.RunID(text(d, "run", ""))
	switch d.Cmd {
	case "register":
		return register(d, agent)
	case "unreachable":
		return core.AgentUnreachable{Agent: agent}
	case "gone":
		return core.AgentGone{Agent: agent, Principal: "admin"}
	case "framework":
		return core.PutFramework{Framework: cluster.Framework{ID: framework, Roles: roles(d), Principal: text(d, "principal", ""),
			FailoverTimeout: cluster.Millis(number(d, "timeout", 0))}}
	case "disconnect":
		return core.DisconnectFramework{Framework: framework}
	case "expire":
		return core.ExpireFramework{Framework: framework, Principal: "master"}
	case "drain":
		return core.DrainAgent{Agent: agent, Deadline: cluster.Time(number(d, "deadline", 0)), MaxGrace: cluster.Millis(number(d, "grace", 0)), MarkGone: d.HasArg("gone")}
	case "expire-drain":
		return core.ExpireDrain{Agent: agent, Principal: "master"}
	case "deactivate":
		return core.DeactivateAgent{Agent: agent}
	case "reactivate":
		return core.ReactivateAgent{Agent: agent}
	case "maintenance":
		c := core.PutMaintenance{}
		for _, a := range list(d, "agents") {
			c.Agents = append(c.Agents, cluster.AgentID(a))
		}
		if d.HasArg("start") {
			c.Window = &cluster.Unavailability{Start: cluster.Time(number(d, "start", 0)), Duration: cluster.Millis(number(d, "duration", 0))}
		}
		return c
	case "operate":
		c := core.OperateAgent{Agent: agent, Principal: "admin"}
		for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
			c.Operations = append(c.Operations, operation(t, strings.Fields(line)))
		}
		return c
	case "quota":
		return quota(t, d)
	case "weight":
		return core.PutWeights{Weights: []core.Weight{{Role: cluster.Role(text(d, "role", "")), Weight: number(d, "weight", 0)}}}
	case "remove-framework":
		return core.RemoveFramework{Framework: framework}
	case "accept":
		return accept(t, d, agent, framework)
	case "update":
		return update(d, agent, task)
	case "kill":
		return core.KillTask{Task: task, Grace: cluster.Millis(number(d, "grace", 0)), Reason: cluster.Reason(text(d, "reason", ""))}
	case "service":
		return put(t, d, service)
	case "remove-service":
		return core.RemoveService{Service: service, KeepData: d.HasArg("keep")}
	case "forget":
		return core.ForgetService{Service: service}
	case "run":
		return core.PutRun{Spec: cluster.RunSpec{ID: run, Service: service, Task: template("driver", cluster.GoalFinish), Plan: planStep(d)}}
	case "cancel":
		return core.CancelRun{Run: run}
	}
	if c := keeper(t, d, service); c != nil {
		return c
	}
	d.Fatalf(t, "no such command: %s", d.Cmd)
	return nil
}

func register(d *datadriven.TestData, agent cluster.AgentID) core.Command {
	c := core.RegisterAgent{Boot: text(d, "boot", "b1"), Life: text(d, "life", ""), Attempt: number(d, "attempt", 0), Agent: cluster.Agent{ID: agent, Host: "10.0.0." + strings.TrimLeft(string(agent), "a"),
		Total: cluster.Resources{CPU: number(d, "cpus", 4000), Mem: number(d, "mem", 1024), Ports: ports(text(d, "ports", "31000-31009"))}}}
	for _, v := range list(d, "volumes") { // role:id
		role, id, _ := strings.Cut(v, ":")
		c.Volumes = append(c.Volumes, cluster.VolumeName{Role: cluster.Role(role), ID: id})
	}
	if has := strings.TrimSpace(d.Input); has != "" { // all it has, in the text form of Mesos
		var err error
		if c.Agent.Total, c.Agent.Reserved, err = cluster.ParseResources(has); err != nil {
			panic(err)
		}
	}
	for _, r := range list(d, "tasks") { // task:state[:uuid[:seq[:ready]]]
		p := strings.Split(r, ":")
		st := cluster.TaskStatus{Task: cluster.TaskID(p[0]), State: cluster.TaskState(p[1])}
		if len(p) > 2 {
			st.UUID = p[2]
		}
		if len(p) > 3 {
			st.Seq, _ = strconv.ParseInt(p[3], 10, 64)
		}
		st.Ready = len(p) > 4
		c.Tasks = append(c.Tasks, cluster.TaskReport{Status: st})
	}
	return c
}

func roles(d *datadriven.TestData) []cluster.Role {
	names := list(d, "roles")
	if len(names) == 0 {
		return []cluster.Role{"*"}
	}
	var out []cluster.Role
	for _, r := range names {
		if r != "none" {
			out = append(out, cluster.Role(r))
		}
	}
	return out
}

func accept(t *testing.T, d *datadriven.TestData, agent cluster.AgentID, framework cluster.FrameworkID) core.Command {
	c := core.AcceptOffers{Framework: framework, Role: cluster.Role(text(d, "role", "*")), Agent: agent,
		Offered: cluster.Resources{CPU: number(d, "cpus", 4000), Mem: number(d, "mem", 1024), Ports: ports(text(d, "ports", "31000-31009"))}}
	c.AllOrNone = d.HasArg("all-or-none")
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		if words := strings.Fields(line); len(words) > 0 && slices.Contains([]string{"RESERVE", "UNRESERVE", "CREATE", "DESTROY", "MAGIC"}, words[0]) {
			c.Operations = append(c.Operations, operation(t, words))
		} else if line != "" {
			c.Tasks = append(c.Tasks, spec(t, c.Framework, c.Role, line))
		}
	}
	return c
}

func update(d *datadriven.TestData, agent cluster.AgentID, task cluster.TaskID) core.Command {
	st := cluster.TaskStatus{Task: task, Agent: agent, State: cluster.TaskState(text(d, "state", "")), UUID: text(d, "uuid", ""),
		Reason: cluster.Reason(text(d, "reason", "")), Message: text(d, "message", ""), Ready: d.HasArg("ready"), Leader: d.HasArg("leader"),
		Seq: number(d, "seq", 0), At: cluster.Time(number(d, "at", 0))}
	if d.HasArg("exit") {
		code := int(number(d, "exit", 0))
		st.ExitCode = &code
	}
	return core.UpdateTask{Status: st}
}

func put(t *testing.T, d *datadriven.TestData, service cluster.ServiceID) core.Command {
	c := core.PutService{Spec: cluster.ServiceSpec{ID: service, Role: cluster.Role(text(d, "role", ""))}, Principal: "ann", Over: d.HasArg("over")}
	for _, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		part(t, &c.Spec, strings.Fields(line))
	}
	for _, p := range list(d, "pods") { // pod:count
		name, count, _ := strings.Cut(p, ":")
		n, _ := strconv.Atoi(count)
		c.Spec.Pods = append(c.Spec.Pods, cluster.PodSpec{Name: name, Count: n, Tasks: []cluster.TaskTemplate{template("main", cluster.GoalRunning)}})
	}
	if d.HasArg("expect") {
		n := number(d, "expect", 0)
		c.Expect = &n
	}
	if d.HasArg("package") {
		c.Installation = &cluster.Installation{ID: service, Package: text(d, "package", "")}
	}
	return c
}

// spec reads a task to accept: "id cpus=100 service=s pod=p index=0 run=r ports=31000,31001 image= group=g".
func spec(t *testing.T, framework cluster.FrameworkID, role cluster.Role, line string) cluster.TaskSpec {
	t.Helper()
	words := strings.Fields(line)
	s := cluster.TaskSpec{ID: cluster.TaskID(words[0]), Framework: framework, Role: role, Task: "main", Goal: cluster.GoalRunning,
		Container: cluster.Container{Image: "r/i@sha256:00"}, Resources: cluster.Resources{CPU: 1000, Mem: 128}}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		n, _ := strconv.ParseInt(v, 10, 64)
		switch k {
		case "cpus":
			s.Resources.CPU = n
		case "mem":
			s.Resources.Mem = n
		case "service":
			s.Service = cluster.ServiceID(v)
		case "pod":
			s.Pod = v
		case "index":
			s.Index = int(n)
		case "run":
			s.Run = cluster.RunID(v)
		case "gets": // all its resources, in the text form of Mesos
			s.Resources = amount(t, v)
		case "from": // stack=amount: a part of them out of a reservation
			st, of, _ := strings.Cut(v, "=")
			s.Reserved = s.Reserved.Plus(cluster.Reserves{{Stack: stack(st, "dba"), Resources: amount(t, of)}})
		case "volume": // stack=id:size
			st, of, _ := strings.Cut(v, "=")
			s.Reserved = s.Reserved.Plus(cluster.Reserves{{Stack: stack(st, "dba"), Volumes: []cluster.Volume{*volume(of, "dba")}}})
		case "group":
			s.Group = v
		case "network":
			s.Network = network(v)
		case "listen": // port name=port
			name, of, _ := strings.Cut(v, "=")
			s.Listen = map[string]uint16{name: uint16(amountOf(of))}
		case "mount": // volume:path
			id, at, _ := strings.Cut(v, ":")
			s.Container.Volumes = append(s.Container.Volumes, cluster.VolumeMount{Volume: id, Path: at})
		case "task":
			s.Task = v
		case "goal":
			s.Goal = cluster.Goal(v)
		case "image":
			s.Container.Image = v
		case "framework":
			s.Framework = cluster.FrameworkID(v)
		case "ports":
			s.Ports = map[string]uint16{}
			for i, p := range strings.Split(v, ",") {
				n, _ := strconv.Atoi(p)
				s.Ports["p"+strconv.Itoa(i)] = uint16(n)
				s.Resources.Ports = s.Resources.Ports.Union(cluster.Port(uint16(n)))
			}
		default:
			t.Fatalf("no such field of a task: %s", w)
		}
	}
	return s
}

// network reads "name,host:container,…".
func network(s string) *cluster.Network {
	parts := strings.Split(s, ",")
	n := &cluster.Network{Name: parts[0]}
	for _, p := range parts[1:] {
		host, port, _ := strings.Cut(p, ":")
		n.Ports = append(n.Ports, cluster.PortMapping{Host: uint16(amountOf(host)), Container: uint16(amountOf(port))})
	}
	return n
}

// amountOf reads a small number; anything else is 0.
func amountOf(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// operation reads "RESERVE stack amount", "UNRESERVE stack amount",
// "CREATE stack id:size" or "DESTROY stack id"; "by=" is the principal.
func operation(t *testing.T, words []string) cluster.Operation {
	t.Helper()
	by := "dba"
	if last, ok := strings.CutPrefix(words[len(words)-1], "by="); ok {
		by = last
	}
	o := cluster.Operation{ID: "op", Kind: cluster.OperationKind(words[0]), Stack: stack(words[1], by)}
	switch o.Kind {
	case cluster.OpCreate, cluster.OpDestroy:
		o.Volume = volume(words[2], by)
	default:
		o.Resources = amount(t, words[2])
	}
	return o
}

// volume reads "id:size".
func volume(s, by string) *cluster.Volume {
	id, size, _ := strings.Cut(s, ":")
	n, _ := strconv.ParseInt(size, 10, 64)
	return &cluster.Volume{ID: id, Path: "data", Size: n << 20, Principal: by}
}

// stack reads "eng!,eng/db": layers, a static one marked by "!"; "" is none.
func stack(s, by string) cluster.Stack {
	var out cluster.Stack
	for _, role := range strings.Split(s, ",") {
		name, static := strings.CutSuffix(role, "!")
		r := cluster.Reservation{Role: cluster.Role(name), Static: static}
		if !static {
			r.Principal = by
		}
		out = append(out, r)
	}
	return out
}

func amount(t *testing.T, s string) cluster.Resources {
	t.Helper()
	r, _, err := cluster.ParseResources(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func quota(t *testing.T, d *datadriven.TestData) core.Command {
	q := cluster.Quota{Role: cluster.Role(text(d, "role", "")), Guarantee: amount(t, text(d, "guarantee", "")).Scalars()}
	if d.HasArg("limit") { // cpus only; the rest has none
		q.Limit = &cluster.Scalars{CPU: number(d, "limit", 0), Mem: cluster.Unlimited, Disk: cluster.Unlimited, GPUs: cluster.Unlimited}
	}
	return core.PutQuota{Quotas: []cluster.Quota{q}, Force: d.HasArg("force")}
}

// reconcile asks for tasks named task@agent, or for all.
func (e *env) reconcile(d *datadriven.TestData) string {
	var questions []core.TaskQuestion
	for _, q := range list(d, "tasks") {
		task, agent, _ := strings.Cut(q, "@")
		questions = append(questions, core.TaskQuestion{Task: cluster.TaskID(task), Agent: cluster.AgentID(agent)})
	}
	var b strings.Builder
	for _, st := range e.state.View().Reconcile(cluster.FrameworkID(text(d, "framework", "services")), questions...) {
		fmt.Fprintf(&b, "%s on %q %s %s %q at %d\n", st.Task, st.Agent, st.State, st.Reason, st.UUID, st.At)
	}
	return b.String()
}

func template(name string, goal cluster.Goal) cluster.TaskTemplate {
	return cluster.TaskTemplate{Name: name, Goal: goal, Container: cluster.Container{Image: "r/i@sha256:00"},
		Resources: cluster.Resources{CPU: 1000, Mem: 128}}
}

func text(d *datadriven.TestData, key, def string) string {
	if a, ok := d.Arg(key); ok && len(a.Vals) > 0 {
		return strings.Join(a.Vals, ",")
	}
	return def
}

func number(d *datadriven.TestData, key string, def int64) int64 {
	s := text(d, key, "")
	if s == "" {
		return def
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s: %s: %v", d.Pos, key, err))
	}
	return n
}

func list(d *datadriven.TestData, key string) []string {
	if a, ok := d.Arg(key); ok {
		return slices.DeleteFunc(a.Vals, func(s string) bool { return s == "" })
	}
	return nil
}

func ports(s string) cluster.Ports {
	lo, hi, ok := strings.Cut(s, "-")
	if !ok {
		return nil
	}
	a, _ := strconv.Atoi(lo)
	b, _ := strconv.Atoi(hi)
	return cluster.NewPorts(cluster.PortRange{Lo: uint16(a), Hi: uint16(b)})
}
