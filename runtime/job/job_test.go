package job_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// world is the real core with two agents, a service "spark" with one pod
// instance, and offers of all that is free.
type world struct {
	t     *testing.T
	state *core.State
	now   cluster.Time
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, state: core.New(), now: 1_000_000}
	for i := 1; i <= 2; i++ {
		w.apply(core.RegisterAgent{Boot: "b", Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%d", i)), Host: fmt.Sprintf("10.0.0.%d", i), Hostname: fmt.Sprintf("n%d", i),
			Total: cluster.Resources{CPU: 2000, Mem: 1 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31009})}}})
	}
	for _, id := range []cluster.FrameworkID{service.Framework, job.Framework} {
		w.apply(core.PutFramework{Framework: cluster.Framework{ID: id, Roles: []cluster.Role{"*"}}})
	}
	w.apply(core.PutService{Spec: cluster.ServiceSpec{ID: "spark", Pods: []cluster.PodSpec{{Name: "master", Count: 1, Tasks: []cluster.TaskTemplate{{
		Name: "m", Goal: cluster.GoalRunning, Container: cluster.Container{Image: "i@sha256:0"}, Resources: cluster.Resources{CPU: 1000}, Ports: []cluster.PortSpec{{Name: "rpc"}}}}}}}})
	return w
}

func (w *world) apply(c core.Command) {
	w.t.Helper()
	w.state.Apply(w.now, c)
	if err := core.Check(w.state); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) put(id cluster.RunID, command string) {
	w.t.Helper()
	spec := cluster.RunSpec{ID: id, Service: "spark", Name: "pi", Task: cluster.TaskTemplate{Name: "driver", Goal: cluster.GoalRunning,
		Container: cluster.Container{Image: "i@sha256:0", Command: []string{command}},
		Resources: cluster.Resources{CPU: 500}, Ports: []cluster.PortSpec{{Name: "ui"}}}}
	if err := service.ValidateRun(w.state.View(), spec); err != nil {
		w.t.Fatal(err)
	}
	w.apply(core.PutRun{Spec: spec})
}

type stepper func(cluster.Time, *core.View, []cluster.Offer) sched.Result

// step runs one Step of a framework and applies what it asks for.
func (w *world) step(id cluster.FrameworkID, step stepper) (launched []cluster.TaskSpec, r sched.Result) {
	w.t.Helper()
	var offers []cluster.Offer
	for a := range w.state.View().Agents() {
		if !a.Free().IsZero() {
			offers = append(offers, cluster.Offer{ID: cluster.OfferID(a.Info.ID), Agent: a.Info, Framework: id, Role: "*", Resources: a.Free()})
		}
	}
	r = step(w.now, w.state.View(), offers)
	answered := 0
	for _, call := range r.Calls {
		switch c := call.(type) {
		case sched.Accept:
			answered++
			a := w.state.View().Agent(cluster.AgentID(c.Offers[0]))
			w.apply(core.AcceptOffers{Framework: id, Role: "*", Agent: a.Info.ID, Offered: a.Free(), Tasks: c.Tasks})
			launched = append(launched, c.Tasks...)
		case sched.Decline:
			answered++
		case sched.Cancel:
			w.apply(core.CancelRun{Run: c.Run})
		}
	}
	if answered != len(offers) {
		w.t.Errorf("%d of %d offers were answered", answered, len(offers))
	}
	return launched, r
}

func (w *world) up(id cluster.TaskID, state cluster.TaskState) {
	w.t.Helper()
	w.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: id, Agent: w.state.View().Task(id).Agent, State: state,
		Ready: state == cluster.TaskRunning, UUID: string(id) + string(state)}})
}

func TestRun_isLaunchedOnceItsReferencesAreKnown(t *testing.T) {
	w := newWorld(t)
	w.put("pi-1", "${pods.master[0].host}:${pods.master[0].ports.rpc} ${self.ports.ui} ${self.hostname}")
	if launched, r := w.step(job.Framework, job.Step); len(launched) != 0 || len(r.Wanted) != 0 {
		t.Fatalf("launched %v, wants offers under %v, though the master has no place", launched, r.Wanted)
	}
	if s, _ := job.StatusOf(w.now, w.state.View(), "pi-1"); s.Why == nil || s.Why.Reason != service.WhyReference ||
		!cmp.Equal(s.Why.References, []string{"pods.master[0].host", "pods.master[0].ports.rpc"}) {
		t.Errorf("it waits for %+v", s.Why)
	}

	master, _ := w.step(service.Framework, service.Step)
	launched, r := w.step(job.Framework, job.Step)
	if len(launched) != 1 || len(r.Wanted) != 0 {
		t.Fatalf("launched %v, wants offers under %v", launched, r.Wanted)
	}
	got := launched[0]
	want := fmt.Sprintf("10.0.0.1:%d %d n2", master[0].Ports["rpc"], got.Ports["ui"])
	if got.Container.Command[0] != want {
		t.Errorf("its command is %q, want %q", got.Container.Command[0], want)
	}
	if got.Goal != cluster.GoalFinish || got.Run != "pi-1" || got.Service != "spark" || got.Name != "spark.pi-1.driver" || got.Framework != job.Framework {
		t.Errorf("its spec is %+v", got)
	}
	if task := w.state.View().Task(got.ID); task.Agent != "a2" {
		t.Errorf("it is on %s: a2 has fewer tasks", task.Agent)
	}

	w.up(got.ID, cluster.TaskRunning)
	w.up(got.ID, cluster.TaskFinished)
	s, ok := job.StatusOf(w.now, w.state.View(), "pi-1")
	if !ok || s.State != core.RunFinished || s.TaskState != cluster.TaskFinished || s.Host != "10.0.0.2" || s.Why != nil {
		t.Errorf("its status is %+v", s)
	}
	if again, _ := w.step(job.Framework, job.Step); len(again) != 0 {
		t.Errorf("an ended run was launched again: %v", again)
	}
}

