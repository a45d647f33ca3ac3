package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/execwire"
)

const (
	// maxExecs bounds the sessions that are open at once on an agent.
	maxExecs = 64
	// maxExecArgs and maxExecBytes bound the command of a session.
	maxExecArgs  = 256
	maxExecBytes = 32 << 10
	// maxExecTime is how long a session may last.
	maxExecTime = 12 * time.Hour
	// execWriteTimeout is how long the other side may take to accept a frame.
	execWriteTimeout = 30 * time.Second
)

// parseExec reads the query of PathTaskExec.
func parseExec(q url.Values) (cluster.TaskID, runner.Session, error) {
	var s runner.Session
	refuse := func(format string, args ...any) (cluster.TaskID, runner.Session, error) {
		return "", s, problem.New(problem.Invalid, "exec: "+format, args...)
	}
	id := cluster.TaskID(q.Get("task"))
	if err := checkID(id); err != nil {
		return refuse("%w", err)
	}
	s.Argv = q["arg"]
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return refuse("no command")
	}
	if n := len(strings.Join(s.Argv, "")); len(s.Argv) > maxExecArgs || n > maxExecBytes {
		return refuse("a command of %d arguments and %d bytes, over the limit of %d and %d", len(s.Argv), n, maxExecArgs, maxExecBytes)
	}
	if strings.ContainsRune(strings.Join(s.Argv, ""), 0) {
		return refuse("the command contains a zero byte")
	}
	if text := q.Get("tty"); text != "" {
		var err error
		if s.TTY, err = strconv.ParseBool(text); err != nil {
			return refuse("tty %q is neither true nor false", text)
		}
	}
	for name, to := range map[string]*uint16{"columns": &s.Size.Columns, "rows": &s.Size.Rows} {
		if text := q.Get(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				return refuse("%s %q is not a number of characters", name, text)
			}
			*to = uint16(n)
		}
	}
	return id, s, nil
}

func (a *Agent) serveExec(w http.ResponseWriter, req *http.Request) {
	executor, ok := a.cfg.Runner.(runner.Executor)
	if !ok {
		problem.Write(w, problem.New(problem.Unavailable, "this agent's container engine runs no sessions"))
		return
	}
	id, session, err := parseExec(req.URL.Query())
	if err != nil {
		problem.Write(w, err)
		return
	}
	if req.Header.Get("Upgrade") != execwire.Protocol {
		problem.Write(w, problem.New(problem.Invalid, "exec: the request must have the header Upgrade: %s", execwire.Protocol))
		return
	}
	rec, ok := a.ledger.Get(id)
	if !ok || rec.Started == 0 || rec.Ended != 0 {
		problem.Write(w, problem.New(problem.NotFound, "exec: task %q does not run on agent %q", id, a.cfg.ID))
		return
	}
	if !a.openExec() {
		problem.Write(w, problem.New(problem.Unavailable, "exec: the agent has its %d sessions", maxExecs).WithHint("end one, and try again"))
		return
	}
	defer a.closeExec()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		problem.Write(w, fmt.Errorf("exec: %w", err))
		return
	}
	defer conn.Close()
	a.log.Info("exec session", "task", string(id), "command", session.Argv[0], "tty", session.TTY)
	a.runExec(req.Context(), conn, buffered.Reader, executor, id, session)
}

func (a *Agent) openExec() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.execs >= maxExecs {
		return false
	}
	a.execs++
	return true
}

func (a *Agent) closeExec() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.execs--
}

// runExec is a session, from the answer 101 to the last frame. When either side
// is gone the process is killed; the task goes on.
func (a *Agent) runExec(ctx context.Context, conn net.Conn, in *bufio.Reader, executor runner.Executor, id cluster.TaskID, s runner.Session) {
	ctx, cancel := context.WithTimeout(ctx, maxExecTime)
	defer cancel()
	if conn.SetDeadline(time.Time{}) != nil { // those of the server
		return
	}
	out := patient{conn}
	answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + execwire.Protocol + "\r\n\r\n"
	if _, err := io.WriteString(out, answer); err != nil {
		return
	}
	wire := execwire.New(in, out)
	stdin, keys := io.Pipe()
	resize := make(chan runner.Size)
	s.Stdin, s.Resize, s.Stdout, s.Stderr = stdin, resize, wire.Writer(execwire.Stdout), wire.Writer(execwire.Stderr)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer cancel() // without its user a session has no sense
		hear(ctx, wire, keys, resize)
	})
	code, err := executor.ExecIO(ctx, id, s)
	_ = stdin.Close() // never fails (io.Pipe)
	result := execwire.Result{Code: code}
	if err != nil {
		result = execwire.Result{Error: err.Error()}
	}
	err = wire.SendExit(result)
	// Half closed first: what was sent last must not be lost to a reset.
	if half, ok := conn.(interface{ CloseWrite() error }); ok && err == nil {
		err = half.CloseWrite()
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		a.log.Debug("the end of an exec session was not sent", "task", string(id), "err", err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // for the other side to close
	reading.Wait()
}

// hear passes on frames until the connection ends or sends nonsense.
func hear(ctx context.Context, wire *execwire.Conn, keys *io.PipeWriter, resize chan<- runner.Size) {
	defer keys.Close()
	for {
		kind, p, err := wire.Receive()
		if err != nil {
			return
		}
		switch kind {
		case execwire.Stdin:
			if _, err := keys.Write(p); err != nil {
				continue // it reads no more; what comes is dropped
			}
		case execwire.EOF:
			_ = keys.Close() // never fails (io.Pipe)
		case execwire.Resize:
			columns, rows, err := execwire.Size(p)
			if err != nil {
				return
			}
			select {
			case resize <- runner.Size{Columns: columns, Rows: rows}:
			case <-ctx.Done():
			}
		default:
			return
		}
	}
}

// patient gives each write its own deadline.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(execWriteTimeout)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
