package sim

import (
	"context"
	"fmt"
	"strconv"

	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/store"
)

const (
	// maxBatch is how many commands are logged at once.
	maxBatch = 256
	// masterTick is the time between two looks at what only time changes.
	masterTick cluster.Millis = 1_000
	// restartGrace is how long a master that came back waits for an agent.
	restartGrace cluster.Millis = 60_000
	// snapshotEvery is the number of commands between two snapshots.
	snapshotEvery = 500
)

// request is a command that waits to be logged.
type request struct {
	cmd   core.Command
	reply func([]core.Event)
}

// master is the shell round the core, without its goroutines.
type master struct {
	sim *Sim
	log *disk

	// All below is gone with a crash.
	up         bool
	life       int // counts the lives: what was planned in another one does nothing
	state      *core.State
	alloc      *alloc.Allocator
	frameworks []*framework
	inbox      []request
	awake      bool // a round is planned
	syncing    bool // a batch is on its way to the disk
	wake       cluster.Time
	stepped    cluster.Time // when the frameworks acted last
	started    cluster.Time
	sessions   map[cluster.AgentID]*stream
	heard      map[cluster.AgentID]cluster.Time
	visits     map[cluster.FrameworkID]*visit
	offered    []cluster.Offer // to guests; some of them were answered
	pings      cluster.Time    // when the next ones are due
	snapAt     int64           // index of the latest snapshot
}

// start brings the master up from its log.
func (m *master) start() {
	m.life++
	m.up, m.inbox, m.awake, m.syncing, m.wake = true, nil, false, false, 0
	m.started, m.pings = m.sim.now, m.sim.now
	m.sessions = map[cluster.AgentID]*stream{}
	m.heard = map[cluster.AgentID]cluster.Time{}
	m.visits, m.offered = map[cluster.FrameworkID]*visit{}, nil
	name := "m" + strconv.Itoa(m.life)
	m.alloc = alloc.New(alloc.Config{Name: name, Seed: m.sim.random.Uint64()})
	m.frameworks = m.sim.builtin()
	m.log.Reopen()
	state, err := replay(m.log, m.unseen)
	if err != nil {
		m.sim.fail("the master does not come back: %v", err)
		return
	}
	if m.state != nil && m.state.Index() == state.Index() && m.state.Hash() != state.Hash() {
		m.sim.fail("the replayed state at %d differs from the one before the crash", state.Index())
	}
	m.state, m.snapAt = state, state.Index()
	m.tick(m.life)
}

// unseen looks at what reached the disk as the master crashed.
func (m *master) unseen(state *core.State, c core.Command, events []core.Event) {
	if m.state != nil && state.Index() > m.state.Index() {
		m.sim.applied(state, c, events)
	}
}

// replay makes the state out of a log; each, if there is one, sees every command of it.
func replay(log store.Log, each func(*core.State, core.Command, []core.Event)) (*core.State, error) {
	ctx := context.Background()
	at, data, err := log.LoadSnapshot(ctx)
	if err != nil {
		return nil, err
	}
	state := core.New()
	if at > 0 {
		if state, err = core.Restore(data); err != nil {
			return nil, err
		}
	}
	err = log.Replay(ctx, at+1, func(_ int64, entry []byte) error {
		t, c, err := core.Decode(entry)
		if err == nil {
			events, _ := state.Apply(t, c)
			if each != nil {
				each(state, c, events)
			}
		}
		return err
	})
	return state, err
}

// crash ends the master: only its log is left.
func (m *master) crash() {
	m.up = false
	for _, a := range m.sim.agents {
		if st := m.sessions[a.id]; st != nil {
			st.broken = true
		}
	}
	if err := m.log.crash(m.sim.chance(0.5)); err != nil {
		m.sim.fail("append: %v", err)
	}
	if err := m.log.Close(); err != nil {
		m.sim.fail("close the log: %v", err)
	}
	m.sim.tracef("the master crashes at index %d", m.state.Index())
}

// submit takes a command in; without a reply when the master crashes before.
func (m *master) submit(cmd core.Command, reply func([]core.Event)) {
	if !m.up {
		return
	}
	m.inbox = append(m.inbox, request{cmd, reply})
	m.stir(m.sim.between(0, 2))
}

// stir plans a round.
func (m *master) stir(d cluster.Millis) {
	if m.awake {
		return
	}
	m.awake = true
	life := m.life
	m.sim.after(d, func() {
		if m.up && m.life == life {
			m.awake = false
			m.round()
		}
	})
}

// tick is what time alone does.
func (m *master) tick(life int) {
	if !m.up || m.life != life {
		return
	}
	m.silent()
	m.visitors()
	for _, c := range m.state.View().Due(m.sim.now) {
		m.submit(c, nil)
	}
	if m.sim.now >= m.pings {
		m.pings = m.sim.now.Add(cluster.HeartbeatEvery)
		for _, a := range m.sim.agents {
			if st := m.sessions[a.id]; st != nil {
				m.sim.order(st, cluster.Order{Kind: cluster.OrderPing})
			}
		}
	}
	m.stir(0)
	m.sim.after(masterTick, func() { m.tick(life) })
}

