package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/universe-dcos/universe/catalog"
)

// schema is the compiled config.schema.json.
type schema struct {
	compiled *jsonschema.Schema
	root     *option
	types    *typeTable
}

// option is one place in the tree of options.
type option struct {
	path   []string
	sch    *jsonschema.Schema // references resolved
	props  map[string]*option
	must   map[string]bool // required properties
	closed bool            // no other properties than props
	items  *option         // of a list
	extra  *option         // of properties beyond props
	typ    *cel.Type
}

// name is how people write the option: "worker.count".
func (o *option) name() string { return strings.Join(o.path, ".") }

const draft = "https://json-schema.org/draft/2020-12/schema"

// The schema has an address of its own, so that relative references in it do
// not become files of this machine.
const (
	schemaBase = "package://source/"
	schemaURL  = schemaBase + FileSchema
)

// refuseLoader keeps a schema from naming others, in files or on the net.
type refuseLoader struct{}

func (refuseLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("$ref %q: a schema refers to its own $defs only", strings.TrimPrefix(url, schemaBase))
}

// parseSchema reads and compiles the schema of the options. It is nil when
// there is a fault.
func parseSchema(src []byte, f *faults) *schema {
	whole := pos{file: FileSchema}
	if len(src) > MaxFileBytes {
		f.at(whole, "the file has %d bytes, more than %d", len(src), MaxFileBytes)
		return nil
	}
	doc := parseJSON(FileSchema, src, f)
	if doc == nil {
		return nil
	}
	top, ok := doc.value.(map[string]any)
	if !ok {
		f.at(doc.places[""], "a schema is a JSON object")
		return nil
	}
	if s, ok := top["$schema"]; ok && s != draft {
		f.at(doc.places["/$schema"], "the schema language is %s; write it in %s", compact(s), draft)
		return nil
	}
	top["$schema"] = draft
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(refuseLoader{})
	if err := c.AddResource(schemaURL, closeObjects(top)); err != nil {
		f.at(whole, "%v", err)
		return nil
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		schemaFault(err, doc, f)
		return nil
	}
	switch n, circle := weight(compiled); {
	case circle:
		f.at(whole, "a schema that contains itself by $ref is not read here")
		return nil
	case n > MaxSchemaWeight:
		f.at(whole, "with every $ref written out, the schema has more than %d parts", MaxSchemaWeight)
		return nil
	}
	b := builder{doc: doc, f: f, types: newTypeTable(), start: len(f.list)}
	root := b.build(compiled, nil, "")
	if root == nil || len(f.list) > b.start {
		return nil
	}
	return &schema{compiled, root, b.types}
}

// schemaFault points at the place of a schema that breaks the schema language.
func schemaFault(err error, doc *document, f *faults) {
	var load *jsonschema.LoadURLError
	if errors.As(err, &load) {
		f.at(pos{file: FileSchema}, "%v", load.Err)
		return
	}
	var sve *jsonschema.SchemaValidationError
	var ve *jsonschema.ValidationError
	if errors.As(err, &sve) && errors.As(sve.Err, &ve) {
		for _, leaf := range sortedLeaves(ve) {
			f.at(doc.places[pointerOf(leaf.InstanceLocation)], "%s", kindText(leaf))
		}
		return
	}
	f.at(pos{file: FileSchema}, "%v", err)
}

// closeObjects adds unevaluatedProperties: false to each object schema that
// lists properties and says nothing of others: an unknown option is a typing
// error far more often than a wish.
func closeObjects(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if props, ok := v["properties"].(map[string]any); ok {
			_, additional := v["additionalProperties"]
			_, unevaluated := v["unevaluatedProperties"]
			if !additional && !unevaluated {
				v["unevaluatedProperties"] = false
			}
			for _, p := range props {
				closeObjects(p)
			}
		}
		for _, key := range []string{"items", "additionalProperties"} {
			closeObjects(v[key])
		}
		if defs, ok := v["$defs"].(map[string]any); ok {
			for _, d := range defs {
				closeObjects(d)
			}
		}
	}
	return v
}

// builder makes the tree of options out of a compiled schema.
type builder struct {
	doc   *document
	f     *faults
	types *typeTable
	count int
	start int // faults before
}

// optionName keeps option names fit for expressions: options.worker.heap_mb.
var optionName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)

// reservedNames cannot stand behind a dot in CEL.
var reservedNames = []string{"in", "true", "false", "null"}

// at is the place of the schema of an option, or of the nearest group above it
// when it stands in $defs.
func (b *builder) at(pointer string) pos {
	for {
		if p, ok := b.doc.places[pointer]; ok {
			return p
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return pos{file: FileSchema}
		}
		pointer = pointer[:i]
	}
}

