package master

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/execwire"
)

// Exec opens a session in the container of a task on its agent: of o, the
// command, TTY and Size count. What is read and written are the frames of
// package execwire, which are between the client and the agent. The caller
// closes it; the end of the master ends it too.
func (m *Master) Exec(ctx context.Context, id cluster.TaskID, o client.ExecOptions) (io.ReadWriteCloser, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	task := m.View().Task(id)
	switch {
	case task == nil:
		return nil, errNoTask(id)
	case !task.Active():
		return nil, problem.New(problem.NotFound, "exec: task %q has ended: %s", id, task.Status.State).
			WithHint("see what runs: dcos task list")
	}
	s := &execSession{execs: m.execs}
	if err := m.execs.add(s); err != nil {
		return nil, err
	}
	if err := m.dialExec(ctx, s, task, o); err != nil {
		s.Close()
		return nil, fmt.Errorf("exec in task %q: %w", id, err)
	}
	return s, nil
}

// dialExec asks the agent for a session.
func (m *Master) dialExec(ctx context.Context, s *execSession, task *cluster.Task, o client.ExecOptions) error {
	q := o.Query()
	q.Set("task", string(task.Spec.ID))
	req, err := m.agentRequest(ctx, http.MethodPost, task.Agent, cluster.PathTaskExec, q)
	if err != nil {
		return err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", execwire.Protocol)
	resp, err := m.askAgent(task.Agent, req, http.StatusSwitchingProtocols)
	if err != nil {
		return err
	}
	conn, both := resp.Body.(io.ReadWriteCloser)
	if !both || resp.Header.Get("Upgrade") != execwire.Protocol {
		_ = resp.Body.Close() // it is of no use
		return problem.New(problem.Unavailable, "agent %q speaks another protocol than %s", task.Agent, execwire.Protocol)
	}
	return s.begin(conn)
}

// execs are the sessions that are open. It is a leaf with a lock.
type execs struct {
	mu      sync.Mutex
	open    map[*execSession]bool
	stopped bool
}

func newExecs() *execs { return &execs{open: map[*execSession]bool{}} }

// execSession is one session; it has a connection once the agent has answered.
type execSession struct {
	execs *execs
	io.ReadWriteCloser
}

func (e *execs) add(s *execSession) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.stopped:
		return errStoppedMaster
	case len(e.open) >= MaxExecs:
		return problem.New(problem.RateLimited, "exec: the master has its %d sessions", MaxExecs).WithHint("end one, and try again")
	}
	e.open[s] = true
	return nil
}

// begin gives a session its connection, unless it was ended meanwhile.
func (s *execSession) begin(conn io.ReadWriteCloser) error {
	s.execs.mu.Lock()
	ended := !s.execs.open[s]
	if !ended {
		s.ReadWriteCloser = conn
	}
	s.execs.mu.Unlock()
	if ended {
		_ = conn.Close() // the agent ends the process
		return errStoppedMaster
	}
	return nil
}

// Close implements io.Closer. It can be called more than once.
func (s *execSession) Close() error {
	s.execs.mu.Lock()
	open, conn := s.execs.open[s], s.ReadWriteCloser
	delete(s.execs.open, s)
	s.execs.mu.Unlock()
	if !open || conn == nil {
		return nil
	}
	return conn.Close()
}

// stop ends all sessions; there are no later ones.
func (e *execs) stop() {
	e.mu.Lock()
	e.stopped = true
	all := make([]*execSession, 0, len(e.open))
	for s := range e.open {
		all = append(all, s)
	}
	e.mu.Unlock()
	for _, s := range all {
		_ = s.Close() // its reader hears of it
	}
}
