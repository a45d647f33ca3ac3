package plantest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Engine is a plan.Engine in memory. The zero value is an empty cluster without
// agents.
type Engine struct {
	// Nodes are the agents, with what is free.
	Nodes []plan.Node
	// Fail, if set, is asked before each change; its error is the answer.
	Fail func(id cluster.ServiceID) error

	mu        sync.Mutex
	revision  int64
	installed []plan.Installed
	services  map[cluster.ServiceID]cluster.ServiceSpec
	runs      []cluster.RunSpec
	who       []string
}

var _ plan.Engine = (*Engine)(nil)

// View implements plan.Engine.
func (e *Engine) View(context.Context) (plan.View, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return plan.View{Revision: e.revision, Installations: slices.Clone(e.installed), Agents: e.Nodes}, nil
}

// ApplyInstallation implements plan.Engine.
func (e *Engine) ApplyInstallation(_ context.Context, inst cluster.Installation, service cluster.ServiceSpec) error {
	if e.Fail != nil {
		if err := e.Fail(inst.ID); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at(inst.ID) >= 0 {
		return problem.New(problem.Exists, "service %s exists", inst.ID)
	}
	e.change(inst.Principal)
	e.installed = append(e.installed, plan.Installed{Installation: inst})
	slices.SortFunc(e.installed, func(a, b plan.Installed) int { return strings.Compare(string(a.ID), string(b.ID)) })
	if e.services == nil {
		e.services = map[cluster.ServiceID]cluster.ServiceSpec{}
	}
	e.services[inst.ID] = service
	return nil
}

// Remove implements plan.Engine; the installation stays, Removing, until
// Forget.
func (e *Engine) Remove(_ context.Context, principal string, id cluster.ServiceID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.at(id)
	if i < 0 {
		return problem.New(problem.NotFound, "there is no service %s", id)
	}
	e.change(principal)
	e.installed[i].Removing = true
	return nil
}

// Forget ends the removal of an installation.
func (e *Engine) Forget(id cluster.ServiceID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := e.at(id); i >= 0 {
		e.revision++
		e.installed = slices.Delete(e.installed, i, i+1)
		delete(e.services, id)
	}
}

// Run implements plan.Engine.
func (e *Engine) Run(_ context.Context, principal string, spec cluster.RunSpec) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at(spec.Service) < 0 {
		return problem.New(problem.NotFound, "there is no service %s", spec.Service)
	}
	e.change(principal)
	e.runs = append(e.runs, spec)
	return nil
}

// Service gives the service of an installation.
func (e *Engine) Service(id cluster.ServiceID) (cluster.ServiceSpec, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, ok := e.services[id]
	return s, ok
}

// Runs lists the runs that were started.
func (e *Engine) Runs() []cluster.RunSpec {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.runs)
}

// Principals lists who made each change, in order.
func (e *Engine) Principals() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.who)
}

func (e *Engine) change(principal string) {
	e.revision++
	e.who = append(e.who, principal)
}

func (e *Engine) at(id cluster.ServiceID) int {
	return slices.IndexFunc(e.installed, func(i plan.Installed) bool { return i.ID == id })
}
