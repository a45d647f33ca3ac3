package sched

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// wish is a place for db-0 with one volume of 100 bytes, for a service of role dev.
func wish() (Wish, cluster.TaskTemplate) {
	spec := &cluster.ServiceSpec{ID: "db", Role: "dev", Pods: []cluster.PodSpec{{Name: "node", Count: 1, Volumes: []cluster.VolumeSpec{{Name: "data", Size: 100, Path: "/data"}}}}}
	return Wish{Service: spec, Pod: &spec.Pods[0], Principal: "p", Suffix: "1"},
		cluster.TaskTemplate{Name: "place", Resources: cluster.Resources{CPU: 1000, Disk: 150}, Ports: []cluster.PortSpec{{Name: "client"}, {Name: "peer", Port: 2888}}}
}

func TestMakePlace_usesOneSource(t *testing.T) {
	static := cluster.Stack{{Role: "dev", Static: true}}
	some := func(cpu int64, lo uint16) cluster.Resources {
		return cluster.Resources{CPU: cpu, Disk: 1000, Ports: cluster.NewPorts(cluster.PortRange{Lo: lo, Hi: lo + 2})}
	}
	for _, tc := range []struct {
		name           string
		open, reserved cluster.Resources
		under          int // layers below the place's own; -1: there is no place
	}{
		{"what is open", some(2000, 2888), some(500, 4000), 0},
		{"what is reserved first", some(2000, 4000), some(2000, 2888), 1},
		{"parts of both", some(500, 4000), some(500, 2888), -1},
	} {
		w, task := wish()
		agent := &cluster.Agent{ID: "a1"}
		r := &Room{Agent: agent, Role: cluster.PlaceRole(w.Service), Free: cluster.Pool{Open: tc.open, Reserved: cluster.NewReserves(cluster.Reserved{Stack: static, Resources: tc.reserved})}}
		before := r.Free.Flat()
		ok := r.MakePlace(w, task, "dev")
		if ok != (tc.under >= 0) {
			t.Fatalf("%s: made %t", tc.name, ok)
		}
		if !ok {
			if len(r.Places)+len(r.Operations) > 0 {
				t.Errorf("%s: %d places, %d operations", tc.name, len(r.Places), len(r.Operations))
			}
			continue
		}
		p := r.Places[0].Place
		if len(p.Stack) != tc.under+1 || p.Stack.Role() != "dev/db" || p.Stack[tc.under].Labels["instance"] != "node-0" {
			t.Errorf("%s: stack %+v", tc.name, p.Stack)
		}
		if p.Resources.Disk != 50 || p.Ports["peer"] != 2888 || p.Ports["client"] == 0 || p.Ports["client"] == 2888 || p.Resources.Ports.Len() != 2 {
			t.Errorf("%s: place %+v", tc.name, p)
		}
		if d := cmp.Diff([]cluster.Volume{{ID: "db.node-0.data.1", Path: "data", Size: 100, Principal: "p"}}, p.Volumes); d != "" {
			t.Errorf("%s: volumes (-want +got):\n%s", tc.name, d)
		}
		pool := cluster.Pool{Open: tc.open, Reserved: cluster.NewReserves(cluster.Reserved{Stack: static, Resources: tc.reserved})}
		for _, o := range r.Operations {
			if err := o.Validate(); err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			after, err := pool.Do(o)
			if err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			pool = after
		}
		if left := before.Minus(r.Free.Flat()); left.CPU != 1000 || left.Disk != 150 || left.Ports.Len() != 2 {
			t.Errorf("%s: it takes %s", tc.name, left)
		}
		if got := pool.Reserved.Of(p.Stack); got.Resources.CPU != 1000 || got.Resources.Disk != 50 || len(got.Volumes) != 1 {
			t.Errorf("%s: reserved are %+v", tc.name, got)
		}
	}
}

func TestClaimPlace(t *testing.T) {
	stack := cluster.Stack{{Role: "services/db", Labels: map[string]string{"instance": "node-0"}}}
	vol := cluster.Volume{ID: "db.node-0.data.1", Path: "data", Size: 100}
	p := &cluster.Place{Agent: "a1", Stack: stack, Resources: cluster.Resources{CPU: 1000, Ports: cluster.Port(31000)}, Ports: map[string]uint16{"client": 31000}, Volumes: []cluster.Volume{vol}}
	room := func(open cluster.Resources, vols ...cluster.Volume) *Room {
		return &Room{Agent: &cluster.Agent{ID: "a1"}, Role: "services/db", Free: cluster.Pool{Open: open, Reserved: cluster.NewReserves(cluster.Reserved{Stack: stack, Resources: p.Resources, Volumes: vols})}}
	}
	server, helper := task("server", cluster.PortSpec{Name: "client"}), task("helper", cluster.PortSpec{Name: "new"})
	server.Resources.CPU, helper.Resources.CPU = 800, 500
	tasks := []cluster.TaskTemplate{server, helper}
	open := cluster.Resources{CPU: 300, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31005, Hi: 31005})}
	claims, ok := room(open, vol).ClaimPlace(p, tasks, 0)
	if !ok {
		t.Fatal("it does not fit")
	}
	if c := claims[0]; c.Ports["client"] != 31000 || c.Resources.Disk != 100 || !c.Pool().Open.IsZero() || len(c.Reserved[0].Volumes) != 1 {
		t.Errorf("the first takes %+v", c)
	}
	if c := claims[1]; c.Ports["new"] != 31005 || c.Pool().Open.CPU != 300 || c.Reserved[0].Resources.CPU != 200 || len(c.Reserved[0].Volumes) != 0 {
		t.Errorf("the second takes %+v", c)
	}
	if _, ok := room(open).ClaimPlace(p, tasks, 0); ok {
		t.Error("its volume is not free, and it fits")
	}
	if _, ok := room(cluster.Resources{CPU: 299, Ports: open.Ports}, vol).ClaimPlace(p, tasks, 0); ok {
		t.Error("there is too little beside the place, and it fits")
	}
	if _, ok := room(cluster.Resources{CPU: 300}, vol).ClaimPlace(p, tasks, 0); ok {
		t.Error("there is no port for the new one, and it fits")
	}
}
