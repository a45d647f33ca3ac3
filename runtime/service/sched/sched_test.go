package sched

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func task(name string, ports ...cluster.PortSpec) cluster.TaskTemplate {
	return cluster.TaskTemplate{Name: name, Resources: cluster.Resources{CPU: 100}, Ports: ports}
}

// TestAssign_givesWhatIsFree checks that Assign succeeds exactly when Missing
// finds nothing, and gives each port once and out of what is free.
func TestAssign_givesWhatIsFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ranges []cluster.PortRange
		for range rapid.IntRange(0, 4).Draw(t, "ranges") {
			lo := rapid.Uint16Range(30990, 32010).Draw(t, "lo")
			ranges = append(ranges, cluster.PortRange{Lo: lo, Hi: lo + rapid.Uint16Range(0, 3).Draw(t, "size")})
		}
		free := cluster.NewPorts(ranges...)
		var tasks []cluster.TaskTemplate
		numbers := map[uint16]bool{}
		for i := range rapid.IntRange(1, 3).Draw(t, "tasks") {
			var ports []cluster.PortSpec
			for j := range rapid.IntRange(0, 3).Draw(t, "ports") {
				p := cluster.PortSpec{Name: string(rune('a' + 3*i + j))}
				if n := rapid.Uint16Range(30990, 32010).Draw(t, "number"); rapid.Bool().Draw(t, "fixed") && !numbers[n] {
					p.Port, numbers[n] = n, true
				}
				ports = append(ports, p)
			}
			tasks = append(tasks, task(string(rune('a'+i)), ports...))
		}
		claims, ok := Assign(free, tasks, rapid.Uint64().Draw(t, "seed"))
		missing := NeedOf(tasks).Missing(cluster.Resources{CPU: 1000, Ports: free})
		if ok != (missing == nil) {
			t.Fatalf("Assign says %t, Missing says %v", ok, missing)
		}
		if !ok {
			return
		}
		used := map[uint16]bool{}
		for i, c := range claims {
			if len(c.Ports) != len(tasks[i].Ports) || c.Resources.Ports.Len() != len(c.Ports) {
				t.Fatalf("task %d: %d ports wanted, got %v as %s", i, len(tasks[i].Ports), c.Ports, c.Resources.Ports)
			}
			for _, p := range tasks[i].Ports {
				got := c.Ports[p.Name]
				if p.Port != 0 && got != p.Port || used[got] || !free.Contains(cluster.Port(got)) || !c.Resources.Ports.Contains(cluster.Port(got)) {
					t.Fatalf("port %s: wanted %d, got %d of %s", p.Name, p.Port, got, free)
				}
				used[got] = true
			}
		}
	})
}

func TestAssign_leavesNumberedPortsAlone(t *testing.T) {
	free := cluster.NewPorts(cluster.PortRange{Lo: 8000, Hi: 8100}, cluster.PortRange{Lo: 31000, Hi: 31001})
	for seed := range uint64(50) {
		claims, ok := Assign(free, []cluster.TaskTemplate{task("t", cluster.PortSpec{Name: "a"}, cluster.PortSpec{Name: "b"})}, seed)
		if !ok || claims[0].Ports["a"] < DynamicPortLo || claims[0].Ports["b"] < DynamicPortLo {
			t.Fatalf("seed %d: %v, %t: ports of the dynamic range were free", seed, claims, ok)
		}
	}
	claims, ok := Assign(free, []cluster.TaskTemplate{task("t", cluster.PortSpec{Name: "a"}, cluster.PortSpec{Name: "b"}, cluster.PortSpec{Name: "c"})}, 1)
	if !ok || len(claims[0].Ports) != 3 {
		t.Errorf("three ports of 103: %v, %t", claims, ok)
	}
}

func TestRooms_joinOffersOfOneAgentAndRole(t *testing.T) {
	offer := func(id, agent, role string, cpu int64) cluster.Offer {
		return cluster.Offer{ID: cluster.OfferID(id), Agent: cluster.Agent{ID: cluster.AgentID(agent)}, Role: cluster.Role(role), Resources: cluster.Resources{CPU: cpu}}
	}
	state := core.New()
	state.Apply(0, core.RegisterAgent{Agent: cluster.Agent{ID: "a"}})
	rooms := Rooms(state.View(), []cluster.Offer{offer("3", "b", "*", 1), offer("2", "a", "*", 2), offer("1", "a", "*", 4), offer("4", "a", "x", 8)})
	rooms[0].Put([]cluster.TaskSpec{{ID: "t", Resources: cluster.Resources{CPU: 5}}})
	got := Answer(rooms, []cluster.Role{"x"})
	want := []Call{
		Accept{Offers: []cluster.OfferID{"1", "2"}, Tasks: []cluster.TaskSpec{{ID: "t", Resources: cluster.Resources{CPU: 5}}}},
		Decline{Offer: "4", RefuseFor: RefuseShort},
		Decline{Offer: "3", RefuseFor: RefuseIdle},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answers (-want +got):\n%s", d)
	}
	if rooms[0].Free.Open.CPU != 1 {
		t.Errorf("%d of 6 are left after a task of 5", rooms[0].Free.Open.CPU)
	}
}

