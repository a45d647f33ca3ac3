package command

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/config"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry"
)

// setupTimeout bounds the question whether a cluster answers.
const setupTimeout = 10 * time.Second

// clusterView is what is shown of a cluster.
type clusterView struct {
	Name     string `json:"name"`
	Attached bool   `json:"attached"`
	config.Cluster
}

func (a *app) clusterCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the known clusters", Args: args(),
		RunE: func(*cobra.Command, []string) error { return a.clusterList() },
	}
	attach := &cobra.Command{
		Use: "attach NAME", Short: "Send commands to a cluster from now on", Args: args("NAME"),
		ValidArgsFunction: a.completeClusters,
		RunE:              func(_ *cobra.Command, args []string) error { return a.clusterAttach(args[0]) },
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Forget a cluster; the cluster itself is left alone", Args: args("NAME"),
		ValidArgsFunction: a.completeClusters,
		RunE:              func(_ *cobra.Command, args []string) error { return a.clusterRemove(args[0]) },
	}
	var name, reg string
	setup := &cobra.Command{
		Use: "setup URL", Short: "Make a cluster known and attach it", Args: args("URL"),
		Example: "  dcos cluster setup http://master.example.com:8080 --name prod --registry registry.example.com/universe",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.clusterSetup(cmd.Context(), args[0], name, reg)
		},
	}
	setup.Flags().StringVar(&name, "name", "", "what to call it (default from its address)")
	setup.Flags().StringVar(&reg, "registry", "", "HOST/NAMESPACE that packages are published to")
	return newGroup("cluster", "The clusters that commands go to", list, setup, attach, remove)
}

func (a *app) loadConfig() (*config.Config, error) {
	dir, err := a.configDir()
	if err != nil {
		return nil, err
	}
	return config.Load(dir)
}

func (a *app) updateConfig(change func(*config.Config) error) error {
	dir, err := a.configDir()
	if err != nil {
		return err
	}
	return config.Update(dir, change)
}

func (a *app) clusterList() error {
	c, err := a.loadConfig()
	if err != nil {
		return err
	}
	views := []clusterView{}
	for _, n := range c.Names() {
		views = append(views, clusterView{Name: n, Attached: n == c.Attached, Cluster: c.Clusters[n]})
	}
	if len(views) == 0 {
		a.say("No cluster is known. Make one known with: dcos cluster setup URL")
	}
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{{Name: "NAME"}, {Name: "ATTACHED"}, {Name: "URL"}, {Name: "REGISTRY"}}}
		for _, v := range views {
			mark := ""
			if v.Attached {
				mark = "yes"
			}
			t.Add(render.Text(v.Name), render.Text(mark), render.Text(v.URL), render.Text(v.Registry))
		}
		return t
	}
	return a.list("ClusterList", views, table, c.Names)
}

func (a *app) clusterAttach(name string) error {
	err := a.updateConfig(func(c *config.Config) error {
		if _, ok := c.Clusters[name]; !ok {
			return unknownCluster(c, name)
		}
		c.Attached = name
		return nil
	})
	if err == nil {
		a.say("Attached cluster %s.", name)
	}
	return err
}

func (a *app) clusterRemove(name string) error {
	err := a.updateConfig(func(c *config.Config) error {
		if _, ok := c.Clusters[name]; !ok {
			return unknownCluster(c, name)
		}
		c.Remove(name)
		return nil
	})
	if err == nil {
		a.say("Forgot cluster %s.", name)
	}
	return err
}

func unknownCluster(c *config.Config, name string) error {
	return suggest(problem.New(problem.NotFound, "cluster %q is not known", name).
		WithHint("list the known ones with: dcos cluster list"), name, c.Names())
}

func (a *app) clusterSetup(ctx context.Context, rawURL, name, reg string) error {
	base, err := config.ParseURL(rawURL)
	if err != nil {
		return err
	}
	if name == "" {
		name = nameOfURL(base)
	}
	if reg != "" {
		if _, err := registry.ParseRef(reg + "/x"); err != nil {
			return fmt.Errorf("--registry: %w", err)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, setupTimeout,
		problem.New(problem.Unavailable, "nothing answered within %s", setupTimeout))
	defer cancel()
	if err := a.ping(ctx, base); err != nil {
		return err
	}
	err = a.updateConfig(func(c *config.Config) error {
		return c.Put(name, config.Cluster{URL: base, Registry: strings.TrimSuffix(reg, "/")}, true)
	})
	if err == nil {
		a.say("Attached cluster %s at %s.", name, base)
	}
	return err
}

// nameOfURL makes a cluster's name of its address.
func nameOfURL(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return "cluster"
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, strings.ToLower(u.Host))
	if name = strings.Trim(name, "-."); name == "" {
		return "cluster"
	}
	return name[:min(len(name), 63)]
}

func (a *app) completeClusters(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	c, err := a.loadConfig()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Clone(c.Names()), cobra.ShellCompDirectiveNoFileComp
}
