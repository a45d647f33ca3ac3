package plan

import (
	"context"
	"fmt"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Actions lists what an installation can be told to do.
func (p *Planner) Actions(ctx context.Context, id cluster.ServiceID) ([]catalog.Action, error) {
	_, content, err := p.installed(ctx, id)
	if err != nil {
		return nil, err
	}
	return content.Spec.Actions(), nil
}

// RunAction starts an action of an installation: words are its name, args its
// arguments by place. Errors: NotFound for an unknown installation or action,
// Invalid for wrong arguments, Conflict while the installation is on its way
// out.
func (p *Planner) RunAction(ctx context.Context, principal string, id cluster.ServiceID, words, args []string) (cluster.RunSpec, error) {
	inst, content, err := p.installed(ctx, id)
	if err != nil {
		return cluster.RunSpec{}, err
	}
	if inst.Removing {
		return cluster.RunSpec{}, problem.New(problem.Conflict, "service %s is being removed", id)
	}
	options, err := content.Spec.Options(inst.Options, id)
	if err != nil {
		return cluster.RunSpec{}, fmt.Errorf("service %s: %w", id, err)
	}
	bound, err := p.boundOf(ctx, inst, &content.Config)
	if err != nil {
		return cluster.RunSpec{}, err
	}
	action, task, err := content.Spec.RenderAction(options, id, content.Images, bound, words, args)
	if err != nil {
		return cluster.RunSpec{}, err
	}
	run := cluster.RunSpec{ID: runID(id, action.Name), Service: id, Name: action.Name, Task: task}
	if err := p.engine.Run(ctx, principal, run); err != nil {
		return cluster.RunSpec{}, fmt.Errorf("%s %s: %w", id, action.Name, err)
	}
	return run, nil
}

// boundOf gives what an installation is bound to, as its engine keeps it.
func (p *Planner) boundOf(ctx context.Context, inst *Installed, c *catalog.Config) (spec.Bindings, error) {
	if _, keeps := p.engine.(Keeper); keeps {
		return inst.Bindings, nil
	}
	if len(c.Requires) == 0 && len(c.Features) == 0 {
		return nil, nil
	}
	snap, _ := p.index.Fresh(ctx) // an old one will do
	view, err := p.view(ctx)
	if err != nil {
		return nil, fmt.Errorf("service %s: %w", inst.ID, err)
	}
	d := &draft{snap: snap, view: view, target: inst}
	return d.guessBindings(c), nil
}

// installed gives an installation and the content of its release.
func (p *Planner) installed(ctx context.Context, id cluster.ServiceID) (*Installed, *index.Content, error) {
	view, err := p.view(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("service %s: %w", id, err)
	}
	inst, err := view.known(id)
	if err != nil {
		return nil, nil, err
	}
	content, err := p.index.Content(ctx, inst.Repository, inst.Digest)
	if err != nil {
		return nil, nil, fmt.Errorf("service %s: %w", id, err)
	}
	return inst, content, nil
}
