package core_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// apply applies commands a second apart and stops at a refusal or a broken invariant.
func apply(t testing.TB, s *core.State, commands ...core.Command) {
	t.Helper()
	for _, c := range commands {
		events, _ := s.Apply(s.View().Time()+1000, c)
		if r := core.Refused(events); r != nil {
			t.Fatalf("%s is refused: %s", c.Kind(), r.Message)
		}
		if err := core.Check(s); err != nil {
			t.Fatalf("after %s: %v", c.Kind(), err)
		}
	}
}

// small is a cluster of one agent, both frameworks and services of one instance each.
func small(t testing.TB, services ...cluster.ServiceID) *core.State {
	s := core.New()
	apply(t, s, beginning()[0])
	for _, f := range []cluster.FrameworkID{"services", "jobs"} {
		apply(t, s, core.PutFramework{Framework: cluster.Framework{ID: f, Roles: []cluster.Role{"*"}}})
	}
	for _, id := range services {
		apply(t, s, core.PutService{Spec: cluster.ServiceSpec{ID: id, Pods: []cluster.PodSpec{
			{Name: "p", Count: 1, Tasks: []cluster.TaskTemplate{template("main", cluster.GoalRunning)}}}}})
	}
	return s
}

// live launches a task and lets it end.
func live(t testing.TB, s *core.State, f cluster.FrameworkID, spec cluster.TaskSpec) {
	t.Helper()
	spec.Framework, spec.Role, spec.Container.Image, spec.Resources = f, "*", "i", cluster.Resources{CPU: 1}
	s.Apply(s.View().Time()+1000, core.AcceptOffers{Framework: f, Role: "*", Agent: "a1", Offered: cluster.Resources{CPU: 1}, Tasks: []cluster.TaskSpec{spec}})
	s.Apply(s.View().Time()+1000, core.UpdateTask{Status: cluster.TaskStatus{Task: spec.ID, Agent: "a1", State: cluster.TaskFailed}})
	if task := s.View().Task(spec.ID); task == nil || task.Status.State != cluster.TaskFailed {
		t.Fatalf("task %s did not live: %+v", spec.ID, task)
	}
}

func TestEnded_keptUpToLimit(t *testing.T) {
	var services []cluster.ServiceID
	for i := range core.MaxEnded/core.MaxEndedPerService + 2 {
		services = append(services, cluster.ServiceID(fmt.Sprintf("s%03d", i)))
	}
	s := small(t, services...)
	for i := range core.MaxEndedPerService + 1 {
		for _, svc := range services {
			live(t, s, "services", cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("%s.%d", svc, i)), Service: svc, Pod: "p", Task: "main"})
		}
	}
	if err := core.Check(s); err != nil {
		t.Fatal(err)
	}
	v := s.View()
	if v.TaskCount() != core.MaxEnded {
		t.Errorf("%d ended tasks are kept, want %d", v.TaskCount(), core.MaxEnded)
	}
	last := services[len(services)-1]
	var kept []string
	for task := range v.ServiceTasks(last) {
		kept = append(kept, string(task.Spec.ID))
	}
	if len(kept) != core.MaxEndedPerService || v.Task(cluster.TaskID(last+".0")) != nil || v.Task(cluster.TaskID(last+".20")) == nil {
		t.Errorf("service %s keeps %d: %s; want the latest %d", last, len(kept), kept, core.MaxEndedPerService)
	}
	if in := v.Instance(last, "p", 0); in.Failures != core.MaxEndedPerService+1 || in.Launches != core.MaxEndedPerService+1 {
		t.Errorf("the instance remembers %d failures of %d launches, want %d", in.Failures, in.Launches, core.MaxEndedPerService+1)
	}
}

