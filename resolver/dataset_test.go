package resolver_test

import (
	"errors"
	"testing"

	"github.com/universe-dcos/universe/resolver"
)

var datasets = []string{"plain-60x20", "plain-300x40", "rich-60x12"}

func TestSolve_datasets(t *testing.T) {
	for _, name := range datasets {
		t.Run(name, func(t *testing.T) {
			d := load(t, name)
			solver := resolver.New(d.source)
			for i, q := range d.queries {
				s, err := solver.Solve(t.Context(), q.request)
				var none *resolver.NoSolution
				switch {
				case err != nil && !errors.As(err, &none):
					t.Errorf("query %d: %v", i, err)
				case (err == nil) != q.sat:
					t.Errorf("query %d %v: solved %v, want %v", i, q.request.Requirements, err == nil, q.sat)
				case err == nil:
					if err := check(d.source, q.request, s); err != nil {
						t.Errorf("query %d %v: %v", i, q.request.Requirements, err)
					}
				default:
					if err := checkProof(none); err != nil {
						t.Errorf("query %d %v: %v", i, q.request.Requirements, err)
					}
				}
			}
		})
	}
}
