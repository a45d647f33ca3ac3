package agent

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is a growing pause with jitter, so that many agents whose master went
// away do not come back in one moment.
type backoff struct {
	least, most time.Duration
	next        time.Duration
}

// wait pauses and doubles the next pause. It reports false when ctx is done.
func (b *backoff) wait(ctx context.Context) bool {
	if b.next == 0 {
		b.next = b.least
	}
	pause := b.next/2 + rand.N(b.next/2+1)
	b.next = min(2*b.next, b.most)
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *backoff) reset() { b.next = 0 }
