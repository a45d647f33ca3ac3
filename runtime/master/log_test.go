package master

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// brokenLog fails to append once it is told to.
type brokenLog struct {
	*mem.Log
	broken chan struct{}
}

func (l *brokenLog) Append(ctx context.Context, entries [][]byte) (int64, error) {
	select {
	case <-l.broken:
		return 0, errors.New("no space left on device")
	default:
		return l.Log.Append(ctx, entries)
	}
}

func TestLogFailure_stopsTheMaster(t *testing.T) {
	log := &brokenLog{Log: mem.New(), broken: make(chan struct{})}
	m, err := New(t.Context(), Config{Store: log})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Run(context.Background()) }()
	ctx := testContext(t)
	if _, _, err := m.Submit(ctx, core.PutService{Spec: testSpec("web", 1)}); err != nil {
		t.Fatal(err)
	}
	before := m.View().Index()
	close(log.broken)
	if _, _, err := m.Submit(ctx, core.RemoveService{Service: "web"}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Submit on a broken log: %v", err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Run = %v", err)
	}
	if m.View().Index() != before || m.View().Service("web").Removing {
		t.Error("a command that is not in the log was applied")
	}
	if _, _, err := m.Submit(ctx, core.RemoveService{Service: "web"}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Submit after the end: %v", err)
	}
}

func TestSnapshot_isUsed(t *testing.T) {
	log := mem.New()
	r := start(t, log, nil)
	ctx := testContext(t)
	cmds := make([]core.Command, MaxInbox/2)
	for i := range cmds {
		cmds[i] = core.PutService{Spec: testSpec(cluster.ServiceID(fmt.Sprintf("s%d", i%50)), 0)}
	}
	saved := func() int64 {
		at, _, err := log.LoadSnapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for saved() == 0 {
		if _, err := r.master.submitAll(ctx, cmds); err != nil {
			t.Fatal(err)
		}
	}
	if at := saved(); at < SnapshotEvery {
		t.Errorf("a snapshot at %d, before %d", at, SnapshotEvery)
	}
	r.stop()
	again, err := New(ctx, Config{Store: log})
	if err != nil {
		t.Fatal(err)
	}
	if again.View().Hash() != r.master.View().Hash() {
		t.Error("snapshot and the entries after it lead to another state")
	}
	// What the snapshot stands for is not replayed: its events are not known.
	if _, _, lost, err := again.Events(ctx, 0); err != nil || !lost {
		t.Errorf("events before the snapshot: lost = %t, %v", lost, err)
	}
}

func TestNew_refusesALogItDoesNotUnderstand(t *testing.T) {
	log := mem.New()
	if _, err := log.Append(t.Context(), [][]byte{[]byte(`{"v":99,"k":"agent.register"}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Config{Store: log}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("New = %v", err)
	}
	if _, err := New(t.Context(), Config{}); err == nil {
		t.Error("New without a store")
	}
}

func TestSubmit_answersWithTheRefusal(t *testing.T) {
	r := start(t, memLog(), nil)
	ctx := testContext(t)
	zero := int64(0)
	r.mustPut(t, testSpec("web", 1))
	for _, tc := range []struct {
		name  string
		cmd   core.Command
		class problem.Class
	}{
		{"no such task", core.KillTask{Task: "x"}, problem.NotFound},
		{"service exists", core.PutService{Spec: testSpec("web", 1), Expect: &zero}, problem.Exists},
		{"no such service", core.RemoveService{Service: "x"}, problem.NotFound},
		{"invalid reference", core.PutService{Spec: withCommand("${pods.x[0].host}")}, problem.Invalid},
		{"over the limit", core.PutService{Spec: withCommand(strings.Repeat("x", core.MaxEntry))}, problem.TooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, _, err := r.master.Submit(ctx, tc.cmd); !problem.Is(err, tc.class) {
				t.Errorf("Submit = %v, want class %s", err, tc.class)
			}
		})
	}
	// The loop goes on after all of them.
	r.mustPut(t, testSpec("other", 0))
}

func withCommand(text string) cluster.ServiceSpec {
	s := testSpec("bad", 1)
	s.Pods[0].Tasks[0].Container.Command = []string{text}
	return s
}

func TestInbox_isBounded(t *testing.T) {
	m, err := New(t.Context(), Config{Store: mem.New()})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody runs the loop: the inbox fills up.
	for range MaxInbox {
		if err := m.send(request{cmd: core.KillTask{Task: "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := m.Submit(t.Context(), core.KillTask{Task: "x"}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Submit into a full inbox: %v", err)
	}
}

func TestRing_keepsTheLatest(t *testing.T) {
	r := newRing(make(chan struct{}))
	ctx := testContext(t)
	const last = 3 * MaxEvents
	for i := int64(1); i <= last; i++ {
		r.add([]core.Event{{Index: i}, {Index: i}}, i)
	}
	events, next, lost, err := r.after(ctx, 0)
	if err != nil || !lost || next != last || len(events) < MaxEvents-1 || len(events) > 2*MaxEvents || events[0].Index != events[1].Index {
		t.Fatalf("%d events from %d on, lost = %t, %v", len(events), events[0].Index, lost, err)
	}
	first := events[0].Index
	if events, _, lost, _ = r.after(ctx, first-1); lost || events[0].Index != first {
		t.Errorf("after %d: from %d on, lost = %t", first-1, events[0].Index, lost)
	}
	if events, _, lost, _ = r.after(ctx, last-1); lost || len(events) != 2 {
		t.Errorf("the last index has %d events, lost = %t", len(events), lost)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, _, err := r.after(short, last); err == nil {
		t.Error("after the last event there is another one")
	}
}
