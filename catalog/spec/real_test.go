package spec

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
)

// packageFolders lists the folders of the first-party packages: one each, or one
// for each release.
func packageFolders(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"../../packages/*/" + FilePackage, "../../packages/*/*/" + FilePackage} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			out = append(out, filepath.Dir(f))
		}
	}
	return out
}

// TestRealPackages loads and renders the first-party packages as they are.
func TestRealPackages(t *testing.T) {
	folders := packageFolders(t)
	for _, dir := range folders {
		t.Run(strings.TrimPrefix(dir, "../../packages/"), func(t *testing.T) {
			p, err := Load(os.DirFS(dir))
			if err != nil {
				for _, d := range problem.Of(err).Details {
					t.Errorf("%s: %s", d.Pointer, d.Message)
				}
				t.Fatal(err)
			}
			o, err := p.Options(nil, "")
			if err != nil {
				t.Fatal(err)
			}
			bound := p.standInBindings(true)
			s, err := p.Render(o, p.ID(o), p.standInImages(), bound)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(strings.Split(dir, "/"), p.Meta.Name) || len(s.Pods) == 0 || len(p.Readme) == 0 {
				t.Errorf("name %q, %d pods, %d bytes of README", p.Meta.Name, len(s.Pods), len(p.Readme))
			}
			for _, a := range p.Actions() {
				if slices.ContainsFunc(a.Args, func(g catalog.Arg) bool { return g.Default == nil }) {
					continue // nobody is here to give it
				}
				if _, task, err := p.RenderAction(o, p.ID(o), p.standInImages(), bound, strings.Fields(a.Name), nil); err != nil || task.Container.Image == "" {
					t.Errorf("action %s: %v", a.Usage(), err)
				}
			}
		})
	}
	if len(folders) < 2 {
		t.Errorf("found %d packages", len(folders))
	}
}
