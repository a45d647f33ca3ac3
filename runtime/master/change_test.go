package master

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/service"
)

// rolling is a service whose update asks for a word after its first instance,
// and for another one before a step that closes the way back.
func rolling(version string) cluster.ServiceSpec {
	s := dbSpec()
	s.Version = version
	s.Pods[0].Tasks[0].Container.Env = map[string]string{"VERSION": version}
	image := cluster.Container{Image: s.Pods[0].Tasks[0].Container.Image, Command: []string{"run"}}
	task := func(name string) cluster.RunTemplate {
		return cluster.RunTemplate{Name: name, Task: cluster.TaskTemplate{Name: name, Goal: cluster.GoalFinish, Container: image,
			Resources: cluster.Resources{CPU: 100, Mem: 32 << 20}}}
	}
	s.Runs = []cluster.RunTemplate{task("finalize"), task("check")}
	s.Update = []cluster.Phase{
		{Name: "roll", Pod: "node", Strategy: cluster.SerialCanary},
		{Name: "finalize", Steps: []cluster.Step{{Name: "raise", Run: "finalize", Confirm: true, NoReturn: true}}},
	}
	s.Plans = []cluster.PlanSpec{{Name: "repair", Phases: []cluster.Phase{{Name: "all", Steps: []cluster.Step{{Name: "first", Run: "check"}}}}}}
	return s
}

// newRolling is a cluster of three agents over HTTP with the service up.
func newRolling(t *testing.T) (*rig, []*fakeAgent) {
	t.Helper()
	r := start(t, memLog(), nil)
	var agents []*fakeAgent
	for _, id := range []cluster.AgentID{"a1", "a2", "a3"} {
		a := newFakeAgent(t, id)
		a.finish = true
		a.mustConnect(r.agents.URL)
		agents = append(agents, a)
	}
	if _, err := r.client.PutService(testContext(t), client.PutService{Spec: rolling("1")}); err != nil {
		t.Fatal(err)
	}
	r.settled()
	return r, agents
}

func (r *rig) settled() {
	r.t.Helper()
	r.until("the change's end", func() bool { s := r.master.View().Service("db"); return s != nil && !s.Changing() })
}

// waiting waits until a plan waits for a person's word on a part of it.
func (r *rig) waiting(plan, part string) {
	r.t.Helper()
	r.until(part+" to wait for a word", func() bool {
		s, err := r.client.Service(testContext(r.t), "db")
		if err != nil {
			r.t.Fatal(err)
		}
		for _, p := range s.Plans {
			if p.Name == plan && p.Status == service.PlanWaiting {
				return strings.Contains(p.WhyText, part)
			}
		}
		return false
	})
}

func (r *rig) call(plan string, verb core.Verb, phase, step string) {
	r.t.Helper()
	if _, err := r.client.CallPlan(testContext(r.t), "db", plan, verb, client.CallPlan{Phase: phase, Step: step}); err != nil {
		r.t.Fatalf("%s %s of %s %s: %v", verb, plan, phase, step, err)
	}
}

func TestUpdate_overHTTP(t *testing.T) {
	r, agents := newRolling(t)
	ctx := testContext(t)
	first := r.master.View().Service("db").Generation
	put, err := r.client.PutService(ctx, client.PutService{Spec: rolling("2"), Expect: &first})
	if err != nil {
		t.Fatal(err)
	}
	r.waiting("update", "roll")
	if _, err := r.client.PutService(ctx, client.PutService{Spec: rolling("3")}); !problem.Is(err, problem.Conflict) {
		t.Errorf("a second change: %v", err)
	}
	old := 0
	for task := range r.master.View().ServiceTasks("db") {
		if task.Active() && task.Spec.Container.Env["VERSION"] == "1" {
			old++
		}
	}
	if old != 1 {
		t.Errorf("at the word after the first of two instances, %d are old", old)
	}
	r.call("update", core.VerbConfirm, "roll", "")
	r.waiting("update", "raise")
	r.call("update", core.VerbConfirm, "finalize", "raise")
	r.settled()
	if n := runsGiven(agents); n != 1 {
		t.Errorf("the step ran %d times", n)
	}

	// The way back is closed.
	if _, err := r.client.RollbackService(ctx, "db", client.Rollback{}); !problem.Is(err, problem.Conflict) || !strings.Contains(err.Error(), "raise") {
		t.Errorf("a rollback behind the step: %v", err)
	}
	rec, err := r.client.ServiceRecord(ctx, "db")
	if err != nil || rec.Generation != put.Index || len(rec.History) != 1 || rec.History[0].Generation != first || rec.History[0].Spec.Version != "1" || rec.NoReturn != put.Index {
		t.Errorf("the record is %+v, %v", rec, err)
	}

	// A plan by hand.
	r.call("repair", core.VerbStart, "", "")
	r.until("the repair's end", func() bool { return r.master.View().Service("db").Plans["repair"].Ended != 0 })
	if n := runsGiven(agents); n != 2 {
		t.Errorf("%d runs after the repair, want 2", n)
	}
	if _, err := r.client.CallPlan(ctx, "db", "repair", "explode", client.CallPlan{}); !problem.Is(err, problem.Conflict) && !problem.Is(err, problem.Invalid) {
		t.Errorf("a verb that there is not: %v", err)
	}
}

