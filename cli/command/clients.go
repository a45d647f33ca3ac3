package command

import (
	"context"

	catalogclient "github.com/universe-dcos/universe/catalog/client"
	"github.com/universe-dcos/universe/cli/render"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
)

// runtime is the client of the selected cluster's native API.
func (a *app) runtime() (*runtimeclient.Client, error) {
	_, cl, err := a.selected()
	if err != nil {
		return nil, err
	}
	return runtimeclient.New(cl.URL, a.client())
}

// catalog is the client of the selected cluster's catalog.
func (a *app) catalog() (*catalogclient.Client, error) {
	_, cl, err := a.selected()
	if err != nil {
		return nil, err
	}
	return catalogclient.New(cl.URL, a.client()), nil
}

// ping asks whether a cluster answers at base.
func (a *app) ping(ctx context.Context, base string) error {
	rt, err := runtimeclient.New(base, a.client())
	if err != nil {
		return err
	}
	state, err := rt.State(ctx)
	if err != nil {
		return err
	}
	a.say("The cluster has %s, %s and %s.", render.Count(state.Agents.Active, "active agent"),
		render.Count(state.Services, "service"), render.Count(state.Tasks.Active, "task"))
	return nil
}
