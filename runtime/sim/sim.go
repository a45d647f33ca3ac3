package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// maxTrace is how many of the latest happenings are kept to be printed.
const maxTrace = 60

// Sim is a cluster in virtual time.
type Sim struct {
	// CheckEvery is how many commands are applied between two checks of the
	// invariants, each of which takes time in proportion to the state; 0: 1.
	CheckEvery int
	// Zones is over how many fault domains AddAgents divides agents; 0: they name none.
	Zones int
	// Racks is over how many values of the attribute "rack" AddAgents divides them; 0: they have none.
	Racks int

	clock
	random *rand.Rand
	faults Faults
	master *master
	agents []*agent
	guests []*guest

	// What is wanted, to be compared with what is.
	services map[cluster.ServiceID]bool
	runs     map[cluster.RunID]bool
	wants    []core.Command // not answered yet; the first is submitted
	asked    int            // counts submissions and answers
	tidying  bool           // an operator takes back what is reserved for roles

	answering bool // a person says what plans wait for
	emptying  bool // everything was uninstalled

	custody custody // of volumes
	deeds   deeds   // of services with data, and of plans
	joined  int     // agents, ever
	lost    map[cluster.AgentID]bool

	watch func(core.Event) // for scenarios; may be nil
	trace []string
	err   error
}

// New makes a cluster of a master and no agent.
func New(seed uint64) *Sim {
	s := &Sim{random: rand.New(rand.NewPCG(seed, seed)), services: map[cluster.ServiceID]bool{}, runs: map[cluster.RunID]bool{}, custody: newCustody(), deeds: newDeeds(), lost: map[cluster.AgentID]bool{}}
	s.now = 1_000_000
	s.master = &master{sim: s, log: &disk{Log: mem.New()}}
	s.master.start()
	return s
}

// Err is the first invariant that was broken, with what happened before.
func (s *Sim) Err() error { return s.err }

// Now is the virtual time.
func (s *Sim) Now() cluster.Time { return s.now }

// View is the master's state; while it is down, that of its crash.
func (s *Sim) View() *core.View { return s.master.state.View() }

// SetFaults changes how badly things go.
func (s *Sim) SetFaults(f Faults) { s.faults = f }

// Advance lets time pass, until something is broken.
func (s *Sim) Advance(d cluster.Millis) {
	end := s.now.Add(d)
	for s.err == nil && s.next(end) {
	}
	if s.err == nil {
		s.now = end
	}
}

// AddAgents adds n agents "a1", "a2", … of a size and starts them.
func (s *Sim) AddAgents(n int, total cluster.Resources) {
	for range n {
		s.joined++
		i := s.joined
		id := cluster.AgentID(fmt.Sprintf("a%d", i))
		a := &agent{sim: s, id: id, tasks: map[cluster.TaskID]*task{}, volumes: map[cluster.VolumeName]*volume{}, info: cluster.Agent{ID: id, Hostname: "node-" + string(id),
			Host: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Total: total}}
		if s.Zones > 0 {
			a.info.Domain = &cluster.Domain{Region: "r", Zone: fmt.Sprintf("z%d", i%s.Zones)}
		}
		if s.Racks > 0 {
			a.info.Attributes = map[string]string{"rack": fmt.Sprintf("r%d", i%s.Racks)}
		}
		s.agents = append(s.agents, a)
		a.start()
	}
}

// agent gives an agent, nil when there is none of that id.
func (s *Sim) agent(id cluster.AgentID) *agent {
	for _, a := range s.agents {
		if a.id == id {
			return a
		}
	}
	return nil
}

// Want submits a command as an API client does: when those before are answered,
// and again and again until it is answered itself. A service that is still
// being removed is put when it is gone. A change that is under way, and that a
// patient client does not replace, answers it.
func (s *Sim) Want(c core.Command) {
	switch c := c.(type) {
	case core.PutService:
		s.services[c.Spec.ID] = true
	case core.RemoveService:
		s.services[c.Service] = false
	case core.PutRun:
		s.runs[c.Spec.ID] = true
	}
	s.wants = append(s.wants, c)
	if len(s.wants) == 1 {
		s.try(c)
	}
}

// try submits the first command that is wanted.
func (s *Sim) try(c core.Command) {
	s.asked++
	asked := s.asked
	s.master.submit(c, func(events []core.Event) {
		put, ok := c.(core.PutService)
		if r := core.Refused(events); s.asked != asked || ok && r != nil && r.Code == core.CodeConflict && !s.stays(put.Spec.ID) {
			return
		}
		s.asked++
		if s.wants = s.wants[1:]; len(s.wants) > 0 {
			s.try(s.wants[0])
		}
	})
	s.after(2000, func() {
		if s.asked == asked {
			s.try(c)
		}
	})
}

// stays reports whether a service is there and not being removed.
func (s *Sim) stays(id cluster.ServiceID) bool {
	svc := s.View().Service(id)
	return svc != nil && !svc.Removing
}

// crashMaster ends the master and starts it some time later.
func (s *Sim) crashMaster() {
	if !s.master.up {
		return
	}
	s.master.crash()
	s.after(s.between(100, 20_000), func() { s.master.start() })
}

