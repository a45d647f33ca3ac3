package core_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// everyKind is a short life with each kind of command in it.
func everyKind() []core.Command {
	code := 3
	expect := int64(0)
	agent := func(id cluster.AgentID) cluster.Agent {
		return cluster.Agent{ID: id, Hostname: "node-" + string(id), Host: "10.0.0.1", URL: "https://10.0.0.1:7070",
			Total:      cluster.Resources{CPU: 4000, Mem: 8 << 30, Disk: 100 << 30, Ports: ports("31000-31999")},
			Attributes: map[string]string{"rack": "r1", "zone": "z1"}, Version: "0.1.0"}
	}
	healthy := true
	web := cluster.ServiceSpec{ID: "web", Package: "nginx", Version: "1.0.0", Role: "eng", Pods: []cluster.PodSpec{{Name: "p", Count: 2, Unique: true,
		Tasks: []cluster.TaskTemplate{{Name: "main", Goal: cluster.GoalRunning, Resources: cluster.Resources{CPU: 100, Mem: 64 << 20},
			Container: cluster.Container{Image: "r/nginx@sha256:00", Command: []string{"nginx"}, Env: map[string]string{"B": "2", "A": "${self.host}"},
				Health: &cluster.Check{HTTP: &cluster.HTTPCheck{Port: "http", Path: "/"}, Interval: 1000}, KillGrace: 2000},
			Ports: []cluster.PortSpec{{Name: "http"}}}}}},
		Endpoints: []cluster.Endpoint{{Name: "http", Pod: "p", Task: "main", Port: "http", Scheme: "http"}}}
	task := cluster.TaskSpec{ID: "web.p-0.main.1", Name: "web.p-0.main", Framework: "services", Role: "eng", Service: "web", Pod: "p", Task: "main",
		Goal: cluster.GoalRunning, Hash: "h1", Container: web.Pods[0].Tasks[0].Container, Generation: 4,
		Resources: cluster.Resources{CPU: 100, Mem: 64 << 20, Ports: cluster.Port(31000)}, Ports: map[string]uint16{"http": 31000}}
	second := task
	second.ID, second.Index, second.Resources.Ports, second.Ports = "web.p-1.main.2", 1, nil, nil
	run := cluster.TaskSpec{ID: "run.1", Framework: "jobs", Role: "*", Service: "web", Run: "r1", Task: "driver", Goal: cluster.GoalFinish,
		Container: cluster.Container{Image: "i"}, Resources: cluster.Resources{CPU: 1}}
	return []core.Command{
		core.PutFramework{Framework: cluster.Framework{ID: "services", Name: "services", Roles: []cluster.Role{"*", "eng"}, FailoverTimeout: 1000}, Principal: "universe"},
		core.PutFramework{Framework: cluster.Framework{ID: "jobs", Roles: []cluster.Role{"*"}}},
		core.RegisterAgent{Agent: agent("a1"), Boot: "b1"},
		core.PutService{Spec: web, Expect: &expect, Principal: "ann", Installation: &cluster.Installation{ID: "web", Package: "nginx", Version: "1.0.0",
			Digest: "sha256:01", Repository: "local", Options: []byte(`{"a":1}`), PlanDigest: "sha256:02", At: 5, Principal: "ann"}},
		core.AcceptOffers{Framework: "services", Role: "eng", Agent: "a1", Offered: agent("a1").Total, Tasks: []cluster.TaskSpec{task, second}},
		core.UpdateTask{Status: cluster.TaskStatus{Task: task.ID, Agent: "a1", State: cluster.TaskRunning, UUID: strings.Repeat("0a", 16), At: 9, Ready: true, Healthy: &healthy}},
		core.UpdateTask{Status: cluster.TaskStatus{Task: second.ID, Agent: "a1", State: cluster.TaskFailed, Reason: cluster.ReasonMemoryLimit,
			Message: "out of memory", UUID: strings.Repeat("0b", 16), ExitCode: &code}},
		core.PutRun{Spec: cluster.RunSpec{ID: "r1", Service: "web", Name: "run pi", Task: template("driver", cluster.GoalFinish)}, Principal: "bob"},
		core.AcceptOffers{Framework: "jobs", Role: "*", Agent: "a1", Offered: agent("a1").Total, Tasks: []cluster.TaskSpec{run}},
		core.CancelRun{Run: "r1", Principal: "bob"},
		core.KillTask{Task: task.ID, Grace: 500, Principal: "ann"},
		core.AgentUnreachable{Agent: "a1"},
		core.RegisterAgent{Agent: agent("a1"), Boot: "b1", Tasks: []cluster.TaskReport{{Spec: task, Status: cluster.TaskStatus{Task: task.ID, State: cluster.TaskRunning}}}},
		core.RegisterAgent{Agent: agent("a2"), Boot: "b2"},
		core.AgentGone{Agent: "a2", Principal: "admin"},
		core.RemoveService{Service: "web", Principal: "ann"},
		core.DisconnectFramework{Framework: "services"},
		core.UpdateTask{Status: cluster.TaskStatus{Task: task.ID, Agent: "a1", State: cluster.TaskKilled, UUID: strings.Repeat("0c", 16)}},
		core.RemoveFramework{Framework: "services"},
		core.ForgetService{Service: "nosuch"},
	}
}

