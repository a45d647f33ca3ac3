package checkpoint

import (
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Record is all that is kept of a task.
type Record struct {
	Spec cluster.TaskSpec `json:"spec"`
	// Status is the latest.
	Status cluster.TaskStatus `json:"status"`
	// Pending are the reports that are not acknowledged, oldest first.
	Pending []cluster.TaskStatus `json:"pending,omitempty"`
	// Started is when its process ran first; 0: it never did.
	Started cluster.Time `json:"started,omitempty"`
	// Volumes are those that it was given to mount: its own, and those of its group.
	Volumes []cluster.VolumeName `json:"volumes,omitempty"`
	// Kill is set when we decided to end it.
	Kill *Kill `json:"kill,omitempty"`
	// Ended is when its terminal status was made; 0: it has none.
	Ended cluster.Time `json:"ended,omitempty"`
	// Removed is set when its container is gone.
	Removed bool `json:"removed,omitempty"`
	// Stranger is set for a task that was never launched here: the record only
	// carries an answer to the master.
	Stranger bool `json:"stranger,omitempty"`
}

// Kill is the decision to end a task.
type Kill struct {
	// Reason is empty when the master asked.
	Reason  cluster.Reason `json:"reason,omitempty"`
	Message string         `json:"message,omitempty"`
	// Deadline is when the grace period ends and KILL follows.
	Deadline cluster.Time `json:"deadline"`
	// Grace is how long the grace period was when it began: a clock that steps
	// back makes it no longer. 0: not known.
	Grace cluster.Millis `json:"grace_ms,omitempty"`
}

// Active reports whether the task has not ended.
func (r *Record) Active() bool { return r.Ended == 0 }

// Held reports whether the agent answers for the task: it has not ended, or
// its end is not acknowledged.
func (r *Record) Held() bool { return !r.Stranger && (r.Ended == 0 || len(r.Pending) > 0) }

// add makes st the latest status and queues it. A report that nobody has seen
// yet and that says the same state gives way to the newer one, so that progress
// and flapping checks never pile up.
func (r *Record) add(st cluster.TaskStatus, headSent bool) {
	// Counted here, where each report is made durable: the master tells by it
	// which of two reports is the newer one, whatever the clock did.
	st.Seq = r.Status.Seq + 1
	r.Status = st
	if st.State.Terminal() {
		r.Ended = st.At
	}
	n := len(r.Pending)
	if n > 0 && r.Pending[n-1].State == st.State && !(n == 1 && headSent) {
		r.Pending[n-1] = st
		return
	}
	r.Pending = append(slices.Clip(r.Pending), st)
}

// ack drops the report with that uuid and those before it: what came later
// stands for them. It reports whether there was one.
func (r *Record) ack(uuid string) bool {
	i := slices.IndexFunc(r.Pending, func(s cluster.TaskStatus) bool { return s.UUID == uuid })
	if i < 0 {
		return false
	}
	r.Pending = slices.Clone(r.Pending[i+1:])
	return true
}

// clone is a copy that shares nothing the ledger changes.
func (r *Record) clone() Record {
	out := *r
	out.Pending = slices.Clone(r.Pending)
	return out
}
