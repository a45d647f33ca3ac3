package agent

import (
	"context"
	"errors"
	"time"

	"github.com/universe-dcos/universe/runtime/runner/output"
)

// rotateEvery is the time between two looks at the size of logs.
const rotateEvery = 5 * time.Second

// rotate bounds the output of running tasks, and notes its order, where the
// engine has no output.Writer that does.
func (a *Agent) rotate(ctx context.Context) error {
	tick := time.NewTicker(rotateEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, t := range a.running() {
			box := a.sandbox(t.spec.ID)
			if err := errors.Join(output.Note(box), output.Trim(box)); err != nil {
				a.log.Error("the output of a task could not be bounded", "task", string(t.spec.ID), "err", err)
			}
		}
	}
}
