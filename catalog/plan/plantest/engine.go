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
	records   map[cluster.ServiceID]*plan.Record
	leftovers []plan.Leftover
	runs      []cluster.RunSpec
	who       []string
}

var _ plan.Keeper = (*Engine)(nil)

// View implements plan.Engine.
func (e *Engine) View(context.Context) (plan.View, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return plan.View{Revision: e.revision, Installations: slices.Clone(e.installed), Agents: e.Nodes, Leftovers: slices.Clone(e.leftovers)}, nil
}

// ApplyInstallation implements plan.Engine.
func (e *Engine) ApplyInstallation(ctx context.Context, inst cluster.Installation, service cluster.ServiceSpec) error {
	return e.Change(ctx, plan.Change{Installation: inst, Service: service})
}

// Change implements plan.Keeper; the generation is the revision.
func (e *Engine) Change(_ context.Context, c plan.Change) error {
	id := c.Installation.ID
	if e.Fail != nil {
		if err := e.Fail(id); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.at(id)
	switch {
	case c.Expect == 0 && at >= 0:
		return problem.New(problem.Exists, "service %s exists", id)
	case c.Expect != 0 && (at < 0 || e.records[id].Generation != c.Expect):
		return problem.New(problem.Conflict, "service %s is not at generation %d", id, c.Expect)
	}
	e.change(c.Installation.Principal)
	r := &plan.Record{Generation: e.revision, Service: c.Service}
	if at >= 0 {
		old := e.records[id]
		if c.From == 0 && old.Busy != "" && !c.Over {
			return problem.New(problem.Conflict, "service %s: %s", id, old.Busy)
		}
		r.Barrier = old.Barrier
		r.History = append(slices.Clone(old.History), plan.Past{Generation: old.Generation, Installation: e.installed[at].Installation, Bindings: e.installed[at].Bindings, Service: old.Service, Settled: old.Busy == ""})
		e.installed[at].Installation, e.installed[at].Bindings = c.Installation, c.Bindings
	} else {
		e.installed = append(e.installed, plan.Installed{Installation: c.Installation, Bindings: c.Bindings})
		slices.SortFunc(e.installed, func(a, b plan.Installed) int { return strings.Compare(string(a.ID), string(b.ID)) })
		e.leftovers = slices.DeleteFunc(e.leftovers, func(l plan.Leftover) bool { return l.ID == id })
	}
	if e.records == nil {
		e.records = map[cluster.ServiceID]*plan.Record{}
	}
	e.records[id] = r
	return nil
}

// Record implements plan.Keeper.
func (e *Engine) Record(_ context.Context, id cluster.ServiceID) (plan.Record, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at(id) < 0 {
		return plan.Record{}, problem.New(problem.NotFound, "there is no service %s", id)
	}
	return *e.records[id], nil
}

// Close closes the way back of a service at its generation, as a step does.
func (e *Engine) Close(id cluster.ServiceID, step string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := e.at(id); i >= 0 {
		e.records[id].Barrier = &plan.Barrier{Generation: e.records[id].Generation, Version: e.installed[i].Version, Step: step}
	}
}

// Busy says that a change of a service is under way, until its next change.
func (e *Engine) Busy(id cluster.ServiceID, words string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.at(id) >= 0 {
		e.records[id].Busy = words
	}
}

// RemoveService implements plan.Keeper; what is kept is left at once.
func (e *Engine) RemoveService(ctx context.Context, principal string, id cluster.ServiceID, keepData bool) error {
	if err := e.Remove(ctx, principal, id); err != nil || !keepData {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.at(id)
	l := plan.Leftover{ID: id, Package: e.installed[i].Package, Version: e.installed[i].Version}
	for _, p := range e.records[id].Service.Pods {
		for _, v := range p.Volumes {
			l.Instances += p.Count
			l.Bytes += v.Size * int64(p.Count)
		}
	}
	e.leftovers = append(e.leftovers, l)
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
		delete(e.records, id)
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
	r, ok := e.records[id]
	if !ok {
		return cluster.ServiceSpec{}, false
	}
	return r.Service, true
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
