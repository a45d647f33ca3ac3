package service_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// TestScenarios runs the files of testdata: each is a cluster without a master,
// whose state is the real core and whose offers are all that is free.
//
//	agents              lines "a1 cpus=4 mem=1024 store=1024 ports=8080,31000-31009 zone=z1 reserved=dev:2", with "rack=r1" for attributes
//	put id=web [role=R] [priority=N] [preemptible] [deadline=MS] [rollback]
//	                    lines "pod NAME count=N [unique] [gang] [min=N] [network=N] [rules=rack:MAX_PER:2,@zone:GROUP_BY] [volumes=data:512] [recovery=MS]",
//	                    "task NAME [goal=] [cpus=] [mem=] [ports=http,ui:80,in:0:8080] [env=K=V] [after=a,b]",
//	                    "phase POD [serial] [strategy=S] [confirm] [gate=RUN]" of deploy, "update NAME [pod=P] …" of update,
//	                    "plan NAME [confirm]" and then "phase" of it, "step NAME run=RUN [confirm] [noreturn]" of the phase before,
//	                    "run NAME [env=V]", "endpoint NAME pod=P task=T port=N", "export NAME TEXT"
//	step [offers=none]  one Step; prints its calls and applies them
//	settle              steps until nothing is asked for, prints the calls
//	task NAME STATE [ready] [leader] [reason=R]   report on the newest launch of "web-0.server"
//	up SERVICE          all launched tasks run and are ready
//	drain AGENT MS, reactivate AGENT, gone AGENT
//	kill NAME, remove SERVICE [keep], unreachable AGENT, return AGENT, advance MS
//	restart SERVICE POD INDEX [replace]
//	call SERVICE PLAN VERB [PHASE [STEP]]  what a person wants of a plan
//	run ID FINISHED|FAILED|cancel          ends the one run whose id begins so
//	rollback SERVICE, places SERVICE, plans SERVICE
//	status SERVICE      what people see
//	container NAME, spec NAME            of the newest launch
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t, w.out = t, &strings.Builder{}
			w.run(d)
			if w.out.Len() == 0 {
				return "ok\n"
			}
			return w.out.String()
		})
	})
}

type world struct {
	t      *testing.T
	out    *strings.Builder
	state  *core.State
	now    cluster.Time
	uuids  int
	agents map[cluster.AgentID]cluster.Agent
	memory service.Stepper
	mixed  bool // offers are wanted for places and for others
	others bool // and the others get them next
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, out: &strings.Builder{}, state: core.New(), now: 1_000_000, agents: map[cluster.AgentID]cluster.Agent{}}
	w.apply(core.PutFramework{Framework: cluster.Framework{ID: service.Framework, Roles: []cluster.Role{"*", "dev"}}})
	return w
}

