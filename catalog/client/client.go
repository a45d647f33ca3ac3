package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/api"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// MaxReply bounds an answer, in bytes.
const MaxReply = 32 << 20

// Client calls the API of one cluster. It may be used by several goroutines.
type Client struct {
	base string
	http *http.Client
}

// New makes a client of the API at base ("http://127.0.0.1:8080"); h may be
// nil. Time-outs are the context's business.
func New(base string, h *http.Client) *Client {
	if h == nil {
		h = http.DefaultClient
	}
	return &Client{strings.TrimRight(base, "/"), h}
}

// Search finds packages; an empty query gives all. A limit of 0 is the server's
// default.
func (c *Client) Search(ctx context.Context, q string, limit, offset int) (catalog.Results, error) {
	v := url.Values{}
	if q != "" {
		v.Set("q", q)
	}
	if limit > 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
	if offset > 0 {
		v.Set("offset", strconv.Itoa(offset))
	}
	var out catalog.Results
	return out, c.call(ctx, http.MethodGet, "/v1/packages", v, nil, &out)
}

// version makes the query of a release; an empty one is the newest.
func version(constraint string) url.Values {
	v := url.Values{}
	if constraint != "" {
		v.Set("version", constraint)
	}
	return v
}

// Package describes a release; version is a constraint, empty for the newest.
func (c *Client) Package(ctx context.Context, name, versions string) (catalog.Detail, error) {
	var out catalog.Detail
	return out, c.call(ctx, http.MethodGet, "/v1/packages/"+url.PathEscape(name), version(versions), nil, &out)
}

// Schema gives config.schema.json of a release.
func (c *Client) Schema(ctx context.Context, name, versions string) (json.RawMessage, error) {
	var out json.RawMessage
	return out, c.call(ctx, http.MethodGet, "/v1/packages/"+url.PathEscape(name)+"/options", version(versions), nil, &out)
}

// Icon gives the picture of a release and its media type.
func (c *Client) Icon(ctx context.Context, name, versions string) ([]byte, string, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/packages/"+url.PathEscape(name)+"/icon", version(versions), nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := read(resp)
	return b, resp.Header.Get("Content-Type"), err
}

// Plan says what a request would do.
func (c *Client) Plan(ctx context.Context, req plan.Request) (*plan.Plan, error) {
	out := &plan.Plan{}
	return out, c.call(ctx, http.MethodPost, "/v1/plans", nil, req, out)
}

// Install applies the plan with this digest, which may be of any kind: also one
// to change or to uninstall. An empty digest applies whatever the plan is now. A
// stale digest is problem.Conflict; StalePlan takes the new plan out of the error.
func (c *Client) Install(ctx context.Context, req plan.Request, digest string) (*plan.Plan, error) {
	out := &plan.Plan{}
	return out, c.call(ctx, http.MethodPost, "/v1/installations", nil, api.InstallRequest{Request: req, PlanDigest: digest}, out)
}

// StalePlan gives the new plan that comes with the error of a stale one.
func StalePlan(err error) (*plan.Plan, bool) {
	p := problem.Of(err)
	if p == nil || p.Class != problem.Conflict {
		return nil, false
	}
	raw, ok := p.Data.(json.RawMessage)
	if !ok {
		return nil, false
	}
	out := &plan.Plan{}
	if json.Unmarshal(raw, out) != nil || out.Digest == "" {
		return nil, false
	}
	return out, true
}

// Installations lists what is installed.
func (c *Client) Installations(ctx context.Context) ([]plan.Installation, error) {
	var out api.Installations
	return out.Items, c.call(ctx, http.MethodGet, "/v1/installations", nil, nil, &out)
}

// Installation gives one installation.
func (c *Client) Installation(ctx context.Context, id cluster.ServiceID) (plan.Installation, error) {
	var out plan.Installation
	return out, c.call(ctx, http.MethodGet, "/v1/installations/"+url.PathEscape(string(id)), nil, nil, &out)
}

// Uninstall removes an installation and leaves its volumes; force overrules
// those that need it. To destroy them, apply a plan of plan.KindUninstall.
func (c *Client) Uninstall(ctx context.Context, id cluster.ServiceID, force bool) (plan.Removal, error) {
	v := url.Values{}
	if force {
		v.Set("force", "true")
	}
	var out plan.Removal
	return out, c.call(ctx, http.MethodDelete, "/v1/installations/"+url.PathEscape(string(id)), v, nil, &out)
}

// Actions lists what an installation can be told to do.
func (c *Client) Actions(ctx context.Context, id cluster.ServiceID) ([]catalog.Action, error) {
	var out api.Actions
	return out.Items, c.call(ctx, http.MethodGet, "/v1/installations/"+url.PathEscape(string(id))+"/actions", nil, nil, &out)
}

// Run starts an action: words begin with its name, args are its arguments by
// place.
func (c *Client) Run(ctx context.Context, id cluster.ServiceID, words, args []string) (api.Run, error) {
	var out api.Run
	return out, c.call(ctx, http.MethodPost, "/v1/installations/"+url.PathEscape(string(id))+"/actions", nil, api.ActionRequest{Words: words, Args: args}, &out)
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	resp, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := read(resp)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return problem.New(problem.Internal, "%s %s: the answer cannot be read: %w", method, path, err)
	}
	return nil
}

// do sends a request; the caller closes the body of the answer. An answer of
// 400 and above is an error.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return nil, problem.New(problem.Invalid, "address of the cluster %q: %w", c.base, err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, cause)
		}
		return nil, problem.New(problem.Unavailable, "the cluster at %s does not answer: %w", c.base, err).
			WithHint("is it running? start one with: universe dev")
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, problem.Read(resp)
	}
	return resp, nil
}

func read(resp *http.Response) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	if err != nil {
		return nil, problem.New(problem.Unavailable, "the answer broke off: %w", err)
	}
	if len(b) > MaxReply {
		return nil, problem.New(problem.TooLarge, "the answer has more than %d bytes", MaxReply)
	}
	return b, nil
}
