package alloc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func TestCycle_offersAllThatIsFree(t *testing.T) {
	w := newWorld(t, Config{Name: "m1", OfferTimeout: 500})
	total := cpus(4)
	total.Ports = cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31009})
	w.agents(1, total)
	w.framework("f1", "*")
	o := w.one("f1")
	if o.ID != "m1-O1" || o.Deadline != w.now+500 || !o.Resources.Equal(total) || o.Agent.ID != "a000" {
		t.Errorf("offer %+v", o)
	}
	w.none()
	need := cpus(1)
	need.Ports = cluster.Port(31004)
	w.accept(o, need)
	o = w.one("f1")
	if want := total.Minus(need); !o.Resources.Equal(want) {
		t.Errorf("the second offer is of %s, want %s", o.Resources, want)
	}
}

func TestCycle_smallRestsAreNotOffered(t *testing.T) {
	for _, c := range []struct {
		free cluster.Resources
		want int
	}{
		{cluster.Resources{CPU: 10}, 1},
		{cluster.Resources{Mem: 32 << 20}, 1},
		{cluster.Resources{CPU: 9, Mem: 32<<20 - 1, Disk: 1 << 40}, 0},
		{cluster.Resources{}, 0},
	} {
		w := newWorld(t, Config{})
		w.agents(1, c.free)
		w.framework("f1", "*")
		if made, _ := w.cycle(); len(made) != c.want {
			t.Errorf("%s free: %d offers, want %d", c.free, len(made), c.want)
		}
	}
}

func TestCycle_sameSeedSameOffers(t *testing.T) {
	run := func(seed uint64) []string {
		w := newWorld(t, Config{Seed: seed})
		w.agents(20, cpus(4))
		w.framework("f1", "a")
		w.framework("f2", "b")
		made, _ := w.cycle()
		return brief(made)
	}
	if diff := cmp.Diff(run(1), run(1)); diff != "" {
		t.Errorf("two runs of one seed differ:\n%s", diff)
	}
	if cmp.Equal(run(1), run(2)) {
		t.Error("two seeds give the same order")
	}
}

func TestDecline_filters(t *testing.T) {
	w := newWorld(t, Config{Interval: 1000})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	for _, c := range []struct {
		name        string
		refuse      cluster.Millis
		none, again cluster.Millis // after the refusal
	}{
		{"no filter", 0, -1, 0},
		{"shorter than a cycle", 10, 999, 1000},
		{"as asked", 7000, 6999, 7000},
		{"default", -1, 4999, 5000},
		{"at most a year", MaxRefuse * 2, MaxRefuse - 1, MaxRefuse},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.decline(w.one("f1"), c.refuse)
			start := w.now
			if c.none >= 0 {
				w.none()
				w.now = start.Add(c.none)
				w.none()
			}
			w.now = start.Add(c.again)
			w.decline(w.one("f1"), 0)
		})
	}
}

// TestDecline_moreOnTheAgentPasses frees something on an agent whose rest was refused.
func TestDecline_moreOnTheAgentPasses(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	w.accept(w.one("f1"), cpus(1))
	w.decline(w.one("f1"), MaxRefuse)
	w.none()
	w.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: "t1", Agent: "a000", State: cluster.TaskFinished}})
	o := w.one("f1")
	w.decline(o, MaxRefuse)
	w.none()
	// A smaller refusal is inside the bigger one.
	o.Resources = cpus(1)
	w.alloc.Decline(w.now, o, 1000)
	w.none()
}

func TestDecline_othersStillGetIt(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "a", "b")
	o := w.one("f1")
	w.decline(o, MaxRefuse)
	o2 := w.one("f1")
	if o2.Role == o.Role {
		t.Fatalf("offered again under %q", o.Role)
	}
	w.decline(o2, MaxRefuse)
	w.none()
	w.framework("f2", "a")
	w.decline(w.one("f2"), MaxRefuse)
	w.none()
}

func TestDecline_isUndone(t *testing.T) {
	for name, undo := range map[string]func(*world){
		"by revive":             func(w *world) { w.alloc.Revive("f1") },
		"by revive of the role": func(w *world) { w.alloc.Revive("f1", "*") },
		"by subscribing again":  func(w *world) { w.framework("f1", "*") },
		"by other attributes": func(w *world) {
			w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: "a000", Total: cpus(4), Attributes: map[string]string{"rack": "r2"}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.agents(1, cpus(4))
			w.framework("f1", "*")
			w.decline(w.one("f1"), MaxRefuse)
			w.none()
			undo(w)
			w.one("f1")
		})
	}
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	w.decline(w.one("f1"), MaxRefuse)
	w.alloc.Revive("f1", "other")
	w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: "a000", Total: cpus(3)}})
	w.none()
}

func TestDecline_keepsFewFilters(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	o := w.one("f1")
	for i := range int64(100) { // none covers another
		o.Resources = cluster.Resources{CPU: 1000 + i, Mem: 1<<30 - i}
		w.alloc.Decline(w.now, o, 1000)
	}
	if n := 1 + len(w.alloc.agents[0].slots[0].more); n != MaxFilters {
		t.Errorf("%d filters are kept, want %d", n, MaxFilters)
	}
}

