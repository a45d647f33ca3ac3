package master

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// TestUpdates_overARestart ends the master after an update was made and before
// it was acknowledged: the next one tells it, and how all other tasks stand.
func TestUpdates_overARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New()
		b := newBubble(t, log)
		a := b.join("a1")
		p := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{FailoverTimeout: 600_000})
		p.call(accept(p.offers(), toy("ended"), toy("runs"), toy("unheard")), framework.Call{Suppress: &framework.Roles{}})
		b.run(a)
		for range 3 { // one at a time for each task
			p.ack(p.update())
		}
		b.update(a, cluster.TaskStatus{Task: "ended", State: cluster.TaskFinished})
		told := p.update() // and not acknowledged
		if told.Task != "ended" || told.State != cluster.TaskFinished {
			t.Fatalf("got %+v", told)
		}
		b.update(a, cluster.TaskStatus{Task: "unheard", State: cluster.TaskFailed}) // and not even read
		b.stop()

		b = newBubble(t, log)
		defer b.stop()
		b.join("a1", cluster.TaskReport{Spec: b.master.View().Task("runs").Spec, Status: b.master.View().Task("runs").Status})
		p = play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{ID: p.id, FailoverTimeout: 600_000})
		defer p.close()
		got := map[cluster.TaskID]cluster.TaskStatus{}
		for len(got) < 3 {
			for _, st := range p.next().Updates {
				got[st.Task] = st
			}
		}
		want := map[cluster.TaskID]cluster.TaskState{"ended": cluster.TaskFinished, "runs": cluster.TaskRunning, "unheard": cluster.TaskFailed}
		for id, state := range want {
			if got[id].State != state {
				t.Errorf("%s is told as %s, want %s", id, got[id].State, state)
			}
		}
		if got["ended"].UUID != told.UUID {
			t.Errorf("the same ending is told as %q and %q", told.UUID, got["ended"].UUID)
		}
		for _, st := range got {
			p.ack(st)
		}
		p.quiet()
	})
}

// TestUpdates_ofALaunchOverARestart tells a framework of a task that is on its
// way to the agent: whether its acceptance came in, it could not know.
func TestUpdates_ofALaunchOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New()
		b := newBubble(t, log)
		b.join("a1")
		p := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{FailoverTimeout: 600_000})
		p.call(accept(p.offers(), toy("t1")))
		b.stop()
		b = newBubble(t, log)
		defer b.stop()
		p = play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{ID: p.id, FailoverTimeout: 600_000})
		defer p.close()
		if st := p.update(); st.Task != "t1" || st.State != cluster.TaskStaging {
			t.Errorf("got %+v", st)
		}
	})
}

func TestOutbox_isBounded(t *testing.T) {
	const more = 100
	b, now := newOutbox(), time.Unix(0, 0)
	status := func(i int, state cluster.TaskState) cluster.TaskStatus {
		return cluster.TaskStatus{Task: cluster.TaskID(fmt.Sprint("t", i)), State: state, UUID: string(state)}
	}
	for i := range maxFlying + more {
		b.add(status(i, cluster.TaskRunning), now)
	}
	if len(b.now) != maxFlying {
		t.Fatalf("%d updates are on the way, want %d", len(b.now), maxFlying)
	}
	b.ack("t0", string(cluster.TaskFinished), now) // of another update
	b.ack(status(maxFlying, "").Task, string(cluster.TaskRunning), now)
	if len(b.now) != maxFlying {
		t.Error("the acknowledgement of what was not sent counts")
	}
	b.add(status(0, cluster.TaskFinished), now)
	b.add(status(maxFlying, cluster.TaskFinished), now) // of one that waits
	b.now = nil
	for i := range more {
		b.ack(status(i, "").Task, string(cluster.TaskRunning), now)
	}
	var got, want []string
	for i, st := range b.now {
		got = append(got, fmt.Sprint(st.Task, st.State))
		want = append(want, fmt.Sprint(status(maxFlying+i, "").Task, cluster.TaskRunning))
	}
	if d := cmp.Diff(want, got); d != "" || len(got) != more {
		t.Errorf("%d updates follow (-want +got):\n%s", len(got), d)
	}
	b.now = nil
	b.ack(status(more, "").Task, string(cluster.TaskRunning), now)
	if len(b.now) != 1 || b.now[0].Task != "t0" || b.now[0].State != cluster.TaskFinished {
		t.Errorf("then comes %+v", b.now)
	}
	b.now = nil
	b.resend(now.Add(resendAfter))
	if len(b.now) != b.flying || b.flying != maxFlying {
		t.Errorf("%d come again, %d are on the way, want %d", len(b.now), b.flying, maxFlying)
	}
}

