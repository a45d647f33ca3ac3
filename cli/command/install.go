package command

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	catalogclient "github.com/universe-dcos/universe/catalog/client"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// maxStale is how often a plan that went stale is made anew without anybody
// being asked.
const maxStale = 5

// installFlags are the flags of install.
type installFlags struct {
	version  string
	id       string
	file     string
	sets     []string
	binds    []string
	planOnly bool
	detailed bool
	noWait   bool
	timeout  time.Duration
}

func (a *app) installCommand() *cobra.Command {
	var f installFlags
	c := &cobra.Command{
		Use: "install NAME", Short: "Install a package: show the plan, ask, apply it and wait until it is ready",
		Long: `Install a package: show the plan, ask, apply it and wait until it is ready.

The plan names every release, service and resource that would be added, and is
applied as it was shown: when the cluster has changed meanwhile, a new plan is
shown. An interrupt stops the waiting and not the installation.

A value of --set is taken as JSON where it is JSON (3, true, [1, 2], "3") and as
text where it is not. Later values win over earlier ones and over the file.`,
		Example: "  dcos package install spark\n  dcos package install spark --id analytics --set worker.count=3 --yes\n  dcos package install spark --plan",
		Args:    args("NAME"), ValidArgsFunction: a.completePackages,
		RunE: func(cmd *cobra.Command, args []string) error { return a.install(cmd.Context(), args[0], f) },
	}
	c.Flags().StringVar(&f.version, "version", "", "a version or a range such as ^4 (default the newest)")
	c.Flags().StringVar(&f.id, "id", "", "the id of the service (default the package's name)")
	c.Flags().StringVar(&f.file, "options", "", "a file with options, JSON or YAML; - is the standard input")
	c.Flags().StringArrayVar(&f.sets, "set", nil, "one option, as name=value; may be repeated")
	c.Flags().StringArrayVar(&f.binds, "bind", nil, "meet a requirement by an installation, as alias=id; may be repeated")
	c.Flags().BoolVar(&f.planOnly, "plan", false, "show the plan and change nothing")
	c.Flags().BoolVar(&f.planOnly, "dry-run", false, "the same as --plan")
	c.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "with --plan: exit with 10 when something would change")
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "do not wait until it is ready")
	c.Flags().DurationVar(&f.timeout, "timeout", defaultTimeout, "how long to wait")
	return c
}

// request makes the request of the command line.
func (a *app) request(name string, f installFlags) (plan.Request, error) {
	// name@version is what people write elsewhere.
	name, version, _ := strings.Cut(name, "@")
	if version != "" && f.version != "" {
		return plan.Request{}, usage("the version is given twice, by %q and by --version", "@"+version)
	}
	opts, err := a.readOptions(f.file, f.sets)
	if err != nil {
		return plan.Request{}, err
	}
	r := plan.Request{Package: name, Version: f.version + version, ServiceID: cluster.ServiceID(f.id), Options: opts}
	r.Bind, err = bindings(f.binds)
	return r, err
}

// bindings reads the values of --bind.
func bindings(list []string) (map[string]cluster.ServiceID, error) {
	var out map[string]cluster.ServiceID
	for _, b := range list {
		alias, id, ok := strings.Cut(b, "=")
		if !ok || alias == "" {
			return nil, usage("--bind %q is not of the form alias=id", b).WithHint("for example: --bind zk=my-zookeeper; without an id an optional requirement stays unmet")
		}
		if out == nil {
			out = map[string]cluster.ServiceID{}
		}
		out[alias] = cluster.ServiceID(id)
	}
	return out, nil
}

func (a *app) install(ctx context.Context, name string, f installFlags) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	req, err := a.request(name, f)
	if err != nil {
		return err
	}
	p, err := cat.Plan(ctx, req)
	if err != nil {
		return err
	}
	if f.planOnly {
		return a.showPlan(p, f.detailed)
	}
	began := a.Now()
	if p, err = a.apply(ctx, cat, p, kindQuestion(p.Kind)); err != nil {
		return err
	}
	if f.noWait {
		a.say("Installation of %s is accepted. Watch it with: dcos service watch %s", p.Request.Package, target(p))
		if err := a.printInstalled(ctx, cat, p, nil); err != nil || placeable(p) {
			return err
		}
		a.say("It waits: no agent has room for all of it now.")
		return quiet(ExitUnplaceable)
	}
	last, err := a.wait(ctx, f.timeout, installGoal(target(p)), newServices(p)...)
	if err != nil {
		return err
	}
	a.say("Installed %s in %s.", target(p), render.Duration(a.Now().Sub(began)))
	return a.printInstalled(ctx, cat, p, last)
}

// apply shows a plan, asks, and applies it. When the plan went stale, the new
// one is shown and asked for.
func (a *app) apply(ctx context.Context, cat *catalogclient.Client, p *plan.Plan, question string) (*plan.Plan, error) {
	for try := 0; ; try++ {
		if !a.silent() {
			if err := writePlan(a.Err, p, a.planStyle(a.paint.err, a.ErrTerminal)); err != nil {
				return nil, err
			}
		}
		if err := a.confirm(ctx, question); err != nil {
			return nil, err
		}
		done, err := cat.Install(ctx, p.Request, p.Digest)
		if err == nil {
			return done, nil
		}
		if ctx.Err() != nil {
			a.say("\nInterrupted while the plan was being applied. Whether it was, says: dcos service watch %s", target(p))
			return nil, quiet(ExitInterrupted)
		}
		fresh, stale := catalogclient.StalePlan(err)
		if !stale || try == maxStale {
			return nil, err
		}
		a.say("The cluster has changed since the plan was made. This is the new plan:")
		p = fresh
	}
}

// placeable reports whether everything a plan adds finds a place now.
func placeable(p *plan.Plan) bool {
	return !slices.ContainsFunc(p.Warnings, func(w plan.Warning) bool { return w.Code == plan.WarnResources })
}

// newServices lists the services that a plan adds, in order.
func newServices(p *plan.Plan) []cluster.ServiceID {
	var ids []cluster.ServiceID
	for _, s := range p.Steps {
		if s.Action == plan.ActionInstall {
			ids = append(ids, s.ServiceID)
		}
	}
	return ids
}

// target is the service that was asked for, not one that it needs.
func target(p *plan.Plan) cluster.ServiceID {
	for _, s := range p.Steps {
		if s.ServiceID == p.Request.ServiceID && p.Kind != plan.KindInstall || s.Package == p.Request.Package && !s.Auto {
			return s.ServiceID
		}
	}
	return cluster.ServiceID(p.Request.Package)
}

// printInstalled prints what was installed: its id, addresses and notes.
func (a *app) printInstalled(ctx context.Context, cat *catalogclient.Client, p *plan.Plan, last []service.Status) error {
	id := target(p)
	inst, err := cat.Installation(ctx, id)
	if err != nil {
		return err
	}
	return a.object("Installation", inst, string(id), func(w io.Writer) error {
		for _, s := range last {
			if s.ID != id {
				continue
			}
			for _, e := range s.Endpoints {
				one := s
				one.Endpoints = []service.EndpointStatus{e}
				fmt.Fprintf(w, "%s: %s\n", render.Clean(e.Name), render.Clean(strings.Join(addresses(one), " ")))
			}
		}
		if p.Notes != "" {
			fmt.Fprintf(w, "\n%s\n", render.CleanText(strings.TrimSpace(p.Notes)))
		}
		return nil
	})
}