func (w *world) apply(c core.Command) {
	w.t.Helper()
	events, _ := w.state.Apply(w.now, c)
	for _, e := range events {
		if e.Kind == core.EventRefused || e.Kind == core.EventTaskRefused || e.Kind == core.EventOperationRefused {
			fmt.Fprintf(w.out, "REFUSED %s %s\n", c.Kind(), e.Message)
		}
	}
	if err := core.Check(w.state); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) run(d *datadriven.TestData) {
	w.t.Helper()
	arg := func(i int) string {
		if i >= len(d.CmdArgs) {
			d.Fatalf(w.t, "argument %d is missing", i)
		}
		return d.CmdArgs[i].Key
	}
	switch d.Cmd {
	case "agents":
		for _, line := range strings.Split(d.Input, "\n") {
			a := parseAgent(d, w.t, line)
			w.agents[a.ID] = a
			w.apply(core.RegisterAgent{Agent: a, Boot: "b"})
		}
	case "put":
		var id string
		d.ScanArgs(w.t, "id", &id)
		w.apply(core.PutService{Spec: parseService(d, w.t, cluster.ServiceID(id)), Over: true})
	case "step":
		w.step(!d.HasArg("offers"))
	case "settle":
		for range 100 {
			if !w.step(true) && (!w.mixed || !w.step(true)) {
				return
			}
		}
		w.t.Fatal("does not settle")
	case "task":
		w.report(d, arg(0), cluster.TaskState("TASK_"+arg(1)))
	case "up":
		w.up(cluster.ServiceID(arg(0)))
	case "kill":
		w.apply(core.KillTask{Task: w.newest(arg(0)).Spec.ID})
	case "remove":
		w.apply(core.RemoveService{Service: cluster.ServiceID(arg(0)), KeepData: d.HasArg("keep")})
	case "drain":
		ms, err := strconv.Atoi(arg(1))
		if err != nil {
			d.Fatalf(w.t, "%v", err)
		}
		w.apply(core.DrainAgent{Agent: cluster.AgentID(arg(0)), Deadline: w.now.Add(cluster.Millis(ms))})
	case "reactivate":
		w.apply(core.ReactivateAgent{Agent: cluster.AgentID(arg(0))})
	case "unreachable":
		w.apply(core.AgentUnreachable{Agent: cluster.AgentID(arg(0))})
	case "return":
		w.comeBack(cluster.AgentID(arg(0)))
	case "advance":
		ms, err := strconv.Atoi(arg(0))
		if err != nil {
			d.Fatalf(w.t, "%v", err)
		}
		w.now = w.now.Add(cluster.Millis(ms))
	case "status":
		w.status(cluster.ServiceID(arg(0)))
	case "container":
		c := w.newest(arg(0)).Spec
		fmt.Fprintf(w.out, "env=%v ports=%v\n", c.Container.Env, c.Ports)
	case "spec":
		c := w.newest(arg(0)).Spec
		fmt.Fprintf(w.out, "group=%s network=%+v ports=%v listen=%v\n", c.Group, c.Network, c.Ports, c.Listen)
		fmt.Fprintf(w.out, "open: %s\n", c.Pool().Open)
		for _, r := range c.Reserved {
			fmt.Fprintf(w.out, "reserved for %s: %s\n", r.Stack, r.Resources)
		}
	default:
		w.runPlan(d, arg)
	}
}

// runPlan does the commands about places and plans.
func (w *world) runPlan(d *datadriven.TestData, arg func(int) string) {
	w.t.Helper()
	switch d.Cmd {
	case "restart":
		index, err := strconv.Atoi(arg(2))
		if err != nil {
			d.Fatalf(w.t, "%v", err)
		}
		w.apply(core.RestartInstance{Service: cluster.ServiceID(arg(0)), Pod: arg(1), Index: index, Replace: d.HasArg("replace")})
	case "call":
		c := core.PlanCall{Service: cluster.ServiceID(arg(0)), Plan: arg(1), Verb: core.Verb(arg(2))}
		if len(d.CmdArgs) > 3 {
			c.Phase = arg(3)
		}
		if len(d.CmdArgs) > 4 {
			c.Step = arg(4)
		}
		w.apply(c)
	case "run":
		w.endRun(arg(0), arg(1))
	case "rollback":
		w.apply(core.RollbackService{Service: cluster.ServiceID(arg(0))})
	case "places":
		w.places(cluster.ServiceID(arg(0)))
	case "plans":
		w.plans(cluster.ServiceID(arg(0)))
	case "gone":
		w.apply(core.AgentGone{Agent: cluster.AgentID(arg(0))})
	default:
		d.Fatalf(w.t, "unknown command %q", d.Cmd)
	}
}

