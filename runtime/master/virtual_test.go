package master

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// These tests run in virtual time: agents are sessions without a network, and
// minutes pass at once.

// bubble is a master inside a synctest bubble.
type bubble struct {
	t      *testing.T
	ctx    context.Context
	master *Master
	stop   func()
}

func newBubble(t *testing.T, log *mem.Log) *bubble {
	t.Helper()
	m, err := New(t.Context(), Config{Store: log, TrustHello: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	b := &bubble{t: t, ctx: ctx, master: m}
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	return b
}

// join opens a session for an agent that runs what it is told to.
func (b *bubble) join(id cluster.AgentID, tasks ...cluster.TaskReport) *session {
	b.t.Helper()
	return b.joinAs(cluster.Agent{ID: id, Hostname: string(id), Host: "h-" + string(id), Total: cluster.Resources{
		CPU: 1000, Mem: 1 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31009})}}, tasks...)
}

func (b *bubble) joinAs(info cluster.Agent, tasks ...cluster.TaskReport) *session {
	b.t.Helper()
	s := newSession(info.ID)
	if err := b.master.open(b.ctx, core.RegisterAgent{Agent: info, Boot: "b", Tasks: tasks}, s); err != nil {
		b.t.Fatal(err)
	}
	return s
}

// run makes the launches an agent was ordered to run.
func (b *bubble) run(s *session) (launched []cluster.TaskSpec, killed []cluster.TaskID) {
	b.t.Helper()
	synctest.Wait()
	for _, o := range s.take() {
		switch o.Kind {
		case cluster.OrderLaunch:
			launched = append(launched, *o.Spec)
			b.update(s, cluster.TaskStatus{Task: o.Spec.ID, State: cluster.TaskRunning, Ready: true})
		case cluster.OrderKill:
			killed = append(killed, o.Task)
			b.update(s, cluster.TaskStatus{Task: o.Task, State: cluster.TaskKilled})
		}
	}
	synctest.Wait()
	return launched, killed
}

func (b *bubble) update(s *session, st cluster.TaskStatus) {
	b.t.Helper()
	st.Agent, st.UUID = s.agent, fmt.Sprintf("%s-%s", st.Task, st.State)
	if _, err := b.master.submitAll(b.ctx, []core.Command{core.UpdateTask{Status: st}}); err != nil {
		b.t.Fatal(err)
	}
}

// beat lets time pass in which the agents of sessions live.
func (b *bubble) beat(d time.Duration, live ...*session) {
	b.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-time.After(time.Second)
		for _, s := range live {
			if !b.master.sessions.hear(s.id, time.Now(), s.agent) {
				b.t.Fatalf("session of %s is not current", s.agent)
			}
		}
	}
	synctest.Wait()
}

func (b *bubble) put(spec cluster.ServiceSpec) {
	b.t.Helper()
	if _, _, err := b.master.Submit(b.ctx, core.PutService{Spec: spec}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bubble) agentState(id cluster.AgentID) cluster.AgentState {
	return b.master.View().Agent(id).State
}

func TestSilentAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		a1 := b.join("a1")
		b.put(testSpec("web", 1))
		launched, _ := b.run(a1)
		if len(launched) != 1 {
			t.Fatalf("launched %d tasks", len(launched))
		}
		a2 := b.join("a2")

		// A silence that is too short changes nothing.
		b.beat(29*time.Second, a2)
		if got := b.agentState("a1"); got != cluster.AgentActive {
			t.Fatalf("after 29 s of silence a1 is %s", got)
		}
		b.beat(3*time.Second, a2)
		if got := b.agentState("a1"); got != cluster.AgentUnreachable {
			t.Fatalf("after 32 s of silence a1 is %s", got)
		}
		select {
		case <-a1.done:
		default:
			t.Error("the session of an unreachable agent is still open")
		}
		if b.master.sessions.hear(a1.id, time.Now(), "a1") {
			t.Error("a heartbeat in the ended session is taken")
		}

		// The task runs elsewhere, and the old one ends when its agent is back.
		replaced, _ := b.run(a2)
		if len(replaced) != 1 || replaced[0].Index != 0 || replaced[0].ID == launched[0].ID {
			t.Fatalf("a2 was ordered to launch %v", replaced)
		}
		again := b.join("a1", cluster.TaskReport{Spec: launched[0], Status: cluster.TaskStatus{Task: launched[0].ID, State: cluster.TaskRunning, Ready: true}})
		_, killed := b.run(again)
		if len(killed) != 1 || killed[0] != launched[0].ID {
			t.Errorf("the agent that came back was ordered to kill %v", killed)
		}
	})
}

