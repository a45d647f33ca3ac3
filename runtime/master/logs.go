package master

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// TaskLog gives the output of a task from its agent. The caller closes it;
// with Follow it lasts until the task has ended or ctx ends.
func (m *Master) TaskLog(ctx context.Context, id cluster.TaskID, o client.LogOptions) (io.ReadCloser, error) {
	view := m.View()
	task := view.Task(id)
	if task == nil {
		return nil, problem.New(problem.NotFound, "there is no task %q", id).WithHint("see what there is: dcos task list --all")
	}
	agent := view.Agent(task.Agent)
	if agent == nil || agent.Info.URL == "" {
		return nil, problem.New(problem.Unavailable, "log of task %q: its agent %q serves no logs", id, task.Agent)
	}
	target, err := url.Parse(agent.Info.URL)
	if err != nil {
		return nil, fmt.Errorf("log of task %q: address of agent %q: %w", id, task.Agent, err)
	}
	q := url.Values{"task": {string(id)}}
	if o.Offset > 0 {
		q.Set("offset", strconv.FormatInt(o.Offset, 10))
	}
	if o.Tail > 0 {
		q.Set("tail", strconv.FormatInt(o.Tail, 10))
	}
	if o.Follow {
		q.Set("follow", "true")
	}
	target = target.JoinPath(cluster.PathTaskLog)
	target.RawQuery = q.Encode()
	return m.fetchLog(ctx, id, task.Agent, target.String())
}

func (m *Master) fetchLog(ctx context.Context, id cluster.TaskID, agent cluster.AgentID, target string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("log of task %q: %w", id, err)
	}
	resp, err := m.agentClient(agent).Do(req)
	if err != nil {
		return nil, problem.New(problem.Unavailable, "log of task %q: agent %q does not answer: %w", id, agent, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, fmt.Errorf("log of task %q: agent %q: %w", id, agent, problem.Read(resp))
	}
	return resp.Body, nil
}

// agentClient calls one agent. Requests for logs are rare and long: each has a
// connection of its own, which ends with it.
func (m *Master) agentClient(agent cluster.AgentID) *http.Client {
	var conf *tls.Config
	if m.cfg.AgentTLS != nil {
		conf = m.cfg.AgentTLS(agent)
	}
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true, ResponseHeaderTimeout: logHeaderTimeout},
		// An agent serves its own logs and sends nobody elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