func TestRun_isNotTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.put("pi-1", "x")
	launched, _ := w.step(job.Framework, job.Step)
	w.up(launched[0].ID, cluster.TaskFailed)
	if again, r := w.step(job.Framework, job.Step); len(again) != 0 || r.Wake != 0 {
		t.Errorf("a failed run: launched %v, wakes at %d", again, r.Wake)
	}
	if s := w.state.View().Run("pi-1").State; s != core.RunFailed {
		t.Errorf("it is %s", s)
	}
}

func TestRun_waitsForRoom(t *testing.T) {
	w := newWorld(t)
	for i := range 9 { // eight have room
		w.put(cluster.RunID(fmt.Sprintf("r-%d", i)), "x")
	}
	launched, r := w.step(job.Framework, job.Step)
	if len(launched) != 8 || !cmp.Equal(r.Wanted, []cluster.Role{"*"}) || r.Demand == 0 {
		t.Fatalf("launched %d, wants offers under %v", len(launched), r.Wanted)
	}
	perAgent := map[cluster.AgentID]int{}
	for _, s := range launched {
		perAgent[w.state.View().Task(s.ID).Agent]++
	}
	if perAgent["a1"] != 4 || perAgent["a2"] != 4 {
		t.Errorf("tasks per agent: %v", perAgent)
	}
	s, _ := job.StatusOf(w.now, w.state.View(), "r-8")
	if s.Why == nil || s.Why.Reason != service.WhyResources || len(s.Why.Agents) != 2 || !strings.Contains(s.WhyText, "cpus: needs 0.5, has 0") {
		t.Errorf("it waits for %+v: %s", s.Why, s.WhyText)
	}
	w.up(launched[0].ID, cluster.TaskFinished)
	if last, _ := w.step(job.Framework, job.Step); len(last) != 1 || last[0].Run != "r-8" {
		t.Errorf("after one ended: launched %v", last)
	}
}

func TestRefusedAcceptance_isTriedAgainLater(t *testing.T) {
	w := newWorld(t)
	w.put("pi-1", "x")
	// The agent falls silent between the offer and its acceptance.
	a := w.state.View().Agent("a1")
	r := job.Step(w.now, w.state.View(), []cluster.Offer{{ID: "o", Agent: a.Info, Framework: job.Framework, Role: "*", Resources: a.Free()}})
	w.apply(core.AgentUnreachable{Agent: "a1"})
	w.apply(core.AcceptOffers{Framework: job.Framework, Role: "*", Agent: "a1", Offered: a.Free(), Tasks: r.Calls[0].(sched.Accept).Tasks})
	if run := w.state.View().Run("pi-1"); run.State != core.RunPending || run.Attempts != 1 {
		t.Fatalf("the run is %s after %d attempts", run.State, run.Attempts)
	}
	launched, r := w.step(job.Framework, job.Step)
	if len(launched) != 0 || r.Wake != w.now.Add(job.RetryAfter) {
		t.Fatalf("at once: launched %v, wakes in %d", launched, r.Wake.Sub(w.now))
	}
	if s, _ := job.StatusOf(w.now, w.state.View(), "pi-1"); s.Why == nil || s.Why.Reason != service.WhyBackoff {
		t.Errorf("it waits for %+v", s.Why)
	}
	w.now = r.Wake
	if launched, _ = w.step(job.Framework, job.Step); len(launched) != 1 {
		t.Errorf("a second later: launched %v", launched)
	}
}