func TestRestart_waitsForAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New()
		first := newBubble(t, log)
		s := first.join("a1")
		first.put(testSpec("web", 2))
		launched, _ := first.run(s)
		if len(launched) != 2 {
			t.Fatalf("launched %d tasks", len(launched))
		}
		hash := first.master.View().Hash()
		first.stop()

		second := newBubble(t, log)
		defer second.stop()
		synctest.Wait()
		if got := second.master.View().Hash(); got != hash {
			t.Error("the state after the replay is another one")
		}
		// Longer than an agent may be silent, but the master has just started.
		second.beat(RestartGrace - 10*time.Second)
		if got := second.agentState("a1"); got != cluster.AgentActive {
			t.Fatalf("%s after a restart a1 is %s", RestartGrace-10*time.Second, got)
		}
		var held []cluster.TaskReport
		for _, spec := range launched {
			held = append(held, cluster.TaskReport{Spec: spec, Status: cluster.TaskStatus{Task: spec.ID, State: cluster.TaskRunning, Ready: true}})
		}
		back := second.join("a1", held...)
		again, killed := second.run(back)
		if len(again) != 0 || len(killed) != 0 {
			t.Errorf("after a restart the agent was ordered to launch %d and to kill %v", len(again), killed)
		}
		second.beat(5*time.Minute, back)
		if n := activeTasks(second.master.View()); n != 2 {
			t.Errorf("%d tasks are active, want the same 2", n)
		}
	})
}

func TestRestart_givesUpOnAnAgentThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New()
		first := newBubble(t, log)
		s := first.join("a1")
		first.put(testSpec("web", 1))
		first.run(s)
		first.stop()

		second := newBubble(t, log)
		defer second.stop()
		a2 := second.join("a2")
		second.beat(RestartGrace+2*time.Second, a2)
		if got := second.agentState("a1"); got != cluster.AgentUnreachable {
			t.Fatalf("a1 is %s", got)
		}
		if launched, _ := second.run(a2); len(launched) != 1 {
			t.Errorf("a2 was ordered to launch %d tasks", len(launched))
		}
	})
}

// TestRestart_noOffersOfAbsentAgents: an agent known from the log is active, but
// nothing is launched there before it is back.
func TestRestart_noOffersOfAbsentAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New()
		first := newBubble(t, log)
		first.join("a1")
		first.stop()

		second := newBubble(t, log)
		defer second.stop()
		second.put(testSpec("web", 1))
		second.beat(20 * time.Second)
		if n := activeTasks(second.master.View()); n != 0 {
			t.Fatalf("%d tasks were launched on an absent agent", n)
		}
		back := second.join("a1")
		second.beat(2*time.Second, back)
		if launched, _ := second.run(back); len(launched) != 1 {
			t.Errorf("the agent that is back was ordered to launch %d tasks", len(launched))
		}
	})
}

// TestLostOrder: an order that was lost with its session is given again.
func TestLostOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		first := b.join("a1")
		b.put(testSpec("web", 1))
		synctest.Wait() // the launch is in the first session, and nobody reads it
		second := b.join("a1")
		select {
		case <-first.done:
		case <-time.After(time.Minute):
			t.Fatal("the first session goes on after the second was opened")
		}
		if first.cause != errReplaced {
			t.Errorf("the first session ended with %v", first.cause)
		}
		if launched, _ := b.run(second); len(launched) != 1 {
			t.Errorf("the second session was ordered to launch %d tasks", len(launched))
		}
	})
}

