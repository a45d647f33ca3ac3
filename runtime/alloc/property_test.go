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
// each that the invariants hold, and after each cycle that every offer went to
// the first in order who wants it.
func TestAllocator_properties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, Config{Seed: rapid.Uint64().Draw(r, "seed"), OfferTimeout: 20_000,
			Weights: map[cluster.Role]int64{"eng": 3000, "eng/web": 500}})
		w.agents(3, cpus(4))
		w.framework("f1", "*", "eng/web")
		w.framework("f2", "eng")
		var outstanding []cluster.Offer
		holds := func(o cluster.Offer) bool { _, ok := w.alloc.Offer(o.ID); return ok }
		frameworks := rapid.SampledFrom([]cluster.FrameworkID{"f1", "f2", "f3"})
		agents := rapid.SampledFrom([]cluster.AgentID{"a000", "a001", "a002"})
		roles := rapid.SampledFrom([]cluster.Role{"*", "eng", "eng/web", "eng/db"})
		cycle := func() {
			v := w.state.View()
			made, _ := w.alloc.Cycle(w.now, v)
			if err := w.alloc.check(v); err != nil {
				r.Fatal(err)
			}
			for _, o := range made {
				if w.alloc.Suppressed(o.Framework, o.Role) {
					r.Fatalf("offer %s to a suppressed framework", o.ID)
				}
			}
			outstanding = append(slices.DeleteFunc(outstanding, func(o cluster.Offer) bool { return !holds(o) }), made...)
			for _, g := range w.alloc.agents {
				c := w.alloc.tree.first(func(c *client) bool { _, refused := c.filtered(w.now, g); return !refused })
				if c != nil && w.alloc.worth(g.free) {
					r.Fatalf("%s on agent %s is offered to nobody, though %s would have it", g.free, g.rec.Info.ID, c.framework)
				}
			}
		}
		r.Repeat(map[string]func(*rapid.T){
			"cycle": func(*rapid.T) { cycle() },
			"accept": func(r *rapid.T) {
				if len(outstanding) == 0 || !holds(outstanding[0]) {
					r.Skip("no offer")
				}
				o := outstanding[0]
				outstanding = outstanding[1:]
				need := cluster.Resources{CPU: rapid.Int64Range(1, o.Resources.CPU+1).Draw(r, "cpus")}
				if f := w.state.View().Framework(o.Framework); cluster.Fits(o.Resources, need) != nil || f == nil || f.Removing {
					r.Skip("too much, or for somebody who left")
				}
				w.accept(o, need)
				if task := w.state.View().Task(cluster.TaskID(fmt.Sprintf("t%d", w.tasks))); !task.Active() {
					// The agent or the framework may have gone since the last cycle.
					a, f := w.state.View().Agent(o.Agent.ID), w.state.View().Framework(o.Framework)
					if a.State == cluster.AgentActive && f.Connected && slices.Contains(f.Info.Roles, o.Role) && cluster.Fits(a.Free(), need) == nil {
						r.Fatalf("a task of %s out of an offer of %s is refused: %s", need, o.Resources, task.Status.Message)
					}
				}
				cycle()
			},
			"decline": func(r *rapid.T) {
				if len(outstanding) == 0 || !holds(outstanding[0]) {
					r.Skip("no offer")
				}
				w.decline(outstanding[0], cluster.Millis(rapid.IntRange(-1, 30_000).Draw(r, "refuse")))
			},
			"end": func(r *rapid.T) {
				for task := range w.state.View().Tasks() {
					if task.Active() {
						w.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: task.Spec.ID, Agent: task.Agent, State: cluster.TaskFinished}})
						return
					}
				}
				r.Skip("no task")
			},
			"advance": func(r *rapid.T) {
				w.now += cluster.Time(rapid.IntRange(1, 30_000).Draw(r, "ms"))
				for _, o := range w.alloc.Expire(w.now) {
					if o.Deadline > w.now || holds(o) {
						r.Fatalf("offer %s with deadline %d expired at %d", o.ID, o.Deadline, w.now)
					}
				}
			},
			"suppress": func(r *rapid.T) { w.alloc.Suppress(frameworks.Draw(r, "framework"), roles.Draw(r, "role")) },
			"revive":   func(r *rapid.T) { w.alloc.Revive(frameworks.Draw(r, "framework")) },
			"subscribe": func(r *rapid.T) {
				w.now++
				w.state.Apply(w.now, core.PutFramework{Framework: cluster.Framework{ID: frameworks.Draw(r, "framework"),
					Roles: rapid.SliceOfNDistinct(roles, 1, 3, rapid.ID).Draw(r, "roles")}})
			},
			"leave": func(r *rapid.T) {
				if rapid.Bool().Draw(r, "for ever") {
					w.state.Apply(w.now, core.RemoveFramework{Framework: frameworks.Draw(r, "framework")})
				} else {
					w.state.Apply(w.now, core.DisconnectFramework{Framework: frameworks.Draw(r, "framework")})
				}
			},
			"": func(*rapid.T) {
				numbers := map[int]bool{}
				for _, c := range w.alloc.tree.list {
					if numbers[c.number] {
						r.Fatalf("two clients have number %d", c.number)
					}
					numbers[c.number] = true
				}
			},
			"silence": func(r *rapid.T) { w.state.Apply(w.now, core.AgentUnreachable{Agent: agents.Draw(r, "agent")}) },
			"register": func(r *rapid.T) {
				id := agents.Draw(r, "agent")
				c := core.RegisterAgent{Agent: cluster.Agent{ID: id, Total: cpus(rapid.Int64Range(1, 5).Draw(r, "cpus"))}}
				for task := range w.state.View().AgentTasks(id) {
					c.Tasks = append(c.Tasks, cluster.TaskReport{Status: cluster.TaskStatus{Task: task.Spec.ID, State: cluster.TaskRunning}})
				}
				w.state.Apply(w.now, c)
			},
		})
	})
}
