package site

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/catalog/plan"
)

const (
	// maxListed is how many packages one page shows.
	maxListed = 200
	// maxOptionDepth bounds how deep a schema's groups are shown.
	maxOptionDepth = 6
	// maxQuery bounds what is searched for, in bytes.
	maxQuery = 200
)

// Catalog is what the site asks of the catalog's client.
type Catalog interface {
	Search(ctx context.Context, q string, limit, offset int) (catalog.Results, error)
	Package(ctx context.Context, name, versions string) (catalog.Detail, error)
	Installations(ctx context.Context) ([]plan.Installation, error)
}

type catalogPage struct {
	head
	Query    string
	Note     string
	Packages []catalog.Listing
}

func (s *site) catalog(r *http.Request) (string, any, error) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	if len(q) > maxQuery {
		q = q[:maxQuery]
	}
	found, err := s.cfg.Catalog.Search(r.Context(), q, maxListed, 0)
	if err != nil {
		return "", nil, err
	}
	page := catalogPage{head: s.head("Catalog", "catalog"), Query: q, Packages: found.Items}
	switch {
	case found.Fuzzy:
		page.Note = fmt.Sprintf("Nothing is called “%s”; these are near it.", q)
	case len(found.DidYouMean) > 0:
		page.Note = "Did you mean " + strings.Join(found.DidYouMean, ", ") + "?"
	case found.Total > len(found.Items):
		page.Note = fmt.Sprintf("Showing %d of %d packages; search to see the others.", len(found.Items), found.Total)
	}
	return "catalog", page, nil
}

type packagePage struct {
	head
	Package packageView
}

// packageView is a release as the page shows it.
type packageView struct {
	Name, Version, Summary, Home, Digest, Unavailable string
	Icon                                              bool
	Versions, Licenses, Requires, Running             []string
	Readme, Changelog                                 template.HTML
	Options                                           []option
	Actions                                           []action
	Images                                            []catalog.Image
}

// option is a row of the table of options.
type option struct{ Name, Type, Default, Description string }

// action is a verb of the package with how it is typed.
type action struct{ Name, Summary string }

func (s *site) packagePage(r *http.Request) (string, any, error) {
	d, err := s.cfg.Catalog.Package(r.Context(), r.PathValue("name"), r.URL.Query().Get("version"))
	if err != nil {
		return "", nil, err
	}
	m := d.Package
	v := packageView{Name: m.Name, Version: m.Version.String(), Summary: m.Summary, Home: m.Home, Digest: d.Digest,
		Icon: m.Icon != "", Licenses: m.Licenses, Images: d.Images}
	for _, x := range d.Versions {
		v.Versions = append(v.Versions, x.Version)
		if x.Version == v.Version {
			v.Unavailable = x.Unavailable
		}
	}
	for _, q := range m.Requires {
		v.Requires = append(v.Requires, fmt.Sprintf("%s %s", q.Name, q.Version))
	}
	for _, a := range d.Actions {
		v.Actions = append(v.Actions, action{a.Usage(), a.Summary})
	}
	if d.Readme != "" {
		v.Readme = s.md.render(d.Readme)
	}
	if d.Changelog != "" {
		v.Changelog = s.md.render(d.Changelog)
	}
	v.Options = options(d.Schema)
	installed, err := s.cfg.Catalog.Installations(r.Context())
	if err != nil {
		return "", nil, err
	}
	for _, i := range installed {
		if i.Package == m.Name {
			v.Running = append(v.Running, string(i.ID))
		}
	}
	return "package", packagePage{s.head(m.Name, "catalog"), v}, nil
}

// schema is the part of a JSON Schema that the table of options shows. The
// order of properties is the author's.
type schema struct {
	Type        any             `json:"type"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Default     json.RawMessage `json:"default"`
	Properties  ordered         `json:"properties"`
}

// ordered is a JSON object of schemas in the order in which it was written.
type ordered []property

type property struct {
	name   string
	schema schema
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *ordered) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return fmt.Errorf("properties are no object")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var s schema
		if err := dec.Decode(&s); err != nil {
			return err
		}
		name, _ := key.(string) // an object's keys are strings
		*o = append(*o, property{name, s})
	}
	return nil
}

// options flattens a schema to rows with dotted names. A schema that cannot be
// read gives none: the catalog has validated those it lists.
func options(raw json.RawMessage) []option {
	var s schema
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return nil
	}
	var rows []option
	var walk func(prefix string, s schema, depth int)
	walk = func(prefix string, s schema, depth int) {
		for _, p := range s.Properties {
			name := prefix + p.name
			if len(p.schema.Properties) > 0 && depth < maxOptionDepth {
				walk(name+".", p.schema, depth+1)
				continue
			}
			text := p.schema.Title
			if p.schema.Description != "" {
				if text != "" {
					text += ". "
				}
				text += p.schema.Description
			}
			rows = append(rows, option{name, fmt.Sprint(p.schema.Type), string(p.schema.Default), text})
		}
	}
	walk("", s, 0)
	return rows
}
