package master

import (
	"fmt"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
)

const (
	// resendAfter is when an update that was not acknowledged comes again for
	// the first time; the pause doubles up to resendMost (as in Mesos,
	// slave/constants.hpp).
	resendAfter = 10 * time.Second
	resendMost  = 10 * time.Minute
	// minAcked is how many acknowledgements are remembered before it is looked
	// which of them are of tasks that nobody knows any more.
	minAcked = 1024
)

// outbox holds what a framework was not told of its tasks, or did not
// acknowledge. It is soft: a new master, or a new session, makes it again from
// the records of the tasks, so that an update can come twice but is not lost
// while its task's record is kept.
type outbox struct {
	tasks   map[cluster.TaskID]*unheard
	acked   map[cluster.TaskID]string // the latest acknowledged update of a task
	pruneAt int                       // when acked is as large, it is pruned
	now     []cluster.TaskStatus      // to be sent with the next flush
	// operations are told once.
	operations []framework.OperationStatus
}

// unheard is what was not acknowledged of one task, oldest first. The first was
// sent; the next is when that one is acknowledged.
type unheard struct {
	queue []cluster.TaskStatus
	due   time.Time
	pause time.Duration
}

func newOutbox() outbox {
	return outbox{tasks: map[cluster.TaskID]*unheard{}, acked: map[cluster.TaskID]string{}, pruneAt: minAcked}
}

// add queues an update that is to be acknowledged.
func (b *outbox) add(st cluster.TaskStatus, now time.Time) {
	st.UUID = updateID(st)
	u := b.tasks[st.Task]
	if u == nil {
		u = &unheard{}
		b.tasks[st.Task] = u
	}
	u.queue = append(u.queue, st)
	if len(u.queue) == 1 {
		b.send(u, now)
	} else if len(u.queue) > cluster.MaxTaskHistory {
		// The record has forgotten it too. The first is on its way, the last is how it stands.
		u.queue = append(u.queue[:1], u.queue[2:]...)
	}
}

// answer queues an update that is not acknowledged.
func (b *outbox) answer(st cluster.TaskStatus) {
	st.UUID = ""
	b.now = append(b.now, st)
}

func (b *outbox) send(u *unheard, now time.Time) {
	u.pause = resendAfter
	u.due = now.Add(u.pause)
	b.now = append(b.now, u.queue[0])
}

// ack takes an acknowledgement, and sends the next update of the task.
func (b *outbox) ack(task cluster.TaskID, uuid string, now time.Time) {
	u := b.tasks[task]
	if u == nil || u.queue[0].UUID != uuid {
		return
	}
	b.acked[task] = uuid
	if u.queue = u.queue[1:]; len(u.queue) == 0 {
		delete(b.tasks, task)
		return
	}
	b.send(u, now)
}

// resend sends again what is due.
func (b *outbox) resend(now time.Time) {
	for _, u := range b.tasks {
		if now.Before(u.due) {
			continue
		}
		u.pause = min(2*u.pause, resendMost)
		u.due = now.Add(u.pause)
		b.now = append(b.now, u.queue[0])
	}
}

// reset makes the outbox anew from the records of a framework's tasks.
func (b *outbox) reset(view *core.View, id cluster.FrameworkID, now time.Time) {
	clear(b.tasks)
	b.now, b.operations = nil, nil
	for t := range view.Tasks() {
		if t.Spec.Framework == id && t.Status.State != cluster.TaskStaging && b.acked[t.Spec.ID] != updateID(t.Status) {
			b.add(t.Status, now)
		}
	}
}

// prune forgets acknowledgements of tasks whose records are gone, when there
// are twice as many as were left the last time.
func (b *outbox) prune(view *core.View) {
	if len(b.acked) < b.pruneAt {
		return
	}
	for id := range b.acked {
		if view.Task(id) == nil {
			delete(b.acked, id)
		}
	}
	b.pruneAt = max(minAcked, 2*len(b.acked))
}

// updateID is what an update is acknowledged by. Agents mint them; of an update
// that the master made, it follows from what it says, so that it is the same
// when it is made again.
func updateID(st cluster.TaskStatus) string {
	if st.UUID != "" {
		return st.UUID
	}
	return fmt.Sprintf("master-%s-%x", st.State, int64(st.At))
}
