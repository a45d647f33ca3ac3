package command

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys gives a map's keys in order: nothing printed may follow map order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// unique gives the different values of list in order.
func unique(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}
