package constraint

import "strings"

// Describe returns the shortest constraint text in the usual form that selects,
// among the known versions, exactly those for which keep is true. The list must
// be sorted by [Order]. Text for no version is "none". Two known versions that
// differ only in build metadata cannot be told apart by a constraint.
func Describe(known []Version, keep func(i int) bool) string {
	prereleases := false
	for i := range known {
		prereleases = prereleases || (known[i].IsPrerelease() && keep(i))
	}
	list := make([]picked, 0, len(known))
	for i := range known {
		// A text without prereleases passes over them: they break no run.
		if prereleases || !known[i].IsPrerelease() {
			list = append(list, picked{&known[i], keep(i)})
		}
	}
	var groups []string
	for from := 0; from < len(list); from++ {
		if !list[from].keep {
			continue
		}
		to := from
		for to+1 < len(list) && list[to+1].keep {
			to++
		}
		groups = append(groups, describeRun(list, from, to))
		from = to
	}
	if len(groups) == 0 {
		return "none"
	}
	return strings.Join(groups, " || ")
}

type picked struct {
	*Version
	keep bool
}

// describeRun words the run list[from..to].
func describeRun(list []picked, from, to int) string {
	low, high := list[from], list[to]
	atStart, atEnd := from == 0, to == len(list)-1
	open := false
	for _, p := range list[from : to+1] {
		open = open || p.IsPrerelease()
	}
	switch {
	case atStart && atEnd && open:
		return ">=0.0.0-0"
	case atStart && atEnd:
		return "*"
	case from == to:
		return low.String()
	}
	var atoms []string
	if !atStart {
		atoms = append(atoms, ">="+low.String())
	}
	spoken := !atStart && low.IsPrerelease() // some atom opens the group to prereleases
	switch {
	case open && !spoken && !high.IsPrerelease():
		if next := tripleOf(*high.Version).next(3); !next.end {
			atoms = append(atoms, "<"+next.String()+"-0")
		}
	case !atEnd || (open && !spoken):
		atoms = append(atoms, "<="+high.String())
	}
	return strings.Join(atoms, " ")
}
