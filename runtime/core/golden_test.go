package core_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func goldenAgent(id cluster.AgentID) cluster.Agent {
	return cluster.Agent{ID: id, Hostname: "node-" + string(id), Host: "10.0.0.1", URL: "https://10.0.0.1:7070",
		Total:      cluster.Resources{CPU: 4000, Mem: 8 << 30, Disk: 100 << 30, Ports: ports("31000-31999")},
		Attributes: map[string]string{"rack": "r1", "zone": "z1"}, Version: "0.1.0"}
}

// ordinary is a short life with each kind of command of version 1 in it.
func ordinary() []core.Command {
	code := 3
	expect := int64(0)
	agent := goldenAgent
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

// everyKind is a short life with each kind of command in it.
func everyKind() []core.Command { return slices.Concat(ordinary(), operated(), keeping()) }

// operated is what came with version 2.
func operated() []core.Command {
	static := cluster.Reserved{Stack: cluster.Stack{{Role: "eng", Static: true}}, Resources: cluster.Resources{CPU: 500, GPUs: 1}}
	rich := goldenAgent("a3")
	rich.Domain, rich.Reserved = &cluster.Domain{Region: "eu", Zone: "eu-1"}, cluster.NewReserves(static)
	rich.Total.GPUs = 2
	rich.Total.Extra = cluster.NewExtra(cluster.Named{Name: "tokens", Milli: 1500}, cluster.Named{Name: "lanes", Ranges: []cluster.Range{{Lo: 1, Hi: 8}}}, cluster.Named{Name: "keys", Items: []string{"b", "a"}})
	stateful := cluster.TaskSpec{ID: "db.1", Framework: "db", Role: "eng", Task: "main", Goal: cluster.GoalRunning, Container: cluster.Container{Image: "i"},
		Resources: cluster.Resources{CPU: 1500, Disk: 1 << 30, GPUs: 1},
		Reserved:  cluster.NewReserves(static, cluster.Reserved{Stack: operations("dba")[0].Stack, Resources: cluster.Resources{CPU: 1000}, Volumes: []cluster.Volume{*operations("dba")[1].Volume}})}
	stateful.Group, stateful.Network = "db-0", &cluster.Network{Name: "bridge", Ports: []cluster.PortMapping{{Host: 31000, Container: 5432}}}
	stateful.Ports, stateful.Listen, stateful.Resources.Ports = map[string]uint16{"sql": 31000}, map[string]uint16{"sql": 5432}, cluster.Port(31000)
	stateful.Container.Volumes = []cluster.VolumeMount{{Volume: "v1", Path: "/var/lib/db"}}
	placed := cluster.ServiceSpec{ID: "placed", Priority: -5, Preemptible: true, Pods: []cluster.PodSpec{{Name: "p", Count: 3, Gang: true, MinReady: 2, Network: "bridge",
		Placement: []cluster.Constraint{{Attribute: "rack", Operator: cluster.OpGroupBy, Value: "3"}}, Tasks: []cluster.TaskTemplate{template("main", cluster.GoalRunning)}}}}
	return []core.Command{
		core.PutQuota{Quotas: []cluster.Quota{{Role: "eng", Guarantee: cluster.Scalars{CPU: 1000}, Limit: &cluster.Scalars{CPU: 3000, Mem: cluster.Unlimited, Disk: 0, GPUs: cluster.Unlimited}}}, Principal: "admin"},
		core.PutWeights{Weights: []core.Weight{{Role: "eng/web", Weight: 2500}}, Principal: "admin"},
		core.RegisterAgent{Agent: rich, Boot: "b3", Life: "m1", Attempt: 2, Volumes: []cluster.VolumeName{{Role: "eng", ID: "old"}}},
		core.PutFramework{Framework: cluster.Framework{ID: "db", Principal: "dba", Roles: []cluster.Role{"eng"}, FailoverTimeout: 1,
			Minimums: map[cluster.Role][]cluster.Resources{"eng": {{Disk: 1 << 30}}}}},
		core.AcceptOffers{Framework: "db", Role: "eng", Agent: "a3", AllOrNone: true, Offered: cluster.Resources{CPU: 2000, Disk: 2 << 30, Ports: cluster.Port(31000)},
			OfferedReserved: cluster.NewReserves(static), Operations: operations("dba"), Tasks: []cluster.TaskSpec{stateful}},
		core.OperateAgent{Agent: "a3", Principal: "admin", Operations: []cluster.Operation{{Kind: cluster.OpReserve, Resources: cluster.Resources{CPU: 100},
			Stack: cluster.Stack{{Role: "ops", Principal: "admin"}}}}},
		core.PutMaintenance{Agents: []cluster.AgentID{"a1", "a3"}, Window: &cluster.Unavailability{Start: 9000, Duration: 1000}, Principal: "admin"},
		core.DeactivateAgent{Agent: "a3", Principal: "admin"},
		core.ReactivateAgent{Agent: "a3", Principal: "admin"},
		core.DrainAgent{Agent: "a3", Deadline: 1030, MaxGrace: 5, MarkGone: true, Principal: "admin"},
		core.ExpireDrain{Agent: "a3", Principal: "master"},
		core.DisconnectFramework{Framework: "db"},
		core.ExpireFramework{Framework: "db", Principal: "master"},
		core.PutService{Spec: placed},
		core.KillTask{Task: "db.1", Reason: cluster.ReasonPreempted, Principal: "services"},
	}
}

// stateful is a service that keeps its data, with each part of a spec that came
// with version 3.
func stateful(image string) cluster.ServiceSpec {
	format, broker := template("format", cluster.GoalOnce), template("broker", cluster.GoalRunning)
	broker.After, broker.Ports, broker.Container.Image = []string{"format"}, []cluster.PortSpec{{Name: "client"}}, image
	broker.Container.Leader = &cluster.Check{Command: []string{"leads"}}
	return cluster.ServiceSpec{ID: "db", Deadline: 600_000, Rollback: true, Exports: map[string]string{"uri": "${pods.p[0].host}"},
		Pods: []cluster.PodSpec{{Name: "p", Count: 1, Volumes: []cluster.VolumeSpec{{Name: "data", Size: 1 << 30, Path: "/data"}},
			Recovery: &cluster.Recovery{ReplaceAfter: 1000}, Tasks: []cluster.TaskTemplate{format, broker}}},
		Runs:   []cluster.RunTemplate{{Name: "check", Task: template("check", cluster.GoalFinish)}},
		Update: []cluster.Phase{{Name: "p", Pod: "p", Strategy: cluster.SerialCanary, Gate: "check", Steps: []cluster.Step{{Name: "finalize", Run: "check", Confirm: true, NoReturn: true}}}},
		Plans:  []cluster.PlanSpec{{Name: "repair", Confirm: true, Phases: []cluster.Phase{{Name: "all", Steps: []cluster.Step{{Name: "check", Run: "check"}}}}}}}
}

// place is a place for db's only instance, and the operations that make it.
func place(suffix string) (core.PlaceFor, []cluster.Operation) {
	stack := cluster.Stack{{Role: "services/db"}}
	p := cluster.Place{Agent: "a1", Stack: stack, Resources: cluster.Resources{CPU: 2000, Mem: 256, Ports: cluster.Port(31001)}, Ports: map[string]uint16{"client": 31001},
		Volumes: []cluster.Volume{{ID: "db.p-0.data." + suffix, Path: "data", Size: 1 << 30}}}
	whole := p.Resources
	whole.Disk = 1 << 30
	return core.PlaceFor{Service: "db", Pod: "p", Place: p}, []cluster.Operation{{Kind: cluster.OpReserve, Stack: stack, Resources: whole},
		{Kind: cluster.OpCreate, Stack: stack, Volume: &p.Volumes[0]}}
}

// keeping is what came with version 3.
func keeping() []core.Command {
	on, ops := place("1")
	first := core.AcceptOffers{Framework: "keeper", Role: "services/db", Agent: "a1", AllOrNone: true, Offered: goldenAgent("a1").Total, Operations: ops, Places: []core.PlaceFor{on}}
	again := first
	next, ops := place("2") // the id of a volume that was destroyed is not taken again
	again.Operations, again.Places = ops, []core.PlaceFor{next}
	task := cluster.TaskSpec{ID: "db.p-0.format.1", Framework: "keeper", Role: "services/db", Service: "db", Pod: "p", Task: "format", Goal: cluster.GoalOnce, Container: cluster.Container{Image: "i"},
		Resources: cluster.Resources{CPU: 1000, Mem: 128, Disk: 1 << 30},
		Reserved:  cluster.NewReserves(cluster.Reserved{Stack: on.Place.Stack, Resources: cluster.Resources{CPU: 1000, Mem: 128}, Volumes: on.Place.Volumes})}
	launch := core.AcceptOffers{Framework: "keeper", Role: "services/db", Agent: "a1", OfferedReserved: cluster.NewReserves(cluster.Reserved{Stack: on.Place.Stack, Resources: on.Place.Resources, Volumes: on.Place.Volumes}),
		Tasks: []cluster.TaskSpec{task}}
	spec := stateful("i2")
	return []core.Command{ // the first has index 36
		core.PutFramework{Framework: cluster.Framework{ID: "keeper", Roles: []cluster.Role{"services/db"}}},
		core.PutService{Spec: stateful("i1"), Principal: "ann"},
		first, launch,
		core.UpdateTask{Status: cluster.TaskStatus{Task: task.ID, Agent: "a1", State: cluster.TaskFinished}},
		core.SettleService{Service: "db", Generation: 37, Principal: "services"},
		core.PutService{Spec: spec, Principal: "ann"},
		core.PlanCall{Service: "db", Plan: "update", Verb: core.VerbConfirm, Phase: "p", Principal: "ann"},
		core.PlanCall{Service: "db", Plan: "update", Verb: core.VerbConfirm, Phase: "p", Step: "finalize", Principal: "ann"},
		core.PlanCall{Service: "db", Plan: "update", Verb: core.VerbForce, Phase: "p", Step: "p-0", Principal: "ann"},
		core.PutRun{Spec: cluster.RunSpec{ID: "db.update.42.p.finalize.0", Service: "db", Task: spec.Runs[0].Task, Plan: &cluster.PlanStep{Plan: "update", Key: "p/finalize", Started: 42, NoReturn: true}}},
		core.RestartInstance{Service: "db", Pod: "p", Replace: true, Principal: "ann"},
		core.RollbackService{Service: "db", Principal: "ann"},
		core.ReleasePlaces{Service: "db", Instances: []string{"p-0"}, Principal: "services"},
		again,
		core.RemoveService{Service: "db", KeepData: true, Principal: "ann"},
		core.ForgetService{Service: "db", Principal: "services"},
		core.ReleaseLeftovers{Service: "db", Principal: "ann"},
	}
}

// operations reserve for a role below and make a volume of it.
func operations(principal string) []cluster.Operation {
	stack := cluster.Stack{{Role: "eng/db", Principal: principal, Labels: map[string]string{"resource_id": "r1"}}}
	return []cluster.Operation{
		{ID: "o1", Kind: cluster.OpReserve, Stack: stack, Resources: cluster.Resources{CPU: 1000, Disk: 1 << 30}},
		{ID: "o2", Kind: cluster.OpCreate, Stack: stack, Volume: &cluster.Volume{ID: "v1", Path: "data", Size: 1 << 30, Principal: principal}},
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
	if len(kinds) != 29 {
		t.Errorf("%d kinds of commands are in the golden log, want all 29", len(kinds))
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

// TestGolden_keeps sees that the commands of version 3 do something in the golden
// log: none of them is refused.
func TestGolden_keeps(t *testing.T) {
	s := core.New()
	at := cluster.Time(1000)
	for i, c := range everyKind() {
		at++
		events, _ := s.Apply(at, c)
		if i < len(ordinary())+len(operated()) {
			continue
		}
		if r := core.Refused(events); r != nil {
			t.Errorf("%d: %s is refused: %s", i+1, c.Kind(), r.Message)
		}
		for _, e := range events {
			if e.Kind == core.EventTaskRefused || e.Kind == core.EventOperationRefused {
				t.Errorf("%d: %s: %s", i+1, e.Kind, e.Message)
			}
		}
	}
}

// TestDecode_readsOldPuts sees that a log of version 2, in which a spec could
// replace another one at any time, still means that.
func TestDecode_readsOldPuts(t *testing.T) {
	s := core.New()
	put := core.PutService{Spec: cluster.ServiceSpec{ID: "s", Pods: []cluster.PodSpec{{Name: "p", Count: 1, Tasks: []cluster.TaskTemplate{template("main", cluster.GoalRunning)}}}}}
	for _, version := range []string{`"v":2`, `"v":2`, `"v":3`} {
		put.Spec.Pods[0].Count++
		at, c, err := core.Decode(bytes.Replace(core.Encode(1, put), []byte(`"v":3`), []byte(version), 1))
		if err != nil {
			t.Fatal(err)
		}
		events, _ := s.Apply(at, c)
		if refused := core.Refused(events) != nil; refused != (version == `"v":3`) {
			t.Errorf("a put of %s is refused: %t", version, refused)
		}
	}
	if n := s.View().Service("s").Spec.Pods[0].Count; n != 3 {
		t.Errorf("the service has %d instances, want those of the second put", n)
	}
}

func TestDecode_refuses(t *testing.T) {
	good := string(core.Encode(1, core.AgentGone{Agent: "a1"}))
	for _, c := range []struct{ name, entry, want string }{
		{"nothing", "", "EOF"},
		{"no JSON", "hello", "invalid character"},
		{"two values", good + good, "more than one value"},
		{"newer version", strings.Replace(good, `"v":3`, `"v":4`, 1), "version 4"},
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

// TestOlderVersions reads what older versions wrote.
func TestOlderVersions(t *testing.T) {
	s := core.New()
	for i, c := range ordinary()[:11] {
		entry := bytes.Replace(core.Encode(cluster.Time(1000+i), c), []byte(`"v":3`), []byte(`"v":1`), 1)
		at, back, err := core.Decode(entry)
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(at, back)
	}
	old, err := os.ReadFile("testdata/snapshot-2.json") // of the same commands, by a program of then
	if err != nil {
		t.Fatal(err)
	}
	back, err := core.Restore(old)
	if err != nil || back.Hash() != s.Hash() {
		t.Errorf("a snapshot of version 2 is restored to another state: %v", err)
	}
	three := strings.Replace(string(s.Snapshot()), `"version":4`, `"version":3`, 1)
	three = strings.Replace(three, `,"leftovers":[]`, "", 1)
	three = strings.Replace(three, `,"plans":{"deploy":{"started":4,"at":1003,"generation":4}}`, "", 1)
	if strings.Contains(three, "leftovers") || strings.Contains(three, "plans") {
		t.Fatalf("the snapshot has not the form of version 3: %s", three)
	}
	back, err = core.Restore([]byte(three))
	if err != nil || back.Hash() != s.Hash() {
		t.Errorf("a snapshot of version 3 is restored to another state: %v", err)
	}
	older := strings.Replace(string(old), `"version":2`, `"version":1`, 1)
	older = strings.Replace(older, ",\"quotas\":[],\"weights\":[]", "", 1)
	if strings.Contains(older, "quotas") {
		t.Fatalf("the snapshot has not the form of version 1: %s", older)
	}
	back, err = core.Restore([]byte(older))
	if err != nil || back.Hash() != s.Hash() {
		t.Errorf("a snapshot of version 1 is restored to another state: %v", err)
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
		{"other version", strings.Replace(good, `"version":4`, `"version":9`, 1), "version 9"},
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

// FuzzDecode reads arbitrary entries: what can be read has a form that is read
// as the same again.
func FuzzDecode(f *testing.F) {
	for i, c := range everyKind() {
		f.Add(core.Encode(cluster.Time(i), c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		at, c, err := core.Decode(data)
		if err != nil {
			return
		}
		entry := core.Encode(at, c)
		at2, c2, err := core.Decode(entry)
		if err != nil || at2 != at {
			t.Fatalf("%s comes back at %d, %v", entry, at2, err)
		}
		if again := core.Encode(at2, c2); !bytes.Equal(again, entry) {
			t.Fatalf("%s comes back as %s", entry, again)
		}
	})
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
		for i, c := range everyKind()[20:25] { // quota, a rich agent, reservations
			s.Apply(cluster.Time(8+i), c)
		}
		for i, c := range keeping()[:3] { // a service with a place
			s.Apply(cluster.Time(20+i), c)
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
