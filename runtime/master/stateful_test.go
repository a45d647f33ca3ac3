package master

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// dbSpec is a service of two instances with a volume each, on different agents.
func dbSpec() cluster.ServiceSpec {
	s := testSpec("db", 2)
	p := &s.Pods[0]
	p.Name, p.Unique = "node", true
	p.Volumes = []cluster.VolumeSpec{{Name: "data", Size: 1 << 30, Path: "/data"}}
	return s
}

// field is a cluster of agents with disks, and what they were told.
type field struct {
	*bubble
	agents    []*session
	running   map[cluster.TaskID]cluster.TaskSpec
	launched  []cluster.TaskSpec
	destroyed []cluster.VolumeName
	broken    string // tasks with this in their environment never become ready
}

func newField(t *testing.T, log *mem.Log, n int) *field {
	f := &field{bubble: newBubble(t, log), running: map[cluster.TaskID]cluster.TaskSpec{}}
	f.joinAll(n)
	return f
}

func (f *field) joinAll(n int) {
	f.t.Helper()
	f.agents = nil
	for i := range n {
		id := cluster.AgentID("a" + string(rune('1'+i)))
		var held []cluster.TaskReport
		for _, spec := range f.running {
			if t := f.master.View().Task(spec.ID); t != nil && t.Agent == id {
				held = append(held, cluster.TaskReport{Spec: spec, Status: cluster.TaskStatus{Task: spec.ID, State: cluster.TaskRunning, Ready: true}})
			}
		}
		f.agents = append(f.agents, f.joinAs(cluster.Agent{ID: id, Hostname: string(id), Host: hostOf(i), Total: cluster.Resources{
			CPU: 2000, Mem: 4 << 30, Disk: 8 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31009})}}, held...))
	}
}

func hostOf(i int) string { return "10.0.0." + string(rune('1'+i)) }

// obey lets the agents do what they are told for some seconds.
func (f *field) obey(seconds int) {
	f.t.Helper()
	for range seconds {
		synctest.Wait()
		for _, s := range f.agents {
			for _, o := range s.take() {
				f.do(s, o)
			}
		}
		f.beat(time.Second, f.agents...)
	}
}

func (f *field) do(s *session, o cluster.Order) {
	switch o.Kind {
	case cluster.OrderLaunch:
		f.launched = append(f.launched, *o.Spec)
		if o.Spec.Run != "" {
			f.update(s, cluster.TaskStatus{Task: o.Spec.ID, State: cluster.TaskFinished})
			return
		}
		f.running[o.Spec.ID] = *o.Spec
		f.update(s, cluster.TaskStatus{Task: o.Spec.ID, State: cluster.TaskRunning, Ready: f.broken == "" || o.Spec.Container.Env["VERSION"] != f.broken})
	case cluster.OrderKill:
		delete(f.running, o.Task)
		f.update(s, cluster.TaskStatus{Task: o.Task, State: cluster.TaskKilled})
	case cluster.OrderDestroy:
		f.destroyed = append(f.destroyed, cluster.VolumeName{Role: o.Role, ID: o.Volume})
	}
}

func (f *field) submit(cmd core.Command) {
	f.t.Helper()
	if _, _, err := f.master.Submit(f.ctx, cmd); err != nil {
		f.t.Fatalf("%s: %v", cmd.Kind(), err)
	}
}

// place is where an instance lives; the test ends when it runs anywhere else.
func (f *field) place(instance string) cluster.Place {
	f.t.Helper()
	svc := f.master.View().Service("db")
	if svc == nil || svc.Places[instance] == nil {
		f.t.Fatalf("%s has no place: %+v", instance, svc)
	}
	p := *svc.Places[instance]
	n := 0
	for t := range f.master.View().ServiceTasks("db") {
		if !t.Active() || t.Spec.Run != "" || core.InstanceKey(t.Spec.Pod, t.Spec.Index) != instance {
			continue
		}
		n++
		if t.Agent != p.Agent || t.Spec.Ports["http"] != p.Ports["http"] || len(t.Spec.Reserved) == 0 || !t.Status.Ready {
			f.t.Errorf("%s lives on %s with ports %v, and its task on %s with %v, reserved %v", instance, p.Agent, p.Ports, t.Agent, t.Spec.Ports, t.Spec.Reserved)
		}
	}
	if n != 1 {
		f.t.Fatalf("%d tasks of %s are active", n, instance)
	}
	return p
}

