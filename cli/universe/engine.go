package main

import (
	"context"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/master"
)

// engine is the master as the planner sees it.
type engine struct{ master *master.Master }

var _ plan.Engine = engine{}

// View implements plan.Engine.
func (e engine) View(context.Context) (plan.View, error) {
	v := e.master.View()
	out := plan.View{Revision: v.Index()}
	for s := range v.Services() {
		if s.Installation != nil {
			out.Installations = append(out.Installations, plan.Installed{Installation: *s.Installation, Removing: s.Removing})
		}
	}
	for a := range v.Agents() {
		out.Agents = append(out.Agents, plan.Node{Agent: a.Info, State: a.State, Free: a.Free()})
	}
	return out, nil
}

// ApplyInstallation implements plan.Engine.
func (e engine) ApplyInstallation(ctx context.Context, inst cluster.Installation, spec cluster.ServiceSpec) error {
	inst.At = e.master.Now()
	none := int64(0)
	_, _, err := e.master.Submit(ctx, core.PutService{Spec: spec, Installation: &inst, Expect: &none, Principal: inst.Principal})
	return err
}

// Remove implements plan.Engine.
func (e engine) Remove(ctx context.Context, principal string, id cluster.ServiceID) error {
	_, _, err := e.master.Submit(ctx, core.RemoveService{Service: id, Principal: principal})
	return err
}

// Run implements plan.Engine.
func (e engine) Run(ctx context.Context, principal string, spec cluster.RunSpec) error {
	_, _, err := e.master.Submit(ctx, core.PutRun{Spec: spec, Principal: principal})
	return err
}
