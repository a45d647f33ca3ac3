package plan

import (
	"context"
	"strings"

	"github.com/universe-dcos/universe/catalog/index"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/explain"
)

// MaxProofLines is how many lines of a proof an error shows.
const MaxProofLines = 60

// unsatisfiable words a failed solve: the lines of the proof are the details,
// the whole report is the data.
func unsatisfiable(ctx context.Context, req Request, snap *index.Snapshot, n *resolver.NoSolution) error {
	report := explain.Explain(n, explain.Options{Request: "`" + string(req.Kind) + " " + req.Package + "`", MaxLines: MaxProofLines})
	e := problem.New(problem.Unsatisfiable, "%s %s: no set of versions meets all requirements", req.Kind, req.Package)
	for _, l := range report.Lines {
		e.Details = append(e.Details, problem.Detail{Message: l.Text})
	}
	if hints, err := explain.Hints(ctx, snap, n); err == nil { // without hints the proof is still whole
		report.Hints = hints
		var texts []string
		for _, h := range hints {
			texts = append(texts, h.Text)
		}
		e.Hint = strings.Join(texts, "; ")
	}
	return e.WithData(report)
}
