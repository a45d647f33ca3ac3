package agent

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func TestLaunch_twiceIsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		n.launch(testTask("a.1"))
		synctest.Wait()
		if n.runner.Starts() != 1 || len(n.master.updates) != 0 {
			t.Errorf("after a second launch: %d starts, %d reports, want 1 and 0", n.runner.Starts(), len(n.master.updates))
		}
		if err := n.runner.End("a.1", runner.Exit{}); err != nil {
			t.Fatal(err)
		}
		n.master.until(cluster.TaskFinished)
		synctest.Wait()
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskFinished) // its end again, not a second run
		synctest.Wait()
		if n.runner.Starts() != 1 {
			t.Errorf("starts after a launch of an ended task: got %d, want 1", n.runner.Starts())
		}
	})
}

func TestLaunch_whatDoesNotFitIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		first := testTask("a.1")
		first.Resources = cluster.Resources{CPU: 3000, Mem: 1 << 30, Ports: cluster.Port(31000)}
		n.launch(first)
		n.master.until(cluster.TaskRunning)
		for id, c := range map[cluster.TaskID]struct {
			need cluster.Resources
			want string
		}{
			"cpu.1":  {cluster.Resources{CPU: 1001}, "cpus: needs 1.001, has 1"},
			"port.1": {cluster.Resources{Ports: cluster.Port(31000)}, "ports: needs [31000]"},
		} {
			spec := testTask(id)
			spec.Resources = c.need
			n.launch(spec)
			got := n.master.until(cluster.TaskFailed)
			if got.Reason != cluster.ReasonLaunchFailed || !strings.Contains(got.Message, c.want) {
				t.Errorf("%s: got %+v, want %q in the message", id, got, c.want)
			}
		}
		// What ended gives its share back.
		if err := n.runner.End("a.1", runner.Exit{}); err != nil {
			t.Fatal(err)
		}
		n.master.until(cluster.TaskFinished)
		again := testTask("b.1")
		again.Resources = first.Resources
		n.launch(again)
		n.master.until(cluster.TaskRunning)
	})
}

func TestLaunch_aWrongCheckIsATaskError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		spec := testTask("a.1")
		spec.Container.Readiness = &cluster.Check{HTTP: &cluster.HTTPCheck{Port: "ui", Path: "/", Expect: "body.x =="}}
		spec.Ports = map[string]uint16{"ui": 31000}
		n.launch(spec)
		got := n.master.until(cluster.TaskError)
		if got.Reason != cluster.ReasonTaskInvalid || !strings.Contains(got.Message, "readiness check") {
			t.Errorf("report: got %+v", got)
		}
		synctest.Wait()
		if n.runner.Starts() != 0 {
			t.Errorf("starts: got %d, want 0", n.runner.Starts())
		}
	})
}

func TestLaunch_aMalformedIDIsRefused(t *testing.T) {
	for _, id := range []cluster.TaskID{"", "../x", ".x", "A", "a/b", cluster.TaskID(strings.Repeat("a", 201))} {
		if err := checkID(id); err == nil {
			t.Errorf("checkID(%q): got no error", id)
		}
	}
	if err := checkID("spark.worker-0.worker.1f"); err != nil {
		t.Errorf("checkID of a usual id: %v", err)
	}
}
