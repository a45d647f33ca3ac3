package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func TestAgent_runsATaskToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
			return fake.Behaviour{After: time.Minute, Exit: &runner.Exit{Code: 3}}
		}})
		n.launch(testTask("s.web-0.t.1"))
		var got []cluster.TaskState
		var last cluster.TaskStatus
		for len(got) < 3 {
			last = n.master.next()
			got = append(got, last.State)
		}
		want := []cluster.TaskState{cluster.TaskStarting, cluster.TaskRunning, cluster.TaskFailed}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
		if last.ExitCode == nil || *last.ExitCode != 3 || last.Message != "exit code 3" || last.Agent != "a1" || last.UUID == "" {
			t.Errorf("last report: got %+v", last)
		}
		synctest.Wait()
		if list, _ := n.runner.List(t.Context()); len(list) != 0 {
			t.Errorf("containers after the end: got %+v, want none", list)
		}
	})
}
