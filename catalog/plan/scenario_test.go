package plan_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/catalog/plan/plantest"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// TestScenarios plays the files of testdata. The commands:
//
//	publish name version [store]   a small package, or one that keeps data; the input is appended to package.yaml, but for
//	                            lines "old => new", which replace text in the files
//	agents a1=(cpus,mem) ...    the agents, or none; mem in GiB
//	plan name [version=] [id=] [bind=alias:id]   the plan; the input is the options
//	install                     the same, applied
//	plan-upgrade|plan-downgrade|plan-configure|plan-rollback|plan-uninstall id [version=] [bind=] [to=generation] [keep] [force]
//	upgrade|downgrade|configure|rollback|remove  the same, applied
//	close id                    a step closes the way back
//	busy id                     a change is under way
//	uninstall id [force]        and forget id: the removal is over
//	installed                   the list
//	service id                  pods, bindings and history of a service
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := plantest.New(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return play(t, w, d) })
	})
}

// kinds are the commands that plan a change.
var kinds = map[string]plan.Kind{"upgrade": plan.KindUpgrade, "downgrade": plan.KindDowngrade, "configure": plan.KindConfigure,
	"rollback": plan.KindRollback, "uninstall": plan.KindUninstall, "remove": plan.KindUninstall}

func play(t *testing.T, w *plantest.World, d *datadriven.TestData) string {
	ctx := context.Background()
	switch d.Cmd {
	case "publish":
		publish(t, w, d)
		return ""
	case "agents":
		w.Engine.Nodes = nil
		for _, a := range d.CmdArgs {
			if a.Key == "none" {
				break
			}
			var cpus, mem int64
			if _, err := fmt.Sscanf(strings.Join(a.Vals, " "), "%d %d", &cpus, &mem); err != nil {
				d.Fatalf(t, "%s: %v", a, err)
			}
			w.Engine.Nodes = append(w.Engine.Nodes, plantest.Node(a.Key, cpus, mem<<30))
		}
		return ""
	case "plan", "install", "plan-upgrade", "plan-downgrade", "plan-configure", "plan-rollback", "plan-uninstall",
		"upgrade", "downgrade", "configure", "rollback", "remove":
		req := request(d)
		p, err := w.Planner.Plan(ctx, req)
		if err == nil && !strings.HasPrefix(d.Cmd, "plan") {
			p, err = w.Planner.Apply(ctx, "ada", req, p.Digest)
		}
		if err != nil {
			return failure(err)
		}
		return text(p)
	case "uninstall":
		r, err := w.Planner.Remove(ctx, "ada", cluster.ServiceID(d.CmdArgs[0].Key), d.HasArg("force"))
		if err != nil {
			return failure(err)
		}
		return fmt.Sprintf("broken %v, orphans %v, data kept %v\n", r.Broken, r.Orphans, r.KeptData)
	case "forget":
		w.Engine.Forget(cluster.ServiceID(d.CmdArgs[0].Key))
		return ""
	case "close":
		w.Engine.Close(cluster.ServiceID(d.CmdArgs[0].Key), "finalize/features")
		return ""
	case "busy":
		w.Engine.Busy(cluster.ServiceID(d.CmdArgs[0].Key), "its change is under way")
		return ""
	case "service":
		return described(t, w, cluster.ServiceID(d.CmdArgs[0].Key))
	case "installed":
		list, err := w.Planner.Installations(ctx)
		if err != nil {
			return failure(err)
		}
		var b strings.Builder
		for _, i := range list {
			fmt.Fprintf(&b, "%s: %s %s auto=%v removing=%v newest=%q required by %v, by %s\n", i.ID, i.Package, i.Version, i.Auto, i.Removing, i.Newest, i.RequiredBy, i.Principal)
		}
		return b.String()
	}
	d.Fatalf(t, "unknown command %s", d.Cmd)
	return ""
}

func publish(t *testing.T, w *plantest.World, d *datadriven.TestData) {
	name, version := d.CmdArgs[0].Key, d.CmdArgs[1].Key
	if !d.HasArg("store") {
		w.Publish(t, plantest.Small(name, version, d.Input+"\n"))
		return
	}
	var more, replace []string
	for _, line := range strings.Split(d.Input, "\n") {
		if old, new, ok := strings.Cut(line, " => "); ok {
			replace = append(replace, strings.ReplaceAll(old, `\n`, "\n"), strings.ReplaceAll(new, `\n`, "\n"))
		} else {
			more = append(more, line)
		}
	}
	fsys := plantest.Store(name, version, strings.Join(more, "\n")+"\n")
	for _, f := range fsys {
		f.Data = []byte(strings.NewReplacer(replace...).Replace(string(f.Data)))
	}
	w.Publish(t, fsys)
}

