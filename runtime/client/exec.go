package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/execwire"
)

const (
	// MaxExecArgs bounds the command of a session: its words.
	MaxExecArgs = 256
	// MaxExecBytes bounds the bytes of all of them together.
	MaxExecBytes = 32 << 10
)

// Size is that of a terminal, in characters.
type Size struct{ Columns, Rows uint16 }

// ExecOptions is a process to run in the container of a task, with its streams.
type ExecOptions struct {
	Argv   []string
	TTY    bool        // with a terminal: Stderr is then part of Stdout
	Size   Size        // of the terminal at the start
	Resize <-chan Size // later sizes; nil: none
	// Stdin is read to its end, which the process is told; nil: empty. A Read may
	// be under way when Exec has returned.
	Stdin  io.Reader
	Stdout io.Writer // nil: dropped
	Stderr io.Writer // nil: dropped
}

// Check says what is wrong with the command; the streams are the caller's.
func (o ExecOptions) Check() error {
	if len(o.Argv) == 0 || o.Argv[0] == "" {
		return problem.New(problem.Invalid, "exec: no command")
	}
	all := strings.Join(o.Argv, "")
	switch {
	case len(o.Argv) > MaxExecArgs || len(all) > MaxExecBytes:
		return problem.New(problem.Invalid, "exec: a command of %d arguments and %d bytes, over the limit of %d and %d", len(o.Argv), len(all), MaxExecArgs, MaxExecBytes)
	case strings.ContainsRune(all, 0):
		return problem.New(problem.Invalid, "exec: the command contains a zero byte")
	}
	return nil
}

// Exec runs a process in the container of a task, as its user and in its
// environment, to its end and gives its exit code. When ctx ends first, or the
// connection does, the process is killed. Neither ends the task.
func (c *Client) Exec(ctx context.Context, task cluster.TaskID, o ExecOptions) (int, error) {
	conn, err := c.openExec(ctx, task, o)
	if err != nil {
		return 0, err
	}
	over := make(chan struct{})
	var sizes sync.WaitGroup
	defer sizes.Wait() // after the connection is closed: a frame may be held up
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer close(over)
	wire := execwire.New(conn, conn)
	sizes.Go(func() { sendSizes(wire, o.Resize, over) })
	go sendStdin(wire, o.Stdin) // waits for whoever types: nothing can end that
	code, err := receive(wire, o)
	switch {
	case err == nil:
		return code, nil
	case ctx.Err() != nil:
		return 0, fmt.Errorf("exec in task %q: %w", task, context.Cause(ctx))
	}
	return 0, fmt.Errorf("exec in task %q: %w", task, err)
}

// Query is the command as the query of a request, to the master and to an agent.
func (o ExecOptions) Query() url.Values {
	q := url.Values{"arg": o.Argv}
	if o.TTY {
		q.Set("tty", "true")
	}
	if o.Size != (Size{}) {
		q.Set("columns", strconv.Itoa(int(o.Size.Columns)))
		q.Set("rows", strconv.Itoa(int(o.Size.Rows)))
	}
	return q
}

// openExec asks for a session; the connection carries frames.
func (c *Client) openExec(ctx context.Context, task cluster.TaskID, o ExecOptions) (io.ReadWriteCloser, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	path := PathTasks + "/" + url.PathEscape(string(task)) + "/exec"
	req, err := c.request(ctx, http.MethodPost, path, o.Query(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", execwire.Protocol)
	resp, err := c.answer(req, oneConnection(c.http))
	if err != nil {
		return nil, err
	}
	conn, both := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != execwire.Protocol || !both {
		defer resp.Body.Close()
		return nil, problem.New(problem.Unavailable, "exec in task %q: the answer is %s, not %s", task, resp.Status, execwire.Protocol).
			WithHint("is there a proxy between this machine and the master that does not pass on Upgrade?")
	}
	return conn, nil
}

// oneConnection is a client for a session: its connection is used for nothing
// else, and speaks HTTP/1.1, since HTTP/2 knows no Upgrade.
func oneConnection(hc *http.Client) *http.Client {
	from := hc.Transport
	if from == nil {
		from = http.DefaultTransport
	}
	t, known := from.(*http.Transport)
	if !known {
		return hc // somebody's own: it does what it can
	}
	t = t.Clone()
	t.DisableKeepAlives, t.ForceAttemptHTTP2 = true, false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = nil
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.NextProtos = nil
	}
	return &http.Client{Transport: t, CheckRedirect: hc.CheckRedirect, Jar: hc.Jar}
}

// sendStdin sends what is typed, and that it ends.
func sendStdin(wire *execwire.Conn, r io.Reader) {
	if r != nil {
		// A stream that breaks has ended: the process sees no more of it.
		_, _ = io.Copy(wire.Writer(execwire.Stdin), r)
	}
	_ = wire.Send(execwire.EOF, nil) // receive tells of a connection that is gone
}

// sendSizes sends the sizes of the terminal, until the session is over.
func sendSizes(wire *execwire.Conn, sizes <-chan Size, over <-chan struct{}) {
	for {
		select {
		case s, more := <-sizes:
			if !more || wire.SendSize(s.Columns, s.Rows) != nil {
				return
			}
		case <-over:
			return
		}
	}
}

// receive passes on what the process writes, and gives its exit code.
func receive(wire *execwire.Conn, o ExecOptions) (int, error) {
	out := map[execwire.Kind]io.Writer{execwire.Stdout: o.Stdout, execwire.Stderr: o.Stderr}
	for {
		kind, p, err := wire.Receive()
		switch {
		case errors.Is(err, execwire.ErrFrame):
			return 0, err
		case err != nil:
			return 0, problem.New(problem.Unavailable, "the connection ended before the process did: %w", err).
				WithHint("is the task still running? see dcos task list")
		}
		switch kind {
		case execwire.Stdout, execwire.Stderr:
			if w := out[kind]; w != nil {
				if _, err := w.Write(p); err != nil {
					return 0, err
				}
			}
		case execwire.Exit:
			r, err := execwire.ReadResult(p)
			if err == nil && r.Error != "" {
				err = errors.New(r.Error)
			}
			return r.Code, err
		default:
			return 0, fmt.Errorf("a frame of kind %d: %w", kind, execwire.ErrFrame)
		}
	}
}
