package spec

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/universe-dcos/universe/catalog"
)

// launchHelp is the way out for a launch-time reference that is not one.
const launchHelp = "a launch-time reference stands alone in its ${}, without operators: self.host, self.hostname, self.index (also + a number), self.task, self.ports.NAME, self.listen.NAME, pods.POD[N].host or pods.POD[N].ports.NAME; host(pod, index), port(pod, index, name) and dns(pod, index, task) can stand in expressions"

// explain turns the checker's issues into faults with places, and unknown names
// into questions.
func (sc *scope) explain(n *node, src string, offset int, iss *cel.Issues, f *faults) {
	shown := clip(strings.TrimSpace(src))
	var chains map[int64][]string
	if parsed, perr := sc.env.Parse(renamePackage(src)); perr.Err() == nil {
		chains = selections(parsed.NativeRep().Expr())
		if launchRoot(chains) {
			f.at(n.within(offset), "${%s}: %s", shown, launchHelp)
			return
		}
	}
	for _, e := range iss.Errors() {
		at := n.within(offset + byteOffset(src, e.Location))
		if msg, ok := sc.unknown(chains[e.ExprID]); ok {
			f.at(at, "%s", msg)
			continue
		}
		f.at(at, "${%s}: %s", shown, celMessage(e.Message))
	}
}

// noOverload is how CEL says that an operator or a function does not take such
// operands.
var noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)

// celMessage is a message of CEL in our names and shorter.
func celMessage(s string) string {
	s = strings.ReplaceAll(s, typePrefix, "")
	s = strings.ReplaceAll(s, packageVariable, rootPackage)
	s, _, _ = strings.Cut(s, " expecting {") // the list of all that could stand there helps nobody
	s = strings.TrimSuffix(s, " (in container '')")
	if m := noOverload.FindStringSubmatch(s); m != nil {
		if m[1] == dnsCall {
			return fmt.Sprintf("want dns(pod, index, task) with text, an integer and text, not %s", strings.Replace(m[2], "(string, map(string, int), ", "(", 1))
		}
		return fmt.Sprintf("%s does not go with %s; int(…), double(…) and string(…) convert", strings.Trim(m[1], "_"), m[2])
	}
	return s
}

// byteOffset is the index in src of a location that counts lines from 1 and
// characters from 0.
func byteOffset(src string, l common.Location) int {
	at := 0
	for line := 1; line < l.Line(); line++ {
		i := strings.IndexByte(src[at:], '\n')
		if i < 0 {
			return at
		}
		at += i + 1
	}
	for c := 0; c < l.Column() && at < len(src); c++ {
		_, size := utf8.DecodeRuneInString(src[at:])
		at += size
	}
	return at
}

// selections lists the plain chains of names in an expression by the id of
// their last part: options.worker.heap is [options worker heap].
func selections(e ast.Expr) map[int64][]string {
	out := map[int64][]string{}
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			out[e.ID()] = []string{e.AsIdent()}
		case ast.SelectKind:
			s := e.AsSelect()
			if head, ok := out[s.Operand().ID()]; ok {
				out[e.ID()] = append(append([]string{}, head...), s.FieldName())
			}
		}
	}))
	return out
}

func launchRoot(chains map[int64][]string) bool {
	for _, c := range chains {
		if c[0] == "self" || c[0] == "pods" {
			return true
		}
	}
	return false
}

// unknown explains a chain of names whose last part is not known. It reports
// false when the chain is known or does not begin with one of our roots.
func (sc *scope) unknown(chain []string) (string, bool) {
	if len(chain) == 0 {
		return "", false
	}
	for name := range sc.roots {
		if variable(name) == chain[0] {
			return sc.unknownField(name, chain)
		}
	}
	if len(chain) > 1 {
		return "", false
	}
	known := sortedKeys(sc.roots)
	return didYouMean(fmt.Sprintf("unknown name %s", chain[0]), chain[0], known), true
}

func (sc *scope) unknownField(root string, chain []string) (string, bool) {
	t, path := sc.roots[root], root
	for _, name := range chain[1:] {
		if t.Kind() != types.StructKind {
			return "", false
		}
		fields, ok := sc.types.objects[t.TypeName()]
		if !ok {
			return "", false
		}
		next, ok := fields[name]
		if !ok {
			what := "field"
			if root == rootOptions {
				what = "option"
			}
			return didYouMean(fmt.Sprintf("%s has no %s %s", path, what, name), name, sortedKeys(fields)), true
		}
		t, path = next.Type, path+"."+name
	}
	return "", false
}

// didYouMean adds the nearest known words, or all of a few.
func didYouMean(msg, word string, known []string) string {
	if near := catalog.Nearest(word, known); len(near) > 0 {
		return msg + "; did you mean " + oneOf(near) + "?"
	}
	if len(known) > 0 && len(known) <= 20 {
		return msg + "; known here: " + strings.Join(known, ", ")
	}
	return msg
}
