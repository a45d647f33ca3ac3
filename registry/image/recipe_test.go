package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
)

// folder writes files into a new folder and returns it.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// recipe writes a recipe with the given layers and loads it.
func recipe(t testing.TB, layers string, files map[string]string) (*Recipe, error) {
	t.Helper()
	all := map[string]string{"pkg/image/x.yaml": "platform: linux/amd64\nuser: \"1:1\"\nlayers:\n" + layers}
	for name, content := range files {
		all[name] = content
	}
	return Load(filepath.Join(folder(t, all), "pkg/image/x.yaml"))
}

func TestLoad_putsSharedLayersInPlace(t *testing.T) {
	r, err := recipe(t, "  - use: ../../_layers/base.yaml\n  - files: [{content: hi, to: /a}]\n",
		map[string]string{"_layers/base.yaml": "files: [{from: f, to: /f}]\n"})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]File{{{From: "f", To: "/f"}}, {{Content: "hi", To: "/a"}}}
	got := [][]File{r.Layers[0].Files, r.Layers[1].Files}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if got := filepath.Base(r.Layers[0].dir()); got != "_layers" {
		t.Errorf("files of the shared layer are looked for in %s, want _layers", got)
	}
}

func TestLoad_namesThePlaceOfEachFault(t *testing.T) {
	tests := []struct{ name, layers, pointer, message string }{
		{"unknown key", "  - debain: {}\n", "/layers/0/debain", "is not known here; known are debian, files, java"},
		{"key given twice", "  - files: []\n    files: []\n", "/layers/0/files", "is given twice"},
		{"number for text", "  - pypi: {name: x, version: 1.0}\n", "/layers/0/pypi/version", "put 1.0 in quotes"},
		{"map for list", "  - files: {a: b}\n", "/layers/0/files", "must be a list"},
		{"alias", "  - &x {files: []}\n  - *x\n", "/layers/0", "anchors and aliases"},
		{"empty layer", "  - {}\n", "/layers/0", "the layer is empty"},
		{"option as a package", "  - debian: {packages: [--root=x]}\n", "/layers/0/debian/packages/0", "is not a Debian package"},
		{"package twice", "  - debian: {packages: [aa, aa]}\n", "/layers/0/debian/packages/1", "given twice"},
		{"bad pattern", "  - debian: {packages: [aa], exclude: ['[']}\n", "/layers/0/debian/exclude/0", "is not a pattern"},
		{"other java", "  - jlink: {package: openjdk-17-jre, modules: [a], to: /j}\n", "/layers/0/jlink/package", "openjdk-N-jdk-headless"},
		{"no hash", "  - pypi: {name: x, version: 1.0.0, select: [{from: a, to: /a}]}\n", "/layers/0/pypi/sha256", "must be pinned"},
		{"source archive for a Python", "  - pypi: {name: x, version: 1.0.0, python: '3.11', select: [{from: a, to: /a}]}\n", "/layers/0/pypi/python", "is for wheels"},
		{"unknown Python", "  - pypi: {name: x, version: 1.0.0, kind: wheel, python: --pre, select: [{from: a, to: /a}]}\n", "/layers/0/pypi/python", "is not a version"},
		{"folder to file", "  - pypi: {name: x, version: 1.0.0, select: [{from: a/, to: /a}]}\n", "/layers/0/pypi/select/0", "both be folders"},
		{"relative place", "  - files: [{content: a, to: a}]\n", "/layers/0/files/0/to", "is not an absolute path"},
		{"place above the root", "  - files: [{content: a, to: /../a}]\n", "/layers/0/files/0/to", "leaves its folder"},
		{"whiteout", "  - files: [{content: a, to: /a/.wh.b}]\n", "/layers/0/files/0/to", "is a whiteout"},
		{"two kinds of file", "  - files: [{content: a, link: b, to: /a}]\n", "/layers/0/files/0", "exactly one of"},
		{"file from above", "  - files: [{from: ../../x, to: /a}]\n", "/layers/0/files/0/from", "does not lie beside"},
		{"absolute file", "  - files: [{from: /etc/shadow, to: /a}]\n", "/layers/0/files/0/from", "does not lie beside"},
		{"setuid", "  - files: [{content: a, to: /a, mode: '4755'}]\n", "/layers/0/files/0/mode", "at most 1777"},
		{"owner by name", "  - files: [{content: a, to: /a, owner: root}]\n", "/layers/0/files/0/owner", "UID:GID"},
		{"source above", "  - java: {sources: [../X.java], to: /x.jar}\n", "/layers/0/java/sources/0", "is not a Java source"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := recipe(t, tt.layers, nil)
			if !problem.Is(err, problem.Invalid) {
				t.Fatalf("error %v, want one of class invalid", err)
			}
			for _, d := range problem.Of(err).Details {
				if d.Pointer == tt.pointer && strings.Contains(d.Message, tt.message) {
					return
				}
			}
			t.Errorf("faults %+v, want %s: …%s…", problem.Of(err).Details, tt.pointer, tt.message)
		})
	}
}

func TestLoad_refusesSharedLayersFromElsewhere(t *testing.T) {
	tests := []struct{ name, use, want string }{
		{"a file of the machine", "/etc/passwd", "must lie beside the recipe"},
		{"above, but not in _layers", "../../other/base.yaml", "must lie beside the recipe"},
		{"out of _layers again", "../../_layers/../secret.yaml", "must lie beside the recipe"},
		{"not there", "../../_layers/none.yaml", "no such file"},
		{"one that uses another", "../../_layers/chain.yaml", "cannot use another"},
		{"one with a fault", "../../_layers/bad.yaml", "_layers/bad.yaml: /files/0/to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := recipe(t, "  - use: "+tt.use+"\n", map[string]string{
				"_layers/chain.yaml": "use: bad.yaml\n", "_layers/bad.yaml": "files: [{content: a, to: a}]\n"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
		})
	}
}

func TestLoad_isBounded(t *testing.T) {
	big := "  - files: [{content: \"" + strings.Repeat("x", MaxRecipeBytes) + "\", to: /a}]\n"
	if _, err := recipe(t, big, nil); !problem.Is(err, problem.TooLarge) {
		t.Errorf("a recipe over the limit: error %v, want class too_large", err)
	}
	many := "  - files: [" + strings.Repeat("{dir: /a},", MaxItems+1) + "]\n"
	if _, err := recipe(t, many, nil); err == nil || !strings.Contains(err.Error(), "more than 512 items") {
		t.Errorf("a list over the limit: error %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("platform: linux/amd64\nuser: '1'\nlayers: [{files: [{content: a, to: /a}]}]\n"))
	f.Add([]byte("layers: [{debian: {packages: [a, b], exclude: ['**/x']}}]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {a: b}\n: c\n"))
	f.Add([]byte("--- x\n--- y\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "x.yaml")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := Load(path)
		if err != nil {
			return
		}
		for i := range r.Layers {
			for _, file := range r.Layers[i].Files {
				if file.From != "" && !filepath.IsLocal(file.From) {
					t.Errorf("the recipe takes %q, which is outside its folder", file.From)
				}
			}
		}
	})
}
