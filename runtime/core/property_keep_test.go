package core_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// drawn is a service that keeps its data, small enough for the agents of the
// property test. Its places are reserved for eng/db.
func drawn(count int, size int64, port bool) cluster.ServiceSpec {
	format, main := template("format", cluster.GoalOnce), template("main", cluster.GoalRunning)
	format.Resources, main.Resources = cluster.Resources{CPU: 100, Mem: 10}, cluster.Resources{CPU: 500, Mem: 10}
	if port {
		main.Ports = []cluster.PortSpec{{Name: "client"}}
	}
	step := func(name string) cluster.Step { return cluster.Step{Name: name, Run: "job"} }
	last := cluster.Step{Name: "last", Run: "job", Confirm: true, NoReturn: true}
	return cluster.ServiceSpec{ID: "db", Role: "eng", Pods: []cluster.PodSpec{{Name: "p", Count: count, Tasks: []cluster.TaskTemplate{format, main},
		Volumes: []cluster.VolumeSpec{{Name: "data", Size: size, Path: "/data"}, {Name: "log", Size: 1, Path: "/log"}}}},
		Runs:   []cluster.RunTemplate{{Name: "job", Task: template("job", cluster.GoalFinish)}},
		Deploy: []cluster.Phase{{Name: "a", Pod: "p", Gate: "job", Steps: []cluster.Step{step("first"), last}}},
		Plans:  []cluster.PlanSpec{{Name: "repair", Phases: []cluster.Phase{{Name: "b", Steps: []cluster.Step{step("x"), step("y")}}}}}}
}

// TestKeeper_properties is TestApply_properties over lives that are long and full
// of what services with data go through.
func TestKeeper_properties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		life(r, 30, func(d drawer) core.Command {
			agent := pick[cluster.AgentID](d, "agent", "a1", "a2")
			switch pick(d, "kind", "keeper", "keeper", "keeper", "keeper", "keeper", "keeper", "work", "work", "work", "work", "put", "remove", "agent", "any") {
			case "keeper":
				return d.keeper(agent)
			case "work":
				return d.work()
			case "put":
				return core.PutService{Spec: d.stateful(), Over: d.oneIn(2, "over")}
			case "remove":
				if svc := d.view.Service("db"); svc != nil && svc.Removing {
					return core.ForgetService{Service: "db"}
				}
				if d.oneIn(2, "really") {
					return core.RemoveService{Service: "db", KeepData: !d.oneIn(3, "lose")}
				}
			case "agent":
				if a := d.view.Agent(agent); a.State == cluster.AgentUnreachable {
					return d.register(agent)
				}
				return core.AgentUnreachable{Agent: agent}
			}
			return d.command()
		})
	})
}

// work lets a task get on, most often to a good end.
func (d drawer) work() core.Command {
	var active []*cluster.Task
	for t := range d.view.Tasks() {
		if t.Active() {
			active = append(active, t)
		}
	}
	if len(active) == 0 {
		return d.job("a1")
	}
	t := pick(d, "active task", active...)
	return core.UpdateTask{Status: cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: pick(d, "end", cluster.TaskRunning, cluster.TaskFinished, cluster.TaskFinished, cluster.TaskFailed, cluster.TaskKilled)}}
}

// stateful draws a spec of db, most often as it is.
func (d drawer) stateful() cluster.ServiceSpec {
	size := int64(20)
	if d.oneIn(8, "other size") {
		size = 21
	}
	s := drawn(rapid.IntRange(0, 3).Draw(d.T, "count"), size, d.oneIn(2, "client port"))
	if d.oneIn(8, "other pod") {
		s.Pods[0].Name, s.Deploy = "q", nil
	}
	if d.oneIn(8, "other role") {
		s.Role = "ops"
	}
	return s
}

// keeper draws what is about places, plans and changes.
func (d drawer) keeper(agent cluster.AgentID) core.Command {
	svc := d.view.Service("db")
	index := rapid.IntRange(0, 3).Draw(d.T, "instance")
	switch pick(d, "wish", "place", "place", "place", "launch", "launch", "launch", "release", "restart", "plan", "plan", "step", "step", "job", "settle", "settle", "rollback", "leftovers") {
	case "place":
		if svc != nil {
			return d.place(svc, agent, index)
		}
	case "launch":
		if svc != nil && len(svc.Places) > 0 {
			return d.launch(svc)
		}
	case "release":
		c := core.ReleasePlaces{Service: "db", Instances: []string{core.InstanceKey("p", index)}}
		if svc != nil && len(svc.Places) > 0 && !d.oneIn(4, "any instance") {
			c.Instances = []string{pick(d, "placed", sorted(svc.Places)...)}
			if d.oneIn(3, "all") {
				c.Instances = sorted(svc.Places)
			}
		}
		return c
	case "plan":
		return d.call(svc)
	case "step":
		return d.step(svc)
	case "job":
		return d.job(agent)
	case "settle":
		c := core.SettleService{Service: pick[cluster.ServiceID](d, "settled", "s1", "s2", "db", "db")}
		if s := d.view.Service(c.Service); s != nil {
			c.Generation = s.Generation
		}
		return c
	case "rollback":
		c := core.RollbackService{Service: pick[cluster.ServiceID](d, "back", "s1", "db", "db")}
		if s := d.view.Service(c.Service); s != nil && len(s.History) > 0 && d.oneIn(2, "named") {
			c.Generation = pick(d, "version", s.History...).Generation
		}
		return c
	case "leftovers":
		return core.ReleaseLeftovers{Service: "db"}
	}
	return core.RestartInstance{Service: "db", Pod: "p", Index: index, Task: pick(d, "its task", "", "", "main", "nosuch"), Replace: d.oneIn(2, "replace")}
}

