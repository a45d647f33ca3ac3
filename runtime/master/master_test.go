package master

import (
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

func TestServiceLife(t *testing.T) {
	r := start(t, memLog(), nil)
	ctx := testContext(t)
	a1, a2 := newFakeAgent(t, "a1"), newFakeAgent(t, "a2")
	a1.mustConnect(r.agents.URL)
	a2.mustConnect(r.agents.URL)

	if _, err := r.client.PutService(ctx, client.PutService{Spec: testSpec("web", 4)}); err != nil {
		t.Fatal(err)
	}
	r.until("4 ready instances", func() bool { return r.running("web") == 4 })
	status, err := r.client.Service(ctx, "web")
	if err != nil {
		t.Fatal(err)
	}
	if status.State != service.ServiceRunning || status.Ready != 4 || status.Total != 4 {
		t.Errorf("status is %s, %d of %d ready", status.State, status.Ready, status.Total)
	}
	here := map[cluster.AgentID]int{}
	for _, in := range status.Pods[0].Instances {
		here[in.Agent]++
		if port := in.Ports["http"]; port < 31000 || port > 31100 {
			t.Errorf("%s has port %d, which was not offered", in.Name, port)
		}
	}
	if here["a1"] != 2 || here["a2"] != 2 {
		t.Errorf("instances per agent: %v, want 2 and 2", here)
	}

	// A killed task is replaced by another launch of the same instance.
	victim := status.Pods[0].Instances[1].Tasks[0].ID
	if _, err := r.client.KillTask(ctx, victim, 0); err != nil {
		t.Fatal(err)
	}
	r.until("the replacement", func() bool {
		old := r.master.View().Task(victim)
		return old.Status.State == cluster.TaskKilled && r.running("web") == 4
	})

	if _, err := r.client.RemoveService(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	r.until("the service's end", func() bool { return r.master.View().Service("web") == nil })
	if _, err := r.client.Service(ctx, "web"); !problem.Is(err, problem.NotFound) {
		t.Errorf("after removal Service gives %v", err)
	}
	for _, a := range []*fakeAgent{a1, a2} {
		agent := r.master.View().Agent(a.info.ID)
		if agent.Tasks != 0 || !agent.Allocated.IsZero() {
			t.Errorf("agent %s still has %d tasks with %s", a.info.ID, agent.Tasks, agent.Allocated)
		}
	}
}
