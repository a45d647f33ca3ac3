package master

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// player is a framework whose moves a test makes.
type player struct {
	t         *testing.T
	ctx       context.Context
	transport framework.Transport
	stream    framework.Stream
	id        cluster.FrameworkID
	session   string
}

// play subscribes a framework; info.ID is that of an earlier session, or empty.
func play(t *testing.T, ctx context.Context, transport framework.Transport, info cluster.Framework) *player {
	t.Helper()
	if info.Name == "" {
		info.Name = "player"
	}
	s, err := transport.Open(ctx, framework.Subscribe{Framework: info})
	if err != nil {
		t.Fatal(err)
	}
	p := &player{t: t, ctx: ctx, transport: transport, stream: s}
	e := p.next()
	if e.Subscribed == nil {
		t.Fatalf("the first event is %+v", e)
	}
	p.id, p.session = e.Subscribed.Framework, e.Subscribed.Session
	return p
}

// next is the next event that is no heartbeat.
func (p *player) next() framework.Event {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute) // of a bubble's time: at once
	defer cancel()
	for {
		e, err := p.stream.Next(ctx)
		if err != nil {
			p.t.Fatalf("next event: %v", err)
		}
		if e.Heartbeat == nil {
			return e
		}
	}
}

func (p *player) offers() []cluster.Offer {
	p.t.Helper()
	e := p.next()
	if len(e.Offers) == 0 {
		p.t.Fatalf("no offers but %+v", e)
	}
	return e.Offers
}

// update is the next update; offers before it are left.
func (p *player) update() cluster.TaskStatus {
	p.t.Helper()
	e := p.next()
	for len(e.Updates) == 0 {
		e = p.next()
	}
	if len(e.Updates) != 1 {
		p.t.Fatalf("not one update but %+v", e)
	}
	return e.Updates[0]
}

func (p *player) try(calls ...framework.Call) error {
	return p.transport.Call(p.ctx, p.id, framework.Calls{Session: p.session, Calls: calls})
}

func (p *player) call(calls ...framework.Call) {
	p.t.Helper()
	if err := p.try(calls...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) ack(st cluster.TaskStatus) {
	p.t.Helper()
	if st.UUID == "" {
		p.t.Fatalf("update without a uuid: %+v", st)
	}
	p.call(framework.Call{Acknowledge: &framework.Acknowledge{Task: st.Task, UUID: st.UUID}})
}

// quiet fails when there is an event. It is for bubbles only.
func (p *player) quiet() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Millisecond)
	defer cancel()
	if e, err := p.stream.Next(ctx); err == nil {
		p.t.Fatalf("unexpected event %+v", e)
	}
}

func (p *player) close() {
	p.t.Helper()
	if err := p.stream.Close(); err != nil {
		p.t.Error(err)
	}
}

// toy is a task of a framework.
func toy(id cluster.TaskID) cluster.TaskSpec {
	return cluster.TaskSpec{ID: id, Name: string(id), Task: "toy", Goal: cluster.GoalRunning,
		Container: testSpec("x", 1).Pods[0].Tasks[0].Container, Resources: cluster.Resources{CPU: 100, Mem: 32 << 20}}
}

func accept(offers []cluster.Offer, tasks ...cluster.TaskSpec) framework.Call {
	a := &framework.Accept{Tasks: tasks, RefuseFor: new(cluster.Millis)}
	for _, o := range offers {
		a.Offers = append(a.Offers, o.ID)
	}
	return framework.Call{Accept: a}
}

// TestFramework_life plays a framework's life over HTTP and in the process.
func TestFramework_life(t *testing.T) {
	for _, name := range []string{"http", "in process"} {
		t.Run(name, func(t *testing.T) {
			r := start(t, memLog(), nil)
			newFakeAgent(t, "a1").mustConnect(r.agents.URL)
			transport := r.master.Frameworks("anonymous")
			if name == "http" {
				var err error
				if transport, err = framework.HTTP(r.api.URL, r.api.Client()); err != nil {
					t.Fatal(err)
				}
			}
			p := play(t, testContext(t), transport, cluster.Framework{FailoverTimeout: 60_000})
			defer p.close()
			offers := p.offers()
			p.call(accept(offers, toy("t1")))
			st := p.update()
			if st.Task != "t1" || st.State != cluster.TaskRunning || st.Agent != "a1" || st.UUID != "t1-TASK_RUNNING" {
				t.Fatalf("got %+v", st)
			}
			p.ack(st)
			if task := r.master.View().Task("t1"); task.Spec.Framework != p.id || task.Spec.Role != cluster.DefaultRole {
				t.Errorf("task %+v", task.Spec)
			}
			p.call(framework.Call{Suppress: &framework.Roles{}})
			p.call(framework.Call{Kill: &framework.Kill{Task: "t1"}})
			if st = p.update(); st.State != cluster.TaskKilled {
				t.Fatalf("got %+v", st)
			}
			p.ack(st)
			p.call(framework.Call{Teardown: &framework.Teardown{}})
			for {
				if e, err := p.stream.Next(p.ctx); err != nil {
					if e.Error == nil || !problem.Is(err, problem.NotFound) {
						t.Errorf("the end is %+v, %v", e, err)
					}
					break
				}
			}
			r.until("its end", func() bool { return r.master.View().Framework(p.id) == nil })
		})
	}
}

