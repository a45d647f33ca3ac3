package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// diskEvery is the least time between two looks at what tasks have written.
	diskEvery = 10 * time.Second
	// diskShare is how much more time is left alone than is spent looking.
	diskShare = 20
	// maxDiskFiles bounds the files of a sandbox that are counted: beyond, the
	// number itself is over any limit.
	maxDiskFiles = 2_000_000
)

// watchDisk ends tasks that write more than their share of the disk: their
// sandbox with the output, scratch directories and artifacts in it, and the
// writable layer of their container, and each volume by itself. A task without
// a share is not measured.
func (a *Agent) watchDisk(ctx context.Context) error {
	pause := diskEvery
	for {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		begun := time.Now()
		for _, t := range a.running() {
			if t.record().Kill == nil {
				a.measureDisk(ctx, t)
				a.measureVolumes(t)
			}
		}
		pause = max(diskEvery, diskShare*time.Since(begun))
	}
}

func (a *Agent) measureDisk(ctx context.Context, t *task) {
	limit := t.spec.Resources.Disk
	for _, h := range holds(t.spec) {
		limit -= h.volume.Size // measured for itself
	}
	if limit <= 0 {
		return
	}
	used, err := a.diskUsed(ctx, t.spec.ID)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, runner.ErrNotFound) {
			a.log.Warn("what a task has written cannot be measured", "task", string(t.spec.ID), "err", err)
		}
		return
	}
	if used > limit {
		a.condemn(t.spec, cluster.ReasonDiskLimit, fmt.Sprintf("it has written %s and may write %s", cluster.Bytes(used), cluster.Bytes(limit)))
	}
}

func (a *Agent) diskUsed(ctx context.Context, id cluster.TaskID) (int64, error) {
	used, err := treeSize(a.sandbox(id))
	if err != nil {
		return 0, err
	}
	if m, ok := a.cfg.Runner.(runner.DiskMeter); ok {
		layer, err := m.Disk(ctx, id)
		if err != nil {
			return 0, err
		}
		used += layer
	}
	return used, nil
}

// treeSize is what a directory takes of the disk: blocks, since a log has holes.
// It follows no link, and what vanishes meanwhile counts nothing.
func treeSize(dir string) (int64, error) {
	var bytes int64
	files := 0
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil {
			var fi fs.FileInfo
			if fi, err = e.Info(); err == nil {
				if st, ok := fi.Sys().(*syscall.Stat_t); ok {
					bytes += st.Blocks * 512
				}
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if errors.Is(err, syscall.ENAMETOOLONG) {
			// Deeper than a path can tell: made so as not to be counted.
			bytes = 1 << 62
			return fs.SkipAll
		}
		if files++; files > maxDiskFiles {
			bytes = 1 << 62
			return fs.SkipAll
		}
		return err
	})
	return bytes, err
}
