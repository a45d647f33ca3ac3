package agent

import (
	"context"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// TestSurvival_rebootWithLeftovers finds the containers' records of before the
// reboot, without processes, as containerd does.
func TestSurvival_rebootWithLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		for _, id := range []cluster.TaskID{"a.1", "b.1"} {
			n.launch(testTask(id))
			n.master.until(cluster.TaskRunning)
		}
		synctest.Wait()
		n.kill()
		for _, id := range []cluster.TaskID{"a.1", "b.1"} {
			if err := n.runner.End(id, runner.Exit{Unknown: true}); err != nil {
				t.Fatal(err)
			}
		}
		n.config.BootID = "boot-2"
		if hello := n.start(); len(hello.Tasks) != 2 || hello.Tasks[0].Status.State != cluster.TaskLost {
			t.Errorf("Hello after the reboot: got %+v, want both lost", hello.Tasks)
		}
		for range 2 {
			if got := n.master.until(cluster.TaskLost); got.Reason != cluster.ReasonAgentRestarted || got.ExitCode != nil {
				t.Errorf("report: got %+v", got)
			}
		}
		pause(time.Hour)
		if len(n.master.updates) != 0 {
			t.Errorf("one report too many: %+v", <-n.master.updates)
		}
		if list, _ := n.runner.List(t.Context()); len(list) != 0 || n.runner.Starts() != 2 {
			t.Errorf("leftovers: got %+v and %d starts, want none and nothing started again", list, n.runner.Starts())
		}
		n.launch(testTask("c.1")) // its resources are free again
		n.master.until(cluster.TaskRunning)
	})
}

func pause(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

// TestSurvival_partition is a network that is away for longer than the master's
// patience: what runs goes on, and what happened is told once it is back.
func TestSurvival_partition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		for _, id := range []cluster.TaskID{"lives.1", "ends.1"} {
			n.launch(testTask(id))
			n.master.until(cluster.TaskRunning)
		}
		synctest.Wait()
		n.master.setRefuse(1 << 30)
		n.master.lose()
		pause(4 * millis(cluster.AgentTimeout))
		if err := n.runner.End("ends.1", runner.Exit{Code: 9}); err != nil {
			t.Fatal(err)
		}
		pause(4 * millis(cluster.AgentTimeout))
		n.master.setRefuse(0)
		hello := <-n.master.hellos
		states := map[cluster.TaskID]cluster.TaskState{}
		for _, r := range hello.Tasks {
			states[r.Spec.ID] = r.Status.State
		}
		if len(states) != 2 || states["lives.1"] != cluster.TaskRunning || states["ends.1"] != cluster.TaskFailed {
			t.Errorf("Hello afterwards: got %v", states)
		}
		if got := n.master.until(cluster.TaskFailed); got.Task != "ends.1" || got.ExitCode == nil || *got.ExitCode != 9 {
			t.Errorf("report afterwards: got %+v, want the end with its code", got)
		}
		pause(time.Hour)
		if len(n.master.updates) != 0 {
			t.Errorf("one report too many: %+v", <-n.master.updates)
		}
		if n.runner.Starts() != 2 || len(n.runner.Signals()) != 0 {
			t.Errorf("after a partition: got %d starts and %d signals, want nobody started or ended", n.runner.Starts(), len(n.runner.Signals()))
		}
		// A task the master gave up meanwhile is ended as any other.
		n.master.order(killOrder("lives.1", 0))
		n.master.until(cluster.TaskKilled)
	})
}

// TestSurvival_theClockStepsBack sees a deadline that is an hour away, as it is
// after such a step: the grace period is as long as it was meant.
func TestSurvival_theClockStepsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{IgnoreTERM: true} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		begun := time.Now()
		hour := cluster.Millis(time.Hour.Milliseconds())
		if err := n.agent.ledger.SetKill("a.1", checkpoint.Kill{Deadline: now().Add(hour), Grace: 3000}); err != nil {
			t.Fatal(err)
		}
		n.agent.task("a.1").wake()
		n.master.until(cluster.TaskKilled)
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("KILL came after %s, want 3s", took)
		}
	})
}

// TestSurvival_theClockStepsForward lets reports of an earlier time follow those
// of a later one: their count tells their order.
func TestSurvival_theClockStepsForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		running := n.master.until(cluster.TaskRunning)
		if err := n.runner.End("a.1", runner.Exit{Code: 1, At: running.At - 3_600_000}); err != nil {
			t.Fatal(err)
		}
		end := n.master.until(cluster.TaskFailed)
		if end.Seq <= running.Seq {
			t.Errorf("counts: got %d after %d", end.Seq, running.Seq)
		}
	})
}

// TestSurvival_anEndIsWrittenDownAtLast has a disk that is full for a while.
func TestSurvival_anEndIsWrittenDownAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		begun, tries := time.Now(), 0
		done := n.agent.insist(t.Context(), "a.1", "x", func() error {
			if tries++; time.Since(begun) < time.Hour {
				return syscall.ENOSPC
			}
			return nil
		})
		if !done || tries < 60 || tries > 300 {
			t.Errorf("after an hour without room: got %t after %d tries", done, tries)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		if n.agent.insist(ctx, "a.1", "x", func() error { return syscall.ENOSPC }) {
			t.Error("with the agent's end: got it done")
		}
	})
}

// TestSurvival_aContainerStaysUntilItsEndIsOnDisk closes the ledger, as a disk
// that takes nothing, and lets the next life find the end.
func TestSurvival_aContainerStaysUntilItsEndIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		synctest.Wait()
		if err := n.agent.ledger.Close(); err != nil {
			t.Fatal(err)
		}
		if err := n.runner.End("a.1", runner.Exit{Code: 42}); err != nil {
			t.Fatal(err)
		}
		pause(time.Hour)
		if list, _ := n.runner.List(t.Context()); len(list) != 1 {
			t.Errorf("containers while the end is nowhere on disk: got %+v, want it kept", list)
		}
		n.kill()
		n.start()
		if got := n.master.until(cluster.TaskFailed); got.ExitCode == nil || *got.ExitCode != 42 {
			t.Errorf("end as the next life tells it: got %+v, want 42", got)
		}
	})
}
