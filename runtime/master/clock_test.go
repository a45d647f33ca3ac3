package master

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func TestClock(t *testing.T) {
	const hour = cluster.Time(time.Hour / time.Millisecond)
	c := newClock(10 * hour)
	for _, tc := range []struct {
		what       string
		wall       cluster.Time // what the machine's clock shows
		after      time.Duration
		want, then cluster.Time // the time, and a second later with the machine's clock at rest
	}{
		{"a machine behind the log", 9 * hour, 0, 10 * hour, 10*hour + 1000},
		{"still behind", 9*hour + 5000, 5 * time.Second, 10*hour + 5000, 10*hour + 6000},
		{"a step forward", 12 * hour, time.Minute, 12 * hour, 12*hour + 1000},
		{"a step back", 3 * hour, 2 * time.Minute, 12*hour + 60_000, 12*hour + 61_000},
		{"caught up", 12*hour + 90_000, 3 * time.Minute, 12*hour + 120_000, 12*hour + 121_000},
		{"overtaken", 12*hour + 300_000, 4 * time.Minute, 12*hour + 300_000, 12*hour + 301_000},
	} {
		if got := c.read(tc.wall, tc.after); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.what, got, tc.want)
		}
		if got := c.read(tc.wall, tc.after+time.Second); got != tc.then {
			t.Errorf("a second after %s: %d, want %d", tc.what, got, tc.then)
		}
	}
}

// A master whose machine's clock was put back between two starts goes on from
// where its log ends, in its commands as in its timers.
func TestClock_overARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = cluster.Time(24 * time.Hour / time.Millisecond)
		log, state := memLog(), core.New()
		cmd := core.PutService{Spec: testSpec("web", 0)}
		at := cluster.Time(time.Now().UnixMilli()) + ahead
		state.Apply(at, cmd)
		if _, err := log.Append(t.Context(), [][]byte{core.Encode(at, cmd)}); err != nil {
			t.Fatal(err)
		}
		b := newBubble(t, log)
		defer b.stop()
		if got := b.master.Now(); got != at {
			t.Errorf("the master's time is %d, want that of its log, %d", got, at)
		}
		b.beat(3 * time.Second)
		b.put(testSpec("other", 0))
		if got, want := b.master.View().Time(), at+3000; got != want || b.master.Now() != want {
			t.Errorf("a command's time is %d, the master's %d, want %d", got, b.master.Now(), want)
		}
	})
}
