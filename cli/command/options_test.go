package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
)

func TestReadOptions_mergesFileAndSets(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	yml := file("o.yaml", "worker:\n  count: 2\n  cpus: 0.5\nname: spark\n")
	jsn := file("o.json", `{"big": 12345678901234567890, "worker": {"count": 2}}`)
	for _, c := range []struct {
		name, file string
		stdin      string
		sets       []string
		want       string
	}{
		{"nothing", "", "", nil, ""},
		{"sets", "", "", []string{"worker.count=3", "a.b=true", "c=text", `d="3"`, "e=[1,2]", "f=1 2", "g=", `h\.i=null`, "u=http://x=y"},
			`{"a":{"b":true},"c":"text","d":"3","e":[1,2],"f":"1 2","g":"","h.i":null,"u":"http://x=y","worker":{"count":3}}`},
		{"YAML file", yml, "", []string{"worker.count=3"}, `{"name":"spark","worker":{"count":3,"cpus":0.5}}`},
		{"JSON file keeps digits", jsn, "", nil, `{"big":12345678901234567890,"worker":{"count":2}}`},
		{"standard input", "-", "{\"a\":1}", nil, `{"a":1}`},
		{"empty file", "-", " \n", nil, ""},
	} {
		a := &app{Deps: Deps{In: strings.NewReader(c.stdin)}}
		got, err := a.readOptions(c.file, c.sets)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
}

func TestReadOptions_refuses(t *testing.T) {
	for _, c := range []struct {
		file, stdin string
		sets        []string
		class       problem.Class
	}{
		{"", "", []string{"worker"}, problem.Invalid},
		{"", "", []string{"=x"}, problem.Invalid},
		{"", "", []string{"a..b=x"}, problem.Invalid},
		{"", "", []string{"a=1", "a.b=2"}, problem.Invalid},
		{"", "", []string{strings.Repeat("a.", 40) + "b=1"}, problem.TooLarge},
		{"/does/not/exist", "", nil, problem.NotFound},
		{"-", "[1]", nil, problem.Invalid},
		{"-", "a: [", nil, problem.Invalid},
		{"-", strings.Repeat(" ", maxOptionsFile+1), nil, problem.TooLarge},
	} {
		a := &app{Deps: Deps{In: strings.NewReader(c.stdin)}}
		if _, err := a.readOptions(c.file, c.sets); !problem.Is(err, c.class) {
			t.Errorf("%q %q: %v, want class %s", c.file, c.sets, err, c.class)
		}
	}
}