// TestAccept_dropped has an agent drained in the moment of an acceptance: the
// framework hears what the state says.
func TestAccept_dropped(t *testing.T) {
	table(t, func(b *bubble, _ *session, p *player) {
		calls := &calling{framework: p.id, principal: "alice", calls: framework.Calls{Session: p.session, Calls: []framework.Call{accept(p.offers(), toy("t1"))}}}
		both := func(outcome) { // in the loop: they are taken together
			for _, r := range []request{{cmd: core.DrainAgent{Agent: "a1", Deadline: b.master.Now() + 1000}}, {calls: calls}} {
				if err := b.master.send(r); err != nil {
					t.Error(err)
				}
			}
		}
		b.master.submit(b.ctx, request{cmd: core.PutService{Spec: testSpec("web", 0)}, then: both})
		if st := p.update(); st.Task != "t1" || st.State != cluster.TaskDropped || st.Reason != cluster.ReasonAgentDraining {
			t.Errorf("got %+v", st)
		}
	})
}

// TestAccept_groups launches tasks that share a network over HTTP, all or none.
func TestAccept_groups(t *testing.T) {
	r := start(t, memLog(), nil)
	a := newFakeAgent(t, "a1")
	a.mustConnect(r.agents.URL)
	transport, err := framework.HTTP(r.api.URL, r.api.Client())
	if err != nil {
		t.Fatal(err)
	}
	p := play(t, testContext(t), transport, cluster.Framework{})
	defer p.close()
	network := &cluster.Network{Name: cluster.DefaultNetwork, Ports: []cluster.PortMapping{{Host: 31000, Container: 80}}}
	member := func(id cluster.TaskID, group string) cluster.TaskSpec {
		spec := toy(id)
		spec.Group, spec.Network = group, network
		return spec
	}
	web := member("web", "g1")
	web.Resources.Ports, web.Ports, web.Listen = cluster.Port(31000), map[string]uint16{"http": 31000}, map[string]uint16{"http": 80}
	p.call(accept(p.offers(), web, member("side", "g1"), toy("alone")), framework.Call{Suppress: &framework.Roles{}})
	updates := func(n int) map[cluster.TaskID]cluster.TaskStatus {
		t.Helper()
		got := map[cluster.TaskID]cluster.TaskStatus{}
		for len(got) < n {
			for _, st := range p.next().Updates {
				got[st.Task] = st
				p.ack(st)
			}
		}
		return got
	}
	for id, st := range updates(3) {
		if st.State != cluster.TaskRunning {
			t.Fatalf("%s: %+v", id, st)
		}
	}
	a.mu.Lock()
	for _, id := range []cluster.TaskID{"web", "side"} {
		if spec := a.tasks[id].Spec; spec.Group != "g1" || !spec.Network.Equal(network) {
			t.Errorf("the agent was told group %q and network %+v of %s", spec.Group, spec.Network, id)
		}
	}
	if got := a.tasks["web"].Spec.Listen["http"]; got != 80 {
		t.Errorf("it listens on %d", got)
	}
	a.mu.Unlock()

	// One that does not fit, beside one that would; a group that lives already.
	p.call(framework.Call{Revive: &framework.Roles{}})
	large := toy("large")
	large.Group, large.Resources.CPU = "g2", 1_000_000
	small := toy("small")
	small.Group = "g2"
	p.call(accept(p.offers(), small, large, member("late", "g1")))
	got := updates(3)
	if st := got["large"]; st.State != cluster.TaskError {
		t.Errorf("large: %+v", st)
	}
	for _, id := range []cluster.TaskID{"small", "late"} {
		if st := got[id]; st.State != cluster.TaskDropped && st.State != cluster.TaskError || st.Reason != cluster.ReasonGroupInvalid {
			t.Errorf("%s: %+v", id, st)
		}
	}
	if _, launches, _ := a.count(); launches != 3 {
		t.Errorf("%d tasks were launched, want 3", launches)
	}
}