func TestBackoff_isKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		s := b.join("a1")
		b.put(testSpec("web", 1))
		launched, _ := b.run(s)
		<-time.After(300 * time.Millisecond) // between two ticks of the master
		for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			b.update(s, cluster.TaskStatus{Task: launched[0].ID, State: cluster.TaskFailed})
			<-time.After(wait - time.Millisecond)
			if early, _ := b.run(s); len(early) != 0 {
				t.Fatalf("launched again before %s", wait)
			}
			<-time.After(2 * time.Millisecond)
			if launched, _ = b.run(s); len(launched) != 1 {
				t.Fatalf("not launched %s after a failure", wait)
			}
		}
	})
}

// TestNewServiceIsNotHeldUpByARefusal: what did not fit does not delay what does.
func TestNewServiceIsNotHeldUpByARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		s := b.join("a1")
		big := testSpec("big", 1)
		big.Pods[0].Tasks[0].Resources.CPU = 64_000
		b.put(big)
		b.beat(time.Minute, s)
		at := time.Now()
		b.put(testSpec("web", 1))
		if launched, _ := b.run(s); len(launched) != 1 || time.Since(at) > time.Second {
			t.Errorf("launched %d tasks after %s", len(launched), time.Since(at))
		}
	})
}

func TestRunAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		s := b.join("a1")
		b.put(testSpec("web", 1))
		b.run(s)
		spec := cluster.RunSpec{ID: "pi-1", Service: "web", Name: "pi", Task: cluster.TaskTemplate{Name: "pi", Goal: cluster.GoalFinish,
			Resources: cluster.Resources{CPU: 100}, Container: cluster.Container{Image: "i@sha256:0", Command: []string{"${pods.web[0].host}:${pods.web[0].ports.http}"}}}}
		if _, _, err := b.master.Submit(b.ctx, core.PutRun{Spec: spec}); err != nil {
			t.Fatal(err)
		}
		launched, _ := b.run(s)
		if len(launched) != 1 || launched[0].Run != "pi-1" {
			t.Fatalf("launched %v", launched)
		}
		if got := launched[0].Container.Command[0]; len(got) < 8 || got[:8] != "h-a1:310" {
			t.Errorf("its command is %q", got)
		}
		b.update(s, cluster.TaskStatus{Task: launched[0].ID, State: cluster.TaskFinished})
		if run := b.master.View().Run("pi-1"); run.State != core.RunFinished {
			t.Errorf("the run is %s", run.State)
		}
		spec.ID, spec.Task.Container.Command = "pi-2", []string{"${pods.nope[0].host}"}
		if _, _, err := b.master.Submit(b.ctx, core.PutRun{Spec: spec}); !problem.Is(err, problem.Invalid) {
			t.Errorf("a run with a reference to nothing: %v", err)
		}
	})
}

func activeTasks(v *core.View) int {
	n := 0
	for t := range v.Tasks() {
		if t.Active() {
			n++
		}
	}
	return n
}

// TestPreemption lets a service take the place of a less important one: the
// state knows why the task was killed.
func TestPreemption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		a := b.join("a1") // has room for two
		low := testSpec("low", 2)
		low.Preemptible = true
		b.put(low)
		if launched, _ := b.run(a); len(launched) != 2 {
			t.Fatalf("launched %d tasks", len(launched))
		}
		high := testSpec("high", 1)
		high.Priority = 10
		b.put(high)
		var victims []cluster.TaskID
		var winner []cluster.TaskSpec
		for range 5 {
			launched, killed := b.run(a)
			winner, victims = append(winner, launched...), append(victims, killed...)
			b.beat(time.Second, a)
		}
		if len(victims) != 1 || len(winner) != 1 || winner[0].Service != "high" {
			t.Fatalf("killed %v, launched %+v", victims, winner)
		}
		if v := b.master.View().Task(victims[0]); v.Spec.Service != "low" || v.KillReason != cluster.ReasonPreempted {
			t.Errorf("%s of %s was killed because of %q", v.Spec.ID, v.Spec.Service, v.KillReason)
		}
	})
}
