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
		{"reference to no port to listen on", command("${self.listen.x}"), "/pods/1/tasks/0/container", `"x"`},
		{"priority", func(s *cluster.ServiceSpec) { s.Priority = cluster.MaxPriority + 1 }, "/priority", "1001"},
		{"placement", func(s *cluster.ServiceSpec) {
			s.Pods[1].Placement = []cluster.Constraint{{Attribute: "rack", Operator: cluster.OpUnique}, {Attribute: "rack", Operator: cluster.OpLike, Value: "("}}
		}, "/pods/1/placement/1", "rack LIKE"},
		{"too many rules", func(s *cluster.ServiceSpec) {
			s.Pods[1].Placement = make([]cluster.Constraint, cluster.MaxConstraints+1)
		}, "/pods/1/placement", "33 rules"},
		{"all ready always", func(s *cluster.ServiceSpec) { s.Pods[1].MinReady = 2 }, "/pods/1/min_ready", "2 of 2"},
		{"negative min ready", func(s *cluster.ServiceSpec) { s.Pods[1].MinReady = -1 }, "/pods/1/min_ready", "-1"},
		{"serial gang", func(s *cluster.ServiceSpec) { s.Pods[1].Gang, s.Deploy[1].Strategy = true, cluster.Serial }, "/pods/1/gang", "serial"},
		{"gang that waits for itself", func(s *cluster.ServiceSpec) {
			s.Pods[1].Gang, s.Pods[1].Tasks[0].Container.Command = true, []string{"${pods.worker[0].host}"}
		}, "/pods/1/gang", "worker-0"},
		{"network", func(s *cluster.ServiceSpec) { s.Pods[1].Network = "Bridge!" }, "/pods/1", "Bridge!"},
		{"port twice in a network", func(s *cluster.ServiceSpec) {
			s.Pods[0].Network, s.Pods[0].Tasks[0].Ports[0].Listen = "bridge", 8080
		}, "/pods/0/tasks/0/ports/1/listen", `8080 is port "rpc"`},
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
     "name": "master-0-m.spark.universe",
     "host": "host-a1",
     "port": 8080,
     "ready": false
    }
   ]
  }
 ],
 "changing": true,
 "plans": [
  {
   "name": "deploy",
   "status": "IN_PROGRESS",
   "generation": 3,
   "started": 1000000,
   "phases": [
    {
     "name": "m",
     "pod": "master",
     "strategy": "serial",
     "status": "IN_PROGRESS",
     "steps": [
      {
       "name": "master-0",
       "kind": "instance",
       "status": "IN_PROGRESS",
       "why": {
        "reason": "pod",
        "instance": "master-0"
       },
       "why_text": "waits for master-0 to be ready"
      }
     ]
    },
    {
     "name": "w",
     "pod": "worker",
     "strategy": "parallel",
     "status": "PENDING",
     "steps": [
      {
       "name": "worker-0",
       "kind": "instance",
       "status": "PENDING",
       "why": {
        "reason": "phase",
        "phase": "m"
       },
       "why_text": "waits for phase m"
      },
      {
       "name": "worker-1",
       "kind": "instance",
       "status": "PENDING",
       "why": {
        "reason": "phase",
        "phase": "m"
       },
       "why_text": "waits for phase m"
      }
     ]
    }
   ],
   "why": {
    "reason": "pod",
    "instance": "master-0"
   },
   "why_text": "waits for master-0 to be ready"
  }
 ],
 "history": [
  {
   "generation": 3,
   "package": "spark",
   "version": "4.3.0",
   "at": 1000000,
   "principal": "alice",
   "settled": false,
   "present": true
  }
 ],
 "created": 1000000,
 "updated": 1000000,
 "principal": "alice"
}`

// TestValidate_deadlocks refuses specs in which instances wait for each other.
func TestValidate_deadlocks(t *testing.T) {
	pod := func(name string, count int, refs ...string) cluster.PodSpec {
		return cluster.PodSpec{Name: name, Count: count, Tasks: []cluster.TaskTemplate{{Name: "t", Goal: cluster.GoalRunning,
			Container: cluster.Container{Image: "i@sha256:0", Command: refs}, Resources: cluster.Resources{CPU: 1}}}}
	}
	phase := func(pod string, s cluster.Strategy) cluster.Phase {
		return cluster.Phase{Name: pod, Pod: pod, Strategy: s}
	}
	const a, b, b1, b2 = "${pods.a[0].host}", "${pods.b[0].host}", "${pods.b[1].host}", "${pods.b[2].host}"
	for _, tc := range []struct {
		name string
		spec cluster.ServiceSpec
		want string // in the error; empty: it is valid
	}{
		{"mutual", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("a", 1, b), pod("b", 1, a)}}, "wait for each other's address (${pods.b[0].host} and ${pods.a[0].host})"},
		{"mutual in another order", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("a", 1, b), pod("b", 1, a)},
			Deploy: []cluster.Phase{phase("b", ""), phase("a", "")}}, "wait for each other's address"},
		{"later pod", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("a", 1, b), pod("b", 1)}}, `put pod "b" first`},
		{"later pod, earlier phase", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("a", 1, b), pod("b", 1)},
			Deploy: []cluster.Phase{phase("b", "")}}, ""},
		{"later phase", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("a", 1), pod("b", 1, a)},
			Deploy: []cluster.Phase{phase("b", ""), phase("a", "")}}, `put the phase of "a" first`},
		{"follows the first of its own", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("b", 3, b)}, Deploy: []cluster.Phase{phase("b", cluster.Serial)}}, ""},
		{"all need all", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("b", 3, b, b1, b2)}}, "b-0 and b-1 wait for each other's address"},
		{"follows a later one, in parallel", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("b", 3, b1)}}, ""},
		{"follows a later one, serial", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("b", 3, b1)}, Deploy: []cluster.Phase{phase("b", cluster.Serial)}},
			"b-0 waits for the address of b-1"},
		{"no instance waits", cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{pod("a", 0, b), pod("b", 1)}}, ""},
	} {
		err := service.Validate(tc.spec)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

// FuzzValidate checks specs as they come over the wire: nothing panics, and what
// is valid can be decided about.
func FuzzValidate(f *testing.F) {
	good, err := json.Marshal(validSpec())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"id":"s","pods":[{"name":"a","count":2,"tasks":[{"name":"t","goal":"RUNNING","container":{"image":"i","command":["${pods.a[0].host}"]},"resources":{"cpu_milli":1}}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var spec cluster.ServiceSpec
		if json.Unmarshal(data, &spec) != nil || service.Validate(spec) != nil {
			return
		}
		state := core.New()
		events, _ := state.Apply(1, core.PutService{Spec: spec, Over: true})
		if core.Refused(events) != nil {
			return
		}
		r := service.Step(1, state.View(), nil)
		if instances := count(spec); (instances == 0) != (len(r.Wanted) == 0) {
			t.Fatalf("%d instances, and offers are wanted under %v, of %s", instances, r.Wanted, data)
		}
	})
}

func count(spec cluster.ServiceSpec) (n int) {
	for _, p := range spec.Pods {
		n += p.Count
	}
	return n
}
