package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// text is a scalar that holds ${…}, cut into pieces.
type text struct {
	parts  []part
	single bool // exactly one expression and nothing around it
	bad    bool // a part could not be read; that is reported
}

// part is a piece of a text: literal, reference or program. A reference with a
// program is self.index and what the program adds to it.
type part struct {
	lit  string
	ref  *cluster.Ref
	prog cel.Program
	typ  *cel.Type // of what prog gives
	at   pos
	src  string

	calls []call // what prog says of instances
}

// scope compiles expressions that may name the same roots.
type scope struct {
	env   *cel.Env
	types *typeTable
	roots map[string]*cel.Type
}

// baseEnv is what all scopes share; it is costly to make.
var baseEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(append(launchFunctions(),
		ext.Strings(), ext.Math(), ext.Lists(ext.ListsMaxRangeSize(MaxInstances)),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(MaxExprBytes),
		cel.ParserRecursionLimit(MaxExprNesting),
		cel.ExpressionNestingDepthLimit(MaxExprNesting),
	)...)
})

// newScope makes the scope of a package's service.yaml; args is nil outside of
// an action.
func newScope(s *schema, reqs map[string]catalog.Requirement, args *cel.Type) (*scope, error) {
	base, err := baseEnv()
	if err != nil {
		return nil, err
	}
	sc := &scope{types: s.types, roots: map[string]*cel.Type{
		rootOptions: s.root.typ,
		rootPackage: s.types.add(typePrefix+rootPackage, map[string]*cel.Type{"name": cel.StringType, "version": cel.StringType}),
		rootService: s.types.add(typePrefix+rootService, map[string]*cel.Type{"id": cel.StringType}),

		rootBindings: bindingsType(s.types, reqs),
	}}
	if args != nil {
		sc.roots[rootArgs] = args
	}
	opts := []cel.EnvOption{cel.CustomTypeProvider(s.types), cel.CustomTypeAdapter(s.types)}
	for _, name := range sortedKeys(sc.roots) {
		opts = append(opts, cel.Variable(variable(name), sc.roots[name]))
	}
	sc.env, err = base.Extend(opts...)
	return sc, err
}

// packageVariable stands for "package" inside CEL, where that is a reserved
// word. It has the same length, so that positions hold.
const packageVariable = "packag_"

// variable is the name of a root inside CEL.
func variable(root string) string {
	if root == rootPackage {
		return packageVariable
	}
	return root
}

// parseText cuts a scalar's text. It is nil for a text without ${ or $${.
func (sc *scope) parseText(n *node, f *faults) *text {
	s := n.text
	if !strings.Contains(s, "${") {
		return nil
	}
	t := &text{}
	lit := strings.Builder{}
	flush := func() {
		if lit.Len() > 0 {
			t.parts = append(t.parts, part{lit: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "$${"):
			lit.WriteString("${")
			i += 3
		case strings.HasPrefix(s[i:], "${"):
			end := exprEnd(s, i+2)
			if end < 0 {
				f.at(n.within(i), "${ without its }; write $${ for a literal ${")
				t.bad = true
				return t
			}
			flush()
			if p, ok := sc.parsePart(n, s[i+2:end], i+2, f); ok {
				t.parts = append(t.parts, p)
			} else {
				t.bad = true
			}
			i = end + 1
		default:
			lit.WriteByte(s[i])
			i++
		}
	}
	flush()
	t.single = len(t.parts) == 1 && t.parts[0].prog != nil && t.parts[0].ref == nil
	return t
}

// exprEnd finds the } that closes an expression: strings and inner braces are
// skipped.
func exprEnd(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch c := s[i]; c {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		case '"', '\'':
			i = stringEnd(s, i)
			continue
		}
		i++
	}
	return -1
}

// stringEnd is the index behind the CEL string literal that begins at i; an
// unfinished one ends with the text.
func stringEnd(s string, i int) int {
	q := s[i : i+1]
	raw := i > 0 && (s[i-1] == 'r' || s[i-1] == 'R')
	if strings.HasPrefix(s[i:], q+q+q) {
		q = q + q + q
	}
	for i += len(q); i < len(s); i++ {
		if s[i] == '\\' && !raw {
			i++
		} else if strings.HasPrefix(s[i:], q) {
			return i + len(q)
		}
	}
	return len(s)
}

