package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/cli/render"
	"github.com/universe-dcos/universe/internal/problem"
)

func (a *app) describeCommand() *cobra.Command {
	var version string
	var options, readme, schema bool
	c := &cobra.Command{
		Use: "describe NAME", Short: "Describe a package: what it is, its versions, options and actions",
		Example: "  dcos package describe spark --options", Args: args("NAME"), ValidArgsFunction: a.completePackages,
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			d, err := cat.Package(cmd.Context(), args[0], version)
			if err != nil {
				return err
			}
			switch {
			case schema:
				return a.raw(d.Schema)
			case options:
				return a.describeOptions(d)
			case readme:
				_, err := fmt.Fprintln(a.Out, render.CleanText(strings.TrimSpace(d.Readme)))
				return err
			}
			return a.object("Package", d, d.Package.Name, func(w io.Writer) error { return a.describe(w, d) })
		},
	}
	c.Flags().StringVar(&version, "version", "", "a version or a range such as ^4 (default the newest)")
	c.Flags().BoolVar(&options, "options", false, "list its options with types and defaults")
	c.Flags().BoolVar(&readme, "readme", false, "print its README")
	c.Flags().BoolVar(&schema, "schema", false, "print config.schema.json")
	c.MarkFlagsMutuallyExclusive("options", "readme", "schema")
	return c
}

// raw prints a JSON document in the format that was asked for.
func (a *app) raw(doc json.RawMessage) error {
	if len(doc) == 0 {
		doc = json.RawMessage("{}")
	}
	if a.format == render.FormatYAML {
		return render.YAML(a.Out, doc)
	}
	return render.JSON(a.Out, doc)
}

// maxVersions is how many versions a description names.
const maxVersions = 10

func (a *app) describe(w io.Writer, d catalog.Detail) error {
	m := d.Package
	p := a.paint.out
	fmt.Fprintf(w, "%s %s  %s\n", p.Sprint(render.Bold, render.Clean(m.Name)), m.Version, render.Clean(m.Summary))
	if m.Description != "" {
		fmt.Fprintln(w)
		for _, line := range render.Wrap(render.CleanText(strings.TrimSpace(m.Description)), max(a.width(a.OutTerminal), 80)) {
			fmt.Fprintln(w, line)
		}
	}
	fmt.Fprintln(w)
	for _, row := range facts(d) {
		if row[1] != "" {
			fmt.Fprintf(w, "%s %s\n", p.Sprint(render.Bold, render.Pad(row[0], 13, false)), render.Clean(row[1]))
		}
	}
	if len(d.Actions) > 0 {
		fmt.Fprintf(w, "\n%s\n", p.Sprint(render.Bold, "Actions, once installed"))
		t := &render.Table{Columns: []render.Column{{}, {Cut: true}}}
		for _, act := range d.Actions {
			t.Add(render.Text("  dcos "+m.Name+" "+act.Usage()), render.Text(act.Summary))
		}
		if err := t.Write(w, render.TableOptions{Width: a.tableWidth(), NoHeader: true, Paint: p}); err != nil {
			return err
		}
	}
	a.say("\nOptions: dcos package describe %s --options\nInstall: dcos package install %s", m.Name, m.Name)
	return nil
}

// facts are the short lines of a description.
func facts(d catalog.Detail) [][2]string {
	m := d.Package
	var versions, requires, images, people []string
	for _, v := range d.Versions[:min(len(d.Versions), maxVersions)] {
		text := v.Version
		if v.Unavailable != "" {
			text += " (unavailable: " + v.Unavailable + ")"
		}
		versions = append(versions, text)
	}
	if n := len(d.Versions) - maxVersions; n > 0 {
		versions = append(versions, fmt.Sprintf("and %d more", n))
	}
	for _, r := range m.Requires {
		text := strings.TrimSpace(r.Name + " " + r.Version.String())
		if r.Optional {
			text += " (optional)"
		}
		requires = append(requires, text)
	}
	for _, i := range d.Images {
		images = append(images, fmt.Sprintf("%s %s", i.Name, render.Bytes(i.Size)))
	}
	for _, p := range m.Maintainers {
		people = append(people, strings.TrimSpace(p.Name+" "+p.Email))
	}
	return [][2]string{
		{"App version", m.AppVersion}, {"Versions", strings.Join(versions, ", ")},
		{"Requires", strings.Join(requires, ", ")}, {"Categories", strings.Join(m.Categories, ", ")},
		{"Keywords", strings.Join(m.Keywords, ", ")}, {"Licenses", strings.Join(m.Licenses, ", ")},
		{"Home", m.Home}, {"Maintainers", strings.Join(people, ", ")}, {"Images", strings.Join(images, ", ")},
		{"Artifact", d.Repository + "@" + d.Digest},
	}
}

