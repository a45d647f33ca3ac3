package explain

import (
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/resolver"
)

// writer turns a proof into lines. Proofs can be very deep, so it keeps a list
// of what is to be done instead of calling itself; and very long, so it plans all
// lines first and words only those that are kept.
type writer struct {
	steps []resolver.Step

	uses  []int // how many conclusions rest on a step
	line  []int // number of the line that says a step, or 0
	last  int   // number given last
	todo  []task
	lines []planned
}

// planned is a line before it is worded.
type planned struct {
	task
	n    int
	refs []int // of the steps in because: the number of their line, or 0
}

// task is to explain a step, or to say it once what it rests on is explained.
type task struct {
	step     int
	say      bool
	numbered bool // give the line a number, although it may be used once only
	pause    bool // and end its thread
	opening  string
	because  []int // steps that the sentence names
}

// Openings of sentences.
const (
	because = "Because "
	further = "And because "
	thus    = "Thus, "
)

// plan lists the lines of a proof.
func plan(steps []resolver.Step) []planned {
	w := &writer{steps: steps, uses: make([]int, len(steps)), line: make([]int, len(steps))}
	for _, s := range steps {
		if s.Fact == nil {
			w.uses[s.From[0]]++
			w.uses[s.From[1]]++
		}
	}
	end := len(steps) - 1
	if w.given(end) {
		w.say(task{step: end, because: []int{end}})
		return w.lines
	}
	w.todo = []task{{step: end}}
	for len(w.todo) > 0 {
		t := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		if t.say {
			w.say(t)
		} else {
			w.explain(t)
		}
	}
	return w.lines
}

func (w *writer) given(i int) bool { return w.steps[i].Fact != nil }

// said tells whether a line that can be referred to says a step.
func (w *writer) said(i int) bool { return w.line[i] > 0 }

// next plans tasks, the first of them first.
func (w *writer) next(tasks ...task) {
	for i := len(tasks) - 1; i >= 0; i-- {
		w.todo = append(w.todo, tasks[i])
	}
}

func (w *writer) explain(t task) {
	a, b := w.steps[t.step].From[0], w.steps[t.step].From[1]
	t.say = true
	switch {
	case w.given(a) && w.given(b):
		t.opening, t.because = because, []int{a, b}
		w.next(t)
	case w.given(a):
		w.explainOne(t, b, a)
	case w.given(b):
		w.explainOne(t, a, b)
	default:
		w.explainTwo(t, a, b)
	}
}

// explainOne plans a conclusion from one derived and one given step.
func (w *writer) explainOne(t task, derived, given int) {
	if w.said(derived) {
		t.opening, t.because = because, []int{given, derived}
		w.next(t)
		return
	}
	if deeper, also, ok := w.skip(derived); ok {
		t.opening, t.because = further, []int{also, given}
		w.next(task{step: deeper}, t)
		return
	}
	t.opening, t.because = further, []int{given}
	w.next(task{step: derived}, t)
}

// skip tells whether a derived step need not be said: it is used once and rests
// on a given fact and another derived step that has no number yet.
func (w *writer) skip(i int) (deeper, also int, ok bool) {
	if w.uses[i] > 1 {
		return 0, 0, false
	}
	a, b := w.steps[i].From[0], w.steps[i].From[1]
	if w.given(a) {
		a, b = b, a
	}
	return a, b, !w.given(a) && w.given(b) && !w.said(a)
}

// explainTwo plans a conclusion from two derived steps.
func (w *writer) explainTwo(t task, a, b int) {
	switch {
	case w.said(a) && w.said(b):
		t.opening, t.because = because, []int{a, b}
		w.next(t)
	case w.said(a):
		t.opening, t.because = further, []int{a}
		w.next(task{step: b}, t)
	case w.said(b):
		t.opening, t.because = further, []int{b}
		w.next(task{step: a}, t)
	case w.simple(b):
		t.opening = thus
		w.next(task{step: a}, task{step: b}, t)
	case w.simple(a):
		t.opening = thus
		w.next(task{step: b}, task{step: a}, t)
	default:
		t.opening, t.because = further, []int{a}
		w.next(task{step: a, numbered: true, pause: true}, task{step: b}, t)
	}
}

