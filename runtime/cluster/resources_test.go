package cluster_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// The model of a set of ports is a set of numbers around the two ends of what
// a port can be.
var modelPorts = []uint16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65530, 65531, 65532, 65533, 65534, 65535}

var ranges = rapid.Custom(func(r *rapid.T) cluster.PortRange {
	p := rapid.SampledFrom(modelPorts)
	return cluster.PortRange{Lo: p.Draw(r, "lo"), Hi: p.Draw(r, "hi")}
})

// drawPorts gives a set and its model.
func drawPorts(r *rapid.T, name string) (cluster.Ports, map[uint16]bool) {
	rs := rapid.SliceOfN(ranges, 0, 6).Draw(r, name)
	model := map[uint16]bool{}
	for _, p := range modelPorts {
		for _, rg := range rs {
			if rg.Lo <= p && p <= rg.Hi {
				model[p] = true
			}
		}
	}
	return cluster.NewPorts(rs...), model
}

// has verifies a set against its model and that it is canonical.
func has(r *rapid.T, what string, p cluster.Ports, model map[uint16]bool) {
	for _, n := range modelPorts {
		if p.Contains(cluster.Port(n)) != model[n] {
			r.Fatalf("%s is %s: it holds %d: %t, want %t", what, p, n, !model[n], model[n])
		}
	}
	for i, rg := range p {
		if rg.Lo > rg.Hi || i > 0 && int(rg.Lo) <= int(p[i-1].Hi)+1 {
			r.Fatalf("%s is %s, not canonical", what, p)
		}
	}
}

func TestPorts_asSets(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, am := drawPorts(r, "a")
		b, bm := drawPorts(r, "b")
		has(r, "a", a, am)
		has(r, "b", b, bm)
		union, minus, inside := map[uint16]bool{}, map[uint16]bool{}, true
		for _, n := range modelPorts {
			union[n] = am[n] || bm[n]
			minus[n] = am[n] && !bm[n]
			inside = inside && (am[n] || !bm[n])
		}
		before := a.String() + b.String()
		has(r, "union", a.Union(b), union)
		has(r, "minus", a.Minus(b), minus)
		if a.String()+b.String() != before {
			r.Fatalf("the operands changed: %s, now %s%s", before, a, b)
		}
		// The ports between 9 and 65530 are in a set all or none, through one range.
		inside = inside && (middle(a) || !middle(b))
		if inside != a.Contains(b) {
			r.Fatalf("%s contains %s: %t, want %t", a, b, a.Contains(b), inside)
		}
		if both := a.Union(b); !both.Contains(a) || !both.Contains(b) || !both.Minus(b).Union(b).Contains(a) {
			r.Fatalf("%s and %s: their union is %s", a, b, both)
		}
		if n := a.Minus(b).Len() + b.Len(); n != a.Union(b).Len() {
			r.Fatalf("%s and %s: %d ports together, want %d", a, b, a.Union(b).Len(), n)
		}
	})
}

// middle reports whether a set holds ports the model does not name.
func middle(p cluster.Ports) bool { return p.Contains(cluster.Port(1000)) }

func TestPorts_bounds(t *testing.T) {
	all := cluster.NewPorts(cluster.PortRange{Lo: 0, Hi: 65535})
	for _, c := range []struct {
		got  cluster.Ports
		want string
		size int
	}{
		{nil, "[]", 0},
		{cluster.NewPorts(cluster.PortRange{Lo: 2, Hi: 1}), "[]", 0},
		{all, "[0-65535]", 65536},
		{all.Minus(cluster.Port(65535)), "[0-65534]", 65535},
		{all.Minus(cluster.Port(0)), "[1-65535]", 65535},
		{all.Minus(all), "[]", 0},
		{cluster.Port(65535).Union(cluster.Port(65534)), "[65534-65535]", 2},
		{cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000}, cluster.PortRange{Lo: 8080, Hi: 8080}), "[8080,31000-32000]", 1002},
	} {
		if c.got.String() != c.want || c.got.Len() != c.size {
			t.Errorf("%s with %d ports, want %s with %d", c.got, c.got.Len(), c.want, c.size)
		}
	}
	if all.Contains(nil) != true || cluster.Ports(nil).Contains(cluster.Port(1)) || !cluster.Ports(nil).Contains(nil) {
		t.Error("the empty set is in every set, and holds nothing but itself")
	}
}

