package alloc

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// TestWhy has one agent for each obstacle.
func TestWhy(t *testing.T) {
	w := newWorld(t, Config{})
	w.framework("f1", "eng")
	w.agents(9, cpus(8))
	id := func(i int) cluster.AgentID { return cluster.AgentID(fmt.Sprintf("a%03d", i)) }
	w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: id(0), Total: cpus(1)}})
	w.apply(core.AgentUnreachable{Agent: id(1)})
	w.apply(core.DrainAgent{Agent: id(2)})
	w.apply(core.DeactivateAgent{Agent: id(3)})
	w.apply(core.AgentGone{Agent: id(4)})
	made, _ := w.cycle()
	for _, o := range made {
		switch o.Agent.ID {
		case id(5):
			w.decline(o, 90_000)
		case id(6):
			w.accept(o, cpus(7))
		case id(7):
			w.decline(o, 0)
		}
	}
	// f2 takes what is left of a006 and a007; a008 stays offered to f1.
	w.alloc.Suppress("f1")
	w.framework("f2", "ops")
	w.cycle()
	for _, o := range []cluster.AgentID{id(5)} {
		for oid, x := range w.alloc.offers {
			if x.Agent.ID == o {
				if _, err := w.alloc.Take("f2", oid); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	deadline := w.now.Add(DefaultOfferTimeout)
	got := w.alloc.Why(w.now, "f1", "eng", cpus(4))
	if !got.Suppressed || got.Unknown {
		t.Errorf("suppressed %t, unknown %t", got.Suppressed, got.Unknown)
	}
	less := func(have string) []cluster.Shortfall {
		return []cluster.Shortfall{{Resource: "cpus", Have: have, Need: "4"}, {Resource: "mem", Have: have + " GiB", Need: "4 GiB"}}
	}
	wantAgents := []WhyAgent{
		{Agent: id(0), Obstacle: ObstacleResources, Shortfalls: less("1")},
		{Agent: id(1), Obstacle: ObstacleUnreachable},
		{Agent: id(2), Obstacle: ObstacleDraining},
		{Agent: id(3), Obstacle: ObstacleDeactivated},
		{Agent: id(5), Obstacle: ObstacleRefused, Until: w.now.Add(90_000) - 1},
		{Agent: id(6), Obstacle: ObstacleResources, Shortfalls: less("1")},
		{Agent: id(7), Obstacle: ObstacleOffered, Until: deadline},
		{Agent: id(8), Obstacle: ObstacleOffered, Until: deadline - 1},
	}
	if diff := cmp.Diff(wantAgents, got.Agents, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	want(t, "counts", got.Counts, []WhyCount{{ObstacleResources, 2}, {ObstacleOffered, 2}, {ObstacleUnreachable, 1}, {ObstacleDraining, 1}, {ObstacleDeactivated, 1}, {ObstacleRefused, 1}})
	want(t, "nobody", w.alloc.Why(w.now, "f9", "eng", cpus(1)), Why{Unknown: true})
}

func TestWhy_quotaAndBound(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(MaxWhyAgents+9, cpus(1))
	w.framework("f1", "eng")
	w.quota("eng", 0, 0)
	w.none()
	got := w.alloc.Why(w.now, "f1", "eng", cpus(1))
	if len(got.Agents) != MaxWhyAgents || len(got.Counts) != 1 || got.Counts[0] != (WhyCount{ObstacleQuota, MaxWhyAgents + 9}) {
		t.Errorf("%d agents, counts %v", len(got.Agents), got.Counts)
	}
	// It clears when the reason goes.
	w.quota("eng", 0, -1)
	w.alloc.Cycle(w.now, w.state.View())
	if got = w.alloc.Why(w.now, "f1", "eng", cpus(1)); got.Counts[0].Obstacle != ObstacleOffered {
		t.Errorf("counts %v", got.Counts)
	}
}