// option is a row of the options of a package.
type option struct {
	Name        string `json:"name"` // "worker.count"
	Type        string `json:"type,omitempty"`
	Default     any    `json:"default,omitempty"`
	Description string `json:"description,omitempty"`
}

// property is the part of a JSON Schema that a list of options shows.
type property struct {
	Type        any                 `json:"type"`
	Title       string              `json:"title"`
	Description string              `json:"description"`
	Default     any                 `json:"default"`
	Properties  map[string]property `json:"properties"`
	Enum        []any               `json:"enum"`
	Minimum     *json.Number        `json:"minimum"`
	Maximum     *json.Number        `json:"maximum"`
}

func (a *app) describeOptions(d catalog.Detail) error {
	var root property
	dec := json.NewDecoder(strings.NewReader(string(d.Schema)))
	dec.UseNumber()
	if len(d.Schema) > 0 {
		if err := dec.Decode(&root); err != nil {
			return problem.New(problem.Internal, "the options of package %s cannot be read: %w", d.Package.Name, err)
		}
	}
	list := root.options("", nil)
	if len(list) == 0 {
		a.say("Package %s has no options.", d.Package.Name)
	}
	table := func() *render.Table {
		t := &render.Table{Columns: []render.Column{{Name: "OPTION"}, {Name: "TYPE"}, {Name: "DEFAULT", Cut: true}, {Name: "DESCRIPTION", Cut: true}}}
		for _, o := range list {
			t.Add(render.Text(o.Name), render.Text(o.Type), render.Text(literal(o.Default)), render.Text(o.Description))
		}
		return t
	}
	return a.list("OptionList", list, table, func() []string {
		var names []string
		for _, o := range list {
			names = append(names, o.Name)
		}
		return names
	})
}

// options lists the leaves of a schema in order of their names.
func (p property) options(name string, out []option) []option {
	if len(p.Properties) == 0 {
		if name == "" {
			return out
		}
		text := p.Description
		if text == "" {
			text = p.Title
		}
		return append(out, option{Name: name, Type: p.allowed(), Default: p.Default, Description: text})
	}
	for _, k := range sortedKeys(p.Properties) {
		out = p.Properties[k].options(strings.TrimPrefix(name+"."+strings.ReplaceAll(k, ".", `\.`), "."), out)
	}
	return out
}

// allowed says a type with its range: "integer 1-100", "a|b".
func (p property) allowed() string {
	if len(p.Enum) > 0 {
		var words []string
		for _, e := range p.Enum {
			words = append(words, literal(e))
		}
		return strings.Join(words, "|")
	}
	text := ""
	switch t := p.Type.(type) {
	case string:
		text = t
	case []any:
		var words []string
		for _, e := range t {
			words = append(words, fmt.Sprint(e))
		}
		text = strings.Join(words, "|")
	}
	switch {
	case p.Minimum != nil && p.Maximum != nil:
		text += fmt.Sprintf(" %s-%s", *p.Minimum, *p.Maximum)
	case p.Minimum != nil:
		text += fmt.Sprintf(" >=%s", *p.Minimum)
	case p.Maximum != nil:
		text += fmt.Sprintf(" <=%s", *p.Maximum)
	}
	return text
}

// literal prints a value as --set takes it.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(raw)
}
