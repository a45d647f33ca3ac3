package command

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	catalogapi "github.com/universe-dcos/universe/catalog/api"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// upgrading is a Kafka in the midst of an update.
func upgrading(now time.Time) service.Status {
	at := func(d time.Duration) cluster.Time { return cluster.Time(now.Add(d).UnixMilli()) }
	word := &service.Why{Reason: service.WhyConfirm, Plan: "update", Phase: "brokers", Command: "dcos service plan confirm kafka update brokers"}
	place := func(name, agent string) service.PlaceStatus {
		return service.PlaceStatus{Instance: name, Place: cluster.Place{Agent: cluster.AgentID(agent), Made: at(-time.Hour),
			Volumes: []cluster.Volume{{ID: "kafka." + name + ".data.1a", Size: 5 << 30}}}}
	}
	return service.Status{
		ID: "kafka", Package: "kafka", Version: "4.3.1", Role: "*", State: service.ServiceDeploying, Ready: 1, Total: 3, Generation: 42, Settled: 17, Changing: true,
		Created: at(-26 * time.Hour),
		Pods: []service.PodStatus{{Name: "kafka", Count: 3, Instances: []service.InstanceStatus{
			{Name: "kafka-0", State: service.StateReady, Ready: true, Agent: "agent-0123456789", Host: "10.64.168.11", Ports: map[string]uint16{"client": 9092, "controller": 9093}, Since: at(-time.Minute)},
			{Name: "kafka-1", Index: 1, State: service.StateReady, Outdated: true, Leader: true, Agent: "agent-0123456780", Host: "10.64.168.12", Ports: map[string]uint16{"client": 9092, "controller": 9093}, Since: at(-time.Hour)},
			{Name: "kafka-2", Index: 2, State: service.StateUnreachable, Outdated: true, Agent: "agent-0123456781", WhyText: "its agent agent-0123456781 is unreachable; it waits: dcos service replace kafka kafka-2"},
		}}},
		Deployment: []service.PhaseStatus{{Name: "brokers", Pod: "kafka", State: service.PhaseActive, Done: 1, Total: 3}, {Name: "features", State: service.PhasePending}},
		Plans: []service.PlanStatus{
			{Name: "deploy", Status: service.PlanComplete, Generation: 17, Started: at(-26 * time.Hour), Ended: at(-25 * time.Hour)},
			{Name: "update", Status: service.PlanWaiting, Generation: 42, Started: at(-time.Minute), Deadline: at(time.Minute), Rollback: true, Why: word, WhyText: word.String(), Phases: []service.PlanPhaseStatus{
				{Name: "brokers", Pod: "kafka", Strategy: cluster.SerialCanary, Status: service.PlanWaiting, Steps: []service.StepStatus{
					{Name: "kafka-0", Kind: service.StepInstance, Status: service.PlanComplete},
					{Name: "check", Kind: service.StepGate, Status: service.PlanError, Tries: 2, Run: "kafka.check.0123456789ab", WhyText: "waits to run check again: 2 runs failed, the last was kafka.check.0123456789ab (exit code 1)"},
					{Name: "kafka-1", Kind: service.StepInstance, Status: service.PlanWaiting, Why: word, WhyText: word.String()},
				}},
				{Name: "features", Status: service.PlanPending, Steps: []service.StepStatus{{Name: "finalize", Kind: service.StepRun, Status: service.PlanPending, Confirm: true, NoReturn: true}}},
			}},
		},
		Places:  []service.PlaceStatus{place("kafka-0", "agent-0123456789"), place("kafka-1", "agent-0123456780"), place("kafka-2", "agent-0123456781")},
		Notices: []string{"kafka-2: its agent agent-0123456781 is unreachable; it waits: dcos service replace kafka kafka-2"},
		History: []service.RevisionStatus{{Generation: 5, Package: "kafka", Version: "3.9.2", At: at(-26 * time.Hour), Principal: "ada", Settled: true, NoReturn: "update features/finalize"},
			{Generation: 42, Package: "kafka", Version: "4.3.1", At: at(-time.Minute), Principal: "ada", Present: true}},
		Endpoints: []service.EndpointStatus{{Name: "client", Scheme: "kafka", Addresses: []service.EndpointAddress{
			{Instance: "kafka-0", Name: "kafka-0-broker.kafka.universe", Host: "10.64.168.11", Port: 9092, Ready: true}}}},
		Exports: []service.ExportStatus{{Name: "bootstrap", Value: "10.64.168.11:9092,10.64.168.12:9092,10.64.168.13:9092,and-one-more:9092", Known: true}},
	}
}

