package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// ProblemOptions say how an error is printed.
type ProblemOptions struct {
	Format  Format  // FormatJSON and FormatYAML print a document, all others text
	Width   int     // to wrap at; 0: not at all
	Paint   Paint   // colours
	Symbols Symbols // Failed marks the first line
}

// problemDocument is the error of -o json.
type problemDocument struct {
	Error problemBody `json:"error"`
}

type problemBody struct {
	Code    problem.Class    `json:"code"`
	Message string           `json:"message"`
	Details []problem.Detail `json:"details,omitempty"`
	Hint    string           `json:"hint,omitempty"`
	Data    any              `json:"data,omitempty"`
}

// Problem prints an error: what failed and why, where, and what to do. No part
// that is empty is printed.
func Problem(w io.Writer, p *problem.Error, o ProblemOptions) {
	code := p.Class
	if code == "" {
		code = problem.Internal
	}
	doc := problemDocument{problemBody{code, p.Detail, p.Details, p.Hint, p.Data}}
	switch o.Format {
	case FormatJSON:
		_ = JSON(w, doc) // the error stream is the last resort: no place is left to report to
		return
	case FormatYAML:
		_ = YAML(w, doc)
		return
	}
	mark := o.Symbols.Failed
	if mark == "" {
		mark = "error:"
	}
	indent := strings.Repeat(" ", Width(mark)+1)
	for i, line := range wrapIn(CleanText(p.Detail), o.Width, len(indent)) {
		if i == 0 {
			fmt.Fprintln(w, o.Paint.Sprint(Bad, mark)+" "+line)
			continue
		}
		fmt.Fprintln(w, indent+line)
	}
	// A single cause is often part of the sentence already.
	if len(p.Details) != 1 || !strings.Contains(p.Detail, p.Details[0].Message) {
		writeDetails(w, p.Details, o)
	}
	if p.Hint != "" {
		for i, line := range wrapIn(CleanText(p.Hint), o.Width, 6) {
			if i == 0 {
				fmt.Fprintln(w, o.Paint.Sprint(Link, "hint:")+" "+line)
				continue
			}
			fmt.Fprintln(w, "      "+line)
		}
	}
}

func writeDetails(w io.Writer, details []problem.Detail, o ProblemOptions) {
	col := 0
	for _, d := range details {
		col = max(col, Width(Clean(d.Pointer)))
	}
	col = min(col, 32)
	gap := 2
	if col == 0 {
		gap = 0
	}
	for _, d := range details {
		for i, line := range wrapIn(CleanText(d.Message), o.Width, 2+col+gap) {
			where := ""
			if i == 0 {
				where = Clean(d.Pointer)
			}
			fmt.Fprintln(w, "  "+o.Paint.Sprint(Bold, where)+strings.Repeat(" ", max(0, col-Width(where))+gap)+line)
		}
	}
}

func wrapIn(s string, width, indent int) []string {
	if width <= 0 {
		return strings.Split(s, "\n")
	}
	return Wrap(s, max(20, width-indent))
}
