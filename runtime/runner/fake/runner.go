package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

// Behaviour says how one container behaves. The zero value starts at once and
// runs until it is signalled.
type Behaviour struct {
	Progress   []runner.Progress // what Prepare reports, in order
	Prepare    time.Duration     // how long Prepare takes
	PrepareErr error             // what Prepare returns
	Start      time.Duration     // how long Start takes
	StartErr   error             // what Start returns
	Output     string            // written to standard output at the start
	Errors     string            // written to standard error after it
	Exit       *runner.Exit      // its end by itself; nil: it runs until it is signalled
	After      time.Duration     // from the start to Exit
	IgnoreTERM bool              // only KILL ends it
	DeafFor    int               // so many signals fail before one is delivered
	TERM       *runner.Exit      // its end after TERM; nil: 143, as of a program that does not handle it
	Exec       func(argv []string, out io.Writer) (int, error)
	ExecIO     func(ctx context.Context, s runner.Session) (int, error)
}

// Runner is an in-memory runner.Runner. Its zero value is ready to use.
type Runner struct {
	// Script gives the behaviour of each container; nil: the zero Behaviour.
	// Set it before the first call.
	Script func(runner.Spec) Behaviour
	// Networks are the names of networks beside cluster.DefaultNetwork.
	Networks []string
	// AttachErr says how an Attach fails; nil, or an answer of nil: it does not.
	AttachErr func(group string, n cluster.Network) error
	// ImageSize gives the size of an image; nil: ImageBytes each.
	ImageSize func(ref string) int64

	mu         sync.Mutex
	containers map[cluster.TaskID]*container
	attached   map[string]attached  // by group
	images     map[string]time.Time // when used last, by reference
	attaches   int
	watchers   map[*watcher]struct{}
	down       bool
	nextPID    int
	starts     int
	signals    []Signal
}

// Signal is one call of Runner.Signal that reached a running container.
type Signal struct {
	ID     cluster.TaskID
	Number int
	All    bool
}

type container struct {
	spec   runner.Spec
	how    Behaviour
	status runner.Status
	timer  *time.Timer
}

// Usage of every running fake container.
var fakeUsage = runner.Usage{CPU: int64(time.Second), Memory: 1 << 20, PIDs: 1}

var (
	_ runner.Runner   = (*Runner)(nil)
	_ runner.Meter    = (*Runner)(nil)
	_ runner.Executor = (*Runner)(nil)
)

func (r *Runner) behaviour(spec runner.Spec) Behaviour {
	if r.Script == nil {
		return Behaviour{}
	}
	return r.Script(spec)
}

// wait is a cancellable pause; a container that takes no time yields none.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Prepare reports the scripted progress and succeeds or fails as scripted. An
// image without a digest is refused, as a real runner does.
func (r *Runner) Prepare(ctx context.Context, spec runner.Spec, progress func(runner.Progress)) error {
	if err := r.available(); err != nil {
		return err
	}
	if !strings.Contains(spec.Task.Container.Image, "@sha256:") {
		return fmt.Errorf("image %q is not named by digest: %w", spec.Task.Container.Image, runner.ErrImage)
	}
	how := r.behaviour(spec)
	for _, p := range how.Progress {
		if progress != nil {
			progress(p)
		}
	}
	if err := wait(ctx, how.Prepare); err != nil {
		return err
	}
	if how.PrepareErr == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.use(spec.Task.Container.Image)
	}
	return how.PrepareErr
}

// Start makes a running container as scripted.
func (r *Runner) Start(ctx context.Context, spec runner.Spec) error {
	id, how := spec.Task.ID, r.behaviour(spec)
	if err := r.free(id); err != nil {
		return err
	}
	if err := r.check(spec); err != nil {
		return fmt.Errorf("container %s: %w", id, err)
	}
	if err := wait(ctx, how.Start); err != nil {
		return err
	}
	if how.StartErr != nil {
		return how.StartErr
	}
	if err := write(spec.Sandbox, how); err != nil {
		return fmt.Errorf("container %s: %w", id, err)
	}
	if err := r.free(id); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.containers == nil {
		r.containers = map[cluster.TaskID]*container{}
	}
	r.use(spec.Task.Container.Image)
	r.nextPID++
	r.starts++
	c := &container{spec: spec, how: how, status: runner.Status{ID: id, State: runner.Running, PID: r.nextPID}}
	r.containers[id] = c
	if how.Exit != nil {
		exit := *how.Exit
		c.timer = time.AfterFunc(how.After, func() { r.end(c, exit) })
	}
	return nil
}

