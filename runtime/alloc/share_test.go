package alloc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// TestDRF_paper is the example of Ghodsi et al., NSDI 2011, §4.1: of 9 cores and
// 18 GB, A with tasks of <1, 4 GB> gets three and B with <3, 1 GB> two.
func TestDRF_paper(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cluster.Resources{CPU: 9000, Mem: 18 << 30})
	need := map[cluster.FrameworkID]cluster.Resources{"A": {CPU: 1000, Mem: 4 << 30}, "B": {CPU: 3000, Mem: 1 << 30}}
	w.framework("A", "a")
	w.framework("B", "b")
	got := map[cluster.FrameworkID]int{}
	for {
		made, _ := w.cycle()
		if len(made) == 0 {
			break
		}
		o := made[0]
		if cluster.Fits(o.Resources, need[o.Framework]) != nil {
			w.decline(o, MaxRefuse)
			continue
		}
		w.accept(o, need[o.Framework])
		got[o.Framework]++
	}
	if diff := cmp.Diff(map[cluster.FrameworkID]int{"A": 3, "B": 2}, got); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		name       string
		weights    map[cluster.Role]int64
		frameworks map[cluster.FrameworkID][]cluster.Role
		agents     int
		want       map[string]int
	}{
		{"frameworks of a role share equally", nil,
			map[cluster.FrameworkID][]cluster.Role{"f1": {"*"}, "f2": {"*"}, "f3": {"*"}}, 30,
			map[string]int{"f1/*": 10, "f2/*": 10, "f3/*": 10}},
		{"roles share equally, whatever number of frameworks they have", nil,
			map[cluster.FrameworkID][]cluster.Role{"f1": {"eng"}, "f2": {"ops"}, "f3": {"ops"}}, 40,
			map[string]int{"f1/eng": 20, "f2/ops": 10, "f3/ops": 10}},
		{"weights", map[cluster.Role]int64{"eng": 2000, "ops": 500},
			map[cluster.FrameworkID][]cluster.Role{"f1": {"eng"}, "f2": {"ops"}, "f3": {"*"}}, 70,
			map[string]int{"f1/eng": 40, "f2/ops": 10, "f3/*": 20}},
		{"a framework in two roles", nil,
			map[cluster.FrameworkID][]cluster.Role{"f1": {"eng", "ops"}, "f2": {"ops"}}, 40,
			map[string]int{"f1/eng": 20, "f1/ops": 10, "f2/ops": 10}},
		{"a tree", nil,
			map[cluster.FrameworkID][]cluster.Role{"f1": {"eng/web"}, "f2": {"eng/db"}, "f3": {"ops"}}, 40,
			map[string]int{"f1/eng/web": 10, "f2/eng/db": 10, "f3/ops": 20}},
		{"a role competes with those below it by one leaf of its own", nil,
			map[cluster.FrameworkID][]cluster.Role{"f1": {"eng"}, "f2": {"eng"}, "f3": {"eng/web"}}, 40,
			map[string]int{"f1/eng": 10, "f2/eng": 10, "f3/eng/web": 20}},
		{"weight inside a tree", map[cluster.Role]int64{"eng/web": 3000},
			map[cluster.FrameworkID][]cluster.Role{"f1": {"eng/web"}, "f2": {"eng/db"}, "f3": {"ops"}}, 80,
			map[string]int{"f1/eng/web": 30, "f2/eng/db": 10, "f3/ops": 40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{Weights: c.weights, Seed: 7})
			w.agents(c.agents, cpus(4))
			for _, id := range []cluster.FrameworkID{"f1", "f2", "f3"} {
				if roles := c.frameworks[id]; roles != nil {
					w.framework(id, roles...)
				}
			}
			made, _ := w.cycle()
			if diff := cmp.Diff(c.want, count(made)); diff != "" {
				t.Errorf("offers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestShares_whatTasksHoldCounts gives a newcomer all that is free while others hold more.
func TestShares_whatTasksHoldCounts(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(10, cpus(4))
	w.framework("old", "*")
	made, _ := w.cycle()
	for _, o := range made[:6] {
		w.accept(o, cpus(4))
	}
	for _, o := range made[6:] {
		w.decline(o, 0)
	}
	w.framework("new", "*")
	made, _ = w.cycle()
	if diff := cmp.Diff(map[string]int{"new/*": 4}, count(made)); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
}

// TestShares_holdersWithoutSubscription sees that the tasks of a framework that
// is away still count for its role.
func TestShares_holdersWithoutSubscription(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(8, cpus(4))
	w.framework("away", "eng")
	made, _ := w.cycle()
	for i, o := range made {
		if i < 3 {
			w.accept(o, cpus(4))
		} else {
			w.decline(o, 0)
		}
	}
	w.apply(core.DisconnectFramework{Framework: "away"})
	w.framework("f1", "eng")
	w.framework("f2", "ops")
	made, _ = w.cycle()
	if diff := cmp.Diff(map[string]int{"f1/eng": 1, "f2/ops": 4}, count(made)); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
}

// TestCompare_equalSharesTakeTurns alternates between two that use nothing.
func TestCompare_equalSharesTakeTurns(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	w.framework("f2", "*")
	for _, want := range []cluster.FrameworkID{"f1", "f2", "f1", "f2"} {
		w.decline(w.one(want), 0)
	}
}

func TestPart(t *testing.T) {
	const big = 1 << 62
	for _, c := range []struct {
		have, total int64
		want        uint64
	}{
		{0, 10, 0}, {1, 2, shareUnit / 2}, {10, 10, shareUnit}, {11, 10, shareUnit}, {5, 0, 0}, {-1, 10, 0},
		{big / 4, big, shareUnit / 4}, {big - 1, big, shareUnit - 1}, {1, 3, shareUnit / 3},
	} {
		if got := part(c.have, c.total); got != c.want {
			t.Errorf("part(%d, %d) = %d, want %d", c.have, c.total, got, c.want)
		}
	}
}
