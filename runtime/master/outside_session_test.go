package master

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// TestUpdates_comeUntilAcknowledged lets time pass without an acknowledgement,
// then the session break.
func TestUpdates_comeUntilAcknowledged(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		p.call(accept(p.offers(), toy("t1")), framework.Call{Suppress: &framework.Roles{}})
		b.run(a)
		first := p.update()
		b.update(a, cluster.TaskStatus{Task: "t1", State: cluster.TaskFinished})
		synctest.Wait()
		p.quiet() // one at a time
		b.beat(resendAfter+2*time.Second, a)
		if again := p.update(); again.UUID != first.UUID {
			t.Errorf("got %+v again, want %+v", again, first)
		}
		b.beat(resendAfter, a)
		p.quiet() // the pause grew
		p.close()
		synctest.Wait()
		q := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{ID: p.id})
		defer q.close()
		st := q.update() // what it missed, as it stands
		if st.State != cluster.TaskFinished {
			t.Fatalf("got %+v", st)
		}
		q.ack(st)
		q.close()
		synctest.Wait()
		r := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{ID: p.id})
		defer r.close()
		for range 2 {
			if e, err := r.stream.Next(b.ctx); err != nil || len(e.Updates) > 0 {
				t.Errorf("after the acknowledgement: %+v %v", e, err)
			}
		}
	})
}

func TestFailover(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		p.call(accept(p.offers(), toy("t1")), framework.Call{Suppress: &framework.Roles{}})
		b.run(a)
		p.ack(p.update())
		if _, err := b.master.Frameworks("bob").Open(b.ctx, framework.Subscribe{Framework: cluster.Framework{ID: p.id, Name: "x"}}); !problem.Is(err, problem.Forbidden) {
			t.Errorf("another principal took it over: %v", err)
		}
		q := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{ID: p.id, FailoverTimeout: 100_000})
		if e, err := p.stream.Next(b.ctx); e.Error == nil || !problem.Is(err, problem.Conflict) {
			t.Errorf("the first session got %+v, %v", e, err)
		}
		if err := p.try(framework.Call{Revive: &framework.Roles{}}); !errors.Is(err, framework.ErrSession) {
			t.Errorf("a call of the first session: %v", err)
		}
		if err := b.master.Frameworks("bob").Call(b.ctx, q.id, framework.Calls{Session: q.session, Calls: []framework.Call{{Teardown: &framework.Teardown{}}}}); !problem.Is(err, problem.Forbidden) {
			t.Errorf("another principal's call: %v", err)
		}
		q.close()
		b.beat(90*time.Second, a)
		if f := b.master.View().Framework(q.id); f == nil || f.Connected || f.Removing {
			t.Fatalf("within the time-out: %+v", f)
		}
		q = play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{ID: p.id, FailoverTimeout: 100_000})
		b.beat(90*time.Second, a)
		if f := b.master.View().Framework(q.id); !f.Connected {
			t.Fatalf("it is there: %+v", f)
		}
		q.close()
		b.beat(102*time.Second, a)
		if _, killed := b.run(a); !cmp.Equal(killed, []cluster.TaskID{"t1"}) {
			t.Errorf("killed %v", killed)
		}
		if f := b.master.View().Framework(q.id); f != nil {
			t.Errorf("still there: %+v", f)
		}
		if _, err := b.master.Frameworks("alice").Open(b.ctx, framework.Subscribe{Framework: cluster.Framework{ID: p.id, Name: "x"}}); !problem.Is(err, problem.NotFound) {
			t.Errorf("a removed one came back: %v", err)
		}
	})
}

// TestFailover_ofTheMaster restarts the master: a framework that may not be away
// at all has time to come back, and its tasks live.
func TestFailover_ofTheMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New()
		b := newBubble(t, log)
		a := b.join("a1")
		p := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{})
		p.call(accept(p.offers(), toy("t1")), framework.Call{Suppress: &framework.Roles{}})
		b.run(a)
		p.ack(p.update())
		b.stop()
		if e, err := p.stream.Next(t.Context()); e.Error == nil || !problem.Is(err, problem.Unavailable) {
			t.Errorf("the end of the master: %+v, %v", e, err)
		}
		b = newBubble(t, log)
		defer b.stop()
		a = b.join("a1", cluster.TaskReport{Spec: toy("t1"), Status: cluster.TaskStatus{Task: "t1", State: cluster.TaskRunning, UUID: "t1-TASK_RUNNING"}})
		b.beat(50*time.Second, a)
		if f := b.master.View().Framework(p.id); f == nil || f.Connected {
			t.Fatalf("%+v", f)
		}
		q := play(t, b.ctx, b.master.Frameworks("alice"), cluster.Framework{ID: p.id})
		if st := q.update(); st.Task != "t1" || st.State != cluster.TaskRunning {
			t.Errorf("got %+v", st)
		}
		q.close()
		b.beat(12*time.Second, a) // the grace is over
		if _, killed := b.run(a); len(killed) != 1 {
			t.Errorf("killed %v", killed)
		}
	})
}

func TestSlowFramework(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		ids := make([]core.TaskQuestion, framework.MaxReconcile)
		for i := range ids {
			ids[i].Task = cluster.TaskID(fmt.Sprint("t", i))
		}
		ask := framework.Call{Reconcile: &framework.Reconcile{Tasks: ids}}
		for range MaxFrameworkEvents/framework.MaxReconcile + 1 {
			p.call(ask)
		}
		synctest.Wait()
		e, err := p.stream.Next(b.ctx)
		if e.Error == nil || !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "too slowly") {
			t.Fatalf("got %+v, %v", e, err)
		}
		if err := p.try(ask); !errors.Is(err, framework.ErrSession) {
			t.Errorf("a call: %v", err)
		}
		synctest.Wait()
		if f := b.master.View().Framework(p.id); f.Connected {
			t.Error("it counts as connected")
		}
	})
}

// TestSilentFramework lets offers expire: it gets none for longer and longer,
// until it calls, whatever for.
func TestSilentFramework(t *testing.T) {
	table(t, func(b *bubble, a *session, p *player) {
		timeout := time.Duration(alloc.DefaultOfferTimeout) * time.Millisecond
		for range 2 { // the second time it is more than one late answer
			p.offers()
			b.beat(timeout+2*time.Second, a)
			if e := p.next(); len(e.Rescind) != 1 {
				t.Fatalf("got %+v, want the offer rescinded", e)
			}
			p.quiet()
			b.beat(timeout, a)
		}
		p.quiet()
		asked := time.Now()
		p.call(framework.Call{Reconcile: &framework.Reconcile{Tasks: []core.TaskQuestion{{Task: "none"}}}})
		for e := p.next(); len(e.Offers) == 0; e = p.next() {
			if len(e.Updates) == 0 {
				t.Fatalf("got %+v", e)
			}
		}
		if d := time.Since(asked); d > tick {
			t.Errorf("the offers came %s after its call", d)
		}
	})
}
