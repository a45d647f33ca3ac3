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
			"suppress": p.suppress, "heard": p.heard, "revive": p.revive, "subscribe": p.subscribe, "leave": p.leave,
			"silence": p.silence, "register": p.register, "quota": p.putQuota, "operator": p.operator, "": p.numbers,
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
	before := p.consumed(v)
	made, _ := p.alloc.Cycle(p.now, v)
	p.checkQuotas(r, v, before, made)
	if err := p.alloc.Check(v); err != nil {
		r.Fatal(err)
	}
	for _, o := range made {
		if c := p.alloc.tree.clients[clientKey{o.Framework, o.Role}]; c.mutedUntil > p.now {
			r.Fatalf("offer %s to a silent framework", o.ID)
		}
		if p.alloc.Suppressed(o.Framework, o.Role) {
			r.Fatalf("offer %s to a suppressed framework", o.ID)
		}
	}
	p.outstanding = append(slices.DeleteFunc(p.outstanding, func(o cluster.Offer) bool { return !p.holds(o) }), made...)
	for _, g := range p.alloc.agents {
		if c, pool := p.alloc.next(p.now, g, (*Allocator).open); c != nil {
			r.Fatalf("%v on agent %s is offered to nobody, though %s would have it", pool, g.rec.Info.ID, c.framework)
		}
	}
}

// consumed is what each role with a quota consumes, offers included.
func (p *play) consumed(v *core.View) map[cluster.Role]cluster.Scalars {
	out := map[cluster.Role]cluster.Scalars{}
	for q := range v.Quotas() {
		out[q.Role] = v.Consumed(q.Role)
		for _, o := range p.alloc.offers {
			if o.Role.Top() == q.Role {
				out[q.Role] = out[q.Role].Plus(o.Resources.Scalars())
			}
		}
	}
	return out
}

// checkQuotas sees that no offer leads over a limit, and that none is made of
// what others are guaranteed.
func (p *play) checkQuotas(r *rapid.T, v *core.View, before map[cluster.Role]cluster.Scalars, made []cluster.Offer) {
	after := p.consumed(v)
	most := func(a, b int64) int64 { return max(a, b) }
	var free, owed cluster.Scalars
	for _, g := range p.alloc.agents {
		free = free.Plus(g.free.Open.Scalars())
	}
	for q := range v.Quotas() {
		if bound := q.Ceiling().Each(before[q.Role], most); !after[q.Role].Within(bound) {
			r.Fatalf("role %s consumes %+v after a cycle and %+v before, its limit is %+v", q.Role, after[q.Role], before[q.Role], q.Limit)
		}
		owed = owed.Plus(q.Guarantee.Minus(after[q.Role]).Floor())
	}
	lack := owed.Minus(free).Floor()
	for _, o := range made { // what is too little must go to those who were owed
		both := func(a, b int64) int64 { return min(a, b) }
		if v.Quota(o.Role.Top()) == nil && lack.Each(o.Resources.Scalars(), both) != (cluster.Scalars{}) {
			r.Fatalf("roles are owed %+v, free are %+v, and %s is offered %s", owed, free, o.Role, o.Resources)
		}
	}
}

func (p *play) putQuota(r *rapid.T) {
	n := rapid.Int64Range(-1, 8)
	limit := n.Draw(r, "limit")
	guarantee := rapid.Int64Range(0, 4).Draw(r, "guarantee")
	if limit >= 0 {
		guarantee = min(guarantee, limit)
	}
	p.quota(rapid.SampledFrom([]cluster.Role{"eng", "ops"}).Draw(r, "role"), guarantee, limit)
}

func (p *play) operator(r *rapid.T) {
	id := someAgent.Draw(r, "agent")
	p.state.Apply(p.now, rapid.SampledFrom([]core.Command{core.DeactivateAgent{Agent: id}, core.ReactivateAgent{Agent: id}, core.ReactivateAgent{Agent: id},
		core.DrainAgent{Agent: id, Deadline: p.now + 5000}, core.PutMaintenance{Agents: []cluster.AgentID{id}, Window: &cluster.Unavailability{Start: p.now}},
		core.OperateAgent{Agent: id, Operations: []cluster.Operation{{Kind: cluster.OpReserve, Stack: cluster.Stack{{Role: "eng"}}, Resources: cpus(1)}}},
		core.OperateAgent{Agent: id, Operations: []cluster.Operation{{Kind: cluster.OpUnreserve, Stack: cluster.Stack{{Role: "eng"}}, Resources: cpus(1)}}},
	}).Draw(r, "wish"))
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
	need := cluster.Resources{CPU: rapid.Int64Range(1, max(1, o.Resources.CPU)+1).Draw(r, "cpus")}
	if f := p.state.View().Framework(o.Framework); cluster.Fits(o.Resources, need) != nil || f == nil || f.Removing {
		r.Skip("too much, or for somebody who left")
	}
	p.accept(o, need)
	v := p.state.View()
	if task := v.Task(cluster.TaskID(fmt.Sprintf("t%d", p.tasks))); !task.Active() {
		// The agent or the framework may have gone since the last cycle.
		a, f := v.Agent(o.Agent.ID), v.Framework(o.Framework)
		if a.Offerable() && f.Connected && slices.Contains(f.Info.Roles, o.Role) && cluster.Fits(a.Free(), need) == nil {
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

func (p *play) heard(r *rapid.T) { p.alloc.Heard(someFramework.Draw(r, "framework")) }

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
