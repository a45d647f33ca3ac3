package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const (
	// maxOptionDepth bounds how deep a schema's groups are shown.
	maxOptionDepth = 6
	// maxOptions bounds the rows of the table of options.
	maxOptions = 500
	// maxValue bounds a default or a list of allowed values as it is shown, in bytes.
	maxValue = 80
)

// group is an object of a package's options with the options right in it.
type group struct {
	Name, Title, Description string // Name is dotted, empty for the outermost
	Options                  []option
}

// option is a row of the table of options.
type option struct {
	Name, Type, Allowed, Default, Title, Description string
	Required                                         bool // and without a default
}

// schema is the part of a JSON Schema that the table of options shows.
type schema struct {
	Type        any               `json:"type"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Default     json.RawMessage   `json:"default"`
	Enum        []json.RawMessage `json:"enum"`
	Minimum     json.Number       `json:"minimum"`
	Maximum     json.Number       `json:"maximum"`
	Required    []string          `json:"required"`
	Items       json.RawMessage   `json:"items"`
	// Properties are read one level at a time, so that a deep schema costs no
	// more than what is shown of it.
	Properties json.RawMessage `json:"properties"`
}

// parse reads a subschema. One that is no object, such as true, or that has
// a keyword of a form we do not show, says nothing.
func parse(raw json.RawMessage) schema {
	var s schema
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return schema{}
	}
	return s
}

// property is a member of an object of schemas.
type property struct {
	name   string
	schema schema
}

// properties reads a JSON object of schemas in the order of its author.
func properties(raw json.RawMessage) []property {
	var out []property
	dec := json.NewDecoder(bytes.NewReader(raw))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil
	}
	for dec.More() && len(out) < maxOptions {
		key, err := dec.Token()
		if err != nil {
			return out
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return out
		}
		name, _ := key.(string) // an object's keys are strings
		out = append(out, property{name, parse(value)})
	}
	return out
}

// options makes the groups of a schema with dotted names. A schema that cannot
// be read gives none: the catalog has validated those it lists.
func options(raw json.RawMessage) []group {
	var groups []group
	rows := 0
	var walk func(name string, s schema, depth int)
	walk = func(name string, s schema, depth int) {
		prefix := ""
		if name != "" {
			prefix = name + "."
		}
		at := len(groups)
		groups = append(groups, group{Name: name, Title: s.Title, Description: s.Description})
		for _, p := range properties(s.Properties) {
			if len(p.schema.Properties) > 0 && depth < maxOptionDepth {
				walk(prefix+p.name, p.schema, depth+1)
				continue
			}
			if rows++; rows > maxOptions {
				return
			}
			groups[at].Options = append(groups[at].Options, p.option(prefix, slices.Contains(s.Required, p.name)))
		}
	}
	walk("", parse(raw), 0)
	groups = slices.DeleteFunc(groups, func(g group) bool { return len(g.Options) == 0 })
	if len(groups) > 0 && groups[0].Name == "" {
		groups[0].Title, groups[0].Description = "", "" // they speak of the package, as the page does
	}
	return groups
}

func (p property) option(prefix string, required bool) option {
	s := p.schema
	return option{
		Name: prefix + p.name, Type: s.kind(), Allowed: s.allowed(), Default: value(s.Default),
		Title: s.Title, Description: s.Description, Required: required && len(s.Default) == 0,
	}
}

// kind is the type in words: "integer", "string or null", "array of string".
func (s schema) kind() string {
	switch t := s.Type.(type) {
	case string:
		if t == "array" {
			if of := parse(s.Items).kind(); of != "any" {
				return "array of " + of
			}
		}
		return t
	case []any:
		var words []string
		for _, w := range t {
			words = append(words, fmt.Sprint(w))
		}
		return strings.Join(words, " or ")
	}
	return "any"
}

// allowed says in words which values are taken, empty where any of the type is.
func (s schema) allowed() string {
	switch {
	case len(s.Enum) > 0:
		var words []string
		for _, w := range s.Enum {
			words = append(words, value(w))
		}
		return clip(strings.Join(words, ", "), 2*maxValue)
	case s.Minimum != "" && s.Maximum != "":
		return fmt.Sprintf("%s to %s", s.Minimum, s.Maximum)
	case s.Minimum != "":
		return fmt.Sprintf("at least %s", s.Minimum)
	case s.Maximum != "":
		return fmt.Sprintf("at most %s", s.Maximum)
	}
	return ""
}

// value prints a JSON value on one short line.
func value(raw json.RawMessage) string {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if len(raw) == 0 || dec.Decode(&v) != nil {
		return ""
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the template escapes it
	if enc.Encode(v) != nil {
		return ""
	}
	return clip(strings.TrimSpace(b.String()), maxValue)
}
