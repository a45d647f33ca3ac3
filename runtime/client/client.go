package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
)

// MaxReply bounds what is read of one reply, in bytes; streams are not bounded.
const MaxReply = 256 << 20

// Client calls the native API of one master. It is safe for concurrent use.
type Client struct {
	base *url.URL
	http *http.Client
}

// New makes a client of the master at base, such as "http://127.0.0.1:5050".
// hc must not have a time-out of its own, or it cuts logs and events off; nil:
// http.DefaultClient.
func New(base string, hc *http.Client) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, problem.New(problem.Invalid, "cluster address %q is not a URL", base).WithHint("give one such as http://127.0.0.1:5050")
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	return &Client{base: u, http: hc}, nil
}

// State gives the cluster in numbers.
func (c *Client) State(ctx context.Context) (State, error) {
	return get[State](ctx, c, PathState, nil)
}

// Agents lists the agents, with what their tasks hold.
func (c *Client) Agents(ctx context.Context) ([]core.Agent, error) {
	l, err := get[List[core.Agent]](ctx, c, PathAgents, nil)
	return l.Items, err
}

// MintToken makes a token with which a machine can join the cluster.
func (c *Client) MintToken(ctx context.Context, ask MintToken) (JoinToken, error) {
	return send[JoinToken](ctx, c, http.MethodPost, PathTokens, ask)
}

// RemoveAgent declares an agent gone, for a machine that will not come back: its
// tasks are lost and launched elsewhere, and no agent of this id is let in again.
func (c *Client) RemoveAgent(ctx context.Context, id cluster.AgentID) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodDelete, PathAgents+"/"+url.PathEscape(string(id)), nil)
}

// DrainAgent empties an agent. It is empty when its Drain.State is core.Drained.
func (c *Client) DrainAgent(ctx context.Context, id cluster.AgentID, d DrainAgent) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, PathAgents+"/"+url.PathEscape(string(id))+"/drain", d)
}

// DeactivateAgent keeps an agent from getting more tasks; those it has run on.
func (c *Client) DeactivateAgent(ctx context.Context, id cluster.AgentID) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, PathAgents+"/"+url.PathEscape(string(id))+"/deactivate", nil)
}

// ReactivateAgent undoes DrainAgent and DeactivateAgent.
func (c *Client) ReactivateAgent(ctx context.Context, id cluster.AgentID) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, PathAgents+"/"+url.PathEscape(string(id))+"/reactivate", nil)
}

// PutMaintenance plans when agents are away.
func (c *Client) PutMaintenance(ctx context.Context, m Maintenance) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPut, PathMaintenance, m)
}

// Frameworks lists the frameworks, built-in ones too. A framework itself speaks
// the offer API of package framework.
func (c *Client) Frameworks(ctx context.Context) ([]Framework, error) {
	l, err := get[List[Framework]](ctx, c, PathFrameworks, nil)
	return l.Items, err
}

// Why says what keeps a framework, built-in ones too, from getting an amount
// under a role, agent by agent; role empty: cluster.DefaultRole.
func (c *Client) Why(ctx context.Context, id cluster.FrameworkID, role cluster.Role, need cluster.Resources) (alloc.Why, error) {
	q := url.Values{}
	if role != "" {
		q.Set("role", string(role))
	}
	if text := need.Text(); text != "" {
		for part := range strings.SplitSeq(text, ";") {
			name, value, _ := strings.Cut(part, ":")
			q.Add(name, value)
		}
	}
	return get[alloc.Why](ctx, c, PathFrameworks+"/"+url.PathEscape(string(id))+"/why", q)
}

// RemoveFramework removes a framework and kills its tasks.
func (c *Client) RemoveFramework(ctx context.Context, id cluster.FrameworkID) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodDelete, PathFrameworks+"/"+url.PathEscape(string(id)), nil)
}

// Tasks lists tasks in order of their ids.
func (c *Client) Tasks(ctx context.Context, f TaskFilter) ([]cluster.Task, error) {
	q := url.Values{}
	if f.Service != "" {
		q.Set("service", string(f.Service))
	}
	if f.All {
		q.Set("all", "true")
	}
	l, err := get[List[cluster.Task]](ctx, c, PathTasks, q)
	return l.Items, err
}

