package cluster_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
)

var (
	eng      = cluster.Stack{{Role: "eng"}}
	engDB    = cluster.Stack{{Role: "eng"}, {Role: "eng/db"}}
	engRed   = cluster.Stack{{Role: "eng", Labels: map[string]string{"colour": "red"}}}
	engFixed = cluster.Stack{{Role: "eng", Static: true}}
)

func TestStack_for(t *testing.T) {
	for _, c := range []struct {
		stack cluster.Stack
		role  cluster.Role
		want  bool
	}{
		{nil, "*", true}, {nil, "eng", true}, {eng, "eng", true}, {eng, "eng/db", true}, {eng, "engine", false}, {eng, "*", false}, {eng, "ops", false},
		{engDB, "eng/db", true}, {engDB, "eng/db/x", true}, {engDB, "eng", false}, {engDB, "eng/dba", false},
	} {
		if got := c.stack.For(c.role); got != c.want {
			t.Errorf("%q for %q: %t", c.stack, c.role, got)
		}
	}
}

// TestStack_compare sees that the order is one: exactly equal ones are equal.
func TestStack_compare(t *testing.T) {
	all := []cluster.Stack{nil, eng, engDB, engRed, engFixed, {{Role: "eng", Principal: "p"}},
		{{Role: "eng", Labels: map[string]string{"colour": "redder"}}}, {{Role: "eng", Labels: map[string]string{"colour": "red", "x": ""}}}, {{Role: "ops"}}}
	for i, a := range all {
		for j, b := range all {
			if d := a.Compare(b); (d == 0) != (i == j) || d != -b.Compare(a) {
				t.Errorf("%v and %v compare as %d and %d", a, b, d, b.Compare(a))
			}
		}
	}
}

// TestPool_properties does random operations to a pool: none makes or loses
// anything, what a role draws is there, and it stays canonical.
func TestPool_properties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		total := amounts.Draw(r, "total")
		p := cluster.Pool{Open: total}
		for range rapid.IntRange(0, 12).Draw(r, "operations") {
			o := cluster.Operation{Kind: rapid.SampledFrom([]cluster.OperationKind{cluster.OpReserve, cluster.OpReserve, cluster.OpUnreserve, cluster.OpCreate, cluster.OpDestroy}).Draw(r, "kind"),
				Stack: rapid.SampledFrom([]cluster.Stack{eng, engDB, engRed}).Draw(r, "stack")}
			if o.Kind == cluster.OpCreate || o.Kind == cluster.OpDestroy {
				o.Volume = &cluster.Volume{ID: rapid.SampledFrom([]string{"v", "w"}).Draw(r, "volume"), Path: "d", Size: rapid.Int64Range(1, 3).Draw(r, "size")}
			} else {
				o.Resources = amounts.Draw(r, "amount")
			}
			if o.Validate() != nil || o.Kind == cluster.OpCreate && hasVolume(p, o.Volume.ID) {
				continue
			}
			after, err := p.Do(o)
			if err != nil {
				after = p
			}
			if !after.Flat().Equal(total) {
				r.Fatalf("%s of %v leads from %v to %v: the sum is not %s", o.Kind, o, p, after, total)
			}
			if err := after.Reserved.Validate(); err != nil {
				r.Fatalf("after %s: %v", o.Kind, err)
			}
			p = after
		}
		need := amounts.Draw(r, "need")
		part, ok := p.Draw("eng", need)
		if ok && (p.Missing(part) != nil || !part.Flat().Equal(need) || !p.Minus(part).Plus(part).Equal(p)) {
			r.Fatalf("%v is drawn from %v for %s", part, p, need)
		}
		if !ok && cluster.Fits(p.Open, need) == nil {
			r.Fatalf("%s is not drawn from %v", need, p)
		}
	})
}

func hasVolume(p cluster.Pool, id string) bool {
	for _, r := range p.Reserved {
		for _, v := range r.Volumes {
			if v.ID == id {
				return true
			}
		}
	}
	return false
}

