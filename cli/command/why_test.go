package command

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// whyOf is an instance that waits for w.
func whyOf(name string, w *service.Why) service.InstanceStatus {
	return service.InstanceStatus{Name: name, State: service.StateWaiting, Why: w, WhyText: w.String()}
}

func TestWriteService_saysWhatIsInTheWayOnEachAgent(t *testing.T) {
	rack := &cluster.Constraint{Attribute: "rack", Operator: cluster.OpLike, Value: "r[1-4]"}
	agents := []service.WhyAgent{
		{Agent: "a1", Shortfalls: []cluster.Shortfall{{Resource: "mem", Have: "512 MiB", Need: "2 GiB"}, {Resource: "cpus", Have: "0.5", Need: "2"}, {Resource: "ports", Have: "none", Need: "one of 31000-32000"}}},
		{Agent: "a2", Rule: service.RuleUnique},
	}
	s := service.Status{ID: "kafka", Package: "kafka", Version: "4.2.1", Role: "*", State: service.ServiceDeploying, Total: 5, Priority: 10,
		Pods: []service.PodStatus{{Name: "broker", Count: 4, Instances: []service.InstanceStatus{
			whyOf("broker-0", &service.Why{Reason: service.WhyResources, Agents: agents, Omitted: 12}),
			whyOf("broker-1", &service.Why{Reason: service.WhyResources, Agents: agents, Omitted: 12}),
			whyOf("broker-2", &service.Why{Reason: service.WhyPlacement, Constraint: rack, Unknown: true, Agents: agents[:1]}),
			whyOf("broker-3", &service.Why{Reason: service.WhyResources, Gang: &service.WhyFit{Fit: 2, Wanted: 3}, Agents: agents[1:]}),
		}}}}
	w := newWorld(t)
	w.OutTerminal = true
	if err := w.app(t, "--no-color").writeService(&w.out, s); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(w.out.String(), "WAITING\n")
	want := `broker-0, broker-1: fits nowhere
  a1: mem: needs 2 GiB, has 512 MiB, cpus: needs 2, has 0.5, ports: needs one
    of 31000-32000, has none
  a2: has an instance of this pod, which is one per host
  and 12 more agents
broker-2: no agent has attribute "rack"
broker-3: 2 of 3 fit, and all start or none
  a2: has an instance of this pod, which is one per host
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if strings.Contains(w.out.String(), "WHY") || !strings.Contains(w.out.String(), "priority 10") {
		t.Errorf("printed\n%s", w.out.String())
	}
	for line := range strings.Lines(w.out.String()) {
		if len(line) > 81 {
			t.Errorf("a line of more than 80 columns: %s", line)
		}
	}
	if got, want := whyText(s), "broker-0: fits nowhere"; got != want {
		t.Errorf("in the list: %q, want %q", got, want)
	}
	// In a pipe each instance is one line with its whole reason.
	w = newWorld(t)
	if err := w.app(t).writeService(&w.out, s); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(w.out.String(), "WAITING") || strings.Count(w.out.String(), "and 12 more agents") != 2 {
		t.Errorf("printed\n%s", w.out.String())
	}
}
