package sim

import (
	"maps"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// place is a volume on an agent.
type place struct {
	agent cluster.AgentID
	name  cluster.VolumeName
}

// custody is what the simulator knows of volumes and nobody in it does: which
// creation of a name is meant, and what is in it.
type custody struct {
	births  int64
	born    map[place]int64                                 // of those that are there
	tasks   map[cluster.TaskID]map[cluster.VolumeName]int64 // of those that a task was launched with
	written map[place]int64                                 // of those into which something was written
}

func newCustody() custody {
	return custody{born: map[place]int64{}, tasks: map[cluster.TaskID]map[cluster.VolumeName]int64{}, written: map[place]int64{}}
}

// wiped forgets what was on the disk of a machine.
func (c *custody) wiped(id cluster.AgentID) {
	maps.DeleteFunc(c.written, func(p place, _ int64) bool { return p.agent == id })
}

// follow takes note of what a command did to volumes.
func (s *Sim) follow(v *core.View, c core.Command, events []core.Event) {
	switch c := c.(type) {
	case core.AcceptOffers:
		s.operated(v, c.Agent, done(c.Operations, events))
		for i := range events {
			if e := &events[i]; e.Kind == core.EventTaskLaunched {
				s.launched(e, c)
			}
		}
	case core.OperateAgent:
		s.operated(v, c.Agent, done(c.Operations, events))
	case core.RegisterAgent:
		s.operated(v, c.Agent.ID, nil)
	}
	for i := range events {
		if events[i].Kind == core.EventPlaceReleased {
			s.operated(v, events[i].Agent, nil)
		}
		if events[i].Kind == core.EventAgentGone {
			maps.DeleteFunc(s.custody.born, func(p place, _ int64) bool { return p.agent == events[i].Agent })
		}
	}
}

// done are the operations that were not refused: their events come in their order.
func done(operations []cluster.Operation, events []core.Event) []cluster.Operation {
	var out []cluster.Operation
	i := 0
	for _, e := range events {
		switch e.Kind {
		case core.EventOperationDone:
			out = append(out, operations[i])
			i++
		case core.EventOperationRefused:
			i++
		}
	}
	return out
}

// operated notes what operations made and ended on an agent, and compares that
// with the state.
func (s *Sim) operated(v *core.View, id cluster.AgentID, operations []cluster.Operation) {
	for _, o := range operations {
		switch o.Kind {
		case cluster.OpCreate:
			s.custody.births++
			s.custody.born[place{id, cluster.VolumeName{Role: o.Stack.Role(), ID: o.Volume.ID}}] = s.custody.births
		case cluster.OpDestroy:
			delete(s.custody.born, place{id, cluster.VolumeName{Role: o.Stack.Role(), ID: o.Volume.ID}})
		}
	}
	a := v.Agent(id)
	if a == nil {
		return
	}
	there := 0
	for _, r := range a.Reserved {
		for i := range r.Volumes {
			there++
			if n := (cluster.VolumeName{Role: r.Stack.Role(), ID: r.Volumes[i].ID}); s.custody.born[place{id, n}] == 0 {
				s.fail("agent %s has a volume %s of role %s that nobody made", id, n.ID, n.Role)
			}
		}
	}
	for p := range s.custody.born { // order-free: counts
		if p.agent == id {
			there--
		}
	}
	if there != 0 {
		s.fail("agent %s lacks %d volumes that nobody destroyed", id, -there)
	}
}

// launched notes which volumes a task is to see.
func (s *Sim) launched(e *core.Event, c core.AcceptOffers) {
	i := slices.IndexFunc(c.Tasks, func(t cluster.TaskSpec) bool { return t.ID == e.Task })
	var all []*cluster.TaskSpec
	for j := range c.Tasks {
		all = append(all, &c.Tasks[j])
	}
	for _, n := range seen(&c.Tasks[i], all) {
		if s.custody.tasks[e.Task] == nil {
			s.custody.tasks[e.Task] = map[cluster.VolumeName]int64{}
		}
		birth := s.custody.born[place{c.Agent, n}]
		if birth == 0 {
			s.fail("task %s is launched with volume %s of role %s, which agent %s does not have", e.Task, n.ID, n.Role, c.Agent)
		}
		if !(cluster.Stack{{Role: n.Role}}).For(c.Role) {
			s.fail("task %s of role %s is launched with volume %s of role %s", e.Task, c.Role, n.ID, n.Role)
		}
		s.custody.tasks[e.Task][n] = birth
	}
}
