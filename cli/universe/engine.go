package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/master"
)

// engine is the master as the planner sees it.
type engine struct{ master *master.Master }

var _ plan.Keeper = engine{}

// View implements plan.Engine.
func (e engine) View(context.Context) (plan.View, error) {
	v := e.master.View()
	out := plan.View{Revision: v.Index()}
	for s := range v.Services() {
		if s.Installation != nil {
			out.Installations = append(out.Installations, plan.Installed{Installation: *s.Installation, Removing: s.Removing, Bindings: s.Installation.Bindings})
		}
	}
	for l := range v.Leftovers() {
		left := plan.Leftover{ID: l.Service, Instances: len(l.Places)}
		for _, p := range l.Places { // order-free: a sum
			for _, v := range p.Volumes {
				left.Bytes += v.Size
			}
		}
		out.Leftovers = append(out.Leftovers, left)
	}
	for a := range v.Agents() {
		out.Agents = append(out.Agents, plan.Node{Agent: a.Info, State: a.State, Free: a.Free()})
	}
	return out, nil
}

// ApplyInstallation implements plan.Engine.
func (e engine) ApplyInstallation(ctx context.Context, inst cluster.Installation, spec cluster.ServiceSpec) error {
	return e.Change(ctx, plan.Change{Installation: inst, Service: spec})
}

// Change implements plan.Keeper.
func (e engine) Change(ctx context.Context, c plan.Change) error {
	inst := c.Installation
	inst.At, inst.Bindings = e.master.Now(), c.Bindings
	var cmd core.Command = core.PutService{Spec: c.Service, Installation: &inst, Expect: &c.Expect, Over: c.Over, Principal: inst.Principal}
	if c.From != 0 {
		cmd = core.RollbackService{Service: inst.ID, Generation: c.From, Expect: &c.Expect, Principal: inst.Principal}
	}
	_, _, err := e.master.Submit(ctx, cmd)
	return err
}

// Record implements plan.Keeper.
func (e engine) Record(_ context.Context, id cluster.ServiceID) (plan.Record, error) {
	s := e.master.View().Service(id)
	if s == nil {
		return plan.Record{}, problem.New(problem.NotFound, "there is no service %q", id)
	}
	r := plan.Record{Generation: s.Generation, Service: s.Spec, Busy: busy(s)}
	for _, h := range s.History {
		past := plan.Past{Generation: h.Generation, Service: h.Spec, Settled: h.Settled}
		if h.Installation != nil {
			past.Installation, past.Bindings = *h.Installation, h.Installation.Bindings
		}
		r.History = append(r.History, past)
	}
	if s.NoReturn != 0 {
		r.Barrier = &plan.Barrier{Generation: s.NoReturn, Version: versionAt(s, s.NoReturn), Step: s.NoReturnBy}
	}
	return r, nil
}

// busy says what is under way with a service; nothing when another change can begin.
func busy(s *core.Service) string {
	if s.Changing() {
		return fmt.Sprintf("its change at generation %d is not complete", s.Generation)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Plans)) {
		if s.Plans[name].Ended == 0 {
			return fmt.Sprintf("its plan %q is under way", name)
		}
	}
	return ""
}

// versionAt is the version of a service's package at a generation.
func versionAt(s *core.Service, generation int64) string {
	if s.Generation == generation && s.Installation != nil {
		return s.Installation.Version
	}
	for _, h := range s.History {
		if h.Generation == generation && h.Installation != nil {
			return h.Installation.Version
		}
	}
	return ""
}

// Remove implements plan.Engine.
func (e engine) Remove(ctx context.Context, principal string, id cluster.ServiceID) error {
	return e.RemoveService(ctx, principal, id, false)
}

// RemoveService implements plan.Keeper.
func (e engine) RemoveService(ctx context.Context, principal string, id cluster.ServiceID, keepData bool) error {
	_, _, err := e.master.Submit(ctx, core.RemoveService{Service: id, KeepData: keepData, Principal: principal})
	return err
}

// Run implements plan.Engine.
func (e engine) Run(ctx context.Context, principal string, spec cluster.RunSpec) error {
	_, _, err := e.master.Submit(ctx, core.PutRun{Spec: spec, Principal: principal})
	return err
}
