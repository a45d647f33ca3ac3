package agent

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func TestLives_aRunningTaskIsAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		running := n.master.until(cluster.TaskRunning)
		synctest.Wait()
		n.kill()
		hello := n.start()
		if len(hello.Tasks) != 1 || hello.Tasks[0].Spec.ID != "a.1" || hello.Tasks[0].Status.UUID != running.UUID {
			t.Errorf("Hello of the second life: got %+v, want a.1 as it was", hello.Tasks)
		}
		if hello.Boot != "boot-1" || hello.Agent.Host != "10.0.0.1" || hello.Agent.ID != "a1" {
			t.Errorf("Hello: got %+v", hello)
		}
		if err := n.runner.End("a.1", runner.Exit{Code: 7}); err != nil {
			t.Fatal(err)
		}
		if got := n.master.until(cluster.TaskFailed); *got.ExitCode != 7 {
			t.Errorf("end in the second life: got %+v, want exit code 7", got)
		}
		if n.runner.Starts() != 1 {
			t.Errorf("starts: got %d, want 1", n.runner.Starts())
		}
	})
}

func TestLives_anEndBetweenLivesKeepsItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		synctest.Wait()
		n.kill()
		if err := n.runner.End("a.1", runner.Exit{Code: 42}); err != nil {
			t.Fatal(err)
		}
		n.start()
		if got := n.master.until(cluster.TaskFailed); *got.ExitCode != 42 {
			t.Errorf("end: got %+v, want exit code 42", got)
		}
	})
}

func TestLives_aVanishedTaskHasNoCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		synctest.Wait()
		n.kill()
		n.runner.Lose("a.1")
		n.start()
		got := n.master.until(cluster.TaskFailed)
		if got.Reason != cluster.ReasonStatusUnknown || got.ExitCode != nil {
			t.Errorf("end of a vanished task: got %+v, want an unknown exit", got)
		}
	})
}

func TestLives_aLaunchGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{Prepare: time.Minute} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskStarting)
		n.kill()
		n.start()
		n.master.until(cluster.TaskRunning)
	})
}

func TestLives_aLaunchCutOffInTheMiddleIsNotCalledRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{Prepare: time.Minute} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskStarting)
		synctest.Wait()
		n.kill()
		// What the engine knows of a container that has no process.
		if err := n.runner.Start(t.Context(), n.agent.spec(testTask("a.1"))); err != nil {
			t.Fatal(err)
		}
		if err := n.runner.End("a.1", runner.Exit{Unknown: true}); err != nil {
			t.Fatal(err)
		}
		n.start()
		got := n.master.next()
		if got.State != cluster.TaskFailed || got.Reason != cluster.ReasonStatusUnknown {
			t.Errorf("first report of the next life: got %+v, want a failure of unknown status", got)
		}
	})
}

func TestLives_aKillGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{IgnoreTERM: true} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		begun := time.Now()
		n.master.order(killOrder("a.1", 30_000))
		n.master.until(cluster.TaskKilling)
		synctest.Wait()
		n.kill()
		n.start()
		n.master.until(cluster.TaskKilled)
		if took := time.Since(begun); took != 30*time.Second {
			t.Errorf("KILL came after %s, want the 30s of the order, counted once", took)
		}
	})
}

func TestLives_anUnknownContainerIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fake.Runner{}
		stray := runner.Spec{Task: testTask("stray.1")}
		if err := r.Start(t.Context(), stray); err != nil {
			t.Fatal(err)
		}
		newNode(t, r)
		synctest.Wait()
		if list, _ := r.List(t.Context()); len(list) != 0 {
			t.Errorf("containers: got %+v, want none", list)
		}
	})
}

func TestLives_anotherBootLosesTheTasksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		synctest.Wait()
		n.kill()
		n.runner.Lose("a.1")
		n.config.BootID = "boot-2"
		if hello := n.start(); hello.Boot != "boot-2" || len(hello.Tasks) != 1 || hello.Tasks[0].Status.State != cluster.TaskLost {
			t.Errorf("Hello after another boot: got %+v, want a.1 as lost", hello)
		}
		got := n.master.until(cluster.TaskLost)
		if got.Reason != cluster.ReasonAgentRestarted {
			t.Errorf("report: got %+v", got)
		}
		synctest.Wait()
		n.kill()
		if hello := n.start(); len(hello.Tasks) != 0 {
			t.Errorf("Hello of a later life: got %+v, want no task", hello.Tasks)
		}
	})
}

func TestLives_theStateOfAnotherAgentIsRefused(t *testing.T) {
	dir := t.TempDir()
	l, err := checkpoint.Open(filepath.Join(dir, "agent.db"), "a2")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{ID: "a1", Host: "h", MasterURL: "http://m:1", StateDir: dir, Runner: &fake.Runner{}, BootID: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil {
		t.Error("Run on the state of another agent: got no error")
	}
}
