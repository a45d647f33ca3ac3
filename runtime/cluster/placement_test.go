package cluster_test

import (
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestConstraint_refused(t *testing.T) {
	long := strings.Repeat("a", 256)
	for _, c := range []struct {
		rule cluster.Constraint
		want string // empty: it is taken
	}{
		{cluster.Constraint{Attribute: "@hostname", Operator: "UNIQUE"}, ""},
		{cluster.Constraint{Attribute: "@region", Operator: "CLUSTER"}, ""},
		{cluster.Constraint{Attribute: "rack", Operator: "CLUSTER", Value: "r1"}, ""},
		{cluster.Constraint{Attribute: "@zone", Operator: "GROUP_BY"}, ""},
		{cluster.Constraint{Attribute: "rack", Operator: "GROUP_BY", Value: "25"}, ""},
		{cluster.Constraint{Attribute: "rack", Operator: "MAX_PER", Value: "2"}, ""},
		{cluster.Constraint{Attribute: "rack", Operator: "LIKE", Value: "r[0-9]+|x"}, ""},
		{cluster.Constraint{Attribute: "rack", Operator: "UNLIKE", Value: "(?i)old.*"}, ""},
		{cluster.Constraint{Attribute: "rack", Operator: "IS", Value: "r1"}, ""},
		{cluster.Constraint{Operator: "UNIQUE"}, "attribute"},
		{cluster.Constraint{Attribute: long, Operator: "UNIQUE"}, "attribute"},
		{cluster.Constraint{Attribute: "a\x00", Operator: "UNIQUE"}, "attribute"},
		{cluster.Constraint{Attribute: "@rack", Operator: "UNIQUE"}, "none of @hostname"},
		{cluster.Constraint{Attribute: "rack", Operator: "UNIQUE", Value: "1"}, "takes no value"},
		{cluster.Constraint{Attribute: "rack", Operator: "MAX_PER"}, "not a number"},
		{cluster.Constraint{Attribute: "rack", Operator: "MAX_PER", Value: "0"}, "not a number"},
		{cluster.Constraint{Attribute: "rack", Operator: "GROUP_BY", Value: "99999999999999999999"}, "not a number"},
		{cluster.Constraint{Attribute: "rack", Operator: "GROUP_BY", Value: "NaN"}, "not a number"},
		{cluster.Constraint{Attribute: "rack", Operator: "IS"}, "must have a value"},
		{cluster.Constraint{Attribute: "rack", Operator: "IS", Value: long}, "value is over"},
		{cluster.Constraint{Attribute: "rack", Operator: "LIKE"}, "0 bytes"},
		{cluster.Constraint{Attribute: "rack", Operator: "LIKE", Value: "("}, "regular expression"},
		{cluster.Constraint{Attribute: "rack", Operator: "LIKE", Value: "a)(b"}, "regular expression"},
		{cluster.Constraint{Attribute: "rack", Operator: "LIKE", Value: `(a)\1`}, "regular expression"},
		{cluster.Constraint{Attribute: "rack", Operator: "UNLIKE", Value: "((a{100}){10}){9}"}, "regular expression"},
		{cluster.Constraint{Attribute: "rack", Operator: "LIKE", Value: "[ab]{500}[cd]{600}"}, "instructions"},
		{cluster.Constraint{Attribute: "rack", Operator: "NEAR"}, "none of UNIQUE"},
	} {
		err := c.rule.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.rule, err, c.want)
		}
	}
}

func TestCompilePattern_wholeValue(t *testing.T) {
	re, err := cluster.CompilePattern("r1|r2")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{"r1": true, "r2": true, "r12": false, "xr2": false, "r1\n": false, "": false} {
		if got := re.MatchString(value); got != want {
			t.Errorf("%q matches: %t, want %t", value, got, want)
		}
	}
}

