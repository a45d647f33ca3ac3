package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/universe-dcos/universe/internal/problem"
)

// maxFaults is how many faults of one file are told at once.
const maxFaults = 20

// decoder turns YAML into the recipe types and refuses whatever they do not
// name, with the place of each fault.
type decoder struct {
	file   string
	faults []problem.Detail
}

// load reads the one YAML document of a file into v, a pointer to a struct.
func (d *decoder) load(path string, v any) error {
	data, err := readBounded(path, MaxRecipeBytes)
	if err != nil {
		return fmt.Errorf("image recipe: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return problem.New(problem.Invalid, "image recipe %s is empty", path)
		}
		return problem.New(problem.Invalid, "image recipe %s: %w", path, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return problem.New(problem.Invalid, "image recipe %s holds more than one YAML document", path)
	}
	d.value(doc.Content[0], "", reflect.ValueOf(v).Elem())
	return faultsError(path, d.faults)
}

// faultsError makes one error of the faults of a file; nil if there are none.
func faultsError(path string, faults []problem.Detail) error {
	if len(faults) == 0 {
		return nil
	}
	more := ""
	if n := len(faults) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return problem.New(problem.Invalid, "image recipe %s: %s: %s%s", path, faults[0].Pointer, faults[0].Message, more).
		WithDetails(faults...)
}

func (d *decoder) fail(n *yaml.Node, pointer, format string, args ...any) {
	if len(d.faults) == maxFaults {
		return
	}
	if pointer == "" {
		pointer = "/"
	}
	d.faults = append(d.faults, problem.Detail{Pointer: pointer,
		Message: fmt.Sprintf(format, args...) + fmt.Sprintf(" (line %d)", n.Line)})
}

// value decodes one node. The recipe types set the depth, so the recursion ends.
func (d *decoder) value(n *yaml.Node, pointer string, v reflect.Value) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fail(n, pointer, "anchors and aliases are not allowed")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, pointer, v.Elem())
	case reflect.Struct:
		d.structure(n, pointer, v)
	case reflect.Slice:
		if !d.kind(n, pointer, yaml.SequenceNode, "a list") {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, item := range n.Content {
			d.value(item, fmt.Sprintf("%s/%d", pointer, i), v.Index(i))
		}
	case reflect.Map:
		if !d.kind(n, pointer, yaml.MappingNode, "a map") {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		d.pairs(n, pointer, func(key string, item *yaml.Node) {
			e := reflect.New(v.Type().Elem()).Elem()
			d.value(item, pointer+"/"+escape(key), e)
			v.SetMapIndex(reflect.ValueOf(key), e)
		})
	default: // the recipe types hold no other scalar than strings
		d.text(n, pointer, v)
	}
}

func (d *decoder) text(n *yaml.Node, pointer string, v reflect.Value) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.fail(n, pointer, "must be text")
	case n.ShortTag() != "!!str":
		d.fail(n, pointer, "must be text: put %s in quotes", n.Value)
	case len(n.Value) > MaxStringBytes:
		d.fail(n, pointer, "is longer than %d bytes", MaxStringBytes)
	default:
		v.SetString(n.Value)
	}
}

func (d *decoder) structure(n *yaml.Node, pointer string, v reflect.Value) {
	if !d.kind(n, pointer, yaml.MappingNode, "a map") {
		return
	}
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		if tag := v.Type().Field(i).Tag.Get("yaml"); tag != "" {
			fields[tag] = i
			names = append(names, tag)
		}
	}
	sort.Strings(names)
	d.pairs(n, pointer, func(key string, item *yaml.Node) {
		i, ok := fields[key]
		if !ok {
			d.fail(item, pointer+"/"+escape(key), "is not known here; known are %s", strings.Join(names, ", "))
			return
		}
		d.value(item, pointer+"/"+key, v.Field(i))
	})
}

// pairs calls f for each key and value of a mapping and refuses a key given twice.
func (d *decoder) pairs(n *yaml.Node, pointer string, f func(key string, item *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode || key.Anchor != "":
			d.fail(key, pointer, "has a key that is not plain text")
		case seen[key.Value]:
			d.fail(key, pointer+"/"+escape(key.Value), "is given twice")
		default:
			seen[key.Value] = true
			f(key.Value, item)
		}
	}
}

func (d *decoder) kind(n *yaml.Node, pointer string, want yaml.Kind, what string) bool {
	if n.Kind != want {
		d.fail(n, pointer, "must be %s", what)
		return false
	}
	items := len(n.Content)
	if want == yaml.MappingNode {
		items /= 2
	}
	if items > MaxItems {
		d.fail(n, pointer, "holds more than %d items", MaxItems)
		return false
	}
	return true
}

// escape writes a key as a token of a JSON pointer (RFC 6901 §3).
func escape(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
