package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// rotateEvery is the time between two looks at the size of logs.
	rotateEvery = 5 * time.Second
	// maxLog is the size over which a running task's log is put aside, in bytes.
	maxLog = 64 << 20
)

// rotate bounds the logs of running tasks: what is over the limit is kept once,
// as log.1, and the log begins anew.
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
			log := a.spec(t.spec).Log
			if err := cutLog(log, maxLog); err != nil {
				a.log.Error("a log could not be cut", "task", string(t.spec.ID), "err", err)
			}
		}
	}
}

// cutLog copies a log over the limit aside and truncates it where it is: the
// shim that writes it appends, and goes on at the new end. What is written
// between the two is lost.
func cutLog(path string, limit int64) error {
	fi, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || (err == nil && fi.Size() <= limit) {
		return nil
	}
	if err != nil {
		return err
	}
	src, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	// Of a flood only the last part is kept.
	if _, err := src.Seek(max(0, fi.Size()-limit), io.SeekStart); err != nil {
		return err
	}
	dst, err := os.OpenFile(path+".1", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, io.LimitReader(src, 2*limit))
	if err := errors.Join(err, dst.Close()); err != nil {
		return fmt.Errorf("put aside as %s: %w", dst.Name(), err)
	}
	return src.Truncate(0)
}
