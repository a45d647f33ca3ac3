package plan

import (
	"context"
	"fmt"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
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
	action, task, err := content.Spec.RenderAction(options, id, content.Images, words, args)
	if err != nil {
		return cluster.RunSpec{}, err
	}
	run := cluster.RunSpec{ID: runID(id, action.Name), Service: id, Name: action.Name, Task: task}
	if err := p.engine.Run(ctx, principal, run); err != nil {
		return cluster.RunSpec{}, fmt.Errorf("%s %s: %w", id, action.Name, err)
	}
	return run, nil
}

// installed gives an installation and the content of its release.
func (p *Planner) installed(ctx context.Context, id cluster.ServiceID) (*Installed, *index.Content, error) {
	view, err := p.engine.View(ctx)
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
