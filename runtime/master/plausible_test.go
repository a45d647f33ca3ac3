package master

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// TestHello_thatLies opens sessions with what cannot be so. None is registered.
func TestHello_thatLies(t *testing.T) {
	r := start(t, memLog(), nil)
	a1 := newFakeAgent(t, "a1")
	a1.mustConnect(r.agents.URL)
	if _, err := r.client.PutService(testContext(t), client.PutService{Spec: testSpec("web", 1)}); err != nil {
		t.Fatal(err)
	}
	r.until("the task", func() bool { return r.running("web") == 1 })
	var own cluster.TaskSpec
	for task := range r.master.View().ServiceTasks("web") {
		own = task.Spec
	}
	huge := toy("t1")
	huge.Resources.Mem = math.MaxInt64
	negative := toy("t1")
	negative.Resources.CPU = -1
	half := toy("t1")
	half.Resources = cluster.Resources{CPU: 2500}
	other := half
	other.ID = "t2"
	grown := own
	grown.Resources.CPU++
	running := func(s cluster.TaskSpec) cluster.TaskReport {
		return cluster.TaskReport{Spec: s, Status: cluster.TaskStatus{Task: s.ID, State: cluster.TaskRunning}}
	}
	renamed := running(toy("t1"))
	renamed.Status.Task = "t2"
	foreign := running(toy("t1"))
	foreign.Status.Agent = "a1"
	for _, c := range []struct {
		name  string
		agent cluster.AgentID
		tasks []cluster.TaskReport
		want  string
	}{
		{"more used than total", "a2", []cluster.TaskReport{running(half), running(other)}, "more than it has"},
		{"a huge task", "a2", []cluster.TaskReport{running(huge)}, "impossible resources"},
		{"a negative task", "a2", []cluster.TaskReport{running(negative), running(half)}, "impossible resources"},
		{"another agent's task", "a2", []cluster.TaskReport{running(own)}, "which is on agent"},
		{"in the name of another agent", "a2", []cluster.TaskReport{foreign}, "in the name"},
		{"two names for one task", "a2", []cluster.TaskReport{renamed}, "as"},
		{"its own task, grown", "a1", []cluster.TaskReport{running(grown)}, "it was launched with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			liar := newFakeAgent(t, c.agent)
			for i := range c.tasks {
				liar.tasks[cluster.TaskID(rune('a'+i))] = &c.tasks[i]
			}
			_, err := liar.connect(testContext(t), r.agents.URL)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "40") {
				t.Errorf("got %v", err)
			}
		})
	}
	if v := r.master.View(); v.Agent("a2") != nil || r.running("web") != 1 {
		t.Errorf("agent %+v, %d tasks run", v.Agent("a2"), r.running("web"))
	}
	if _, _, kills := a1.count(); kills != 0 {
		t.Errorf("%d tasks were killed", kills)
	}
}

// TestUpdates_thatLie sends reports on another's task, on none, and old ones again.
func TestUpdates_thatLie(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		p.call(accept(p.offers(), toy("t1")))
		b.run(a)
		p.ack(p.update())
		a2 := b.join("a2")
		report := func(s *session, st cluster.TaskStatus) error {
			st.Agent = s.agent
			refused, err := b.master.submitAll(b.ctx, []core.Command{core.UpdateTask{Status: st}})
			if err != nil {
				t.Fatal(err)
			}
			if len(refused) == 0 {
				return nil
			}
			return refused[0]
		}
		if err := report(a2, cluster.TaskStatus{Task: "t1", State: cluster.TaskFinished, UUID: "u1"}); !problem.Is(err, problem.Forbidden) {
			t.Errorf("a foreign task: %v", err)
		}
		if err := report(a2, cluster.TaskStatus{Task: "none", State: cluster.TaskFinished, UUID: "u2"}); !problem.Is(err, problem.NotFound) {
			t.Errorf("no task: %v", err)
		}
		if err := report(a, cluster.TaskStatus{Task: "t1", State: cluster.TaskUnreachable, UUID: "u3"}); !problem.Is(err, problem.Invalid) {
			t.Errorf("a state that is the master's to say: %v", err)
		}
		running := cluster.TaskStatus{Task: "t1", State: cluster.TaskRunning, UUID: "t1-TASK_RUNNING"}
		for _, st := range []cluster.TaskStatus{running, {Task: "t1", State: cluster.TaskKilling, UUID: "u4"}, running, {Task: "t1", State: cluster.TaskStarting, UUID: "u5"}} {
			_ = report(a, st)
		}
		if got := b.master.View().Task("t1"); got.Status.State != cluster.TaskKilling || len(got.History) != 3 {
			t.Errorf("after replayed reports: %+v", got.History)
		}
		// All of them are acknowledged, so that nobody sends them for ever.
		acks := 0
		for _, s := range []*session{a, a2} {
			for _, o := range s.take() {
				if o.Kind == cluster.OrderAck {
					acks++
				}
			}
		}
		if acks != 8 { // that of the first report too
			t.Errorf("%d acknowledgements, want 8", acks)
		}
	})
}

func TestUpdates_areBounded(t *testing.T) {
	r := start(t, memLog(), nil)
	a1 := newFakeAgent(t, "a1")
	a1.mustConnect(r.agents.URL)
	resp, err := a1.post(context.Background(), cluster.PathUpdates, cluster.Updates{Session: a1.session, Statuses: make([]cluster.TaskStatus, MaxUpdates+1)})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %s", resp.Status)
	}
}
