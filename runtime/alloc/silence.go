package alloc

import "github.com/universe-dcos/universe/runtime/cluster"

// MaxSilence bounds how often the time that a silent framework gets no offers
// doubles: at the default time-out it ends at 64 minutes.
const MaxSilence = 6

// silence is how a framework let its offers expire since it was heard last.
type silence struct {
	times   int          // how often
	counted cluster.Time // when that was counted; offers made before tell nothing new
}

// unanswered counts an offer that expired. What it held is refused for an offer's
// time-out, as if the framework had declined it: whoever never answers, and so
// never holds much, would be the first to be offered the same again for ever.
// When it lets later offers expire too, it gets no offers at all for a time that
// doubles each time.
func (a *Allocator) unanswered(now cluster.Time, o *cluster.Offer) {
	a.Decline(now, *o, a.cfg.OfferTimeout)
	s := a.silent[o.Framework]
	if s == nil {
		if a.subs[o.Framework] == nil {
			return // it left; what it is to return as starts anew
		}
		s = &silence{}
		a.silent[o.Framework] = s
	}
	if made := o.Deadline.Add(-a.cfg.OfferTimeout); s.times > 0 && made < s.counted {
		return
	}
	if s.times > 0 {
		until := now.Add(a.cfg.OfferTimeout << min(s.times, MaxSilence))
		a.each(o.Framework, nil, func(c *client) { c.mutedUntil = until })
	}
	s.times, s.counted = s.times+1, now
}

// Heard says that a framework called, whatever for: its silence is over, and it
// gets offers again. Take, Suppress and Revive say so by themselves, and so does
// a subscription; the caller says it for all other calls.
func (a *Allocator) Heard(framework cluster.FrameworkID) {
	if a.silent[framework] == nil {
		return
	}
	delete(a.silent, framework)
	a.each(framework, nil, func(c *client) {
		if c.mutedUntil != 0 {
			c.mutedUntil = 0
			a.wishes++
		}
	})
}