func described(t *testing.T, w *plantest.World, id cluster.ServiceID) string {
	r, err := w.Engine.Record(context.Background(), id)
	if err != nil {
		return failure(err)
	}
	var b strings.Builder
	for _, p := range r.Service.Pods {
		fmt.Fprintf(&b, "%d x %s %v\n", p.Count, p.Name, p.Tasks[0].Container.Command)
	}
	view, err := w.Engine.View(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range view.Installations {
		if i.ID != id {
			continue
		}
		for _, alias := range slices.Sorted(maps.Keys(i.Bindings)) {
			fmt.Fprintf(&b, "%s is %s\n", alias, i.Bindings[alias])
		}
	}
	fmt.Fprintf(&b, "generation %d", r.Generation)
	for _, p := range r.History {
		fmt.Fprintf(&b, ", was %s at %d", p.Installation.Version, p.Generation)
	}
	return b.String() + "\n"
}

func request(d *datadriven.TestData) plan.Request {
	req := plan.Request{Package: d.CmdArgs[0].Key}
	if kind, ok := kinds[strings.TrimPrefix(d.Cmd, "plan-")]; ok {
		req = plan.Request{Kind: kind, ServiceID: cluster.ServiceID(d.CmdArgs[0].Key)}
	}
	for _, a := range d.CmdArgs[1:] {
		switch v := strings.Join(a.Vals, ","); a.Key {
		case "version":
			req.Version = v
		case "package":
			req.Package = v
		case "id":
			req.ServiceID = cluster.ServiceID(v)
		case "keep":
			req.KeepData = true
		case "force":
			req.Force = true
		case "to":
			if _, err := fmt.Sscan(v, &req.Generation); err != nil {
				panic(err)
			}
		case "bind":
			if req.Bind == nil {
				req.Bind = map[string]cluster.ServiceID{}
			}
			alias, id, _ := strings.Cut(v, ":")
			req.Bind[alias] = cluster.ServiceID(id)
		}
	}
	if d.Input != "" {
		req.Options = []byte(d.Input)
	}
	return req
}

// text is a plan as a person would want it in a diff.
func text(p *plan.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s: %s %s", s.Action, s.ServiceID, s.Package, s.Version)
		if s.Auto {
			b.WriteString(" (auto)")
		}
		b.WriteString("\n")
		for _, w := range s.Why {
			fmt.Fprintf(&b, "  because %q needs %s %s\n", w.From, w.Name, w.Constraint)
		}
		for _, x := range s.Bindings {
			fmt.Fprintf(&b, "  %s is %s", x.Alias, x.ServiceID)
			if len(x.Others) > 0 {
				fmt.Fprintf(&b, " (%s %s, new %v; %v would do)", x.Package, x.Version, x.New, x.Others)
			}
			b.WriteString("\n")
		}
		b.WriteString(changes(s))
		if len(s.Changed) > 0 {
			fmt.Fprintf(&b, "  changed: %s\n", strings.Join(s.Changed, ", "))
		}
		for _, c := range s.Pods {
			fmt.Fprintf(&b, "  pod %s: %d of %d milli-cpu, %s\n", c.Pod, c.Count, c.Each.CPU, cluster.Bytes(c.Each.Mem))
		}
	}
	fmt.Fprintf(&b, "total: %d milli-cpu, %s, %d ports, %d tasks\n", p.Cost.CPU, cluster.Bytes(p.Cost.Mem), p.Cost.Ports, p.Cost.Tasks)
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning %s: %s\n", w.Code, w.Message)
		for _, a := range w.Agents {
			fmt.Fprintf(&b, "  %s: %v %s\n", a.Agent, a.Lacks, a.Reason)
		}
	}
	return b.String()
}

// changes is what a step says of a change.
func changes(s plan.Step) string {
	var b strings.Builder
	if f := s.From; f != nil {
		fmt.Fprintf(&b, "  from %s, generation %d", f.Version, f.Generation)
		if f.To != 0 {
			fmt.Fprintf(&b, ", back to %d", f.To)
		}
		b.WriteString("\n")
	}
	for _, x := range s.Settings {
		fmt.Fprintf(&b, "  option %s: %s -> %s\n", x.Name, x.From, x.To)
	}
	for _, c := range s.Changes {
		fmt.Fprintf(&b, "  %s %s: %d -> %d\n", c.Kind, c.Pod, c.From, c.To)
		for _, r := range c.Reasons {
			fmt.Fprintf(&b, "    %s %s %s\n", r.Task, r.What, r.Detail)
		}
	}
	for _, r := range s.Rollout {
		fmt.Fprintf(&b, "  phase %s: %s %s, %d restarted, %d new, %d ended, confirm %v, gate %q", r.Name, r.Pod, r.Strategy, r.Restarts, r.Starts, r.Ends, r.Confirm, r.Gate)
		for _, x := range r.Steps {
			fmt.Fprintf(&b, ", then %s", x.Name)
		}
		b.WriteString("\n")
	}
	if s.Removal != nil {
		fmt.Fprintf(&b, "  keep data %v, broken %v, orphans %v\n", s.KeepData, s.Removal.Broken, s.Removal.Orphans)
	}
	return b.String()
}

func failure(err error) string {
	var p *problem.Error
	if !errors.As(err, &p) {
		return "not a problem: " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v\n", p.Class, err)
	for _, d := range p.Details {
		fmt.Fprintf(&b, "  %s: %s\n", d.Pointer, d.Message)
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", p.Hint)
	}
	return strings.ReplaceAll(b.String(), "  : ", "  ")
}