// table is a bubble with an agent and a framework that has its offer.
func table(t *testing.T, f func(b *bubble, a *session, p *player)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		a := b.join("a1")
		p := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{FailoverTimeout: 100_000})
		defer p.close()
		f(b, a, p)
	})
}

func TestAccept_badInput(t *testing.T) {
	with := func(change func(*cluster.TaskSpec)) []cluster.TaskSpec {
		spec := toy("t1")
		change(&spec)
		return []cluster.TaskSpec{spec}
	}
	for _, c := range []struct {
		name   string
		tasks  []cluster.TaskSpec
		state  cluster.TaskState // of the update; empty: the call itself is refused
		class  problem.Class
		reason string // in the message
	}{
		{"negative cpus", with(func(s *cluster.TaskSpec) { s.Resources.CPU = -1 }), cluster.TaskError, "", "less than nothing"},
		{"negative memory beside cpus", with(func(s *cluster.TaskSpec) { s.Resources.Mem = math.MinInt64 }), cluster.TaskError, "", "less than nothing"},
		{"huge memory", with(func(s *cluster.TaskSpec) { s.Resources.Mem = math.MaxInt64 }), cluster.TaskError, "", ""},
		{"more than the offer", with(func(s *cluster.TaskSpec) { s.Resources.CPU = 1001 }), cluster.TaskError, "", "fit"},
		{"no resources", with(func(s *cluster.TaskSpec) { s.Resources = cluster.Resources{} }), cluster.TaskError, "", ""},
		{"a port that was not offered", with(func(s *cluster.TaskSpec) {
			s.Resources.Ports, s.Ports = cluster.Port(80), map[string]uint16{"http": 80}
		}), cluster.TaskError, "", ""},
		{"another role", with(func(s *cluster.TaskSpec) { s.Role = "eng" }), cluster.TaskError, "", "role"},
		{"another framework", with(func(s *cluster.TaskSpec) { s.Framework = "services" }), "", problem.Forbidden, "names framework"},
		{"malformed id", with(func(s *cluster.TaskSpec) { s.ID = "../T" }), cluster.TaskError, "", "malformed"},
		{"no image", with(func(s *cluster.TaskSpec) { s.Container.Image = "" }), cluster.TaskError, "", "image"},
		{"a service's task", with(func(s *cluster.TaskSpec) { s.Service = "web" }), "", problem.Forbidden, "not a framework's"},
		{"a run's task", with(func(s *cluster.TaskSpec) { s.Run = "r1" }), "", problem.Forbidden, "not a framework's"},
		{"an id twice", []cluster.TaskSpec{toy("t1"), toy("t1")}, "", problem.Invalid, "twice"},
		{"no id", with(func(s *cluster.TaskSpec) { s.ID = "" }), "", problem.Invalid, "no id"},
		{"too many", make([]cluster.TaskSpec, framework.MaxTasks+1), "", problem.TooLarge, "limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table(t, func(b *bubble, a *session, p *player) {
				offers := p.offers()
				p.call(framework.Call{Suppress: &framework.Roles{}})
				err := p.try(accept(offers, c.tasks...))
				if c.state == "" {
					if !problem.Is(err, c.class) || !strings.Contains(err.Error(), c.reason) {
						t.Fatalf("got %v", err)
					}
					// Nothing was done: the offer is still good.
					p.call(accept(offers, toy("good")))
					if launched, _ := b.run(a); len(launched) != 1 {
						t.Fatalf("launched %d tasks", len(launched))
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				st := p.update()
				if st.Task != c.tasks[0].ID || st.State != c.state || !strings.Contains(st.Message, c.reason) || st.UUID == "" {
					t.Fatalf("got %+v", st)
				}
				p.ack(st)
				if launched, _ := b.run(a); len(launched) != 0 {
					t.Fatalf("launched %+v", launched)
				}
				if got := b.master.View().Agent("a1").Allocated; !got.IsZero() {
					t.Errorf("the agent holds %s", got)
				}
			})
		})
	}
}

