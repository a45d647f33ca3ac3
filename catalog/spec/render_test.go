package spec

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

func mustLoad(t testing.TB, fsys fstest.MapFS) *Package {
	t.Helper()
	p, err := Load(fsys)
	if err != nil {
		t.Fatalf("load: %v\n%v", err, problem.Of(err).Details)
	}
	return p
}

// textPackage puts the option pod.text wherever launch-time references can be.
func textPackage() fstest.MapFS {
	fsys := baseFiles()
	fsys[FileService] = &fstest.MapFile{Data: []byte(podWith(`image: img
resources: {cpus: 1, mem: 64}
command: ["${options.pod.text}", "a${options.pod.text}b", "${self.index}-${options.pod.text}", "$${options.pod.text}", "${[options.pod.text, host('p', 1) + options.pod.text]}"]
env: {ALONE: "${options.pod.text}"}
files: [{path: /f, content: "x${options.pod.text} ${self.host}"}]
`))}
	return fsys
}

// TestRender_textStaysText: whatever an option says, what the task sees is that
// text and never what a reference in it would give.
func TestRender_textStaysText(t *testing.T) {
	p := mustLoad(t, textPackage())
	rapid.Check(t, func(t *rapid.T) {
		// Mostly the characters that mean something.
		v := rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune("$$$${{}}self.host")), rapid.Rune())).
			Filter(func(s string) bool { return !strings.ContainsRune(s, 0) && len(s) < 1000 }).Draw(t, "v")
		raw, err := json.Marshal(map[string]any{"pod": map[string]any{"text": v}})
		if err != nil {
			t.Fatal(err)
		}
		o, err := p.Options(raw, "")
		if err != nil {
			t.Fatalf("options: %v", err)
		}
		v = o.At("pod", "text").(string) // JSON replaces what is no UTF-8
		s, err := p.Render(o, "base", p.standInImages(), nil)
		if err != nil {
			t.Fatalf("render: %v", err)
		}
		expanded, err := s.Pods[0].Tasks[0].Container.Strings(func(s string) (string, error) {
			return cluster.Expand(s, func(r cluster.Ref) (string, error) { return "<" + r.String() + ">", nil })
		})
		if err != nil {
			t.Fatalf("expand: %v", err)
		}
		want := []string{v, "a" + v + "b", "<self.index>-" + v, "${options.pod.text}", v, "<pods.p[1].host>" + v}
		if d := cmp.Diff(want, expanded.Command); d != "" {
			t.Errorf("command (-want +got):\n%s", d)
		}
		if got := expanded.Env["ALONE"]; got != v {
			t.Errorf("env: got %q, want %q", got, v)
		}
		if got, want := expanded.Files[0].Content, "x"+v+" <self.host>"; got != want {
			t.Errorf("file: got %q, want %q", got, want)
		}
	})
}