// TestRoom_claimsReservationsFirst checks that what Missing finds to fit can be
// claimed, task by task, and that each claim is covered by what it names.
func TestRoom_claimsReservationsFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := func(name string) cluster.Resources {
			return cluster.Resources{CPU: rapid.Int64Range(0, 4).Draw(t, name+" cpu"), Mem: rapid.Int64Range(0, 4).Draw(t, name+" mem")}
		}
		wide := cluster.Stack{{Role: "eng"}}
		room := Room{Agent: &cluster.Agent{ID: "a"}, Role: "eng/web", Free: cluster.Pool{Open: amount("open"), Reserved: cluster.NewReserves(
			cluster.Reserved{Stack: wide, Resources: amount("wide")},
			cluster.Reserved{Stack: append(wide[:1:1], cluster.Reservation{Role: "eng/web"}), Resources: amount("narrow"), Volumes: []cluster.Volume{{ID: "v", Size: 9}}},
			cluster.Reserved{Stack: cluster.Stack{{Role: "ops"}}, Resources: amount("others'")})}}
		before := room.Free
		var tasks []cluster.TaskTemplate
		for range rapid.IntRange(1, 3).Draw(t, "tasks") {
			tasks = append(tasks, cluster.TaskTemplate{Resources: amount("task")})
		}
		claims, ok := room.Claim(tasks, 0)
		if missing := NeedOf(tasks).Missing(room.Usable()); ok != (missing == nil) {
			t.Fatalf("Claim says %t, Missing says %v", ok, missing)
		}
		var specs []cluster.TaskSpec
		for i := range claims {
			if d := cmp.Diff(tasks[i].Resources, claims[i].Pool().Flat()); d != "" {
				t.Fatalf("task %d (-asked +got):\n%s", i, d)
			}
			specs = append(specs, cluster.TaskSpec{Resources: claims[i].Resources, Reserved: claims[i].Reserved})
		}
		room.Put(specs)
		if short := room.Free.Missing(cluster.Pool{}); short != nil {
			t.Fatalf("overdrawn: %v", short)
		}
		narrow := room.Free.Reserved.Of(append(wide[:1:1], cluster.Reservation{Role: "eng/web"}))
		if ok && (narrow.Resources.CPU > 0 && room.Free.Open.CPU != before.Open.CPU || len(narrow.Volumes) != 1) {
			t.Fatalf("open CPUs are used, and narrow ones are left, or the volume is gone: %+v", room.Free)
		}
	})
}

