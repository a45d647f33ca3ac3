package spec

import (
	"fmt"
	"reflect"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// Bindings says which service meets each requirement of a package, by the
// requirement's alias. One that is optional may be absent.
type Bindings map[string]cluster.ServiceID

// Requirements lists all requirements of the package by alias: its own, and as
// optional ones those of its features.
func (p *Package) Requirements() map[string]catalog.Requirement {
	out := map[string]catalog.Requirement{}
	for _, f := range p.Meta.Features {
		for _, q := range f.Requires {
			q.Optional = true
			out[q.As()] = q
		}
	}
	for _, q := range p.Meta.Requires {
		out[q.As()] = q
	}
	return out
}

// bindingsType declares the root bindings: for each alias its endpoints and
// exports, whose names only the other package knows.
func bindingsType(t *typeTable, reqs map[string]catalog.Requirement) *cel.Type {
	texts := cel.MapType(cel.StringType, cel.StringType)
	one := t.add(typePrefix+rootBindings+".one", map[string]*cel.Type{cluster.RefEndpoint: texts, cluster.RefExport: texts})
	fields := map[string]*cel.Type{}
	for alias := range reqs {
		fields[alias] = one
	}
	return t.add(typePrefix+rootBindings, fields)
}

// values are the bindings as expressions see them.
func (b Bindings) values() map[string]any {
	out := map[string]any{}
	for alias, id := range b {
		out[alias] = map[string]any{
			cluster.RefEndpoint: named{id, cluster.RefEndpoint},
			cluster.RefExport:   named{id, cluster.RefExport},
		}
	}
	return out
}

// checkBindings sees that the bindings are of the package and name services.
func (p *Package) checkBindings(b Bindings) error {
	reqs := p.Requirements()
	for _, alias := range sortedKeys(b) {
		if _, ok := reqs[alias]; !ok {
			return problem.New(problem.Invalid, "%s", didYouMean(fmt.Sprintf("package %s has no requirement %q", p.Meta.Name, clip(alias)), alias, sortedKeys(reqs)))
		}
		if !validName(string(b[alias]), catalog.MaxNameBytes) {
			return problem.New(problem.Invalid, "requirement %s is bound to %q, which is no service id", alias, clip(string(b[alias])))
		}
	}
	return nil
}

// standInBindings binds every requirement, or only those that are not optional,
// to a service that only looks like one.
func (p *Package) standInBindings(optional bool) Bindings {
	out := Bindings{}
	for alias, q := range p.Requirements() {
		if optional || !q.Optional {
			out[alias] = "bound"
		}
	}
	return out
}

// hasOptional reports whether a requirement may be unbound.
func (p *Package) hasOptional() bool {
	reqs := p.Requirements()
	return slices.ContainsFunc(sortedKeys(reqs), func(a string) bool { return reqs[a].Optional })
}

// named is the mapping of the endpoints or exports of a service: every name
// gives a launch-time reference.
type named struct {
	id    cluster.ServiceID
	field string
}

// Find implements traits.Mapper.
func (n named) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	r := cluster.Ref{Service: n.id, Field: n.field, Port: string(name)}
	if back, valid := cluster.ParseRef(r.String()); !ok || !valid || back != r {
		return nil, false
	}
	return marked(r), true
}

// Get implements traits.Indexer.
func (n named) Get(key ref.Val) ref.Val {
	if v, ok := n.Find(key); ok {
		return v
	}
	return types.NewErr("%v is no name of one of the %s of a service", key.Value(), n.field)
}

// Contains implements traits.Container: what is there is known at the launch.
func (n named) Contains(ref.Val) ref.Val { return n.unknown() }

// Iterator implements traits.Iterable.
func (n named) Iterator() traits.Iterator {
	return types.NewStringStringMap(types.DefaultTypeAdapter, nil).Iterator()
}

// Size implements traits.Sizer.
func (n named) Size() ref.Val { return n.unknown() }

// Equal implements ref.Val.
func (n named) Equal(ref.Val) ref.Val { return n.unknown() }

// Type implements ref.Val.
func (n named) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (n named) Value() any { return map[string]string{} }

// ConvertToNative implements ref.Val.
func (n named) ConvertToNative(reflect.Type) (any, error) {
	return nil, fmt.Errorf("the %s of a service are not known before the launch", n.field)
}

// ConvertToType implements ref.Val.
func (n named) ConvertToType(ref.Type) ref.Val { return n.unknown() }

func (n named) unknown() ref.Val {
	return types.NewErr("which %s a service has is not known before the launch", n.field)
}