// TestRollback_overHTTP goes back from a change in the middle, and replaces one
// by another.
func TestRollback_overHTTP(t *testing.T) {
	r, _ := newRolling(t)
	ctx := testContext(t)
	if _, err := r.client.PutService(ctx, client.PutService{Spec: rolling("2")}); err != nil {
		t.Fatal(err)
	}
	r.waiting("update", "roll")
	third, err := r.client.PutService(ctx, client.PutService{Spec: rolling("3"), Over: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.RollbackService(ctx, "db", client.Rollback{Expect: new(int64)}); !problem.Is(err, problem.Exists) && !problem.Is(err, problem.Conflict) {
		t.Errorf("a rollback that expects no service: %v", err)
	}
	if _, err := r.client.RollbackService(ctx, "db", client.Rollback{Expect: &third.Index}); err != nil {
		t.Fatal(err)
	}
	r.waiting("update", "raise")
	r.call("update", core.VerbForce, "finalize", "raise")
	r.settled()
	for task := range r.master.View().ServiceTasks("db") {
		if task.Active() && task.Spec.Container.Env["VERSION"] != "1" {
			t.Errorf("%s is of version %s after the rollback", task.Spec.ID, task.Spec.Container.Env["VERSION"])
		}
	}
}

// runsGiven counts the tasks of runs that agents were given.
func runsGiven(agents []*fakeAgent) (n int) {
	for _, a := range agents {
		a.mu.Lock()
		n += a.runs
		a.mu.Unlock()
	}
	return n
}

// TestPlaces_overHTTP restarts, replaces, scales down and releases, and removes.
func TestPlaces_overHTTP(t *testing.T) {
	r, _ := newRolling(t)
	ctx := testContext(t)
	place := func(instance string) cluster.Place {
		t.Helper()
		s, err := r.client.Service(ctx, "db")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range s.Places {
			if p.Instance == instance {
				return p.Place
			}
		}
		return cluster.Place{}
	}
	ready := func(launches int64) {
		t.Helper()
		r.until("node-0", func() bool {
			return r.master.View().Instance("db", "node", 0).Launches == launches && r.running("db") == 2
		})
	}
	ready(1)
	was := place("node-0")
	if _, err := r.client.RestartInstance(ctx, "db", client.RestartInstance{Pod: "node"}); err != nil {
		t.Fatal(err)
	}
	ready(2)
	if got := place("node-0"); got.Volumes[0] != was.Volumes[0] || got.Agent != was.Agent {
		t.Errorf("restarted at %+v, was at %+v", got, was)
	}
	if _, err := r.client.RestartInstance(ctx, "db", client.RestartInstance{Pod: "node", Replace: true}); err != nil {
		t.Fatal(err)
	}
	ready(3)
	if got := place("node-0"); got.Volumes[0].ID == was.Volumes[0].ID {
		t.Errorf("replaced with the same volume %s", got.Volumes[0].ID)
	}
	if _, err := r.client.ReleasePlaces(ctx, "db", "node-0"); !problem.Is(err, problem.Conflict) {
		t.Errorf("the place of what runs: %v", err)
	}
	less := rolling("1")
	less.Pods[0].Count = 1
	if _, err := r.client.PutService(ctx, client.PutService{Spec: less, Over: true}); err != nil {
		t.Fatal(err)
	}
	r.until("the end of node-1", func() bool { return r.running("db") == 1 })
	if place("node-1").Agent == "" {
		t.Error("the place of node-1 went with a smaller count")
	}
	if _, err := r.client.ReleasePlaces(ctx, "db", "node-1"); err != nil || place("node-1").Agent != "" {
		t.Errorf("released: %v; its place is %+v", err, place("node-1"))
	}
	leftovers(t, r)
}

// leftovers removes the service with its data kept, and then that.
func leftovers(t *testing.T, r *rig) {
	t.Helper()
	ctx := testContext(t)
	if _, err := r.client.RemoveServiceKeepData(ctx, "db"); err != nil {
		t.Fatal(err)
	}
	r.until("the removal", func() bool { return r.master.View().Service("db") == nil })
	left, err := r.client.Leftovers(ctx)
	if err != nil || len(left) != 1 || left[0].Service != "db" || len(left[0].Places) != 1 {
		t.Fatalf("leftovers %+v, %v", left, err)
	}
	if one, err := r.client.Leftover(ctx, "db"); err != nil || one.Role != "services/db" {
		t.Errorf("leftovers of db: %+v, %v", one, err)
	}
	if _, err := r.client.ReleaseLeftovers(ctx, "db"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.Leftover(ctx, "db"); !problem.Is(err, problem.NotFound) {
		t.Errorf("leftovers that were released: %v", err)
	}
	for a := range r.master.View().Agents() {
		if len(a.Reserved) != 0 {
			t.Errorf("on %s is reserved %v", a.Info.ID, a.Reserved)
		}
	}
}

// TestNames_overHTTP lets an agent follow the names.
func TestNames_overHTTP(t *testing.T) {
	r, _ := newRolling(t)
	base, err := url.Parse(r.agents.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	board, ended := new(discovery.Board), make(chan struct{})
	go func() {
		defer close(ended)
		_ = discovery.Follow(ctx, discovery.Following{Master: base, Board: board, Client: r.agents.Client()})
	}()
	defer func() { cancel(); <-ended }()
	for {
		changed := board.Changed()
		if a := board.Zone().Lookup("db.universe"); len(a.Addrs) == 2 {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("db is %v", board.Zone().Lookup("db.universe"))
		}
	}
}
