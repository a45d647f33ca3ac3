package alloc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// quota sets a quota in cores and GiB; limit below 0 is none.
func (w *world) quota(role cluster.Role, guarantee, limit int64) {
	w.t.Helper()
	q := cluster.Quota{Role: role, Guarantee: cpus(guarantee).Scalars()}
	if limit >= 0 {
		q.Limit = &cluster.Scalars{CPU: limit * 1000, Mem: limit << 30, Disk: cluster.Unlimited, GPUs: cluster.Unlimited}
	}
	w.apply(core.PutQuota{Quotas: []cluster.Quota{q}, Force: true})
}

// offered sums up what is offered under each role, in cores.
func offered(offers []cluster.Offer) map[cluster.Role]int64 {
	out := map[cluster.Role]int64{}
	for _, o := range offers {
		out[o.Role] += o.Pool().Flat().CPU / 1000
	}
	return out
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestQuota_limit(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(3, cpus(4))
	w.framework("f1", "eng/web")
	w.quota("eng", 0, 6)
	made, _ := w.cycle()
	want(t, "offered under a limit of 6", offered(made), map[cluster.Role]int64{"eng/web": 6})
	w.none()
	// What a task does not use goes to the limit again; what it uses stays.
	w.accept(made[0], cpus(1))
	again, _ := w.cycle()
	want(t, "offered after one of 4 cores was used", offered(again)["eng/web"], made[0].Resources.CPU/1000-1)
	// Others are not bound by it.
	w.framework("f2", "ops")
	rest, _ := w.cycle()
	want(t, "offered to the others", offered(rest), map[cluster.Role]int64{"ops": 6})
}

func TestQuota_guaranteeIsKept(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(3, cpus(4))
	w.framework("f1", "ops")
	w.quota("eng", 5, -1)
	made, _ := w.cycle()
	want(t, "offered beside the headroom", offered(made), map[cluster.Role]int64{"ops": 7})
	// Whoever is guaranteed gets it, whatever others hold, and no more than what is left.
	w.framework("f2", "eng")
	made, _ = w.cycle()
	want(t, "offered to the guaranteed", offered(made), map[cluster.Role]int64{"eng": 5})
}

func TestQuota_guaranteeFirst(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, Config{Seed: seed, Weights: map[cluster.Role]int64{"ops": 1_000_000}})
		w.agents(4, cpus(4))
		w.framework("f1", "ops")
		w.framework("f2", "eng")
		w.quota("eng", 6, 6)
		made, _ := w.cycle()
		want(t, "offered", offered(made), map[cluster.Role]int64{"eng": 6, "ops": 10})
	}
}

// TestQuota_change sees that offers make room when a quota comes.
func TestQuota_change(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(2, cpus(4))
	w.framework("f1", "ops")
	made, _ := w.cycle()
	want(t, "offered", offered(made), map[cluster.Role]int64{"ops": 8})
	w.quota("eng", 6, -1)
	made, rescinded := w.cycle()
	want(t, "rescinded", offered(rescinded), map[cluster.Role]int64{"ops": 8})
	want(t, "offered again", offered(made), map[cluster.Role]int64{"ops": 2})
	w.quota("eng", 0, -1)
	made, _ = w.cycle()
	want(t, "offered without a quota", offered(made)["ops"], int64(8))
}

func TestWeights_fromView(t *testing.T) {
	w := newWorld(t, Config{Weights: map[cluster.Role]int64{"eng": 9000}})
	w.agents(8, cpus(4))
	w.framework("f1", "eng")
	w.framework("f2", "ops")
	w.apply(core.PutWeights{Weights: []core.Weight{{Role: "ops", Weight: 3000}, {Role: "eng", Weight: 1000}}})
	made, _ := w.cycle()
	want(t, "offers", count(made), map[string]int{"f1/eng": 2, "f2/ops": 6})
}

