package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

var config = Config{Master: []netip.Addr{master}}

// TestBuild follows a service from its spec to ready and away.
func TestBuild(t *testing.T) {
	w := newWorld(t, 2)
	w.service("kafka", 2, cluster.PortSpec{Port: 9092})
	b := NewBuilder(config)
	z := b.Build(w.view())
	vip := z.Lookup("client.kafka.vip.universe").Addrs
	if len(vip) != 1 || !DefaultRange.Contains(vip[0]) {
		t.Fatalf("virtual address: got %v, want one of %s", vip, DefaultRange)
	}
	check(t, z, map[string]string{
		"universe":                     "",
		"master.universe":              "10.0.0.1",
		"x.master.universe":            "-",
		"a1.agents.universe":           "10.0.1.1",
		"A2.Agents.Universe.":          "10.0.1.2",
		"a3.agents.universe":           "-",
		"agents.universe":              "",
		"vip.universe":                 "",
		"kafka.vip.universe":           "",
		"other.kafka.vip.universe":     "-",
		"x.client.kafka.vip.universe":  "-",
		"kafka.universe":               "",
		"_client._tcp.kafka.universe":  "",
		"_tcp.kafka.universe":          "",
		"broker-0-node.kafka.universe": "-",
		"broker-0.kafka.universe":      "-",
		"nobody.universe":              "-",
		"kafka.example.com":            "-",
		"xuniverse":                    "-",
	})
	w.launch("kafka", 0, 1, 9092)
	z = b.Build(w.view())
	check(t, z, map[string]string{
		"broker-0-node.kafka.universe":              "10.0.1.1",
		"broker-0-side.kafka.universe":              "10.0.1.1",
		"broker-0.kafka.universe":                   "10.0.1.1",
		"BROKER-0-node.Kafka.universe.":             "10.0.1.1",
		"_client._tcp.broker-0-node.kafka.universe": "broker-0-node.kafka.universe:9092",
		"_tcp.broker-0-node.kafka.universe":         "",
		"_tcp.broker-0-side.kafka.universe":         "-",
		"_client._tcp.kafka.universe":               "",
		"kafka.universe":                            "",
		"x.broker-0.kafka.universe":                 "-",
	})
	w.report("kafka/broker-0-node", cluster.TaskRunning, true)
	z = b.Build(w.view())
	check(t, z, map[string]string{"kafka.universe": ""}) // the other task of the instance is not ready
	w.report("kafka/broker-0-side", cluster.TaskRunning, true)
	w.launch("kafka", 1, 2, 9093)
	w.up("kafka", 1)
	z = b.Build(w.view())
	check(t, z, map[string]string{
		"kafka.universe":              "10.0.1.1 10.0.1.2",
		"_client._tcp.kafka.universe": "broker-0-node.kafka.universe:9092 broker-1-node.kafka.universe:9093",
		"client.kafka.vip.universe":   vip[0].String(),
	})
	e := z.Service("kafka").Endpoints[0]
	if e.VIP != netip.AddrPortFrom(vip[0], 9092) {
		t.Errorf("virtual address with its port: got %s", e.VIP)
	}
	want := []Backend{{"broker-0", netip.MustParseAddrPort("10.0.1.1:9092")}, {"broker-1", netip.MustParseAddrPort("10.0.1.2:9093")}}
	if got := z.Service("kafka").Backends("client"); !slices.Equal(got, want) {
		t.Errorf("backends: got %v, want %v", got, want)
	}
	w.apply(core.KillTask{Task: w.tasks["kafka/broker-0-node"].Spec.ID})
	check(t, b.Build(w.view()), map[string]string{"kafka.universe": "10.0.1.2", "broker-0.kafka.universe": "10.0.1.1"})
	w.report("kafka/broker-0-node", cluster.TaskKilled, false)
	w.report("kafka/broker-0-side", cluster.TaskFailed, false)
	check(t, b.Build(w.view()), map[string]string{"kafka.universe": "10.0.1.2", "broker-0.kafka.universe": "-"})
}