// Task gives one task.
func (c *Client) Task(ctx context.Context, id cluster.TaskID) (cluster.Task, error) {
	return get[cluster.Task](ctx, c, PathTasks+"/"+url.PathEscape(string(id)), nil)
}

// KillTask asks a task to end; grace 0 is the task's own. A service launches
// another one for it.
func (c *Client) KillTask(ctx context.Context, id cluster.TaskID, grace cluster.Millis) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, PathTasks+"/"+url.PathEscape(string(id))+"/kill", KillTask{Grace: grace})
}

// TaskLog gives the output of a task. The caller closes it; with Follow it
// lasts until the task has ended or ctx ends.
func (c *Client) TaskLog(ctx context.Context, id cluster.TaskID, o LogOptions) (io.ReadCloser, error) {
	q := url.Values{}
	if o.Offset > 0 {
		q.Set("offset", strconv.FormatInt(o.Offset, 10))
	}
	if o.Tail > 0 {
		q.Set("tail", strconv.FormatInt(o.Tail, 10))
	}
	if o.Stream != "" {
		q.Set("stream", o.Stream)
	}
	if o.Follow {
		q.Set("follow", "true")
	}
	resp, err := c.do(ctx, http.MethodGet, PathTasks+"/"+url.PathEscape(string(id))+"/log", q, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Runs lists the runs, those that ended and are still kept too.
func (c *Client) Runs(ctx context.Context) ([]job.Status, error) {
	l, err := get[List[job.Status]](ctx, c, PathRuns, nil)
	return l.Items, err
}

// Run gives one run.
func (c *Client) Run(ctx context.Context, id cluster.RunID) (job.Status, error) {
	return get[job.Status](ctx, c, PathRuns+"/"+url.PathEscape(string(id)), nil)
}

// StartRun wants a task run once. An empty id is given one by the master.
func (c *Client) StartRun(ctx context.Context, spec cluster.RunSpec) (job.Status, error) {
	return send[job.Status](ctx, c, http.MethodPost, PathRuns, spec)
}

// CancelRun ends a run.
func (c *Client) CancelRun(ctx context.Context, id cluster.RunID) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodDelete, PathRuns+"/"+url.PathEscape(string(id)), nil)
}

func get[T any](ctx context.Context, c *Client, path string, q url.Values) (T, error) {
	var out T
	resp, err := c.do(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return out, err
	}
	return out, read(resp, &out)
}

func send[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	return ask[T](ctx, c, method, path, nil, body)
}

// ask is send with a query.
func ask[T any](ctx context.Context, c *Client, method, path string, q url.Values, body any) (T, error) {
	var out T
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return out, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	resp, err := c.do(ctx, method, path, q, b)
	if err != nil {
		return out, err
	}
	return out, read(resp, &out)
}

func read(resp *http.Response, into any) error {
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, MaxReply)
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("%s %s: reply: %w", resp.Request.Method, resp.Request.URL.Path, err)
	}
	_, _ = io.Copy(io.Discard, body) // so that the connection can be used again
	return nil
}

// unescape undoes what PathEscape did.
func unescape(path string) string {
	plain, err := url.PathUnescape(path)
	if err != nil {
		return path // not reached: the path's parts were escaped
	}
	return plain
}

// do makes a request of a path in which ids are escaped; the reply has a good
// status, and its body is the caller's.
func (c *Client) do(ctx context.Context, method, path string, q url.Values, body []byte) (*http.Response, error) {
	req, err := c.request(ctx, method, path, q, body)
	if err != nil {
		return nil, err
	}
	return c.answer(req, c.http)
}

func (c *Client) request(ctx context.Context, method, path string, q url.Values, body []byte) (*http.Request, error) {
	u := *c.base
	u.RawPath = u.EscapedPath() + path
	u.Path += unescape(path)
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// answer makes a request; a bad status is an error.
func (c *Client) answer(req *http.Request, hc *http.Client) (*http.Response, error) {
	resp, err := hc.Do(req)
	if err != nil {
		if ctx := req.Context(); ctx.Err() != nil {
			return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, context.Cause(ctx))
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the address is in our sentence already
		}
		return nil, problem.New(problem.Unavailable, "the master at %s does not answer: %w", c.base.Redacted(), err).
			WithHint("is it running? start one with universe dev, or name another by --cluster")
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, problem.Read(resp)
	}
	return resp, nil
}
