package service

import (
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

const (
	// Framework is the id of this framework.
	Framework cluster.FrameworkID = "services"
	// BackoffMin is the wait after a first failure.
	BackoffMin cluster.Millis = 1_000
	// BackoffMax bounds the wait after many.
	BackoffMax cluster.Millis = 60_000
	// LaunchTimeout is how long an agent that is in touch may take to confirm a
	// launch. It confirms before it pulls an image, so this is long.
	LaunchTimeout cluster.Millis = 120_000
)

// Backoff is the wait after so many failures in a row: BackoffMin doubled with
// each, at most BackoffMax.
func Backoff(failures int) cluster.Millis {
	if failures <= 0 {
		return 0
	}
	d := BackoffMin
	for range failures - 1 {
		if d *= 2; d >= BackoffMax {
			return BackoffMax
		}
	}
	return d
}

// heldUntil is the time before which an instance is not launched again.
func heldUntil(rec *core.Instance) cluster.Time {
	var until cluster.Time
	if rec.Failures > 0 {
		until = rec.FailedAt.Add(Backoff(rec.Failures))
	}
	// A refused acceptance is nobody's failure, but trying it again at once
	// might never end.
	if rec.LastState == cluster.TaskDropped || rec.LastReason == cluster.ReasonInvalidOffers {
		until = max(until, rec.LastEnded.Add(BackoffMin))
	}
	return until
}
