package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"go.yaml.in/yaml/v3"
)

// shape is what a node is.
type shape int

const (
	scalar shape = iota
	sequence
	mapping
)

// node is a value in a YAML file, or a value that an expression gave in its
// place, with the position for messages.
type node struct {
	pos
	kind   shape
	fields []field // of a mapping, in the order of the file
	items  []*node // of a sequence

	tag   string // of a scalar: !!str, !!int, !!float, !!bool, !!null
	text  string // of a scalar, as written, quotes resolved
	block bool   // of a scalar: it is a block, | or >, whose text begins one line below
	shift int    // of a scalar: how many columns its text begins behind pos

	expr *text     // the scalar's expressions, compiled by Load; nil: none
	open *cel.Type // set in the static pass: a value of this type that is not known yet
	lit  bool      // text is final: it came out of an expression
}

// field is one entry of a mapping.
type field struct {
	key string
	pos pos
	val *node
}

// what describes a node for a message.
func (n *node) what() string {
	switch {
	case n.open != nil:
		return typeName(n.open)
	case n.kind == mapping:
		return "a mapping"
	case n.kind == sequence:
		return "a list"
	case n.tag == "!!null":
		return "an empty value"
	case n.tag == "!!str":
		return fmt.Sprintf("the text %q", clip(n.text))
	}
	return clip(n.text)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parseYAML reads one document strictly: no anchors, aliases, tags or merge
// keys, no key twice, bounded in size, depth and number of values. It is nil
// when there is a fault.
func parseYAML(file string, src []byte, f *faults) *node {
	whole := pos{file: file}
	if len(src) > MaxFileBytes {
		f.at(whole, "the file has %d bytes, more than %d", len(src), MaxFileBytes)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			f.at(whole, "the file is empty")
			return nil
		}
		f.at(yamlPos(file, err), "%s", yamlLine.ReplaceAllString(err.Error(), ""))
		return nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		f.at(pos{file, max(second.Line, 1), max(second.Column, 1)}, "a second document: one file holds one")
		return nil
	}
	c := converter{file: file, f: f}
	n := c.convert(doc.Content[0], 0)
	if c.failed {
		return nil
	}
	return n
}

// yamlPos takes the line out of a message of the YAML library.
func yamlPos(file string, err error) pos {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
		if line, err := strconv.Atoi(m[1]); err == nil {
			return pos{file, line, 1}
		}
	}
	return pos{file: file}
}

// converter makes nodes of the library's.
type converter struct {
	file   string
	f      *faults
	count  int
	failed bool
}

func (c *converter) fail(y *yaml.Node, format string, args ...any) *node {
	c.failed = true
	c.f.at(pos{c.file, y.Line, y.Column}, format, args...)
	return nil
}

func (c *converter) convert(y *yaml.Node, depth int) *node {
	c.count++
	switch {
	case c.count > MaxNodes:
		if c.count == MaxNodes+1 {
			c.fail(y, "more than %d values in one file", MaxNodes)
		}
		return nil
	case depth > MaxDepth:
		return c.fail(y, "nested more than %d deep", MaxDepth)
	case y.Kind == yaml.AliasNode || y.Anchor != "":
		return c.fail(y, "anchors and aliases are not read here: write the value out")
	case y.Style&yaml.TaggedStyle != 0:
		return c.fail(y, "the tag %s is not read here", y.Tag)
	}
	n := &node{pos: pos{c.file, y.Line, y.Column}}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = mapping
		seen := map[string]int{}
		for i := 0; i+1 < len(y.Content); i += 2 {
			k, v := y.Content[i], y.Content[i+1]
			if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || k.Anchor != "" {
				c.fail(k, "a key is a plain word")
				continue
			}
			if line, twice := seen[k.Value]; twice {
				c.fail(k, "key %q stands twice: first in line %d", clip(k.Value), line)
				continue
			}
			seen[k.Value] = k.Line
			n.fields = append(n.fields, field{k.Value, pos{c.file, k.Line, k.Column}, c.convert(v, depth+1)})
		}
	case yaml.SequenceNode:
		n.kind = sequence
		for _, v := range y.Content {
			n.items = append(n.items, c.convert(v, depth+1))
		}
	default:
		n.tag, n.text = y.ShortTag(), y.Value
		switch n.tag {
		case "!!str", "!!int", "!!float", "!!bool", "!!null":
		default: // timestamps, binary: text as it is written
			n.tag = "!!str"
		}
		if y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			n.block = true
		} else if y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			n.shift = 1 // the quotation mark
		}
	}
	return n
}

// within is the position of byte i of a scalar's text. It is exact for text on
// one line without escapes, and names the line in a literal block.
func (n *node) within(i int) pos {
	if n.lit {
		return n.pos
	}
	before := n.text[:min(i, len(n.text))]
	if n.block {
		p := n.pos
		p.line, p.col = p.line+1+strings.Count(before, "\n"), 1
		return p
	}
	if strings.Contains(before, "\n") {
		return n.pos
	}
	p := n.pos
	p.col += n.shift + len([]rune(before))
	return p
}