func TestRuns_keptUpToLimit(t *testing.T) {
	s := small(t, "s1")
	for i := range core.MaxEndedRuns + 5 {
		id := cluster.RunID(fmt.Sprintf("r%03d", i))
		apply(t, s, core.PutRun{Spec: cluster.RunSpec{ID: id, Service: "s1", Task: template("driver", cluster.GoalFinish)}})
		live(t, s, "jobs", cluster.TaskSpec{ID: cluster.TaskID("t." + id), Run: id, Service: "s1"})
	}
	n := 0
	for r := range s.View().Runs() {
		if r.State != core.RunFailed {
			t.Errorf("run %s is %s", r.Spec.ID, r.State)
		}
		n++
	}
	if n != core.MaxEndedRuns || s.View().Run("r004") != nil || s.View().Run("r005") == nil {
		t.Errorf("%d ended runs are kept, want the latest %d", n, core.MaxEndedRuns)
	}
}

func TestUpdateTask_boundsText(t *testing.T) {
	s := small(t)
	live(t, s, "services", cluster.TaskSpec{ID: "t1", Task: "main"})
	spec := cluster.TaskSpec{ID: "t2", Task: "main"}
	spec.Framework, spec.Role, spec.Container.Image, spec.Resources = "services", "*", "i", cluster.Resources{CPU: 1}
	apply(t, s, core.AcceptOffers{Framework: "services", Role: "*", Agent: "a1", Offered: cluster.Resources{CPU: 1}, Tasks: []cluster.TaskSpec{spec}})
	for i := range 20 {
		apply(t, s, core.UpdateTask{Status: cluster.TaskStatus{Task: "t2", Agent: "a1", State: cluster.TaskStarting,
			UUID: fmt.Sprint(i), Message: strings.Repeat("ä", core.MaxMessage), Reason: cluster.Reason(strings.Repeat("R", 1<<16))}})
	}
	task := s.View().Task("t2")
	if n := len(task.Status.Message); n > core.MaxMessage {
		t.Errorf("the message has %d bytes, the limit is %d", n, core.MaxMessage)
	}
	if n := len(task.Status.Reason); n > 63 {
		t.Errorf("the reason has %d bytes", n)
	}
	if n := len(task.History); n != cluster.MaxTaskHistory {
		t.Errorf("%d reports are kept, want %d", n, cluster.MaxTaskHistory)
	}
	_, effects := s.Apply(0, core.UpdateTask{Status: cluster.TaskStatus{Task: "t2", Agent: "a1", State: cluster.TaskRunning, UUID: strings.Repeat("u", 1000)}})
	if got := s.View().Task("t2").Status.State; got != cluster.TaskStarting || len(effects) != 1 || len(effects[0].Order.UUID) > 100 {
		t.Errorf("a report with a uuid of 1000 bytes: state %s, effects %+v", got, effects)
	}
}

// TestHuge adds the largest amounts there are: no sum over them wraps around.
func TestHuge(t *testing.T) {
	s := small(t)
	most := cluster.Resources{CPU: cluster.MaxAmount, Mem: cluster.MaxAmount, Disk: cluster.MaxAmount, GPUs: cluster.MaxAmount}
	for _, more := range []int64{1, math.MaxInt64 - cluster.MaxAmount} {
		over := most
		over.CPU += more
		events, _ := s.Apply(0, core.RegisterAgent{Agent: cluster.Agent{ID: "huge", Total: over}})
		if r := core.Refused(events); r == nil || r.Code != core.CodeInvalid {
			t.Errorf("an agent with %d cpus: %+v", over.CPU, events)
		}
		events, _ = s.Apply(0, core.AcceptOffers{Framework: "services", Role: "*", Agent: "a1", Offered: over})
		if r := core.Refused(events); r == nil || r.Code != core.CodeInvalid {
			t.Errorf("an offer of %d cpus: %+v", over.CPU, events)
		}
	}
	agents := 0
	for ; agents <= cluster.MaxAgents; agents++ {
		events, _ := s.Apply(0, core.RegisterAgent{Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("huge-%d", agents)), Total: most}})
		if r := core.Refused(events); r != nil {
			if r.Code != core.CodeConflict || !strings.Contains(r.Message, "more than can be counted") {
				t.Errorf("refused as %+v", r)
			}
			break
		}
	}
	if total := s.View().Total(); agents == 0 || agents > cluster.MaxAgents || total.CPU < cluster.MaxAmount {
		t.Errorf("%d of the largest agents are taken, with %d cpus in all", agents, total.CPU)
	}
	huge := cluster.TaskSpec{Framework: "services", Role: "*", Task: "main", Container: cluster.Container{Image: "i"}, Resources: most}
	c := core.AcceptOffers{Framework: "services", Role: "*", Agent: "huge-0", Offered: most}
	for i := range 20 { // together they are more than an int64 holds
		huge.ID = cluster.TaskID(fmt.Sprintf("t%d", i))
		c.Tasks = append(c.Tasks, huge)
	}
	_, effects := s.Apply(0, c)
	if len(effects) != 1 {
		t.Errorf("%d of 20 tasks that each take the whole agent are launched", len(effects))
	}
	if err := core.Check(s); err != nil {
		t.Fatal(err)
	}
}