func TestPodSpec_rules(t *testing.T) {
	pod := func(change func(*cluster.PodSpec)) cluster.PodSpec {
		p := cluster.PodSpec{Name: "p", Count: 3, MinReady: 3, Network: "bridge", Tasks: []cluster.TaskTemplate{{Name: "main",
			Ports: []cluster.PortSpec{{Name: "http", Listen: 80}}, Container: cluster.Container{Volumes: []cluster.VolumeMount{{Volume: "v", Path: "/v"}}}}}}
		change(&p)
		return p
	}
	for _, c := range []struct {
		name   string
		change func(*cluster.PodSpec)
		want   string
	}{
		{"good", func(*cluster.PodSpec) {}, ""},
		{"scaled to nothing", func(p *cluster.PodSpec) { p.Count = 0 }, ""},
		{"too many rules", func(p *cluster.PodSpec) { p.Placement = make([]cluster.Constraint, cluster.MaxConstraints+1) }, "over the limit"},
		{"bad rule", func(p *cluster.PodSpec) { p.Placement = []cluster.Constraint{{Attribute: "a", Operator: "IS"}} }, "rule 1"},
		{"negative", func(p *cluster.PodSpec) { p.MinReady = -1 }, "min_ready"},
		{"more than there are", func(p *cluster.PodSpec) { p.MinReady = 4 }, "min_ready"},
		{"network's name", func(p *cluster.PodSpec) { p.Network = "../x" }, "network"},
		{"listen without network", func(p *cluster.PodSpec) { p.Network = "" }, "only in a network"},
		{"mount", func(p *cluster.PodSpec) { p.Tasks[0].Container.Volumes[0].Path = "v" }, "not absolute"},
	} {
		err := pod(c.change).ValidateRules()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	for n, good := range map[int]bool{0: true, 1000: true, -1000: true, 1001: false, -1001: false} {
		if err := cluster.ValidatePriority(n); (err == nil) != good {
			t.Errorf("priority %d: %v", n, err)
		}
	}
}

func TestNetwork_refused(t *testing.T) {
	mapping := func(ports ...uint16) []cluster.PortMapping {
		var out []cluster.PortMapping
		for i := 0; i < len(ports); i += 2 {
			out = append(out, cluster.PortMapping{Host: ports[i], Container: ports[i+1]})
		}
		return out
	}
	for _, c := range []struct {
		network cluster.Network
		want    string
	}{
		{cluster.Network{Name: "bridge"}, ""},
		{cluster.Network{Name: "cni-1", Ports: mapping(31000, 80, 31001, 80)}, ""},
		{cluster.Network{}, "name"},
		{cluster.Network{Name: "a/b"}, "name"},
		{cluster.Network{Name: strings.Repeat("a", 64)}, "name"},
		{cluster.Network{Name: "bridge", Ports: mapping(0, 80)}, "1 to 65535"},
		{cluster.Network{Name: "bridge", Ports: mapping(80, 0)}, "1 to 65535"},
		{cluster.Network{Name: "bridge", Ports: mapping(80, 80, 80, 81)}, "there twice"},
		{cluster.Network{Name: "bridge", Ports: mapping(81, 80, 80, 81)}, "not in order"},
		{cluster.Network{Name: "bridge", Ports: make([]cluster.PortMapping, cluster.MaxMappings+1)}, "over the limit"},
	} {
		err := c.network.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.network, err, c.want)
		}
	}
	a, b := &cluster.Network{Name: "a", Ports: mapping(1, 2)}, &cluster.Network{Name: "a", Ports: mapping(1, 2)}
	if !a.Equal(b) || a.Equal(nil) || (*cluster.Network)(nil).Equal(b) || a.Equal(&cluster.Network{Name: "a"}) || a.Equal(&cluster.Network{Name: "b", Ports: a.Ports}) {
		t.Error("networks compare wrongly")
	}
}

func TestVolumeMounts_refused(t *testing.T) {
	for _, c := range []struct {
		mounts []cluster.VolumeMount
		want   string
	}{
		{[]cluster.VolumeMount{{Volume: "v1", Path: "/var/lib/db"}, {Volume: "v2", Path: "/var/lib/db/wal", ReadOnly: true}}, ""},
		{[]cluster.VolumeMount{{Path: "/a"}}, "id is empty"},
		{[]cluster.VolumeMount{{Volume: "a/b", Path: "/a"}}, "slash"},
		{[]cluster.VolumeMount{{Volume: "..", Path: "/a"}}, "slash"},
		{[]cluster.VolumeMount{{Volume: "v", Path: "data"}}, "not absolute"},
		{[]cluster.VolumeMount{{Volume: "v", Path: "/a/../etc"}}, "plain"},
		{[]cluster.VolumeMount{{Volume: "v", Path: "/"}}, "below the root"},
		{[]cluster.VolumeMount{{Volume: "v", Path: "/a\n"}}, "plain"},
		{[]cluster.VolumeMount{{Volume: "v1", Path: "/a"}, {Volume: "v2", Path: "/a"}}, "already"},
		{[]cluster.VolumeMount{{Volume: "v1", Path: "/a"}, {Volume: "v1", Path: "/b"}}, "already"},
		{make([]cluster.VolumeMount, cluster.MaxVolumeMounts+1), "over the limit"},
	} {
		err := cluster.ValidateVolumeMounts(c.mounts)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.mounts, err, c.want)
		}
	}
}
