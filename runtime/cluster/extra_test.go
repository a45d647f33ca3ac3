package cluster_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// amounts draws valid resources over few names and numbers, so that they meet.
var amounts = rapid.Custom(func(r *rapid.T) cluster.Resources {
	n := rapid.Int64Range(0, 5)
	out := cluster.Resources{CPU: n.Draw(r, "cpu"), Mem: n.Draw(r, "mem"), Disk: n.Draw(r, "disk"), GPUs: n.Draw(r, "gpus")}
	ports, _ := drawPorts(r, "ports")
	out.Ports = ports.Minus(cluster.Port(0))
	var extra []cluster.Named
	for _, name := range []string{"lanes", "keys", "tokens"} {
		switch x := (cluster.Named{Name: name}); name {
		case "tokens":
			x.Milli = n.Draw(r, name)
			extra = append(extra, x)
		case "lanes":
			lo := rapid.SliceOfN(rapid.Int64Range(0, 8), 0, 3).Draw(r, name)
			for _, l := range lo {
				x.Ranges = append(x.Ranges, cluster.Range{Lo: l, Hi: l + n.Draw(r, "length") - 1})
			}
			extra = append(extra, x)
		default:
			x.Items = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 4).Draw(r, name)
			extra = append(extra, x)
		}
	}
	out.Extra = cluster.NewExtra(extra...)
	return out
})

func TestResources_algebra(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a, b := amounts.Draw(r, "a"), amounts.Draw(r, "b")
		for _, x := range []cluster.Resources{a, b, a.Plus(b)} {
			if err := x.Validate(); err != nil {
				r.Fatalf("%s: %v", x, err)
			}
			if cluster.Fits(x, x) != nil || !x.Equal(x) || !x.Minus(x).IsZero() {
				r.Fatalf("%s does not fit into itself, or leaves %s", x, x.Minus(x))
			}
		}
		if sum := a.Plus(b); cluster.Fits(sum, a) != nil || cluster.Fits(sum, b) != nil || !sum.Equal(b.Plus(a)) {
			r.Fatalf("%s and %s are %s", a, b, sum)
		}
		if !a.Overlaps(b) {
			if back := a.Plus(b).Minus(b); !back.Equal(a) {
				r.Fatalf("%s with and without %s is %s", a, b, back)
			}
		}
		if cluster.Fits(a, b) == nil {
			left := a.Minus(b)
			if err := left.Validate(); err != nil || !left.Plus(b).Equal(a) || left.Overlaps(b) {
				r.Fatalf("%s without %s is %s: %v", a, b, left, err)
			}
		} else if len(cluster.Fits(a, b)) == 0 || a.Equal(b) {
			r.Fatalf("%s does not fit into %s, and nothing is missing", b, a)
		}
		data, err := json.Marshal(a)
		var back cluster.Resources
		if err == nil {
			err = json.Unmarshal(data, &back)
		}
		if err != nil || !back.Equal(a) {
			r.Fatalf("%s comes back from JSON as %s: %v", a, back, err)
		}
	})
}

func TestFits_extra(t *testing.T) {
	have := cluster.Resources{GPUs: 1, Extra: cluster.NewExtra(cluster.Named{Name: "tokens", Milli: 1500},
		cluster.Named{Name: "keys", Items: []string{"b", "a"}}, cluster.Named{Name: "lanes", Ranges: []cluster.Range{{Lo: 1, Hi: 4}}})}
	need := cluster.Resources{GPUs: 2, Extra: cluster.NewExtra(cluster.Named{Name: "tokens", Milli: 1501}, cluster.Named{Name: "keys", Items: []string{"c"}},
		cluster.Named{Name: "lanes", Ranges: []cluster.Range{{Lo: 4, Hi: 5}}}, cluster.Named{Name: "none", Milli: 1})}
	want := []cluster.Shortfall{{Resource: "gpus", Have: "1", Need: "2"}, {Resource: "keys", Have: "{a,b}", Need: "{c}"},
		{Resource: "lanes", Have: "[1-4]", Need: "[4-5]"}, {Resource: "none", Have: "0", Need: "0.001"}, {Resource: "tokens", Have: "1.5", Need: "1.501"}}
	if diff := cmp.Diff(want, cluster.Fits(have, need)); diff != "" {
		t.Errorf("what is missing (-want +got):\n%s", diff)
	}
}

