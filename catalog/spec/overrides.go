package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
)

// Overrides gives what of effective options is not at its default, as a JSON
// object that a user could have given: completed by the same release it is the
// same options again, and completed by another release it follows that one's
// defaults. A release with an option that must be given has no defaults of its
// own; its options are overrides as a whole.
func (p *Package) Overrides(o Options) ([]byte, error) {
	def, err := p.Options(nil, "")
	if err != nil {
		return o.JSON(), nil
	}
	eff, base := tree(o.JSON()), tree(def.JSON())
	out, _ := p.schema.root.overrides(eff, base).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	return catalog.Canonical(out)
}

// tree reads JSON that was written here.
func tree(blob []byte) any {
	dec := json.NewDecoder(bytes.NewReader(blob))
	dec.UseNumber()
	var v any
	_ = dec.Decode(&v) // it is our own
	return v
}

// overrides is what of v differs from def; nil when nothing does.
func (o *option) overrides(v, def any) any {
	if reflect.DeepEqual(v, def) {
		return nil
	}
	m, okM := v.(map[string]any)
	base, okB := def.(map[string]any)
	whole := len(o.props) == 0 // a mapping with free keys is one value
	if d := o.sch.Default; d != nil {
		group, _ := (*d).(map[string]any)
		whole = whole || len(group) > 0 // part of it would lose the rest of the group's default
	}
	if !okM || !okB || whole {
		return v
	}
	out := map[string]any{}
	for _, k := range sortedKeys(m) {
		if c := o.props[k]; c != nil {
			if x := c.overrides(m[k], base[k]); x != nil {
				out[k] = x
			}
		} else if !reflect.DeepEqual(m[k], base[k]) {
			out[k] = m[k]
		}
	}
	return out
}

// Merge changes options by a patch, as RFC 7386 says: a null takes an option
// back to its default, and groups are merged key by key. Both are JSON objects;
// an empty patch changes nothing. Errors are of class Invalid.
func Merge(options, patch []byte) ([]byte, error) {
	if len(bytes.TrimSpace(patch)) == 0 {
		return options, nil
	}
	if len(patch) > MaxOptionBytes {
		return nil, problem.New(problem.TooLarge, "the options have %d bytes, more than %d", len(patch), MaxOptionBytes)
	}
	f := &faults{}
	doc := parseJSON("options", patch, f)
	if doc == nil {
		return nil, f.err("the options")
	}
	change, ok := doc.value.(map[string]any)
	if !ok {
		return nil, problem.New(problem.Invalid, "the options are %s: want a JSON object such as {\"service\":{\"name\":\"x\"}}", compact(doc.value))
	}
	if len(bytes.TrimSpace(options)) == 0 {
		options = []byte("{}")
	}
	base := tree(options)
	if _, ok := base.(map[string]any); !ok {
		return nil, problem.New(problem.Invalid, "the options that are to be changed are no JSON object")
	}
	out, err := catalog.Canonical(merge(base, change))
	if err != nil {
		return nil, fmt.Errorf("merge options: %w", err)
	}
	return out, nil
}

func merge(v any, patch map[string]any) any {
	m, ok := v.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	for _, k := range sortedKeys(patch) {
		switch p := patch[k].(type) {
		case nil:
			delete(m, k)
		case map[string]any:
			m[k] = merge(m[k], p)
		default:
			m[k] = p
		}
	}
	return m
}
