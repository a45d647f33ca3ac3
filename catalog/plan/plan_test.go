package plan_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/catalog/plan/plantest"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

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

// simple is an engine that keeps neither bindings nor history.
type simple struct{ plan.Engine }

// TestSimpleEngine: over an engine that is no Keeper, services are installed and
// uninstalled as ever; what they need is guessed, and changes are refused.
func TestSimpleEngine(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	p := plan.New(w.Index, simple{w.Engine})
	w.Publish(t, plantest.Small("db", "1.0.0", ""))
	fsys := plantest.Small("app", "1.0.0", "requires: [{name: db, version: ^1}]\n")
	fsys["service.yaml"].Data = append(fsys["service.yaml"].Data, []byte(`actions:
  - {name: check, task: {image: main, command: ["${bound('db') ? 'bound' : 'free'}"], resources: {cpus: 0.1, mem: 64}}}
`)...)
	w.Publish(t, fsys)
	if _, err := p.Apply(ctx, "ada", plan.Request{Package: "app"}, ""); err != nil {
		t.Fatal(err)
	}
	run, err := p.RunAction(ctx, "ada", "app", []string{"check"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"bound"}, run.Task.Container.Command); d != "" {
		t.Errorf("command (-want +got):\n%s", d)
	}
	for _, c := range []struct {
		req  plan.Request
		want string
	}{
		{plan.Request{Kind: plan.KindUpgrade, ServiceID: "app"}, "cannot change them"},
		{plan.Request{Kind: plan.KindRollback, ServiceID: "app"}, "cannot change them"},
		{plan.Request{Kind: plan.KindUninstall, ServiceID: "app", KeepData: true}, "cannot keep volumes"},
		{plan.Request{Kind: plan.KindUninstall, ServiceID: "db"}, "db is needed by app"},
		{plan.Request{Kind: "repair", ServiceID: "app"}, `no plan of the kind "repair"`},
		{plan.Request{Kind: plan.KindConfigure}, "names the service"},
	} {
		if _, err := p.Plan(ctx, c.req); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.req, err, c.want)
		}
	}
	if _, err := p.Apply(ctx, "ada", plan.Request{Kind: plan.KindUninstall, ServiceID: "app"}, ""); err != nil {
		t.Fatal(err)
	}
	if inst, err := p.Installation(ctx, "app"); err != nil || !inst.Removing {
		t.Errorf("after uninstalling: %+v, %v", inst, err)
	}
}

// TestApply_changedMeanwhile: a change is applied to what it was planned for.
func TestApply_changedMeanwhile(t *testing.T) {
	ctx := context.Background()
	w := plantest.New(t)
	w.Publish(t, plantest.Store("store", "1.0.0", ""))
	if _, err := w.Planner.Apply(ctx, "ada", plan.Request{Package: "store"}, ""); err != nil {
		t.Fatal(err)
	}
	set := func(level string) plan.Request {
		return plan.Request{Kind: plan.KindConfigure, ServiceID: "store", Options: []byte(`{"node": {"level": "` + level + `"}}`)}
	}
	p, err := w.Planner.Plan(ctx, set("debug"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Planner.Apply(ctx, "bob", set("warn"), ""); err != nil {
		t.Fatal(err)
	}
	// What the plan says of itself is a request that gives it again.
	if _, err := w.Planner.Apply(ctx, "ada", p.Request, p.Digest); !problem.Is(err, problem.Conflict) {
		t.Fatalf("got %v", err)
	}
	p, err = w.Planner.Plan(ctx, p.Request)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := w.Planner.Apply(ctx, "ada", p.Request, p.Digest); err != nil || done.Steps[0].From.Version != "1.0.0" {
		t.Fatalf("the new plan: %+v, %v", done, err)
	}
	if r, err := w.Engine.Record(ctx, "store"); err != nil || len(r.History) != 2 || r.Service.Pods[0].Tasks[0].Container.Env["LEVEL"] != "debug" {
		t.Errorf("record: %+v, %v", r, err)
	}
}
