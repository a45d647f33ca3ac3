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
	// maxFlying is how many tasks of a framework have an update on the way that
	// is not acknowledged; those of others wait. What a framework is told after a
	// restart is bounded so, however many tasks it has.
	maxFlying = 16_384
)

// outbox holds what a framework was not told of its tasks, or did not
// acknowledge. It is soft: a new master, or a new session, makes it again from
// the records of the tasks, so that an update can come twice but how a task
// stands, or ended, is not lost while its record is kept.
type outbox struct {
	tasks   map[cluster.TaskID]*unheard
	waiting []cluster.TaskID          // of tasks none of whose updates is on the way, the longest waiting first
	flying  int                       // tasks that have one on the way
	acked   map[cluster.TaskID]string // the latest acknowledged update of a task
	pruneAt int                       // when acked is as large, it is pruned
	now     []cluster.TaskStatus      // to be sent with the next flush
	// operations are told once.
	operations []framework.OperationStatus
}

// unheard is what was not acknowledged of one task, oldest first. Only the first
// is sent; the next is when that one is acknowledged.
type unheard struct {
	queue  []cluster.TaskStatus
	flying bool // the first was sent
	due    time.Time
	pause  time.Duration
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
		b.waiting = append(b.waiting, st.Task)
	}
	u.queue = append(u.queue, st)
	if len(u.queue) > cluster.MaxTaskHistory {
		// The record has forgotten it too. The first is on its way, the last is how it stands.
		u.queue = append(u.queue[:1], u.queue[2:]...)
	}
	b.send(now)
}

// answer queues an update that is not acknowledged.
func (b *outbox) answer(st cluster.TaskStatus) {
	st.UUID = ""
	b.now = append(b.now, st)
}

// send sends what waits, as far as it may.
func (b *outbox) send(now time.Time) {
	for b.flying < maxFlying && len(b.waiting) > 0 {
		u := b.tasks[b.waiting[0]]
		b.waiting = b.waiting[1:]
		u.flying, u.pause = true, resendAfter
		u.due = now.Add(u.pause)
		b.flying++
		b.now = append(b.now, u.queue[0])
	}
}

// ack takes an acknowledgement, and sends the next update of the task.
func (b *outbox) ack(task cluster.TaskID, uuid string, now time.Time) {
	u := b.tasks[task]
	if u == nil || !u.flying || u.queue[0].UUID != uuid {
		return
	}
	b.acked[task] = uuid
	u.flying, b.flying = false, b.flying-1
	if u.queue = u.queue[1:]; len(u.queue) == 0 {
		delete(b.tasks, task)
	} else {
		b.waiting = append(b.waiting, task)
	}
	b.send(now)
}

// resend sends again what is due.
func (b *outbox) resend(now time.Time) {
	for _, u := range b.tasks {
		if !u.flying || now.Before(u.due) {
			continue
		}
		u.pause = min(2*u.pause, resendMost)
		u.due = now.Add(u.pause)
		b.now = append(b.now, u.queue[0])
	}
}

// reset makes the outbox anew from the records of a framework's tasks: how those
// that live stand, and how those that ended did, but for what it acknowledged to
// this master.
func (b *outbox) reset(view *core.View, id cluster.FrameworkID, now time.Time) {
	clear(b.tasks)
	b.waiting, b.flying, b.now, b.operations = nil, 0, nil, nil
	for t := range view.Tasks() {
		if t.Spec.Framework == id && b.acked[t.Spec.ID] != updateID(t.Status) {
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
