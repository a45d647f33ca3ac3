package native

import (
	"context"
	"net/http"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// Joiner is what a Cluster has that machines can join.
type Joiner interface {
	// MintToken makes a token with which one machine can join, once.
	MintToken(ctx context.Context, ask client.MintToken) (client.JoinToken, error)
}

func (a *api) mintToken(c call) (reply, error) {
	j, can := a.Cluster.(Joiner)
	if !can {
		return reply{}, problem.New(problem.NotFound, "%s: nobody can join this cluster", c.URL.Path)
	}
	ask, err := optional[client.MintToken](c)
	if err != nil {
		return reply{}, err
	}
	token, err := j.MintToken(c.Context(), ask)
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusCreated, token}, nil
}

// drainAgent empties an agent. The time until its tasks are killed counts from
// now by the master's clock.
func (a *api) drainAgent(c call) (reply, error) {
	d, err := body[client.DrainAgent](c)
	if err != nil {
		return reply{}, err
	}
	if d.Within < 0 || d.Within > client.MaxDrain || d.MaxGrace < 0 {
		return reply{}, problem.New(problem.Invalid, "draining within %d ms and a grace of %d ms: neither is negative, the first at most %d", d.Within, d.MaxGrace, client.MaxDrain)
	}
	return a.submit(c, core.DrainAgent{Agent: cluster.AgentID(c.id), Deadline: a.Cluster.Now().Add(d.Within), MaxGrace: d.MaxGrace,
		MarkGone: d.MarkGone, Principal: c.principal.Name})
}

func (a *api) deactivateAgent(c call) (reply, error) {
	return a.submit(c, core.DeactivateAgent{Agent: cluster.AgentID(c.id), Principal: c.principal.Name})
}

func (a *api) reactivateAgent(c call) (reply, error) {
	return a.submit(c, core.ReactivateAgent{Agent: cluster.AgentID(c.id), Principal: c.principal.Name})
}

func (a *api) putMaintenance(c call) (reply, error) {
	m, err := body[client.Maintenance](c)
	if err != nil {
		return reply{}, err
	}
	return a.submit(c, core.PutMaintenance{Agents: m.Agents, Window: m.Window, Principal: c.principal.Name})
}
