package native

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/execwire"
)

// ExecIdle is how long a session may be silent in both directions.
const ExecIdle = time.Hour

// execLinger is how long the other side may take to close after the last frame.
const execLinger = time.Second

// Executor is what a Cluster has that runs processes in the containers of tasks.
type Executor interface {
	// Exec opens a session; of o, the command, TTY and Size count. What is read
	// and written are the frames of package execwire. The end of either side
	// closes it.
	Exec(ctx context.Context, id cluster.TaskID, o client.ExecOptions) (io.ReadWriteCloser, error)
}

// exec opens a session and passes on, byte for byte, what either side sends.
func (a *api) exec(w http.ResponseWriter, c call) error {
	e, can := a.Cluster.(Executor)
	if !can {
		return problem.New(problem.NotFound, "%s: this cluster runs no sessions", c.URL.Path)
	}
	if c.Header.Get("Upgrade") != execwire.Protocol {
		return problem.New(problem.Invalid, "%s: the request must have the header Upgrade: %s", c.URL.Path, execwire.Protocol)
	}
	o, err := execOptions(c.URL.Query())
	if err != nil {
		return err
	}
	agent, err := e.Exec(c.Context(), cluster.TaskID(c.id), o)
	if err != nil {
		return err
	}
	defer agent.Close()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("%s: %w", c.URL.Path, err)
	}
	defer conn.Close()
	if conn.SetDeadline(time.Time{}) != nil { // those of the server
		return nil
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + execwire.Protocol + "\r\n\r\n"
	if _, err := io.WriteString(patient{conn}, answer); err != nil {
		return nil // the client went away
	}
	a.Logger.Info("exec session", "task", c.id, "principal", c.principal.Name, "command", o.Argv[0], "tty", o.TTY)
	splice(c.Context(), conn, buffered.Reader, agent)
	return nil
}

// execOptions reads the query of a session.
func execOptions(q url.Values) (client.ExecOptions, error) {
	o := client.ExecOptions{Argv: q["arg"]}
	refuse := func(format string, args ...any) (client.ExecOptions, error) {
		return o, problem.New(problem.Invalid, "exec: "+format, args...)
	}
	if err := o.Check(); err != nil {
		return o, err
	}
	if text := q.Get("tty"); text != "" {
		var err error
		if o.TTY, err = strconv.ParseBool(text); err != nil {
			return refuse("tty=%q is not true or false", text)
		}
	}
	for name, to := range map[string]*uint16{"columns": &o.Size.Columns, "rows": &o.Size.Rows} {
		if text := q.Get(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil {
				return refuse("%s=%q is not a number of characters", name, text)
			}
			*to = uint16(n)
		}
	}
	return o, nil
}

// splice passes on what either side sends until one is gone, ctx ends, or both
// were silent for ExecIdle. in reads conn.
func splice(ctx context.Context, conn net.Conn, in io.Reader, agent io.ReadWriteCloser) {
	end := func() {
		_ = conn.Close()  // both readers hear of it
		_ = agent.Close() // and so does the agent
	}
	defer context.AfterFunc(ctx, end)()
	idle := time.AfterFunc(ExecIdle, end)
	defer idle.Stop()
	heard := func() { idle.Reset(ExecIdle) }
	var up sync.WaitGroup
	defer up.Wait()
	up.Go(func() {
		defer agent.Close() // without its user a session has no sense
		pass(agent, in, heard)
	})
	pass(patient{conn}, agent, heard)
	// Half closed first: what was sent last must not be lost to a reset.
	if half, can := conn.(interface{ CloseWrite() error }); !can || half.CloseWrite() != nil {
		_ = conn.Close() // the session is over
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(execLinger)) // for the other side to close
}

// pass copies what comes until either side is gone.
func pass(to io.Writer, from io.Reader, heard func()) {
	buf := make([]byte, logChunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			heard()
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// patient gives each write its own deadline.
type patient struct{ net.Conn }

// Write implements io.Writer.
func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(StreamWriteTimeout)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
