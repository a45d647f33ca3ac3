package resolver

import (
	"context"
	"fmt"
	"testing"

	"github.com/universe-dcos/universe/resolver/constraint"
)

// two is a source with two packages that provide one name.
type two struct{}

func (two) Releases(_ context.Context, name string) ([]Release, error) {
	if name != "a" && name != "b" {
		return nil, nil
	}
	v := constraint.MustVersion("1.0.0")
	return []Release{{Version: v, Provides: []Provide{{Name: "virtual", Version: v}}}}, nil
}

func (two) Providers(_ context.Context, name string) ([]string, error) {
	if name == "virtual" {
		return []string{"a", "b"}, nil
	}
	return nil, nil
}

// TestSolver_doesNotGrow asks for names and constraints without end.
func TestSolver_doesNotGrow(t *testing.T) {
	s := New(two{})
	nodes := int32(0)
	for i := range 2 * maxSets {
		c := constraint.MustParse(fmt.Sprintf(">=0.%d.0", i))
		if _, err := s.Solve(t.Context(), Request{Requirements: []Dependency{
			{Name: "virtual", Constraint: c}, {Name: "virtual"}, {Name: "a", Constraint: c},
			{Name: fmt.Sprintf("unknown-%d", i), Optional: true},
		}}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			nodes = s.nodes
		}
	}
	if s.nodes != nodes || len(s.choices) > 0 || len(s.packages["a"].sets) > maxSets {
		t.Errorf("%d nodes, at first %d; %d choices; %d sets", s.nodes, nodes, len(s.choices), len(s.packages["a"].sets))
	}
}
