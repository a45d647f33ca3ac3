package spec

import (
	"math"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// decoder turns nodes into values. It runs in two passes over the same code:
// in the static pass (vars is nil) it compiles the expressions and checks their
// types, and a value that depends on an expression is not known; in the render
// pass it evaluates them.
type decoder struct {
	f     *faults
	sc    *scope // static pass: compiles; nil: the file has no expressions
	vars  map[string]any
	exprs *int // how many were compiled in the package

	refs  []refUse        // launch-time references met, for the check at the end
	calls []call          // uses of functions of instances met, in the static pass
	acts  []action        // what plans may run
	runs  map[string]bool // what they do run
	pod   string          // where the decoder is
	task  string
}

// refUse is a launch-time reference and where it stands.
type refUse struct {
	ref       cluster.Ref
	at        pos
	pod, task string
}

func (d *decoder) static() bool { return d.vars == nil }

// resolve replaces a scalar that is exactly one expression by its value, or in
// the static pass by a node of its type.
func (d *decoder) resolve(n *node) *node {
	if n.kind != scalar || n.lit || n.tag != "!!str" {
		return n
	}
	if d.static() && n.expr == nil && d.sc != nil {
		n.expr = d.sc.parseText(n, d.f)
		if n.expr != nil {
			for _, p := range n.expr.parts {
				d.calls = append(d.calls, p.calls...)
			}
			if *d.exprs += len(n.expr.parts); *d.exprs > MaxExprs {
				d.f.at(pos{file: n.file}, "more than %d expressions", MaxExprs)
			}
		}
	}
	switch t := n.expr; {
	case t == nil:
		return n
	case t.bad:
		return &node{pos: n.pos, open: cel.DynType}
	case !t.single:
		return n
	case d.static():
		return &node{pos: n.pos, open: t.parts[0].typ}
	default:
		v, err := t.parts[0].eval(d.vars)
		if err != nil {
			d.f.at(n.pos, "%v", err)
			return &node{pos: n.pos, open: cel.DynType}
		}
		return valueNode(v, n.pos)
	}
}

// valueNode makes a node of an expression's value. What it holds is final.
func valueNode(v any, at pos) *node {
	n := &node{pos: at, lit: true}
	switch v := v.(type) {
	case nil:
		n.tag = "!!null"
	case string:
		n.tag, n.text = "!!str", v
	case bool:
		n.tag, n.text = "!!bool", strconv.FormatBool(v)
	case int64:
		n.tag, n.text = "!!int", strconv.FormatInt(v, 10)
	case float64:
		n.tag, n.text = "!!float", strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		n.kind = sequence
		for _, e := range v {
			n.items = append(n.items, valueNode(e, at))
		}
	case map[string]any:
		n.kind = mapping
		for _, k := range sortedKeys(v) {
			n.fields = append(n.fields, field{k, at, valueNode(v[k], at)})
		}
	}
	return n
}

// isOpen reports whether a resolved node's value is not known, after checking
// that its type can be what is wanted.
func (d *decoder) isOpen(n *node, want string, kinds ...types.Kind) bool {
	if n.open == nil {
		return false
	}
	k := n.open.Kind()
	if k == types.DynKind || k == types.AnyKind {
		return true
	}
	for _, w := range kinds {
		if k == w {
			return true
		}
	}
	d.f.at(n.pos, "want %s, the expression gives %s", want, typeName(n.open))
	return true
}

// str reads a text. With launch, launch-time references may stand in it and
// the result is in the form that cluster.Expand reads: a literal ${ is $${.
// known is false when the text depends on an expression in the static pass, or
// is faulty.
func (d *decoder) str(n *node, launch bool) (s string, known bool) {
	return d.longStr(n, launch, MaxValueBytes)
}

func (d *decoder) longStr(n *node, launch bool, limit int) (string, bool) {
	n = d.resolve(n)
	if d.isOpen(n, "text", types.StringKind, types.IntKind, types.UintKind, types.DoubleKind, types.BoolKind) {
		return "", false
	}
	if n.kind != scalar || n.tag == "!!null" {
		d.f.at(n.pos, "want text, not %s", n.what())
		return "", false
	}
	if !n.lit && strings.Contains(n.text, mark) {
		d.f.at(n.pos, "the text holds a zero byte")
		return "", false
	}
	var s string
	var known bool
	if n.expr != nil {
		s, known = d.assemble(n, launch)
	} else {
		s, known = d.settle(n.text, launch, n.pos)
	}
	if len(s) > limit {
		d.f.at(n.pos, "the text has %d bytes, more than %d", len(s), limit)
		return "", false
	}
	return s, known
}

// escape makes literal text safe for cluster.Expand.
func escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// assemble joins the parts of a text.
func (d *decoder) assemble(n *node, launch bool) (string, bool) {
	var out, lit strings.Builder // lit: since the last reference, to be settled as one
	at, known := n.pos, true
	flush := func() bool {
		s, ok := d.settle(lit.String(), launch, at)
		lit.Reset()
		out.WriteString(s)
		return ok
	}
	for _, p := range n.expr.parts {
		switch {
		case p.ref != nil:
			ends := strings.HasSuffix(lit.String(), "$")
			if !flush() || !d.passRef(&out, p, launch, ends) {
				return "", false
			}
		case p.prog == nil:
			lit.WriteString(p.lit)
		case !printable(p.typ):
			d.f.at(p.at, "${%s} gives %s, which cannot stand inside a text", clip(p.src), typeName(p.typ))
			return "", false
		case d.static():
			known = false
		default:
			v, err := p.eval(d.vars)
			if err != nil {
				d.f.at(p.at, "%v", err)
				return "", false
			}
			s, ok := format(v)
			if !ok {
				d.f.at(p.at, "${%s} gives %s, which cannot stand inside a text", clip(p.src), valueNode(v, p.at).what())
				return "", false
			}
			if strings.Contains(s, mark) {
				at = p.at
			}
			lit.WriteString(s)
		}
	}
	if !flush() {
		return "", false
	}
	return out.String(), known
}

// passRef lets a launch-time reference pass through. ends says that the text
// before it ends with a $.
func (d *decoder) passRef(out *strings.Builder, p part, launch, ends bool) bool {
	r, err := p.reference(d.vars)
	switch {
	case err != nil:
		d.f.at(p.at, "%v", err)
		return false
	case !launch:
		d.f.at(p.at, "%s", launchOnly(r))
		return false
	case ends:
		d.f.at(p.at, "a $ cannot stand directly before ${%s}", p.src)
		return false
	}
	out.WriteString("${" + r.String() + "}")
	d.refs = append(d.refs, refUse{r, p.at, d.pod, d.task})
	return true
}

// word reads a text that must be written out.
func (d *decoder) word(n *node, what string) (string, bool) {
	if n.kind == scalar && strings.Contains(n.text, "${") {
		d.f.at(n.pos, "%s is written out, without ${}", what)
		return "", false
	}
	return d.str(n, false)
}

// integer reads an integer from lo to hi.
func (d *decoder) integer(n *node, lo, hi int64) (int64, bool) {
	n = d.resolve(n)
	if d.isOpen(n, "an integer", types.IntKind, types.UintKind) {
		return lo, false
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	switch {
	case n.kind != scalar || n.tag != "!!int" || err != nil:
		d.f.at(n.pos, "want an integer from %d to %d, not %s", lo, hi, n.what())
		return lo, false
	case v < lo || v > hi:
		d.f.at(n.pos, "want an integer from %d to %d, not %d", lo, hi, v)
		return lo, false
	}
	return v, true
}

// milli reads a number in thousandths.
func (d *decoder) milli(n *node, lo, hi int64) (int64, bool) {
	n = d.resolve(n)
	if d.isOpen(n, "a number", types.IntKind, types.UintKind, types.DoubleKind) {
		return lo, false
	}
	bounds := func(m int64) string { return strconv.FormatFloat(float64(m)/1000, 'f', -1, 64) }
	v, err := strconv.ParseFloat(n.text, 64)
	if n.kind != scalar || n.tag != "!!int" && n.tag != "!!float" || err != nil {
		d.f.at(n.pos, "want a number from %s to %s, not %s", bounds(lo), bounds(hi), n.what())
		return lo, false
	}
	m := math.Round(v * 1000)
	if !(m >= float64(lo) && m <= float64(hi)) {
		d.f.at(n.pos, "want a number from %s to %s, not %s", bounds(lo), bounds(hi), n.text)
		return lo, false
	}
	return int64(m), true
}

// boolean reads true or false.
func (d *decoder) boolean(n *node) bool {
	n = d.resolve(n)
	if d.isOpen(n, "true or false", types.BoolKind) {
		return false
	}
	if n.kind != scalar || n.tag != "!!bool" {
		d.f.at(n.pos, "want true or false, not %s", n.what())
		return false
	}
	return strings.EqualFold(n.text, "true")
}

// duration reads a time such as 500ms, 10s or 2m, at most an hour.
func (d *decoder) duration(n *node, lo time.Duration) cluster.Millis {
	return d.span(n, lo, MaxCheckSeconds*time.Second)
}

// span reads a time from lo to hi.
func (d *decoder) span(n *node, lo, hi time.Duration) cluster.Millis {
	s, known := d.str(n, false)
	if !known {
		return 0
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < lo || v > hi {
		d.f.at(n.pos, "want a time from %s to %s, such as 500ms, 10s or 5m, not %q", plainTime(lo), plainTime(hi), clip(s))
		return 0
	}
	return cluster.Millis(v.Milliseconds())
}

// plainTime says a time without parts that are nothing: 1h, not 1h0m0s.
func plainTime(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// list reads a list of at most most elements. An element that is one expression
// of a list type is spliced in.
func (d *decoder) list(n *node, most int) []*node {
	n = d.resolve(n)
	if d.isOpen(n, "a list", types.ListKind) {
		return openElement(n)
	}
	if n.kind != sequence {
		d.f.at(n.pos, "want a list, not %s", n.what())
		return nil
	}
	var out []*node
	for _, item := range n.items {
		r := d.resolve(item)
		switch {
		case r.lit && r.kind == sequence:
			out = append(out, r.items...)
		case r.open != nil && r.open.Kind() == types.ListKind:
			out = append(out, openElement(r)...)
		default:
			out = append(out, r)
		}
	}
	if len(out) > most {
		d.f.at(n.pos, "%d elements, more than %d", len(out), most)
		return out[:most]
	}
	return out
}

// openElement stands for the elements of a list that is not known.
func openElement(n *node) []*node {
	elem := cel.DynType
	if n.open.Kind() == types.ListKind && len(n.open.Parameters()) == 1 {
		elem = n.open.Parameters()[0]
	}
	return []*node{{pos: n.pos, open: elem}}
}
