package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// contents is all of a zone but its indexes.
func contents(t interface{ Fatal(...any) }, z *Zone) string {
	u := z.All()
	u.Index = 0
	text, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	forget(plain)
	text, err = json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func forget(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "index")
		for _, e := range v {
			forget(e)
		}
	case []any:
		for _, e := range v {
			forget(e)
		}
	}
}

// TestUpdates lets an agent that looks now and then follow a cluster in motion:
// after each look it has what the master has.
func TestUpdates(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 2)
		b := NewBuilder(config)
		mirror := new(Zone)
		alive := map[string]bool{}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			id := fmt.Sprintf("s%d", rapid.IntRange(0, 3).Draw(rt, "service"))
			switch op := rapid.IntRange(0, 4).Draw(rt, "op"); {
			case op == 0 && alive[id]:
				w.apply(core.RemoveService{Service: cluster.ServiceID(id)})
				for name, task := range w.tasks {
					if strings.HasPrefix(name, id+"/") && w.view().Task(task.Spec.ID).Active() {
						w.report(name, cluster.TaskKilled, false)
						delete(w.tasks, name)
					}
				}
				w.apply(core.ForgetService{Service: cluster.ServiceID(id)})
				alive[id] = false
			case op == 1 && alive[id] && w.tasks[id+"/broker-0-node"] == nil:
				w.launch(id, 0, 1, uint16(31000+w.n))
			case op == 2:
				w.agent(3, fmt.Sprintf("10.0.9.%d", rapid.IntRange(1, 200).Draw(rt, "host")))
			default:
				w.service(id, rapid.IntRange(1, 3).Draw(rt, "count"), cluster.PortSpec{Port: uint16(rapid.IntRange(1, 2).Draw(rt, "port"))})
				alive[id] = true
			}
			z := b.Build(w.view())
			if rapid.Bool().Draw(rt, "look") {
				mirror = follow(rt, mirror, z)
			}
		}
		mirror = follow(rt, mirror, b.Build(w.view()))
		if fresh := Build(w.view(), config); contents(rt, fresh) != contents(rt, mirror) {
			rt.Fatalf("master: %s\nagent: %s", contents(rt, fresh), contents(rt, mirror))
		}
	})
}

// follow brings a mirror to a zone over the wire.
func follow(t *rapid.T, mirror, z *Zone) *Zone {
	text, err := json.Marshal(z.Since(mirror.Index()))
	if err != nil {
		t.Fatal(err)
	}
	var u Update
	if err := json.Unmarshal(text, &u); err != nil {
		t.Fatal(err)
	}
	before := maps.Clone(mirror.services)
	next, err := mirror.Apply(u)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(mirror.services, before) {
		t.Fatalf("the zone of before changed from %v to %v", before, mirror.services)
	}
	if got, want := contents(t, next), contents(t, z); got != want || next.Index() != z.Index() {
		t.Fatalf("from %d: got %d %s\nwant %d %s", mirror.Index(), next.Index(), got, z.Index(), want)
	}
	return next
}

// TestSince_small carries only what changed.
func TestSince_small(t *testing.T) {
	w := newWorld(t, 1)
	for i := range 3 {
		w.service(fmt.Sprintf("s%d", i), 1, cluster.PortSpec{})
	}
	b := NewBuilder(config)
	z := b.Build(w.view())
	w.launch("s1", 0, 1, 31000)
	z2 := b.Build(w.view())
	if u := z2.Since(z.Index()); u.Base != z.Index() || len(u.Services) != 1 || u.Services[0].ID != "s1" || u.Nodes != nil || len(u.Gone) != 0 {
		t.Errorf("one service changed: got %+v", u)
	}
	for _, unknown := range []int64{0, -1, z.Index() - 1, z2.Index() + 1} {
		if u := z2.Since(unknown); u.Base != 0 || len(u.Services) != 3 || u.Nodes == nil {
			t.Errorf("since %d: got %+v, want all", unknown, u)
		}
	}
	w.apply(core.RemoveService{Service: "s2"})
	w.apply(core.ForgetService{Service: "s2"})
	if u := b.Build(w.view()).Since(z.Index()); len(u.Gone) != 1 || u.Gone[0] != "s2" {
		t.Errorf("one service went: got %+v", u)
	}
}

