package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Options are effective options: a user's, completed by the defaults of the
// schema and valid by it. Package.Options makes them.
type Options struct {
	json   []byte
	native map[string]any // int64, float64, string, bool, lists and maps of them
}

// JSON is the canonical JSON of the effective options. The caller does not
// change it.
func (o Options) JSON() []byte { return o.json }

// At gives the value of the option with this path; nil when there is none. An
// integer is int64, another number float64.
func (o Options) At(path ...string) any {
	var v any = o.native
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

// Where an option says the service's own id.
const (
	optionGroup = "service"
	optionID    = "name"
)

// Options completes what a user gave (a JSON object; empty for none) by the
// defaults and checks it. An error is of class Invalid and lists every wrong
// option with its JSON pointer, its value and what is allowed; an unknown one
// with the nearest known.
//
// Where the schema has the option service.name, it is the id: an empty id takes
// its value from there, and the other way about. Where both are given and
// differ, that is an error.
func (p *Package) Options(user []byte, id cluster.ServiceID) (Options, error) {
	f := &faults{}
	tree, err := p.readOptions(user, f)
	if err != nil {
		return Options{}, err
	}
	if id != "" {
		p.putID(tree, string(id), f)
	}
	o := p.effective(tree, f)
	return o, f.err(fmt.Sprintf("options of package %s %s", p.Meta.Name, p.Meta.Version))
}

func (p *Package) readOptions(user []byte, f *faults) (map[string]any, error) {
	if len(strings.TrimSpace(string(user))) == 0 {
		return map[string]any{}, nil
	}
	if len(user) > MaxOptionBytes {
		return nil, problem.New(problem.TooLarge, "the options have %d bytes, more than %d", len(user), MaxOptionBytes)
	}
	doc := parseJSON("options", user, f)
	if doc == nil {
		return nil, f.err("the options")
	}
	tree, ok := doc.value.(map[string]any)
	if !ok {
		return nil, problem.New(problem.Invalid, "the options are %s: want a JSON object such as {\"service\":{\"name\":\"x\"}}", compact(doc.value))
	}
	return tree, nil
}

// putID writes the service's id into the option that holds it, if there is one.
func (p *Package) putID(tree map[string]any, id string, f *faults) {
	g := p.schema.root.props[optionGroup]
	if g == nil || g.props[optionID] == nil {
		return
	}
	group, ok := tree[optionGroup].(map[string]any)
	if !ok {
		if tree[optionGroup] != nil {
			return // of a wrong type: the schema will say so
		}
		group = map[string]any{}
		tree[optionGroup] = group
	}
	if given, ok := group[optionID]; ok && given != id {
		f.add("/service/name", fmt.Sprintf("%s here and %q as the service's id: say one of them", compact(given), id))
		return
	}
	group[optionID] = id
}

// ID is the service id that effective options name, or the package's name.
func (p *Package) ID(o Options) cluster.ServiceID {
	if s, ok := o.At(optionGroup, optionID).(string); ok && s != "" {
		return cluster.ServiceID(s)
	}
	return cluster.ServiceID(p.Meta.Name)
}

// effective fills, validates and converts.
func (p *Package) effective(tree map[string]any, f *faults) Options {
	p.schema.unknown(p.schema.root, tree, nil, f)
	filled := p.schema.root.fill(tree, true)
	if err := p.schema.compiled.Validate(filled); err != nil {
		p.schema.report(err, filled, f)
	}
	if !f.none() {
		return Options{}
	}
	blob, err := catalog.Canonical(filled)
	if err != nil {
		f.add("", err.Error())
		return Options{}
	}
	if len(blob) > MaxOptionBytes {
		f.add("", fmt.Sprintf("the effective options have %d bytes, more than %d", len(blob), MaxOptionBytes))
		return Options{}
	}
	native, _ := p.schema.root.native(filled, f).(map[string]any)
	if !f.none() {
		return Options{}
	}
	return Options{blob, native}
}

// unknown reports properties that the schema does not know and takes them out,
// so that the validator does not report them again.
func (s *schema) unknown(o *option, v any, path []string, f *faults) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			at := append(slices.Clone(path), key)
			switch child := o.props[key]; {
			case child != nil:
				s.unknown(child, v[key], at, f)
			case o.extra != nil:
				s.unknown(o.extra, v[key], at, f)
			case o.closed:
				f.add(pointerOf(at), s.unknownMessage(o, key, at))
				delete(v, key)
			}
		}
	case []any:
		if o.items == nil {
			return
		}
		for i, e := range v {
			s.unknown(o.items, e, append(slices.Clone(path), strconv.Itoa(i)), f)
		}
	}
}

func (s *schema) unknownMessage(o *option, key string, path []string) string {
	msg := fmt.Sprintf("there is no option %s", clip(strings.Join(path, ".")))
	var near []string
	for _, n := range catalog.Nearest(key, sortedKeys(o.props)) {
		near = append(near, strings.Join(append(slices.Clone(path[:len(path)-1]), n), "."))
	}
	if len(near) == 0 { // right name, wrong group
		for _, known := range s.root.leaves(nil) {
			if last := known[strings.LastIndexByte(known, '.')+1:]; strings.EqualFold(last, key) {
				near = append(near, known)
			}
		}
		near = near[:min(len(near), catalog.MaxNearest)]
	}
	switch {
	case len(near) > 0:
		return msg + "; did you mean " + oneOf(near) + "?"
	case len(o.props) > 0:
		return msg + "; known here: " + strings.Join(sortedKeys(o.props), ", ")
	}
	return msg
}

