package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
)

// pos is a place in a file of the package. Line and column count from 1; a zero
// line means the file as a whole.
type pos struct {
	file      string
	line, col int
}

func (p pos) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.col)
}

// faults collects everything that is wrong, so that one run shows all.
type faults struct {
	list []fault
	seen map[problem.Detail]bool
	more int // beyond MaxFaults
}

// fault is one thing that is wrong. Faults of options have no place in a file.
type fault struct {
	problem.Detail
	at pos
}

// at reports a fault at a place in a file.
func (f *faults) at(p pos, format string, args ...any) {
	f.put(fault{problem.Detail{Pointer: p.String(), Message: fmt.Sprintf(format, args...)}, p})
}

// add reports a fault at a JSON pointer.
func (f *faults) add(pointer, message string) {
	f.put(fault{Detail: problem.Detail{Pointer: pointer, Message: message}})
}

func (f *faults) put(x fault) {
	// A text that is used twice is read twice.
	if f.seen[x.Detail] {
		return
	}
	if len(f.list) >= MaxFaults {
		f.more++
		return
	}
	if f.seen == nil {
		f.seen = map[problem.Detail]bool{}
	}
	f.seen[x.Detail] = true
	f.list = append(f.list, x)
}

// fileOrder is the order in which people look at the files of a package.
var fileOrder = []string{"", FilePackage, FileSchema, FileService}

// details lists the faults by their places.
func (f *faults) details() []problem.Detail {
	rank := func(file string) int {
		if i := slices.Index(fileOrder, file); i >= 0 {
			return i
		}
		return len(fileOrder)
	}
	slices.SortStableFunc(f.list, func(a, b fault) int {
		return cmp.Or(cmp.Compare(rank(a.at.file), rank(b.at.file)), cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.col, b.at.col))
	})
	out := make([]problem.Detail, len(f.list))
	for i, x := range f.list {
		out[i] = x.Detail
	}
	return out
}

func (f *faults) none() bool { return len(f.list) == 0 }

// err makes one error of class Invalid of all faults; nil when there are none.
// A single fault stands in the sentence itself.
func (f *faults) err(what string) error {
	switch {
	case f.none():
		return nil
	case len(f.list) == 1:
		d := f.list[0].Detail
		return problem.New(problem.Invalid, "%s: %s: %s", what, d.Pointer, d.Message).WithDetails(d)
	}
	e := problem.New(problem.Invalid, "%s: %d faults", what, len(f.list)+f.more).WithDetails(f.details()...)
	if f.more > 0 {
		e.Details = append(e.Details, problem.Detail{Message: fmt.Sprintf("and %d more", f.more)})
	}
	return e
}

// oneOf lists words for a message: a, b or c.
func oneOf(words []string) string {
	switch len(words) {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// quoted puts each word in quotation marks.
func quoted(words []string) []string {
	out := slices.Clone(words)
	for i, w := range out {
		out[i] = fmt.Sprintf("%q", w)
	}
	return out
}

// clip shortens a value for a message.
func clip(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// article is a word with the indefinite article before it.
func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}
