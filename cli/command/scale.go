package command

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

const (
	// maxScaleTries is how many options are tried to find the one that says how
	// many instances a pod has.
	maxScaleTries = 16
	// maxScale is the largest count that can be asked for.
	maxScale = 1_000_000
)

func (a *app) scaleCommand() *cobra.Command {
	var f changeFlags
	c := &cobra.Command{
		Use: "scale ID [POD=]COUNT", Short: "Give a pod of a service another number of instances",
		Long: `Give a pod of a service another number of instances.

The pod can be left out where there is only one. For an installed package it is
the option that sets the number that is changed, since others may follow from it.
Instances that go keep their volumes until they are released: dcos service
release.`,
		Example: "  dcos service scale spark worker=5\n  dcos service scale redis 1",
		Args:    args("ID", "[POD=]COUNT"), ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, got []string) error {
			if len(got) < 2 {
				return usage("%s needs COUNT", cmd.CommandPath()).WithHint("usage: %s", cmd.UseLine())
			}
			return a.scale(cmd.Context(), cluster.ServiceID(got[0]), got[1], f)
		},
	}
	f.add(c)
	return c
}

func (a *app) scale(ctx context.Context, id cluster.ServiceID, want string, f changeFlags) error {
	rt, s, err := a.status(ctx, id)
	if err != nil {
		return err
	}
	pod, count, err := scaleOf(s, want)
	if err != nil {
		return err
	}
	if pod.Count == count {
		return problem.New(problem.Exists, "pod %s of service %s has %d already", pod.Name, id, count)
	}
	if s.Installation != nil {
		return a.scalePackage(ctx, s, pod, count, f)
	}
	if f.planOnly {
		return usage("service %s is of no package: there is no plan to show", id)
	}
	rec, err := rt.ServiceRecord(ctx, id)
	if err != nil {
		return err
	}
	put := runtimeclient.PutService{Spec: rec.Spec, Expect: &rec.Generation}
	for i := range put.Spec.Pods {
		if p := &put.Spec.Pods[i]; p.Name == pod.Name {
			p.Count = count
		}
	}
	if err := a.confirm(ctx, fmt.Sprintf("Scale pod %s of %s from %d to %d?", pod.Name, id, pod.Count, count)); err != nil {
		return err
	}
	if _, err := rt.PutService(ctx, put); err != nil {
		return err
	}
	return a.settled(ctx, id, f)
}

// scaleOf reads "worker=5", or "5" for the only pod.
func scaleOf(s service.Status, want string) (service.PodStatus, int, error) {
	name, number, named := strings.Cut(want, "=")
	if !named {
		name, number = "", want
	}
	count, err := strconv.Atoi(number)
	if err != nil || count < 0 || count > maxScale {
		return service.PodStatus{}, 0, usage("%q is not a number of instances", number).WithHint("for example: dcos service scale %s 3", s.ID)
	}
	var names []string
	for _, p := range s.Pods {
		if p.Name == name || !named && len(s.Pods) == 1 {
			return p, count, nil
		}
		names = append(names, p.Name)
	}
	if !named {
		return service.PodStatus{}, 0, usage("service %s has %d pods: say which", s.ID, len(names)).
			WithHint("one of: %s; for example: dcos service scale %s %s=%d", strings.Join(names, ", "), s.ID, strings.Join(names[:min(1, len(names))], ""), count)
	}
	return service.PodStatus{}, 0, suggest(problem.New(problem.NotFound, "service %s has no pod %q", s.ID, name).WithHint("its pods: %s", strings.Join(names, ", ")), name, names)
}

// scalePackage changes the option that sets the count of a pod. Which one that
// is the package does not say: each that has the present count is tried in a
// plan, which changes nothing, until one gives the pod the count that is wanted.
func (a *app) scalePackage(ctx context.Context, s service.Status, pod service.PodStatus, count int, f changeFlags) error {
	cat, err := a.catalog()
	if err != nil {
		return err
	}
	inst, err := cat.Installation(ctx, s.ID)
	if err != nil {
		return err
	}
	var options map[string]any
	if err := json.Unmarshal(inst.Options, &options); err != nil {
		return fmt.Errorf("options of %s: %w", s.ID, err)
	}
	var last error
	for _, path := range countOptions(options, pod.Count) {
		p, err := cat.Plan(ctx, plan.Request{Kind: plan.KindConfigure, ServiceID: s.ID, Options: nested(path, count)})
		switch {
		case problem.Is(err, problem.Invalid):
			last = err // perhaps the right option, with a value that it does not take
			continue
		case problem.Is(err, problem.Exists):
			continue
		case err != nil:
			return err
		}
		if !scales(p, pod.Name, count) {
			continue
		}
		if f.planOnly {
			return a.showPlan(p, f.detailed)
		}
		return a.carryOut(ctx, cat, p, f)
	}
	if last != nil {
		return last
	}
	return problem.New(problem.Invalid, "package %s has no option that gives pod %s %d instances", inst.Package, pod.Name, count).
		WithHint("see its options: dcos package describe %s --options", inst.Package)
}

// countOptions lists the options whose value is n, those whose names say that
// they count first, and at most maxScaleTries.
func countOptions(options map[string]any, n int) [][]string {
	var counts, others [][]string
	var walk func(at []string, tree map[string]any)
	walk = func(at []string, tree map[string]any) {
		for _, k := range sortedKeys(tree) {
			path := append(slices.Clone(at), k)
			switch v := tree[k].(type) {
			case map[string]any:
				if len(path) < maxOptionDepth {
					walk(path, v)
				}
			case float64:
				switch {
				case v != float64(n):
				case k == "count" || strings.HasSuffix(k, "_count"):
					counts = append(counts, path)
				default:
					others = append(others, path)
				}
			}
		}
	}
	walk(nil, options)
	all := append(counts, others...)
	return all[:min(len(all), maxScaleTries)]
}

// nested is {"worker": {"count": 3}} of a path and a value.
func nested(path []string, n int) json.RawMessage {
	out, _ := json.Marshal(n) // a number always is JSON
	for i := len(path) - 1; i >= 0; i-- {
		out, _ = json.Marshal(map[string]json.RawMessage{path[i]: out}) // as is an object of JSON
	}
	return out
}

// scales reports whether a plan gives a pod a count.
func scales(p *plan.Plan, pod string, count int) bool {
	for _, s := range p.Steps {
		for _, c := range s.Changes {
			if c.Pod == pod && c.To == count {
				return true
			}
		}
	}
	return false
}