// noon is the time of these tests.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestServiceVerbs_fitATerminal(t *testing.T) {
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/services/kafka": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, upgrading(noon)) },
		"GET /v1/services": func(w http.ResponseWriter, _ *http.Request) {
			reply(t, w, runtimeclient.List[service.Status]{Items: []service.Status{upgrading(noon)}})
		},
	})
	for _, line := range []string{"service list", "service show kafka", "service why kafka", "service plan list kafka", "service plan show kafka update", "service history kafka", "service endpoints kafka"} {
		w := newWorld(t, "DCOS_URL", url)
		w.OutTerminal, w.ErrTerminal, w.Now = true, true, func() time.Time { return noon }
		if code := Main(t.Context(), w.Deps, append(strings.Fields(line), "--no-color")); code != 0 {
			t.Errorf("%s: exit code %d:\n%s", line, code, w.err.String())
		}
		for row := range strings.Lines(w.out.String()) {
			if n := render.Width(strings.TrimSuffix(row, "\n")); n > 80 {
				t.Errorf("%s: %d cells: %s", line, n, row)
			}
		}
		if w.out.Len() == 0 {
			t.Errorf("%s printed nothing", line)
		}
	}
}

func TestPlanShow_isATree(t *testing.T) {
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/services/kafka": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, upgrading(noon)) },
	})
	w := newWorld(t, "DCOS_URL", url)
	w.OutTerminal, w.Now = true, func() time.Time { return noon }
	if code := Main(t.Context(), w.Deps, []string{"service", "plan", "show", "kafka", "--no-color"}); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, w.err.String())
	}
	const want = `update  WAITING  generation 42  started 1m00s
until 2026-11-24T12:01:00Z, then back by itself
waits for a person's word: dcos service plan confirm kafka update brokers

◌ brokers       WAITING   pod kafka, serial-canary
  ✓ kafka-0     COMPLETE
  ✗ gate check  ERROR     2 failed runs, run kafka.check.0123456789ab
      waits to run check again: 2 runs failed, the last was
      kafka.check.0123456789ab (exit code 1)
  ◌ kafka-1     WAITING
      waits for a person's word: dcos service plan confirm kafka update brokers
◌ features      PENDING
  ◌ finalize    PENDING   needs a word, closes the way back
`
	if d := cmp.Diff(want, w.out.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestStatusItem_showsRunsOfPhases(t *testing.T) {
	var b strings.Builder
	o := render.ProgressOptions{Symbols: render.ASCII, Now: func() time.Time { return noon }}
	render.NewProgress(&b, o).Set([]render.Item{statusItem(upgrading(noon), noon)})
	for _, want := range []string{
		"    failed: check error: waits to run check again: 2 runs failed", // a gate
		"  waiting: phase features pending\n    waiting: finalize pending\n",
		"    working: kafka-1 ready, to be updated on agent-0123456780",
	} {
		if !strings.Contains(strings.ReplaceAll(b.String(), "gate check", "check"), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
}

func TestWritePlan_ofAChange(t *testing.T) {
	p := &plan.Plan{Kind: plan.KindUpgrade, Digest: "sha256:0123456789abcdef", Request: plan.Request{Kind: plan.KindUpgrade, Package: "kafka", ServiceID: "events"},
		Cost: plan.Cost{CPU: 500, Mem: -64 << 20, Disk: 1 << 30},
		Steps: []plan.Step{
			{Action: plan.ActionKeep, ServiceID: "zk", Package: "zookeeper", Version: "3.9.5", Why: []plan.Why{{From: "kafka", Constraint: "^3.8"}}},
			{Action: plan.ActionUpgrade, ServiceID: "events", Package: "kafka", Version: "4.3.1", From: &plan.From{Version: "3.9.2", Generation: 7},
				Settings: []plan.Setting{{Name: "brokers.mem", From: json.RawMessage("2048"), To: json.RawMessage("4096")}, {Name: "kafka.note", To: json.RawMessage(`"` + strings.Repeat("x", 90) + `"`)}},
				Changes: []plan.PodChange{{Pod: "kafka", Kind: plan.ChangeRestart, From: 3, To: 3, Reasons: []plan.Reason{
					{Task: "broker", What: "image", Detail: "kafka@0123456789ab -> kafka@ba9876543210"}, {Task: "broker", What: "resources", Detail: "mem 2 GiB -> 4 GiB"}}},
					{Pod: "exporter", Kind: plan.ChangeAdd, To: 1}},
				Rollout: []plan.RolloutPhase{{Name: "brokers", Pod: "kafka", Strategy: cluster.SerialCanary, Restarts: 3, Gate: "check in-sync"},
					{Name: "features", Confirm: true, Steps: []cluster.Step{{Name: "finalize", Confirm: true, NoReturn: true}}}},
				Bindings: []plan.Binding{{Alias: "zk", ServiceID: "zk", Others: []cluster.ServiceID{"zk2"}}},
				Pods:     []plan.PodCost{{Pod: "kafka", Count: 3}, {Pod: "exporter", Count: 1}}},
		},
		Warnings: []plan.Warning{{Code: plan.WarnNoReturn, ServiceID: "events", Message: "step finalize of phase features closes the way back: what events was before cannot come back after it"}},
	}
	var b strings.Builder
	if err := writePlan(&b, p, planStyle{width: 80, cluster: "dev", warning: render.Unicode.Warning}); err != nil {
		t.Fatal(err)
	}
	const want = `Plan for the upgrade of events on dev

  =  zookeeper as zk  3.9.5           for kafka ^3.8
  ~  kafka as events  3.9.2 -> 4.3.1  upgrade         3 x kafka, 1 x exporter

  Options
    brokers.mem: 2048 -> 4096
    kafka.note: (none) ->
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…

  Pods
    kafka is restarted, 3 instances
      broker: image (kafka@0123456789ab -> kafka@ba9876543210)
      broker: resources (mem 2 GiB -> 4 GiB)
    exporter is new, with 1 instance

  What happens, in this order
    1. brokers, pod kafka: restarts 3, serial-canary, after each check in-sync
    2. features; waits for a person's word before it
       then runs finalize, at a person's word; there is no way back after it

  Resources  +0.5 CPU, -64 MiB memory, +1 GiB disk
  Bindings   zk of events is zk (also possible: zk2; choose with --bind zk=ID)

  ▲ step finalize of phase features closes the way back: what events was before
    cannot come back after it

1 to change, 1 unchanged. Plan 0123456789ab
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestUpgrade_thatWentBackByItselfIsAFailure(t *testing.T) {
	p := &plan.Plan{Kind: plan.KindUpgrade, Digest: "sha256:abc", Request: plan.Request{Kind: plan.KindUpgrade, Package: "kafka", ServiceID: "kafka"},
		Steps: []plan.Step{{Action: plan.ActionUpgrade, ServiceID: "kafka", Package: "kafka", Version: "4.3.1", From: &plan.From{Version: "3.9.2"}}}}
	s := upgrading(noon)
	s.Plans[1].Status, s.Plans[1].Why = service.PlanInProgress, nil // nobody is asked
	back := s
	back.Plans = []service.PlanStatus{{Name: "update", Status: service.PlanComplete, Generation: 50, Back: 17}}
	back.State, back.Generation, back.Changing = service.ServiceRunning, 50, false
	next := sequence(s, s, back)
	url := stub(t, map[string]http.HandlerFunc{
		"POST /v1/plans":              func(w http.ResponseWriter, _ *http.Request) { reply(t, w, p) },
		"POST /v1/installations":      func(w http.ResponseWriter, _ *http.Request) { reply(t, w, p) },
		"GET /v1/services/kafka":      func(w http.ResponseWriter, _ *http.Request) { reply(t, w, next()) },
		"GET /v1/installations/kafka": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, plan.Installation{ID: "kafka"}) },
	})
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"package", "upgrade", "kafka", "--yes"}); code != ExitError {
		t.Errorf("exit code %d", code)
	}
	if want := "service kafka went back to generation 17"; !strings.Contains(w.err.String(), want) {
		t.Errorf("no %q in:\n%s", want, w.err.String())
	}

	// Out of time, it says what is missing and how to take it back.
	next = sequence(s)
	w = newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"package", "upgrade", "kafka", "--yes", "--timeout", "50ms"}); code != ExitTimeout {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"is not through with its change after 50ms", "kafka-2 unreachable: its agent", "dcos package rollback kafka"} {
		if !strings.Contains(w.err.String(), want) {
			t.Errorf("no %q in:\n%s", want, w.err.String())
		}
	}
}

// TestBareServices: those of no package are changed without a plan, but never
// unseen: the generation that was looked at is sent along.
func TestBareServices(t *testing.T) {
	s := service.Status{ID: "bare", State: service.ServiceRunning, Generation: 9, Settled: 9, Pods: []service.PodStatus{{Name: "web", Count: 2}}}
	rec := core.Service{Generation: 9, Spec: cluster.ServiceSpec{ID: "bare", Pods: []cluster.PodSpec{{Name: "web", Count: 2}}}}
	var put runtimeclient.PutService
	var back runtimeclient.Rollback
	read := func(w http.ResponseWriter, r *http.Request, into any) {
		if err := json.NewDecoder(r.Body).Decode(into); err != nil {
			t.Error(err)
		}
		reply(t, w, runtimeclient.Accepted{Index: 10})
	}
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/services/bare":           func(w http.ResponseWriter, _ *http.Request) { reply(t, w, s) },
		"GET /v1/services/bare/record":    func(w http.ResponseWriter, _ *http.Request) { reply(t, w, rec) },
		"PUT /v1/services/bare":           func(w http.ResponseWriter, r *http.Request) { read(w, r, &put) },
		"POST /v1/services/bare/rollback": func(w http.ResponseWriter, r *http.Request) { read(w, r, &back) },
	})
	run := func(code int, line string) string {
		t.Helper()
		w := newWorld(t, "DCOS_URL", url)
		if got := Main(t.Context(), w.Deps, strings.Fields(line)); got != code {
			t.Errorf("%s: exit code %d, want %d:\n%s", line, got, code, w.err.String())
		}
		return w.err.String()
	}
	run(0, "service scale bare 5 --yes")
	if put.Spec.Pods[0].Count != 5 || put.Expect == nil || *put.Expect != 9 {
		t.Errorf("put %+v", put)
	}
	run(0, "service rollback bare 3 --yes")
	if back.Generation != 3 || back.Expect == nil || *back.Expect != 9 {
		t.Errorf("rolled back %+v", back)
	}
	if said := run(ExitUsage, "service rollback bare"); !strings.Contains(said, "what it was before") {
		t.Errorf("asked %s", said)
	}
	run(ExitUsage, "service scale bare 5 --plan")
	run(ExitUsage, "service scale bare many")
	run(ExitUsage, "service scale bare -- -1")
	run(ExitUsage, "service rollback bare -- -1")
	run(ExitUsage, "service restart bare")
	run(ExitUsage, "service pause")
}

func TestClosing(t *testing.T) {
	phases := []cluster.Phase{
		{Name: "a", Steps: []cluster.Step{{Name: "plain", NoReturn: true}, {Name: "asks", NoReturn: true, Confirm: true}, {Name: "harmless"}}},
		{Name: "b", Confirm: true, Steps: []cluster.Step{{Name: "later", NoReturn: true}}},
	}
	spec := &cluster.ServiceSpec{Plans: []cluster.PlanSpec{{Name: "now", Phases: phases}, {Name: "asked", Confirm: true, Phases: phases}}}
	for _, c := range []struct {
		plan string
		verb core.Verb
		part runtimeclient.CallPlan
		want string
	}{
		{"now", core.VerbStart, runtimeclient.CallPlan{}, "step a/plain"},
		{"asked", core.VerbStart, runtimeclient.CallPlan{}, ""},
		{"asked", core.VerbConfirm, runtimeclient.CallPlan{}, "step a/plain"},
		{"now", core.VerbConfirm, runtimeclient.CallPlan{Phase: "b"}, "step b/later"},
		{"now", core.VerbConfirm, runtimeclient.CallPlan{Phase: "a", Step: "asks"}, "step a/asks"},
		{"now", core.VerbForce, runtimeclient.CallPlan{Phase: "a", Step: "plain"}, "step a/plain"},
		{"now", core.VerbForce, runtimeclient.CallPlan{Phase: "a", Step: "harmless"}, ""},
		{"now", core.VerbStop, runtimeclient.CallPlan{}, ""},
	} {
		if got := strings.Join(closing(spec, c.plan, c.verb, c.part), " "); got != c.want {
			t.Errorf("%s %s %+v: %q, want %q", c.verb, c.plan, c.part, got, c.want)
		}
	}
}

func TestCountOptions_thoseThatCountComeFirst(t *testing.T) {
	tree := map[string]any{"z": 2.0, "name": "2", "brokers": map[string]any{"count": 2.0, "mem": 3.0, "controller_count": 2.0}, "a": map[string]any{"port": 2.0}}
	var got []string
	for _, p := range countOptions(tree, 2) {
		got = append(got, strings.Join(p, "."))
	}
	if d := cmp.Diff("brokers.controller_count brokers.count a.port z", strings.Join(got, " ")); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := string(nested([]string{"a", `"b`}, 3)); got != `{"a":{"\"b":3}}` {
		t.Errorf("nested: %s", got)
	}
}

func TestSharedCommands_giveWayToActionsOfThatName(t *testing.T) {
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/installations": func(w http.ResponseWriter, _ *http.Request) {
			reply(t, w, catalogapi.Installations{Items: []plan.Installation{{ID: "kafka", Package: "kafka", Version: "4.3.1"}}})
		},
		"GET /v1/installations/kafka/actions": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"items":[{"name":"endpoints","summary":"Of its own"}]}`))
		},
	})
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"kafka", "--help"}); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, w.err.String())
	}
	for _, want := range []string{"endpoints   Of its own", "plan        The plans of service kafka", "pod         The instances of service kafka"} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("no %q in:\n%s", want, w.out.String())
		}
	}
}