func TestNetwork_mapsAllPortsOfAGroup(t *testing.T) {
	tasks := []cluster.TaskTemplate{task("a", cluster.PortSpec{Name: "x", Listen: 80}, cluster.PortSpec{Name: "y"}), task("b"), task("c", cluster.PortSpec{Name: "z", Port: 53, Listen: 5353})}
	claims := []Claim{{Ports: map[string]uint16{"x": 31001, "y": 31000}}, {}, {Ports: map[string]uint16{"z": 53}}}
	n, listen := Network("bridge", tasks, claims)
	want := &cluster.Network{Name: "bridge", Ports: []cluster.PortMapping{{Host: 53, Container: 5353}, {Host: 31000, Container: 31000}, {Host: 31001, Container: 80}}}
	if d := cmp.Diff(want, n); d != "" {
		t.Errorf("network (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]map[string]uint16{{"x": 80, "y": 31000}, nil, {"z": 5353}}, listen); d != "" {
		t.Errorf("ports to listen on (-want +got):\n%s", d)
	}
	if n, listen := Network("", tasks, claims); n != nil || len(listen) != 3 || listen[0] != nil {
		t.Errorf("without a name: %v, %v", n, listen)
	}
}

func TestTemplateHash_followsTheNetwork(t *testing.T) {
	tasks := []cluster.TaskTemplate{task("t")}
	if TemplateHash(tasks, "") == TemplateHash(tasks, "bridge") {
		t.Error("another network does not change the hash")
	}
}

func TestExpand(t *testing.T) {
	pods := Lookup{
		Pod: func(pod string, index int) (Place, bool) {
			if pod == "later" {
				return Place{Ports: map[string]uint16{"fixed": 2181}}, false
			}
			return Place{Host: "10.0.0.9", Ports: map[string]uint16{"rpc": 7077}}, pod == "master" && index == 0
		},
		Service: func(r cluster.Ref) (string, bool) { return "zk-0:2181", r.Service == "zk" },
	}
	self := Self{Task: "s.worker-2.w.1", Pod: "worker", Index: 2, Host: "10.0.0.2", Hostname: "n2", Ports: map[string]uint16{"ui": 8081}}
	for _, tc := range []struct{ in, want string }{
		{"${self.host} ${self.hostname} ${self.index} ${self.task} ${self.ports.ui}", "10.0.0.2 n2 2 s.worker-2.w.1 8081"},
		{"spark://${pods.master[0].host}:${pods.master[0].ports.rpc}", "spark://10.0.0.9:7077"},
		{"${pods.worker[2].host}:${pods.worker[2].ports.ui}", "10.0.0.2:8081"},
		{"${self.index + 3}", "5"},
		{"${pods.later[0].ports.fixed}", "2181"},
		{"${services.zk.endpoints.client}", "zk-0:2181"},
		{"$${HOME}", "${HOME}"},
	} {
		c, err := Expand(cluster.Container{Command: []string{tc.in}}, self, pods)
		if err != nil || c.Command[0] != tc.want {
			t.Errorf("%s gives %q, %v; want %q", tc.in, c.Command, err, tc.want)
		}
	}
	for _, in := range []string{"${pods.master[1].host}", "${pods.later[0].ports.x}", "${pods.later[0].host}", "${services.other.exports.x}"} {
		if _, err := Expand(cluster.Container{Command: []string{in}}, self, pods); !errors.Is(err, ErrNoPlace) {
			t.Errorf("%s, which has no place: %v", in, err)
		}
	}
	for _, in := range []string{"${self.ports.x}", "${pods.master[0].ports.x}", "${nonsense}"} {
		if _, err := Expand(cluster.Container{Command: []string{in}}, self, pods); err == nil || errors.Is(err, ErrNoPlace) {
			t.Errorf("%s gives %v: waiting cannot help", in, err)
		}
	}
}

func TestHash_followsTemplateAndAddresses(t *testing.T) {
	a, b := []cluster.TaskTemplate{task("t")}, []cluster.TaskTemplate{task("t")}
	if TemplateHash(a, "") != TemplateHash(b, "") {
		t.Error("equal templates have different hashes")
	}
	b[0].Container.Env = map[string]string{"K": "V"}
	if TemplateHash(a, "") == TemplateHash(b, "") {
		t.Error("a change in the environment does not change the hash")
	}
	h := TemplateHash(a, "")
	if template, refs := SplitHash(WithRefs(h, nil)); template != h || refs != "" {
		t.Errorf("without references: %q, %q", template, refs)
	}
	template, refs := SplitHash(WithRefs(h, []string{"10.0.0.1", "7077"}))
	_, moved := SplitHash(WithRefs(h, []string{"10.0.0.2", "7077"}))
	if template != h || refs == "" || refs == moved {
		t.Errorf("with references: %q, %q, and %q after a move", template, refs, moved)
	}
}

func TestTaskID_tellsLaunchesApart(t *testing.T) {
	id := TaskID("spark", "worker-0", "worker", Suffix(46655))
	if id != "spark.worker-0.worker.zzz" || LaunchOf(id) != "zzz" {
		t.Errorf("id %q, launch %q", id, LaunchOf(id))
	}
}

func TestWant_isAboutWhatIsWanted(t *testing.T) {
	var a, b, c Result
	a.Want("*", "x")
	a.Want("dev", "y")
	b.Want("*", "x")
	b.Want("dev", "y")
	c.Want("*", "x")
	if d := cmp.Diff([]cluster.Role{"*", "dev"}, a.Wanted); d != "" {
		t.Errorf("wanted roles (-want +got):\n%s", d)
	}
	if a.Demand != b.Demand || a.Demand == c.Demand || a.Demand == 0 {
		t.Errorf("demands %d, %d, %d", a.Demand, b.Demand, c.Demand)
	}
}
