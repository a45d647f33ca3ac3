package service_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

func TestBackoff(t *testing.T) {
	want := []cluster.Millis{0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}
	for failures, d := range want {
		if got := service.Backoff(failures); got != d {
			t.Errorf("after %d failures: %d ms, want %d", failures, got, d)
		}
	}
	if got := service.Backoff(1 << 30); got != service.BackoffMax {
		t.Errorf("after very many failures: %d ms", got)
	}
}

// validSpec is a spec with one of everything, for tests that spoil it.
func validSpec() cluster.ServiceSpec {
	return cluster.ServiceSpec{ID: "spark",
		Pods: []cluster.PodSpec{
			{Name: "master", Count: 1, Tasks: []cluster.TaskTemplate{{Name: "m", Goal: cluster.GoalRunning,
				Container: cluster.Container{Image: "i@sha256:0", Readiness: &cluster.Check{HTTP: &cluster.HTTPCheck{Port: "ui", Path: "/"}}},
				Ports:     []cluster.PortSpec{{Name: "rpc"}, {Name: "ui", Port: 8080}}}}},
			{Name: "worker", Count: 2, Tasks: []cluster.TaskTemplate{{Name: "w", Goal: cluster.GoalRunning,
				Container: cluster.Container{Image: "i@sha256:0", Command: []string{"${pods.master[0].host}:${pods.master[0].ports.rpc}", "${self.index}"}}}}},
		},
		Deploy:    []cluster.Phase{{Name: "m", Pod: "master", Strategy: cluster.Serial}, {Name: "w", Pod: "worker"}},
		Endpoints: []cluster.Endpoint{{Name: "ui", Pod: "master", Task: "m", Port: "ui"}},
	}
}

func TestValidate(t *testing.T) {
	if err := service.Validate(validSpec()); err != nil {
		t.Fatalf("the valid spec: %v", err)
	}
	command := func(text string) func(*cluster.ServiceSpec) {
		return func(s *cluster.ServiceSpec) { s.Pods[1].Tasks[0].Container.Command = []string{text} }
	}
	for _, tc := range []struct {
		name    string
		spoil   func(*cluster.ServiceSpec)
		pointer string
		text    string
	}{
		{"pod name", func(s *cluster.ServiceSpec) { s.Pods[1].Name = "Worker"; s.Deploy = nil }, "/pods/1/name", "Worker"},
		{"long pod name", func(s *cluster.ServiceSpec) { s.Pods[1].Name = strings.Repeat("a", 32); s.Deploy = nil }, "/pods/1/name", "30 more"},
		{"negative count", func(s *cluster.ServiceSpec) { s.Pods[1].Count = -1 }, "/pods/1/count", "-1"},
		{"no image", func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[0].Container.Image = "" }, "/pods/0/tasks/0/container/image", "empty"},
		{"port twice", func(s *cluster.ServiceSpec) {
			s.Pods[0].Tasks[0].Ports[0].Name = "ui"
			s.Pods[1].Tasks[0].Container.Command = nil
		}, "/pods/0/tasks/0/ports/1/name", "twice"},
		{"number twice", func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[0].Ports[0].Port = 8080 }, "/pods/0/tasks/0/ports/1/port", "8080"},
		{"ports in resources", func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[0].Resources.Ports = cluster.Port(80) }, "/pods/0/tasks/0/resources/ports", "by name"},
		{"check of no port", func(s *cluster.ServiceSpec) { s.Pods[0].Tasks[0].Container.Readiness.HTTP.Port = "x" }, "/pods/0/tasks/0/container/readiness/http/port", `"x"`},
		{"check of two kinds", func(s *cluster.ServiceSpec) {
			s.Pods[0].Tasks[0].Container.Readiness.TCP = &cluster.TCPCheck{Port: "ui"}
		}, "/pods/0/tasks/0/container/readiness", "exactly one"},
		{"phase of no pod", func(s *cluster.ServiceSpec) { s.Deploy[1].Pod = "x" }, "/deploy/1/pod", `"x"`},
		{"strategy", func(s *cluster.ServiceSpec) { s.Deploy[1].Strategy = "canary" }, "/deploy/1/strategy", "canary"},
		{"endpoint of no pod", func(s *cluster.ServiceSpec) { s.Endpoints[0].Pod = "x" }, "/endpoints/0/pod", `"x"`},
		{"endpoint of no port", func(s *cluster.ServiceSpec) { s.Endpoints[0].Port = "x" }, "/endpoints/0", `"x"`},
		{"reference to no pod", command("${pods.x[0].host}"), "/pods/1/tasks/0/container", `"x"`},
		{"reference to no instance", command("${pods.master[1].host}"), "/pods/1/tasks/0/container", "instance 1"},
		{"reference to no port", command("${pods.master[0].ports.x}"), "/pods/1/tasks/0/container", `"x"`},
		{"reference to no port of its own", command("${self.ports.x}"), "/pods/1/tasks/0/container", `"x"`},
		{"no reference", command("${options.x}"), "/pods/1/tasks/0/container", "options.x"},
		{"open brace", command("${self.host"), "/pods/1/tasks/0/container", "${"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := validSpec()
			tc.spoil(&s)
			var bad *service.InvalidError
			if err := service.Validate(s); !errors.As(err, &bad) {
				t.Fatalf("Validate = %v, want an InvalidError", err)
			}
			if len(bad.Faults) != 1 || bad.Faults[0].Pointer != tc.pointer || !strings.Contains(bad.Faults[0].Message, tc.text) {
				t.Errorf("faults %+v, want one at %s with %q", bad.Faults, tc.pointer, tc.text)
			}
		})
	}
}

