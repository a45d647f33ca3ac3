package alloc

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// TestAllocator_properties does random things to a small cluster and sees after
// each cycle that the invariants hold, that nobody gets what he asked not to
// get, and that nothing stays that somebody would have.
func TestAllocator_properties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{Seed: rapid.Uint64().Draw(r, "seed"), OfferTimeout: 20_000,
			Weights: map[cluster.Role]int64{"eng": 3000, "eng/web": 500}})
		w.agents(3, cpus(4))
		w.framework("f1", "*", "eng/web")
		w.framework("f2", "eng")
		p := &play{world: w}
		r.Repeat(map[string]func(*rapid.T){
			"cycle": p.offers, "accept": p.acceptOne, "decline": p.declineOne, "end": p.endOne, "advance": p.advance,
			"suppress": p.suppress, "revive": p.revive, "subscribe": p.subscribe, "leave": p.leave,
			"silence": p.silence, "register": p.register, "": p.numbers,
		})
	})
}

// play is what can happen to a cluster.
type play struct {
	*world
	outstanding []cluster.Offer
}

var (
	someFramework = rapid.SampledFrom([]cluster.FrameworkID{"f1", "f2", "f3"})
	someAgent     = rapid.SampledFrom([]cluster.AgentID{"a000", "a001", "a002"})
	someRole      = rapid.SampledFrom([]cluster.Role{"*", "eng", "eng/web", "eng/db"})
)

func (p *play) holds(o cluster.Offer) bool { _, ok := p.alloc.Offer(o.ID); return ok }

// offers cycles and verifies what came of it.
func (p *play) offers(r *rapid.T) {
	v := p.state.View()
	made, _ := p.alloc.Cycle(p.now, v)
	if err := p.alloc.Check(v); err != nil {
		r.Fatal(err)
	}
	for _, o := range made {
		if p.alloc.Suppressed(o.Framework, o.Role) {
			r.Fatalf("offer %s to a suppressed framework", o.ID)
		}
	}
	p.outstanding = append(slices.DeleteFunc(p.outstanding, func(o cluster.Offer) bool { return !p.holds(o) }), made...)
	for _, g := range p.alloc.agents {
		c := p.alloc.tree.first(func(c *client) bool { _, refused := c.filtered(p.now, g); return !refused })
		if c != nil && p.alloc.worth(g.free) {
			r.Fatalf("%s on agent %s is offered to nobody, though %s would have it", g.free, g.rec.Info.ID, c.framework)
		}
	}
}

// first gives an outstanding offer.
func (p *play) first(r *rapid.T) cluster.Offer {
	if len(p.outstanding) == 0 || !p.holds(p.outstanding[0]) {
		r.Skip("no offer")
	}
	return p.outstanding[0]
}

func (p *play) acceptOne(r *rapid.T) {
	o := p.first(r)
	need := cluster.Resources{CPU: rapid.Int64Range(1, o.Resources.CPU+1).Draw(r, "cpus")}
	if f := p.state.View().Framework(o.Framework); cluster.Fits(o.Resources, need) != nil || f == nil || f.Removing {
		r.Skip("too much, or for somebody who left")
	}
	p.accept(o, need)
	v := p.state.View()
	if task := v.Task(cluster.TaskID(fmt.Sprintf("t%d", p.tasks))); !task.Active() {
		// The agent or the framework may have gone since the last cycle.
		a, f := v.Agent(o.Agent.ID), v.Framework(o.Framework)
		if a.State == cluster.AgentActive && f.Connected && slices.Contains(f.Info.Roles, o.Role) && cluster.Fits(a.Free(), need) == nil {
			r.Fatalf("a task of %s out of an offer of %s is refused: %s", need, o.Resources, task.Status.Message)
		}
	}
	p.offers(r)
}

func (p *play) declineOne(r *rapid.T) {
	p.decline(p.first(r), cluster.Millis(rapid.IntRange(-1, 30_000).Draw(r, "refuse")))
}

func (p *play) endOne(r *rapid.T) {
	for task := range p.state.View().Tasks() {
		if task.Active() {
			p.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: task.Spec.ID, Agent: task.Agent, State: cluster.TaskFinished}})
			return
		}
	}
	r.Skip("no task")
}

func (p *play) advance(r *rapid.T) {
	p.now += cluster.Time(rapid.IntRange(1, 30_000).Draw(r, "ms"))
	for _, o := range p.alloc.Expire(p.now) {
		if o.Deadline > p.now || p.holds(o) {
			r.Fatalf("offer %s with deadline %d expired at %d", o.ID, o.Deadline, p.now)
		}
	}
}

func (p *play) suppress(r *rapid.T) {
	p.alloc.Suppress(someFramework.Draw(r, "framework"), someRole.Draw(r, "role"))
}

func (p *play) revive(r *rapid.T) { p.alloc.Revive(someFramework.Draw(r, "framework")) }

func (p *play) subscribe(r *rapid.T) {
	p.now++
	p.state.Apply(p.now, core.PutFramework{Framework: cluster.Framework{ID: someFramework.Draw(r, "framework"),
		Roles: rapid.SliceOfNDistinct(someRole, 1, 3, rapid.ID).Draw(r, "roles")}})
}

func (p *play) leave(r *rapid.T) {
	if id := someFramework.Draw(r, "framework"); rapid.Bool().Draw(r, "for ever") {
		p.state.Apply(p.now, core.RemoveFramework{Framework: id})
	} else {
		p.state.Apply(p.now, core.DisconnectFramework{Framework: id})
	}
}

func (p *play) silence(r *rapid.T) {
	p.state.Apply(p.now, core.AgentUnreachable{Agent: someAgent.Draw(r, "agent")})
}

func (p *play) register(r *rapid.T) {
	id := someAgent.Draw(r, "agent")
	c := core.RegisterAgent{Agent: cluster.Agent{ID: id, Total: cpus(rapid.Int64Range(1, 5).Draw(r, "cpus"))}}
	for task := range p.state.View().AgentTasks(id) {
		c.Tasks = append(c.Tasks, cluster.TaskReport{Status: cluster.TaskStatus{Task: task.Spec.ID, State: cluster.TaskRunning}})
	}
	p.state.Apply(p.now, c)
}

// numbers sees that no two clients share the slot of their refusals.
func (p *play) numbers(r *rapid.T) {
	seen := map[int]bool{}
	for _, c := range p.alloc.tree.list {
		if seen[c.number] {
			r.Fatalf("two clients have number %d", c.number)
		}
		seen[c.number] = true
	}
}
