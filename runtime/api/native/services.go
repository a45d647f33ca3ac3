package native

import (
	"net/http"

	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// serviceRoutes adds the paths of services and of what they leave.
func (a *api) serviceRoutes(mux *http.ServeMux) {
	const one = client.PathServices + "/{id}"
	mux.HandleFunc("GET "+client.PathServices, a.handle(auth.Read, "service", a.services))
	mux.HandleFunc("GET "+one, a.handle(auth.Read, "service", a.service))
	mux.HandleFunc("GET "+one+"/record", a.handle(auth.Read, "service", a.serviceRecord))
	mux.HandleFunc("PUT "+one, a.handle(auth.Write, "service", a.putService))
	mux.HandleFunc("DELETE "+one, a.handle(auth.Delete, "service", a.removeService))
	mux.HandleFunc("POST "+one+"/restart", a.handle(auth.Write, "service", a.restartInstance))
	mux.HandleFunc("POST "+one+"/plans/{plan}/{verb}", a.handle(auth.Write, "service", a.callPlan))
	mux.HandleFunc("POST "+one+"/rollback", a.handle(auth.Write, "service", a.rollbackService))
	mux.HandleFunc("POST "+one+"/release", a.handle(auth.Delete, "service", a.releasePlaces))
	mux.HandleFunc("GET "+client.PathLeftovers, a.handle(auth.Read, "leftovers", a.leftovers))
	mux.HandleFunc("GET "+client.PathLeftovers+"/{id}", a.handle(auth.Read, "leftovers", a.leftover))
	mux.HandleFunc("DELETE "+client.PathLeftovers+"/{id}", a.handle(auth.Delete, "leftovers", a.releaseLeftovers))
}

func (a *api) services(call) (reply, error) {
	v := a.Cluster.View()
	return ok(client.List[service.Status]{Index: v.Index(), Items: service.Statuses(a.Cluster.Now(), v)})
}

func (a *api) service(c call) (reply, error) {
	s, found := service.StatusOf(a.Cluster.Now(), a.Cluster.View(), cluster.ServiceID(c.id))
	if !found {
		return reply{}, notFound("service", c.id, hintService)
	}
	return ok(s)
}

func (a *api) serviceRecord(c call) (reply, error) {
	s := a.Cluster.View().Service(cluster.ServiceID(c.id))
	if s == nil {
		return reply{}, notFound("service", c.id, hintService)
	}
	return ok(s)
}

func (a *api) putService(c call) (reply, error) {
	put, err := body[client.PutService](c)
	if err != nil {
		return reply{}, err
	}
	if put.Spec.ID == "" {
		put.Spec.ID = cluster.ServiceID(c.id)
	}
	if string(put.Spec.ID) != c.id {
		return reply{}, problem.New(problem.Invalid, "PUT %s: the spec in the body is for service %q", c.URL.Path, put.Spec.ID)
	}
	if put.Installation != nil {
		put.Installation.Principal, put.Installation.At = c.principal.Name, a.Cluster.Now()
	}
	return a.submit(c, core.PutService{Spec: put.Spec, Installation: put.Installation, Expect: put.Expect, Over: put.Over, Principal: c.principal.Name})
}

func (a *api) removeService(c call) (reply, error) {
	keep, err := flag(c, client.QueryKeepData)
	if err != nil {
		return reply{}, err
	}
	return a.submit(c, core.RemoveService{Service: cluster.ServiceID(c.id), KeepData: keep, Principal: c.principal.Name})
}

// restartInstance starts an instance again. A replacement destroys data: whoever
// wants one may delete the service, too.
func (a *api) restartInstance(c call) (reply, error) {
	r, err := body[client.RestartInstance](c)
	if err != nil {
		return reply{}, err
	}
	if r.Replace {
		if _, err := a.authorize(c.Request, auth.Delete, "service"); err != nil {
			return reply{}, err
		}
	}
	return a.submit(c, core.RestartInstance{Service: cluster.ServiceID(c.id), Pod: r.Pod, Index: r.Index, Task: r.Task, Replace: r.Replace, Principal: c.principal.Name})
}

func (a *api) callPlan(c call) (reply, error) {
	part, err := optional[client.CallPlan](c)
	if err != nil {
		return reply{}, err
	}
	return a.submit(c, core.PlanCall{Service: cluster.ServiceID(c.id), Plan: c.PathValue("plan"), Verb: core.Verb(c.PathValue("verb")),
		Phase: part.Phase, Step: part.Step, Principal: c.principal.Name})
}

func (a *api) rollbackService(c call) (reply, error) {
	r, err := optional[client.Rollback](c)
	if err != nil {
		return reply{}, err
	}
	return a.submit(c, core.RollbackService{Service: cluster.ServiceID(c.id), Generation: r.Generation, Expect: r.Expect, Principal: c.principal.Name})
}

func (a *api) releasePlaces(c call) (reply, error) {
	r, err := body[client.ReleasePlaces](c)
	if err != nil {
		return reply{}, err
	}
	return a.submit(c, core.ReleasePlaces{Service: cluster.ServiceID(c.id), Instances: r.Instances, Principal: c.principal.Name})
}

func (a *api) leftovers(call) (reply, error) {
	v := a.Cluster.View()
	l := client.List[*core.Leftovers]{Index: v.Index(), Items: []*core.Leftovers{}}
	for left := range v.Leftovers() {
		l.Items = append(l.Items, left)
	}
	return ok(l)
}

func (a *api) leftover(c call) (reply, error) {
	l := a.Cluster.View().Leftover(cluster.ServiceID(c.id))
	if l == nil {
		return reply{}, problem.New(problem.NotFound, "no service %q left anything", c.id).WithHint("%s", hintLeft)
	}
	return ok(l)
}

func (a *api) releaseLeftovers(c call) (reply, error) {
	return a.submit(c, core.ReleaseLeftovers{Service: cluster.ServiceID(c.id), Principal: c.principal.Name})
}
