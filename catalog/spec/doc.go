// Package spec reads the source of a service package and renders it.
//
// Load parses package.yaml, config.schema.json and service.yaml strictly, checks
// every expression against the types that the schema gives, every launch-time
// reference against the declared pods and ports, and that the default options
// render. It lists all faults with file, line and column. What Load accepts
// renders for every legal option set as far as types can tell; ranges that
// depend on values are checked by Render.
//
// Values come into service.yaml by ${…}. Inside stands either a CEL expression
// over options, package, service, bindings and (in actions) args, evaluated by
// Render, or one launch-time reference (cluster.Ref), which Render passes through.
// "$${" is a literal "${". A scalar that is exactly one expression keeps its type;
// an element of a list that is exactly one expression of a list type is spliced in.
//
// Expressions may also speak of what is known at the launch only: host(pod, index),
// port(pod, index, name) and bindings.ALIAS.endpoints.NAME give a text in which the
// reference is marked, so that it can be joined to other text and can neither be
// cut nor be made by an option. dns(pod, index, task) is a name that is known
// before. docs/reference/service-yaml.md explains every field.
//
// The package is pure: it reads the given fs.FS and nothing else, and equal input
// gives equal output. Everything it reads is hostile and bounded (limits.go).
//
//	p, err := spec.Load(os.DirFS("packages/spark"))
//	o, err := p.Options([]byte(`{"worker":{"count":3}}`), "spark")
//	s, err := p.Render(o, "spark", map[string]string{"spark": "host/repo@sha256:…"}, nil)
package spec