// TestGone_bounded has more services go than are remembered.
func TestGone_bounded(t *testing.T) {
	b := NewBuilder(config)
	w := newWorld(t, 0)
	w.service("first", 1, cluster.PortSpec{})
	first := b.Build(w.view())
	var z *Zone
	for i := range MaxGone + 5 {
		id := cluster.ServiceID(fmt.Sprintf("s%d", i))
		w.service(string(id), 1, cluster.PortSpec{})
		b.Build(w.view())
		w.apply(core.RemoveService{Service: id})
		w.apply(core.ForgetService{Service: id})
		z = b.Build(w.view())
	}
	if len(z.gone) != MaxGone {
		t.Errorf("%d are remembered, want %d", len(z.gone), MaxGone)
	}
	if u := z.Since(first.Index()); u.Base != 0 {
		t.Error("who comes from before the oldest that is remembered gets less than all")
	}
	if u := z.Since(z.floor); u.Base == 0 || len(u.Gone) != MaxGone {
		t.Errorf("since %d: got base %d and %d that went", z.floor, u.Base, len(u.Gone))
	}
}

func TestApply_refused(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"backwards":     {`{"base":5,"index":3}`, "from index 5 to 3"},
		"another base":  {`{"base":5,"index":6}`, "another zone"},
		"null service":  {`{"index":1,"services":[null]}`, "null"},
		"service name":  {`{"index":1,"services":[{"id":"a.b"}]}`, "no name"},
		"reserved":      {`{"index":1,"services":[{"id":"vip"}]}`, "no name"},
		"pod name":      {`{"index":1,"services":[{"id":"a","instances":[{"pod":"","addr":"10.0.0.1"}]}]}`, "pod is no name"},
		"no address":    {`{"index":1,"services":[{"id":"a","instances":[{"pod":"p"}]}]}`, "no address"},
		"with a zone":   {`{"index":1,"services":[{"id":"a","instances":[{"pod":"p","addr":"fe80::1%eth0"}]}]}`, "no address"},
		"port 0":        {`{"index":1,"services":[{"id":"a","instances":[{"pod":"p","addr":"10.0.0.1","tasks":[{"name":"t","ports":[{"name":"x"}]}]}]}]}`, "port is 0"},
		"virtual":       {`{"index":1,"services":[{"id":"a","endpoints":[{"name":"e","vip":"10.0.0.1:0"}]}]}`, "no virtual address"},
		"agent address": {`{"index":1,"nodes":{"index":1,"agents":[{"id":"a"}]}}`, "no address"},
		"master":        {`{"index":1,"nodes":{"index":1,"master":[""]}}`, "master is none"},
	} {
		var u Update
		if err := json.Unmarshal([]byte(c.text), &u); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := new(Zone).Apply(u); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := new(Zone).Apply(Update{Base: 2, Index: 3}); !errors.Is(err, ErrBase) {
		t.Errorf("got %v, want ErrBase", err)
	}
}

// FuzzZone reads zones from strangers: what is read can be asked and written.
func FuzzZone(f *testing.F) {
	w := newWorld(f, 1)
	w.service("kafka", 1, cluster.PortSpec{})
	w.launch("kafka", 0, 1, 31000)
	w.up("kafka", 0)
	text, err := json.Marshal(Build(w.view(), config))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, "broker-0-node.kafka.universe")
	f.Add([]byte(`{"index":1,"nodes":null,"services":[{"id":"a","instances":[{"pod":"p","n":-1,"addr":"::"}]}]}`), "..universe")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		var z Zone
		if json.Unmarshal(text, &z) != nil {
			return
		}
		z.Lookup(name)
		for _, s := range z.Services() {
			for _, e := range s.Endpoints {
				s.Backends(e.Name)
			}
		}
		again, err := json.Marshal(&z)
		if err != nil {
			t.Fatal(err)
		}
		var back Zone
		if err := json.Unmarshal(again, &back); err != nil {
			t.Fatalf("its own text is refused: %v", err)
		}
	})
}
