package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/catalog/api"
	"github.com/universe-dcos/universe/catalog/client"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/catalog/plan/plantest"
	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

func serve(t *testing.T, o api.Options) (*plantest.World, *client.Client, *httptest.Server) {
	t.Helper()
	w := plantest.New(t)
	o.Index, o.Planner = w.Index, w.Planner
	srv := httptest.NewServer(api.New(o))
	t.Cleanup(srv.Close)
	return w, client.New(srv.URL+"/", srv.Client()), srv
}

// TestInstall goes the whole way over HTTP with a package that has everything.
func TestInstall(t *testing.T) {
	ctx := context.Background()
	who := func(*http.Request) auth.Principal { return auth.Principal{Name: "ada"} }
	w, c, _ := serve(t, api.Options{Principal: who})
	digest := w.Publish(t, os.DirFS("../spec/testdata/good"))

	found, err := c.Search(ctx, "gea", 5, 0)
	if err != nil || found.Total != 1 || found.Items[0].Name != "gear" || !found.Items[0].Icon {
		t.Fatalf("search: %+v, %v", found, err)
	}
	d, err := c.Package(ctx, "gear", "^1")
	if err != nil {
		t.Fatal(err)
	}
	if d.Digest != digest || d.Package.Version.String() != "1.4.0+2" || d.Actions[0].Usage() != "run pi [slices] [label]" ||
		len(d.Versions) != 1 || !strings.HasPrefix(d.Readme, "# Gear") || d.Changelog == "" || len(d.Images) != 1 || d.Size == 0 {
		t.Errorf("detail: %+v", d)
	}
	schema, err := c.Schema(ctx, "gear", "")
	if file, _ := os.ReadFile("../spec/testdata/good/config.schema.json"); err != nil || !bytes.Equal(schema, bytes.TrimSpace(file)) {
		t.Errorf("schema: %s, %v", schema, err)
	}
	if icon, kind, err := c.Icon(ctx, "gear", ""); err != nil || kind != "image/png" || !bytes.HasPrefix(icon, []byte("\x89PNG")) {
		t.Errorf("icon: %q, %s, %v", icon, kind, err)
	}

	p, err := c.Plan(ctx, plan.Request{Package: "gear", Options: []byte(`{"worker":{"count":3}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Steps[0]; s.ServiceID != "gear" || s.Service.Pods[1].Count != 3 || !strings.HasPrefix(p.Notes, "gear runs gear 1.4.0+2") {
		t.Errorf("plan: %+v", p)
	}
	if _, err := c.Install(ctx, p.Request, p.Digest); err != nil {
		t.Fatal(err)
	}
	service, _ := w.Engine.Service("gear")
	if d := cmp.Diff(*p.Steps[0].Service, service); d != "" {
		t.Errorf("what runs is not what was shown (-shown +runs):\n%s", d)
	}
	list, err := c.Installations(ctx)
	if err != nil || len(list) != 1 || list[0].ID != "gear" || list[0].Principal != "ada" {
		t.Fatalf("installations: %+v, %v", list, err)
	}
	var options struct{ Worker struct{ Count int } }
	if err := json.Unmarshal(list[0].Options, &options); err != nil || options.Worker.Count != 3 {
		t.Errorf("options %s: %v", list[0].Options, err)
	}
	if one, err := c.Installation(ctx, "gear"); err != nil || one.Digest != digest {
		t.Errorf("installation: %+v, %v", one, err)
	}
	actions, err := c.Actions(ctx, "gear")
	if err != nil || len(actions) != 1 || actions[0].Name != "run pi" {
		t.Errorf("actions: %+v, %v", actions, err)
	}
	run, err := c.Run(ctx, "gear", []string{"run", "pi"}, []string{"7"})
	if err != nil {
		t.Fatal(err)
	}
	if runs := w.Engine.Runs(); len(runs) != 1 || runs[0].ID != run.ID || runs[0].Task.Container.Command[1] != "14" {
		t.Errorf("runs: %+v", runs)
	}
	if r, err := c.Uninstall(ctx, "gear", false); err != nil || r.ID != "gear" {
		t.Fatalf("uninstall: %+v, %v", r, err)
	}
	if d := cmp.Diff([]string{"ada", "ada", "ada"}, w.Engine.Principals()); d != "" {
		t.Errorf("principals (-want +got):\n%s", d)
	}
}

// TestInstall_stale: the error carries the new plan to the client.
func TestInstall_stale(t *testing.T) {
	ctx := context.Background()
	w, c, _ := serve(t, api.Options{})
	w.Publish(t, plantest.Small("app", "1.0.0", ""))
	p, err := c.Plan(ctx, plan.Request{Package: "app"})
	if err != nil {
		t.Fatal(err)
	}
	w.Publish(t, plantest.Small("app", "1.1.0", ""))
	_, err = c.Install(ctx, p.Request, p.Digest)
	now, ok := client.StalePlan(err)
	if !ok || now.Steps[0].Version != "1.1.0" || !problem.Is(err, problem.Conflict) {
		t.Fatalf("got %v, %+v", err, now)
	}
	if _, err := c.Install(ctx, now.Request, now.Digest); err != nil {
		t.Errorf("the new plan: %v", err)
	}
	if _, ok := client.StalePlan(nil); ok {
		t.Error("a plan of no error")
	}
}

// TestUnsatisfiable: the proof travels as lines and as data.
func TestUnsatisfiable(t *testing.T) {
	ctx := context.Background()
	w, c, _ := serve(t, api.Options{})
	w.Publish(t, plantest.Small("app", "1.0.0", "requires: [{name: db, version: ^9}]\n"))
	w.Publish(t, plantest.Small("db", "1.0.0", ""))
	_, err := c.Plan(ctx, plan.Request{Package: "app"})
	p := problem.Of(err)
	if !problem.Is(err, problem.Unsatisfiable) || len(p.Details) == 0 || !strings.Contains(p.Details[len(p.Details)-1].Message, "`install app` cannot be done") {
		t.Fatalf("got %+v", p)
	}
	var report struct{ Code string }
	if raw, ok := p.Data.(json.RawMessage); !ok || json.Unmarshal(raw, &report) != nil || report.Code != "NO_SOLUTION" {
		t.Errorf("data: %s", p.Data)
	}
}

// TestBadRequests: what is wrong with a request is answered as a problem of the
// right status.
func TestBadRequests(t *testing.T) {
	w, _, srv := serve(t, api.Options{})
	w.Publish(t, plantest.Small("app", "1.0.0", ""))
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/v1/packages/apq", "", 404, `package \"apq\" is not in the catalog`},
		{"GET", "/v1/packages/apq", "", 404, `did you mean app?`},
		{"GET", "/v1/packages/app?version=2", "", 404, "has no version 2"},
		{"GET", "/v1/packages/app?version=%5E%5E", "", 400, "cannot be read"},
		{"GET", "/v1/packages/app/icon", "", 404, "has no icon"},
		{"GET", "/v1/packages?limit=-1", "", 400, "want a number from 0"},
		{"GET", "/v1/packages?offset=x", "", 400, "want a number from 0"},
		{"GET", "/v1/nothing", "", 404, "there is nothing at /v1/nothing"},
		{"PUT", "/v1/plans", "", 400, "PUT is not a method of /v1/plans"},
		{"POST", "/v1/plans", "", 400, "no body"},
		{"POST", "/v1/plans", "{", 400, "cannot be read"},
		{"POST", "/v1/plans", `{"package": "app"} {}`, 400, "after the end"},
		{"POST", "/v1/plans", `{"pakage": "app"}`, 400, `unknown field \"pakage\"`},
		{"POST", "/v1/plans", `{}`, 400, "names no package"},
		{"POST", "/v1/plans", `{"package": "app", "options": {"server": {"count": 99}}}`, 400, "/server/count"},
		{"POST", "/v1/plans", `{"package": "` + strings.Repeat("a", api.MaxBody) + `"}`, 413, "more than"},
		{"POST", "/v1/installations", `{"request": {"package": "app"}, "plan_digest": "sha256:0"}`, 412, "stale"},
		{"GET", "/v1/installations/app", "", 404, "there is no installation"},
		{"DELETE", "/v1/installations/app", "", 404, "there is no installation"},
		{"DELETE", "/v1/installations/app?force=perhaps", "", 400, "want true or false"},
		{"POST", "/v1/installations/app/actions", `{"words": ["x"]}`, 404, "there is no installation"},
	} {
		req, err := http.NewRequest(c.method, srv.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.want) || resp.Header.Get("Content-Type") != problem.MediaType {
			t.Errorf("%s %s: %d %s %s; want %d %q", c.method, c.path, resp.StatusCode, resp.Header.Get("Content-Type"), body, c.status, c.want)
		}
	}
}

// refuse is an authorizer that lets nobody do anything and notes what was
// asked.
type refuse struct{ asked []string }

func (r *refuse) Authorize(_ context.Context, p auth.Principal, v auth.Verb, o auth.Object) error {
	r.asked = append(r.asked, p.Name+" "+string(v)+" "+o.String())
	return problem.New(problem.Forbidden, "no")
}

// TestAuthorizer: every handler asks before it does anything.
func TestAuthorizer(t *testing.T) {
	ctx := context.Background()
	r := &refuse{}
	w, c, _ := serve(t, api.Options{Authorizer: r})
	w.Publish(t, plantest.Small("app", "1.0.0", ""))
	if _, err := w.Planner.Apply(ctx, "", plan.Request{Package: "app"}, ""); err != nil {
		t.Fatal(err)
	}
	id := cluster.ServiceID("app")
	for _, call := range []func() error{
		func() error { _, err := c.Search(ctx, "", 0, 0); return err },
		func() error { _, err := c.Package(ctx, "app", ""); return err },
		func() error { _, _, err := c.Icon(ctx, "app", ""); return err },
		func() error { _, err := c.Schema(ctx, "app", ""); return err },
		func() error { _, err := c.Plan(ctx, plan.Request{Package: "app"}); return err },
		func() error { _, err := c.Install(ctx, plan.Request{Package: "app", ServiceID: "b"}, ""); return err },
		func() error { _, err := c.Installations(ctx); return err },
		func() error { _, err := c.Installation(ctx, id); return err },
		func() error { _, err := c.Actions(ctx, id); return err },
		func() error { _, err := c.Run(ctx, id, []string{"x"}, nil); return err },
		func() error { _, err := c.Uninstall(ctx, id, true); return err },
	} {
		if err := call(); !problem.Is(err, problem.Forbidden) {
			t.Errorf("got %v", err)
		}
	}
	want := []string{"anonymous read package", "anonymous read package/app", "anonymous read package/app", "anonymous read package/app",
		"anonymous read plan", "anonymous write installation", "anonymous read installation", "anonymous read installation/app",
		"anonymous read installation/app", "anonymous write installation/app", "anonymous delete installation/app"}
	if d := cmp.Diff(want, r.asked); d != "" {
		t.Errorf("asked (-want +got):\n%s", d)
	}
	if n := len(w.Engine.Principals()); n != 1 {
		t.Errorf("%d changes were made", n)
	}
}

// onlyWrites is an authorizer that lets nobody delete.
type onlyWrites struct{}

func (onlyWrites) Authorize(_ context.Context, _ auth.Principal, v auth.Verb, o auth.Object) error {
	if v == auth.Delete {
		return problem.New(problem.Forbidden, "no delete of %s", o)
	}
	return nil
}

// TestUninstall_byPlan: a plan to uninstall takes the right to delete.
func TestUninstall_byPlan(t *testing.T) {
	ctx := context.Background()
	w, c, _ := serve(t, api.Options{Authorizer: onlyWrites{}})
	w.Publish(t, plantest.Small("app", "1.0.0", ""))
	if _, err := c.Install(ctx, plan.Request{Package: "app"}, ""); err != nil {
		t.Fatal(err)
	}
	req := plan.Request{Kind: plan.KindUninstall, ServiceID: "app"}
	p, err := c.Plan(ctx, req)
	if err != nil || p.Steps[0].Action != plan.ActionUninstall {
		t.Fatalf("plan: %+v, %v", p, err)
	}
	if _, err := c.Install(ctx, p.Request, p.Digest); !problem.Is(err, problem.Forbidden) || !strings.Contains(err.Error(), "installation/app") {
		t.Errorf("got %v", err)
	}
	if _, running := w.Engine.Service("app"); !running {
		t.Error("it was removed all the same")
	}
}

// TestETag: what is determined by the release is not sent twice.
func TestETag(t *testing.T) {
	w, _, srv := serve(t, api.Options{})
	digest := w.Publish(t, os.DirFS("../spec/testdata/good"))
	for _, path := range []string{"/v1/packages/gear/icon", "/v1/packages/gear/options"} {
		req, err := http.NewRequest("GET", srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("If-None-Match", `"`+digest+`"`)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// TestSearch_fresh: a package is found as soon as it was pushed.
func TestSearch_fresh(t *testing.T) {
	ctx := context.Background()
	w, c, _ := serve(t, api.Options{})
	if r, err := c.Search(ctx, "app", 0, 0); err != nil || r.Total != 0 || r.Items == nil {
		t.Fatalf("%+v, %v", r, err)
	}
	w.Publish(t, plantest.Small("app", "1.0.0", ""))
	if r, err := c.Search(ctx, "app", 0, 0); err != nil || r.Total != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := c.Search(ctx, "apq zzz", 0, 0); err != nil || r.Total != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
