package command

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"

	"github.com/universe-dcos/universe/cli/render"
)

// list prints several things of a kind in the format that was asked for.
// items is a slice; table and names are called for their formats only.
func (a *app) list(kind string, items any, table func() *render.Table, names func() []string) error {
	if v := reflect.ValueOf(items); v.Kind() == reflect.Slice && v.IsNil() {
		items = []struct{}{} // an empty list is [] and not null
	}
	doc := render.List{APIVersion: render.APIVersion, Kind: kind, Items: items}
	switch {
	case a.format == render.FormatJSON:
		return render.JSON(a.Out, doc)
	case a.format == render.FormatYAML:
		return render.YAML(a.Out, doc)
	case a.format == render.FormatName || a.flags.quiet:
		for _, n := range names() {
			if _, err := fmt.Fprintln(a.Out, render.Clean(n)); err != nil {
				return fmt.Errorf("print names: %w", err)
			}
		}
		return nil
	}
	return a.table(table())
}

// table prints a table on the data stream.
func (a *app) table(t *render.Table) error {
	if len(t.Rows) == 0 {
		return nil
	}
	return t.Write(a.Out, render.TableOptions{
		Width: a.tableWidth(), Wide: a.format == render.FormatWide, NoHeader: a.flags.noHeader, Paint: a.paint.out,
	})
}

// tableWidth is what rows are cut to: nothing is cut in a pipe or by -o wide.
func (a *app) tableWidth() int {
	if a.format == render.FormatWide {
		return 0
	}
	return a.width(a.OutTerminal)
}

// object prints one thing of a kind. text prints it for people.
func (a *app) object(kind string, v any, name string, text func(w io.Writer) error) error {
	doc := document{kind: kind, value: v}
	switch {
	case a.format == render.FormatJSON:
		return render.JSON(a.Out, doc)
	case a.format == render.FormatYAML:
		return render.YAML(a.Out, doc)
	case a.format == render.FormatName || a.flags.quiet:
		_, err := fmt.Fprintln(a.Out, render.Clean(name))
		return err
	}
	return text(a.Out)
}

// document is an object with the version and the kind before its own fields.
type document struct {
	kind  string
	value any
}

// MarshalJSON implements json.Marshaler; the value must be an object.
func (d document) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}{render.APIVersion, d.kind})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(d.value)
	if err != nil {
		return nil, err
	}
	if len(body) < 2 || body[0] != '{' {
		return nil, fmt.Errorf("a %s is no JSON object", d.kind)
	}
	if string(body) == "{}" {
		return head, nil
	}
	return append(append(head[:len(head)-1], ','), body[1:]...), nil
}
