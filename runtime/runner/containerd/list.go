package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// exitRecord is an exit as it is kept in a container's label.
type exitRecord struct {
	Code int          `json:"code"`
	OOM  bool         `json:"oom,omitempty"`
	At   cluster.Time `json:"at"`
}

// List gives the containers of our namespace, sorted by task. The exit of one
// that ended unobserved is written down on the way.
func (r *Runner) List(ctx context.Context) ([]runner.Status, error) {
	ctx = r.in(ctx)
	// Tasks first: a container that gets its task between the two calls is
	// inside Start, and Start is known; the other way round one would seem lost.
	procs, err := r.processes(ctx)
	if err != nil {
		return nil, r.wrap(err, "list tasks")
	}
	all, err := r.client.ContainerService().List(ctx)
	if err != nil {
		return nil, r.wrap(err, "list containers")
	}
	out := make([]runner.Status, 0, len(all))
	for _, c := range all {
		out = append(out, r.status(ctx, c, procs[c.ID]))
	}
	slices.SortFunc(out, func(a, b runner.Status) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out, nil
}

func (r *Runner) processes(ctx context.Context) (map[string]*tasktypes.Process, error) {
	resp, err := r.client.TaskService().List(ctx, &tasksapi.ListTasksRequest{})
	if err != nil {
		return nil, errgrpc.ToNative(err)
	}
	out := make(map[string]*tasktypes.Process, len(resp.Tasks))
	for _, p := range resp.Tasks {
		// containerd fills either field, by the way the list was made.
		if p.ContainerID != "" {
			out[p.ContainerID] = p
		} else {
			out[p.ID] = p
		}
	}
	return out, nil
}

func (r *Runner) status(ctx context.Context, c containers.Container, p *tasktypes.Process) runner.Status {
	s := runner.Status{ID: r.learn(c.ID, c.Labels)}
	if rec, ok := readExit(c.Labels); ok {
		s.State, s.Exit = runner.Exited, &runner.Exit{Code: rec.Code, OOM: rec.OOM, At: rec.At}
		return s
	}
	r.mu.Lock()
	_, starting := r.starting[c.ID]
	r.mu.Unlock()
	switch {
	case p == nil && starting:
		s.State = runner.Created
	case p == nil, p.Status == tasktypes.Status_UNKNOWN:
		// Its shim is gone, and the code with it (see the package comment).
		s.State, s.Exit = runner.Exited, &runner.Exit{Unknown: true, At: cluster.Time(time.Now().UnixMilli())}
	case p.Status == tasktypes.Status_CREATED:
		s.State, s.PID = runner.Created, int(p.Pid)
	case p.Status == tasktypes.Status_STOPPED:
		exit := r.ended(ctx, c.ID, int(p.ExitStatus), p.ExitedAt.AsTime())
		s.State, s.Exit = runner.Exited, &exit
	default:
		s.State, s.PID = runner.Running, int(p.Pid)
	}
	return s
}

// ended makes the Exit of a container whose code is known and writes it down.
func (r *Runner) ended(ctx context.Context, id string, code int, at time.Time) runner.Exit {
	exit := runner.Exit{Code: code, At: cluster.Time(at.UnixMilli())}
	r.mu.Lock()
	_, exit.OOM = r.oom[id]
	r.mu.Unlock()
	if !exit.OOM && code != 0 {
		exit.OOM = r.oomKilled(ctx, id)
	}
	if err := r.writeExit(ctx, id, exit); err != nil {
		r.log.Warn("the exit code of a container could not be written down: it is lost if containerd restarts",
			"container", id, "err", err)
	}
	return exit
}

func (r *Runner) writeExit(ctx context.Context, id string, exit runner.Exit) error {
	b, err := json.Marshal(exitRecord{Code: exit.Code, OOM: exit.OOM, At: exit.At})
	if err != nil {
		return err
	}
	_, err = r.client.ContainerService().Update(ctx, containers.Container{
		ID: id, Labels: map[string]string{labelExit: string(b)},
	}, "labels."+labelExit)
	return ignoreMissing(err)
}

func readExit(labels map[string]string) (exitRecord, bool) {
	text, ok := labels[labelExit]
	if !ok {
		return exitRecord{}, false
	}
	var rec exitRecord
	if err := json.Unmarshal([]byte(text), &rec); err != nil {
		return exitRecord{}, false
	}
	return rec, true
}

// String names the Runner in logs.
func (r *Runner) String() string {
	return fmt.Sprintf("containerd %s namespace %s", r.opts.Socket, r.opts.Namespace)
}
