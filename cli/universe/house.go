package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/universe-dcos/universe/catalog/api"
	catalogclient "github.com/universe-dcos/universe/catalog/client"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry/server"
	"github.com/universe-dcos/universe/runtime/api/native"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/master"
	"github.com/universe-dcos/universe/site"
)

// house is what a master serves beside its agents: registry, catalog, API, site.
type house struct {
	registry *server.Server
	api      *http.ServeMux
	site     http.Handler
}

// newHouse opens the registry and builds catalog, API and site over it.
func newHouse(cfg masterConfig, m *master.Master, log *slog.Logger) (*house, error) {
	var idx *index.Index
	// The registry tells of pushes only once it serves, which is after idx is set.
	reg, err := openRegistry(cfg, log, func(e server.Event) { idx.Notify(cfg.Registry, e.Repository) })
	if err != nil {
		return nil, err
	}
	idx = index.New(log, index.Registry{Host: cfg.Registry, Source: reg})
	h := &house{registry: reg, api: http.NewServeMux()}
	catalog := api.New(api.Options{Index: idx, Planner: plan.New(idx, engine{m}), Logger: log})
	for _, path := range api.Paths() {
		h.api.Handle(path, catalog)
		h.api.Handle(path+"/", catalog)
	}
	h.api.Handle("/v1/", native.New(native.Config{Cluster: m, Logger: log}))
	h.site, err = newSite(cfg.Name, h.api, log)
	return h, err
}

// newSite makes the pages over the API, as any client sees it.
func newSite(name string, api http.Handler, log *slog.Logger) (http.Handler, error) {
	hc := &http.Client{Transport: inProcess{api}}
	runtime, err := runtimeclient.New("http://master.internal", hc)
	if err != nil {
		return nil, err
	}
	return site.New(site.Config{Name: name, Catalog: catalogclient.New("http://master.internal", hc), Cluster: runtime, Logger: log})
}

func (h *house) close(ctx context.Context) error { return h.registry.Close(ctx) }

// public is the front door: registry, API and site behind one address.
func (h *house) public() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/", h.api)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n")) // whoever asked has gone: nobody to tell
	})
	mux.Handle("/", h.site)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The registry checks its own paths: the mux would clean and redirect them.
		if strings.HasPrefix(r.URL.Path, "/v2") {
			h.registry.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// readOnly lets reads through. What agents, and so the tasks on them, can reach
// must not be a way to publish.
func readOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			problem.Write(w, problem.New(problem.Forbidden, "%s %s: this address serves reads only", r.Method, r.URL.Path).
				WithHint("publish to the master's public address"))
			return
		}
		h.ServeHTTP(w, r)
	})
}
