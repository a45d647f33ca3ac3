package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/datadriven"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// baseFiles is a package without faults; tests replace files of it.
func baseFiles() fstest.MapFS {
	return fstest.MapFS{
		FilePackage: {Data: []byte("name: base\nversion: 1.0.0\nsummary: A base\nrequires: [{name: zookeeper, alias: zk, optional: true}, {name: db}]\n")},
		FileSchema: {Data: []byte(`{"type": "object", "properties": {
			"service": {"type": "object", "properties": {"name": {"type": "string", "default": "base"}}},
			"pod": {"type": "object", "properties": {
				"count": {"type": "integer", "minimum": 0, "maximum": 100, "default": 2},
				"cpus": {"type": "number", "minimum": 0.1, "default": 0.5},
				"mem": {"type": "integer", "default": 512},
				"args": {"type": "array", "items": {"type": "string"}, "default": ["-a"]},
				"env": {"type": "object", "additionalProperties": {"type": "string"}, "default": {"K": "v"}},
				"on": {"type": "boolean", "default": true},
				"text": {"type": "string", "default": "words"},
				"any": {"default": 1}}}}}`)},
		FileService:             {Data: []byte(podWith("image: img\nresources: {cpus: 1, mem: 64}\n"))},
		DirImages + "/img.yaml": {Data: []byte("platform: linux/amd64\n")},
	}
}

// podWith is a service of one pod p with one task t of the given lines.
func podWith(lines string) string {
	return "pods:\n  - name: p\n    count: 2\n    tasks:\n      - name: t\n" + indent(lines, 8)
}

func indent(lines string, n int) string {
	var b strings.Builder
	for _, l := range strings.Split(strings.TrimSuffix(lines, "\n"), "\n") {
		b.WriteString(strings.Repeat(" ", n) + l + "\n")
	}
	return b.String()
}

// show prints an error as a terminal would.
func show(err error) string {
	if err == nil {
		return "ok\n"
	}
	var p *problem.Error
	if !errors.As(err, &p) {
		return "not a problem: " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v\n", p.Class, err)
	if len(p.Details) > 1 {
		for _, d := range p.Details {
			fmt.Fprintf(&b, "  %s: %s\n", d.Pointer, d.Message)
		}
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "hint: %s\n", p.Hint)
	}
	return b.String()
}

// TestFaults shows what is said of faulty sources. The commands replace a part
// of a good package by their input:
//
//	package, schema, service   the file
//	task                       the lines of the one task, but its name
//	action                     the actions, as a list
//	load                       the package testdata/<dir=> with nothing replaced
func TestFaults(t *testing.T) {
	for _, file := range []string{"package.txt", "schema.txt", "service.txt", "task.txt", "expr.txt", "action.txt", "pod.txt", "plans.txt", "launch.txt", "container.txt"} {
		t.Run(file, func(t *testing.T) {
			datadriven.RunTest(t, filepath.Join("testdata", "faults", file), func(t *testing.T, d *datadriven.TestData) string {
				fsys := baseFiles()
				in := []byte(d.Input + "\n")
				switch d.Cmd {
				case "package":
					fsys[FilePackage] = &fstest.MapFile{Data: in}
				case "schema":
					fsys[FileSchema] = &fstest.MapFile{Data: in}
				case "service":
					fsys[FileService] = &fstest.MapFile{Data: in}
				case "task":
					fsys[FileService] = &fstest.MapFile{Data: []byte(podWith(string(in)))}
				case "action":
					all := append(fsys[FileService].Data, []byte("actions:\n"+indent(string(in), 2))...)
					fsys[FileService] = &fstest.MapFile{Data: all}
				case "without":
					delete(fsys, strings.TrimSpace(string(in)))
				default:
					d.Fatalf(t, "unknown command %s", d.Cmd)
				}
				_, err := Load(fsys)
				return show(err)
			})
		})
	}
}

// TestUse shows what comes out of good packages and of what users give them.
//
//	load dir=good              chooses the package
//	options [id=x]             effective options of the input
//	render [id=x] [bind=a:s,…] the service for the options of the input
//	notes                      the notes for the options of the input
//	run words=(run,pi) args=(7)
func TestUse(t *testing.T) {
	var p *Package
	images := map[string]string{"gear": "registry.example.com/u/gear/images/gear@sha256:" + strings.Repeat("ab", 32), "store": "registry.example.com/u/store/images/store@sha256:" + strings.Repeat("cd", 32)}
	datadriven.Walk(t, filepath.Join("testdata", "use"), func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "load" {
				var dir string
				d.ScanArgs(t, "dir", &dir)
				var err error
				p, err = Load(os.DirFS(filepath.Join("testdata", dir)))
				return show(err)
			}
			id := ""
			d.MaybeScanArgs(t, "id", &id)
			o, err := p.Options([]byte(d.Input), cluster.ServiceID(id))
			if err != nil {
				return show(err)
			}
			var bound Bindings
			for _, a := range d.CmdArgs {
				if a.Key != "bind" {
					continue
				}
				bound = Bindings{}
				for _, v := range a.Vals {
					alias, to, _ := strings.Cut(v, ":")
					bound[alias] = cluster.ServiceID(to)
				}
			}
			switch d.Cmd {
			case "options":
				return string(o.JSON()) + "\n"
			case "render":
				s, err := p.Render(o, p.ID(o), images, bound)
				return shown(s, err)
			case "notes":
				s, err := p.RenderNotes(o, p.ID(o), bound)
				if err != nil {
					return show(err)
				}
				return s
			case "run":
				var words, args []string
				for _, a := range d.CmdArgs {
					switch a.Key {
					case "words":
						words = a.Vals
					case "args":
						args = a.Vals
					}
				}
				_, task, err := p.RenderAction(o, p.ID(o), images, bound, words, args)
				return shown(task, err)
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func shown(v any, err error) string {
	if err != nil {
		return show(err)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(b)) + "\n"
}