// leaves lists the names of all options that hold a value.
func (o *option) leaves(out []string) []string {
	if len(o.props) == 0 && len(o.path) > 0 {
		return append(out, o.name())
	}
	for _, name := range sortedKeys(o.props) {
		out = o.props[name].leaves(out)
	}
	return out
}

// fill completes v by defaults; given says whether v is there at all. It
// changes v and shares nothing with the schema.
func (o *option) fill(v any, given bool) any {
	if !given {
		switch {
		case o.sch.Default != nil:
			v = clone(*o.sch.Default)
		case len(o.props) > 0:
			v = map[string]any{}
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range sortedKeys(o.props) {
			old, ok := v[name]
			if full := o.props[name].fill(old, ok); ok || full != nil {
				v[name] = full
			}
		}
		if o.extra != nil {
			for _, name := range sortedKeys(v) {
				if o.props[name] == nil {
					v[name] = o.extra.fill(v[name], true)
				}
			}
		}
	case []any:
		if o.items != nil {
			for i := range v {
				v[i] = o.items.fill(v[i], true)
			}
		}
	}
	return v
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// report turns the validator's errors into one line for each option.
func (s *schema) report(err error, filled any, f *faults) {
	var ve *jsonschema.ValidationError
	if !errors.As(err, &ve) {
		f.add("", err.Error())
		return
	}
	for _, e := range sortedLeaves(ve) {
		where, o := e.InstanceLocation, s.find(e.InstanceLocation)
		if r, ok := e.ErrorKind.(*kind.Required); ok {
			for _, name := range r.Missing {
				at := append(slices.Clone(where), name)
				msg := fmt.Sprintf("option %s is required", strings.Join(at, "."))
				if m := s.find(at); m != nil {
					msg += ": want " + describe(m.sch)
				}
				f.add(pointerOf(at), msg)
			}
			continue
		}
		name, got := strings.Join(where, "."), compact(valueAt(filled, where))
		if o == nil || len(e.Causes) > 0 {
			f.add(pointerOf(where), fmt.Sprintf("option %s is %s: %s", name, got, kindText(e)))
			continue
		}
		f.add(pointerOf(where), fmt.Sprintf("option %s is %s: want %s", name, got, describe(o.sch)))
	}
}

// find is the option at a place in the options, or nil.
func (s *schema) find(path []string) *option {
	o := s.root
	for _, p := range path {
		switch {
		case o.props[p] != nil:
			o = o.props[p]
		case o.items != nil:
			o = o.items
		case o.extra != nil:
			o = o.extra
		default:
			return nil
		}
	}
	return o
}

func valueAt(v any, path []string) any {
	for _, p := range path {
		switch t := v.(type) {
		case map[string]any:
			v = t[p]
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}

// native converts a valid JSON value into what expressions work on: integers
// int64, other numbers float64.
func (o *option) native(v any, f *faults) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range sortedKeys(v) {
			o.noZero(k, f)
			child := &option{sch: &jsonschema.Schema{}}
			if o.props[k] != nil {
				child = o.props[k]
			} else if o.extra != nil {
				child = o.extra
			}
			out[k] = child.native(v[k], f)
		}
		return out
	case []any:
		child := o.items
		if child == nil {
			child = &option{sch: &jsonschema.Schema{}}
		}
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = child.native(e, f)
		}
		return out
	case json.Number:
		return o.nativeNumber(v, f)
	case string:
		o.noZero(v, f)
	}
	return v
}

// noZero refuses a zero byte, which marks launch-time values in expressions and
// can stand neither in a command nor in the environment.
func (o *option) noZero(s string, f *faults) {
	if strings.Contains(s, mark) {
		f.add(pointerOf(o.path), fmt.Sprintf("option %s holds a zero byte", o.name()))
	}
}

func (o *option) nativeNumber(n json.Number, f *faults) any {
	t := jsonType(o.sch)
	if i, err := n.Int64(); err == nil && t != "number" {
		return i
	}
	x, err := n.Float64()
	if err == nil && t == "integer" {
		// 3.0 is an integer in JSON Schema.
		if math.Trunc(x) == x && math.Abs(x) < 1<<62 {
			return int64(x)
		}
		err = strconv.ErrRange
	}
	if err != nil {
		f.add(pointerOf(o.path), fmt.Sprintf("option %s is %s: the number is too large", o.name(), n))
	}
	return x
}

// Differ lists the names of options whose values differ between o and other,
// sorted: "worker.count".
func (o Options) Differ(other Options) []string {
	return differ(nil, "", o.native, other.native)
}

func differ(out []string, prefix string, a, b any) []string {
	x, okX := a.(map[string]any)
	y, okY := b.(map[string]any)
	if !okX || !okY && b != nil {
		if !reflect.DeepEqual(a, b) {
			out = append(out, prefix)
		}
		return out
	}
	keys := map[string]bool{}
	for k := range x {
		keys[k] = true
	}
	for k := range y {
		keys[k] = true
	}
	for _, k := range sortedKeys(keys) {
		name := k
		if prefix != "" {
			name = prefix + "." + k
		}
		va, inA := x[k]
		vb, inB := y[k]
		if inA != inB && va == nil && vb == nil {
			continue
		}
		out = differ(out, name, va, vb)
	}
	return out
}