func (f *field) samePlace(instance string, was cluster.Place) {
	f.t.Helper()
	if got := f.place(instance); got.Agent != was.Agent || got.Ports["http"] != was.Ports["http"] || !slices.Equal(got.Volumes, was.Volumes) {
		f.t.Errorf("the place of %s is %+v, was %+v", instance, got, was)
	}
}

// reserved counts what is reserved on all agents.
func (f *field) reserved() (n int) {
	for a := range f.master.View().Agents() {
		n += len(a.Reserved)
	}
	return n
}

func TestServiceWithVolumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New()
		f := newField(t, log, 3)
		defer func() { f.stop() }()
		f.put(dbSpec())
		f.obey(5)
		zero, one := f.place("node-0"), f.place("node-1")
		if zero.Agent == one.Agent || len(f.launched) != 2 {
			t.Fatalf("places on %s and %s, %d launches", zero.Agent, one.Agent, len(f.launched))
		}
		if svc := f.master.View().Service("db"); svc.Settled != svc.Generation {
			t.Errorf("settled at %d, generation %d", svc.Settled, svc.Generation)
		}

		// A restart is in the same place.
		f.submit(core.RestartInstance{Service: "db", Pod: "node", Index: 0})
		f.obey(5)
		f.samePlace("node-0", zero)
		if len(f.launched) != 3 || len(f.destroyed) != 0 {
			t.Errorf("%d launches, destroyed %v", len(f.launched), f.destroyed)
		}

		// A master that starts again finds the places in its log.
		f.stop()
		f.bubble = newBubble(t, log)
		f.joinAll(3)
		f.obey(5)
		f.samePlace("node-0", zero)
		f.samePlace("node-1", one)
		if len(f.launched) != 3 {
			t.Errorf("%d launches after the master's restart", len(f.launched))
		}

		// A replacement has other volumes; the old ones are destroyed.
		f.submit(core.RestartInstance{Service: "db", Pod: "node", Index: 0, Replace: true})
		f.obey(5)
		next := f.place("node-0")
		if next.Volumes[0].ID == zero.Volumes[0].ID || len(f.destroyed) != 1 || f.destroyed[0].ID != zero.Volumes[0].ID {
			t.Errorf("replaced: volume %s, was %s; destroyed %v", next.Volumes[0].ID, zero.Volumes[0].ID, f.destroyed)
		}
		f.samePlace("node-1", one)

		keepAndTakeUp(f, next, one)

		// Removed with the data, it leaves nothing.
		f.submit(core.RemoveService{Service: "db"})
		f.obey(5)
		if v := f.master.View(); v.Service("db") != nil || v.Leftover("db") != nil || f.reserved() != 0 || len(f.destroyed) != 3 {
			t.Errorf("left: service %v, leftovers %v, %d reservations; destroyed %v", v.Service("db"), v.Leftover("db"), f.reserved(), f.destroyed)
		}
	})
}

