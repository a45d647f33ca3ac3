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
	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/catalog/plan/plantest"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// TestScenarios plays the files of testdata. The commands:
//
//	publish name version        a small package; the input is appended to package.yaml
//	agents a1=(cpus,mem) ...    the agents, or none; mem in GiB
//	plan name [version=] [id=] [bind=alias:id]   the plan; the input is the options
//	install                     the same, applied
//	uninstall id [force]        and forget id: the removal is over
//	installed                   the list
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := plantest.New(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return play(t, w, d) })
	})
}

func play(t *testing.T, w *plantest.World, d *datadriven.TestData) string {
	ctx := context.Background()
	switch d.Cmd {
	case "publish":
		w.Publish(t, plantest.Small(d.CmdArgs[0].Key, d.CmdArgs[1].Key, d.Input+"\n"))
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
	case "plan", "install":
		req := request(d)
		p, err := w.Planner.Plan(ctx, req)
		if err == nil && d.Cmd == "install" {
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
		return fmt.Sprintf("broken %v, orphans %v\n", r.Broken, r.Orphans)
	case "forget":
		w.Engine.Forget(cluster.ServiceID(d.CmdArgs[0].Key))
		return ""
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

func request(d *datadriven.TestData) plan.Request {
	req := plan.Request{Package: d.CmdArgs[0].Key}
	for _, a := range d.CmdArgs[1:] {
		switch v := strings.Join(a.Vals, ","); a.Key {
		case "version":
			req.Version = v
		case "id":
			req.ServiceID = cluster.ServiceID(v)
		case "bind":
			alias, id, _ := strings.Cut(v, ":")
			req.Bind = map[string]cluster.ServiceID{alias: cluster.ServiceID(id)}
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
			fmt.Fprintf(&b, "  %s is %s\n", x.Alias, x.ServiceID)
		}
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

// TestPlan_digest: the same state gives the same digest; what changes what
// would be done changes it, what does not, does not.
func TestPlan_digest(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	w.Publish(t, plantest.Small("app", "1.0.0", "requires: [{name: db}]\n"))
	w.Publish(t, plantest.Small("db", "1.0.0", ""))
	digest := func(options string) string {
		t.Helper()
		p, err := w.Planner.Plan(ctx, plan.Request{Package: "app", Options: []byte(options)})
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest
	}
	first := digest(`{}`)
	seen := map[string]string{"first": first}
	if again := digest(`{}`); again != first {
		t.Errorf("the same request gives %s and %s", first, again)
	}
	w.Engine.Nodes = nil // free resources only warn
	if d := digest(`{}`); d != first {
		t.Error("free resources are in the digest")
	}
	seen["options"] = digest(`{"server": {"count": 2}}`)
	w.Publish(t, plantest.Small("db", "1.1.0", ""))
	seen["newer dependency"] = digest(`{}`)
	if _, err := w.Planner.Apply(ctx, "", plan.Request{Package: "db", ServiceID: "mine"}, ""); err != nil {
		t.Fatal(err)
	}
	seen["kept dependency"] = digest(`{}`)
	values := slices.Sorted(maps.Values(seen))
	if len(slices.Compact(values)) != len(seen) {
		t.Errorf("two of these are the same: %v", seen)
	}
}

// TestApply_stale: a plan that came out differently is refused and the new one
// comes along.
func TestApply_stale(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	w.Publish(t, plantest.Small("app", "1.0.0", ""))
	req := plan.Request{Package: "app"}
	p, err := w.Planner.Plan(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	w.Publish(t, plantest.Small("app", "1.1.0", ""))
	_, err = w.Planner.Apply(ctx, "ada", req, p.Digest)
	if !problem.Is(err, problem.Conflict) {
		t.Fatalf("got %v", err)
	}
	now, ok := problem.Of(err).Data.(*plan.Plan)
	if !ok || now.Steps[0].Version != "1.1.0" {
		t.Fatalf("the new plan: %+v", problem.Of(err).Data)
	}
	if list, _ := w.Planner.Installations(ctx); len(list) != 0 {
		t.Errorf("something was installed: %+v", list)
	}
	if _, err := w.Planner.Apply(ctx, "ada", req, now.Digest); err != nil {
		t.Fatalf("the new plan: %v", err)
	}
	inst, err := w.Planner.Installation(ctx, "app")
	if err != nil || inst.Version != "1.1.0" || inst.PlanDigest != now.Digest || inst.Principal != "ada" || inst.At == 0 {
		t.Errorf("installation: %+v, %v", inst, err)
	}
	if d := cmp.Diff([]string{"ada"}, w.Engine.Principals()); d != "" {
		t.Errorf("principals (-want +got):\n%s", d)
	}
}

// TestApply_partly: when a later step fails, the error says what stands, and
// the same request goes on from there.
func TestApply_partly(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	w.Publish(t, plantest.Small("app", "1.0.0", "requires: [{name: db}]\n"))
	w.Publish(t, plantest.Small("db", "1.0.0", ""))
	broken := problem.New(problem.Unavailable, "the log is full")
	w.Engine.Fail = func(id cluster.ServiceID) error {
		if id == "app" {
			return broken
		}
		return nil
	}
	_, err := w.Planner.Apply(ctx, "", plan.Request{Package: "app"}, "")
	if !problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "installed before: db") {
		t.Errorf("got %v", err)
	}
	w.Engine.Fail = nil
	p, err := w.Planner.Apply(ctx, "", plan.Request{Package: "app"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if p.Steps[0].Action != plan.ActionKeep || p.Steps[1].Action != plan.ActionInstall {
		t.Errorf("got\n%s", text(p))
	}
}

// TestRunAction checks the way of an action to the engine.
func TestRunAction(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	fsys := plantest.Small("app", "1.0.0", "")
	fsys["service.yaml"].Data = append(fsys["service.yaml"].Data, []byte(`actions:
  - name: check
    args: [{name: deep, type: boolean, default: false}]
    task: {image: main, command: [/bin/check, "${args.deep}", "${service.id}", "${pods.server[0].host}"], resources: {cpus: 0.1, mem: 64}}
`)...)
	w.Publish(t, fsys)
	if _, err := w.Planner.Apply(ctx, "", plan.Request{Package: "app", ServiceID: "mine"}, ""); err != nil {
		t.Fatal(err)
	}
	a, err := w.Planner.RunAction(ctx, "ada", "mine", []string{"check"}, []string{"true"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.Planner.RunAction(ctx, "ada", "mine", []string{"check", "true"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.ID == b.ID || !strings.HasPrefix(string(a.ID), "mine-check-") {
		t.Errorf("ids %s and %s", a.ID, b.ID)
	}
	runs := w.Engine.Runs()
	if len(runs) != 2 || runs[0].Name != "check" || runs[0].Service != "mine" {
		t.Fatalf("runs: %+v", runs)
	}
	if d := cmp.Diff([]string{"/bin/check", "true", "mine", "${pods.server[0].host}"}, runs[1].Task.Container.Command); d != "" {
		t.Errorf("command (-want +got):\n%s", d)
	}
	for _, c := range []struct {
		id    cluster.ServiceID
		words []string
		class problem.Class
	}{
		{"none", []string{"check"}, problem.NotFound},
		{"mine", []string{"chek"}, problem.NotFound},
		{"mine", nil, problem.NotFound},
		{"mine", []string{"check", "maybe"}, problem.Invalid},
	} {
		if _, err := w.Planner.RunAction(ctx, "", c.id, c.words, nil); !problem.Is(err, c.class) {
			t.Errorf("%s %v: got %v", c.id, c.words, err)
		}
	}
	if _, err := w.Planner.Remove(ctx, "", "mine", false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Planner.RunAction(ctx, "", "mine", []string{"check"}, nil); !problem.Is(err, problem.Conflict) {
		t.Errorf("while it is removed: %v", err)
	}
}
