package spec

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// object is a mapping whose keys are known words.
type object struct {
	d    *decoder
	n    *node
	what string // for messages: "pod", "task"
	vals map[string]*node
	open bool // it comes from an expression whose value is not known
}

// object reads a mapping with the given keys; any other is a fault that names
// the nearest. It is never nil.
func (d *decoder) object(n *node, what string, keys ...string) *object {
	n = d.resolve(n)
	o := &object{d: d, n: n, what: what, vals: map[string]*node{}}
	if d.isOpen(n, "a mapping", types.MapKind, types.StructKind) {
		o.open = true
		return o
	}
	if n.kind != mapping {
		d.f.at(n.pos, "%s: want a mapping, not %s", what, n.what())
		o.open = true // its keys are not missing: it is wrong as a whole
		return o
	}
	known := map[string]bool{}
	for _, k := range keys {
		known[k] = true
	}
	for _, fl := range n.fields {
		if !known[fl.key] {
			d.f.at(fl.pos, "%s", didYouMean(fmt.Sprintf("%s has no %q", article(what), clip(fl.key)), fl.key, keys))
			continue
		}
		if fl.val.kind == scalar && fl.val.tag == "!!null" && !fl.val.lit {
			continue // "key:" with nothing behind it is as good as no key
		}
		o.vals[fl.key] = fl.val
	}
	return o
}

// get is the value of a key, nil when it is not there.
func (o *object) get(key string) *node { return o.vals[key] }

// need is the value of a key that must be there, nil when it is not: that is a
// fault.
func (o *object) need(key string) *node {
	v := o.vals[key]
	if v == nil && !o.open {
		o.d.f.at(o.n.pos, "the %s has no %s", o.what, key)
	}
	return v
}

// text reads an optional text.
func (o *object) text(key string, launch bool) string {
	if v := o.get(key); v != nil {
		s, _ := o.d.str(v, launch)
		return s
	}
	return ""
}

// name reads a name that must be there and be written out.
func (o *object) name(key string, most int) string {
	v := o.need(key)
	if v == nil {
		return ""
	}
	return o.d.checkedName(v, "the "+key+" of "+article(o.what), most)
}

// checkedName reads a name.
func (d *decoder) checkedName(n *node, what string, most int) string {
	s, known := d.word(n, what)
	if known && !validName(s, most) {
		d.f.at(n.pos, "%s is %q: want a lower-case letter, then lower-case letters, digits and -, at most %d characters", what, clip(s), most)
	}
	return s
}

// entries reads a mapping with free keys, at most most. In the static pass a
// mapping that is not known has one entry with an empty key.
func (d *decoder) entries(n *node, most int) []field {
	n = d.resolve(n)
	if d.isOpen(n, "a mapping", types.MapKind, types.StructKind) {
		elem := cel.DynType
		if p := n.open.Parameters(); n.open.Kind() == types.MapKind && len(p) == 2 {
			elem = p[1]
		}
		return []field{{"", n.pos, &node{pos: n.pos, open: elem}}}
	}
	if n.kind != mapping {
		d.f.at(n.pos, "want a mapping, not %s", n.what())
		return nil
	}
	if len(n.fields) > most {
		d.f.at(n.pos, "%d entries, more than %d", len(n.fields), most)
		return nil
	}
	return n.fields
}
