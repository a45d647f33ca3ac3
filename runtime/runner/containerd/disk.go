package containerd

import (
	"context"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Disk implements runner.DiskMeter: the writable layer of the container.
func (r *Runner) Disk(ctx context.Context, id cluster.TaskID) (int64, error) {
	u, err := r.client.SnapshotService(r.opts.Snapshotter).Usage(r.in(ctx), containerID(id))
	if err != nil {
		return 0, r.wrap(err, "disk usage of task %s", id)
	}
	return u.Size, nil
}
