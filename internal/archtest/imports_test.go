package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/universe-dcos/universe"

// pkg is what `go list` tells of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	Deps       []string
	GoFiles    []string
}

// packages lists the module's packages once for all tests.
var packages = sync.OnceValues(func() ([]pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,Deps,GoFiles", module+"/...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return nil, errors.New(string(exit.Stderr))
		}
		return nil, err
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

var root = filepath.Join("..", "..")

func load(t *testing.T) []pkg {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages: the rules would pass on nothing", len(all))
	}
	return all
}

// short is an import path below the module, or the path itself.
func short(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

// under reports whether path is one of prefixes or below one.
func under(path string, prefixes ...string) bool {
	for _, p := range prefixes {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

// pure are the packages that the simulator and the fuzzers run: same input, same output.
var pure = []string{"runtime/cluster", "runtime/core", "runtime/alloc", "runtime/service", "runtime/job", "runtime/discovery/names", "resolver"}

// reach forbids what a package may depend on, however far down.
var reach = []struct {
	who   []string // packages the rule is for
	apart []string // packages below who that are free of it
	not   []string
	why   string
}{
	{who: pure, not: []string{"net", "net/http", "os/exec", "log", "log/slog", "math/rand",
		"github.com/containerd/containerd/v2", module + "/runtime/store"},
		why: "pure code is what the simulator and the fuzzers can run"},
	{who: []string{"cli/dcos", "cli/command"}, not: []string{"github.com/containerd/containerd/v2", "github.com/hashicorp/raft", "go.etcd.io/bbolt", "helm.sh", "k8s.io"},
		why: "the client's size and start time are a promise to its users"},
	{who: []string{"resolver"}, not: []string{module + "/catalog", module + "/runtime", module + "/registry", module + "/cli", module + "/site"},
		why: "the solver knows names and versions, not where they come from"},
	{who: []string{"runtime/discovery"}, not: []string{module + "/runtime/service", module + "/runtime/alloc", module + "/runtime/store", module + "/runtime/runner", "github.com/containerd/containerd/v2", "go.etcd.io/bbolt"},
		why: "names follow from the core's view alone"},
	{who: []string{"registry"}, not: []string{module + "/catalog", module + "/runtime", module + "/cli", module + "/site"},
		why: "the registry stores artifacts and does not know what they mean"},
}

func TestReach(t *testing.T) {
	for _, p := range load(t) {
		for _, rule := range reach {
			if !under(short(p.ImportPath), rule.who...) || under(short(p.ImportPath), rule.apart...) {
				continue
			}
			for _, dep := range p.Deps {
				if under(dep, rule.not...) {
					t.Errorf("%s reaches %s: %s", short(p.ImportPath), short(dep), rule.why)
				}
			}
		}
	}
}

// only names who alone may import a package directly.
var only = []struct {
	what []string
	by   []string
	why  string
}{
	{[]string{"helm.sh", "k8s.io"}, []string{"runtime/kube"}, "one seam for the other engine"},
	{[]string{"github.com/containerd/containerd/v2"}, []string{"runtime/runner/containerd"}, "the engine is behind the Runner interface"},
	{[]string{"oras.land", "github.com/google/go-containerregistry"}, []string{"registry"}, "OCI is the registry's business"},
	{[]string{"github.com/hashicorp/go-getter"}, []string{"registry/source", "runtime/agent/fetch"}, "fetching from anywhere happens in two places that bound it"},
	{[]string{"github.com/Masterminds/semver/v3"}, []string{"resolver/constraint"}, "one reading of what a version and a constraint mean"},
	{[]string{"cel.dev/cel-go", "github.com/google/cel-go"}, []string{"catalog/spec", "runtime/agent"}, "expressions are compiled where they are bounded"},
	{[]string{"go.etcd.io/bbolt"}, []string{"registry/server", "runtime/store", "runtime/agent"}, "a store is behind an interface"},
	{[]string{module + "/runtime/master", module + "/runtime/agent"}, []string{"cli/universe", "runtime/master", "runtime/agent"}, "the shells are wired at the composition root"},
	{[]string{"github.com/miekg/dns"}, []string{"runtime/discovery/nameserver"}, "messages of DNS are read where they are bounded"},
	{[]string{module + "/runtime/discovery/nameserver", module + "/runtime/discovery/vip"}, []string{"cli/universe", "runtime/master", "runtime/agent"}, "who makes names opens no sockets: the shells do, and their root"},
	{[]string{module + "/cli"}, []string{"cli"}, "nothing lies above the command line"},
	{[]string{module + "/site"}, []string{"site", "cli/universe"}, "pages are wired at the composition root"},
	{[]string{module + "/runtime"}, []string{"runtime", "catalog/plan", "catalog/spec", "catalog", "cli", "site"}, "registry, resolver and internal know no runtime"},
}

func TestImports(t *testing.T) {
	for _, p := range load(t) {
		for _, imp := range p.Imports {
			if imp == module+"/runtime" {
				t.Errorf("%s imports runtime: its name shadows the standard library's; import the room below it", short(p.ImportPath))
			}
			for _, rule := range only {
				if under(imp, rule.what...) && !under(short(p.ImportPath), rule.by...) {
					t.Errorf("%s imports %s, which is for %s only: %s", short(p.ImportPath), short(imp), strings.Join(rule.by, ", "), rule.why)
				}
			}
		}
	}
}

// TestNoCircleOfRooms keeps the arrows between the rooms (the first two path
// elements) going one way. Go forbids circles of packages, not of rooms.
func TestNoCircleOfRooms(t *testing.T) {
	edges := map[string]map[string]bool{}
	for _, p := range load(t) {
		from := room(short(p.ImportPath))
		for _, imp := range p.Imports {
			if to := room(short(imp)); strings.HasPrefix(imp, module) && to != from {
				if edges[from] == nil {
					edges[from] = map[string]bool{}
				}
				edges[from][to] = true
			}
		}
	}
	var walk func(at string, path []string, done map[string]bool)
	walk = func(at string, path []string, done map[string]bool) {
		for i, p := range path {
			if p == at {
				t.Errorf("circle of rooms: %s", strings.Join(append(path[i:], at), " -> "))
				return
			}
		}
		if done[at] {
			return
		}
		done[at] = true
		var next []string
		for to := range edges[at] {
			next = append(next, to)
		}
		sort.Strings(next)
		for _, to := range next {
			walk(to, append(path, at), done)
		}
	}
	var rooms []string
	for from := range edges {
		rooms = append(rooms, from)
	}
	sort.Strings(rooms)
	done := map[string]bool{}
	for _, r := range rooms {
		walk(r, nil, done)
	}
}

// room is where a package belongs: runtime's children are rooms of their own.
func room(path string) string {
	parts := strings.Split(path, "/")
	if parts[0] == "runtime" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}
