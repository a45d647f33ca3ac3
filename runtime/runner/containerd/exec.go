package containerd

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
)

// execNumber makes exec ids unique in this process; the time makes them so
// across its lives.
var (
	execNumber atomic.Int64
	execBirth  = strconv.FormatInt(time.Now().UnixNano(), 36)
)

// drainLimit bounds the wait for the output of a process that has ended.
const drainLimit = 10 * time.Second

// Exec runs argv as the container's user, in its environment. When ctx is done
// first the process is killed.
func (r *Runner) Exec(ctx context.Context, id cluster.TaskID, argv []string, out io.Writer) (int, error) {
	w := &capped{out: out, left: runner.MaxExecOutput}
	return r.ExecIO(ctx, id, runner.Session{Argv: argv, Stdout: w, Stderr: w})
}

// ExecIO implements runner.Executor.
func (r *Runner) ExecIO(ctx context.Context, id cluster.TaskID, s runner.Session) (int, error) {
	if len(s.Argv) == 0 {
		return 0, fmt.Errorf("exec in task %s: no command: %w", id, runner.ErrSpec)
	}
	ctx, cancel := context.WithCancelCause(r.in(ctx))
	defer cancel(nil)
	p, stdin, err := r.newExec(ctx, id, s)
	if err != nil {
		return 0, r.wrap(err, "exec in task %s", id)
	}
	started := make(chan struct{})
	go r.feed(ctx, p, s, stdin, started)
	code, err := r.execute(ctx, p, started)
	if err != nil {
		return 0, r.wrap(err, "exec %q in task %s", s.Argv[0], id)
	}
	return code, nil
}

// newExec makes the process of a session.
func (r *Runner) newExec(ctx context.Context, id cluster.TaskID, s runner.Session) (client.Process, *input, error) {
	c, err := r.client.LoadContainer(ctx, containerID(id))
	if err != nil {
		return nil, nil, err
	}
	task, err := c.Task(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	spec, err := c.Spec(ctx)
	if err != nil {
		return nil, nil, err
	}
	process := *spec.Process
	process.Args, process.Terminal = s.Argv, s.TTY
	var stdin *input
	var in io.Reader // nil in an interface, not a nil *input
	if s.Stdin != nil {
		stdin = &input{Reader: s.Stdin, ended: make(chan struct{})}
		in = stdin
	}
	opts := []cio.Opt{cio.WithStreams(in, s.Stdout, s.Stderr)}
	if s.TTY {
		process.Env = append(slices.Clone(process.Env), "TERM=xterm-256color")
		process.ConsoleSize = &specs.Box{Width: uint(s.Size.Columns), Height: uint(s.Size.Rows)}
		opts = []cio.Opt{cio.WithStreams(in, s.Stdout, nil), cio.WithTerminal}
	}
	if r.opts.Dir != "" {
		opts = append(opts, cio.WithFIFODir(filepath.Join(r.opts.Dir, "fifo")))
	}
	p, err := task.Exec(ctx, "exec-"+execBirth+"-"+strconv.FormatInt(execNumber.Add(1), 36), &process, cio.NewCreator(opts...))
	return p, stdin, err
}

// input tells when it has ended: the shim holds the process's input open until
// it is told to close it.
type input struct {
	io.Reader
	once  sync.Once
	ended chan struct{}
}

func (i *input) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	if err != nil {
		i.once.Do(func() { close(i.ended) })
	}
	return n, err
}

// feed passes on what happens to a session from our side, until ctx is done.
func (r *Runner) feed(ctx context.Context, p client.Process, s runner.Session, stdin *input, started <-chan struct{}) {
	select {
	case <-started:
	case <-ctx.Done():
		return
	}
	var ended <-chan struct{}
	if stdin != nil {
		ended = stdin.ended
	}
	resize := s.Resize
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-ended:
			ended = nil
			err = p.CloseIO(ctx, client.WithStdinCloser)
		case size, open := <-resize:
			if !open {
				resize = nil
				continue
			}
			err = p.Resize(ctx, uint32(size.Columns), uint32(size.Rows))
		}
		if ignoreMissing(err) != nil && ctx.Err() == nil {
			r.log.Warn("an exec session was not told", "exec", p.ID(), "err", err)
		}
	}
}

// execute starts p and sees it to its end, however long that takes; p is gone
// afterwards, whatever happens.
func (r *Runner) execute(ctx context.Context, p client.Process, started chan<- struct{}) (int, error) {
	life, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	ended, err := p.Wait(life)
	if err != nil {
		return 0, err
	}
	begin, cancel := context.WithTimeout(life, startLimit)
	err = p.Start(begin)
	cancel()
	if err != nil {
		clean, cancel := context.WithTimeout(life, cleanLimit)
		defer cancel()
		if _, derr := p.Delete(clean); ignoreMissing(derr) != nil {
			r.log.Warn("an exec that did not start is left", "exec", p.ID(), "err", derr)
		}
		return 0, err
	}
	close(started)
	var status client.ExitStatus
	select {
	case status = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	clean, cancel := context.WithTimeout(life, cleanLimit)
	defer cancel()
	if err != nil {
		r.killExec(clean, p, ended)
	} else {
		drain(ctx, p)
	}
	if _, derr := p.Delete(clean); ignoreMissing(derr) != nil && err == nil {
		err = derr
	}
	if err == nil {
		err = status.Error()
	}
	return int(status.ExitCode()), err
}

// drain waits until all that an ended process wrote is passed on: Delete closes
// its streams, whatever is still in them. A process that it left behind can hold
// them open for ever, and is not waited for.
func drain(ctx context.Context, p client.Process) {
	done := make(chan struct{})
	go func() {
		p.IO().Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drainLimit):
	case <-ctx.Done():
	}
}

// killExec ends a process that nobody waits for any more.
func (r *Runner) killExec(ctx context.Context, p client.Process, ended <-chan client.ExitStatus) {
	if err := ignoreMissing(p.Kill(ctx, syscall.SIGKILL)); err != nil {
		r.log.Warn("an exec could not be killed", "exec", p.ID(), "err", err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
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