func TestAcceptOffers_boundsTasks(t *testing.T) {
	s := small(t)
	events, effects := s.Apply(0, core.AcceptOffers{Framework: "services", Role: "*", Agent: "a1", Tasks: make([]cluster.TaskSpec, core.MaxTasksPerAccept+1)})
	if r := core.Refused(events); r == nil || r.Code != core.CodeInvalid || len(effects) != 0 {
		t.Errorf("an acceptance of too many tasks: %+v, %+v", events, effects)
	}
}

func TestView_reads(t *testing.T) {
	s := small(t, "s1", "s2")
	apply(t, s, core.PutService{Over: true, Spec: s.View().Service("s2").Spec, Installation: &cluster.Installation{ID: "s2", Package: "nginx"}})
	v := s.View()
	apply(t, s, core.PutService{Over: true, Spec: v.Service("s1").Spec, Installation: &cluster.Installation{ID: "s1", Package: "spark"}})
	var old, now []string
	for in := range v.Installations() {
		old = append(old, in.Package)
	}
	for in := range s.View().Installations() {
		now = append(now, in.Package)
	}
	if fmt.Sprint(old, now) != "[nginx] [spark nginx]" {
		t.Errorf("installations: %v before, %v after", old, now)
	}
	if v.AgentCount() != 1 || v.Total().CPU != 4000 || v.Agent("a9") != nil || v.Index() != s.Index()-1 {
		t.Errorf("%d agents with %d, index %d of %d", v.AgentCount(), v.Total().CPU, v.Index(), s.Index())
	}
	if in := v.Instance("s1", "p", 7); in.Launches != 0 {
		t.Errorf("an instance that never was: %+v", in)
	}
	if p := v.Pending("a9"); p != nil {
		t.Errorf("orders for an agent that is not there: %v", p)
	}
}

// TestHistory_keepsWhatWorked sees that changes which are given up, however
// many, do not push the spec out that a service can go back to.
func TestHistory_keepsWhatWorked(t *testing.T) {
	s := small(t, "s1")
	good := s.View().Service("s1").Generation
	apply(t, s, core.SettleService{Service: "s1", Generation: good})
	for i := range core.MaxHistory + 3 {
		spec := s.View().Service("s1").Spec
		spec.Version = fmt.Sprint(i)
		apply(t, s, core.PutService{Spec: spec, Over: true})
	}
	if n := len(s.View().Service("s1").History); n != core.MaxHistory {
		t.Errorf("%d specs of before are kept, want %d", n, core.MaxHistory)
	}
	apply(t, s, core.RollbackService{Service: "s1"})
	if svc := s.View().Service("s1"); svc.Spec.Version != "" || svc.Plans["update"].Back != good {
		t.Errorf("it went back to version %q of generation %d, want what worked, of %d", svc.Spec.Version, svc.Plans["update"].Back, good)
	}
}
