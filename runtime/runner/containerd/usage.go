package containerd

import (
	"context"
	"fmt"

	cgroup1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	cgroup2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/typeurl/v2"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// Usage reads the container's cgroup, of either version.
func (r *Runner) Usage(ctx context.Context, id cluster.TaskID) (runner.Usage, error) {
	m, err := r.metrics(r.in(ctx), containerID(id))
	if err != nil {
		return runner.Usage{}, r.wrap(err, "usage of task %s", id)
	}
	switch m := m.(type) {
	case *cgroup1.Metrics:
		return runner.Usage{
			CPU:    int64(m.GetCPU().GetUsage().GetTotal()),
			Memory: int64(m.GetMemory().GetUsage().GetUsage()),
			PIDs:   int64(m.GetPids().GetCurrent()),
		}, nil
	case *cgroup2.Metrics:
		return runner.Usage{
			CPU:    int64(m.GetCPU().GetUsageUsec()) * 1000,
			Memory: int64(m.GetMemory().GetUsage()),
			PIDs:   int64(m.GetPids().GetCurrent()),
		}, nil
	}
	return runner.Usage{}, fmt.Errorf("usage of task %s: containerd sent a %T", id, m)
}

func (r *Runner) metrics(ctx context.Context, id string) (any, error) {
	resp, err := r.client.TaskService().Metrics(ctx, &tasksapi.MetricsRequest{
		Filters: []string{fmt.Sprintf("id==%q", id)},
	})
	if err != nil {
		return nil, errgrpc.ToNative(err)
	}
	if len(resp.Metrics) == 0 || resp.Metrics[0].Data == nil {
		return nil, fmt.Errorf("container %s has no figures: %w", id, errdefs.ErrNotFound)
	}
	return typeurl.UnmarshalAny(resp.Metrics[0].Data)
}

// oomKilled asks the kernel's own count of a container that has ended. It
// answers for the time when nobody listened to events.
func (r *Runner) oomKilled(ctx context.Context, id string) bool {
	m, err := r.metrics(ctx, id)
	if err != nil {
		return false
	}
	switch m := m.(type) {
	case *cgroup1.Metrics:
		return m.GetMemoryOomControl().GetOomKill() > 0
	case *cgroup2.Metrics:
		return m.GetMemoryEvents().GetOomKill() > 0
	}
	return false
}