func TestAccept_badOffers(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(b *bubble, p *player, offers []cluster.Offer) []cluster.Offer
		want  string
	}{
		{"after its time", func(b *bubble, p *player, offers []cluster.Offer) []cluster.Offer {
			b.beat(time.Duration(offers[0].Deadline.Sub(b.master.Now()))*time.Millisecond+2*time.Second, b.master.sessions.current["a1"])
			if e := p.next(); !cmp.Equal(e.Rescind, []cluster.OfferID{offers[0].ID}) {
				b.t.Errorf("got %+v, want the offer rescinded", e)
			}
			return offers
		}, "not outstanding"},
		{"twice in one accept", func(_ *bubble, _ *player, offers []cluster.Offer) []cluster.Offer {
			return append(offers, offers[0])
		}, "named twice"},
		{"never made", func(*bubble, *player, []cluster.Offer) []cluster.Offer {
			return []cluster.Offer{{ID: "x-O1"}}
		}, "not outstanding"},
		{"of another framework", func(b *bubble, p *player, offers []cluster.Offer) []cluster.Offer {
			p.call(framework.Call{Suppress: &framework.Roles{}}, accept(offers)) // without tasks: given back
			other := play(b.t, b.ctx, b.master.Frameworks("bob"), cluster.Framework{})
			b.t.Cleanup(other.close)
			return other.offers()
		}, "is not framework"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table(t, func(b *bubble, a *session, p *player) {
				bad := c.spoil(b, p, p.offers())
				p.call(framework.Call{Suppress: &framework.Roles{}})
				p.call(accept(bad, toy("t1")))
				if st := p.update(); st.State != cluster.TaskDropped || st.Reason != cluster.ReasonInvalidOffers || !strings.Contains(st.Message, c.want) {
					t.Fatalf("got %+v", st)
				}
				if launched, _ := b.run(a); len(launched) != 0 {
					t.Fatalf("launched %+v", launched)
				}
			})
		})
	}
}

// TestAccept_again makes the same acceptance twice: the living task is not
// said to be lost.
func TestAccept_again(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		offers := p.offers()
		p.call(framework.Call{Suppress: &framework.Roles{}})
		p.call(accept(offers, toy("t1")), accept(offers, toy("t1")))
		st := p.update()
		if st.State != cluster.TaskStaging || st.Reason != cluster.ReasonInvalidOffers || st.UUID != "" {
			t.Errorf("got %+v", st)
		}
		launched, _ := b.run(a)
		if len(launched) != 1 {
			t.Fatalf("launched %d tasks", len(launched))
		}
		if st = p.update(); st.State != cluster.TaskRunning {
			t.Fatalf("got %+v", st)
		}
		p.ack(st)
		// With a good offer, but an id that is taken.
		p.call(framework.Call{Revive: &framework.Roles{}})
		offers = p.offers()
		p.call(framework.Call{Suppress: &framework.Roles{}})
		p.call(accept(offers, toy("t1"), toy("t2")))
		if st = p.update(); st.Task != "t1" || st.State != cluster.TaskRunning || st.Reason != cluster.ReasonTaskInvalid {
			t.Errorf("got %+v", st)
		}
		if launched, _ = b.run(a); len(launched) != 1 || launched[0].ID != "t2" {
			t.Fatalf("launched %+v", launched)
		}
	})
}

func TestOffers_refusedRevivedSuppressed(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		offers := p.offers()
		hour := cluster.Millis(3_600_000)
		p.call(framework.Call{Decline: &framework.Decline{Offers: []cluster.OfferID{offers[0].ID, "void"}, RefuseFor: &hour}})
		b.beat(time.Minute, a)
		p.quiet()
		p.call(framework.Call{Revive: &framework.Roles{}})
		offers = p.offers()
		p.call(accept(offers)) // nothing is refused, so it comes again
		offers = p.offers()
		p.call(framework.Call{Suppress: &framework.Roles{}}, accept(offers))
		b.beat(time.Minute, a)
		p.quiet()
	})
}

func TestOffers_areRescinded(t *testing.T) {
	table(t, func(b *bubble, _ *session, p *player) {
		offers := p.offers()
		b.beat(40 * time.Second) // the agent is silent
		if e := p.next(); !cmp.Equal(e.Rescind, []cluster.OfferID{offers[0].ID}) {
			t.Errorf("got %+v", e)
		}
	})
}