// parsePart makes a reference or a program of the inside of ${…}, which begins
// at byte offset of the node's text.
func (sc *scope) parsePart(n *node, src string, offset int, f *faults) (part, bool) {
	at := n.within(offset)
	trimmed := strings.TrimSpace(src)
	switch {
	case trimmed == "":
		f.at(at, "${} is empty: write $${ for a literal ${")
		return part{}, false
	case len(src) > MaxExprBytes:
		f.at(at, "an expression of %d bytes is longer than %d", len(src), MaxExprBytes)
		return part{}, false
	}
	if r, ok := cluster.ParseRef(trimmed); ok {
		return part{ref: &r, at: at, src: trimmed}, true
	}
	if p, ok := sc.parseOffset(n, src, offset); ok {
		return p, true
	}
	ast, iss := sc.env.Compile(renamePackage(src))
	if iss.Err() != nil {
		sc.explain(n, src, offset, iss, f)
		return part{}, false
	}
	prog, err := sc.env.Program(ast, cel.CostLimit(MaxExprCost))
	if err != nil {
		f.at(at, "${%s}: %v", clip(trimmed), err)
		return part{}, false
	}
	return part{prog: prog, typ: ast.OutputType(), at: at, src: trimmed, calls: sc.calls(n, src, offset, ast, f)}, true
}

// parseOffset reads self.index and an integer expression that is added to it.
func (sc *scope) parseOffset(n *node, src string, offset int) (part, bool) {
	trimmed := strings.TrimSpace(src)
	rest, ok := strings.CutPrefix(trimmed, "self."+cluster.RefIndex)
	rest = strings.TrimSpace(rest)
	if !ok || !strings.HasPrefix(rest, "+") {
		return part{}, false
	}
	ast, iss := sc.env.Compile(renamePackage(rest[1:]))
	if iss.Err() != nil || !ast.OutputType().IsExactType(cel.IntType) {
		return part{}, false
	}
	prog, err := sc.env.Program(ast, cel.CostLimit(MaxExprCost))
	if err != nil {
		return part{}, false
	}
	return part{ref: &cluster.Ref{Field: cluster.RefIndex}, prog: prog, typ: cel.IntType, at: n.within(offset), src: trimmed}, true
}

// reference gives the reference of a part, with what is added to an index.
func (p part) reference(vars map[string]any) (cluster.Ref, error) {
	r := *p.ref
	if p.prog == nil || vars == nil {
		return r, nil
	}
	v, err := p.eval(vars)
	if err != nil {
		return r, err
	}
	add, ok := v.(int64)
	if !ok || add < 0 || add > MaxInstances {
		return r, fmt.Errorf("${%s}: what is added to the index is %v, not 0 to %d", clip(p.src), v, MaxInstances)
	}
	r.Index = int(add)
	return r, nil
}

// renamePackage turns the identifier package into packageVariable.
func renamePackage(s string) string {
	b := []byte(s)
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\'':
			i = stringEnd(s, i)
		case identByte(c):
			j := i
			for j < len(s) && (identByte(s[j]) || s[j] >= '0' && s[j] <= '9') {
				j++
			}
			if s[i:j] == rootPackage && (i == 0 || s[i-1] != '.') {
				copy(b[i:], packageVariable)
			}
			i = j
		case c >= '0' && c <= '9': // a number swallows the letters in it
			for i < len(s) && (identByte(s[i]) || s[i] >= '0' && s[i] <= '9') {
				i++
			}
		default:
			i++
		}
	}
	return string(b)
}

func identByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

// eval runs the program of a part.
func (p part) eval(vars map[string]any) (any, error) {
	v, _, err := p.prog.Eval(vars)
	if err != nil {
		return nil, fmt.Errorf("${%s}: %w", clip(p.src), err)
	}
	out, err := goValue(v)
	if err != nil {
		return nil, fmt.Errorf("${%s}: %w", clip(p.src), err)
	}
	return out, nil
}

// goValue makes a plain Go value of CEL's: bool, int64, float64, string, nil,
// []any or map[string]any.
func goValue(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		if v > math.MaxInt64 {
			return nil, fmt.Errorf("%d is too large", uint64(v))
		}
		return int64(v), nil
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("the result is %v, which is no number", float64(v))
		}
		return float64(v), nil
	case types.String:
		return string(v), nil
	case types.Null:
		return nil, nil
	case traits.Lister:
		n, _ := v.Size().(types.Int)
		out := make([]any, 0, min(int(n), MaxNodes))
		for i := types.Int(0); i < n; i++ {
			e, err := goValue(v.Get(i))
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	case traits.Mapper:
		out := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			k, ok := it.Next().(types.String)
			if !ok {
				return nil, fmt.Errorf("a mapping has a key that is no text")
			}
			e, err := goValue(v.Get(k))
			if err != nil {
				return nil, err
			}
			out[string(k)] = e
		}
		return out, nil
	}
	return nil, fmt.Errorf("the result is a %s; make text of it with string(…)", v.Type().TypeName())
}

// format prints a scalar value inside a text.
func format(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// printable reports whether values of a type can stand inside a text.
func printable(t *cel.Type) bool {
	switch t.Kind() {
	case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.DynKind, types.AnyKind:
		return true
	}
	return false
}
