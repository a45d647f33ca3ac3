package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

func TestOutcome(t *testing.T) {
	code := func(n int) *int { return &n }
	asked, sick := &checkpoint.Kill{}, &checkpoint.Kill{Reason: cluster.ReasonUnhealthy, Message: "sick"}
	for _, c := range []struct {
		name string
		exit runner.Exit
		kill *checkpoint.Kill
		want cluster.TaskStatus
	}{
		{"success", runner.Exit{}, nil, cluster.TaskStatus{State: cluster.TaskFinished, ExitCode: code(0)}},
		{"failure", runner.Exit{Code: 3}, nil, cluster.TaskStatus{State: cluster.TaskFailed, ExitCode: code(3), Message: "exit code 3"}},
		{"success in spite of an OOM kill within", runner.Exit{OOM: true}, nil, cluster.TaskStatus{State: cluster.TaskFinished, ExitCode: code(0)}},
		{"OOM", runner.Exit{Code: 137, OOM: true}, nil, cluster.TaskStatus{State: cluster.TaskFailed, ExitCode: code(137),
			Reason: cluster.ReasonMemoryLimit, Message: "out of memory: the kernel killed in it at its limit of 512 MiB"}},
		{"a KILL that is not ours", runner.Exit{Code: 137}, nil, cluster.TaskStatus{State: cluster.TaskFailed, ExitCode: code(137),
			Reason: cluster.ReasonKilledBySignal, Message: "exit code 137: signal 9 (killed), which was not ours"}},
		{"unknown", runner.Exit{Unknown: true}, nil, cluster.TaskStatus{State: cluster.TaskFailed,
			Reason: cluster.ReasonStatusUnknown, Message: "it ended while nobody could read its exit code"}},
		{"asked", runner.Exit{Code: 137}, asked, cluster.TaskStatus{State: cluster.TaskKilled, ExitCode: code(137), Message: "killed as asked"}},
		{"asked, and it ended well", runner.Exit{}, asked, cluster.TaskStatus{State: cluster.TaskKilled, ExitCode: code(0), Message: "killed as asked"}},
		{"asked, and the code is unknown", runner.Exit{Unknown: true}, asked, cluster.TaskStatus{State: cluster.TaskKilled, Message: "killed as asked"}},
		{"unhealthy", runner.Exit{Code: 143}, sick, cluster.TaskStatus{State: cluster.TaskFailed, ExitCode: code(143), Reason: cluster.ReasonUnhealthy, Message: "sick"}},
		{"over the signals", runner.Exit{Code: 255}, nil, cluster.TaskStatus{State: cluster.TaskFailed, ExitCode: code(255), Message: "exit code 255"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.exit.At, c.want.At = 77, 77
			var got cluster.TaskStatus
			outcome(&got, c.exit, c.kill, cluster.TaskSpec{Resources: cluster.Resources{Mem: 512 << 20}})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}