// step runs one Step and applies its calls; it reports whether there were any
// but Declines.
func (w *world) step(offered bool) bool {
	w.t.Helper()
	view := w.state.View()
	offers := map[cluster.OfferID]cluster.Offer{}
	var list []cluster.Offer
	roles := w.roles(view)
	open := w.whose(view)
	for a := range view.Agents() {
		for _, role := range roles {
			free := a.FreePool()
			if !open(role) {
				free.Open = cluster.Resources{}
			}
			o := cluster.Offer{ID: cluster.OfferID(fmt.Sprintf("%s/%s", a.Info.ID, role)), Agent: a.Info,
				Framework: service.Framework, Role: role, Resources: free.Open, Reserved: free.Reserved.For(role)}
			if offered && !o.Pool().IsZero() && usesRole(view, role) {
				offers[o.ID], list = o, append(list, o)
			}
		}
	}
	r := service.Step(w.now, view, list)
	if diff := cmp.Diff(r, w.memory.Step(w.now, view, list)); diff != "" {
		w.t.Fatalf("what is asked for without (-) and with (+) memory:\n%s", diff)
	}
	acted, answered := false, 0
	for _, call := range r.Calls {
		switch c := call.(type) {
		case sched.Accept:
			acted, answered = true, answered+len(c.Offers)
			o := offers[c.Offers[0]]
			for _, t := range c.Tasks {
				fmt.Fprintf(w.out, "launch %s on %s\n", t.ID, o.Agent.ID)
			}
			for _, p := range c.Places {
				fmt.Fprintf(w.out, "place %s.%s-%d on %s\n", p.Service, p.Pod, p.Index, o.Agent.ID)
			}
			w.apply(core.AcceptOffers{Framework: service.Framework, Role: o.Role, Agent: o.Agent.ID, Offered: o.Resources, OfferedReserved: o.Reserved,
				Tasks: c.Tasks, Operations: c.Operations, Places: c.Places, AllOrNone: len(c.Places) > 0})
		case sched.Decline:
			answered++
		case sched.Kill:
			acted = true
			fmt.Fprintln(w.out, strings.TrimSpace(fmt.Sprintf("kill %s %s", c.Task, c.Reason)))
			w.apply(core.KillTask{Task: c.Task, Grace: c.Grace, Reason: c.Reason})
		case sched.Forget:
			acted = true
			fmt.Fprintf(w.out, "forget %s\n", c.Service)
			w.apply(core.ForgetService{Service: c.Service})
		default:
			acted = true
			w.change(call)
		}
	}
	if answered != len(list) {
		w.t.Fatalf("%d of %d offers were answered", answered, len(list))
	}
	if (r.Demand == 0) != (len(r.Wanted) == 0) {
		w.t.Fatalf("demand %d, wanted %v", r.Demand, r.Wanted)
	}
	if len(r.Wanted) > 0 {
		fmt.Fprintf(w.out, "wants offers: %v\n", r.Wanted)
	}
	if r.Wake != 0 {
		fmt.Fprintf(w.out, "wake in %d\n", r.Wake.Sub(w.now))
	}
	return acted
}

// whose says to which roles what is not reserved is offered: to one that wants a
// place, or to the others, in turns. The allocator offers nothing twice.
func (w *world) whose(view *core.View) func(cluster.Role) bool {
	places, others := false, false
	for _, r := range service.Step(w.now, view, nil).Wanted {
		places, others = places || isPlaceRole(r), others || !isPlaceRole(r)
	}
	w.mixed = places && others
	if !w.mixed {
		return func(cluster.Role) bool { return true }
	}
	toOthers := w.others
	w.others = !w.others
	return func(r cluster.Role) bool { return isPlaceRole(r) != toOthers }
}

func isPlaceRole(r cluster.Role) bool { return strings.Contains(string(r), "/") }

