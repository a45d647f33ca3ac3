package spec

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// describe says in words which values a schema allows.
func describe(s *jsonschema.Schema) string {
	if s.Enum != nil {
		var words []string
		for _, v := range s.Enum.Values {
			words = append(words, compact(v))
		}
		return "one of " + strings.Join(words, ", ")
	}
	if s.Const != nil {
		return compact(*s.Const)
	}
	if s.Types == nil {
		if len(s.Properties) > 0 {
			return describeType(s, "object")
		}
		return "what config.schema.json says of it"
	}
	var parts []string
	for _, t := range s.Types.ToStrings() {
		parts = append(parts, describeType(s, t))
	}
	return strings.Join(parts, " or ")
}

func describeType(s *jsonschema.Schema, typ string) string {
	switch typ {
	case "boolean":
		return "true or false"
	case "integer":
		return "an integer" + describeRange(s)
	case "number":
		return "a number" + describeRange(s)
	case "string":
		out := "text"
		out += describeCount(s.MinLength, s.MaxLength, "character")
		if s.Pattern != nil {
			out += " that matches " + s.Pattern.String()
		}
		if s.Format != nil {
			out += " in the format " + s.Format.Name
		}
		return out
	case "array":
		out := "a list"
		if s.Items2020 != nil && s.Items2020.Bool == nil {
			out += " of " + describe(s.Items2020)
		}
		if s.UniqueItems {
			out += ", none twice"
		}
		return out + describeCount(s.MinItems, s.MaxItems, "element")
	case "object":
		if len(s.Properties) > 0 {
			return "a group of " + strings.Join(sortedKeys(s.Properties), ", ")
		}
		return "a group" + describeCount(s.MinProperties, s.MaxProperties, "entry")
	}
	return typ
}

func describeRange(s *jsonschema.Schema) string {
	lo, hi := s.Minimum, s.Maximum
	var parts []string
	switch {
	case lo != nil && hi != nil:
		parts = append(parts, fmt.Sprintf("from %s to %s", number(lo), number(hi)))
	case lo != nil:
		parts = append(parts, "of at least "+number(lo))
	case hi != nil:
		parts = append(parts, "of at most "+number(hi))
	}
	if s.ExclusiveMinimum != nil {
		parts = append(parts, "above "+number(s.ExclusiveMinimum))
	}
	if s.ExclusiveMaximum != nil {
		parts = append(parts, "below "+number(s.ExclusiveMaximum))
	}
	if s.MultipleOf != nil {
		parts = append(parts, "divisible by "+number(s.MultipleOf))
	}
	if len(parts) == 0 {
		return ""
	}
	return " " + strings.Join(parts, ", ")
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return fmt.Sprintf("%g", f)
}

func describeCount(lo, hi *int, unit string) string {
	plural := func(n int) string {
		switch {
		case n == 1:
			return "1 " + unit
		case strings.HasSuffix(unit, "y"):
			return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(unit, "y"))
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case lo != nil && hi != nil && *lo == *hi:
		return " of " + plural(*lo)
	case lo != nil && hi != nil:
		return fmt.Sprintf(" of %d to %s", *lo, plural(*hi))
	case lo != nil:
		return " of at least " + plural(*lo)
	case hi != nil:
		return " of at most " + plural(*hi)
	}
	return ""
}

// leaves lists the errors at the bottom of a tree of errors. A choice (anyOf,
// oneOf, not) counts as one: its branches contradict each other.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var out []*jsonschema.ValidationError
	for _, c := range e.Causes {
		out = append(out, leaves(c)...)
	}
	return out
}

// sortedLeaves are the leaves by place: the validator walks maps, so its own
// order is not repeatable.
func sortedLeaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	out := leaves(e)
	slices.SortStableFunc(out, func(a, b *jsonschema.ValidationError) int {
		return cmp.Or(slices.Compare(a.InstanceLocation, b.InstanceLocation), strings.Compare(kindText(a), kindText(b)))
	})
	return out
}

// kindText is the validator's own sentence for an error.
func kindText(e *jsonschema.ValidationError) string {
	if len(e.Causes) > 0 { // a choice: what each branch says
		var parts []string
		for _, c := range leaves(&jsonschema.ValidationError{ErrorKind: &kind.Group{}, Causes: e.Causes}) {
			parts = append(parts, kindText(c))
		}
		return strings.Join(parts, ", or ")
	}
	return e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
}