// keepAndTakeUp removes the service with its data kept, and puts it again.
func keepAndTakeUp(f *field, zero, one cluster.Place) {
	f.t.Helper()
	destroyed := len(f.destroyed)
	f.submit(core.RemoveService{Service: "db", KeepData: true})
	f.obey(5)
	if v := f.master.View(); v.Service("db") != nil || v.Leftover("db") == nil || len(f.running) != 0 || f.reserved() == 0 || len(f.destroyed) != destroyed {
		f.t.Fatalf("after the removal: service %v, leftovers %v, running %v, %d reservations, destroyed %v", v.Service("db"), v.Leftover("db"), f.running, f.reserved(), f.destroyed)
	}
	f.put(dbSpec())
	f.obey(5)
	f.samePlace("node-0", zero)
	f.samePlace("node-1", one)
	if f.master.View().Leftover("db") != nil {
		f.t.Error("the leftovers are still there")
	}
}

// TestRecovery: an agent that stays away loses what its pod says it may.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(t, mem.New(), 3)
		defer f.stop()
		spec := dbSpec()
		spec.Pods[0].Recovery = &cluster.Recovery{ReplaceAfter: 120_000}
		f.put(spec)
		f.obey(5)
		was, other := f.place("node-0"), f.place("node-1")
		i := slices.IndexFunc(f.agents, func(s *session) bool { return s.agent == was.Agent })
		f.agents = slices.Delete(f.agents, i, i+1)
		f.obey(100)
		if got := f.master.View().Service("db").Places["node-0"]; got.Agent != was.Agent {
			t.Errorf("node-0 lives on %s before its time", got.Agent)
		}
		f.obey(60)
		now := f.place("node-0")
		if now.Agent == was.Agent || now.Volumes[0].ID == was.Volumes[0].ID {
			t.Errorf("node-0 lives at %+v after its agent was lost at %+v", now, was)
		}
		f.samePlace("node-1", other)
	})
}

// TestDeadline: a change that does not come up in time is taken back.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(t, mem.New(), 3)
		defer f.stop()
		spec := dbSpec()
		f.put(spec)
		f.obey(5)
		zero := f.place("node-0")
		spec = dbSpec()
		spec.Deadline, spec.Rollback, f.broken = 60_000, true, "bad"
		spec.Pods[0].Tasks[0].Container.Env = map[string]string{"VERSION": "bad"}
		f.put(spec)
		f.obey(30)
		if svc := f.master.View().Service("db"); !svc.Changing() || svc.Spec.Deadline == 0 {
			t.Errorf("30 s after a change that cannot work: settled at %d, generation %d", svc.Settled, svc.Generation)
		}
		f.obey(60)
		if svc := f.master.View().Service("db"); svc.Changing() || svc.Spec.Deadline != 0 || svc.Principal != "framework:services" {
			t.Errorf("after its deadline: settled at %d, generation %d, put by %q", svc.Settled, svc.Generation, svc.Principal)
		}
		f.samePlace("node-0", zero)
	})
}

// TestNames: names follow the state, and an instance that moves takes its own along.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(t, mem.New(), 2)
		defer f.stop()
		changed := f.master.ZoneChanged()
		before := f.master.Zone().Index()
		f.put(dbSpec())
		f.obey(5)
		select {
		case <-changed:
		default:
			t.Error("nobody was told that names changed")
		}
		if f.master.Zone().Index() <= before {
			t.Errorf("the zone is still that of %d", before)
		}
		p := f.place("node-1")
		a := f.master.Zone().Lookup("node-1-server.db.universe")
		if len(a.Addrs) != 1 || a.Addrs[0] != netip.MustParseAddr(p.Host) {
			t.Errorf("node-1 is %v, lives at %s", a, p.Host)
		}
		if a := f.master.Zone().Lookup("db.universe"); len(a.Addrs) != 2 {
			t.Errorf("db is %v, want both", a)
		}
		f.submit(core.RemoveService{Service: "db"})
		f.obey(5)
		if a := f.master.Zone().Lookup("db.universe"); a.Exists {
			t.Errorf("db is %v after its removal", a)
		}
	})
}

