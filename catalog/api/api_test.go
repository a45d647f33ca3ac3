package api_test

import (
	"context"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/universe-dcos/universe/catalog/api"
	"github.com/universe-dcos/universe/catalog/client"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/catalog/plan/plantest"
)

func serve(t *testing.T) (*plantest.World, *client.Client) {
	w := plantest.New(t)
	srv := httptest.NewServer(api.New(api.Options{Index: w.Index, Planner: w.Planner}))
	t.Cleanup(srv.Close)
	return w, client.New(srv.URL, srv.Client())
}

// TestInstall goes the whole way over HTTP with a package that has everything.
func TestInstall(t *testing.T) {
	ctx := context.Background()
	w, c := serve(t)
	digest := w.Publish(t, os.DirFS("../spec/testdata/good"))

	found, err := c.Search(ctx, "gea", 0, 0)
	if err != nil || found.Total != 1 || found.Items[0].Name != "gear" {
		t.Fatalf("search: %+v, %v", found, err)
	}
	d, err := c.Package(ctx, "gear", "")
	if err != nil {
		t.Fatal(err)
	}
	if d.Digest != digest || len(d.Actions) != 1 || len(d.Versions) != 1 || d.Readme == "" || len(d.Schema) == 0 {
		t.Errorf("detail: %+v", d)
	}
	p, err := c.Plan(ctx, plan.Request{Package: "gear", Options: []byte(`{"worker":{"count":3}}`)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", p)
	if _, err := c.Install(ctx, p.Request, p.Digest); err != nil {
		t.Fatal(err)
	}
	list, err := c.Installations(ctx)
	if err != nil || len(list) != 1 || list[0].ID != "gear" {
		t.Fatalf("installations: %+v, %v", list, err)
	}
	run, err := c.Run(ctx, "gear", []string{"run", "pi"}, []string{"7"})
	if err != nil {
		t.Fatal(err)
	}
	if runs := w.Engine.Runs(); len(runs) != 1 || runs[0].ID != run.ID || runs[0].Task.Container.Command[1] != "14" {
		t.Errorf("runs: %+v", runs)
	}
	if _, err := c.Uninstall(ctx, "gear", false); err != nil {
		t.Fatal(err)
	}
}
