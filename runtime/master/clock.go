package master

import (
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// clock is the master's time: the one of its commands, offers and timers. It
// follows the machine's clock, and where that steps back it goes on at its own
// pace until it is caught up: it never goes back, not over a restart either. It
// is a leaf with a lock.
type clock struct {
	began time.Time // with the monotonic reading that paces it

	mu   sync.Mutex
	base cluster.Time // the time at began, as far as it is known now
}

// newClock makes a clock for a master whose log ends at last.
func newClock(last cluster.Time) *clock {
	return &clock{began: time.Now(), base: last}
}

// now is the time.
func (c *clock) now() cluster.Time {
	t := time.Now()
	return c.read(cluster.Time(t.UnixMilli()), t.Sub(c.began))
}

// read is the time when the machine's clock shows wall, and elapsed has passed
// since the clock was made. A machine that is ahead is followed for good.
func (c *clock) read(wall cluster.Time, elapsed time.Duration) cluster.Time {
	passed := cluster.Time(elapsed.Milliseconds())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = max(c.base, wall-passed)
	return c.base + passed
}

// until is how long it takes until t.
func (c *clock) until(t cluster.Time) time.Duration {
	return time.Duration(t-c.now()) * time.Millisecond
}
