package command

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// deploying is a service in the midst of its deployment.
func deploying(now time.Time) service.Status {
	at := func(d time.Duration) cluster.Time { return cluster.Time(now.Add(d).UnixMilli()) }
	return service.Status{
		ID: "spark", State: service.ServiceDeploying, Ready: 1, Total: 4,
		Pods: []service.PodStatus{
			{Name: "master", Count: 1, Instances: []service.InstanceStatus{{Name: "master-0", State: service.StateReady, Ready: true, Agent: "a1"}}},
			{Name: "worker", Count: 3, Instances: []service.InstanceStatus{
				{Name: "worker-0", State: service.StateStaging, Agent: "a2", Since: at(-12 * time.Second),
					Tasks: []service.TaskBrief{{Message: "pulling 40 %"}}},
				{Name: "worker-1", State: service.StateBackoff, Failures: 2, BackoffUntil: at(4 * time.Second),
					Last: &service.LastEnding{State: cluster.TaskFailed, Message: "exit code 1"}},
				{Name: "worker-2", State: service.StateWaiting, WhyText: "fits nowhere: a1: mem: needs 2 GiB, has 512 MiB"},
			}},
		},
		Deployment: []service.PhaseStatus{
			{Name: "master", Pod: "master", State: service.PhaseComplete, Done: 1, Total: 1},
			{Name: "workers", Pod: "worker", State: service.PhaseActive, Total: 3},
		},
	}
}

func TestStatusItem_saysWhatIsWaitedForAndWhy(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		o    render.ProgressOptions
		want string
	}{
		{"terminal", render.ProgressOptions{Terminal: true, Symbols: render.Unicode, Width: func() int { return 80 }}, `
◐ spark deploying, 1 of 4 instances ready
  ✓ phase master complete, 1 of 1 ready
    ✓ master-0 ready on a1
  ◐ phase workers active, 0 of 3 ready
    ◐ worker-0 starting on a2  pulling 40 %, 12s
    ✗ worker-1 held back       tried again in 4s
        failed 2 times in a row: failed, exit code 1
    ◌ worker-2 waiting
        fits nowhere: a1: mem: needs 2 GiB, has 512 MiB
`},
		{"pipe", render.ProgressOptions{Symbols: render.ASCII}, `
working: spark deploying, 1 of 4 instances ready
  done: phase master complete, 1 of 1 ready
    done: master-0 ready on a1
  working: phase workers active, 0 of 3 ready
    working: worker-0 starting on a2  pulling 40 %, 12s
    failed: worker-1 held back: failed 2 times in a row: failed, exit code 1  tried again in 4s
    waiting: worker-2 waiting: fits nowhere: a1: mem: needs 2 GiB, has 512 MiB
`},
	} {
		var b strings.Builder
		c.o.Now = func() time.Time { return now }
		render.NewProgress(&b, c.o).Set([]render.Item{statusItem(deploying(now), now)})
		got := strings.NewReplacer("\x1b[2K", "", "\x1b[J", "").Replace(b.String())
		if d := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestNotReady_namesEachMissingInstance(t *testing.T) {
	want := []string{
		"worker-0 starting",
		"worker-1 held back: failed 2 times in a row: failed, exit code 1",
		"worker-2 waiting: fits nowhere: a1: mem: needs 2 GiB, has 512 MiB",
	}
	if d := cmp.Diff(want, notReady(deploying(time.Now()))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