// TestStatus_JSON keeps the form that the command line and the site read.
func TestStatus_JSON(t *testing.T) {
	w := newWorld(t)
	w.apply(registration("a1", 2000))
	w.apply(putSpark())
	w.step(true)
	s, ok := service.StatusOf(w.now, w.state.View(), "spark")
	if !ok {
		t.Fatal("no status")
	}
	got, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wantStatus, string(got)); d != "" {
		t.Errorf("status (-want +got):\n%s", d)
	}
}

func registration(id cluster.AgentID, cpu int64) core.RegisterAgent {
	return core.RegisterAgent{Boot: "b", Agent: cluster.Agent{ID: id, Hostname: string(id) + ".test", Host: "host-" + string(id),
		Total: cluster.Resources{CPU: cpu, Mem: 1 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 8080, Hi: 8080}, cluster.PortRange{Lo: 31000, Hi: 31009})}}}
}

func putSpark() core.PutService {
	s := validSpec()
	s.Package, s.Version = "spark", "4.3.0"
	for i := range s.Pods {
		s.Pods[i].Tasks[0].Resources = cluster.Resources{CPU: 1000}
	}
	return core.PutService{Spec: s, Principal: "alice"}
}

const wantStatus = `{
 "id": "spark",
 "package": "spark",
 "version": "4.3.0",
 "role": "*",
 "state": "deploying",
 "generation": 3,
 "ready": 0,
 "total": 3,
 "pods": [
  {
   "name": "master",
   "count": 1,
   "ready": 0,
   "instances": [
    {
     "name": "master-0",
     "index": 0,
     "state": "staging",
     "ready": false,
     "agent": "a1",
     "hostname": "a1.test",
     "host": "host-a1",
     "ports": {
      "rpc": 31002,
      "ui": 8080
     },
     "tasks": [
      {
       "id": "spark.master-0.m.3",
       "task": "m",
       "state": "TASK_STAGING",
       "ready": false
      }
     ],
     "since": 1000000
    }
   ]
  },
  {
   "name": "worker",
   "count": 2,
   "ready": 0,
   "instances": [
    {
     "name": "worker-0",
     "index": 0,
     "state": "waiting",
     "ready": false,
     "why": {
      "reason": "phase",
      "phase": "m"
     },
     "why_text": "waits for phase m"
    },
    {
     "name": "worker-1",
     "index": 1,
     "state": "waiting",
     "ready": false,
     "why": {
      "reason": "phase",
      "phase": "m"
     },
     "why_text": "waits for phase m"
    }
   ]
  }
 ],
 "deployment": [
  {
   "name": "m",
   "pod": "master",
   "strategy": "serial",
   "state": "active",
   "done": 0,
   "total": 1
  },
  {
   "name": "w",
   "pod": "worker",
   "strategy": "parallel",
   "state": "pending",
   "done": 0,
   "total": 2
  }
 ],
 "endpoints": [
  {
   "name": "ui",
   "addresses": [
    {
     "instance": "master-0",
     "host": "host-a1",
     "port": 8080,
     "ready": false
    }
   ]
  }
 ],
 "created": 1000000,
 "updated": 1000000,
 "principal": "alice"
}`
