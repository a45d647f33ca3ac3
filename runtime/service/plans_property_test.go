package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// TestPlans_endOrSayWhatTheyWaitFor has services with places, gates, steps and
// plans of their own live through random faults and wishes of people. What the
// framework asks for is never refused, what must run once does, and when the
// faults stop each plan ends, or says what it waits for.
func TestPlans_endOrSayWhatTheyWaitFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newPlanLab(t)
		l.put()
		for range rapid.IntRange(5, 60).Draw(t, "rounds") {
			l.frameworkStep()
			l.live(true)
			l.happen()
		}
		l.comeToRest()
	})
}

// planLab is a cluster with one service, all of whose calls are made.
type planLab struct {
	*lab
	spec   cluster.ServiceSpec
	roles  []cluster.Role
	done   map[string]bool // ONCE tasks that ended well, by their volume
	silent map[cluster.AgentID]cluster.Agent
	gone   int
	turn   int
}

const labAgents = 5

func newPlanLab(t *rapid.T) *planLab {
	l := &planLab{lab: &lab{t: t, state: core.New(), now: 1_000_000}, done: map[string]bool{}, silent: map[cluster.AgentID]cluster.Agent{}}
	l.spec = drawPlanned(t)
	l.roles = []cluster.Role{"*", cluster.PlaceRole(&l.spec)}
	l.apply(core.PutFramework{Framework: cluster.Framework{ID: service.Framework, Roles: l.roles}})
	for i := range labAgents {
		l.apply(core.RegisterAgent{Boot: "b", Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%d", i)), Hostname: fmt.Sprintf("h%d", i), Host: fmt.Sprintf("10.0.0.%d", i),
			Total: cluster.Resources{CPU: 6000, Disk: 1000, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31009})}}})
	}
	return l
}