// change makes a call that is about services only.
func (w *world) change(call sched.Call) {
	switch c := call.(type) {
	case sched.Release:
		fmt.Fprintf(w.out, "release %s %v\n", c.Service, c.Instances)
		w.apply(core.ReleasePlaces{Service: c.Service, Instances: c.Instances})
	case sched.Replace:
		fmt.Fprintf(w.out, "replace %s %s-%d\n", c.Service, c.Pod, c.Index)
		w.apply(core.RestartInstance{Service: c.Service, Pod: c.Pod, Index: c.Index, Replace: true})
	case sched.Settle:
		fmt.Fprintf(w.out, "settle %s\n", c.Service)
		w.apply(core.SettleService{Service: c.Service, Generation: c.Generation})
	case sched.Run:
		fmt.Fprintf(w.out, "run %s: %s\n", c.Spec.ID, c.Spec.Name)
		w.apply(core.PutRun{Spec: c.Spec})
	case sched.Rollback:
		fmt.Fprintf(w.out, "rollback %s to %d\n", c.Service, c.Generation)
		w.apply(core.RollbackService{Service: c.Service, Generation: c.Generation, Expect: &c.Expect})
	default:
		w.t.Fatalf("unexpected call %T", call)
	}
}

// roles are those that offers are made under. As in the master, the framework
// subscribes to what it uses.
func (w *world) roles(view *core.View) []cluster.Role {
	roles := []cluster.Role{"*", "dev"}
	for s := range view.Services() {
		for i := range s.Spec.Pods {
			if r := cluster.PlaceRole(&s.Spec); len(s.Spec.Pods[i].Volumes) > 0 && !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
	}
	slices.Sort(roles)
	if f := view.Framework(service.Framework); !slices.Equal(f.Info.Roles, roles) {
		w.apply(core.PutFramework{Framework: cluster.Framework{ID: service.Framework, Roles: roles}})
	}
	return roles
}

func usesRole(view *core.View, role cluster.Role) bool {
	if role != "*" && role != "dev" {
		return true
	}
	for s := range view.Services() {
		if s.Spec.Role == role {
			return true
		}
	}
	return false
}

// newest finds the newest active task of "web-0.server" in any service.
func (w *world) newest(name string) *cluster.Task {
	w.t.Helper()
	var found *cluster.Task
	for t := range w.state.View().Tasks() {
		if t.Active() && strings.HasSuffix(t.Spec.Name, "."+name) && (found == nil || t.Launched >= found.Launched) {
			found = t
		}
	}
	if found == nil {
		w.t.Fatalf("no active task of %q", name)
	}
	return found
}

func (w *world) report(d *datadriven.TestData, name string, state cluster.TaskState) {
	w.t.Helper()
	st := cluster.TaskStatus{State: state, Ready: d.HasArg("ready"), Leader: d.HasArg("leader")}
	d.MaybeScanArgs(w.t, "reason", (*string)(&st.Reason))
	w.update(w.newest(name), st)
}

func (w *world) update(t *cluster.Task, st cluster.TaskStatus) {
	w.uuids++
	st.Task, st.Agent, st.At, st.UUID = t.Spec.ID, t.Agent, w.now, strconv.Itoa(w.uuids)
	w.apply(core.UpdateTask{Status: st})
}

func (w *world) up(id cluster.ServiceID) {
	for t := range w.state.View().ServiceTasks(id) {
		if t.Active() && !t.Killing && t.Status.State == cluster.TaskStaging {
			w.update(t, cluster.TaskStatus{State: cluster.TaskRunning, Ready: true})
		}
	}
}

// comeBack registers an agent again with the tasks the state has for it.
func (w *world) comeBack(id cluster.AgentID) {
	var held []cluster.TaskReport
	for t := range w.state.View().AgentTasks(id) {
		w.uuids++
		held = append(held, cluster.TaskReport{Spec: t.Spec, Status: cluster.TaskStatus{
			Task: t.Spec.ID, State: cluster.TaskRunning, Ready: true, UUID: strconv.Itoa(w.uuids)}})
	}
	w.apply(core.RegisterAgent{Agent: w.agents[id], Boot: "b", Tasks: held})
}

func (w *world) status(id cluster.ServiceID) {
	s, ok := service.StatusOf(w.now, w.state.View(), id)
	if !ok {
		fmt.Fprintln(w.out, "no such service")
		return
	}
	fmt.Fprintf(w.out, "%s: %s, %d of %d ready\n", s.ID, s.State, s.Ready, s.Total)
	for _, ph := range s.Deployment {
		fmt.Fprintf(w.out, "phase %s (%s): %s, %d of %d\n", ph.Name, ph.Strategy, ph.State, ph.Done, ph.Total)
	}
	for _, p := range s.Pods {
		for _, in := range p.Instances {
			fmt.Fprintf(w.out, "%s %s", in.Name, in.State)
			if in.Agent != "" {
				fmt.Fprintf(w.out, " on %s", in.Agent)
			}
			if in.Outdated {
				fmt.Fprint(w.out, " outdated")
			}
			if in.Failures > 0 {
				fmt.Fprintf(w.out, " failures=%d", in.Failures)
			}
			if in.BackoffUntil != 0 {
				fmt.Fprintf(w.out, " in %d", in.BackoffUntil.Sub(w.now))
			}
			if in.WhyText != "" {
				fmt.Fprintf(w.out, ": %s", in.WhyText)
			}
			fmt.Fprintln(w.out)
		}
	}
	for _, e := range s.Endpoints {
		fmt.Fprintf(w.out, "endpoint %s", e.Name)
		for _, a := range e.Addresses {
			fmt.Fprintf(w.out, " %s=%s:%d ready=%t", a.Instance, a.Host, a.Port, a.Ready)
		}
		fmt.Fprintln(w.out)
	}
	if len(s.Leftover) > 0 {
		fmt.Fprintf(w.out, "leftover %v\n", s.Leftover)
	}
}

// places prints where the instances of a service live.
func (w *world) places(id cluster.ServiceID) {
	svc := w.state.View().Service(id)
	if svc == nil {
		if l := w.state.View().Leftover(id); l != nil {
			fmt.Fprintf(w.out, "leftovers: %v\n", slices.Sorted(maps.Keys(l.Places)))
		}
		return
	}
	for _, k := range slices.Sorted(maps.Keys(svc.Places)) {
		p := svc.Places[k]
		fmt.Fprintf(w.out, "%s on %s for %s: %s", k, p.Agent, p.Stack, p.Resources)
		for _, v := range p.Volumes {
			fmt.Fprintf(w.out, ", %s %s", v.ID, cluster.Bytes(v.Size))
		}
		fmt.Fprintln(w.out)
	}
}

// endRun ends the run whose id begins so.
func (w *world) endRun(prefix, how string) {
	w.t.Helper()
	view := w.state.View()
	for r := range view.Runs() {
		if !strings.HasPrefix(string(r.Spec.ID), prefix) || r.State.Final() {
			continue
		}
		if how == "cancel" {
			w.apply(core.CancelRun{Run: r.Spec.ID})
			return
		}
		if r.State == core.RunPending {
			w.launchRun(r)
		}
		w.update(w.state.View().Task(w.state.View().Run(r.Spec.ID).Task), cluster.TaskStatus{State: cluster.TaskState("TASK_" + how), Message: "of " + r.Spec.Name})
		return
	}
	w.t.Fatalf("there is no active run %s…", prefix)
}

// launchRun puts a run somewhere, as the job framework would.
func (w *world) launchRun(r *core.Run) {
	w.t.Helper()
	for a := range w.state.View().Agents() {
		if free := a.FreePool(); cluster.Fits(free.Open, r.Spec.Task.Resources) == nil && !free.IsZero() {
			w.apply(core.AcceptOffers{Framework: service.Framework, Role: r.Spec.Role, Agent: a.Info.ID, Offered: free.Open, OfferedReserved: free.Reserved.For(r.Spec.Role),
				Tasks: []cluster.TaskSpec{{ID: cluster.TaskID(string(r.Spec.ID) + ".do"), Name: r.Spec.Name, Framework: service.Framework, Role: r.Spec.Role, Service: r.Spec.Service,
					Run: r.Spec.ID, Task: "do", Goal: cluster.GoalFinish, Container: r.Spec.Task.Container, Resources: r.Spec.Task.Resources}}})
			return
		}
	}
	w.t.Fatal("no agent has room for the run")
}

// words reads "name key=value flag" into the name and the rest.
func words(line string) (name string, args map[string]string) {
	fields := strings.Fields(line)
	args = map[string]string{}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		args[k] = v
	}
	return fields[0], args
}

