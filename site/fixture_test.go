package site

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver/constraint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// now is the time of all pages made here.
var now = time.Date(2030, 5, 6, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) cluster.Time { return cluster.Time(now.Add(-d).UnixMilli()) }

// fakeCatalog has its packages in memory and finds by a part of name or summary.
type fakeCatalog struct {
	packages  []catalog.Detail
	installed []plan.Installation
	err       error // of every call, when set
	near      []string
}

func (f *fakeCatalog) Search(_ context.Context, q string, limit, offset int) (catalog.Results, error) {
	var all []catalog.Listing
	for _, d := range f.packages {
		m := d.Package
		if strings.Contains(m.Name+" "+m.Summary, q) {
			all = append(all, catalog.Listing{Name: m.Name, Version: m.Version.String(), Summary: m.Summary, Keywords: m.Keywords,
				Versions: len(d.Versions), Icon: m.Icon != ""})
		}
	}
	out := catalog.Results{Total: len(all)}
	if offset < len(all) {
		out.Items = all[offset:min(offset+limit, len(all))]
	}
	if len(all) == 0 {
		out.DidYouMean = f.near
	}
	return out, f.err
}

func (f *fakeCatalog) Package(_ context.Context, name, versions string) (catalog.Detail, error) {
	if f.err != nil {
		return catalog.Detail{}, f.err
	}
	if strings.HasPrefix(versions, "not a") {
		return catalog.Detail{}, problem.New(problem.Invalid, "version %q is not a version or a range", versions)
	}
	for _, d := range f.packages {
		if d.Package.Name != name {
			continue
		}
		if versions != "" {
			d.Package.Version = mustVersion(versions)
		}
		return d, nil
	}
	return catalog.Detail{}, problem.New(problem.NotFound, "package %q is not in the catalog", name).WithHint("did you mean spark?")
}

func (f *fakeCatalog) Installations(context.Context) ([]plan.Installation, error) {
	return f.installed, f.err
}

// fakeCluster says what it was told to say; it can be told anew while it serves.
type fakeCluster struct {
	mu     sync.Mutex
	list   []service.Status
	agents []core.Agent
	err    error // of every call, when set
}

func (f *fakeCluster) set(list ...service.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = list
}

func (f *fakeCluster) Services(context.Context) ([]service.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list, f.err
}

func (f *fakeCluster) Service(_ context.Context, id cluster.ServiceID) (service.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.list {
		if s.ID == id {
			return s, f.err
		}
	}
	if f.err != nil {
		return service.Status{}, f.err
	}
	return service.Status{}, problem.New(problem.NotFound, "there is no service %s", id)
}

func (f *fakeCluster) Agents(context.Context) ([]core.Agent, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.agents, f.err
}

func mustVersion(text string) constraint.Version {
	v, err := constraint.ParseVersion(text)
	if err != nil {
		panic(err)
	}
	return v
}

