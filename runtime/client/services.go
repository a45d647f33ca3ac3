package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// RestartInstance asks for the tasks of an instance to be started again.
type RestartInstance struct {
	Pod   string `json:"pod"`
	Index int    `json:"index"`
	Task  string `json:"task,omitempty"` // only this one; empty: all
	// Replace gives an instance with volumes another place. Its data is destroyed,
	// and so this takes the right to delete the service.
	Replace bool `json:"replace,omitempty"`
}

// CallPlan says what of a plan is meant.
type CallPlan struct {
	Phase string `json:"phase,omitempty"` // empty: the plan as a whole
	Step  string `json:"step,omitempty"`  // of Phase, or an instance such as "broker-0"; empty: the phase as a whole
}

// Rollback asks for a spec of before.
type Rollback struct {
	// Generation is one of the service's history; 0: the latest that was brought up
	// completely and differs from the present one.
	Generation int64  `json:"generation,omitempty"`
	Expect     *int64 `json:"expect,omitempty"` // as in PutService
}

// ReleasePlaces asks for places, with the data on them, to be given up.
type ReleasePlaces struct {
	Instances []string `json:"instances"` // "broker-0"; none of them may run
}

func servicePath(id cluster.ServiceID, rest string) string {
	return PathServices + "/" + url.PathEscape(string(id)) + rest
}

// Services lists the services.
func (c *Client) Services(ctx context.Context) ([]service.Status, error) {
	l, err := get[List[service.Status]](ctx, c, PathServices, nil)
	return l.Items, err
}

// Service gives one service.
func (c *Client) Service(ctx context.Context, id cluster.ServiceID) (service.Status, error) {
	return get[service.Status](ctx, c, servicePath(id, ""), nil)
}

// ServiceRecord gives one service as it was asked for: with its whole spec,
// those of before, and the records of its plans.
func (c *Client) ServiceRecord(ctx context.Context, id cluster.ServiceID) (core.Service, error) {
	return get[core.Service](ctx, c, servicePath(id, "/record"), nil)
}

// PutService wants a service as put says; the id is put.Spec's.
func (c *Client) PutService(ctx context.Context, put PutService) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPut, servicePath(put.Spec.ID, ""), put)
}

// RemoveService wants a service gone, with its volumes. It is gone when Service
// says not found.
func (c *Client) RemoveService(ctx context.Context, id cluster.ServiceID) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodDelete, servicePath(id, ""), nil)
}

// RemoveServiceKeepData wants a service gone and its volumes left: Leftovers has
// them, and the next service of that id takes them up.
func (c *Client) RemoveServiceKeepData(ctx context.Context, id cluster.ServiceID) (Accepted, error) {
	return ask[Accepted](ctx, c, http.MethodDelete, servicePath(id, ""), url.Values{QueryKeepData: {"true"}}, nil)
}

// RestartInstance starts the tasks of an instance again, where they are; with
// Replace, on another place.
func (c *Client) RestartInstance(ctx context.Context, id cluster.ServiceID, r RestartInstance) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, servicePath(id, "/restart"), r)
}

// CallPlan does to a plan of a service, or a part of it, what verb says.
func (c *Client) CallPlan(ctx context.Context, id cluster.ServiceID, plan string, verb core.Verb, part CallPlan) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, servicePath(id, "/plans/"+url.PathEscape(plan)+"/"+url.PathEscape(string(verb))), part)
}

// RollbackService brings a spec of before back, as a new generation.
func (c *Client) RollbackService(ctx context.Context, id cluster.ServiceID, r Rollback) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, servicePath(id, "/rollback"), r)
}

// ReleasePlaces gives up the places of instances that do not run, all or none:
// their data is destroyed.
func (c *Client) ReleasePlaces(ctx context.Context, id cluster.ServiceID, instances ...string) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodPost, servicePath(id, "/release"), ReleasePlaces{Instances: instances})
}

// Leftovers lists what removed services left.
func (c *Client) Leftovers(ctx context.Context) ([]core.Leftovers, error) {
	l, err := get[List[core.Leftovers]](ctx, c, PathLeftovers, nil)
	return l.Items, err
}

// Leftover gives what the removed service of an id left.
func (c *Client) Leftover(ctx context.Context, id cluster.ServiceID) (core.Leftovers, error) {
	return get[core.Leftovers](ctx, c, PathLeftovers+"/"+url.PathEscape(string(id)), nil)
}

// ReleaseLeftovers destroys what the removed service of an id left.
func (c *Client) ReleaseLeftovers(ctx context.Context, id cluster.ServiceID) (Accepted, error) {
	return send[Accepted](ctx, c, http.MethodDelete, PathLeftovers+"/"+url.PathEscape(string(id)), nil)
}