// drawPlanned draws a service with plans.
func drawPlanned(t *rapid.T) cluster.ServiceSpec {
	s := cluster.ServiceSpec{ID: "s"}
	job := cluster.TaskTemplate{Name: "do", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "i@sha256:0"}, Resources: cluster.Resources{CPU: 100}}
	s.Runs = []cluster.RunTemplate{{Name: "check", Task: job}}
	strategies := []cluster.Strategy{"", cluster.Serial, cluster.Parallel, cluster.SerialCanary, cluster.ParallelCanary}
	phase := func(name, pod string) cluster.Phase {
		ph := cluster.Phase{Name: name, Pod: pod, Strategy: rapid.SampledFrom(strategies).Draw(t, "strategy")}
		canary := ph.Strategy == cluster.SerialCanary || ph.Strategy == cluster.ParallelCanary
		ph.Confirm = !canary && rapid.IntRange(0, 4).Draw(t, "confirm") == 0
		if rapid.Bool().Draw(t, "gate") {
			ph.Gate = "check"
		}
		if rapid.IntRange(0, 2).Draw(t, "step") == 0 {
			confirm := rapid.Bool().Draw(t, "stepConfirm")
			ph.Steps = []cluster.Step{{Name: "extra", Run: "check", Confirm: confirm, NoReturn: confirm && rapid.Bool().Draw(t, "noReturn")}}
		}
		return ph
	}
	for i := range rapid.IntRange(1, 2).Draw(t, "pods") {
		name := string(rune('p' + i))
		server := job
		server.Name, server.Goal, server.Ports = "server", cluster.GoalRunning, []cluster.PortSpec{{Name: "x" + name}}
		server.Resources.CPU = 500
		p := cluster.PodSpec{Name: name, Count: rapid.IntRange(1, 3).Draw(t, "count"), Unique: rapid.Bool().Draw(t, "unique")}
		if rapid.Bool().Draw(t, "format") {
			format := job
			format.Name, format.Goal = "format", cluster.GoalOnce
			p.Tasks, server.After = append(p.Tasks, format), []string{"format"}
		}
		p.Tasks = append(p.Tasks, server)
		if rapid.IntRange(0, 3).Draw(t, "volumes") > 0 {
			p.Volumes = []cluster.VolumeSpec{{Name: "data", Size: 100, Path: "/data"}}
			if rapid.Bool().Draw(t, "recovery") {
				p.Recovery = &cluster.Recovery{ReplaceAfter: 5000}
			}
		}
		s.Pods = append(s.Pods, p)
		if rapid.Bool().Draw(t, "deploy") {
			s.Deploy = append(s.Deploy, phase("d-"+name, name))
		}
		if rapid.Bool().Draw(t, "update") {
			s.Update = append(s.Update, phase("u-"+name, name))
		}
	}
	s.Plans = []cluster.PlanSpec{{Name: "hand", Confirm: rapid.Bool().Draw(t, "handConfirm"), Phases: []cluster.Phase{
		{Name: "one", Steps: []cluster.Step{{Name: "a", Run: "check"}, {Name: "b", Run: "check", Confirm: rapid.Bool().Draw(t, "bConfirm")}}},
		{Name: "two", Confirm: rapid.Bool().Draw(t, "twoConfirm"), Steps: []cluster.Step{{Name: "c", Run: "check"}}}}}}
	if rapid.IntRange(0, 3).Draw(t, "deadline") == 0 {
		s.Deadline, s.Rollback = 30_000, true
	}
	if err := service.Validate(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// try applies a person's command, which may be refused.
func (l *planLab) try(c core.Command) {
	l.state.Apply(l.now, c)
	l.check()
}

func (l *planLab) check() {
	if err := core.Check(l.state); err != nil {
		l.t.Fatal(err)
	}
}

// put wants the service as a new version.
func (l *planLab) put() {
	for i := range l.spec.Pods {
		if rapid.IntRange(0, 2).Draw(l.t, "changes") > 0 {
			continue
		}
		p := &l.spec.Pods[i]
		p.Tasks = slices.Clone(p.Tasks)
		p.Tasks[len(p.Tasks)-1].Container.User += "1"
		p.Count = rapid.IntRange(1, 3).Draw(l.t, "count")
	}
	l.spec.Pods = slices.Clone(l.spec.Pods)
	l.try(core.PutService{Spec: l.spec, Over: rapid.Bool().Draw(l.t, "over")})
}

// frameworkStep makes one step and all that it asks for. What is not reserved
// is offered to one of the roles, as the master does.
func (l *planLab) frameworkStep() {
	l.now += 500
	l.turn++
	view := l.state.View()
	offers := map[cluster.OfferID]cluster.Offer{}
	var list []cluster.Offer
	for a := range view.Agents() {
		for i, role := range l.roles {
			free := a.FreePool()
			o := cluster.Offer{ID: cluster.OfferID(fmt.Sprintf("%s/%d", a.Info.ID, i)), Agent: a.Info, Framework: service.Framework, Role: role, Reserved: free.Reserved.For(role)}
			if i == l.turn%2 {
				o.Resources = free.Open
			}
			if !o.Pool().IsZero() {
				offers[o.ID], list = o, append(list, o)
			}
		}
	}
	for _, call := range service.Step(l.now, view, list).Calls {
		switch c := call.(type) {
		case sched.Accept:
			l.accept(offers[c.Offers[0]], c)
		case sched.Kill:
			l.apply(core.KillTask{Task: c.Task, Reason: c.Reason})
		case sched.Release:
			l.apply(core.ReleasePlaces{Service: c.Service, Instances: c.Instances})
		case sched.Replace:
			l.apply(core.RestartInstance{Service: c.Service, Pod: c.Pod, Index: c.Index, Replace: true})
		case sched.Settle:
			l.apply(core.SettleService{Service: c.Service, Generation: c.Generation})
		case sched.Run:
			l.apply(core.PutRun{Spec: c.Spec})
		case sched.Rollback:
			l.apply(core.RollbackService{Service: c.Service, Generation: c.Generation, Expect: &c.Expect})
			l.spec = l.state.View().Service("s").Spec
		}
		l.check()
	}
}

func (l *planLab) accept(o cluster.Offer, c sched.Accept) {
	for i := range c.Tasks {
		t := &c.Tasks[i]
		if k := l.onceKey(t); t.Goal == cluster.GoalOnce && k != "" && l.done[k] {
			l.t.Fatalf("%s runs again on %s", t.ID, k)
		}
	}
	l.apply(core.AcceptOffers{Framework: service.Framework, Role: o.Role, Agent: o.Agent.ID, Offered: o.Resources, OfferedReserved: o.Reserved,
		Tasks: c.Tasks, Operations: c.Operations, Places: c.Places, AllOrNone: len(c.Places) > 0})
}

// onceKey is what a ONCE task runs once for: its volume. Without one an instance
// that is scaled away and comes back is a new one.
func (l *planLab) onceKey(t *cluster.TaskSpec) string {
	for _, v := range t.Container.Volumes {
		return t.Task + " " + v.Volume
	}
	return ""
}

// live has tasks and runs go on; with faults some fail.
func (l *planLab) live(faults bool) {
	for r := range l.state.View().Runs() {
		if r.State == core.RunPending {
			l.launchRun(r)
		}
	}
	for t := range l.state.View().ServiceTasks("s") {
		if _, silent := l.silent[t.Agent]; silent || !t.Active() || faults && rapid.IntRange(0, 2).Draw(l.t, "rests") == 0 {
			continue
		}
		bad := faults && rapid.IntRange(0, 9).Draw(l.t, "fails") == 0
		switch {
		case t.Killing && bad:
			l.report(t, cluster.TaskFailed)
		case t.Killing:
			l.report(t, cluster.TaskKilled)
		case bad:
			l.report(t, cluster.TaskFailed)
		case t.Status.State == cluster.TaskStaging:
			l.report(t, cluster.TaskRunning)
		case t.Spec.Goal != cluster.GoalRunning:
			if t.Spec.Goal == cluster.GoalOnce {
				l.done[l.onceKey(&t.Spec)] = true
			}
			l.report(t, cluster.TaskFinished)
		}
	}
	l.check()
}

func (l *planLab) launchRun(r *core.Run) {
	for a := range l.state.View().Agents() {
		if free := a.FreePool(); free.Open.CPU >= r.Spec.Task.Resources.CPU {
			l.apply(core.AcceptOffers{Framework: service.Framework, Role: "*", Agent: a.Info.ID, Offered: free.Open, Tasks: []cluster.TaskSpec{{
				ID: cluster.TaskID(string(r.Spec.ID) + ".do"), Name: "do", Framework: service.Framework, Role: "*", Service: r.Spec.Service, Run: r.Spec.ID,
				Task: "do", Goal: cluster.GoalFinish, Container: r.Spec.Task.Container, Resources: r.Spec.Task.Resources}}})
			return
		}
	}
}

// happen is a fault, or what a person does.
func (l *planLab) happen() {
	agent := cluster.AgentID(fmt.Sprintf("a%d", rapid.IntRange(0, labAgents-1).Draw(l.t, "agent")))
	a := l.state.View().Agent(agent)
	pod := &l.spec.Pods[rapid.IntRange(0, len(l.spec.Pods)-1).Draw(l.t, "pod")]
	index := rapid.IntRange(0, 2).Draw(l.t, "index")
	switch rapid.IntRange(0, 14).Draw(l.t, "event") {
	case 0:
		if a.State == cluster.AgentActive {
			l.silent[agent] = a.Info
			l.apply(core.AgentUnreachable{Agent: agent})
		}
	case 1, 2:
		l.comeBack(agent)
	case 3:
		if l.gone == 0 && a.State != cluster.AgentGone {
			l.gone++
			delete(l.silent, agent)
			l.apply(core.AgentGone{Agent: agent})
		}
	case 4:
		l.put()
	case 5:
		l.try(core.RestartInstance{Service: "s", Pod: pod.Name, Index: index, Replace: rapid.Bool().Draw(l.t, "replace")})
	case 6:
		l.try(core.RollbackService{Service: "s"})
		l.spec = l.state.View().Service("s").Spec
	case 7:
		l.try(core.PlanCall{Service: "s", Plan: "hand", Verb: core.VerbStart})
	case 8, 9:
		l.confirm()
	case 10:
		verb := rapid.SampledFrom([]core.Verb{core.VerbPause, core.VerbResume, core.VerbStop}).Draw(l.t, "verb")
		l.try(core.PlanCall{Service: "s", Plan: rapid.SampledFrom([]string{"deploy", "update", "hand"}).Draw(l.t, "plan"), Verb: verb})
	case 11:
		for r := range l.state.View().Runs() {
			if !r.State.Final() {
				l.try(core.CancelRun{Run: r.Spec.ID})
				break
			}
		}
	case 12:
		l.now += 20_000
	}
	l.check()
}

// comeBack registers a silent agent again, with the tasks it has.
func (l *planLab) comeBack(id cluster.AgentID) {
	info, silent := l.silent[id]
	if !silent {
		return
	}
	delete(l.silent, id)
	var held []cluster.TaskReport
	for t := range l.state.View().AgentTasks(id) {
		l.uuids++
		held = append(held, cluster.TaskReport{Spec: t.Spec, Status: cluster.TaskStatus{Task: t.Spec.ID, State: cluster.TaskRunning, Ready: true, At: l.now, UUID: fmt.Sprint(l.uuids)}})
	}
	l.apply(core.RegisterAgent{Agent: info, Boot: "b", Tasks: held})
}

// confirm gives every word that is waited for.
func (l *planLab) confirm() (any bool) {
	s, _ := service.StatusOf(l.now, l.state.View(), "s")
	for _, p := range s.Plans {
		for _, w := range waits(&p) {
			if w.Reason == service.WhyConfirm {
				any = true
				l.apply(core.PlanCall{Service: "s", Plan: w.Plan, Verb: core.VerbConfirm, Phase: w.Phase, Step: w.Step})
				break // others may be the same
			}
		}
	}
	return any
}

func waits(p *service.PlanStatus) (out []*service.Why) {
	if p.Why != nil {
		out = append(out, p.Why)
	}
	for _, ph := range p.Phases {
		for _, st := range ph.Steps {
			if st.Why != nil {
				out = append(out, st.Why)
			}
		}
	}
	return out
}

// comeToRest ends all faults and sees that all plans end, with the words they
// wait for; where no agent has room, that is said.
func (l *planLab) comeToRest() {
	for i := range labAgents {
		l.comeBack(cluster.AgentID(fmt.Sprintf("a%d", i)))
	}
	for _, plan := range []string{"deploy", "update", "hand"} {
		l.try(core.PlanCall{Service: "s", Plan: plan, Verb: core.VerbResume})
	}
	for round := range 400 {
		l.frameworkStep()
		l.live(false)
		l.now += 3000
		if round%20 == 19 && l.atRest() {
			return
		}
	}
	s, _ := service.StatusOf(l.now, l.state.View(), "s")
	for _, p := range s.Plans {
		l.t.Logf("%s %s: %s", p.Name, p.Status, p.WhyText)
		for _, w := range waits(&p) {
			l.t.Logf("  %s", w)
		}
	}
	l.t.Fatalf("%s, changing: %t: it neither ends nor waits", s.State, s.Changing)
}

// atRest reports whether nothing is left to be done but what waits for room. It
// does what people are asked for.
func (l *planLab) atRest() bool {
	s, _ := service.StatusOf(l.now, l.state.View(), "s")
	busy, full := l.confirm(), false
	for _, p := range s.Plans {
		if p.Status == service.PlanComplete || p.Status == service.PlanStopped || p.ByHand && p.Started == 0 {
			continue
		}
		busy = true
		if p.WhyText == "" {
			l.t.Fatalf("plan %s is %s and does not say why", p.Name, p.Status)
		}
		for _, w := range waits(&p) {
			switch w.Reason {
			case service.WhyLost:
				name := w.Command[strings.LastIndexByte(w.Command, ' ')+1:]
				pod, index, _ := strings.Cut(name, "-")
				l.try(core.RestartInstance{Service: "s", Pod: pod, Index: int(index[0] - '0'), Replace: true})
			case service.WhyResources, service.WhyPlacement:
				full = true
			}
		}
	}
	return !busy || full
}