// simple tells whether a step follows from two given facts.
func (w *writer) simple(i int) bool {
	return w.given(w.steps[i].From[0]) && w.given(w.steps[i].From[1])
}

// say plans the sentence of a step.
func (w *writer) say(t task) {
	if w.said(t.step) {
		return // explained meanwhile, for another conclusion
	}
	p := planned{task: t}
	for _, i := range t.because {
		p.refs = append(p.refs, w.line[i])
	}
	if w.uses[t.step] > 1 || t.numbered {
		w.last++
		w.line[t.step], p.n = w.last, w.last
	}
	w.lines = append(w.lines, p)
}

// speaker words planned lines.
type speaker struct {
	steps   []resolver.Step
	words   words
	request string
	report  *Report
	ids     map[int]int // of the facts of steps, in the report
}

// hear puts the facts that a line names in the report.
func (s *speaker) hear(p planned) {
	for _, i := range p.because {
		if f := s.steps[i].Fact; f != nil && s.ids[i] == 0 {
			fact := s.words.fact(f)
			fact.ID = len(s.report.Facts) + 1
			s.ids[i] = fact.ID
			s.report.Facts = append(s.report.Facts, fact)
		}
	}
}

func (s *speaker) speak(p planned) {
	l := Line{N: p.n, Pause: p.pause}
	var clauses []string
	for k, i := range p.because {
		c := s.clause(i)
		if n := p.refs[k]; n > 0 {
			c += " (" + strconv.Itoa(n) + ")"
			l.Refs = append(l.Refs, n)
		}
		if f := s.ids[i]; f > 0 {
			l.Facts = append(l.Facts, f)
		}
		clauses = append(clauses, c)
	}
	reasons := joinNeeds(clauses)
	switch end := p.step == len(s.steps)-1; {
	case end && len(clauses) == 0:
		l.Text = "So " + s.request + " cannot be done."
	case end:
		l.Text = capital(reasons) + ", so " + s.request + " cannot be done."
	case p.opening == thus:
		l.Text = thus + s.clause(p.step) + "."
	default:
		l.Text = p.opening + reasons + ", " + s.clause(p.step) + "."
	}
	s.report.Lines = append(s.report.Lines, l)
}

func (s *speaker) clause(i int) string {
	if f := s.ids[i]; f > 0 {
		return s.report.Facts[f-1].Text
	}
	return s.words.terms(s.steps[i].Terms)
}

// joinNeeds joins clauses, shortening "A needs B" and "B needs C" to "A needs B,
// which needs C", and "A needs B" and "A needs C" to "A needs both B and C".
func joinNeeds(clauses []string) string {
	if len(clauses) != 2 {
		return strings.Join(clauses, " and ")
	}
	one, two := clauses[0], clauses[1]
	if strings.Contains(one, ",") {
		return one + ", and " + two
	}
	if strings.ContainsAny(one+two, ",(") {
		return one + " and " + two
	}
	if x, ok := strings.CutPrefix(one, asked); ok {
		if y, ok := strings.CutPrefix(two, asked); ok {
			return asked + "both " + x + " and " + y
		}
	}
	x, xs, okX := strings.Cut(one, needs)
	y, ys, okY := strings.Cut(two, needs)
	switch {
	case !okX || !okY:
	case x == y:
		return x + needs + "both " + xs + " and " + ys
	case xs == y:
		return one + ", which needs " + ys
	case ys == x:
		return two + ", which needs " + xs
	}
	return one + " and " + two
}

func capital(s string) string {
	for _, word := range []string{"you ", "a pin "} {
		if strings.HasPrefix(s, word) {
			return strings.ToUpper(s[:1]) + s[1:]
		}
	}
	return s
}
