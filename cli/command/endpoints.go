package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

func (a *app) endpointsCommand(bound cluster.ServiceID) *cobra.Command {
	return a.ofService(bound, &cobra.Command{Use: "endpoints", Aliases: []string{"endpoint"}, Short: "List the ways into a service: addresses and names"}, []string{"[NAME]"},
		func(ctx context.Context, id cluster.ServiceID, rest []string) error {
			return a.endpoints(ctx, id, strings.Join(rest, ""))
		})
}

func (a *app) endpoints(ctx context.Context, id cluster.ServiceID, name string) error {
	_, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	list := s.Endpoints
	if name != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(e service.EndpointStatus) bool { return e.Name != name })
		if len(list) == 0 {
			var names []string
			for _, e := range s.Endpoints {
				names = append(names, e.Name)
			}
			return suggest(problem.New(problem.NotFound, "service %s has no endpoint %q", id, name).WithHint("list them with: dcos service endpoints %s", id), name, names)
		}
	}
	if len(list) == 0 {
		a.say("Service %s has no endpoints.", id)
	}
	return a.list("EndpointList", list, func() *render.Table { return endpointTable(list) }, func() []string {
		var out []string
		for _, e := range list {
			for _, at := range e.Addresses {
				out = append(out, fmt.Sprintf("%s:%d", at.Host, at.Port))
			}
		}
		return out
	})
}

// endpointTable lists the addresses behind endpoints.
func endpointTable(list []service.EndpointStatus) *render.Table {
	t := &render.Table{Columns: []render.Column{{Name: "ENDPOINT"}, {Name: "INSTANCE"}, {Name: "ADDRESS"}, {Name: "NAME", Cut: true, Sparse: true}, {Name: "READY"}}}
	for _, e := range list {
		for _, at := range e.Addresses {
			ready, name := render.Cell{Text: "yes", Style: render.Good}, ""
			if !at.Ready {
				ready = render.Cell{Text: "no", Style: render.Warn}
			}
			if at.Name != "" {
				name = fmt.Sprintf("%s:%d", at.Name, at.Port)
			}
			t.Add(render.Text(e.Name), render.Text(at.Instance), render.Text(addressText(e.Scheme, at)), render.Text(name), ready)
		}
	}
	return t
}

// addressText is an address as people type it.
func addressText(scheme string, at service.EndpointAddress) string {
	text := fmt.Sprintf("%s:%d", at.Host, at.Port)
	if scheme != "" {
		return scheme + "://" + text
	}
	return text
}
