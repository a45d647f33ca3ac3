package native

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/alloc"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/job"
	"github.com/universe-dcos/universe/runtime/service"
)

// Frameworks is what a Cluster has that takes frameworks from outside.
type Frameworks interface {
	// Frameworks gives a principal the offer API.
	Frameworks(principal string) framework.Transport
}

// Explainer is what a Cluster has that can say why a framework waits.
type Explainer interface {
	// Why says what keeps a framework from getting an amount under a role.
	Why(ctx context.Context, id cluster.FrameworkID, role cluster.Role, need cluster.Resources) (alloc.Why, error)
}

// why says why a framework waits for what the query names: "role", which is the
// default one when it is not there, and resources by their names, in the text
// form of Mesos (cluster.ParseResources).
func (a *api) why(c call) (reply, error) {
	e, can := a.Cluster.(Explainer)
	if !can {
		return reply{}, problem.New(problem.NotFound, "%s: this master does not say why", c.URL.Path)
	}
	role, need := cluster.DefaultRole, []string{}
	for name, values := range c.URL.Query() {
		switch v := values[0]; {
		case len(values) > 1:
			return reply{}, problem.New(problem.Invalid, "%s: %.64q is there %d times", c.URL.Path, name, len(values))
		case name == "role":
			role = cluster.Role(v)
		case strings.ContainsAny(name+v, ";()"):
			return reply{}, problem.New(problem.Invalid, "%s: %.64s=%.64q is no resource: name each by itself, and role beside them", c.URL.Path, name, v)
		default:
			need = append(need, name+":"+v)
		}
	}
	resources, _, err := cluster.ParseResources(strings.Join(need, ";"))
	switch {
	case err != nil:
		return reply{}, problem.New(problem.Invalid, "%s: %w", c.URL.Path, err)
	case !cluster.ValidRole(role):
		return reply{}, problem.New(problem.Invalid, "%s: role %.64q is malformed", c.URL.Path, role)
	}
	w, err := e.Why(c.Context(), cluster.FrameworkID(c.id), role, resources)
	if err != nil {
		return reply{}, err
	}
	return ok(w)
}

// offerAPI is the offer API for whoever calls; an error when there is none.
func (a *api) offerAPI(c call) (framework.Transport, error) {
	f, ok := a.Cluster.(Frameworks)
	if !ok {
		return nil, problem.New(problem.NotFound, "%s: this master takes no frameworks", c.URL.Path)
	}
	return f.Frameworks(c.principal.Name), nil
}

// frameworkSession is the stream of events of one framework: see package framework.
func (a *api) frameworkSession(w http.ResponseWriter, c call) error {
	offers, err := a.offerAPI(c)
	if err != nil {
		return err
	}
	c.Body = http.MaxBytesReader(w, c.Body, framework.MaxSubscribe)
	sub, err := body[framework.Subscribe](c)
	if err != nil {
		return err
	}
	stream, err := offers.Open(c.Context(), sub)
	if err != nil {
		return err
	}
	defer stream.Close()
	out := newWriter(w, "application/x-ndjson")
	for {
		// The last event comes with the error that ends the stream.
		event, ended := stream.Next(c.Context())
		if c.Context().Err() != nil {
			return nil // the client went away
		}
		line, err := json.Marshal(event)
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		if err != nil || ended != nil {
			return nil // the client went away, or knows why the stream ends
		}
	}
}

// frameworkCalls makes a framework's calls.
func (a *api) frameworkCalls(c call) (reply, error) {
	offers, err := a.offerAPI(c)
	if err != nil {
		return reply{}, err
	}
	calls, err := body[framework.Calls](c)
	if err != nil {
		return reply{}, err
	}
	if err := offers.Call(c.Context(), cluster.FrameworkID(c.id), calls); err != nil {
		return reply{}, err
	}
	return reply{http.StatusAccepted, struct{}{}}, nil
}

func (a *api) frameworks(call) (reply, error) {
	v := a.Cluster.View()
	l := client.List[client.Framework]{Index: v.Index(), Items: []client.Framework{}}
	tasks := map[cluster.FrameworkID]int{}
	for u := range v.Usage() {
		tasks[u.Framework] += u.Tasks
	}
	for f := range v.Frameworks() {
		l.Items = append(l.Items, client.Framework{Framework: *f, Tasks: tasks[f.Info.ID]})
	}
	return ok(l)
}

// removeFramework tears a framework down: its tasks are killed.
func (a *api) removeFramework(c call) (reply, error) {
	if id := cluster.FrameworkID(c.id); id == service.Framework || id == job.Framework {
		return reply{}, problem.New(problem.Forbidden, "framework %q is a part of the master", id).
			WithHint("remove its services: dcos package uninstall")
	}
	return a.submit(c, core.RemoveFramework{Framework: cluster.FrameworkID(c.id), Principal: c.principal.Name})
}
