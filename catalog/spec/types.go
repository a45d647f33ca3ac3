package spec

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The names that stand first in an expression.
const (
	rootOptions = "options"
	rootPackage = "package"
	rootService = "service"
	rootArgs    = "args"
	// rootBindings holds what other services give, by the requirement's alias.
	rootBindings = "bindings"
)

// typePrefix keeps the names of our object types apart from variables: without
// it the checker would take options.worker for the type of that name.
const typePrefix = "$"

// typeTable is a CEL type provider whose objects are the groups of options;
// their values are map[string]any. It is filled by Load and then only read.
type typeTable struct {
	*types.Registry
	objects map[string]map[string]*types.FieldType
}

func newTypeTable() *typeTable {
	r, err := types.NewRegistry()
	if err != nil {
		panic(fmt.Sprintf("the CEL standard types: %v", err)) // constant input
	}
	return &typeTable{r, map[string]map[string]*types.FieldType{}}
}

// add declares an object type and gives it.
func (t *typeTable) add(name string, fields map[string]*cel.Type) *cel.Type {
	out := make(map[string]*types.FieldType, len(fields))
	for f, typ := range fields {
		out[f] = &types.FieldType{
			Type: typ,
			IsSet: func(v any) bool {
				m, _ := v.(map[string]any)
				_, ok := m[f]
				return ok
			},
			GetFrom: func(v any) (any, error) {
				m, _ := v.(map[string]any)
				e, ok := m[f]
				switch {
				case !ok && name == typePrefix+rootBindings:
					return nil, fmt.Errorf("the requirement %s is not bound; ask first: bound(%q) ? … : …", f, f)
				case !ok:
					return nil, fmt.Errorf("%s is not set", f)
				}
				return e, nil
			},
		}
	}
	t.objects[name] = out
	return cel.ObjectType(name)
}

// FindStructType gives the type of a declared object.
func (t *typeTable) FindStructType(name string) (*types.Type, bool) {
	if _, ok := t.objects[name]; ok {
		return types.NewTypeTypeWithParam(cel.ObjectType(name)), true
	}
	return t.Registry.FindStructType(name)
}

// FindStructFieldNames lists the fields of a declared object.
func (t *typeTable) FindStructFieldNames(name string) ([]string, bool) {
	if o, ok := t.objects[name]; ok {
		return sortedKeys(o), true
	}
	return t.Registry.FindStructFieldNames(name)
}

// FindStructFieldType gives the type of a field of a declared object.
func (t *typeTable) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if o, ok := t.objects[name]; ok {
		f, ok := o[field]
		return f, ok
	}
	return t.Registry.FindStructFieldType(name, field)
}

// NewValue refuses to make objects: expressions read options and make none.
func (t *typeTable) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("values of %s cannot be made in an expression", strings.TrimPrefix(name, typePrefix))
}

// typeName says a type in words.
func typeName(t *cel.Type) string {
	switch t.Kind() {
	case types.IntKind, types.UintKind:
		return "an integer"
	case types.DoubleKind:
		return "a number"
	case types.BoolKind:
		return "true or false"
	case types.StringKind:
		return "text"
	case types.ListKind:
		return "a list"
	case types.MapKind:
		return "a mapping"
	case types.NullTypeKind:
		return "null"
	case types.DynKind, types.AnyKind:
		return "a value of any type"
	case types.BytesKind:
		return "bytes"
	case types.TimestampKind:
		return "a time"
	case types.DurationKind:
		return "a duration"
	case types.TypeKind:
		return "a type"
	case types.StructKind:
		return "the group " + strings.TrimPrefix(t.TypeName(), typePrefix)
	}
	return "a " + t.TypeName()
}
