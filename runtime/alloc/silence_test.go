package alloc

import (
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// wait lets seconds pass until an offer is outstanding and gives how long it took.
func (w *world) wait() cluster.Millis {
	w.t.Helper()
	from := w.now
	for ; w.now.Sub(from) < 1_000_000; w.now += 1000 {
		w.cycle()
		if w.alloc.Outstanding() > 0 {
			return w.now.Sub(from)
		}
	}
	w.t.Fatal("no offer came in 1000 seconds")
	return 0
}

// ignore lets n offers expire, each after the one before.
func (w *world) ignore(n int) {
	w.t.Helper()
	for range n {
		w.wait()
		w.now, _ = w.alloc.NextDeadline()
		w.alloc.Expire(w.now)
	}
}

func TestSilence_grows(t *testing.T) {
	for times, want := range map[int]cluster.Millis{1: 10_000, 2: 20_000, 3: 40_000, 4: 80_000, 7: 640_000, 8: 640_000, 12: 640_000} {
		w := newWorld(t, Config{OfferTimeout: 10_000})
		w.agents(1, cpus(4))
		w.framework("f1", "*")
		w.ignore(times)
		if got := w.wait(); got != want {
			t.Errorf("after %d offers in vain the next comes after %d ms, want %d", times, got, want)
		}
	}
}

// TestSilence_countsRounds sees that many offers at once are one silence.
func TestSilence_countsRounds(t *testing.T) {
	w := newWorld(t, Config{OfferTimeout: 10_000})
	w.agents(3, cpus(4))
	w.framework("f1", "*")
	made, _ := w.cycle()
	w.decline(made[0], 0)
	w.now += 5000
	w.cycle() // the third offer is made later, but before the first two expire
	for range 10_000 {
		w.now++
		w.alloc.Expire(w.now)
	}
	if n := w.alloc.silent["f1"].times; n != 1 {
		t.Errorf("silence is counted %d times, want once", n)
	}
}

func TestSilence_isOver(t *testing.T) {
	for name, call := range map[string]func(*world){
		"another call": func(w *world) { w.alloc.Heard("f1") },
		"a late take":  func(w *world) { _, _ = w.alloc.Take("f1", "long-gone") },
		"suppress":     func(w *world) { w.alloc.Suppress("f1", "other") },
		"revive":       func(w *world) { w.alloc.Revive("f1") },
		"subscription": func(w *world) { w.framework("f1", "*") },
	} {
		w := newWorld(t, Config{OfferTimeout: 10_000})
		w.agents(1, cpus(4))
		w.framework("f1", "*")
		w.ignore(3)
		w.now += 30_000 // the refusal of the offer itself is over, the silence is not
		w.none()
		if why := w.alloc.Why(w.now, "f1", "*", cpus(1)); why.MutedUntil != w.now+10_000 {
			t.Errorf("%s: muted until %d, want %d", name, why.MutedUntil, w.now+10_000)
		}
		call(w)
		if made, _ := w.cycle(); len(made) != 1 {
			t.Errorf("%s: no offer came", name)
		}
		if why := w.alloc.Why(w.now, "f1", "*", cpus(1)); why.MutedUntil != 0 {
			t.Errorf("%s: still muted until %d", name, why.MutedUntil)
		}
		w.ignore(1)
		if got := w.wait(); got != 10_000 {
			t.Errorf("%s: the silence before was not forgotten: the next offer took %d ms", name, got)
		}
	}
}

// TestSilence_starvesNobody: who never answers holds nothing, so that its share
// is the smallest; yet others get nearly all the time.
func TestSilence_starvesNobody(t *testing.T) {
	w := newWorld(t, Config{OfferTimeout: 10_000})
	w.agents(1, cpus(4))
	w.framework("dead", "*")
	w.framework("f1", "*")
	free := 0
	for range 1000 { // seconds
		w.now += 1000
		w.alloc.Expire(w.now)
		if made, _ := w.cycle(); len(made) == 1 && made[0].Framework == "f1" {
			free++
			w.decline(made[0], 1000) // it would have it again and again
		}
	}
	if free < 900 {
		t.Errorf("the one who answers was asked in %d of 1000 seconds", free)
	}
	w.apply(core.RemoveFramework{Framework: "dead"})
	w.cycle()
	if len(w.alloc.silent) != 0 {
		t.Errorf("silence of a framework that left is kept: %v", w.alloc.silent)
	}
}
