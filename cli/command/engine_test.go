package command

import (
	"context"
	"fmt"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/master"
)

// testEngine is the master as the planner sees it.
type testEngine struct{ *master.Master }

var _ plan.Keeper = testEngine{}

func (e testEngine) View(context.Context) (plan.View, error) {
	v := e.Master.View()
	out := plan.View{Revision: v.Index()}
	for s := range v.Services() {
		if s.Installation != nil {
			out.Installations = append(out.Installations, plan.Installed{Installation: *s.Installation, Removing: s.Removing, Bindings: s.Installation.Bindings})
		}
	}
	for l := range v.Leftovers() {
		out.Leftovers = append(out.Leftovers, plan.Leftover{ID: l.Service, Instances: len(l.Places)})
	}
	for a := range v.Agents() {
		out.Agents = append(out.Agents, plan.Node{Agent: a.Info, State: a.State, Free: a.Free()})
	}
	return out, nil
}

func (e testEngine) ApplyInstallation(ctx context.Context, inst cluster.Installation, spec cluster.ServiceSpec) error {
	return e.Change(ctx, plan.Change{Installation: inst, Service: spec})
}

func (e testEngine) Change(ctx context.Context, c plan.Change) error {
	inst := c.Installation
	inst.Bindings = c.Bindings
	var cmd core.Command = core.PutService{Spec: c.Service, Installation: &inst, Expect: &c.Expect, Over: c.Over, Principal: inst.Principal}
	if c.From != 0 {
		cmd = core.RollbackService{Service: inst.ID, Generation: c.From, Expect: &c.Expect, Principal: inst.Principal}
	}
	_, _, err := e.Submit(ctx, cmd)
	return err
}

func (e testEngine) Record(_ context.Context, id cluster.ServiceID) (plan.Record, error) {
	s := e.Master.View().Service(id)
	if s == nil {
		return plan.Record{}, problem.New(problem.NotFound, "there is no service %q", id)
	}
	r := plan.Record{Generation: s.Generation, Service: s.Spec}
	if s.Changing() {
		r.Busy = fmt.Sprintf("its change at generation %d is not complete", s.Generation)
	}
	for _, h := range s.History {
		past := plan.Past{Generation: h.Generation, Service: h.Spec, Settled: h.Settled}
		if h.Installation != nil {
			past.Installation, past.Bindings = *h.Installation, h.Installation.Bindings
		}
		r.History = append(r.History, past)
	}
	if s.NoReturn != 0 {
		r.Barrier = &plan.Barrier{Generation: s.NoReturn, Step: s.NoReturnBy}
	}
	return r, nil
}

func (e testEngine) Remove(ctx context.Context, principal string, id cluster.ServiceID) error {
	return e.RemoveService(ctx, principal, id, false)
}

func (e testEngine) RemoveService(ctx context.Context, principal string, id cluster.ServiceID, keepData bool) error {
	_, _, err := e.Submit(ctx, core.RemoveService{Service: id, KeepData: keepData, Principal: principal})
	return err
}

func (e testEngine) Run(ctx context.Context, principal string, spec cluster.RunSpec) error {
	_, _, err := e.Submit(ctx, core.PutRun{Spec: spec, Principal: principal})
	return err
}
