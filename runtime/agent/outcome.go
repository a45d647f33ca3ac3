package agent

import (
	"fmt"
	"syscall"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// maxSignal is the highest signal a shell's 128+n convention is read for.
const maxSignal = 31

// outcome fills in what the end of a task means: its state, reason, exit code
// and a sentence. kill is our own decision to end it; nil when there was none.
func outcome(st *cluster.TaskStatus, exit runner.Exit, kill *checkpoint.Kill, spec cluster.TaskSpec) {
	st.At = exit.At
	if !exit.Unknown {
		code := exit.Code
		st.ExitCode = &code
	}
	switch {
	case kill != nil && kill.Reason != "":
		// We ended it because it failed in our eyes; nobody had asked.
		st.State, st.Reason, st.Message = cluster.TaskFailed, kill.Reason, kill.Message
	case kill != nil:
		st.State, st.Message = cluster.TaskKilled, "killed as asked"
	case exit.Unknown:
		st.State, st.Reason = cluster.TaskFailed, cluster.ReasonStatusUnknown
		st.Message = "it ended while nobody could read its exit code"
	case exit.Code == 0:
		st.State = cluster.TaskFinished
	case exit.OOM:
		st.State, st.Reason = cluster.TaskFailed, cluster.ReasonMemoryLimit
		st.Message = fmt.Sprintf("out of memory: the kernel killed in it at its limit of %s", cluster.Bytes(spec.Resources.Mem))
	case exit.Code > 128 && exit.Code <= 128+maxSignal:
		st.State, st.Reason = cluster.TaskFailed, cluster.ReasonKilledBySignal
		sig := syscall.Signal(exit.Code - 128)
		st.Message = fmt.Sprintf("exit code %d: signal %d (%s), which was not ours", exit.Code, int(sig), sig)
	default:
		st.State, st.Message = cluster.TaskFailed, fmt.Sprintf("exit code %d", exit.Code)
	}
}
