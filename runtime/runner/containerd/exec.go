package containerd

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// execNumber makes exec ids unique in this process; the time makes them so
// across its lives.
var (
	execNumber atomic.Int64
	execBirth  = strconv.FormatInt(time.Now().UnixNano(), 36)
)

// Exec runs argv as the container's user, in its environment. When ctx is done
// first the process is killed.
func (r *Runner) Exec(ctx context.Context, id cluster.TaskID, argv []string, out io.Writer) (int, error) {
	if len(argv) == 0 {
		return 0, fmt.Errorf("exec in task %s: no command: %w", id, runner.ErrSpec)
	}
	nctx := r.in(ctx)
	c, err := r.client.LoadContainer(nctx, containerID(id))
	if err != nil {
		return 0, r.wrap(err, "exec in task %s", id)
	}
	task, err := c.Task(nctx, nil)
	if err != nil {
		return 0, r.wrap(err, "exec in task %s", id)
	}
	spec, err := c.Spec(nctx)
	if err != nil {
		return 0, r.wrap(err, "exec in task %s", id)
	}
	process := *spec.Process
	process.Args, process.Terminal = argv, false
	w := &capped{out: out, left: runner.MaxExecOutput}
	opts := []cio.Opt{cio.WithStreams(nil, w, w)}
	if r.opts.Dir != "" {
		opts = append(opts, cio.WithFIFODir(filepath.Join(r.opts.Dir, "fifo")))
	}
	p, err := task.Exec(nctx, "exec-"+execBirth+"-"+strconv.FormatInt(execNumber.Add(1), 36), &process, cio.NewCreator(opts...))
	if err != nil {
		return 0, r.wrap(err, "exec in task %s", id)
	}
	code, err := r.execute(nctx, p)
	if err != nil {
		return 0, r.wrap(err, "exec %q in task %s", argv[0], id)
	}
	return code, nil
}

// execute starts p and sees it to its end; p is gone afterwards, whatever happens.
func (r *Runner) execute(ctx context.Context, p client.Process) (int, error) {
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	ended, err := p.Wait(clean)
	if err != nil {
		return 0, err
	}
	if err := p.Start(clean); err != nil {
		_, derr := p.Delete(clean)
		if ignoreMissing(derr) != nil {
			r.log.Warn("an exec that did not start is left", "exec", p.ID(), "err", derr)
		}
		return 0, err
	}
	var status client.ExitStatus
	select {
	case status = <-ended:
	case <-ctx.Done():
		if err := ignoreMissing(p.Kill(clean, syscall.SIGKILL)); err != nil {
			r.log.Warn("an exec could not be killed", "exec", p.ID(), "err", err)
		}
		<-ended
		err = context.Cause(ctx)
	}
	if _, derr := p.Delete(clean); ignoreMissing(derr) != nil && err == nil {
		err = derr
	}
	if err == nil {
		err = status.Error()
	}
	return int(status.ExitCode()), err
}

// capped passes on the first bytes and drops the rest without failing its
// writer. Both streams of a process share one.
type capped struct {
	mu   sync.Mutex
	out  io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(p), c.left)
	c.left -= n
	if n > 0 {
		if _, err := c.out.Write(p[:n]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