// TestRender_dollarBeforeReference: "$" before a reference would make it text,
// so it is refused instead of being misread.
func TestRender_dollarBeforeReference(t *testing.T) {
	fsys := baseFiles()
	fsys[FileService] = &fstest.MapFile{Data: []byte(podWith(`image: img
resources: {cpus: 1, mem: 64}
command: ["${options.pod.text}${self.host}"]
`))}
	p := mustLoad(t, fsys)
	o, err := p.Options([]byte(`{"pod": {"text": "5$"}}`), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Render(o, "base", p.standInImages(), nil)
	if err == nil || !strings.Contains(err.Error(), "a $ cannot stand directly before ${self.host}") {
		t.Errorf("got %v", err)
	}
}

// TestRender_types: a scalar that is one expression keeps its type, lists are
// spliced in, mappings are taken over.
func TestRender_types(t *testing.T) {
	fsys := baseFiles()
	fsys[FileService] = &fstest.MapFile{Data: []byte(`pods:
  - name: p
    count: "${options.pod.on ? options.pod.count : 0}"
    tasks:
      - name: t
        image: "${package.name == 'base' ? 'img' : 'none'}"
        resources: {cpus: "${options.pod.cpus * 2.0}", mem: "${math.greatest(options.pod.mem, 1024)}"}
        command: [a, "${options.pod.args}", "${['x'].map(v, v + string(options.pod.count))}", "${options.pod.cpus}", "${1.5}", "${options.pod.on}"]
        env: "${options.pod.env}"
`)}
	p := mustLoad(t, fsys)
	o, err := p.Options([]byte(`{"pod": {"args": ["b", "c d"], "env": {"X": "1", "Y": "${self.host}"}, "cpus": 1}}`), "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Render(o, "base", p.standInImages(), nil)
	if err != nil {
		t.Fatal(err)
	}
	task := s.Pods[0].Tasks[0]
	if s.Pods[0].Count != 2 || task.Resources.CPU != 2000 || task.Resources.Mem != 1<<30 {
		t.Errorf("got count %d, %v", s.Pods[0].Count, task.Resources)
	}
	if d := cmp.Diff([]string{"a", "b", "c d", "x2", "1", "1.5", "true"}, task.Container.Command); d != "" {
		t.Errorf("command (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]string{"X": "1", "Y": "$${self.host}"}, task.Container.Env); d != "" {
		t.Errorf("env (-want +got):\n%s", d)
	}
}

// TestRender_values: what types cannot tell is checked when the values are
// known.
func TestRender_values(t *testing.T) {
	fsys := baseFiles()
	fsys[FileService] = &fstest.MapFile{Data: []byte(`pods:
  - name: p
    count: "${options.pod.count}"
    tasks:
      - {name: t, image: img, resources: {cpus: 1, mem: "${options.pod.mem}"}, command: ["${pods.p[1].host}", "${'x'.replace('x', options.pod.text)}"]}
`)}
	p := mustLoad(t, fsys)
	for _, c := range []struct{ options, want string }{
		{`{"pod": {"count": 1}}`, `service.yaml:5:93: ${pods.p[1].host}: pod "p" has 1 instances, the highest index is 0`},
		{`{"pod": {"mem": 1}}`, `service.yaml:5:57: want an integer from 4 to 16777216, not 1`},
		{fmt.Sprintf(`{"pod": {"text": %q}}`, strings.Repeat("y", MaxValueBytes+1)), `the text has 65537 bytes, more than 65536`},
		{fmt.Sprintf(`{"pod": {"text": %q}}`, strings.Repeat("y", MaxOptionBytes)), `the options have`},
	} {
		o, err := p.Options([]byte(c.options), "")
		if err == nil {
			_, err = p.Render(o, "base", p.standInImages(), nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("options %s: got %v, want %s", clip(c.options), err, c.want)
		}
	}
	o, err := p.Options(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Render(o, "Bad id", nil, nil); !problem.Is(err, problem.Invalid) {
		t.Errorf("a bad id: %v", err)
	}
	if _, err := p.Render(o, "base", nil, nil); err == nil || !strings.Contains(err.Error(), `there is no image "img"`) {
		t.Errorf("without images: %v", err)
	}
}

// TestRender_many: a hundred instances that name each other are within the
// limits, and too many are told from which one.
func TestRender_many(t *testing.T) {
	p, err := Load(os.DirFS("testdata/store"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.Options([]byte(`{"node": {"count": 100}}`), "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Render(o, "store", p.standInImages(), Bindings{"zk": "zk"})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(s.Pods[0].Tasks[1].Container.Command[2], "node-"); n != 100 {
		t.Errorf("%d peers", n)
	}
	fsys := baseFiles()
	fsys[FileService] = &fstest.MapFile{Data: []byte(podWith(`image: img
resources: {cpus: 1, mem: 64}
command: ["${lists.range(10000).map(i, lists.range(10000)).size()}"]
`))}
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("what costs too much: %v", err)
	}
}

// TestRender_concurrent is for the race detector: a Package is shared.
func TestRender_concurrent(t *testing.T) {
	p, err := Load(os.DirFS("testdata/good"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var specs [8]cluster.ServiceSpec
	for i := range specs {
		wg.Go(func() {
			o, err := p.Options([]byte(`{"worker":{"count":3}}`), "")
			if err != nil {
				t.Error(err)
				return
			}
			if specs[i], err = p.Render(o, "gear", p.standInImages(), nil); err != nil {
				t.Error(err)
			}
			if _, _, err := p.RenderAction(o, "gear", p.standInImages(), nil, []string{"run", "pi"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range specs {
		if d := cmp.Diff(specs[0], specs[i]); d != "" {
			t.Fatalf("two renders differ:\n%s", d)
		}
	}
}

// TestOptions_lists: defaults are completed inside lists and free groups too,
// and integers stay integers.
func TestOptions_lists(t *testing.T) {
	fsys := baseFiles()
	fsys[FileSchema] = &fstest.MapFile{Data: []byte(`{"type": "object", "properties": {
		"disks": {"type": "array", "default": [{"path": "/a"}], "items": {"type": "object", "properties": {
			"path": {"type": "string", "default": "/x"}, "size": {"type": "integer", "default": 10}}}},
		"users": {"type": "object", "default": {}, "additionalProperties": {"type": "object", "properties": {"uid": {"type": "integer", "default": 7}}}},
		"need": {"type": "string", "minLength": 2}}, "required": ["need"]}`)}
	fsys[FileService] = &fstest.MapFile{Data: []byte(podWith(`image: img
resources: {cpus: 1, mem: "${options.disks.map(d, d.size).exists(s, s > 5) ? 100 : 50}"}
command: ["${options.disks.map(d, d.path + '=' + string(d.size))}", "${options.users.map(u, u + ':' + string(options.users[u].uid))}"]
`))}
	p := mustLoad(t, fsys)
	_, err := p.Options(nil, "")
	if got, want := show(err), "invalid: options of package base 1.0.0: /need: option need is required: want text of at least 2 characters\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
	o, err := p.Options([]byte(`{"need": "ok", "disks": [{"size": 3}, {"path": "/b"}], "users": {"ada": {}}}`), "")
	if err != nil {
		t.Fatal(err)
	}
	want := `{"disks":[{"path":"/x","size":3},{"path":"/b","size":10}],"need":"ok","users":{"ada":{"uid":7}}}`
	if string(o.JSON()) != want {
		t.Errorf("got  %s\nwant %s", o.JSON(), want)
	}
	s, err := p.Render(o, "base", p.standInImages(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"/x=3", "/b=10", "ada:7"}, s.Pods[0].Tasks[0].Container.Command); d != "" {
		t.Errorf("command (-want +got):\n%s", d)
	}
	// Effective options are a legal input that gives itself back.
	again, err := p.Options(o.JSON(), "")
	if err != nil || string(again.JSON()) != want {
		t.Errorf("again: %s, %v", again.JSON(), err)
	}
}

func TestOptions_differ(t *testing.T) {
	p := mustLoad(t, baseFiles())
	defaults, err := p.Options(nil, "base")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		options string
		want    []string
	}{
		{`{}`, nil},
		{`{"pod": {"count": 2}}`, nil},
		{`{"pod": {"count": 3, "args": [], "env": {"K": "w", "L": "x"}}}`, []string{"pod.args", "pod.count", "pod.env.K", "pod.env.L"}},
		{`{"service": {"name": "other"}, "pod": {"any": {"deep": 1}}}`, []string{"pod.any", "service.name"}},
	} {
		o, err := p.Options([]byte(c.options), "")
		if err != nil {
			t.Fatalf("%s: %v", c.options, err)
		}
		if d := cmp.Diff(c.want, o.Differ(defaults)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.options, d)
		}
	}
}

func TestConfig(t *testing.T) {
	p, err := Load(os.DirFS("testdata/good"))
	if err != nil {
		t.Fatal(err)
	}
	img := catalog.Image{Name: "gear", Digest: "sha256:" + strings.Repeat("0f", 32), Size: 5}
	c, err := p.Config([]catalog.Image{img})
	if err != nil {
		t.Fatal(err)
	}
	blob, err := catalog.EncodeConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	back, err := catalog.DecodeConfig(blob)
	if err != nil {
		t.Fatal(err)
	}
	again, err := catalog.EncodeConfig(back)
	if err != nil || string(again) != string(blob) {
		t.Errorf("the blob does not give itself back:\n%s\n%s (%v)", blob, again, err)
	}
	for _, images := range [][]catalog.Image{nil, {img, {Name: "more", Digest: img.Digest}}, {{Name: "gear", Digest: "x"}}} {
		if _, err := p.Config(images); !problem.Is(err, problem.Invalid) {
			t.Errorf("images %v: %v", images, err)
		}
	}
}

// FuzzLoad: no source makes Load panic, and what it says is always an error of
// the package's author.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"", "pods: [", podWith("image: img"), "pods: [{name: p, tasks: [{command: ['${', '${a}', '${{}', \"${'\"]}]}]"} {
		f.Add([]byte("name: a\nversion: 1.0.0\nsummary: b"), []byte(`{"type":"object"}`), []byte(seed))
	}
	store := os.DirFS("testdata/store")
	var seed [3][]byte
	for i, name := range []string{FilePackage, FileSchema, FileService} {
		b, err := fs.ReadFile(store, name)
		if err != nil {
			f.Fatal(err)
		}
		seed[i] = b
	}
	f.Add(seed[0], seed[1], seed[2])
	good := baseFiles()
	f.Add(good[FilePackage].Data, good[FileSchema].Data, good[FileService].Data)
	f.Fuzz(func(t *testing.T, pkg, schema, service []byte) {
		fsys := baseFiles()
		fsys[FilePackage], fsys[FileSchema], fsys[FileService] = &fstest.MapFile{Data: pkg}, &fstest.MapFile{Data: schema}, &fstest.MapFile{Data: service}
		if _, err := Load(fsys); err != nil && !problem.Is(err, problem.Invalid) {
			t.Errorf("class %s: %v", problem.Of(err).Class, err)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(os.DirFS("testdata/good")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	p, err := Load(os.DirFS("testdata/good"))
	if err != nil {
		b.Fatal(err)
	}
	o, err := p.Options(nil, "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Render(o, "gear", p.standInImages(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
