package spec

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/universe-dcos/universe/internal/problem"
)

const reference = "../../docs/reference/service-yaml.md"

// example is a block of code in the reference.
type example struct {
	kind string // behind the language: "service", "top", "pod", "task"
	text string
	line int
}

func examples(t *testing.T) []example {
	t.Helper()
	b, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	var out []example
	var open *example
	for i, line := range strings.Split(string(b), "\n") {
		switch lang, isFence := strings.CutPrefix(line, "```"); {
		case isFence && open == nil:
			_, kind, _ := strings.Cut(lang, " ")
			open = &example{kind: kind, line: i + 1}
		case isFence:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return out
}

// has reports whether an example sets a key itself.
func (e example) has(key string) bool {
	return regexp.MustCompile(`(?m)^` + key + `:`).MatchString(e.text)
}

// service is a whole service.yaml with the example in it.
func (e example) service() string {
	const pod, task = "pods:\n  - name: web\n", "    tasks:\n      - name: server\n"
	missing := func(indent string, fields ...string) string {
		var b strings.Builder
		for _, f := range fields {
			if key, _, _ := strings.Cut(f, ":"); !e.has(key) {
				b.WriteString(indent + f + "\n")
			}
		}
		return b.String()
	}
	taskFields := []string{"image: web", "resources: {cpus: 1, mem: 64}", "ports: [{name: http}]"}
	switch e.kind {
	case "service":
		return e.text
	case "pod":
		out := pod + indent(e.text, 4)
		if !e.has("tasks") {
			out += task + missing("        ", taskFields...)
		}
		return out
	case "task":
		return pod + "    count: 3\n" + task + missing("        ", taskFields...) + indent(e.text, 8)
	}
	return pod + "    count: 3\n" + task + "        image: web\n        resources: {cpus: 1, mem: 64}\n        ports: [{name: http}]\n" + e.text
}

// TestReference loads and renders every example of the reference, with each
// optional requirement met and unmet.
func TestReference(t *testing.T) {
	fsys := fstest.MapFS{DirImages + "/web.yaml": {Data: []byte("platform: linux/amd64\n")}}
	ran := 0
	for _, e := range examples(t) {
		switch e.kind {
		case "package":
			fsys[FilePackage] = &fstest.MapFile{Data: []byte(e.text)}
			continue
		case "schema":
			fsys[FileSchema] = &fstest.MapFile{Data: []byte(e.text)}
			continue
		case "service", "top", "pod", "task":
		default:
			t.Errorf("%s:%d: an example that no test runs: say service, top, pod or task behind the language", reference, e.line)
			continue
		}
		ran++
		fsys[FileService] = &fstest.MapFile{Data: []byte(e.service())}
		p, err := Load(fsys)
		if err != nil {
			t.Errorf("%s:%d: %v %v\n%s", reference, e.line, err, problem.Of(err).Details, e.service())
			continue
		}
		o, err := p.Options(nil, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, bound := range []Bindings{p.standInBindings(true), p.standInBindings(false)} {
			s, err := p.Render(o, "web", p.standInImages(), bound)
			if err != nil || len(s.Pods) != 1 {
				t.Errorf("%s:%d: %d pods, %v", reference, e.line, len(s.Pods), err)
			}
		}
		for _, a := range p.Actions() {
			if _, _, err := p.RenderAction(o, "web", p.standInImages(), p.standInBindings(true), strings.Fields(a.Name), nil); err != nil {
				t.Errorf("%s:%d: action %s: %v", reference, e.line, a.Name, err)
			}
		}
	}
	if ran < 20 {
		t.Errorf("%d examples in %s", ran, reference)
	}
}

// TestReference_complete: every key that the reader knows is named on the page
// and used in an example.
func TestReference_complete(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	var used strings.Builder
	for _, e := range examples(t) {
		used.WriteString(e.text)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "meta.go" {
			continue // meta.go reads package.yaml
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lists := keyLists.FindAllString(string(src), -1)
		for _, m := range objectKeys.FindAllStringSubmatch(string(src), -1) {
			lists = append(lists, m[1])
		}
		for _, list := range lists {
			for _, m := range regexp.MustCompile(`"([a-zA-Z]+)"`).FindAllStringSubmatch(list, -1) {
				keys++
				if !strings.Contains(string(page), "`"+m[1]+"`") && !strings.Contains(string(page), "`"+m[1]+":") {
					t.Errorf("%s: the field %s is not explained in %s", file, m[1], reference)
				}
				if !regexp.MustCompile(`\b` + m[1] + `:`).MatchString(used.String()) {
					t.Errorf("%s: the field %s is in no example of %s", file, m[1], reference)
				}
			}
		}
	}
	if keys < 80 {
		t.Errorf("found %d keys in the sources: the pattern is out of date", keys)
	}
}

var (
	// keyLists are the lists of keys that have a name.
	keyLists = regexp.MustCompile(`(?:Keys = \[\]string\{|keys :?= (?:append\()?\[\]string\{)"[^}]*\}`)
	// objectKeys are those that are written out where they are read.
	objectKeys = regexp.MustCompile(`d\.object\([a-z]+, (?:"[a-zA-Z ]+"|what\+" check")((?:, "[a-zA-Z]+")+)\)`)
)