// TestReserved sees that what is reserved goes to its role and those below
// only, and that the others get the rest of the same agent.
func TestReserved(t *testing.T) {
	w := newWorld(t, Config{})
	w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: "a000", Total: cpus(8),
		Reserved: cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: "eng", Static: true}}, Resources: cpus(3)})}})
	w.framework("f1", "ops")
	o := w.one("f1")
	want(t, "offered to a stranger", [2]cluster.Resources{o.Resources, o.Reserved.Flat()}, [2]cluster.Resources{cpus(5), {}})
	w.framework("f2", "eng/web")
	o = w.one("f2")
	want(t, "offered to the role below", [2]cluster.Resources{o.Resources, o.Reserved.Flat()}, [2]cluster.Resources{{}, cpus(3)})
	// A refusal of the reserved part holds for as much, and not for more.
	w.decline(o, MaxRefuse)
	w.none()
	w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: "a000", Total: cpus(9),
		Reserved: cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: "eng", Static: true}}, Resources: cpus(4)})}})
	made, _ := w.cycle()
	want(t, "offered of the larger agent", offered(made)["eng/web"] >= 4, true)
}

// TestReserved_quota sees that reservations count as consumed.
func TestReserved_quota(t *testing.T) {
	w := newWorld(t, Config{})
	w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: "a000", Total: cpus(8),
		Reserved: cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: "eng", Static: true}}, Resources: cpus(3)})}})
	w.framework("f1", "eng")
	w.quota("eng", 0, 4)
	made, _ := w.cycle()
	want(t, "offered: 3 reserved and 1 up to the limit", offered(made), map[cluster.Role]int64{"eng": 4})
}

func TestMinimums(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cluster.Resources{CPU: 5, Disk: 1 << 30, GPUs: 1})
	w.framework("f1", "*")
	w.none()
	least := func(ms ...cluster.Resources) {
		w.now++
		w.apply(core.PutFramework{Framework: cluster.Framework{ID: "f2", Roles: []cluster.Role{"*"}, Minimums: map[cluster.Role][]cluster.Resources{"*": ms}}})
	}
	least(cluster.Resources{GPUs: 2}, cluster.Resources{Disk: 2 << 30})
	w.none()
	least(cluster.Resources{GPUs: 2}, cluster.Resources{Disk: 1 << 29})
	w.decline(w.one("f2"), 0)
	least()
	w.decline(w.one("f2"), 0)
	w.apply(core.RemoveFramework{Framework: "f2"})
	w.none()
	if w.alloc.picky != 0 {
		t.Errorf("%d picky frameworks are counted, none is there", w.alloc.picky)
	}
}

// TestStanding sees what an operator's wishes do to offers.
func TestStanding(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	w.one("f1")
	for _, c := range []struct {
		name string
		do   core.Command
		made int
	}{
		{"a window is planned", core.PutMaintenance{Agents: []cluster.AgentID{"a000"}, Window: &cluster.Unavailability{Start: 7, Duration: 3}}, 1},
		{"deactivated", core.DeactivateAgent{Agent: "a000"}, 0},
		{"drained", core.DrainAgent{Agent: "a000", Deadline: w.now + 1000}, 0},
		{"active again", core.ReactivateAgent{Agent: "a000"}, 1},
	} {
		before := w.alloc.Outstanding()
		w.apply(c.do)
		made, rescinded := w.cycle()
		if len(made) != c.made || len(rescinded) != before {
			t.Errorf("%s: %d offers, %d rescinded; want %d and %d", c.name, len(made), len(rescinded), c.made, before)
		}
		if len(made) == 1 && (made[0].Unavailability == nil || made[0].Unavailability.Start != 7) {
			t.Errorf("%s: the offer's unavailability is %v", c.name, made[0].Unavailability)
		}
	}
}

// TestRelease sees that what a task held is offered in the very next cycle, to
// whoever waits, though nothing else changed.
func TestRelease(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	w.accept(w.one("f1"), cpus(4))
	w.framework("f2", "*")
	w.none()
	w.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: "t1", Agent: "a000", State: cluster.TaskFinished}})
	w.one("f2")
}
