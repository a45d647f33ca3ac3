package render

import (
	"encoding/json"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/universe-dcos/universe/internal/problem"
)

// Format is what -o names.
type Format string

// The formats.
const (
	FormatTable Format = "table"
	FormatWide  Format = "wide" // the table with all its columns
	FormatJSON  Format = "json"
	FormatYAML  Format = "yaml"
	FormatName  Format = "name" // identifiers, one a line
)

// Formats lists all formats, for help and completion.
func Formats() []string { return []string{"table", "wide", "json", "yaml", "name"} }

// ParseFormat reads a format's name.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats() {
		if f == s {
			return Format(f), nil
		}
	}
	return "", problem.New(problem.Invalid, "output format %q is not known", s).
		WithHint("use one of table, wide, json, yaml, name")
}

// APIVersion is the version of the documents that -o json and -o yaml print.
// Within it, fields are only added.
const APIVersion = "universe/v1"

// List is the document of a list.
type List struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`  // "PackageList"
	Items      any    `json:"items"` // a slice; an empty one prints as []
}

// JSON prints v indented.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// YAML prints what JSON would, as YAML with the same order of fields.
func YAML(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print YAML: %w", err)
	}
	// JSON is YAML: reading it as a node tree keeps the order of fields.
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("print YAML: %w", err)
	}
	block(&doc)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return fmt.Errorf("print YAML: %w", err)
	}
	return enc.Close()
}

// block turns the flow style of JSON into block style and lets the encoder
// choose the quotes.
func block(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		if len(n.Content) > 0 {
			n.Style = 0
		}
	} else if n.Tag == "!!str" {
		n.Style = 0
	}
	for _, c := range n.Content {
		block(c)
	}
}