// TestNames_pollEndsWithTheMaster: a poll that waits does not hold the end up.
func TestNames_pollEndsWithTheMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(t, mem.New(), 1)
		f.obey(1)
		ask := func(query string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			f.master.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, discovery.PathNames+query, nil))
			return w
		}
		var all discovery.Update
		if err := json.Unmarshal(ask("").Body.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			ask(fmt.Sprintf("?index=%d&life=%s", all.Index, all.Life))
		}()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("a poll of who knows all was answered at once")
		default:
		}
		at := time.Now()
		f.stop()
		<-ended
		if waited := time.Since(at); waited != 0 {
			t.Errorf("the poll ended %s after the master", waited)
		}
	})
}

// TestRolesOfPlaces_areNotForOthers: no framework is offered the volumes of a service.
func TestRolesOfPlaces_areNotForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newField(t, mem.New(), 2)
		defer f.stop()
		spec := dbSpec()
		spec.Role = "dev"
		f.put(spec)
		f.obey(5)
		open := func(role cluster.Role) error {
			s, err := f.master.Frameworks("mallory").Open(f.ctx, framework.Subscribe{Framework: cluster.Framework{Name: "x", Roles: []cluster.Role{role}}})
			if err == nil {
				s.Close()
			}
			return err
		}
		for _, role := range []cluster.Role{"dev/db", "dev/db/deep/er", "services/other", "services/other/deep"} {
			if err := open(role); !problem.Is(err, problem.Forbidden) {
				t.Errorf("role %s: %v", role, err)
			}
		}
		spy := testSpec("spy", 1)
		spy.Role = "dev/db"
		if _, _, err := f.master.Submit(f.ctx, core.PutService{Spec: spy}); !problem.Is(err, problem.Forbidden) {
			t.Errorf("a service under it: %v", err)
		}
		run := cluster.RunSpec{ID: "spy", Role: "dev/db", Name: "spy", Task: testSpec("spy", 1).Pods[0].Tasks[0]}
		if _, _, err := f.master.Submit(f.ctx, core.PutRun{Spec: run}); !problem.Is(err, problem.Forbidden) {
			t.Errorf("a run under it: %v", err)
		}
		f.submit(core.RemoveService{Service: "db", KeepData: true})
		f.obey(5)
		if err := open("dev/db"); !problem.Is(err, problem.Forbidden) {
			t.Errorf("the role of what is left: %v", err)
		}
		for _, role := range []cluster.Role{"dev", "dev/db2", "services", "servicesx/db"} {
			if err := open(role); err != nil {
				t.Errorf("role %s: %v", role, err)
			}
		}
	})
}

// TestRolesOfServicesThatWent: a role for each service does not gather for ever.
func TestRolesOfServicesThatWent(t *testing.T) {
	had := []cluster.Role{cluster.DefaultRole}
	var all []cluster.Role
	for i := range 2 * cluster.MaxRoles {
		all = append(all, cluster.Role("services/s"+string(rune('a'+i/26%26))+string(rune('a'+i%26))))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, r := range all {
		had = rolesFor(had, []cluster.Role{r})
		if !slices.IsSorted(had) || !slices.Contains(had, r) || !slices.Contains(had, cluster.DefaultRole) || len(had) > idleRoles+2 {
			t.Fatalf("with %s wanted: %d roles %v", r, len(had), had)
		}
	}
	if got := rolesFor(had, nil); !slices.Equal(got, had) {
		t.Errorf("at rest %d roles became %d", len(had), len(got))
	}
	// More are wanted than can be: those that are subscribed stay.
	some := rolesFor(nil, all)
	if len(some) != cluster.MaxRoles || !slices.Equal(rolesFor(some, all), some) {
		t.Errorf("%d roles of %d, and then others", len(some), len(all))
	}
	rest := slices.DeleteFunc(slices.Clone(all), func(r cluster.Role) bool { return slices.Contains(some, r) })
	if got := rolesFor(some, rest); !slices.Contains(got, rest[0]) {
		t.Errorf("%s has no turn when the others got what they want", rest[0])
	}
}