// newSite makes the handler over two fakes.
func newSite(t testing.TB, fakes func() (*fakeCatalog, *fakeCluster)) http.Handler {
	t.Helper()
	cat, clu := fakes()
	h, err := New(Config{Name: "lab", Catalog: cat, Cluster: clu, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(t testing.TB, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, target, nil))
	return rec
}

// plausible is a small cluster as a reader meets it.
func plausible() (*fakeCatalog, *fakeCluster) {
	digest := "sha256:" + strings.Repeat("5e1fba", 11)[:64]
	spark := catalog.Detail{
		Package: catalog.Metadata{Name: "spark", Version: mustVersion("4.3.0"), AppVersion: "4.3.0", Icon: "icon.svg",
			Summary:  "A standalone Spark cluster for batch, SQL and machine learning jobs",
			Keywords: []string{"analytics", "batch", "compute", "machine-learning", "sql", "streaming", "big-data"},
			Licenses: []string{"Apache-2.0"}, Home: "https://spark.example.org/",
			Maintainers: []catalog.Maintainer{{Name: "The Universe authors"}},
			Requires:    []catalog.Requirement{{Name: "zookeeper", Version: constraint.MustParse("^3.8"), Optional: true}}},
		Digest: digest, Readme: sparkReadme, Changelog: "# Changes\n\n## 4.3.0\n\n- First release.\n\n## Older\n\n- Nothing.\n",
		Images:   []catalog.Image{{Name: "spark", Digest: digest, Size: 412 << 20}},
		Actions:  []catalog.Action{{Name: "run pi", Summary: "Computes Pi on the cluster", Args: []catalog.Arg{{Name: "slices", Type: catalog.ArgInteger, Default: 100}}}},
		Versions: []catalog.VersionInfo{{Version: "4.3.0", Digest: digest}, {Version: "4.2.1+1", Digest: digest}, {Version: "4.0.0", Digest: digest, Unavailable: "yanked"}},
		Schema:   json.RawMessage(sparkSchema),
	}
	nginx := catalog.Detail{
		Package: catalog.Metadata{Name: "nginx", Version: mustVersion("1.22.1"), Summary: "A small and fast web server", Keywords: []string{"web", "http"}},
		Digest:  digest, Versions: []catalog.VersionInfo{{Version: "1.22.1", Digest: digest}}, Readme: "# nginx\n\nServes one page.\n"}
	zoo := catalog.Detail{Package: catalog.Metadata{Name: "zookeeper", Version: mustVersion("3.9.2"),
		Summary:     "Coordination for distributed applications: configuration, naming, locks and elections, kept on an odd number of servers",
		Description: "Coordination for distributed applications.\nAn odd number of servers."},
		Digest: digest, Versions: []catalog.VersionInfo{{Version: "3.9.2", Digest: digest}}}
	cat := &fakeCatalog{packages: []catalog.Detail{nginx, spark, zoo}, near: []string{"spark"},
		installed: []plan.Installation{{ID: "spark", Package: "spark", Version: "4.3.0"}, {ID: "analytics-of-the-night", Package: "spark", Version: "4.2.1+1", Removing: true}}}
	clu := &fakeCluster{list: []service.Status{removing(), deploying(), running()}, agents: []core.Agent{
		{Info: cluster.Agent{ID: "a1", Hostname: "rack1-node07", Host: "10.88.0.2", Total: cluster.Resources{CPU: 2000, Mem: 4 << 30}}, State: cluster.AgentActive,
			Since: before(3 * time.Hour), Allocated: cluster.Resources{CPU: 1500, Mem: 1792 << 20}, Tasks: 2},
		{Info: cluster.Agent{ID: "a2", Host: "10.88.0.3", Total: cluster.Resources{CPU: 2000, Mem: 4 << 30}}, State: cluster.AgentUnreachable,
			Since: before(40 * time.Second), Shrunk: true},
	}}
	return cat, clu
}

// running is a service that is well.
func running() service.Status {
	return service.Status{ID: "web", Package: "nginx", Version: "1.22.1", State: service.ServiceRunning, Ready: 1, Total: 1, Created: before(50 * time.Hour),
		Pods: []service.PodStatus{{Name: "server", Count: 1, Ready: 1, Instances: []service.InstanceStatus{{Name: "server-0", State: service.StateReady, Ready: true,
			Agent: "a1", Hostname: "rack1-node07", Host: "10.88.0.2", Ports: map[string]uint16{"http": 31000}, Since: before(50 * time.Hour)}}}},
		Deployment: []service.PhaseStatus{{Name: "server", Pod: "server", Strategy: cluster.Parallel, State: service.PhaseComplete, Done: 1, Total: 1}},
		Endpoints: []service.EndpointStatus{{Name: "http", Scheme: "http", Addresses: []service.EndpointAddress{
			{Instance: "server-0", Host: "10.88.0.2", Port: 31000, Ready: true}}}}}
}

// removing is a service on its way out.
func removing() service.Status {
	return service.Status{ID: "analytics-of-the-night", Package: "spark", Version: "4.2.1+1", State: service.ServiceRemoving, Total: 3, Created: before(20 * 24 * time.Hour),
		Pods: []service.PodStatus{{Name: "worker", Count: 2, Instances: []service.InstanceStatus{{Name: "worker-1", State: service.StateKilling, Agent: "a1", Host: "10.88.0.2"}}},
			{Name: "master", Count: 1}}}
}

// deploying is a service on its way, with all that can be in it.
func deploying() service.Status {
	sick := false
	lack := &service.Why{Reason: service.WhyResources, Omitted: 2}
	for i := range 5 {
		lack.Agents = append(lack.Agents, service.WhyAgent{Agent: cluster.AgentID(fmt.Sprintf("a%d", i+1)),
			Shortfalls: []cluster.Shortfall{{Resource: "mem", Have: "512 MiB", Need: "2 GiB"}}})
	}
	phase := &service.Why{Reason: service.WhyPhase, Phase: "worker"}
	return service.Status{ID: "spark", Package: "spark", Version: "4.3.0", State: service.ServiceDeploying, Ready: 1, Total: 6, Created: before(4 * time.Minute),
		Pods: []service.PodStatus{
			{Name: "master", Count: 1, Ready: 1, Instances: []service.InstanceStatus{{Name: "master-0", State: service.StateReady, Ready: true, Agent: "a1", Hostname: "rack1-node07",
				Host: "10.88.0.2", Ports: map[string]uint16{"rpc": 31000, "ui": 31001}, Since: before(3 * time.Minute)}}},
			{Name: "worker", Count: 4, Unique: true, Instances: []service.InstanceStatus{
				{Name: "worker-0", State: service.StateRunning, Agent: "a2", Host: "10.88.0.3", Healthy: &sick, Outdated: true, Ports: map[string]uint16{"rpc": 31002},
					Since: before(20 * time.Second), Tasks: []service.TaskBrief{{Task: "worker", Message: "registering with the master"}}},
				{Name: "worker-1", State: service.StateBackoff, Failures: 3, BackoffUntil: before(-12 * time.Second), Why: &service.Why{Reason: service.WhyBackoff}, WhyText: "held back after a failure",
					Last: &service.LastEnding{State: cluster.TaskFailed, Message: "exit code 137: java.lang.OutOfMemoryError: Java heap space", At: before(30 * time.Second)}},
				{Name: "worker-2", State: service.StateWaiting, Why: lack, WhyText: lack.String()},
				{Name: "worker-3", State: service.StateUnreachable, Agent: "a2", Host: "10.88.0.3", Since: before(2 * time.Minute)}}},
			{Name: "history", Count: 1, Instances: []service.InstanceStatus{{Name: "history-0", State: service.StateWaiting, Why: phase, WhyText: phase.String()}}},
		},
		Deployment: []service.PhaseStatus{
			{Name: "master", Strategy: cluster.Serial, State: service.PhaseComplete, Done: 1, Total: 1},
			{Name: "worker", Strategy: cluster.Parallel, State: service.PhaseActive, Total: 4},
			{Name: "history", Strategy: cluster.Serial, State: service.PhasePending, Total: 1}},
		Endpoints: []service.EndpointStatus{
			{Name: "rpc", Scheme: "spark", Addresses: []service.EndpointAddress{{Instance: "master-0", Host: "10.88.0.2", Port: 31000, Ready: true}}},
			{Name: "ui", Scheme: "http", Addresses: []service.EndpointAddress{{Instance: "master-0", Host: "10.88.0.2", Port: 31001}}},
			{Name: "history", Scheme: "http"}}}
}

// longNames is a service whose names are long and have no place to break.
func longNames() service.Status {
	s, long := deploying(), strings.Repeat("without", 8)
	s.ID = cluster.ServiceID(long + "id")
	s.Package = long + "pkg"
	in := &s.Pods[1].Instances[0]
	in.Name, in.Hostname, in.Agent = long[:31]+"-1000", long+"host.example.com", cluster.AgentID(long+"agent")
	return s
}

const sparkReadme = `# Spark

[Apache Spark](https://spark.example.org/) runs computations on large data in parallel. See [below](#options) and [the notes](docs/notes.md).

## Use

    dcos package install spark
    dcos spark run pi 200

## Options

| option | default | meaning |
|---|---|---|
| ` + "`service.name`" + ` | ` + "`spark`" + ` | name of the service |
| ` + "`master.cpus`, `master.mem`" + ` | 0.5, 512 MiB | container of the master; its heap is ` + "`mem`" + ` less 192 MiB |

### How it runs

- Ready means that the master says it is alive.
- Nothing is persistent. ![picture of the parts](https://spark.example.org/parts.png)
`

const sparkSchema = `{"type": "object", "title": "Options of the package spark", "required": ["owner"], "properties": {
 "owner": {"type": "string", "title": "Owner"},
 "service": {"title": "Service", "type": "object", "properties": {
   "name": {"type": "string", "default": "spark", "title": "Service name", "description": "It must be free in the cluster."}}},
 "worker": {"title": "Workers", "description": "Each on a node of its own.", "properties": {
   "mem": {"type": "integer", "minimum": 1152, "maximum": 1048576, "default": 1280, "title": "Memory in MiB"},
   "log": {"properties": {"level": {"type": "string", "enum": ["info", "warn"], "default": "info"}}},
   "count": {"type": "integer", "minimum": 1, "default": 2}}},
 "tags": {"type": "array", "items": {"type": "string"}, "default": ["<b>&"]},
 "proxy": {"type": ["string", "null"]},
 "free": true}}`
