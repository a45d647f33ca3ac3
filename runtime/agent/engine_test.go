package agent

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func TestEngine_anEndDuringAnOutageHasNoCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("dies.1"))
		n.master.until(cluster.TaskRunning)
		n.launch(testTask("vanishes.1"))
		n.master.until(cluster.TaskRunning)
		n.launch(testTask("lives.1"))
		n.master.until(cluster.TaskRunning)
		n.runner.Outage()
		if err := n.runner.End("dies.1", runner.Exit{Code: 3}); err != nil {
			t.Fatal(err)
		}
		n.runner.Lose("vanishes.1")
		n.runner.Restore()
		for range 2 {
			got := n.master.until(cluster.TaskFailed)
			if got.Reason != cluster.ReasonStatusUnknown || got.ExitCode != nil || got.Task == "lives.1" {
				t.Errorf("end during an outage: got %+v, want an unknown exit", got)
			}
		}
		synctest.Wait()
		if len(n.master.updates) != 0 {
			t.Errorf("one report too many: %+v", <-n.master.updates)
		}
	})
}

func TestEngine_aLaunchWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.runner.Outage()
		n.launch(testTask("a.1"))
		for {
			if got := n.master.until(cluster.TaskStarting); strings.Contains(got.Message, "does not answer") {
				break
			}
		}
		n.runner.Restore()
		n.master.until(cluster.TaskRunning)
	})
}

func TestEngine_aLaunchGivesUpInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.runner.Outage()
		begun := time.Now()
		n.launch(testTask("a.1"))
		got := n.master.until(cluster.TaskFailed)
		if took := time.Since(begun); got.Reason != cluster.ReasonLaunchFailed || took < engineAway || took > 2*engineAway {
			t.Errorf("end: got %+v after %s, want a failed launch after %s", got, took, engineAway)
		}
	})
}

func TestEngine_failedLaunches(t *testing.T) {
	for _, c := range []struct {
		name   string
		how    fake.Behaviour
		state  cluster.TaskState
		reason cluster.Reason
	}{
		{"image", fake.Behaviour{PrepareErr: fmt.Errorf("no: %w", runner.ErrImage)}, cluster.TaskFailed, cluster.ReasonImagePull},
		{"spec", fake.Behaviour{StartErr: fmt.Errorf("no: %w", runner.ErrSpec)}, cluster.TaskError, cluster.ReasonTaskInvalid},
		{"other", fake.Behaviour{StartErr: fmt.Errorf("no")}, cluster.TaskFailed, cluster.ReasonLaunchFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return c.how }})
				n.launch(testTask("a.1"))
				got := n.master.until(c.state)
				if got.Reason != c.reason || !strings.HasPrefix(got.Message, "no") || got.ExitCode != nil {
					t.Errorf("end: got %+v, want reason %s", got, c.reason)
				}
			})
		})
	}
}

func TestEngine_aContainerThatIsThereAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A start whose answer was lost: the container runs, and the next try finds it.
		n := newNode(t, &fake.Runner{})
		if err := n.runner.Start(t.Context(), runner.Spec{Task: testTask("a.1")}); err != nil {
			t.Fatal(err)
		}
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		if n.runner.Starts() != 1 {
			t.Errorf("starts: got %d, want 1", n.runner.Starts())
		}
	})
}

func TestEngine_progressIsReportedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []runner.Progress
		steps = append(steps, runner.Progress{Phase: "resolve"})
		for i := range int64(1000) {
			steps = append(steps, runner.Progress{Phase: "pull", Done: i << 20, Total: 1000 << 20})
		}
		steps = append(steps, runner.Progress{Phase: "unpack"})
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
			return fake.Behaviour{Progress: steps, Prepare: time.Second}
		}})
		n.launch(testTask("a.1"))
		var messages []string
		for {
			s := n.master.next()
			if s.State == cluster.TaskRunning {
				break
			}
			messages = append(messages, s.Message)
		}
		if last := messages[len(messages)-1]; last != "unpacking the image" || len(messages) > 4 {
			t.Errorf("messages of 1002 steps within a moment: got %q", messages)
		}
	})
}
