package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// DefaultImagesHigh is the share of the disk in use over which images are
	// removed, in percent.
	DefaultImagesHigh = 85
	// DefaultImagesLow is the share until which they are removed, in percent.
	DefaultImagesLow = 80
	// imagesEvery is the time between two looks at the disk.
	imagesEvery = 5 * time.Minute
	// imagesKeep is how long an image that nobody uses stays in any case: what
	// was just pulled may be for a task that is about to start.
	imagesKeep = time.Hour
)

// imageWatch is who asks for room.
type imageWatch struct{ wanted chan struct{} } // holds a token when a pull had no room

func newImageWatch() imageWatch { return imageWatch{make(chan struct{}, 1)} }

// want says that a pull failed for want of space.
func (w imageWatch) want() { token(w.wanted) }

// noSpace reports whether an error says that the disk is full. The engine is
// another process: of its errors only the text arrives.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), syscall.ENOSPC.Error())
}

// watchImages removes unused images when the disk gets full, until ctx is done.
func (a *Agent) watchImages(ctx context.Context) error {
	keeper, ok := a.cfg.Runner.(runner.ImageKeeper)
	if !ok {
		return nil
	}
	tick := time.NewTicker(imagesEvery)
	defer tick.Stop()
	for {
		over := a.cfg.ImagesHigh
		select {
		case <-tick.C:
		case <-a.images.wanted:
			// What could not be pulled whole is gone again, so that the disk may
			// look emptier than it is for this image.
			over = a.cfg.ImagesLow
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := a.pruneImages(ctx, keeper, over); err != nil && ctx.Err() == nil {
			a.log.Error("unused images could not be removed", "err", err)
		}
	}
}

// pruneImages makes room when more than a share of the disk is in use.
func (a *Agent) pruneImages(ctx context.Context, keeper runner.ImageKeeper, over int) error {
	used, total, err := a.cfg.DiskUse(a.cfg.StateDir)
	if err != nil {
		return fmt.Errorf("use of the disk: %w", err)
	}
	if used <= total/100*int64(over) {
		return nil
	}
	need := used - total/100*int64(a.cfg.ImagesLow)
	freed, err := keeper.Prune(ctx, time.Now().Add(-imagesKeep), func(freed int64) bool { return freed >= need })
	if err != nil {
		return err
	}
	a.log.Info("the disk is nearly full: unused images were removed", "used", cluster.Bytes(used), "total", cluster.Bytes(total),
		"wanted", cluster.Bytes(need), "freed", cluster.Bytes(freed))
	return nil
}

// diskUse asks the kernel. What is kept for root counts as not there.
func diskUse(dir string) (used, total int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	size := int64(st.Bsize)
	used = int64(st.Blocks-st.Bfree) * size
	return used, used + int64(st.Bavail)*size, nil
}