// call draws a wish on a plan, most often on one that goes on.
func (d drawer) call(svc *core.Service) core.Command {
	c := core.PlanCall{Service: "db", Plan: pick(d, "plan", "deploy", "update", "repair", "nosuch")}
	if svc != nil && !d.oneIn(6, "any plan") {
		c.Plan = "repair"
		for _, name := range sorted(svc.Plans) {
			if svc.Plans[name].Running() && !d.oneIn(3, "another plan") {
				c.Plan = name
			}
		}
		if c.Plan == "repair" && !svc.Plans["repair"].Running() {
			c.Verb = core.VerbStart
			return c
		}
	}
	c.Verb = pick(d, "verb", core.VerbConfirm, core.VerbForce, core.VerbRestart, core.VerbConfirm, core.VerbForce, core.VerbRestart,
		core.VerbPause, core.VerbResume, core.VerbResume, core.VerbStop, core.VerbStart, "dance")
	switch c.Verb {
	case core.VerbConfirm, core.VerbForce, core.VerbRestart:
		c.Phase = "a"
		c.Step = pick(d, "part", "", "first", "last", "last", "p-0", "p-9")
		if c.Plan == "repair" {
			c.Phase, c.Step = "b", pick(d, "part", "x", "y", "")
		}
	}
	return c
}

// place makes a place for an instance, sometimes not as it should be.
func (d drawer) place(svc *core.Service, agent cluster.AgentID, index int) core.Command {
	c := core.AcceptOffers{Framework: "services", Role: "eng/db", Agent: agent, AllOrNone: !d.oneIn(10, "some")}
	if a := d.view.Agent(agent); a != nil {
		c.Offered, c.OfferedReserved = a.FreePool().Open, a.FreePool().Reserved
	}
	pod := svc.Spec.Pods[0]
	for range rapid.IntRange(1, 2).Draw(d.T, "places") {
		m := core.PlaceFor{Service: "db", Pod: pod.Name, Index: index}
		p := &m.Place
		p.Agent, p.Resources = agent, cluster.Resources{CPU: 600, Mem: 20}
		p.Stack = cluster.Stack{{Role: "eng/db"}}
		if svc.Spec.Role == "eng" && d.oneIn(3, "refined") {
			p.Stack = cluster.Stack{{Role: "eng", Static: true}, {Role: "eng/db"}}
			p.Resources.Mem = 0 // the agents have no other static reservation
		}
		if len(pod.Tasks[1].Ports) > 0 != d.oneIn(10, "wrong ports") && p.Resources.Mem > 0 {
			n := rapid.Uint16Range(31000, 31004).Draw(d.T, "client")
			p.Ports, p.Resources.Ports = map[string]uint16{"client": n}, cluster.Port(n)
		}
		for _, v := range pod.Volumes {
			p.Volumes = append(p.Volumes, cluster.Volume{ID: fmt.Sprintf("db.%s.%s.%d", core.InstanceKey(pod.Name, index), v.Name, d.view.Index()), Path: v.Name, Size: v.Size})
		}
		whole := p.Resources
		whole.Disk = 21
		c.Operations = append(c.Operations, cluster.Operation{Kind: cluster.OpReserve, Stack: p.Stack, Resources: whole})
		for _, v := range p.Volumes {
			c.Operations = append(c.Operations, cluster.Operation{Kind: cluster.OpCreate, Stack: p.Stack, Volume: &v})
		}
		c.Places = append(c.Places, m)
		index++
	}
	if d.oneIn(10, "another operation") {
		c.Operations = append(c.Operations, d.operations()...)
	}
	return c
}

