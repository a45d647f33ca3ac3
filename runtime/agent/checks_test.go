package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// serve answers on a task's port with what reply holds.
func serve(t *testing.T, network *pipes, address string, reply *atomic.Value) {
	t.Helper()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply.Load().(string))
	})}
	ln := network.listen(address)
	go func() {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("service: %v", err)
		}
	}()
	t.Cleanup(func() { _ = s.Close() })
}

func checkedTask() cluster.TaskSpec {
	spec := testTask("a.1")
	spec.Ports = map[string]uint16{"ui": 31000}
	spec.Resources.Ports = cluster.Port(31000)
	return spec
}

func TestReadiness_flipsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		spec := checkedTask()
		spec.Container.Readiness = &cluster.Check{HTTP: &cluster.HTTPCheck{Port: "ui", Path: "/json/", Expect: `body.status == "ALIVE"`}, Successes: 2}
		n.launch(spec)
		for {
			got := n.master.until(cluster.TaskRunning)
			if got.Ready {
				t.Fatal("ready before any check passed")
			}
			if strings.Contains(got.Message, "connection refused") {
				break // it was told why
			}
		}
		var reply atomic.Value
		reply.Store(`{"status":"ALIVE"}`)
		serve(t, n.network, "10.0.0.1:31000", &reply)
		begun := time.Now()
		if got := n.master.until(cluster.TaskRunning); !got.Ready || time.Since(begun) > 3*time.Second || time.Since(begun) < 2*time.Second {
			t.Errorf("after the service came up: got %+v after %s, want ready after two passes", got, time.Since(begun))
		}
		reply.Store(`{"status":"STANDBY"}`)
		got := n.master.until(cluster.TaskRunning)
		if got.Ready || !strings.Contains(got.Message, "ALIVE") {
			t.Errorf("after the service changed: got %+v, want not ready", got)
		}
	})
}

func TestReadiness_isKeptOverLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		spec := checkedTask()
		spec.Container.Readiness = &cluster.Check{TCP: &cluster.TCPCheck{Port: "ui"}}
		var reply atomic.Value
		reply.Store("x")
		serve(t, n.network, "10.0.0.1:31000", &reply)
		n.launch(spec)
		for !n.master.until(cluster.TaskRunning).Ready {
		}
		synctest.Wait()
		n.kill()
		if hello := n.start(); !hello.Tasks[0].Status.Ready {
			t.Error("a ready task is not ready in the next life")
		}
		wait := time.NewTimer(time.Minute)
		<-wait.C
		if len(n.master.updates) != 0 {
			t.Errorf("report in the next life: got %+v, want none", <-n.master.updates)
		}
	})
}

func TestHealth_failuresAfterGraceEndTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		spec := checkedTask()
		spec.Container.Health = &cluster.Check{TCP: &cluster.TCPCheck{Port: "ui"}, Interval: 5000, Grace: 60_000, Failures: 3}
		begun := time.Now()
		n.launch(spec)
		if got := n.master.until(cluster.TaskRunning); got.Healthy != nil || !got.Ready {
			t.Errorf("at the start: got %+v, want ready, health unknown", got)
		}
		sick := n.master.until(cluster.TaskRunning)
		if sick.Healthy == nil || *sick.Healthy || time.Since(begun) < time.Minute {
			t.Errorf("first counted failure: got %+v after %s", sick, time.Since(begun))
		}
		got := n.master.until(cluster.TaskFailed)
		if got.Reason != cluster.ReasonUnhealthy || !strings.Contains(got.Message, "3 times") {
			t.Errorf("end: got %+v", got)
		}
		if took := time.Since(begun); took < 70*time.Second || took > 76*time.Second {
			t.Errorf("ended after %s, want 60s of grace and three tries, 5s apart", took)
		}
	})
}