func TestSuppress(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "a", "b")
	w.decline(w.one("f1"), 0)
	w.alloc.Suppress("f1", "a")
	if o := w.one("f1"); o.Role != "b" {
		t.Errorf("offered under the suppressed role %q", o.Role)
	} else {
		w.decline(o, 0)
	}
	w.alloc.Suppress("f1")
	w.none()
	if !w.alloc.Suppressed("f1", "a") || !w.alloc.Suppressed("f1", "b") || w.alloc.Suppressed("f2", "a") {
		t.Error("what is suppressed is not what was asked for")
	}
	w.framework("f2", "a")
	w.decline(w.one("f2"), MaxRefuse)
	w.none()
	w.alloc.Revive("f1", "b")
	if o := w.one("f1"); o.Role != "b" {
		t.Errorf("offered under the suppressed role %q", o.Role)
	}
}

func TestExpire(t *testing.T) {
	w := newWorld(t, Config{OfferTimeout: 5000})
	w.agents(2, cpus(4))
	w.framework("f1", "*")
	made, _ := w.cycle()
	w.decline(made[0], 0)
	w.now += 1000
	w.one("f1") // the same agent again, a second later
	if at, ok := w.alloc.NextDeadline(); !ok || at != made[1].Deadline {
		t.Errorf("next deadline %d, %t; want %d", at, ok, made[1].Deadline)
	}
	if out := w.alloc.Expire(made[1].Deadline - 1); len(out) != 0 {
		t.Errorf("expired too early: %v", brief(out))
	}
	out := w.alloc.Expire(made[1].Deadline)
	if len(out) != 1 || out[0].ID != made[1].ID || w.alloc.Outstanding() != 1 {
		t.Errorf("expired %v, %d are left; want the older one", brief(out), w.alloc.Outstanding())
	}
	if _, err := w.alloc.Take("f1", made[1].ID); err == nil {
		t.Error("an expired offer was taken")
	}
	w.now = made[1].Deadline
	w.none() // silence is a refusal, for as long as an offer lives
	w.now += 4999
	w.none()
	w.now++
	w.one("f1")
}

func TestTake_refuses(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(2, cpus(4))
	w.framework("f1", "*")
	made, _ := w.cycle()
	a, b := made[0].ID, made[1].ID
	for _, c := range []struct {
		name      string
		framework cluster.FrameworkID
		ids       []cluster.OfferID
		want      string
		left      int
	}{
		{"nothing", "f1", nil, "no offer is named", 2},
		{"unknown", "f1", []cluster.OfferID{"x"}, "is not outstanding", 2},
		{"another's", "f2", []cluster.OfferID{a}, `is not framework "f2"'s`, 2},
		{"two agents", "f1", []cluster.OfferID{a, b}, "is of agent", 0},
		{"taken before", "f1", []cluster.OfferID{a}, "is not outstanding", 0},
	} {
		got, err := w.alloc.Take(c.framework, c.ids...)
		if err == nil || !strings.Contains(err.Error(), c.want) || got != nil || w.alloc.Outstanding() != c.left {
			t.Errorf("%s: %v, error %v, %d left; want an error with %q and %d left", c.name, got, err, w.alloc.Outstanding(), c.want, c.left)
		}
	}
	w.alloc.Revive("f1")
	made, _ = w.cycle()
	if _, err := w.alloc.Take("f1", made[0].ID, made[0].ID); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("an offer named twice: %v", err)
	}
}

// TestTake_twoOffersOfOneAgent takes what was free first and what became free later together.
func TestTake_twoOffersOfOneAgent(t *testing.T) {
	w := newWorld(t, Config{})
	w.agents(1, cpus(4))
	w.framework("f1", "*")
	w.accept(w.one("f1"), cpus(1))
	first := w.one("f1")
	w.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: "t1", Agent: "a000", State: cluster.TaskFailed}})
	second := w.one("f1")
	got, err := w.alloc.Take("f1", first.ID, second.ID)
	if err != nil || len(got) != 2 || !got[0].Resources.Plus(got[1].Resources).Equal(cpus(4)) {
		t.Errorf("took %v, %v", brief(got), err)
	}
}

func TestCycle_rescinds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world)
		want   int
	}{
		{"agent unreachable", func(w *world) { w.apply(core.AgentUnreachable{Agent: "a000"}) }, 1},
		{"agent gone", func(w *world) { w.apply(core.AgentGone{Agent: "a000"}) }, 1},
		{"agent with less", func(w *world) { w.agents(1, cpus(3)) }, 1},
		{"agent elsewhere", func(w *world) {
			w.apply(core.RegisterAgent{Agent: cluster.Agent{ID: "a000", Host: "10.9.9.9", Total: cpus(4)}})
		}, 1},
		{"agent registers again as it was", func(w *world) { w.agents(1, cpus(4)) }, 0},
		{"framework away", func(w *world) { w.apply(core.DisconnectFramework{Framework: "f1"}) }, 2},
		{"framework removed", func(w *world) { w.apply(core.RemoveFramework{Framework: "f1"}) }, 2},
		{"framework leaves the role", func(w *world) { w.framework("f1", "other") }, 2},
		{"framework gets a role more", func(w *world) { w.framework("f1", "*", "other") }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.agents(2, cpus(4))
			w.framework("f1", "*")
			w.cycle()
			c.change(w)
			_, rescinded := w.cycle()
			if len(rescinded) != c.want {
				t.Errorf("rescinded %v, want %d", brief(rescinded), c.want)
			}
			if _, err := w.alloc.Take("f1", "-O1", "-O2"); c.want > 0 && err == nil {
				t.Error("a rescinded offer was taken")
			}
		})
	}
}
