package cluster_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestParseResources(t *testing.T) {
	total, reserved, err := cluster.ParseResources("cpus:24.5; mem:24576;disk:1.5;gpus:2;ports:[21000-24000, 30000-34000,80];bugs(eng):{b, a};bugs(eng):{c};cpus(ops/x):0.5;lanes:[1-2,3-4]")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := total.Text(), "cpus:25;mem:24576;disk:1.5;gpus:2;ports:[80-80,21000-24000,30000-34000];bugs:{a,b,c};lanes:[1-4]"; got != want {
		t.Errorf("total is %s, want %s", got, want)
	}
	if got := reserved.Of(cluster.Stack{{Role: "eng", Static: true}}).Resources.Text() + " " + reserved.For("ops/x/y").Flat().Text(); len(reserved) != 2 || got != "bugs:{a,b,c} cpus:0.5" {
		t.Errorf("reserved is %v (%s)", reserved, got)
	}
	for text, want := range map[string]string{
		"cpus": "no colon", "cpus:x": "not a number", "cpus:NaN": "NaN", "cpus:-1": "-1", "cpus:1e400": "not a number", "mem:1e12": "more than any machine",
		"gpus:0.5": "whole", "ports:[1-70000]": "not ports", "ports:[0-1]": "not ports", "ports:1": "not [lo-hi", "ports:[4-2]": "not a range", "x:{}": "item", "x:{a": "not {a,b",
		"a b:1": "name", "cpus(:1": "role", "cpus(a//b):1": "role", "ports:[1-5];ports(eng):[5-6]": "twice", "cpus:1e15": "not a number from", "cpus:5e11;cpus:7e11": "more than any",
		"cpus:1;x:1;x:{a}": "one of them only", "cpus:" + strings.Repeat("1", cluster.MaxResourceText): "over the limit",
	} {
		if _, _, err := cluster.ParseResources(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want one with %q", text, err, want)
		}
	}
}

// FuzzParseResources reads arbitrary texts: what is taken is valid, and its own
// text gives the same again.
func FuzzParseResources(f *testing.F) {
	for _, s := range []string{"cpus:24;mem:24576;disk:409600;ports:[21000-24000,30000-34000];bugs(role):{a,b}", "gpus:1;x:[1-2];y:0.001", "cpus(a/b):1;cpus(a):2", "mem:0.0001", "mem:.1", "cpus:NaN", ";;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		total, reserved, err := cluster.ParseResources(text)
		if err != nil {
			return
		}
		if err := total.Validate(); err != nil {
			t.Fatalf("%q: the total is not valid: %v", text, err)
		}
		if err := reserved.Validate(); err != nil {
			t.Fatalf("%q: what is reserved is not valid: %v", text, err)
		}
		if short := cluster.Fits(total, reserved.Flat()); short != nil {
			t.Fatalf("%q: more is reserved than there is: %v", text, short)
		}
		back, _, err := cluster.ParseResources(total.Text())
		if err != nil || back.Text() != total.Text() {
			t.Fatalf("%q: the text %q comes back as %q, %v", text, total.Text(), back.Text(), err)
		}
	})
}

// FuzzResources reads two amounts from JSON: whatever they are, asking about
// them does not panic, and for valid ones the sums hold.
func FuzzResources(f *testing.F) {
	f.Add([]byte(`{"cpu_milli":1,"ports":[{"lo":1,"hi":65535}],"extra":[{"name":"a","items":["x"]}]}`), []byte(`{"extra":[{"name":"a","milli":-1},{"name":"a","ranges":[{"lo":5,"hi":1}]}]}`))
	f.Add([]byte(`{"ports":[{"lo":9,"hi":1}],"mem_bytes":-9223372036854775808}`), []byte(`{"mem_bytes":1,"extra":[{"name":"b","ranges":[{"lo":-9223372036854775808,"hi":9223372036854775807}]}]}`))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		var a, b cluster.Resources
		if json.Unmarshal(x, &a) != nil || json.Unmarshal(y, &b) != nil {
			return
		}
		valid := a.Validate() == nil && b.Validate() == nil
		sum, short := a.Plus(b), cluster.Fits(a, b)
		_, _, _ = a.Minus(b), a.Overlaps(b), a.Text()
		if !valid {
			return
		}
		if cluster.Fits(sum, a) != nil || cluster.Fits(sum, b) != nil {
			t.Fatalf("%s and %s do not fit into their sum %s", a, b, sum)
		}
		if left := a.Minus(b); short == nil && (left.Validate() != nil || !left.Plus(b).Equal(a)) {
			t.Fatalf("%s without %s is %s", a, b, left)
		}
	})
}
