package spec

import (
	"os"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
)

// TestRealPackages loads the first-party packages.
func TestRealPackages(t *testing.T) {
	for _, name := range []string{"nginx", "spark"} {
		t.Run(name, func(t *testing.T) {
			p, err := Load(os.DirFS("../../packages/" + name))
			if err != nil {
				t.Error(err)
				for _, d := range problem.Of(err).Details {
					t.Errorf("%s: %s", d.Pointer, d.Message)
				}
				return
			}
			if p.Meta.Name != name {
				t.Errorf("name is %q", p.Meta.Name)
			}
		})
	}
}
