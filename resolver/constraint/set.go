package constraint

import (
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Set is an exact set of versions: intervals read at releases and intervals
// read at prereleases. The split is needed because "every release from 1.0.0"
// leaves a hole of prereleases below each release and so is no finite union of
// intervals over all versions. Sets are immutable and canonical: two sets with
// the same members are equal by [Set.Equal]. The zero Set is empty.
//
// Versions whose numeric prerelease identifiers exceed 64 bits are ordered as
// Masterminds/semver orders them.
type Set struct {
	rel []span[triple]
	pre []span[point]
}

// triple is the three numbers of a version; end marks the place after all.
type triple struct {
	major, minor, patch uint64
	end                 bool
}

// next returns the least triple after all that share the first n numbers of t.
func (t triple) next(n int) triple {
	parts := [3]uint64{t.major, t.minor, t.patch}
	for i := n; i < 3; i++ {
		parts[i] = 0
	}
	for i := n - 1; i >= 0; i-- {
		if parts[i] != math.MaxUint64 {
			parts[i]++
			return triple{major: parts[0], minor: parts[1], patch: parts[2]}
		}
		parts[i] = 0
	}
	return triple{end: true}
}

func (t triple) compare(o triple) int {
	switch {
	case t.end || o.end:
		return bools(t.end, o.end)
	case t.major != o.major:
		return order(t.major, o.major)
	case t.minor != o.minor:
		return order(t.minor, o.minor)
	}
	return order(t.patch, o.patch)
}

func bools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func order(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// point is a prerelease.
type point struct {
	at  triple
	pre string
}

func (p point) compare(o point) int {
	if c := p.at.compare(o.at); c != 0 || p.pre == o.pre || p.at.end {
		return c
	}
	return semver.New(0, 0, 0, p.pre, "").Compare(semver.New(0, 0, 0, o.pre, ""))
}

// cut is a place between versions: the first release and the first prerelease
// that stand after it.
type cut struct {
	rel triple
	pre point
}

// lowest is the prerelease part that sorts before all others.
const lowest = "0"

var (
	bottom = floor(triple{})
	top    = floor(triple{end: true})
)

// floor is the cut before all versions with the numbers t or higher.
func floor(t triple) cut { return cut{t, floorPoint(t)} }

func floorPoint(t triple) point {
	if t.end {
		return point{at: t}
	}
	return point{t, lowest}
}

// before is the cut just below a version.
func before(t triple, pre string) cut {
	if pre == "" {
		return cut{t, floorPoint(t.next(3))}
	}
	return cut{t, point{t, pre}}
}

// after is the cut just above a version. The next prerelease after "a" is
// "a.0".
func after(t triple, pre string) cut {
	if pre == "" {
		return floor(t.next(3))
	}
	return cut{t, point{t, pre + "." + lowest}}
}

// between is the set of versions from one cut to another.
func between(low, high cut) Set {
	return Set{
		rel: normal([]span[triple]{{low.rel, high.rel}}),
		pre: normal([]span[point]{{low.pre, high.pre}}),
	}
}

// Full is the set of all versions, prereleases included.
func Full() Set { return between(bottom, top) }

// Single is the set of one version (and those that differ from it only in build
// metadata).
func Single(v Version) Set {
	t := tripleOf(v)
	return between(before(t, v.Prerelease()), after(t, v.Prerelease()))
}

func tripleOf(v Version) triple {
	return triple{major: v.Major(), minor: v.Minor(), patch: v.Patch()}
}

// Set returns the members of c: Contains agrees with Check for every version.
// The error is [ErrNoIntervals].
func (c Constraint) Set() (Set, error) {
	var all Set
	for _, g := range c.inner().groups {
		group := Full()
		for _, a := range g {
			s, err := a.ranges()
			if err != nil {
				return Set{}, err
			}
			group = group.Intersect(s)
		}
		if !opened(g) {
			group.pre = nil
		}
		all = all.Union(group)
	}
	return all, nil
}

// Contains tells whether v is a member.
func (s Set) Contains(v Version) bool {
	t := tripleOf(v)
	if v.IsPrerelease() {
		return contains(s.pre, point{t, v.Prerelease()})
	}
	return contains(s.rel, t)
}

// Select calls yield with the index of each known version that is a member. The
// list must be sorted by [Order]. It takes time for the members and, beyond
// them, only logarithmic time for the list.
func (s Set) Select(known []Version, yield func(i int)) {
	for _, r := range s.rel {
		from := sort.Search(len(known), func(i int) bool { return tripleOf(known[i]).compare(r.low) >= 0 })
		for i := from; i < len(known) && tripleOf(known[i]).compare(r.high) < 0; i++ {
			if !known[i].IsPrerelease() {
				yield(i)
			}
		}
	}
	for _, p := range s.pre {
		from := sort.Search(len(known), func(i int) bool { return !isBelow(known[i], p.low) })
		for i := from; i < len(known) && isBelow(known[i], p.high); i++ {
			if known[i].IsPrerelease() {
				yield(i)
			}
		}
	}
}

// isBelow tells whether v sorts before the prerelease p.
func isBelow(v Version, p point) bool {
	if c := tripleOf(v).compare(p.at); c != 0 || p.at.end {
		return c < 0
	}
	return v.IsPrerelease() && point{p.at, v.Prerelease()}.compare(p) < 0
}

// IsEmpty tells whether s has no member.
func (s Set) IsEmpty() bool { return len(s.rel) == 0 && len(s.pre) == 0 }

// Equal tells whether both have the same members.
func (s Set) Equal(o Set) bool {
	return slices.Equal(s.rel, o.rel) && slices.Equal(s.pre, o.pre)
}

// Union returns the versions in either set.
func (s Set) Union(o Set) Set {
	return Set{
		normal(slices.Concat(s.rel, o.rel)),
		normal(slices.Concat(s.pre, o.pre)),
	}
}

// Intersect returns the versions in both sets.
func (s Set) Intersect(o Set) Set {
	return Set{intersect(s.rel, o.rel), intersect(s.pre, o.pre)}
}

// Complement returns the versions not in s.
func (s Set) Complement() Set {
	return Set{
		complement(s.rel, bottom.rel, top.rel),
		complement(s.pre, bottom.pre, top.pre),
	}
}

// Minus returns the versions in s and not in o.
func (s Set) Minus(o Set) Set { return s.Intersect(o.Complement()) }

// SubsetOf tells whether every member of s is in o.
func (s Set) SubsetOf(o Set) bool { return s.Intersect(o).Equal(s) }

// String describes the set for tests and traces: intervals of releases, then,
// after "pre", those of prereleases.
func (s Set) String() string {
	var b strings.Builder
	for _, r := range s.rel {
		b.WriteString("[" + r.low.String() + "," + r.high.String() + ")")
	}
	if len(s.pre) > 0 {
		b.WriteString("pre")
	}
	for _, p := range s.pre {
		b.WriteString("[" + p.low.String() + "," + p.high.String() + ")")
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

func (t triple) String() string {
	if t.end {
		return "end"
	}
	return semver.New(t.major, t.minor, t.patch, "", "").String()
}

func (p point) String() string {
	if p.at.end {
		return "end"
	}
	return p.at.String() + "-" + p.pre
}