func TestUninstall_saysWhatIsStillThere(t *testing.T) {
	s := upgrading(noon)
	s.State, s.Plans, s.Pods[0].Instances = service.ServiceRemoving, nil, s.Pods[0].Instances[:1]
	s.Pods[0].Instances[0].State = service.StateKilling
	s.Notices = []string{"its removal waits for the end of tasks on agent a3, which is unreachable"}
	p := &plan.Plan{Kind: plan.KindUninstall, Digest: "sha256:abc", Request: plan.Request{Kind: plan.KindUninstall, Package: "kafka", ServiceID: "kafka"},
		Steps:    []plan.Step{{Action: plan.ActionUninstall, ServiceID: "kafka", Package: "kafka", Version: "4.3.1", Removal: &plan.Removal{ID: "kafka"}}},
		Warnings: []plan.Warning{{Code: plan.WarnData, ServiceID: "kafka", Message: "3 volumes of kafka are destroyed with their data, 15 GiB in all"}}}
	applied := false
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/installations/kafka": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, plan.Installation{ID: "kafka"}) },
		"POST /v1/plans":              func(w http.ResponseWriter, _ *http.Request) { reply(t, w, p) },
		"POST /v1/installations":      func(w http.ResponseWriter, _ *http.Request) { applied = true; reply(t, w, p) },
		"GET /v1/services/kafka":      func(w http.ResponseWriter, _ *http.Request) { reply(t, w, s) },
	})
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"package", "uninstall", "kafka", "--yes", "--timeout", "50ms"}); code != ExitTimeout {
		t.Errorf("exit code %d", code)
	}
	_, said, _ := strings.Cut(w.err.String(), "error: ")
	for _, want := range []string{"not gone after 50ms", "agent a3, which is unreachable", "kafka-0 stopping", "1 volume (5 GiB) of kafka-2 on agent-0123456781 to be given up"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}

	// A no destroys nothing.
	applied = false
	w = newWorld(t, "DCOS_URL", url)
	w.In, w.InTerminal, w.ErrTerminal = strings.NewReader("n\n"), true, true
	if code := Main(t.Context(), w.Deps, []string{"package", "uninstall", "kafka"}); code != ExitUsage || applied {
		t.Errorf("exit code %d, applied %v after a no", code, applied)
	}
	if want := "end all its tasks and destroy its data? [y/N]"; !strings.Contains(w.err.String(), want) {
		t.Errorf("no %q in:\n%s", want, w.err.String())
	}
}
