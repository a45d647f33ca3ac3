package spec

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
)

// TestRealPackages loads and renders the first-party packages as they are.
func TestRealPackages(t *testing.T) {
	const home = "../../packages"
	entries, err := os.ReadDir(home)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range entries {
		if _, err := os.Stat(path.Join(home, e.Name(), FilePackage)); err != nil {
			continue // layers that packages share
		}
		found++
		t.Run(e.Name(), func(t *testing.T) {
			p, err := Load(os.DirFS(path.Join(home, e.Name())))
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
			s, err := p.Render(o, p.ID(o), p.standInImages())
			if err != nil {
				t.Fatal(err)
			}
			if p.Meta.Name != e.Name() || len(s.Pods) == 0 || len(p.Readme) == 0 {
				t.Errorf("name %q, %d pods, %d bytes of README", p.Meta.Name, len(s.Pods), len(p.Readme))
			}
			for _, a := range p.Actions() {
				if _, task, err := p.RenderAction(o, p.ID(o), p.standInImages(), strings.Fields(a.Name), nil); err != nil || task.Container.Image == "" {
					t.Errorf("action %s: %v", a.Usage(), err)
				}
			}
		})
	}
	if found < 2 {
		t.Errorf("found %d packages in %s", found, home)
	}
}
