package containerd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/errdefs"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

const (
	// startLimit bounds one start once it is under way.
	startLimit = 2 * time.Minute
	// cleanLimit bounds the removal of what a failed start left.
	cleanLimit = time.Minute
)

// Start creates and starts the container. Once the engine is at work ctx no
// longer stops it, since a creation that is cut off can leave a process that
// nobody knows of; a ctx that is done meanwhile undoes the start instead.
func (r *Runner) Start(ctx context.Context, spec runner.Spec) error {
	if err := checkSpec(spec); err != nil {
		return fmt.Errorf("task %s: %w", spec.Task.ID, err)
	}
	if err := r.networks.check(spec.Network); err != nil {
		return fmt.Errorf("task %s: %w", spec.Task.ID, err)
	}
	select {
	case r.starts <- struct{}{}:
		defer func() { <-r.starts }()
	case <-ctx.Done():
		return fmt.Errorf("task %s: waiting to start: %w", spec.Task.ID, context.Cause(ctx))
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("task %s: %w", spec.Task.ID, context.Cause(ctx))
	}
	id := containerID(spec.Task.ID)
	if !r.begin(id) {
		return fmt.Errorf("task %s is being started: %w", spec.Task.ID, runner.ErrExists)
	}
	defer r.finish(id)
	work, cancel := context.WithTimeout(context.WithoutCancel(r.in(ctx)), startLimit)
	defer cancel()
	created, err := r.create(work, id, spec)
	if err == nil {
		err = r.run(ctx, work, created, spec)
	}
	if err == nil {
		r.learn(id, map[string]string{labelTask: string(spec.Task.ID)})
		r.markUsed(work, spec.Task.Container.Image)
		return nil
	}
	if created != nil {
		err = errors.Join(err, r.clean(ctx, id))
	}
	if errdefs.IsNotFound(err) {
		// What is missing is the image: the next Prepare fetches it.
		err = errors.Join(runner.ErrImage, err)
	}
	return r.wrap(err, "start task %s", spec.Task.ID)
}

// begin reserves id for one start: List must not take its container for one
// whose process was lost.
func (r *Runner) begin(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.starting[id]; ok {
		return false
	}
	r.starting[id] = struct{}{}
	return true
}

func (r *Runner) finish(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.starting, id)
}

// create makes the container's record and snapshot.
func (r *Runner) create(ctx context.Context, id string, spec runner.Spec) (client.Container, error) {
	img, err := r.image(ctx, spec.Task.Container.Image)
	if err != nil {
		return nil, err
	}
	if len(arguments(img, spec.Task.Container)) == 0 {
		return nil, fmt.Errorf("neither the task nor its image names a command: %w", runner.ErrSpec)
	}
	gpus, release, err := r.takeGPUs(ctx, spec.Task.Resources.GPUs)
	if err != nil {
		return nil, err
	}
	defer release()
	labels := map[string]string{labelTask: string(spec.Task.ID)}
	if len(gpus) > 0 {
		labels[labelGPUs] = strings.Join(gpus, ",")
	}
	c, err := r.client.NewContainer(ctx, id,
		client.WithImageName(spec.Task.Container.Image),
		client.WithSnapshotter(r.opts.Snapshotter),
		r.withSnapshot(id, img.parent),
		client.WithContainerLabels(labels),
		client.WithRuntime(runtimeName, r.runcOptions()),
		client.WithNewSpec(r.specOptions(spec, img, gpus)...),
	)
	if err != nil && !errors.Is(err, runner.ErrExists) {
		// The snapshot may be there without its container.
		err = errors.Join(err, ignoreMissing(r.client.SnapshotService(r.opts.Snapshotter).Remove(ctx, id)))
	}
	return c, err
}

// withSnapshot makes the writable layer of the container. One that is there
// already belongs to a container of that id, or to a start that was cut off
// before it had made one.
func (r *Runner) withSnapshot(id, parent string) client.NewContainerOpts {
	return func(ctx context.Context, c *client.Client, co *containers.Container) error {
		snapshots := c.SnapshotService(r.opts.Snapshotter)
		_, err := snapshots.Prepare(ctx, id, parent)
		if errdefs.IsAlreadyExists(err) {
			if _, gerr := c.ContainerService().Get(ctx, id); gerr == nil {
				return runner.ErrExists
			} else if !errdefs.IsNotFound(gerr) {
				return gerr
			}
			if err = snapshots.Remove(ctx, id); err == nil {
				_, err = snapshots.Prepare(ctx, id, parent)
			}
		}
		co.SnapshotKey = id
		return err
	}
}

func (r *Runner) runcOptions() *options.Options {
	o := &options.Options{BinaryName: r.opts.Runc}
	if r.opts.Dir != "" {
		o.Root = filepath.Join(r.opts.Dir, "runc")
	}
	return o
}

// run makes the process of a created container and starts it.
func (r *Runner) run(caller, work context.Context, c client.Container, spec runner.Spec) error {
	task, err := c.NewTask(work, r.outputOf(spec.Sandbox))
	if err != nil {
		return err
	}
	if err := caller.Err(); err != nil {
		return context.Cause(caller)
	}
	if err := task.Start(work); err != nil {
		return err
	}
	if caller.Err() != nil {
		return context.Cause(caller)
	}
	return nil
}

// clean removes what a start left, whatever became of the caller.
func (r *Runner) clean(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.in(ctx)), cleanLimit)
	defer cancel()
	if err := r.remove(ctx, id); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}

// Remove ends and deletes the container with its snapshot and its memory of it.
// The sandbox is the caller's.
func (r *Runner) Remove(ctx context.Context, id cluster.TaskID) error {
	if err := r.remove(r.in(ctx), containerID(id)); err != nil {
		return r.wrap(err, "remove task %s", id)
	}
	return nil
}

func (r *Runner) remove(ctx context.Context, id string) error {
	c, err := r.client.LoadContainer(ctx, id)
	if err != nil {
		return ignoreMissing(err)
	}
	task, err := c.Task(ctx, nil)
	if err == nil {
		_, err = task.Delete(ctx, client.WithProcessKill)
	}
	if ignoreMissing(err) != nil {
		return err
	}
	info, err := c.Info(ctx, client.WithoutRefreshedMetadata)
	if err == nil {
		r.markUsed(ctx, info.Image) // until now
	}
	if err := ignoreMissing(c.Delete(ctx, client.WithSnapshotCleanup)); err != nil {
		return err
	}
	r.forget(id)
	return nil
}

// Signal sends sig; a container that has ended takes it in silence.
func (r *Runner) Signal(ctx context.Context, id cluster.TaskID, sig int, all bool) error {
	ctx = r.in(ctx)
	c, err := r.client.LoadContainer(ctx, containerID(id))
	if err != nil {
		return r.wrap(err, "signal task %s", id)
	}
	task, err := c.Task(ctx, nil)
	if err == nil {
		var opts []client.KillOpts
		if all {
			opts = append(opts, client.WithKillAll)
		}
		err = task.Kill(ctx, syscall.Signal(sig), opts...)
	}
	if ignoreMissing(err) != nil {
		return r.wrap(err, "signal task %s", id)
	}
	return nil
}

func ignoreMissing(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}