func TestReconcile(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		p.call(accept(p.offers(), toy("t1")), framework.Call{Suppress: &framework.Roles{}})
		b.run(a)
		p.ack(p.update())
		b.put(testSpec("web", 1))
		b.run(a)
		var foreign cluster.TaskID
		for task := range b.master.View().ServiceTasks("web") {
			foreign = task.Spec.ID
		}
		ask := []core.TaskQuestion{{Task: "t1"}, {Task: "none"}, {Task: foreign}, {Task: "lost", Agent: "a1"}}
		p.call(framework.Call{Reconcile: &framework.Reconcile{Tasks: ask}})
		var got []string
		for _, st := range p.next().Updates {
			got = append(got, fmt.Sprint(st.Task, " ", st.State, " ", st.Reason, st.UUID))
		}
		want := []string{"t1 TASK_RUNNING REASON_RECONCILIATION", "none TASK_UNKNOWN REASON_RECONCILIATION", string(foreign) + " TASK_UNKNOWN REASON_RECONCILIATION", "lost TASK_GONE REASON_RECONCILIATION"}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		p.call(framework.Call{Reconcile: &framework.Reconcile{}})
		if st := p.update(); st.Task != "t1" {
			t.Errorf("got %+v", st)
		}
		p.call(framework.Call{Kill: &framework.Kill{Task: foreign}})
		if st := p.update(); st.State != cluster.TaskUnknown {
			t.Errorf("got %+v", st)
		}
		if b.master.View().Task(foreign).Killing {
			t.Error("a framework killed another's task")
		}
	})
}

func TestSubscribe_badInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		synctest.Wait()
		for _, c := range []struct {
			info  cluster.Framework
			class problem.Class
		}{
			{cluster.Framework{}, problem.Invalid},
			{cluster.Framework{Name: strings.Repeat("x", framework.MaxName+1)}, problem.Invalid},
			{cluster.Framework{Name: "a\nb"}, problem.Invalid},
			{cluster.Framework{Name: "x", FailoverTimeout: -1}, problem.Invalid},
			{cluster.Framework{Name: "x", FailoverTimeout: math.MaxInt64}, problem.Invalid},
			{cluster.Framework{Name: "x", Roles: []cluster.Role{"a//b"}}, problem.Invalid},
			{cluster.Framework{Name: "x", Roles: []cluster.Role{"a", "a"}}, problem.Invalid},
			{cluster.Framework{Name: "x", Roles: make([]cluster.Role, cluster.MaxRoles+1)}, problem.Invalid},
			{cluster.Framework{Name: "x", ID: "mine"}, problem.NotFound},
			{cluster.Framework{Name: "x", ID: "services"}, problem.NotFound},
		} {
			if _, err := b.master.Frameworks("master").Open(b.ctx, framework.Subscribe{Framework: c.info}); !problem.Is(err, c.class) {
				t.Errorf("%+v: %v, want %s", c.info, err, c.class)
			}
		}
		n := 0
		for f := range b.master.View().Frameworks() {
			if !isBuiltin(f.Info.ID) {
				n++
			}
		}
		if n != 0 {
			t.Errorf("%d frameworks were made", n)
		}
	})
}

// TestAccept_operations reserves, uses the reservation at once, and asks for
// what cannot be: the whole gang is refused.
func TestAccept_operations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, mem.New())
		defer b.stop()
		a := b.join("a1")
		p := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{Roles: []cluster.Role{"eng"}})
		defer p.close()
		stack := cluster.Stack{{Role: "eng", Principal: "alice"}}
		part := cluster.Resources{CPU: 300, Mem: 64 << 20}
		reserve := cluster.Operation{ID: "r1", Kind: cluster.OpReserve, Stack: stack, Resources: part}
		spec := toy("t1")
		spec.Resources, spec.Reserved = part, cluster.Reserves{{Stack: stack, Resources: part}}
		gang := accept(p.offers(), spec, toy("BAD"))
		gang.Accept.Operations, gang.Accept.AllOrNone = []cluster.Operation{reserve}, true
		p.call(gang)
		if e := p.next(); len(e.Operations) != 1 || !e.Operations[0].Refused {
			t.Errorf("got %+v", e)
		}
		if e := p.next(); len(e.Updates) != 2 || e.Updates[0].State != cluster.TaskDropped {
			t.Errorf("got %+v", e)
		}
		spec.ID = "t2"
		good := accept(p.offers(), spec)
		good.Accept.Operations = []cluster.Operation{reserve}
		p.call(good)
		if e := p.next(); len(e.Operations) != 1 || e.Operations[0].ID != "r1" || e.Operations[0].Refused {
			t.Errorf("got %+v", e)
		}
		if launched, _ := b.run(a); len(launched) != 1 || launched[0].ID != "t2" {
			t.Fatalf("launched %+v", launched)
		}
		// What is left is offered without the reservation, which the task holds.
		if offers := p.offers(); offers[0].Resources.CPU != 700 || len(offers[0].Reserved) != 0 {
			t.Errorf("offered %+v", offers[0])
		}
	})
}
