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
	q := url.Values{"task": {string(id)}}
	if o.Stream != "" {
		q.Set("stream", o.Stream)
	}
	if o.Offset > 0 {
		q.Set("offset", strconv.FormatInt(o.Offset, 10))
	}
	if o.Tail > 0 {
		q.Set("tail", strconv.FormatInt(o.Tail, 10))
	}
	if o.Follow {
		q.Set("follow", "true")
	}
	task := m.View().Task(id)
	if task == nil {
		return nil, errNoTask(id)
	}
	req, err := m.agentRequest(ctx, http.MethodGet, task.Agent, cluster.PathTaskLog, q)
	if err != nil {
		return nil, fmt.Errorf("log of task %q: %w", id, err)
	}
	resp, err := m.askAgent(task.Agent, req, http.StatusOK)
	if err != nil {
		return nil, fmt.Errorf("log of task %q: %w", id, err)
	}
	return resp.Body, nil
}

func errNoTask(id cluster.TaskID) error {
	return problem.New(problem.NotFound, "there is no task %q", id).WithHint("see what there is: dcos task list --all")
}

// agentRequest is a request of an agent's own API.
func (m *Master) agentRequest(ctx context.Context, method string, id cluster.AgentID, path string, q url.Values) (*http.Request, error) {
	agent := m.View().Agent(id)
	if agent == nil || agent.Info.URL == "" {
		return nil, problem.New(problem.Unavailable, "its agent %q serves no requests", id)
	}
	target, err := url.Parse(agent.Info.URL)
	if err != nil {
		return nil, fmt.Errorf("address of agent %q: %w", id, err)
	}
	target = target.JoinPath(path)
	target.RawQuery = q.Encode()
	return http.NewRequestWithContext(ctx, method, target.String(), http.NoBody)
}

// askAgent makes a request; another status than the wanted one is an error.
func (m *Master) askAgent(id cluster.AgentID, req *http.Request, want int) (*http.Response, error) {
	resp, err := m.agentClient(id).Do(req)
	if err != nil {
		if ctx := req.Context(); ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, problem.New(problem.Unavailable, "agent %q does not answer: %w", id, err)
	}
	if resp.StatusCode != want {
		defer resp.Body.Close()
		return nil, fmt.Errorf("agent %q: %w", id, problem.Read(resp))
	}
	return resp, nil
}

// agentClient calls one agent. Requests for logs and sessions are rare and long:
// each has a connection of its own, which ends with it.
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