func TestHealth_aPassForgivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
			return fake.Behaviour{Exec: func([]string, io.Writer) (int, error) {
				if calls.Add(1)%3 == 0 {
					return 0, nil
				}
				return 1, nil
			}}
		}})
		spec := checkedTask()
		spec.Container.Health = &cluster.Check{Command: []string{"ok"}, Interval: 1000, Failures: 3}
		n.launch(spec)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			select {
			case s := <-n.master.updates:
				if s.State.Terminal() {
					t.Fatalf("ended by two failures of three: %+v", s)
				}
			case <-ctx.Done():
			}
		}
		if list, _ := n.runner.List(t.Context()); len(list) != 1 || list[0].State != runner.Running {
			t.Errorf("after two minutes: got %+v, want it running", list)
		}
	})
}

func TestHealth_anOrderedKillOverrulesOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{IgnoreTERM: true} }})
		spec := checkedTask()
		spec.Container.Health = &cluster.Check{TCP: &cluster.TCPCheck{Port: "ui"}, Interval: 1000, Failures: 1}
		n.launch(spec)
		if got := n.master.until(cluster.TaskKilling); got.Reason != cluster.ReasonUnhealthy {
			t.Errorf("killing: got %+v", got)
		}
		n.master.order(killOrder("a.1", 1000))
		if got := n.master.until(cluster.TaskKilled); got.Reason != "" {
			t.Errorf("end: got %+v", got)
		}
	})
}

func TestLeader_changesAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		spec := checkedTask()
		spec.Container.Leader = &cluster.Check{HTTP: &cluster.HTTPCheck{Port: "ui", Path: "/commands/leader", Expect: "body.is_leader"}, Interval: 1000}
		var reply atomic.Value
		reply.Store(`{"is_leader":false}`)
		serve(t, n.network, "10.0.0.1:31000", &reply)
		n.launch(spec)
		if got := n.master.until(cluster.TaskRunning); got.Leader || !got.Ready {
			t.Errorf("at the start: got %+v, want ready and no leader", got)
		}
		wait := time.NewTimer(time.Minute)
		<-wait.C
		if len(n.master.updates) != 0 {
			t.Errorf("while nothing changes: got %+v, want no report", <-n.master.updates)
		}
		for _, leads := range []bool{true, false, true} {
			reply.Store(fmt.Sprintf(`{"is_leader":%t}`, leads))
			begun := time.Now()
			if got := n.master.until(cluster.TaskRunning); got.Leader != leads || !got.Ready || time.Since(begun) > 2*time.Second {
				t.Errorf("it leads: %t; got %+v after %s", leads, got, time.Since(begun))
			}
		}
		synctest.Wait()
		n.kill()
		if hello := n.start(); !hello.Tasks[0].Status.Leader {
			t.Error("a leader is none in the agent's next life")
		}
		wait.Reset(time.Minute)
		<-wait.C
		if len(n.master.updates) != 0 {
			t.Errorf("in the next life: got %+v, want no report", <-n.master.updates)
		}
		n.master.order(killOrder("a.1", 1000))
		if got := n.master.until(cluster.TaskKilled); got.Leader {
			t.Errorf("end: got %+v, want no leader", got)
		}
	})
}

func TestLeader_asksForAsManyInARowAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var code, calls atomic.Int64
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
			return fake.Behaviour{Exec: func([]string, io.Writer) (int, error) {
				calls.Add(1)
				return int(code.Load()), nil
			}}
		}})
		spec := checkedTask()
		spec.Container.Leader = &cluster.Check{Command: []string{"leads"}, Interval: 1000, Successes: 2, Failures: 3}
		n.launch(spec)
		n.master.until(cluster.TaskRunning)
		if got := n.master.until(cluster.TaskRunning); !got.Leader || calls.Load() != 2 {
			t.Errorf("got %+v after %d passes, want a leader after 2", got, calls.Load())
		}
		code.Store(1)
		calls.Store(0)
		if got := n.master.until(cluster.TaskRunning); got.Leader || calls.Load() != 3 {
			t.Errorf("got %+v after %d failures, want none after 3", got, calls.Load())
		}
	})
}
