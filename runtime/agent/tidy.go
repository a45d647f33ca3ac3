package agent

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// tidyEvery is the time between two looks for what is no longer kept.
const tidyEvery = time.Minute

// tidy removes the sandboxes and records of tasks that ended long ago, and
// sandboxes that no record knows.
func (a *Agent) tidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		a.dropOld()
		a.dropStray()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// dropOld forgets ended tasks over the limits, oldest first. One whose end is
// not acknowledged, or whose container is not removed, is never dropped.
func (a *Agent) dropOld() {
	var ended []checkpoint.Record
	for _, r := range a.ledger.All() {
		if r.Ended != 0 && r.Removed && len(r.Pending) == 0 {
			ended = append(ended, r)
		}
	}
	slices.SortFunc(ended, func(a, b checkpoint.Record) int { return cmp.Compare(a.Ended, b.Ended) })
	oldest := now().Add(-cluster.Millis(a.cfg.KeepFor.Milliseconds()))
	for i, r := range ended {
		if len(ended)-i <= a.cfg.KeepEnded && r.Ended >= oldest {
			break
		}
		// The directory first: a record without one is found again, a directory
		// without a record only by dropStray.
		if err := os.RemoveAll(a.sandbox(r.Spec.ID)); err != nil {
			a.log.Error("a sandbox could not be removed", "task", string(r.Spec.ID), "err", err)
			continue
		}
		if err := a.ledger.Forget(r.Spec.ID); err != nil {
			a.log.Error("checkpoint failed", "task", string(r.Spec.ID), "err", err)
		}
	}
}

func (a *Agent) dropStray() {
	dirs, err := os.ReadDir(filepath.Join(a.cfg.StateDir, "tasks"))
	if err != nil {
		return // there is none before the first task
	}
	for _, d := range dirs {
		if _, ok := a.ledger.Get(cluster.TaskID(d.Name())); ok {
			continue
		}
		if err := os.RemoveAll(filepath.Join(a.cfg.StateDir, "tasks", d.Name())); err != nil {
			a.log.Error("a sandbox could not be removed", "task", d.Name(), "err", err)
		}
	}
}
