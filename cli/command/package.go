package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
)

func (a *app) packageCommand() *cobra.Command {
	return newGroup("package", "Find, install, change, remove and publish packages",
		a.searchCommand(), a.describeCommand(), a.installCommand(), a.upgradeCommand(), a.configureCommand(), a.rollbackCommand(), a.uninstallCommand(),
		a.installedCommand(), a.lintCommand(), a.buildCommand(), a.publishCommand())
}

// maxSearch is how many packages a search shows unless told otherwise.
const maxSearch = 50

func (a *app) searchCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "search [WORD]...", Short: "Search the catalog; without words, list all of it",
		Long: `Search the catalog; without words, list all of it.

All words must be found, in a name, a keyword, a category or the summary; the
last one may be the beginning of a word. "-word" leaves out; keyword:x,
category:x and license:x choose.`,
		Example: "  dcos package search sql\n  dcos package search log stor category:data",
		RunE: func(cmd *cobra.Command, words []string) error {
			return a.search(cmd.Context(), strings.Join(words, " "), limit)
		},
	}
	c.Flags().IntVar(&limit, "limit", maxSearch, "how many to show")
	return c
}

func (a *app) search(ctx context.Context, query string, limit int) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	found, err := cat.Search(ctx, query, limit, 0)
	if err != nil {
		return err
	}
	switch {
	case len(found.Items) == 0 && query == "":
		a.say("The catalog is empty. Publish a package with: dcos package publish DIR")
	case len(found.Items) == 0 && len(found.DidYouMean) > 0:
		a.say("No package matches %q; did you mean %s?", query, strings.Join(found.DidYouMean, ", "))
	case len(found.Items) == 0:
		a.say("No package matches %q.", query)
	case found.Fuzzy:
		a.say("No package matches %q; showing what is near it.", query)
	}
	table := func() *render.Table { return searchTable(found.Items, a.installedPackages(ctx)) }
	err = a.list("PackageList", found.Items, table, func() []string {
		var names []string
		for _, l := range found.Items {
			names = append(names, l.Name)
		}
		return names
	})
	if err == nil && len(found.Items) < found.Total {
		a.say("%d of %d; show more with --limit", len(found.Items), found.Total)
	}
	return err
}

func searchTable(items []catalog.Listing, installed map[string]bool) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Name: "NAME"}, {Name: "VERSION"}, {Name: "APP", Sparse: true}, {Name: "STATUS", Sparse: true}, {Name: "SUMMARY", Cut: true},
		{Name: "VERSIONS", Right: true, Wide: true}, {Name: "CATEGORIES", Wide: true}, {Name: "LICENSES", Wide: true},
	}}
	for _, l := range items {
		status := render.Cell{}
		summary := l.Summary
		switch {
		case l.Unavailable != "":
			status, summary = render.Cell{Text: "unavailable", Style: render.Bad}, l.Unavailable
		case installed[l.Name]:
			status = render.Cell{Text: "installed", Style: render.Good}
		}
		t.Add(render.Text(l.Name), render.Text(l.Version), render.Text(l.AppVersion), status, render.Text(summary),
			render.Text(fmt.Sprint(l.Versions)), render.Text(strings.Join(l.Categories, ",")), render.Text(strings.Join(l.Licenses, ",")))
	}
	return t
}

// installedPackages are the packages that run here, none when that cannot be
// had: it is a mark beside a search and no more.
func (a *app) installedPackages(ctx context.Context) map[string]bool {
	out := map[string]bool{}
	cat, err := a.catalog()
	if err != nil {
		return out
	}
	list, err := cat.Installations(ctx)
	if err != nil {
		return out
	}
	for _, i := range list {
		out[i.Package] = true
	}
	return out
}

func (a *app) installedCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List what is installed", Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.installed(cmd.Context()) },
	}
}

func (a *app) installed(ctx context.Context) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	list, err := cat.Installations(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		a.say("Nothing is installed. Find packages with: dcos package search")
	}
	states := a.serviceStates(ctx)
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{
			{Name: "ID"}, {Name: "PACKAGE"}, {Name: "VERSION"}, {Name: "NEWEST", Sparse: true}, {Name: "STATE"}, {Name: a.ageName(), Right: true},
			{Name: "REQUIRED BY", Cut: true, Sparse: true}, {Name: "BY", Wide: true}, {Name: "REPOSITORY", Wide: true}, {Name: "DIGEST", Wide: true},
		}}
		for _, i := range list {
			var needed []string
			for _, id := range i.RequiredBy {
				needed = append(needed, string(id))
			}
			t.Add(render.Text(string(i.ID)), render.Text(i.Package), render.Text(i.Version), render.Text(i.Newest), states[i.ID],
				render.Text(a.age(i.At)), render.Text(strings.Join(needed, ",")), render.Text(i.Principal), render.Text(i.Repository), render.Text(i.Digest))
		}
		return t
	}
	return a.list("InstallationList", list, table, func() []string { return installationIDs(list) })
}

// serviceStates are the states of the services, for a column of a list; none
// when they cannot be had.
func (a *app) serviceStates(ctx context.Context) map[cluster.ServiceID]render.Cell {
	out := map[cluster.ServiceID]render.Cell{}
	rt, err := a.runtime()
	if err != nil {
		return out
	}
	list, err := rt.Services(ctx)
	if err != nil {
		return out
	}
	for _, s := range list {
		c := serviceCell(s.State)
		c.Text = fmt.Sprintf("%s %d/%d", c.Text, s.Ready, s.Total)
		out[s.ID] = c
	}
	return out
}

func installationIDs(list []plan.Installation) []string {
	var ids []string
	for _, i := range list {
		ids = append(ids, string(i.ID))
	}
	return ids
}

func (a *app) completePackages(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	cat, err := a.catalog()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	found, err := cat.Search(ctx, word, maxSearch, 0)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, l := range found.Items {
		names = append(names, cobra.CompletionWithDesc(l.Name, render.Clean(l.Summary)))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