// TestFits_allocatesNothing guards the path that every offer and task takes.
func TestFits_allocatesNothing(t *testing.T) {
	have := cluster.Pool{Open: cluster.Resources{CPU: 4, Mem: 4, Disk: 4, Ports: cluster.Ports{{Lo: 1, Hi: 9}}}}
	need := cluster.Pool{Open: cluster.Resources{CPU: 1, Mem: 1, Ports: cluster.Port(3)}}
	if n := testing.AllocsPerRun(100, func() {
		if have.Missing(need) != nil || cluster.Fits(have.Open, need.Open) != nil {
			t.Fatal("it does not fit")
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
	scalars := cluster.Pool{Open: cluster.Resources{CPU: 1, Mem: 1}}
	if n := testing.AllocsPerRun(100, func() { have = have.Minus(scalars).Plus(scalars) }); n != 0 {
		t.Errorf("%g allocations to reckon", n)
	}
}

func TestResources_refused(t *testing.T) {
	many := make([]cluster.Named, cluster.MaxExtra+1)
	for i := range many {
		many[i] = cluster.Named{Name: "n" + strings.Repeat("x", i), Milli: 1}
	}
	one := func(n cluster.Named) cluster.Resources { return cluster.Resources{Extra: cluster.Extra{n}} }
	for _, c := range []struct {
		r    cluster.Resources
		want string
	}{
		{cluster.Resources{CPU: -1}, "cpus: -1"},
		{cluster.Resources{Mem: math.MinInt64}, "mem: -9223372036854775808"},
		{cluster.Resources{Disk: math.MaxInt64}, "disk: 9223372036854775807 is more"},
		{cluster.Resources{GPUs: cluster.MaxAmount + 1}, "gpus"},
		{cluster.Resources{Ports: cluster.Ports{{Lo: 0, Hi: 1}}}, "ports: 0-1"},
		{cluster.Resources{Ports: cluster.Ports{{Lo: 1, Hi: 2}, {Lo: 3, Hi: 4}}}, "ports: 3-4"},
		{cluster.Resources{Ports: cluster.Ports{{Lo: 4, Hi: 5}, {Lo: 1, Hi: 2}}}, "ports: 1-2"},
		{cluster.Resources{Extra: many}, "65 named resources"},
		{cluster.Resources{Extra: cluster.Extra{{Name: "b", Milli: 1}, {Name: "a", Milli: 1}}}, `"a": names are not in order`},
		{cluster.Resources{Extra: cluster.Extra{{Name: "a", Milli: 1}, {Name: "a", Milli: 1}}}, `"a": names are not in order, or there twice`},
		{one(cluster.Named{Name: "mem", Milli: 1}), `"mem": its name`},
		{one(cluster.Named{Name: "a b", Milli: 1}), "its name"},
		{one(cluster.Named{Name: "a"}), "one of them only"},
		{one(cluster.Named{Name: "a", Milli: -1}), "positive"},
		{one(cluster.Named{Name: "a", Milli: 1, Items: []string{"x"}}), "one of them only"},
		{one(cluster.Named{Name: "a", Items: []string{"b", "a"}}), `item "a"`},
		{one(cluster.Named{Name: "a", Items: []string{"x,y"}}), `item "x,y"`},
		{one(cluster.Named{Name: "a", Ranges: []cluster.Range{{Lo: -1, Hi: 2}}}), "-1-2"},
		{one(cluster.Named{Name: "a", Ranges: []cluster.Range{{Lo: 1, Hi: 2}, {Lo: 3, Hi: 4}}}), "3-4"},
		{one(cluster.Named{Name: "a", Ranges: []cluster.Range{{Lo: 1, Hi: math.MaxInt64}}}), "too high"},
	} {
		if err := c.r.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.r, err, c.want)
		}
	}
}

func TestMilli(t *testing.T) {
	for f, want := range map[float64]int64{0: 0, 0.1: 100, 0.0999: 100, 2.0005: 2001, 1e12: 1e15} {
		if got, err := cluster.Milli(f); err != nil || got != want {
			t.Errorf("%g is %d, %v; want %d", f, got, err, want)
		}
	}
	for _, f := range []float64{-0.001, math.NaN(), math.Inf(1), math.Inf(-1), 1e300} {
		if got, err := cluster.Milli(f); err == nil {
			t.Errorf("%g is taken as %d", f, got)
		}
	}
}
