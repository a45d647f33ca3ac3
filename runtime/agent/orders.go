package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// maxTaskID bounds the id of a task and the name of a group, in bytes (see cluster.TaskID).
	maxTaskID = 200
	// minDiskRetry and maxDiskRetry bound the pause between two tries to write
	// down what must not be lost.
	minDiskRetry = time.Second
	maxDiskRetry = 30 * time.Second
	// maxGrace bounds the time from TERM to KILL, whatever is asked for.
	maxGrace cluster.Millis = 24 * 60 * 60 * 1000
	// maxMessage bounds the message of a report, in bytes.
	maxMessage = 1024
)

// launch takes on a task. One that is held is left alone; one that has ended
// answers with its end again.
func (a *Agent) launch(ctx context.Context, spec cluster.TaskSpec) error {
	if err := checkID(spec.ID); err != nil {
		// Its name cannot even be a directory: there is nothing to keep.
		a.log.Error("a task was refused", "err", err)
		return nil
	}
	if _, ok := a.ledger.Get(spec.ID); ok {
		return a.answerAgain(spec.ID)
	}
	probes, no := a.admit(spec)
	if no != nil {
		return a.refuse(spec, *no)
	}
	st := a.status(spec.ID, cluster.TaskStarting)
	if err := a.ledger.Launch(spec, st); err != nil {
		return err
	}
	a.log.Info("task launched", "task", string(spec.ID))
	a.begin(ctx, newTask(a, spec, probes), (*task).launch)
	return nil
}

// checkID accepts what can name a directory and a container.
func checkID(id cluster.TaskID) error { return checkName("task id", string(id)) }

func checkName(what, name string) error {
	if name == "" || len(name) > maxTaskID || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%s %.*q is empty, too long or begins with a dot", what, maxTaskID, name)
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return fmt.Errorf("%s %q has a character outside a-z, 0-9, - and .", what, name)
		}
	}
	return nil
}

// refuse records a task that never gets a container.
func (a *Agent) refuse(spec cluster.TaskSpec, no refusal) error {
	a.log.Warn("task refused", "task", string(spec.ID), "reason", string(no.reason), "err", no.message)
	st := a.status(spec.ID, no.state)
	st.Reason, st.Message = no.reason, bounded(inGroup(spec, no.message))
	if err := a.ledger.Launch(spec, st); err != nil {
		return err
	}
	return a.ledger.SetRemoved(spec.ID)
}

// kill asks a task to end. A task that is not here answers TASK_LOST.
func (a *Agent) kill(o cluster.Order) error {
	rec, ok := a.ledger.Get(o.Task)
	if !ok {
		if err := checkID(o.Task); err != nil {
			a.log.Error("a kill was refused", "err", err)
			return nil
		}
		st := a.status(o.Task, cluster.TaskLost)
		st.Reason, st.Message = cluster.ReasonReconciliation, "the agent does not have it"
		return a.ledger.Answer(o.Task, st)
	}
	if rec.Ended != 0 {
		return a.ledger.Repeat(o.Task)
	}
	grace := graceOf(o.Grace, rec.Spec.Container.KillGrace)
	if err := a.ledger.SetKill(o.Task, checkpoint.Kill{Deadline: now().Add(grace), Grace: grace}); err != nil {
		return err
	}
	if t := a.task(o.Task); t != nil {
		t.wake()
	}
	return nil
}

// graceOf is the first grace period that one can wait for, or the default one.
func graceOf(options ...cluster.Millis) cluster.Millis {
	for _, g := range options {
		if g > 0 {
			return min(g, maxGrace)
		}
	}
	return cluster.DefaultKillGrace
}

// answerAgain repeats the end of a task that has ended; for one that runs there
// is nothing to say.
func (a *Agent) answerAgain(id cluster.TaskID) error {
	rec, ok := a.ledger.Get(id)
	if !ok || rec.Ended == 0 {
		return nil
	}
	return a.ledger.Repeat(id)
}

// status is a new report on a task.
func (a *Agent) status(id cluster.TaskID, state cluster.TaskState) cluster.TaskStatus {
	return cluster.TaskStatus{Task: id, Agent: a.cfg.ID, State: state, UUID: checkpoint.NewUUID(), At: now()}
}

// report makes st known. Once a task has ended nothing more is said of it.
func (a *Agent) report(st cluster.TaskStatus) {
	if err := a.tryReport(st); err != nil {
		a.log.Error("a report could not be written down", "task", string(st.Task), "state", string(st.State), "err", err)
	}
}

// tryReport is report for who can try again.
func (a *Agent) tryReport(st cluster.TaskStatus) error {
	st.Message = bounded(st.Message)
	err := a.ledger.Report(st)
	if errors.Is(err, checkpoint.ErrEnded) {
		return nil
	}
	if err == nil {
		a.log.Info("task "+strings.ToLower(strings.TrimPrefix(string(st.State), "TASK_")), "task", string(st.Task),
			"reason", string(st.Reason), "message", st.Message, "ready", st.Ready)
	}
	return err
}

// bounded cuts a message that would be too long for a report.
func bounded(message string) string {
	if len(message) > maxMessage {
		return strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	return message
}

// insist tries until it succeeds, as what must not be lost to a full disk. It
// gives up, and reports false, when ctx is done: the next life begins from what
// is on disk.
func (a *Agent) insist(ctx context.Context, task cluster.TaskID, what string, try func() error) bool {
	b := backoff{least: minDiskRetry, most: maxDiskRetry}
	for {
		err := try()
		if err == nil {
			return true
		}
		a.log.Error(what+" could not be written down; trying again", "task", string(task), "err", err)
		if !b.wait(ctx) {
			return false
		}
	}
}
