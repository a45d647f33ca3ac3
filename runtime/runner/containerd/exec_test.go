package containerd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"

	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/runnertest"
)

// screen is what a terminal shows, to wait for.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newScreen() *screen { return &screen{more: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.After(runnertest.Patience); !strings.Contains(s.String(), text); {
		select {
		case <-s.more:
		case <-deadline:
			t.Fatalf("the screen shows %q, want %q", s.String(), text)
		}
	}
}

func TestExecIO_terminal(t *testing.T) {
	h := harness(t)
	r := open(t)
	spec := h.Spec(t, "run")
	runnertest.Start(t, r, spec)
	runnertest.AwaitLog(t, spec, "ready")
	in, keys := io.Pipe()
	defer keys.Close()
	out, resize := newScreen(), make(chan runner.Size)
	type result struct {
		code int
		err  error
	}
	done := make(chan result, 1)
	go func() {
		code, err := r.ExecIO(runnertest.Context(t), spec.Task.ID, runner.Session{
			Argv: []string{runnertest.Probe, "terminal"}, TTY: true, Size: runner.Size{Columns: 100, Rows: 30},
			Resize: resize, Stdin: in, Stdout: out,
		})
		done <- result{code, err}
	}()
	out.await(t, "size 100 x 30")
	resize <- runner.Size{Columns: 132, Rows: 43}
	out.await(t, "size 132 x 43")
	for _, line := range []string{"hello\n", "bye\n"} {
		if _, err := io.WriteString(keys, line); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-done; got.code != 5 || got.err != nil {
		t.Errorf("end: got %+v, want 5", got)
	}
	out.await(t, "heard hello")
	if s, ok := runnertest.Find(t, r, spec.Task.ID); !ok || s.State != runner.Running {
		t.Errorf("the task after the session: got %+v, want it running", s)
	}
}

func TestExecIO_streamsApartToTheEndOfTheInput(t *testing.T) {
	h := harness(t)
	r := open(t)
	spec := h.Spec(t, "run")
	runnertest.Start(t, r, spec)
	text := strings.Repeat("some input\n", 50_000)
	var stdout, stderr bytes.Buffer
	code, err := r.ExecIO(runnertest.Context(t), spec.Task.ID, runner.Session{
		Argv: []string{runnertest.Probe, "cat"}, Stdin: strings.NewReader(text), Stdout: &stdout, Stderr: &stderr,
	})
	if code != 0 || err != nil || stdout.String() != text || stderr.String() != "copied 550000\n" {
		t.Errorf("got %d, %v, %d bytes and %q", code, err, stdout.Len(), stderr.String())
	}
}

func TestExecIO_isKilledWithItsContext(t *testing.T) {
	h := harness(t)
	r := open(t)
	spec := h.Spec(t, "run")
	runnertest.Start(t, r, spec)
	ctx, cancel := context.WithCancel(runnertest.Context(t))
	out := newScreen()
	done := make(chan error, 1)
	go func() {
		_, err := r.ExecIO(ctx, spec.Task.ID, runner.Session{Argv: []string{runnertest.Probe, "stubborn"}, TTY: true, Stdout: out})
		done <- err
	}()
	out.await(t, "ready")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	if s, ok := runnertest.Find(t, r, spec.Task.ID); !ok || s.State != runner.Running {
		t.Errorf("the task after it: got %+v, want it running", s)
	}
	usage, err := r.Usage(runnertest.Context(t), spec.Task.ID)
	if err != nil || usage.PIDs > 20 {
		t.Errorf("usage: got %+v, %v", usage, err)
	}
}

// ended is a process that has ended, and whose output is not all passed on yet.
type ended struct {
	client.Process // what else it can is not asked for
	out            streams
	deleted        chan struct{}
}

// streams are its output.
type streams struct {
	cio.IO
	draining, drained chan struct{}
}

func (o streams) Wait() {
	close(o.draining)
	<-o.drained
}

func (e *ended) Start(context.Context) error { return nil }

func (e *ended) IO() cio.IO { return e.out }

func (e *ended) Wait(context.Context) (<-chan client.ExitStatus, error) {
	status := make(chan client.ExitStatus, 1)
	status <- *client.NewExitStatus(3, time.Time{}, nil)
	return status, nil
}

func (e *ended) Delete(context.Context, ...client.ProcessDeleteOpts) (*client.ExitStatus, error) {
	close(e.deleted)
	return nil, nil
}

func TestExecute_takesAllOutputBeforeItDeletes(t *testing.T) {
	p := &ended{out: streams{draining: make(chan struct{}), drained: make(chan struct{})}, deleted: make(chan struct{})}
	done := make(chan int, 1)
	go func() {
		code, err := new(Runner).execute(runnertest.Context(t), p, make(chan struct{}))
		if err != nil {
			t.Error(err)
		}
		done <- code
	}()
	select {
	case <-p.out.draining:
	case <-p.deleted:
		t.Fatal("it was deleted with output that nobody has read")
	}
	select {
	case <-p.deleted:
		t.Error("it was deleted before all its output was read")
	default:
	}
	close(p.out.drained)
	if code := <-done; code != 3 {
		t.Errorf("got exit code %d, want 3", code)
	}
	<-p.deleted
}