func TestPool_missing(t *testing.T) {
	v := cluster.Volume{ID: "v", Path: "d", Size: 5 << 20}
	have := cluster.Pool{Open: cluster.Resources{CPU: 1000}, Reserved: cluster.NewReserves(cluster.Reserved{Stack: eng, Resources: cluster.Resources{CPU: 500}, Volumes: []cluster.Volume{v}})}
	need := cluster.Pool{Open: cluster.Resources{CPU: 2000}, Reserved: cluster.NewReserves(
		cluster.Reserved{Stack: eng, Resources: cluster.Resources{CPU: 600}, Volumes: []cluster.Volume{v, {ID: "w", Size: 1}}}, cluster.Reserved{Stack: engDB, Resources: cluster.Resources{GPUs: 1}})}
	want := []string{"cpus: needs 2, has 1", "cpus(eng): needs 0.6, has 0.5", "volume w(eng): needs 1 B, has no such volume free", "gpus(eng/db): needs 1, has 0"}
	var got []string
	for _, s := range have.Missing(need) {
		got = append(got, s.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is missing (-want +got):\n%s", diff)
	}
	if have.Missing(have) != nil {
		t.Error("a pool does not fit into itself")
	}
}

func TestOperation_refused(t *testing.T) {
	some := cluster.Resources{CPU: 1}
	vol := func(id, path string, size int64) *cluster.Volume {
		return &cluster.Volume{ID: id, Path: path, Size: size}
	}
	deep := make(cluster.Stack, cluster.MaxStack+1)
	for i := range deep {
		deep[i].Role = cluster.Role("a" + strings.Repeat("/a", i))
	}
	for _, c := range []struct {
		o    cluster.Operation
		want string
	}{
		{cluster.Operation{Kind: cluster.OpReserve, Resources: some}, "0 layers"},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: deep, Resources: some}, "9 layers"},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: cluster.Stack{{Role: "*"}}, Resources: some}, `role "*"`},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: cluster.Stack{{Role: "a"}, {Role: "b"}}, Resources: some}, `"b" is not below "a"`},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: cluster.Stack{{Role: "a"}, {Role: "a/b", Static: true}}, Resources: some}, "cannot be static"},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: engFixed, Resources: some}, "static"},
		{cluster.Operation{Kind: cluster.OpUnreserve, Stack: engFixed, Resources: some}, "static"},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: cluster.Stack{{Role: "a", Labels: map[string]string{"": "x"}}}, Resources: some}, "labels"},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: eng}, "must name resources"},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: eng, Resources: cluster.Resources{CPU: -1}}, "resources: cpus"},
		{cluster.Operation{Kind: cluster.OpReserve, Stack: eng, Resources: some, Volume: vol("v", "d", 1)}, "no volume"},
		{cluster.Operation{Kind: cluster.OpCreate, Stack: eng}, "must name a volume"},
		{cluster.Operation{Kind: cluster.OpCreate, Stack: eng, Volume: vol("a/b", "d", 1)}, "slash"},
		{cluster.Operation{Kind: cluster.OpCreate, Stack: eng, Volume: vol("v", "/d", 1)}, "not relative"},
		{cluster.Operation{Kind: cluster.OpCreate, Stack: eng, Volume: vol("v", "a/../../d", 1)}, "inside the sandbox"},
		{cluster.Operation{Kind: cluster.OpCreate, Stack: eng, Volume: vol("v", "d", 0)}, "size of 0"},
		{cluster.Operation{Kind: cluster.OpDestroy, Stack: eng, Volume: vol("v", "d", 1), Resources: some}, "no resources"},
		{cluster.Operation{Kind: "EAT", Stack: eng}, `kind "EAT"`},
	} {
		if err := c.o.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.o, err, c.want)
		}
	}
}

func TestAgent_refused(t *testing.T) {
	total := cluster.Resources{CPU: 1000, Ports: cluster.Port(80)}
	fixed := func(r cluster.Resources) cluster.Reserves { return cluster.Reserves{{Stack: engFixed, Resources: r}} }
	for _, c := range []struct {
		a    cluster.Agent
		want string
	}{
		{cluster.Agent{Hostname: strings.Repeat("x", 256)}, "hostname"},
		{cluster.Agent{URL: "a\nb"}, "url"},
		{cluster.Agent{Total: cluster.Resources{Mem: -1}}, "total: mem"},
		{cluster.Agent{Attributes: map[string]string{"a": "\x00"}}, "attributes"},
		{cluster.Agent{Domain: &cluster.Domain{Region: "eu"}}, "domain"},
		{cluster.Agent{Total: total, Reserved: fixed(cluster.Resources{CPU: 1001})}, "more than the agent has"},
		{cluster.Agent{Total: total, Reserved: cluster.Reserves{{Stack: eng, Resources: total}}}, "static reservations of one layer"},
		{cluster.Agent{Total: total, Reserved: cluster.Reserves{{Stack: engFixed, Resources: cluster.Resources{Ports: cluster.Port(80)}},
			{Stack: cluster.Stack{{Role: "ops", Static: true}}, Resources: cluster.Resources{Ports: cluster.Port(80)}}}}, "reserved twice"},
		{cluster.Agent{Total: total, Reserved: cluster.Reserves{{Stack: cluster.Stack{{Role: "ops", Static: true}}, Resources: total}, {Stack: engFixed, Resources: total}}}, "not in order"},
	} {
		if err := c.a.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.a, err, c.want)
		}
	}
	good := cluster.Agent{Total: total, Reserved: fixed(total), Domain: &cluster.Domain{Region: "eu", Zone: "eu-1"}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func TestQuota_refused(t *testing.T) {
	for _, c := range []struct {
		q    cluster.Quota
		want string
	}{
		{cluster.Quota{Role: "a/b"}, "top-level"},
		{cluster.Quota{Role: "a", Guarantee: cluster.Scalars{CPU: -1}}, "guarantee is negative"},
		{cluster.Quota{Role: "a", Guarantee: cluster.Scalars{CPU: cluster.MaxTotal + 1}}, "more than a cluster"},
		{cluster.Quota{Role: "a", Limit: &cluster.Scalars{CPU: -2}}, "limit is negative"},
		{cluster.Quota{Role: "a", Guarantee: cluster.Scalars{Mem: 2}, Limit: &cluster.Scalars{Mem: 1}}, "over the limit"},
	} {
		if err := c.q.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.q, err, c.want)
		}
	}
	good := cluster.Quota{Role: "a", Guarantee: cluster.Scalars{Mem: 2}, Limit: &cluster.Scalars{CPU: 0, Mem: cluster.Unlimited}}
	if err := good.Validate(); err != nil || good.Ceiling() != (cluster.Scalars{Mem: cluster.MaxTotal}) {
		t.Errorf("%v; the ceiling is %+v", err, good.Ceiling())
	}
}
