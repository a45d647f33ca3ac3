package cluster

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys gives a map's keys in order: nothing visible may follow map order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
