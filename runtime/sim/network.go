package sim

import "github.com/universe-dcos/universe/runtime/cluster"

// Faults is how badly things go. The zero value is a world without faults, but
// for delays.
type Faults struct {
	Loss      float64        // part of the messages that are lost
	Duplicate float64        // part of the messages that come twice
	LateHello float64        // part of the registrations that come up to a minute late, with or without one in time
	MaxDelay  cluster.Millis // a message takes up to this long; 0: DefaultDelay
	// TaskCrash is the part of started tasks that end by themselves within a minute.
	TaskCrash float64
	// MasterCrash is the part of batches at which the master crashes while the
	// batch is on its way to the disk: it is there afterwards, or it is not.
	MasterCrash float64
	MaxSync     cluster.Millis // a batch takes up to this long to the disk; 0: DefaultSync
}

// DefaultDelay is the longest delay of a message where Faults names none.
const DefaultDelay cluster.Millis = 5

// direction is the way a message goes.
type direction int

const (
	up   direction = iota // agent to master
	down                  // master to agent
)

// link is the way between the master and one agent or framework.
type link struct {
	cut [2]bool // by direction
}

// send lets do happen at the other end of a link, perhaps, and perhaps twice.
// It reports whether the message is on its way.
func (s *Sim) send(l *link, d direction, do func()) bool {
	if l.cut[d] || s.chance(s.faults.Loss) {
		return false
	}
	s.after(s.delay(), func() { s.arrive(l, d, do) })
	if s.chance(s.faults.Duplicate) {
		s.after(s.delay(), func() { s.arrive(l, d, do) })
	}
	return true
}

// maxLate is how late a registration can be.
const maxLate cluster.Millis = 60_000

// sendHello is send for a registration, which can be overtaken by those that
// the agent sends after it.
func (s *Sim) sendHello(l *link, do func()) {
	if s.chance(s.faults.LateHello) {
		s.after(s.between(0, maxLate), func() { s.arrive(l, up, do) })
		if s.chance(0.5) {
			return
		}
	}
	s.send(l, up, do)
}

// arrive lets a message in, unless the link was cut while it was under way.
func (s *Sim) arrive(l *link, d direction, do func()) {
	if !l.cut[d] {
		do()
	}
}

func (s *Sim) delay() cluster.Millis {
	most := s.faults.MaxDelay
	if most <= 0 {
		most = DefaultDelay
	}
	return 1 + cluster.Millis(s.random.Int64N(int64(most)))
}

func (s *Sim) chance(p float64) bool { return p > 0 && s.random.Float64() < p }

// between draws a time from a range, both ends included.
func (s *Sim) between(lo, hi cluster.Millis) cluster.Millis {
	return lo + cluster.Millis(s.random.Int64N(int64(hi-lo)+1))
}

// stream is the orders of one session: in order, until it breaks. What is lost
// breaks it, as on a TCP connection; the agent learns of it by silence.
type stream struct {
	id      string
	attempt int // the agent's, so that it hears the stream it listens to only
	agent   *agent
	last    cluster.Time // arrival of the latest order
	broken  bool
}

// order sends an order down the stream.
func (s *Sim) order(st *stream, o cluster.Order) {
	if st.broken || st.agent.link.cut[down] || s.chance(s.faults.Loss) {
		st.broken = true
		return
	}
	at := max(st.last+1, s.now.Add(s.delay()))
	st.last = at
	for range 1 + s.once(s.faults.Duplicate) {
		s.after(at.Sub(s.now), func() {
			if st.agent.link.cut[down] {
				st.broken = true
			}
			if !st.broken {
				st.agent.obey(st.attempt, o)
			}
		})
	}
}

// once is 1 with a probability, else 0.
func (s *Sim) once(p float64) int {
	if s.chance(p) {
		return 1
	}
	return 0
}