// launch launches a task of an instance on its place, sometimes with less or
// more than it should take.
func (d drawer) launch(svc *core.Service) core.Command {
	k := pick(d, "placed", sorted(svc.Places)...)
	p := svc.Places[k]
	i := strings.LastIndexByte(k, '-')
	t := cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("%s.%d", k, d.view.Index())), Framework: "services", Role: "eng/db", Service: "db", Pod: k[:i], Index: int(k[i+1] - '0'),
		Task: pick(d, "its task", "format", "main"), Goal: cluster.GoalOnce, Container: cluster.Container{Image: "i"}}
	part := cluster.Reserved{Stack: p.Stack, Resources: p.Resources, Volumes: p.Volumes}
	switch pick(d, "spoil", "", "", "", "", "no volumes", "one volume", "more", "of another") {
	case "no volumes":
		part.Volumes = nil
	case "one volume":
		part.Volumes = part.Volumes[:1]
	case "more":
		part.Resources.CPU += 100
	case "of another":
		part.Volumes = svc.Places[pick(d, "other", sorted(svc.Places)...)].Volumes
	}
	t.Reserved, t.Resources = cluster.NewReserves(part), part.Flat()
	if len(p.Ports) > 0 {
		t.Ports = p.Ports
	}
	c := core.AcceptOffers{Framework: "services", Role: "eng/db", Agent: p.Agent, Tasks: []cluster.TaskSpec{t}}
	if a := d.view.Agent(p.Agent); a != nil {
		c.Offered, c.OfferedReserved = a.FreePool().Open, a.FreePool().Reserved
	}
	if d.oneIn(4, "with others") {
		other := d.spec("services", "eng/db", "s1", "r1")
		d.reserved(&other, p.Agent)
		c.Tasks = append(c.Tasks, other)
	}
	return c
}

// step draws a run of a step of a plan, most often one that goes on.
func (d drawer) step(svc *core.Service) core.Command {
	s := cluster.RunSpec{ID: cluster.RunID(fmt.Sprintf("step-%d", d.view.Index())), Service: "db", Task: template("job", cluster.GoalFinish)}
	key := pick(d, "step key", "a/first", "a/last", "a/last", "a/p-0", "b/x", "b/y", "b/x", "b/y", "a", "a/p-9")
	s.Plan = &cluster.PlanStep{Plan: pick(d, "plan", "deploy", "update"), Key: key, NoReturn: key == "a/last"}
	if strings.HasPrefix(key, "b/") {
		s.Plan.Plan = "repair"
	}
	if svc != nil && svc.Plans["deploy"].Running() && s.Plan.Plan == "update" {
		s.Plan.Plan = "deploy"
	}
	if svc != nil && svc.Plans[s.Plan.Plan] != nil && !d.oneIn(10, "of another start") {
		s.Plan.Started = svc.Plans[s.Plan.Plan].Started
	}
	return core.PutRun{Spec: s}
}

// job launches a run that waits.
func (d drawer) job(agent cluster.AgentID) core.Command {
	c := core.AcceptOffers{Framework: "jobs", Role: "*", Agent: agent, Offered: cluster.Resources{CPU: 1}}
	for r := range d.view.Runs() {
		if r.State == core.RunPending {
			c.Tasks = append(c.Tasks, cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("job.%d", d.view.Index())), Framework: "jobs", Role: "*", Service: r.Spec.Service, Run: r.Spec.ID,
				Task: "job", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "i"}, Resources: cluster.Resources{CPU: 1}})
			break
		}
	}
	return c
}

// checkKept verifies that places and what was done are given up by word only.
func checkKept(r *rapid.T, before, after *core.View, c core.Command) {
	kept := func(v *core.View) map[string]*cluster.Place {
		out := map[string]*cluster.Place{}
		for s := range v.Services() {
			for _, k := range sorted(s.Places) {
				out[string(s.Spec.ID)+"/"+k] = s.Places[k]
			}
		}
		for l := range v.Leftovers() {
			for _, k := range sorted(l.Places) {
				out[string(l.Service)+"/"+k] = l.Places[k]
			}
		}
		return out
	}
	was, is := kept(before), kept(after)
	for _, k := range sorted(was) {
		if is[k] == was[k] {
			continue
		}
		_, released := c.(core.ReleasePlaces)
		_, left := c.(core.ReleaseLeftovers)
		gone := before.Agent(was[k].Agent).State == cluster.AgentGone
		if _, forgotten := c.(core.ForgetService); is[k] != nil || !released && !left && !(forgotten && gone) {
			r.Fatalf("%s takes the place of %s", c.Kind(), k)
		}
		for t := range after.AgentTasks(was[k].Agent) {
			for _, x := range t.Spec.Reserved {
				for _, v := range x.Volumes {
					if v == was[k].Volumes[0] {
						r.Fatalf("the place of %s was released under task %s", k, t.Spec.ID)
					}
				}
			}
		}
	}
	for s := range before.Services() {
		n := after.Service(s.Spec.ID)
		if n == nil {
			continue
		}
		if n.NoReturn < s.NoReturn || n.Settled < s.Settled {
			r.Fatalf("%s leads service %s back: settled %d to %d, no return before %d to %d", c.Kind(), s.Spec.ID, s.Settled, n.Settled, s.NoReturn, n.NoReturn)
		}
		checkDone(r, s, n, c)
	}
}

// checkDone verifies that steps which were done stay so until a person wants
// them again, or the plan starts again.
func checkDone(r *rapid.T, s, n *core.Service, c core.Command) {
	for _, name := range sorted(s.Plans) {
		p, q := s.Plans[name], n.Plans[name]
		if q == nil || q.Started != p.Started {
			continue
		}
		call, _ := c.(core.PlanCall)
		for _, k := range sorted(p.Done) {
			if _, ok := q.Done[k]; !ok && call.Verb != core.VerbRestart {
				r.Fatalf("%s forgets that %s of plan %s is done", c.Kind(), k, name)
			}
		}
	}
}
