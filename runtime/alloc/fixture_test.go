package alloc

import (
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// world is an allocator over a core.
type world struct {
	t     testing.TB
	state *core.State
	alloc *Allocator
	now   cluster.Time
	tasks int
}

func newWorld(t testing.TB, cfg Config) *world {
	return &world{t: t, state: core.New(), alloc: New(cfg), now: 1_000_000}
}

func (w *world) apply(c core.Command) {
	w.t.Helper()
	events, _ := w.state.Apply(w.now, c)
	if r := core.Refused(events); r != nil {
		w.t.Fatalf("%s is refused: %s", c.Kind(), r.Message)
	}
}

// agents registers n agents "a000", "a001", … of a size.
func (w *world) agents(n int, total cluster.Resources) {
	w.t.Helper()
	for i := range n {
		w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%03d", i)), Total: total}})
	}
}

func (w *world) framework(id cluster.FrameworkID, roles ...cluster.Role) {
	w.t.Helper()
	w.now++ // a subscription differs from the one before by its time
	w.apply(core.PutFramework{Framework: cluster.Framework{ID: id, Roles: roles}})
}

// cycle makes offers and sees that the invariants hold.
func (w *world) cycle() (made, rescinded []cluster.Offer) {
	w.t.Helper()
	v := w.state.View()
	made, rescinded = w.alloc.Cycle(w.now, v)
	if err := w.alloc.Check(v); err != nil {
		w.t.Fatal(err)
	}
	return made, rescinded
}

// accept launches one task of a size out of an offer and gives back the rest.
func (w *world) accept(o cluster.Offer, need cluster.Resources) {
	w.t.Helper()
	if _, err := w.alloc.Take(o.Framework, o.ID); err != nil {
		w.t.Fatal(err)
	}
	w.tasks++
	w.apply(core.AcceptOffers{Framework: o.Framework, Role: o.Role, Agent: o.Agent.ID, Offered: o.Resources, Tasks: []cluster.TaskSpec{{
		ID: cluster.TaskID(fmt.Sprintf("t%d", w.tasks)), Framework: o.Framework, Role: o.Role, Task: "main",
		Container: cluster.Container{Image: "i"}, Resources: need}}})
}

// decline gives an offer back.
func (w *world) decline(o cluster.Offer, refuse cluster.Millis) {
	w.t.Helper()
	if _, err := w.alloc.Take(o.Framework, o.ID); err != nil {
		w.t.Fatal(err)
	}
	w.alloc.Decline(w.now, o, refuse)
}

// one cycles and wants one offer, to a framework.
func (w *world) one(want cluster.FrameworkID) cluster.Offer {
	w.t.Helper()
	made, _ := w.cycle()
	if len(made) != 1 || made[0].Framework != want {
		w.t.Fatalf("offers %v, want one to %q", brief(made), want)
	}
	return made[0]
}

// none cycles and wants no offer.
func (w *world) none() {
	w.t.Helper()
	if made, _ := w.cycle(); len(made) != 0 {
		w.t.Fatalf("offers %v, want none", brief(made))
	}
}

// brief prints offers as framework@agent/role.
func brief(offers []cluster.Offer) []string {
	var out []string
	for _, o := range offers {
		out = append(out, fmt.Sprintf("%s@%s/%s", o.Framework, o.Agent.ID, o.Role))
	}
	return out
}

// count counts offers by framework and role.
func count(offers []cluster.Offer) map[string]int {
	out := map[string]int{}
	for _, o := range offers {
		out[string(o.Framework)+"/"+string(o.Role)]++
	}
	return out
}

func cpus(n int64) cluster.Resources { return cluster.Resources{CPU: n * 1000, Mem: n << 30} }
