package master

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Why a session ended.
var (
	errReplaced    = errors.New("the agent opened another session")
	errSilent      = errors.New("the agent was silent for too long")
	errGone        = errors.New("the agent was declared gone")
	errSlow        = errors.New("the agent reads its orders too slowly")
	errStopped     = errors.New("the master stops")
	errStreamEnded = errors.New("the stream was closed")
)

// session is one open stream of orders to an agent.
type session struct {
	id    string
	agent cluster.AgentID
	mailbox[cluster.Order]
}

func newSession(agent cluster.AgentID) *session {
	s := &session{id: newSessionID(), agent: agent, mailbox: newMailbox[cluster.Order](MaxSessionOrders, errSlow)}
	s.push(cluster.Order{Kind: cluster.OrderWelcome, Session: s.id})
	return s
}

// push queues an order; it ends the session when too many wait.
func (s *session) push(o cluster.Order) { s.put(o, 1) }

func newSessionID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand since Go 1.24)
	return hex.EncodeToString(id)
}

// sessions knows the current session of each agent and when each was heard last.
type sessions struct {
	mu      sync.Mutex
	current map[cluster.AgentID]*session
	heard   map[cluster.AgentID]time.Time
	stopped bool
}

func newSessions() *sessions {
	return &sessions{current: map[cluster.AgentID]*session{}, heard: map[cluster.AgentID]time.Time{}}
}

// install makes s its agent's session and ends the one before.
func (t *sessions) install(s *session, now time.Time) {
	t.mu.Lock()
	old, stopped := t.current[s.agent], t.stopped
	if !stopped {
		t.current[s.agent], t.heard[s.agent] = s, now
	}
	t.mu.Unlock()
	if old != nil {
		old.end(errReplaced)
	}
	if stopped {
		s.end(errStopped)
	}
}

// remove forgets s if it is its agent's session.
func (t *sessions) remove(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current[s.agent] == s {
		delete(t.current, s.agent)
	}
}

// drop ends the session of an agent.
func (t *sessions) drop(agent cluster.AgentID, cause error) {
	t.mu.Lock()
	s := t.current[agent]
	delete(t.current, agent)
	t.mu.Unlock()
	if s != nil {
		s.end(cause)
	}
}

// order gives an agent an order, if it has a session.
func (t *sessions) order(agent cluster.AgentID, o cluster.Order) {
	t.mu.Lock()
	s := t.current[agent]
	t.mu.Unlock()
	if s != nil {
		s.push(o)
	}
}

// hear notes that an agent spoke in a session. It reports false when that is
// not its current one.
func (t *sessions) hear(id string, now time.Time, agent cluster.AgentID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.current[agent]
	if s == nil || s.id != id {
		return false
	}
	t.heard[agent] = now
	return true
}

// owner is the agent whose current session has an id; "" when none has.
func (t *sessions) owner(id string) cluster.AgentID {
	t.mu.Lock()
	defer t.mu.Unlock()
	for agent, s := range t.current {
		if s.id == id {
			return agent
		}
	}
	return ""
}

// connected reports whether an agent has a session.
func (t *sessions) connected(agent cluster.AgentID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current[agent] != nil
}

// lastHeard is when an agent spoke last; false when it never did.
func (t *sessions) lastHeard(agent cluster.AgentID) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.heard[agent]
	return at, ok
}

// stop ends all sessions; later ones end at once.
func (t *sessions) stop() {
	t.mu.Lock()
	all := make([]*session, 0, len(t.current))
	for _, s := range t.current {
		all = append(all, s)
	}
	clear(t.current)
	t.stopped = true
	t.mu.Unlock()
	for _, s := range all {
		s.end(errStopped)
	}
}
