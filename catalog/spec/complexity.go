package spec

import (
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A validator visits each subschema that applies to a value, references
// followed. A small schema can make that exponential by referring to the same
// definition twice, level upon level. weigher counts the subschemas with every
// reference written out, so that such a schema is refused.
type weigher struct {
	done map[*jsonschema.Schema]int
	open map[*jsonschema.Schema]bool // on the way: meeting it again is a circle
	loop bool
}

// weight is the number of subschemas of s with references written out, at most
// MaxSchemaWeight+1. circle reports that s contains itself.
func weight(s *jsonschema.Schema) (n int, circle bool) {
	w := weigher{done: map[*jsonschema.Schema]int{}, open: map[*jsonschema.Schema]bool{}}
	return w.of(s), w.loop
}

func (w *weigher) of(s *jsonschema.Schema) int {
	if s == nil {
		return 0
	}
	if n, ok := w.done[s]; ok {
		return n
	}
	if w.open[s] {
		w.loop = true
		return 0
	}
	w.open[s] = true
	n := 1
	for _, c := range parts(s) {
		n = min(n+w.of(c), MaxSchemaWeight+1)
	}
	delete(w.open, s)
	w.done[s] = n
	return n
}

// parts lists all schemas that a schema holds or refers to.
func parts(s *jsonschema.Schema) []*jsonschema.Schema {
	out := []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties,
		s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema}
	if s.DynamicRef != nil {
		out = append(out, s.DynamicRef.Ref)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems} {
		out = append(out, list...)
	}
	for _, c := range s.Properties {
		out = append(out, c)
	}
	for _, c := range s.PatternProperties {
		out = append(out, c)
	}
	for _, c := range s.DependentSchemas {
		out = append(out, c)
	}
	for _, v := range s.Dependencies {
		out = appendSchemas(out, v)
	}
	out = appendSchemas(out, s.AdditionalProperties)
	out = appendSchemas(out, s.Items)
	return appendSchemas(out, s.AdditionalItems)
}

// appendSchemas adds what is a schema in a keyword that can be other things
// too.
func appendSchemas(out []*jsonschema.Schema, v any) []*jsonschema.Schema {
	switch v := v.(type) {
	case *jsonschema.Schema:
		return append(out, v)
	case []*jsonschema.Schema:
		return append(out, v...)
	}
	return out
}