func parseAgent(d *datadriven.TestData, t *testing.T, line string) cluster.Agent {
	t.Helper()
	id, args := words(line)
	a := cluster.Agent{ID: cluster.AgentID(id), Hostname: id + ".test", Host: "host-" + id}
	a.Total = cluster.Resources{CPU: int64(number(d, t, args["cpus"]) * 1000), Mem: int64(number(d, t, args["mem"])) << 20, Disk: int64(number(d, t, args["store"])) << 20}
	var ranges []cluster.PortRange
	for p := range strings.SplitSeq(args["ports"], ",") {
		lo, hi, found := strings.Cut(p, "-")
		if !found {
			hi = lo
		}
		if lo != "" {
			ranges = append(ranges, cluster.PortRange{Lo: uint16(number(d, t, lo)), Hi: uint16(number(d, t, hi))})
		}
	}
	a.Total.Ports = cluster.NewPorts(ranges...)
	for _, k := range slices.Sorted(maps.Keys(args)) {
		switch v := args[k]; k {
		case "cpus", "mem", "ports", "store":
		case "zone":
			a.Domain = &cluster.Domain{Region: "r", Zone: v}
		case "reserved":
			role, cpus, _ := strings.Cut(v, ":")
			a.Reserved = cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: cluster.Role(role), Static: true}},
				Resources: cluster.Resources{CPU: int64(number(d, t, cpus) * 1000)}})
		default:
			if a.Attributes == nil {
				a.Attributes = map[string]string{}
			}
			a.Attributes[k] = v
		}
	}
	return a
}