// TestBuild_places names an instance before it is launched, and after it ended.
func TestBuild_places(t *testing.T) {
	w := newWorld(t, 2)
	w.service("kafka", 2, cluster.PortSpec{})
	places := map[string]*cluster.Place{
		"broker-1": {Agent: "a2", Host: "10.0.1.2", Ports: map[string]uint16{"client": 31007}},
		"broker-7": {Agent: "a2", Host: "10.0.1.2"}, // not of the spec any more
		"gone-0":   {Agent: "a2", Host: "10.0.1.2"},
	}
	zone := func() *Zone {
		r := *w.view().Service("kafka")
		r.Places = places
		var active []*cluster.Task
		for task := range w.view().ServiceTasks("kafka") {
			if task.Active() {
				active = append(active, task)
			}
		}
		z, err := new(Zone).Apply(Update{Index: 1, Services: []*Service{NewBuilder(config).part(&r, active)}})
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	before := map[string]string{
		"broker-1.kafka.universe":                   "10.0.1.2",
		"broker-1-side.kafka.universe":              "10.0.1.2",
		"_client._tcp.broker-1-node.kafka.universe": "broker-1-node.kafka.universe:31007",
		"broker-0.kafka.universe":                   "-",
		"broker-7.kafka.universe":                   "-",
		"gone-0.kafka.universe":                     "-",
		"kafka.universe":                            "",
	}
	check(t, zone(), before)
	// Its tasks on the agent of before have no say once it has another place.
	places["broker-1"].Agent = "a1"
	w.launch("kafka", 1, 2, 31009)
	w.up("kafka", 1)
	check(t, zone(), before)
	w.report("kafka/broker-1-node", cluster.TaskFailed, false)
	w.report("kafka/broker-1-side", cluster.TaskFailed, false)
	places["broker-1"].Agent = "a2"
	w.launch("kafka", 1, 2, 31007)
	w.up("kafka", 1)
	check(t, zone(), map[string]string{"kafka.universe": "10.0.1.2", "_client._tcp.kafka.universe": "broker-1-node.kafka.universe:31007"})
	w.report("kafka/broker-1-node", cluster.TaskFailed, false)
	w.report("kafka/broker-1-side", cluster.TaskFailed, false)
	check(t, zone(), before)
}

// TestBuild_moved has an instance on an agent that is silent, and again elsewhere.
func TestBuild_moved(t *testing.T) {
	w := newWorld(t, 2)
	w.service("kafka", 1, cluster.PortSpec{})
	w.launch("kafka", 0, 1, 31000)
	w.up("kafka", 0)
	b := NewBuilder(config)
	check(t, b.Build(w.view()), map[string]string{"kafka.universe": "10.0.1.1"})
	w.apply(core.AgentUnreachable{Agent: "a1"})
	check(t, b.Build(w.view()), map[string]string{"kafka.universe": "", "broker-0.kafka.universe": "10.0.1.1"})
	w.launch("kafka", 0, 2, 31001)
	check(t, b.Build(w.view()), map[string]string{"kafka.universe": "", "broker-0.kafka.universe": "10.0.1.2"})
	w.up("kafka", 0)
	check(t, b.Build(w.view()), map[string]string{"kafka.universe": "10.0.1.2",
		"_client._tcp.broker-0-node.kafka.universe": "broker-0-node.kafka.universe:31001"})
}

// TestBetter orders the tasks of one instance: each is better than those after it.
func TestBetter(t *testing.T) {
	task := func(id string, state cluster.TaskState, killing bool, launched cluster.Time) *cluster.Task {
		return &cluster.Task{Spec: cluster.TaskSpec{ID: cluster.TaskID(id)}, Status: cluster.TaskStatus{State: state}, Killing: killing, Launched: launched}
	}
	order := []*cluster.Task{
		task("b", cluster.TaskRunning, false, 5),
		task("a", cluster.TaskStaging, false, 4),
		task("c", cluster.TaskStaging, false, 4),
		task("a", cluster.TaskRunning, true, 9),
		task("a", cluster.TaskUnreachable, false, 10),
		task("a", cluster.TaskUnreachable, true, 11),
	}
	for i, a := range order {
		for j, b := range order {
			if got := better(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%d and %d: got %d", i, j, got)
			}
		}
	}
}

// TestBuild_collision has two endpoints with one hash: the older has its
// address, and the younger the next, whatever they are called. The younger
// keeps it when the older goes.
func TestBuild_collision(t *testing.T) {
	r := netip.MustParsePrefix("10.9.0.0/23")
	size := newAddresses(r).size
	first := map[uint32]string{}
	var older, younger string
	for i := 0; older == ""; i++ {
		id := fmt.Sprintf("s%04d", i)
		n := hash(vipName(cluster.ServiceID(id), "client")) % size
		if younger = first[n]; younger != "" {
			older = id // the one whose name comes later
		}
		first[n] = id
	}
	w := newWorld(t, 0)
	w.service(older, 1, cluster.PortSpec{})
	w.service(younger, 1, cluster.PortSpec{})
	cfg := Config{Range: r}
	b := NewBuilder(cfg)
	vip := func(z *Zone, id string) uint32 {
		a := z.Service(cluster.ServiceID(id)).Endpoints[0].VIP.Addr()
		for n := range size {
			if nth(r, firstEndpoint+n) == a {
				return n
			}
		}
		t.Fatalf("%s has %s", id, a)
		return 0
	}
	z := b.Build(w.view())
	home := hash(vipName(cluster.ServiceID(older), "client")) % size
	if a, b := vip(z, older), vip(z, younger); a != home || b != (home+1)%size {
		t.Errorf("older %d, younger %d, want %d and the next", a, b, home)
	}
	w.apply(core.RemoveService{Service: cluster.ServiceID(older)})
	w.apply(core.ForgetService{Service: cluster.ServiceID(older)})
	if a := vip(b.Build(w.view()), younger); a != (home+1)%size {
		t.Errorf("the younger moved to %d", a)
	}
}

// TestBuild_odd has hosts and services that cannot be named.
func TestBuild_odd(t *testing.T) {
	w := newWorld(t, 0)
	w.agent(1, "node.example.com")
	w.agent(2, "fd00::2")
	w.agent(3, "::ffff:10.0.1.3")
	w.service("master", 1, cluster.PortSpec{})
	w.service("vip", 1, cluster.PortSpec{})
	w.service("web", 3, cluster.PortSpec{})
	for i := range 3 {
		w.launch("web", i, i+1, 31000)
		w.up("web", i)
	}
	z := Build(w.view(), config)
	check(t, z, map[string]string{
		"a1.agents.universe":    "-",
		"a2.agents.universe":    "fd00::2",
		"master.universe":       "10.0.0.1",
		"client.vip.universe":   "-",
		"web.universe":          "fd00::2 10.0.1.3",
		"broker-0.web.universe": "-",
	})
	if len(z.Services()) != 1 {
		t.Errorf("%d services have names, want web alone", len(z.Services()))
	}
}

// TestBuilder_same gives the very zone of before where nothing of it changed.
func TestBuilder_same(t *testing.T) {
	w := newWorld(t, 2)
	w.service("a", 1, cluster.PortSpec{})
	w.service("b", 1, cluster.PortSpec{})
	w.launch("a", 0, 1, 31000)
	b := NewBuilder(config)
	z := b.Build(w.view())
	same := func(what string) {
		t.Helper()
		if next := b.Build(w.view()); next != z {
			t.Errorf("%s: another zone, of index %d after %d", what, next.Index(), z.Index())
		}
	}
	same("nothing")
	w.report("a/broker-0-node", cluster.TaskStarting, false)
	same("a task starts")
	w.report("a/broker-0-node", cluster.TaskRunning, true)
	same("one task of two is ready")
	w.service("b", 2, cluster.PortSpec{})
	same("another count")
	old := z
	w.report("a/broker-0-side", cluster.TaskRunning, true)
	z = b.Build(w.view())
	if z == old || z.Index() != w.view().Index() {
		t.Errorf("an instance is ready: index %d, want %d", z.Index(), w.view().Index())
	}
	if z.Service("b") != old.Service("b") || z.Nodes() != old.Nodes() {
		t.Error("what did not change is made anew")
	}
	check(t, old, map[string]string{"a.universe": ""}) // who has a zone may keep it
}

func TestVIPPort(t *testing.T) {
	for _, c := range []struct {
		port   cluster.PortSpec
		scheme string
		want   uint16
	}{
		{cluster.PortSpec{Port: 9092, Listen: 5}, "", 9092},
		{cluster.PortSpec{Listen: 8080}, "https", 8080},
		{cluster.PortSpec{}, "https", 443},
		{cluster.PortSpec{}, "spark", 80},
	} {
		c.port.Name = "p"
		spec := cluster.ServiceSpec{Pods: []cluster.PodSpec{{Name: "x"}, {Name: "w", Tasks: []cluster.TaskTemplate{{Name: "t", Ports: []cluster.PortSpec{{Name: "o", Port: 1}, c.port}}}}}}
		if got := vipPort(&spec, cluster.Endpoint{Pod: "w", Task: "t", Port: "p", Scheme: c.scheme}); got != c.want {
			t.Errorf("%+v, scheme %q: got %d, want %d", c.port, c.scheme, got, c.want)
		}
	}
}

// TestAddresses has endpoints in a range that is nearly full: no two have one
// address, nobody's changes while it lives, and all are in the range.
func TestAddresses(t *testing.T) {
	r := netip.MustParsePrefix("10.9.0.0/23")
	rapid.Check(t, func(t *rapid.T) {
		a := newAddresses(r)
		last := map[string]netip.AddrPort{}
		for range 4 {
			n := rapid.IntRange(0, 255).Draw(t, "n")
			from := rapid.IntRange(0, 300).Draw(t, "from")
			var wanted []string
			for i := range n {
				wanted = append(wanted, fmt.Sprintf("e%d", from+i))
			}
			a.settle(wanted)
			now := map[string]netip.AddrPort{}
			seen := map[netip.AddrPort]string{}
			for _, w := range wanted {
				at := a.of(w, 80)
				if !at.IsValid() || !r.Contains(at.Addr()) || at.Addr() == NameserverAddr(r) || seen[at] != "" {
					t.Fatalf("%s has %s, as %q", w, at, seen[at])
				}
				if old, had := last[w]; had && old != at {
					t.Fatalf("%s had %s and has %s", w, old, at)
				}
				now[w], seen[at] = at, w
			}
			last = now
		}
		a.settle(nil)
		if len(a.taken) != 0 || a.of("e1", 80).IsValid() {
			t.Fatalf("left: %v", a.taken)
		}
	})
	small := newAddresses(netip.MustParsePrefix("10.9.0.0/24"))
	small.settle([]string{"a"})
	if small.of("a", 1).IsValid() {
		t.Error("a range that is too small gives an address")
	}
}

// TestBuild_deterministic makes the zone of one view twice, and by steps: the
// same text.
func TestBuild_deterministic(t *testing.T) {
	w := newWorld(t, 3)
	b := NewBuilder(config)
	for i := range 20 {
		id := fmt.Sprintf("s%d", i%7)
		w.service(id, 2+i/7, cluster.PortSpec{})
		w.launch(id, i/7, 1+i%3, uint16(31000+i))
		if i%2 == 0 {
			w.up(id, i/7)
		}
		b.Build(w.view())
	}
	steps := b.Build(w.view())
	one, other := Build(w.view(), config), Build(w.view(), config)
	text := func(z *Zone) string { return contents(t, z) }
	if text(one) != text(other) {
		t.Errorf("twice: %s\nthen %s", text(one), text(other))
	}
	if text(one) != text(steps) {
		t.Errorf("at once: %s\nby steps: %s", text(one), text(steps))
	}
}
