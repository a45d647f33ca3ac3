package resolver_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/explain"
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
					if err := errors.Join(checkProof(none), checkReport(none)); err != nil {
						t.Errorf("query %d %v: %v", i, q.request.Requirements, err)
					}
				}
			}
		})
	}
}

// checkReport looks at the form of a report: numbers rise, references lead back
// to them, each given fact of the proof is named, and the end is the request.
func checkReport(n *resolver.NoSolution) error {
	r := explain.Explain(n, explain.Options{Request: "this"})
	if r.Omitted > 0 {
		return fmt.Errorf("%d lines omitted", r.Omitted)
	}
	last, named := 0, map[int]bool{}
	for _, l := range r.Lines {
		for _, ref := range l.Refs {
			if ref < 1 || ref > last {
				return fmt.Errorf("%q refers to line %d, which is not there yet", l.Text, ref)
			}
		}
		if l.N > 0 {
			if l.N != last+1 {
				return fmt.Errorf("%q has number %d after %d", l.Text, l.N, last)
			}
			last = l.N
		}
		for _, f := range l.Facts {
			named[f] = true
		}
	}
	given := 0
	for _, s := range n.Proof {
		if s.Fact != nil {
			given++
		}
	}
	if len(named) != given || len(r.Facts) != given {
		return fmt.Errorf("%d facts given, %d listed, %d named", given, len(r.Facts), len(named))
	}
	if end := r.Lines[len(r.Lines)-1].Text; !strings.HasSuffix(end, "so this cannot be done.") && end != "So this cannot be done." {
		return fmt.Errorf("the report ends %q", end)
	}
	return nil
}
