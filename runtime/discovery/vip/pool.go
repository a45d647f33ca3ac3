package vip

import (
	"net/netip"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/discovery"
)

// pool is the ready instances of an endpoint.
type pool struct {
	mu      sync.Mutex
	members []*member
	turn    int           // where the search for the next begins
	changed chan struct{} // closed at the next set
}

// member is an instance. It stays the same one as long as it is at the same
// address, and is kept by those who use it when it is no member any more.
type member struct {
	instance string
	addr     netip.AddrPort
	conns    int       // of this machine
	failed   time.Time // until when it is passed over
}

func newPool() *pool { return &pool{changed: make(chan struct{})} }

// set makes the members these.
func (p *pool) set(backends []discovery.Backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := make(map[netip.AddrPort]*member, len(p.members))
	for _, m := range p.members {
		now[m.addr] = m
	}
	next := make([]*member, 0, len(backends))
	same := len(backends) == len(p.members)
	for i, b := range backends {
		m := now[b.Addr]
		if m == nil || m.instance != b.Instance {
			m = &member{instance: b.Instance, addr: b.Addr}
		}
		same = same && p.members[i] == m
		next = append(next, m)
	}
	if same {
		return
	}
	p.members = next
	close(p.changed)
	p.changed = make(chan struct{})
}

// take gives the member with the fewest connections that was not tried, one of
// those that do not fail if there is one, and counts a connection to it. Where
// there is none it gives a channel that is closed when the members change.
func (p *pool) take(now time.Time, tried map[*member]bool) (*member, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *member
	for i := range p.members {
		m := p.members[(p.turn+i)%len(p.members)]
		if !tried[m] && (best == nil || m.better(best, now)) {
			best = m
		}
	}
	p.turn++
	if best == nil {
		return nil, p.changed
	}
	best.conns++
	return best, nil
}

// better reports whether m is to be taken before o.
func (m *member) better(o *member, now time.Time) bool {
	if a, b := m.failed.After(now), o.failed.After(now); a != b {
		return b
	}
	return m.conns < o.conns
}

// fail gives a member back that did not take a connection.
func (p *pool) fail(m *member, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.conns--
	m.failed = until
}

// release gives a member back.
func (p *pool) release(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.conns--
}