// silent gives up on agents that were not heard of.
func (m *master) silent() {
	for a := range m.state.View().Agents() {
		if a.State != cluster.AgentActive {
			continue
		}
		heard, ok := m.heard[a.Info.ID]
		limit := cluster.AgentTimeout
		if !ok {
			heard, limit = m.started, restartGrace
		}
		if m.sim.now.Sub(heard) > limit {
			m.submit(core.AgentUnreachable{Agent: a.Info.ID, Principal: "master"}, nil)
		}
	}
}

// round logs and applies what waits, and lets the frameworks act.
func (m *master) round() {
	if m.syncing {
		return // the end of the sync goes on
	}
	n := min(maxBatch, len(m.inbox))
	batch := m.inbox[:n:n]
	m.inbox = m.inbox[n:]
	if n > 0 {
		m.commit(batch)
		return
	}
	m.act()
}

// act lets the frameworks act and plans the next round.
func (m *master) act() {
	m.schedule()
	if len(m.inbox) > 0 {
		m.stir(1)
	} else if m.wake > 0 {
		m.plan(m.wake)
	}
}

// plan makes a round for a time at which a framework wants one.
func (m *master) plan(t cluster.Time) {
	life := m.life
	m.sim.after(t.Sub(m.sim.now), func() {
		if m.up && m.life == life {
			m.stir(0)
		}
	})
}

// commit writes a batch to the disk. It is applied when it is safe there, and
// whoever crashes before may have lost it.
func (m *master) commit(batch []request) {
	s := m.sim
	at, entries := s.now, make([][]byte, len(batch))
	for i, r := range batch {
		entries[i] = core.Encode(at, r.cmd)
	}
	m.log.write(entries)
	m.syncing = true
	took := s.between(0, max(DefaultSync, s.faults.MaxSync))
	if s.chance(s.faults.MasterCrash) {
		s.after(s.between(0, took), s.crashMaster)
	}
	life := m.life
	s.after(took, func() {
		if m.up && m.life == life {
			m.syncing = false
			m.apply(at, batch)
			m.act()
		}
	})
}

// apply applies a batch that is safe, and does what follows from it.
func (m *master) apply(at cluster.Time, batch []request) {
	s := m.sim
	if err := m.log.sync(); err != nil {
		s.fail("append: %v", err)
		return
	}
	events := make([][]core.Event, len(batch))
	var effects []core.Effect
	for i, r := range batch {
		var ef []core.Effect
		events[i], ef = m.state.Apply(at, r.cmd)
		effects = append(effects, ef...)
		s.applied(m.state, r.cmd, events[i])
	}
	for i, r := range batch {
		if r.reply != nil {
			r.reply(events[i])
		}
		m.dropSessions(events[i])
	}
	for _, e := range effects {
		if st := m.sessions[e.Agent]; st != nil {
			s.order(st, e.Order)
		}
	}
	if m.state.Index()-m.snapAt >= snapshotEvery {
		m.snapAt = m.state.Index()
		if err := m.log.SaveSnapshot(context.Background(), m.snapAt, m.state.Snapshot()); err != nil {
			s.fail("snapshot: %v", err)
		}
	}
}

// dropSessions ends the sessions of agents that were given up: what they send
// from now on tells them to register again.
func (m *master) dropSessions(events []core.Event) {
	for _, e := range events {
		if st := m.sessions[e.Agent]; st != nil && (e.Kind == core.EventAgentUnreachable || e.Kind == core.EventAgentGone) {
			st.broken = true
			delete(m.sessions, e.Agent)
		}
	}
}

// hello is an agent's request for a session; welcome goes down its new stream.
// The state refuses one that is older than what came before; the session that
// is there goes on then.
func (m *master) hello(a *agent, attempt int, h cluster.Hello) {
	if !m.up {
		return
	}
	cmd := core.RegisterAgent{Agent: h.Agent, Boot: h.Boot, Tasks: h.Tasks, Volumes: h.Volumes, Life: h.Life, Attempt: h.Attempt,
		Principal: "agent:" + string(a.id)}
	m.submit(cmd, func(ev []core.Event) {
		if core.Refused(ev) != nil {
			return
		}
		if old := m.sessions[a.id]; old != nil {
			old.broken = true
		}
		st := &stream{id: fmt.Sprintf("%d-%d-%d", m.life, m.state.Index(), attempt), attempt: attempt, agent: a}
		m.sessions[a.id], m.heard[a.id] = st, m.sim.now
		m.sim.order(st, cluster.Order{Kind: cluster.OrderWelcome, Session: st.id})
	})
}

// current reports whether a session is an agent's latest, and notes that it lives.
func (m *master) current(a *agent, session string) bool {
	st := m.sessions[a.id]
	if !m.up || st == nil || st.id != session {
		return false
	}
	m.heard[a.id] = m.sim.now
	return true
}

// updates takes an agent's reports; done is called when they are in the log.
func (m *master) updates(a *agent, u cluster.Updates, done func()) bool {
	if !m.current(a, u.Session) {
		return false
	}
	for i, st := range u.Statuses {
		st.Agent = a.id
		var reply func([]core.Event)
		if i == len(u.Statuses)-1 {
			reply = func([]core.Event) { done() }
		}
		m.submit(core.UpdateTask{Status: st, Principal: "agent:" + string(a.id)}, reply)
	}
	return true
}