func number(d *datadriven.TestData, t *testing.T, s string) float64 {
	t.Helper()
	if s == "" {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return f
}

func parseService(d *datadriven.TestData, t *testing.T, id cluster.ServiceID) cluster.ServiceSpec {
	t.Helper()
	s := cluster.ServiceSpec{ID: id}
	d.MaybeScanArgs(t, "role", (*string)(&s.Role))
	d.MaybeScanArgs(t, "priority", &s.Priority)
	d.MaybeScanArgs(t, "deadline", (*int64)(&s.Deadline))
	s.Preemptible, s.Rollback = d.HasArg("preemptible"), d.HasArg("rollback")
	phases := &s.Deploy
	for line := range strings.SplitSeq(d.Input, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		name, args := words(rest)
		switch kind {
		case "pod":
			s.Pods = append(s.Pods, parsePod(d, t, name, args))
		case "task":
			p := &s.Pods[len(s.Pods)-1]
			p.Tasks = append(p.Tasks, parseTask(d, t, name, args))
		case "plan":
			s.Plans = append(s.Plans, cluster.PlanSpec{Name: name, Confirm: flag(args, "confirm")})
			phases = &s.Plans[len(s.Plans)-1].Phases
		case "phase":
			if phases == &s.Deploy && args["pod"] == "" && !flag(args, "nopod") {
				args["pod"] = name
			}
			*phases = append(*phases, parsePhase(name, args))
		case "update":
			phases = &s.Update
			*phases = append(*phases, parsePhase(name, args))
		case "step":
			ph := &(*phases)[len(*phases)-1]
			ph.Steps = append(ph.Steps, cluster.Step{Name: name, Run: args["run"], Confirm: flag(args, "confirm"), NoReturn: flag(args, "noreturn")})
		case "run":
			s.Runs = append(s.Runs, cluster.RunTemplate{Name: name, Task: parseTask(d, t, "do", args)})
		case "endpoint":
			s.Endpoints = append(s.Endpoints, cluster.Endpoint{Name: name, Pod: args["pod"], Task: args["task"], Port: args["port"]})
		case "export":
			_, text, _ := strings.Cut(rest, " ")
			if s.Exports == nil {
				s.Exports = map[string]string{}
			}
			s.Exports[name] = text
		default:
			d.Fatalf(t, "unknown line %q", line)
		}
	}
	if err := service.Validate(s); err != nil {
		d.Fatalf(t, "%v", err)
	}
	return s
}

func flag(args map[string]string, name string) bool { _, ok := args[name]; return ok }

func parsePod(d *datadriven.TestData, t *testing.T, name string, args map[string]string) cluster.PodSpec {
	t.Helper()
	p := cluster.PodSpec{Name: name, Count: int(number(d, t, args["count"])), Unique: flag(args, "unique"), Gang: flag(args, "gang"),
		MinReady: int(number(d, t, args["min"])), Network: args["network"], Placement: parseRules(args["rules"])}
	for v := range strings.SplitSeq(args["volumes"], ",") {
		if name, size, ok := strings.Cut(v, ":"); ok {
			p.Volumes = append(p.Volumes, cluster.VolumeSpec{Name: name, Size: int64(number(d, t, size)) << 20, Path: "/var/" + name})
		}
	}
	if v := args["recovery"]; v != "" {
		p.Recovery = &cluster.Recovery{ReplaceAfter: cluster.Millis(number(d, t, v))}
	}
	return p
}

func parsePhase(name string, args map[string]string) cluster.Phase {
	ph := cluster.Phase{Name: name, Pod: args["pod"], Strategy: cluster.Strategy(args["strategy"]), Confirm: flag(args, "confirm"), Gate: args["gate"]}
	if flag(args, "serial") {
		ph.Strategy = cluster.Serial
	}
	return ph
}

// parseRules reads "rack:MAX_PER:2,@zone:GROUP_BY".
func parseRules(text string) (out []cluster.Constraint) {
	for r := range strings.SplitSeq(text, ",") {
		parts := strings.SplitN(r, ":", 3)
		if len(parts) < 2 {
			continue
		}
		c := cluster.Constraint{Attribute: parts[0], Operator: cluster.Operator(parts[1])}
		if len(parts) == 3 {
			c.Value = parts[2]
		}
		out = append(out, c)
	}
	return out
}

func parseTask(d *datadriven.TestData, t *testing.T, name string, args map[string]string) cluster.TaskTemplate {
	t.Helper()
	task := cluster.TaskTemplate{Name: name, Goal: cluster.GoalRunning, Container: cluster.Container{Image: "i@sha256:0"}}
	if g := args["goal"]; g != "" {
		task.Goal = cluster.Goal(g)
	}
	if v := args["after"]; v != "" {
		task.After = strings.Split(v, ",")
	}
	if v := args["env"]; v != "" {
		task.Container.Env = map[string]string{"V": v}
	}
	task.Resources = cluster.Resources{CPU: int64(number(d, t, args["cpus"]) * 1000), Mem: int64(number(d, t, args["mem"])) << 20}
	if task.Resources.IsZero() {
		task.Resources.CPU = 1000
	}
	for p := range strings.SplitSeq(args["ports"], ",") {
		name, num, _ := strings.Cut(p, ":")
		num, listen, _ := strings.Cut(num, ":")
		if name != "" {
			task.Ports = append(task.Ports, cluster.PortSpec{Name: name, Port: uint16(number(d, t, num)), Listen: uint16(number(d, t, listen))})
		}
	}
	slices.SortFunc(task.Ports, func(a, b cluster.PortSpec) int { return strings.Compare(a.Name, b.Name) })
	return task
}
