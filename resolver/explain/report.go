package explain

import (
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/resolver"
)

// MaxLines is the most lines of a report unless Options say otherwise. A proof
// that needs more is cut in its middle: the last lines are the ones that name
// the request.
const MaxLines = 500

// CodeNoSolution is the code of every report, for programs.
const CodeNoSolution = "NO_SOLUTION"

// Options says how to word a report. The zero value is usable.
type Options struct {
	// Request names what was asked for, as the last line should end, for
	// example "`install spark`". If empty, the requirements are listed.
	Request string
	// MaxLines replaces [MaxLines] if it is above 0.
	MaxLines int
}

// Report is a worded proof. Its JSON form is stable.
type Report struct {
	// Code is [CodeNoSolution].
	Code string `json:"code"`
	// Request lists the requirements, as "spark ^3.5".
	Request []string `json:"request"`
	// Lines is the argument, to be read from first to last.
	Lines []Line `json:"lines"`
	// Omitted is the number of lines left out before the last ones, or 0.
	Omitted int `json:"omitted,omitempty"`
	// Facts are the given facts the argument rests on.
	Facts []Fact `json:"facts"`
	// Hints says what could be done; see [Hints].
	Hints []Hint `json:"hints,omitempty"`
}

// Line is one sentence.
type Line struct {
	// N is the number by which later lines refer to this one, or 0.
	N int `json:"n,omitempty"`
	// Text is the sentence, without its number.
	Text string `json:"text"`
	// Refs are the numbers of the lines it refers to.
	Refs []int `json:"refs,omitempty"`
	// Facts are the ids of the given facts it names.
	Facts []int `json:"facts,omitempty"`
	// Pause tells that a new thread of the argument begins after the line.
	Pause bool `json:"pause,omitempty"`
}

// Fact is a given fact.
type Fact struct {
	// ID is the number used in [Line.Facts].
	ID int `json:"id"`
	// Kind says where the fact comes from.
	Kind resolver.FactKind `json:"kind"`
	// Package is what the fact is about, or "" for the request.
	Package string `json:"package,omitempty"`
	// Set are the versions of Package that the fact holds for, as a constraint.
	Set string `json:"set,omitempty"`
	// Feature is the feature of Package that the fact is about, or "".
	Feature string `json:"feature,omitempty"`
	// DependsOn is the name required or in conflict, or "".
	DependsOn string `json:"dependsOn,omitempty"`
	// Set2 is the constraint on DependsOn, as its author wrote it; of a pin,
	// the versions it allows.
	Set2 string `json:"set2,omitempty"`
	// Features are those required of DependsOn.
	Features []string `json:"features,omitempty"`
	// Provider is the package that stands in for DependsOn, or "".
	Provider string `json:"provider,omitempty"`
	// Reason is the publisher's reason, or "".
	Reason string `json:"reason,omitempty"`
	// Text is the fact as a clause.
	Text string `json:"text"`
}

// Explain words a proof.
func Explain(n *resolver.NoSolution, o Options) *Report {
	r := &Report{Code: CodeNoSolution, Request: []string{}, Facts: []Fact{}}
	for _, d := range n.Request.Requirements {
		r.Request = append(r.Request, want(d.Name, d.Constraint.String(), d.Features))
	}
	if o.Request == "" {
		o.Request = strings.Join(r.Request, ", ")
		if o.Request == "" {
			o.Request = "keeping what is installed"
		}
	}
	limit := o.MaxLines
	if limit <= 0 {
		limit = MaxLines
	}
	lines := plan(n.Proof)
	if over := len(lines) - limit; over > 0 {
		keep := limit / 2
		r.Omitted = over
		lines = append(lines[:keep:keep], lines[keep+over:]...)
	}
	s := &speaker{steps: n.Proof, words: newWords(n.Proof, lines), request: o.Request, report: r, ids: map[int]int{}}
	for _, p := range lines {
		s.hear(p)
	}
	for _, p := range lines {
		s.speak(p)
	}
	return r
}

// Text returns the report as lines for a terminal, hints at the end. Numbered
// lines are marked "(1)".
func (r *Report) Text() string {
	numbered := false
	for _, l := range r.Lines {
		numbered = numbered || l.N > 0
	}
	var b strings.Builder
	for i, l := range r.Lines {
		if r.Omitted > 0 && i == len(r.Lines)-(len(r.Lines)+1)/2 {
			b.WriteString("... " + strconv.Itoa(r.Omitted) + " lines left out ...\n")
		}
		if numbered {
			mark := ""
			if l.N > 0 {
				mark = "(" + strconv.Itoa(l.N) + ")"
			}
			b.WriteString(mark + strings.Repeat(" ", max(1, 5-len(mark))))
		}
		b.WriteString(l.Text + "\n")
		if l.Pause {
			b.WriteString("\n")
		}
	}
	for i, h := range r.Hints {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString("hint: " + h.Text + "\n")
	}
	return b.String()
}