// check refuses what a real runner refuses of volumes and networks.
func (r *Runner) check(spec runner.Spec) error {
	for _, v := range spec.Volumes {
		if !filepath.IsAbs(v.Path) {
			return fmt.Errorf("volume at %q: %w", v.Path, runner.ErrSpec)
		}
		if fi, err := os.Lstat(v.Source); err != nil || !fi.IsDir() {
			return fmt.Errorf("volume %s is no directory: %w", v.Source, errors.Join(err, runner.ErrSpec))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.checkNetwork(spec.Network)
}

// Spec gives the spec that a container was started with.
func (r *Runner) Spec(id cluster.TaskID) (runner.Spec, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil {
		return runner.Spec{}, false
	}
	return c.spec, true
}

// free reports whether id can be started.
func (r *Runner) free(id cluster.TaskID) error {
	if err := r.available(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.containers[id] != nil {
		return fmt.Errorf("container %s: %w", id, runner.ErrExists)
	}
	return nil
}

// write appends to the files of both streams, which it makes in any case, as a
// real runner does.
func write(sandbox string, how Behaviour) error {
	if sandbox == "" {
		return nil
	}
	stdout, stderr := output.Paths(sandbox)
	return errors.Join(appendFile(stdout, how.Output), appendFile(stderr, how.Errors))
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Signal ends the container unless it is scripted to ignore the signal. Signals
// other than TERM, KILL, INT and QUIT do nothing.
func (r *Runner) Signal(_ context.Context, id cluster.TaskID, sig int, all bool) error {
	c, err := r.get(id)
	if err != nil {
		return err
	}
	r.mu.Lock()
	running, deaf := c.status.State == runner.Running, c.how.DeafFor > 0
	if running && deaf {
		c.how.DeafFor--
	} else if running {
		r.signals = append(r.signals, Signal{ID: id, Number: sig, All: all})
	}
	r.mu.Unlock()
	if !running {
		return nil
	}
	if deaf {
		return fmt.Errorf("signal %d to %s was lost", sig, id)
	}
	switch syscall.Signal(sig) {
	case syscall.SIGKILL:
		r.end(c, runner.Exit{Code: 128 + sig})
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
		if c.how.IgnoreTERM {
			return nil
		}
		exit := runner.Exit{Code: 128 + sig}
		if c.how.TERM != nil {
			exit = *c.how.TERM
		}
		r.end(c, exit)
	}
	return nil
}

// Exec runs the scripted function; without one it succeeds and prints nothing.
func (r *Runner) Exec(ctx context.Context, id cluster.TaskID, argv []string, out io.Writer) (int, error) {
	c, err := r.get(id)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	running := c.status.State == runner.Running
	r.mu.Unlock()
	if !running {
		return 0, fmt.Errorf("exec in %s: it has ended: %w", id, runner.ErrNotFound)
	}
	if c.how.Exec == nil {
		return 0, ctx.Err()
	}
	return c.how.Exec(argv, &capped{out: out, left: runner.MaxExecOutput})
}

// ExecIO runs the scripted function; without one it succeeds and prints nothing.
func (r *Runner) ExecIO(ctx context.Context, id cluster.TaskID, s runner.Session) (int, error) {
	c, err := r.get(id)
	if err != nil {
		return 0, err
	}
	if c.how.ExecIO == nil {
		return 0, ctx.Err()
	}
	return c.how.ExecIO(ctx, s)
}

// capped drops what is over the limit without failing its writer.
type capped struct {
	out  io.Writer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	if n > 0 {
		if _, err := c.out.Write(p[:n]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Remove forgets the container; a running one is killed first.
func (r *Runner) Remove(_ context.Context, id cluster.TaskID) error {
	c, err := r.get(id)
	if errors.Is(err, runner.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r.end(c, runner.Exit{Code: 128 + int(syscall.SIGKILL)})
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.containers, id)
	return nil
}

// List gives all containers, sorted by id.
func (r *Runner) List(context.Context) ([]runner.Status, error) {
	if err := r.available(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]runner.Status, 0, len(r.containers))
	for _, c := range r.containers {
		out = append(out, c.status)
	}
	slices.SortFunc(out, func(a, b runner.Status) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out, nil
}

// Ping answers unless the engine is down.
func (r *Runner) Ping(context.Context) (string, error) { return "fake", r.available() }

// Usage gives constant figures for a running container.
func (r *Runner) Usage(_ context.Context, id cluster.TaskID) (runner.Usage, error) {
	_, err := r.get(id)
	return fakeUsage, err
}

func (r *Runner) get(id cluster.TaskID) (*container, error) {
	if err := r.available(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.containers[id]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("container %s: %w", id, runner.ErrNotFound)
}
