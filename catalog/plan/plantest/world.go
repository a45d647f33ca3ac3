package plantest

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/catalog/spec"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/registry/artifact"
	"github.com/universe-dcos/universe/registry/server"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Host is the name of the registry of a World.
const Host = "127.0.0.1:5000"

// World is a catalog over a registry of its own and an Engine.
type World struct {
	Registry *server.Server
	Index    *index.Index
	Engine   *Engine
	Planner  *plan.Planner
}

// New makes an empty world with two agents of 4 cpus and 8 GiB.
func New(t testing.TB) *World {
	t.Helper()
	w := &World{Engine: &Engine{Nodes: []plan.Node{Node("a1", 4, 8<<30), Node("a2", 4, 8<<30)}}}
	srv, err := server.New(server.Options{Root: t.TempDir(), Durability: server.DurabilityOff,
		OnPush: func(e server.Event) { w.Index.Notify(Host, e.Repository) }})
	if err != nil {
		t.Fatalf("open registry: %v", err)
	}
	t.Cleanup(func() {
		if err := srv.Close(context.Background()); err != nil {
			t.Errorf("close registry: %v", err)
		}
	})
	w.Registry = srv
	w.Index = index.New(nil, index.Registry{Host: Host, Source: srv})
	w.Planner = plan.New(w.Index, w.Engine)
	return w
}

// Node is an active agent with all of its resources free.
func Node(id string, cpus, mem int64) plan.Node {
	free := cluster.Resources{CPU: cpus * 1000, Mem: mem, Disk: 10 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 8080, Hi: 8080}, cluster.PortRange{Lo: 31000, Hi: 31009})}
	return plan.Node{Agent: cluster.Agent{ID: cluster.AgentID(id), Hostname: "host-" + id, Total: free}, State: cluster.AgentActive, Free: free}
}

// Publish loads, packs and pushes a package and gives the digest of the
// artifact. Images get a digest that only looks like one.
func (w *World) Publish(t testing.TB, fsys fs.FS) string {
	t.Helper()
	p, err := spec.Load(fsys)
	if err != nil {
		t.Fatalf("load package: %v\n%v", err, problem.Of(err).Details)
	}
	var images []catalog.Image
	for _, name := range p.Images {
		images = append(images, catalog.Image{Name: name, Digest: "sha256:" + strings.Repeat("ab", 32), Size: 1 << 20})
	}
	config, err := p.Config(images)
	if err != nil {
		t.Fatalf("config: %v", err)
	}
	blob, err := catalog.EncodeConfig(config)
	if err != nil {
		t.Fatalf("config: %v", err)
	}
	return w.Push(t, fsys, p.Meta.Name, p.Meta.Version.String(), blob)
}

// Push packs files as the artifact of a name and version, whatever they are.
func (w *World) Push(t testing.TB, fsys fs.FS, name, version string, config []byte) string {
	t.Helper()
	a, err := artifact.Pack(fsys, artifact.Meta{Name: name, Version: version}, config)
	if err != nil {
		t.Fatalf("pack: %v", err)
	}
	desc, err := artifact.Push(context.Background(), w.Registry.Repository("universe/"+name), a, "")
	if err != nil {
		t.Fatalf("push: %v", err)
	}
	return desc.Digest.String()
}

// Small is the source of a package of one pod with one task and one option,
// server.count. more is appended to package.yaml.
func Small(name, version, more string) fstest.MapFS {
	return fstest.MapFS{
		spec.FilePackage: {Data: fmt.Appendf(nil, "name: %s\nversion: %q\nsummary: The package %s\n%s", name, version, name, more)},
		spec.FileSchema: {Data: []byte(`{"type": "object", "properties": {"server": {"type": "object", "properties": {
			"count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1}}}}}`)},
		spec.FileService: {Data: []byte(`
pods:
  - name: server
    count: "${options.server.count}"
    placement: {unique: host}
    tasks:
      - name: server
        image: main
        command: [/bin/server, "--id=${service.id}"]
        resources: {cpus: 1, mem: 1024}
        ports: [{name: http}]
`)},
		spec.DirImages + "/main.yaml": {Data: []byte("platform: linux/amd64\n")},
	}
}
