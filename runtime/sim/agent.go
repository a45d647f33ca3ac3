package sim

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// replyTimeout is how long an agent waits for a reply of the master.
	replyTimeout cluster.Millis = 10_000
	// streamSilence is how long an agent's stream may say nothing.
	streamSilence = 3 * cluster.HeartbeatEvery
	// minRetry and maxRetry bound the pause before the next try for a session.
	minRetry, maxRetry cluster.Millis = 100, 10_000
	// resendAfter is when a report is sent again that was not acknowledged.
	resendAfter cluster.Millis = 10_000
)

// agent is a node that is made up: its tasks are states that change with time.
type agent struct {
	sim  *Sim
	id   cluster.AgentID
	info cluster.Agent
	link link
	skew cluster.Millis // how far its clock is ahead

	// On its disk.
	boot    int
	memory  int   // how often the disk was lost: names Hello.Life
	hellos  int64 // made from this memory
	tasks   map[cluster.TaskID]*task
	order   []*task // as they came
	volumes map[cluster.VolumeName]*volume
	minted  int // reports made

	// In the memory of its program.
	up      bool
	lost    bool // its machine is no more
	life    int
	attempt int    // for a session; counts over all lives, so that an old stream is never heard
	session string // empty: none
	stream  cluster.Time
	retry   cluster.Millis
}

// start brings the agent's program up.
func (a *agent) start() {
	if a.lost {
		return
	}
	a.up, a.session, a.retry = true, "", minRetry
	a.life++
	a.recover()
	a.open(a.life)
}

// stop ends the agent's program; its tasks run on.
func (a *agent) stop() {
	a.up, a.session = false, ""
	a.life++
}

// later plans something for this life of the program.
func (a *agent) later(d cluster.Millis, do func()) {
	life := a.life
	a.sim.after(d, func() {
		if a.up && a.life == life {
			do()
		}
	})
}

// open asks for a session, again and again until it has one.
func (a *agent) open(life int) {
	if a.life != life || !a.up || a.session != "" {
		return
	}
	a.attempt++
	attempt := a.attempt
	a.stream = a.sim.now
	h := a.hello()
	memory := a.memory
	a.sim.sendHello(&a.link, func() {
		if memory == a.memory { // the connections of a machine end with it
			a.sim.master.hello(a, attempt, h)
		}
	})
	a.later(replyTimeout, func() {
		if a.attempt == attempt && a.session == "" {
			a.again()
		}
	})
}

// hello says what the agent is and has.
func (a *agent) hello() cluster.Hello {
	a.hellos++
	h := cluster.Hello{Agent: a.info, Boot: fmt.Sprintf("boot-%d", a.boot), Life: fmt.Sprintf("%s-%d", a.id, a.memory), Attempt: a.hellos}
	for _, t := range a.order {
		h.Tasks = append(h.Tasks, cluster.TaskReport{Spec: t.spec, Status: t.status})
	}
	h.Volumes = a.volumeNames()
	return h
}

// again tries for a session after a pause.
func (a *agent) again() {
	life := a.life
	a.session = ""
	a.attempt++ // what still comes down the old stream is not for us
	a.later(a.sim.between(a.retry/2, a.retry), func() { a.open(life) })
	a.retry = min(2*a.retry, maxRetry)
}

// obey carries out an order that came down a stream.
func (a *agent) obey(attempt int, o cluster.Order) {
	if !a.up || attempt != a.attempt {
		return
	}
	a.stream = a.sim.now
	switch o.Kind {
	case cluster.OrderWelcome:
		if a.session == "" {
			a.session, a.retry = o.Session, minRetry
			a.heartbeat(o.Session)
			for _, t := range a.order {
				a.flush(t)
			}
		}
	case cluster.OrderLaunch:
		a.launch(*o.Spec)
	case cluster.OrderKill:
		a.kill(o)
	case cluster.OrderAck:
		a.acked(o)
	case cluster.OrderDestroy:
		a.destroy(cluster.VolumeName{Role: o.Role, ID: o.Volume})
	}
}

// heartbeat says that the agent lives, as long as the session lasts.
func (a *agent) heartbeat(session string) {
	if a.session != session {
		return
	}
	if a.sim.now.Sub(a.stream) > streamSilence {
		a.again()
		return
	}
	a.sim.send(&a.link, up, func() {
		if !a.sim.master.current(a, session) {
			a.stale(session)
		}
	})
	a.later(cluster.HeartbeatEvery, func() { a.heartbeat(session) })
}

// stale tells the agent, over the network, that its session is none. A master
// that is down tells nobody anything but a refused connection, which is as good.
func (a *agent) stale(session string) {
	a.sim.send(&a.link, down, func() {
		if a.up && a.session == session {
			a.again()
		}
	})
}

// flush sends the oldest report of a task that is not acknowledged, one at a time.
func (a *agent) flush(t *task) {
	if a.session == "" || len(t.outbox) == 0 {
		return
	}
	session, st := a.session, t.outbox[0]
	if t.sent == st.UUID && t.sentIn == session && a.sim.now.Sub(t.sentAt) < resendAfter {
		return
	}
	t.sent, t.sentIn, t.sentAt = st.UUID, session, a.sim.now
	a.sim.send(&a.link, up, func() {
		if !a.sim.master.updates(a, cluster.Updates{Session: session, Statuses: []cluster.TaskStatus{st}}, func() {}) {
			a.stale(session)
		}
	})
	a.later(resendAfter, func() { a.flush(t) })
}

// acked forgets a report and those before it; an ended task goes with its last.
func (a *agent) acked(o cluster.Order) {
	t := a.tasks[o.Task]
	if t == nil {
		return
	}
	for i := range t.outbox {
		if t.outbox[i].UUID == o.UUID {
			t.outbox = t.outbox[i+1:]
			break
		}
	}
	if len(t.outbox) == 0 && t.ended() {
		a.forget(t)
		return
	}
	a.flush(t)
}
