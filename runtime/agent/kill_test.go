package agent

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func killOrder(id cluster.TaskID, grace cluster.Millis) cluster.Order {
	return cluster.Order{Kind: cluster.OrderKill, Task: id, Grace: grace}
}

func TestKill_sendsTERMandReportsKilledWhateverTheCode(t *testing.T) {
	for _, code := range []int{0, 143, 9} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
				return fake.Behaviour{TERM: &runner.Exit{Code: code}}
			}})
			n.launch(testTask("a.1"))
			n.master.until(cluster.TaskRunning)
			n.master.order(killOrder("a.1", 0))
			n.master.until(cluster.TaskKilling)
			got := n.master.until(cluster.TaskKilled)
			if got.ExitCode == nil || *got.ExitCode != code || got.Reason != "" {
				t.Errorf("end after a kill with code %d: got %+v", code, got)
			}
			if diff := cmp.Diff([]fake.Signal{{ID: "a.1", Number: int(syscall.SIGTERM)}}, n.runner.Signals()); diff != "" {
				t.Errorf("signals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKill_sendsKILLToAllAfterTheGracePeriod(t *testing.T) {
	stubborn := func(runner.Spec) fake.Behaviour { return fake.Behaviour{IgnoreTERM: true} }
	for _, c := range []struct {
		name   string
		spec   cluster.Millis // of the task
		orders []cluster.Millis
		want   time.Duration
	}{
		{"default", 0, []cluster.Millis{0}, 10 * time.Second},
		{"the task's own", 3000, []cluster.Millis{0}, 3 * time.Second},
		{"the order's", 3000, []cluster.Millis{7000}, 7 * time.Second},
		{"a later order with less", 0, []cluster.Millis{60_000, 2000}, 2 * time.Second},
		{"a later order with more", 0, []cluster.Millis{2000, 60_000}, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, &fake.Runner{Script: stubborn})
				spec := testTask("a.1")
				spec.Container.KillGrace = c.spec
				n.launch(spec)
				n.master.until(cluster.TaskRunning)
				begun := time.Now()
				for _, grace := range c.orders {
					n.master.order(killOrder("a.1", grace))
				}
				got := n.master.until(cluster.TaskKilled)
				if took := time.Since(begun); took != c.want {
					t.Errorf("time to KILL: got %s, want %s", took, c.want)
				}
				if *got.ExitCode != 137 {
					t.Errorf("exit code: got %d, want 137", *got.ExitCode)
				}
				signals := n.runner.Signals()
				if last := signals[len(signals)-1]; last.Number != int(syscall.SIGKILL) || !last.All {
					t.Errorf("last signal: got %+v, want KILL to all", last)
				}
			})
		})
	}
}

func TestKill_duringLaunchStopsThePull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{Prepare: time.Hour} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskStarting)
		begun := time.Now()
		n.master.order(killOrder("a.1", 0))
		got := n.master.until(cluster.TaskKilled)
		if got.Reason != cluster.ReasonKilledInLaunch || time.Since(begun) > time.Second {
			t.Errorf("end: got %+v after %s, want killed during launch at once", got, time.Since(begun))
		}
		if n.runner.Starts() != 0 {
			t.Errorf("starts: got %d, want 0", n.runner.Starts())
		}
	})
}

func TestKill_ofTheUnknownAndTheEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{Exit: &runner.Exit{}} }})
		for range 2 { // asked twice, answered twice
			n.master.order(killOrder("nobody.1", 0))
			got := n.master.until(cluster.TaskLost)
			if got.Task != "nobody.1" || got.UUID == "" || got.Reason != cluster.ReasonReconciliation {
				t.Errorf("answer: got %+v", got)
			}
			synctest.Wait() // until the ack is in
		}
		n.launch(testTask("a.1"))
		end := n.master.until(cluster.TaskFinished)
		synctest.Wait()
		n.master.order(killOrder("a.1", 0))
		again := n.master.until(cluster.TaskFinished)
		if again.UUID == end.UUID || again.Task != end.Task {
			t.Errorf("answer to the kill of an ended task: got %+v, want its end again under a new uuid", again)
		}
		n.master.order(cluster.Order{Kind: cluster.OrderKill, Task: "../../etc"}) // refused without a word
		synctest.Wait()
		if len(n.master.updates) != 0 {
			t.Errorf("answer to a kill of a malformed id: got %+v, want none", <-n.master.updates)
		}
	})
}

func TestKill_isSentAgainUntilItIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{DeafFor: 3} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		begun := time.Now()
		n.master.order(killOrder("a.1", 60_000))
		n.master.until(cluster.TaskKilled)
		if took := time.Since(begun); took != 3*signalRetry {
			t.Errorf("a signal that failed three times arrived after %s, want %s", took, 3*signalRetry)
		}
	})
}

func TestKill_isSentAgainWhenTheEngineWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{IgnoreTERM: true} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		n.master.order(killOrder("a.1", 60_000))
		n.master.until(cluster.TaskKilling)
		synctest.Wait()
		n.runner.Outage()
		n.runner.Restore() // the engine may have forgotten what it was doing
		synctest.Wait()
		if got := n.runner.Signals(); len(got) != 2 || got[1].Number != int(syscall.SIGTERM) {
			t.Errorf("signals: got %+v, want TERM twice", got)
		}
		n.master.until(cluster.TaskKilled)
	})
}