func (b *builder) build(s *jsonschema.Schema, path []string, pointer string) *option {
	b.count++
	if b.count > MaxOptions {
		if b.count <= MaxOptions+1 {
			b.f.at(b.at(pointer), "more than %d options", MaxOptions)
		}
		b.count = MaxOptions + 1 // said once
		return nil
	}
	for s.Ref != nil && s.Types == nil && len(s.Properties) == 0 {
		s = s.Ref
	}
	o := &option{path: path, sch: s}
	if len(path) == 0 && (s.Types == nil || !slices.Equal(s.Types.ToStrings(), []string{"object"})) {
		b.f.at(b.at(pointer), `the schema of the options has "type": "object"`)
		return nil
	}
	if s.Default != nil {
		if err := s.Validate(*s.Default); err != nil && len(s.Properties) == 0 {
			b.f.at(b.at(pointer+"/default"), "the default %s of %s is not legal: want %s", compact(*s.Default), o.name(), describe(s))
		}
	}
	b.children(o, pointer)
	o.typ = b.typeOf(o)
	return o
}

func (b *builder) children(o *option, pointer string) {
	s := o.sch
	if len(s.Properties) > 0 {
		o.props, o.must = map[string]*option{}, map[string]bool{}
		for _, r := range s.Required {
			o.must[r] = true
		}
	}
	for _, name := range sortedKeys(s.Properties) {
		p := pointer + "/properties/" + escapePointer(name)
		child := append(slices.Clone(o.path), name)
		if len(name) > catalog.MaxNameBytes || !optionName.MatchString(name) || slices.Contains(reservedNames, name) {
			b.f.at(b.at(p), "option name %q: use letters, digits and _, a letter first, so that expressions can name it", clip(name))
			continue
		}
		c := b.build(s.Properties[name], child, p)
		if c == nil || b.count > MaxOptions {
			return
		}
		o.props[name] = c
		if c.sch.Default == nil && !o.must[name] && len(c.props) == 0 {
			b.f.at(b.at(p), "option %s has no default and is not required: give it one of the two", c.name())
		}
	}
	switch extra := s.AdditionalProperties.(type) {
	case *jsonschema.Schema:
		o.extra = b.build(extra, append(slices.Clone(o.path), "*"), pointer+"/additionalProperties")
	case bool:
		o.closed = !extra
	case nil:
		o.closed = s.UnevaluatedProperties != nil && s.UnevaluatedProperties.Bool != nil && !*s.UnevaluatedProperties.Bool
	}
	if len(s.AllOf)+len(s.AnyOf)+len(s.OneOf)+len(s.PatternProperties)+len(s.DependentSchemas) > 0 || s.If != nil {
		o.closed = false // others may be known to a branch; the validator decides
	}
	if s.Items2020 != nil && s.Items2020.Bool == nil {
		o.items = b.build(s.Items2020, append(slices.Clone(o.path), "*"), pointer+"/items")
	}
}

// typeOf derives the CEL type of an option's values.
func (b *builder) typeOf(o *option) *cel.Type {
	switch jsonType(o.sch) {
	case "boolean":
		return cel.BoolType
	case "integer":
		return cel.IntType
	case "number":
		return cel.DoubleType
	case "string":
		return cel.StringType
	case "array":
		if o.items != nil && o.items.typ != nil {
			return cel.ListType(o.items.typ)
		}
		return cel.ListType(cel.DynType)
	case "object":
		switch {
		case len(o.props) > 0:
			return b.types.add(typePrefix+strings.Join(append([]string{rootOptions}, o.path...), "."), fieldsOf(o.props))
		case o.extra != nil && o.extra.typ != nil:
			return cel.MapType(cel.StringType, o.extra.typ)
		}
		return cel.MapType(cel.StringType, cel.DynType)
	}
	return cel.DynType
}

func fieldsOf(props map[string]*option) map[string]*cel.Type {
	out := make(map[string]*cel.Type, len(props))
	for name, p := range props {
		out[name] = p.typ
	}
	return out
}

// jsonType is the one type of a schema's values, or "" when there are several
// or none is said.
func jsonType(s *jsonschema.Schema) string {
	if s.Types != nil {
		if names := s.Types.ToStrings(); len(names) == 1 {
			return names[0]
		}
		return ""
	}
	if len(s.Properties) > 0 {
		return "object"
	}
	if s.Enum != nil {
		for i, v := range s.Enum.Values {
			if _, ok := v.(string); !ok {
				return ""
			}
			if i == len(s.Enum.Values)-1 {
				return "string"
			}
		}
	}
	return ""
}