// TestPorts_withoutAllocation sees that what changes nothing copies nothing.
func TestPorts_withoutAllocation(t *testing.T) {
	p := cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})
	have := cluster.Resources{CPU: 1000, Mem: 1 << 30, Ports: p}
	need := cluster.Resources{CPU: 500, Mem: 1 << 20, Ports: cluster.Ports{{Lo: 31005, Hi: 31006}}}
	n := testing.AllocsPerRun(100, func() {
		if p.Union(nil).Len()+p.Minus(nil).Len() != 2002 || cluster.Fits(have, need) != nil {
			t.Error("wrong result")
		}
	})
	if n != 0 {
		t.Errorf("%.0f allocations, want none", n)
	}
}

func drawResources(r *rapid.T, name string) cluster.Resources {
	n := rapid.Int64Range(0, 3)
	p, _ := drawPorts(r, name+" ports")
	return cluster.Resources{CPU: n.Draw(r, name+" cpu"), Mem: n.Draw(r, name+" mem"), Disk: n.Draw(r, name+" disk"), Ports: p}
}

func TestFits_properties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		have, need, more := drawResources(r, "have"), drawResources(r, "need"), drawResources(r, "more")
		short := cluster.Fits(have, need)
		want := need.CPU <= have.CPU && need.Mem <= have.Mem && need.Disk <= have.Disk && have.Ports.Contains(need.Ports)
		if (short == nil) != want {
			r.Fatalf("%s in %s: %v, want fitting: %t", need, have, short, want)
		}
		if short == nil {
			left := have.Minus(need)
			if left.CPU < 0 || left.Mem < 0 || left.Disk < 0 || !left.Plus(need).Equal(have) {
				r.Fatalf("%s without %s is %s", have, need, left)
			}
			if cluster.Fits(have.Plus(more), need) != nil {
				r.Fatalf("%s fits into %s, and not with %s more", need, have, more)
			}
		}
		if cluster.Fits(have, cluster.Resources{}) != nil || cluster.Fits(have, have) != nil {
			r.Fatalf("nothing, and all, must fit into %s", have)
		}
		if !have.Plus(more).Minus(more).Equal(cluster.Resources{CPU: have.CPU, Mem: have.Mem, Disk: have.Disk, Ports: have.Ports.Minus(more.Ports)}) {
			r.Fatalf("%s and %s more, less again, is %s", have, more, have.Plus(more).Minus(more))
		}
		seen := map[string]bool{}
		for _, s := range short {
			if seen[s.Resource] || s.Have == s.Need {
				r.Fatalf("shortfalls %v", short)
			}
			seen[s.Resource] = true
		}
	})
}

func TestFits_saysWhatIsMissing(t *testing.T) {
	have := cluster.Resources{CPU: 1500, Mem: 512 << 20, Disk: 1 << 30, Ports: cluster.Port(8080)}
	need := cluster.Resources{CPU: 2000, Mem: 2 << 30, Disk: 3 << 29, Ports: cluster.Port(8081)}
	var got []string
	for _, s := range cluster.Fits(have, need) {
		got = append(got, s.String())
	}
	want := []string{"cpus: needs 2, has 1.5", "mem: needs 2 GiB, has 512 MiB", "disk: needs 1.5 GiB, has 1 GiB", "ports: needs [8081], has [8080]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shortfalls (-want +got):\n%s", diff)
	}
}

func TestResources_text(t *testing.T) {
	for _, c := range []struct {
		r    cluster.Resources
		want string
	}{
		{cluster.Resources{}, "0 cpus, 0 B mem"},
		{cluster.Resources{CPU: 1500, Mem: 512 << 20, Ports: cluster.Port(8080)}, "1.5 cpus, 512 MiB mem, ports [8080]"},
		{cluster.Resources{CPU: 1, Mem: 1023, Disk: 1 << 60}, "0.001 cpus, 1023 B mem, 1 EiB disk"},
		{cluster.Resources{Mem: -1 << 30}, "0 cpus, -1 GiB mem"},
	} {
		if got := c.r.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestResources_json(t *testing.T) {
	r := cluster.Resources{CPU: 1500, Mem: 1 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 1, Hi: 2}, cluster.PortRange{Lo: 9, Hi: 9})}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"cpu_milli":1500,"mem_bytes":1073741824,"ports":[{"lo":1,"hi":2},{"lo":9,"hi":9}]}`; string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
	var back cluster.Resources
	if err := json.Unmarshal(data, &back); err != nil || !back.Equal(r) {
		t.Errorf("back: %v, %v", back, err)
	}
	if r.IsZero() || !(cluster.Resources{}).IsZero() || r.Equal(cluster.Resources{CPU: 1500, Mem: 1 << 30}) {
		t.Error("IsZero or Equal is wrong")
	}
}
