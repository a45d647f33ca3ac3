package sim

import (
	"slices"
	"strings"
)

// Minimise drops operations, faults and frameworks from a plan as long as what
// is left still fails, and more is not called for. fails runs a plan; more says
// whether there is time for another run. The agents, and the end of the plan
// from heal on, stay.
func Minimise(ops []Op, fails func([]Op) bool, more func() bool) []Op {
	ops = slices.Clone(ops)
	for size := len(ops) / 2; size >= 1; size /= 2 {
		for from := 0; from < len(ops) && more(); {
			if rest := without(ops, from, size); len(rest) < len(ops) && fails(rest) {
				ops = rest // the next ones are at the same place now
				continue
			}
			from += size
		}
	}
	for i := range ops {
		if ops[i].Verb != "faults" {
			continue
		}
		for _, o := range ops[i].Options {
			less := slices.Clone(ops)
			less[i].Options = slices.DeleteFunc(slices.Clone(ops[i].Options), func(x Option) bool { return x.Key == o.Key })
			if more() && fails(less) {
				ops = less
			}
		}
	}
	return ops
}

// without leaves out up to n operations that may go, from a place on.
func without(ops []Op, from, n int) []Op {
	heal := slices.IndexFunc(ops, func(op Op) bool { return op.Verb == "heal" })
	var out []Op
	for i, op := range ops {
		if i >= from && i < from+n && i < heal && op.Verb != "agents" {
			continue
		}
		out = append(out, op)
	}
	return out
}

// FailureClass is what tells one kind of failure from another: the first line
// without the moment and the numbers, so that a plan that is being minimised
// goes on failing in the same way.
func FailureClass(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	if _, rest, ok := strings.Cut(line, "s: "); ok && strings.HasPrefix(line, "at ") {
		line = rest
	}
	class := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, line)
	return class[:min(len(class), 30)]
}