// TestGolden holds the log's form and the meaning of its commands fast: a log
// that was written must give the same state for ever. Where this test fails,
// Version or SnapshotVersion has to grow; -rewrite then takes the new truth.
func TestGolden(t *testing.T) {
	const path = "testdata/golden.jsonl"
	rewrite := flag.Lookup("rewrite").Value.String() == "true"
	s := core.New()
	var log bytes.Buffer
	kinds := map[string]bool{}
	for i, c := range everyKind() {
		entry := core.Encode(cluster.Time(1000+i), c)
		fmt.Fprintf(&log, "%s\n", entry)
		at, back, err := core.Decode(entry)
		if err != nil || at != cluster.Time(1000+i) {
			t.Fatalf("decode %s: at %d, %v", entry, at, err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Errorf("%s comes back changed (-want +got):\n%s", c.Kind(), diff)
		}
		kinds[c.Kind()] = true
		s.Apply(at, back)
		if err := core.Check(s); err != nil {
			t.Fatal(err)
		}
	}
	if len(kinds) != 14 {
		t.Errorf("%d kinds of commands are in the golden log, want all 14", len(kinds))
	}
	fmt.Fprintf(&log, "%s\n", s.Hash())
	if rewrite {
		if err := os.WriteFile(path, log.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), log.String()); diff != "" {
		t.Errorf("the golden log changed (-want +got):\n%s", diff)
	}
}

func TestDecode_refuses(t *testing.T) {
	good := string(core.Encode(1, core.AgentGone{Agent: "a1"}))
	for _, c := range []struct{ name, entry, want string }{
		{"nothing", "", "EOF"},
		{"no JSON", "hello", "invalid character"},
		{"two values", good + good, "more than one value"},
		{"newer version", strings.Replace(good, `"v":1`, `"v":2`, 1), "version 2"},
		{"no version", `{"k":"agent.gone","at":1,"c":{}}`, "version 0"},
		{"unknown kind", strings.Replace(good, "agent.gone", "agent.eaten", 1), `unknown kind "agent.eaten"`},
		{"wrong shape", `{"v":1,"k":"agent.gone","at":1,"c":[]}`, "cannot unmarshal"},
		{"too long", strings.Repeat(" ", core.MaxEntry+1), "over the limit"},
	} {
		if _, _, err := core.Decode([]byte(c.entry)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestRestore_refuses(t *testing.T) {
	s := core.New()
	for i, c := range everyKind()[:6] {
		s.Apply(cluster.Time(i), c)
	}
	good := string(s.Snapshot())
	for _, c := range []struct{ name, data, want string }{
		{"no JSON", "x", "invalid character"},
		{"other version", strings.Replace(good, `"version":1`, `"version":9`, 1), "version 9"},
		{"task without its agent", strings.Replace(good, `"agents":[{"info":{"id":"a1"`, `"agents":[{"info":{"id":"a7"`, 1), `on agent "a1", which is not in it`},
		{"broken invariant", strings.Replace(good, `"state":"active"`, `"state":"unreachable"`, 1), "invariant"},
	} {
		if c.data == good {
			t.Fatalf("%s: nothing was replaced", c.name)
		}
		if _, err := core.Restore([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// FuzzApply feeds arbitrary entries, one a line, to a state with something in it.
func FuzzApply(f *testing.F) {
	var all []byte
	for i, c := range everyKind() {
		entry := core.Encode(cluster.Time(i), c)
		f.Add(entry)
		all = append(append(all, entry...), '\n')
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := core.New()
		for i, c := range everyKind()[:8] {
			s.Apply(cluster.Time(i), c)
		}
		for line := range bytes.Lines(data) {
			at, c, err := core.Decode(line)
			if err != nil {
				continue
			}
			s.Apply(at, c)
			if err := core.Check(s); err != nil {
				t.Fatalf("after %s: %v", line, err)
			}
		}
		back, err := core.Restore(s.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		if back.Hash() != s.Hash() {
			t.Error("the restored state differs")
		}
	})
}