// TestHopelessRun_isCanceled: a service whose spec changed after its run was
// accepted can leave a reference to nothing.
func TestHopelessRun_isCanceled(t *testing.T) {
	w := newWorld(t)
	w.put("pi-1", "${pods.master[0].ports.rpc}")
	spec := w.state.View().Service("spark").Spec
	pods := append([]cluster.PodSpec(nil), spec.Pods...)
	pods[0].Tasks = append([]cluster.TaskTemplate(nil), pods[0].Tasks...)
	pods[0].Tasks[0].Ports = nil
	spec.Pods = pods
	w.apply(core.PutService{Spec: spec, Over: true})
	w.step(service.Framework, service.Step)
	w.step(job.Framework, job.Step)
	if s := w.state.View().Run("pi-1").State; s != core.RunCanceled {
		t.Errorf("the run is %s", s)
	}
}

// TestRun_usesReservations: what is reserved for the role of a run is used first.
func TestRun_usesReservations(t *testing.T) {
	w := newWorld(t)
	w.apply(core.PutRun{Spec: cluster.RunSpec{ID: "pi-1", Service: "spark", Name: "pi", Role: "dev", Task: cluster.TaskTemplate{Name: "driver", Goal: cluster.GoalFinish,
		Container: cluster.Container{Image: "i@sha256:0"}, Resources: cluster.Resources{CPU: 500}}}})
	a := w.state.View().Agent("a1")
	kept := cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: "dev"}}, Resources: cluster.Resources{CPU: 300}})
	open := cluster.Resources{CPU: 200, Ports: a.Free().Ports}
	r := job.Step(w.now, w.state.View(), []cluster.Offer{{ID: "o", Agent: a.Info, Framework: job.Framework, Role: "dev", Resources: open, Reserved: kept}})
	accept, ok := r.Calls[0].(sched.Accept)
	if !ok || len(accept.Tasks) != 1 {
		t.Fatalf("calls %+v", r.Calls)
	}
	if got := accept.Tasks[0]; !got.Reserved.Equal(kept) || got.Pool().Open.CPU != 200 {
		t.Errorf("it takes %+v of reservations and %s besides", got.Reserved, got.Pool().Open)
	}
}

// TestRun_ofAGateKnowsItsInstance: ${self.index} of the gate after an instance
// is the index of that instance; of any other run it is 0.
func TestRun_ofAGateKnowsItsInstance(t *testing.T) {
	w := newWorld(t)
	check := cluster.RunTemplate{Name: "check", Task: cluster.TaskTemplate{Name: "do", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "i@sha256:0", Command: []string{"${self.index}"}}, Resources: cluster.Resources{CPU: 100}}}
	spec := w.state.View().Service("spark").Spec
	spec.ID = "planned"
	spec.Pods[0].Count, spec.Pods[0].Tasks[0].Resources.CPU = 2, 100
	spec.Runs = []cluster.RunTemplate{check}
	spec.Deploy = []cluster.Phase{{Name: "up", Pod: "master", Gate: "check", Steps: []cluster.Step{{Name: "step-7", Run: "check"}}}}
	w.apply(core.PutService{Spec: spec})
	started := w.state.View().Service("planned").Plans[cluster.PlanDeploy].Started
	for id, key := range map[cluster.RunID]string{"g": cluster.StepKey("up", "master-1"), "s": cluster.StepKey("up", "step-7")} {
		w.apply(core.PutRun{Spec: cluster.RunSpec{ID: id, Service: "planned", Name: "n", Task: check.Task, Plan: &cluster.PlanStep{Plan: cluster.PlanDeploy, Key: key, Started: started}}})
	}
	w.step(job.Framework, job.Step)
	for id, want := range map[cluster.RunID]string{"g": "1", "s": "0"} {
		task := w.state.View().Task(w.state.View().Run(id).Task)
		if task == nil || task.Spec.Container.Command[0] != want {
			t.Errorf("run %s is %+v, want index %s", id, w.state.View().Run(id), want)
		}
	}
}

// TestRun_isGivenAnotherServicesEndpoint waits for a service that is not there.
func TestRun_isGivenAnotherServicesEndpoint(t *testing.T) {
	w := newWorld(t)
	w.put("pi-1", "${services.zk.endpoints.client}")
	w.step(job.Framework, job.Step)
	if s, _ := job.StatusOf(w.now, w.state.View(), "pi-1"); s.Why == nil || s.Why.Reason != service.WhyReference {
		t.Fatalf("it waits for %+v", s.Why)
	}
	zk := w.state.View().Service("spark").Spec
	zk.ID = "zk"
	zk.Pods[0].Tasks[0].Ports = []cluster.PortSpec{{Name: "client", Port: 31001}}
	zk.Endpoints = []cluster.Endpoint{{Name: "client", Pod: "master", Task: "m", Port: "client"}}
	w.apply(core.PutService{Spec: zk})
	w.step(job.Framework, job.Step)
	task := w.state.View().Task(w.state.View().Run("pi-1").Task)
	if task == nil || task.Spec.Container.Command[0] != "master-0-m.zk.universe:31001" {
		t.Errorf("the task is %+v", task)
	}
}