// CrashMaster ends the master, which comes back after down.
func (s *Sim) CrashMaster(down cluster.Millis) {
	if s.master.up {
		s.master.crash()
		s.after(down, func() { s.master.start() })
	}
}

// CrashAgent ends an agent's program, which comes back after down. Its tasks run on.
func (s *Sim) CrashAgent(id cluster.AgentID, down cluster.Millis) {
	s.restart(id, down, func(*agent) {})
}

// Reboot ends an agent's machine with its tasks; it comes back after down. A
// machine that is wiped has lost its agent's disk as well.
func (s *Sim) Reboot(id cluster.AgentID, down cluster.Millis, wipe bool) {
	s.restart(id, down, func(a *agent) { a.reboot(wipe) })
}

func (s *Sim) restart(id cluster.AgentID, down cluster.Millis, at func(*agent)) {
	a := s.agent(id)
	if a == nil || !a.up {
		return
	}
	a.stop()
	at(a)
	s.tracef("agent %s goes down for %d ms", id, down)
	s.after(down, a.start)
}

// Lose ends an agent's machine for ever, and says so to the master.
func (s *Sim) Lose(id cluster.AgentID) {
	a := s.agent(id)
	if a == nil {
		return
	}
	s.tracef("agent %s is lost", id)
	a.stop()
	a.reboot(true)
	a.lost, s.lost[id] = true, true
	s.agents = slices.DeleteFunc(s.agents, func(o *agent) bool { return o == a })
	s.declareGone(id)
}

// declareGone says that an agent is gone until the master knows it. It waits for
// no other command: those that are wanted may wait for this one.
func (s *Sim) declareGone(id cluster.AgentID) {
	if a := s.View().Agent(id); a != nil && a.State != cluster.AgentGone {
		s.master.submit(core.AgentGone{Agent: id, Principal: "operator"}, nil)
		s.after(2000, func() { s.declareGone(id) })
	}
}

// SetSkew sets how far the clock of an agent is ahead of the master's.
func (s *Sim) SetSkew(id cluster.AgentID, skew cluster.Millis) {
	if a := s.agent(id); a != nil {
		a.skew = skew
	}
}

// Cut cuts the way between the master and an agent, or mends it, in one
// direction or both.
func (s *Sim) Cut(id cluster.AgentID, toMaster, toAgent bool) {
	if a := s.agent(id); a != nil {
		a.link.cut = [2]bool{up: toMaster, down: toAgent}
		s.tracef("agent %s: cut to the master: %t, from it: %t", id, toMaster, toAgent)
	}
}

// CutFramework is Cut for a framework.
func (s *Sim) CutFramework(id cluster.FrameworkID, toMaster, toFramework bool) {
	if g := s.guest(id); g != nil {
		g.link.cut = [2]bool{up: toMaster, down: toFramework}
		s.tracef("framework %s: cut to the master: %t, from it: %t", id, toMaster, toFramework)
	}
}

// mend makes all ways whole.
func (s *Sim) mend() {
	for _, a := range s.agents {
		a.link.cut = [2]bool{}
	}
	for _, g := range s.guests {
		g.link.cut = [2]bool{}
	}
}

// KillContainer ends the process of an agent's n-th living task from outside.
func (s *Sim) KillContainer(id cluster.AgentID, n int) bool {
	if a := s.agent(id); a != nil {
		for _, t := range a.order {
			if !t.alive {
				continue
			}
			if n--; n < 0 {
				a.exit(t, 137)
				return true
			}
		}
	}
	return false
}

// applied sees every command with its events, after it was applied.
func (s *Sim) applied(state *core.State, c core.Command, events []core.Event) {
	for _, e := range events {
		if s.watch != nil {
			s.watch(e)
		}
		s.tracef("%s", strings.Join(strings.Fields(fmt.Sprint(e.Index, " ", e.Kind, " ", e.Service, " ", e.Run, " ", e.Task, " ",
			e.Agent, " ", e.State, " ", e.Reason, " ", e.Code, " ", e.Message)), " "))
	}
	s.watchPlaces(state.View(), c, events)
	s.watchSteps(events)
	s.follow(state.View(), c, events)
	s.watchEndings(state.View(), events)
	s.watchGroups(state.View(), c, events)
	if s.CheckEvery > 1 && state.Index()%int64(s.CheckEvery) != 0 {
		return
	}
	if err := core.Check(state); err != nil {
		s.fail("after %s at index %d: %v", c.Kind(), state.Index(), err)
	}
}

func (s *Sim) tracef(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%9.3fs ", float64(s.now-1_000_000)/1000)+fmt.Sprintf(format, args...))
	if len(s.trace) > 2*maxTrace {
		s.trace = append(s.trace[:0], s.trace[len(s.trace)-maxTrace:]...)
	}
}

// fail notes the first thing that is broken.
func (s *Sim) fail(format string, args ...any) {
	if s.err == nil {
		last := s.trace[max(0, len(s.trace)-maxTrace):]
		s.err = fmt.Errorf("at %.3fs: %s\n%s", float64(s.now-1_000_000)/1000, fmt.Sprintf(format, args...), strings.Join(last, "\n"))
	}
}
