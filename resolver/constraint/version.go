package constraint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// MaxVersionLen is the longest version text in bytes that [ParseVersion] reads.
const MaxVersionLen = semver.MaxVersionLen

// Version is one semantic version (semver.org, 2.0.0). Build metadata is kept
// and printed, but versions that differ only in it compare as equal. The zero
// Version stands for "no version"; see [Version.IsZero]. Versions can be
// compared with == and used as map keys: equal text, equal value.
type Version struct {
	v semver.Version
}

// ParseVersion reads a strict semantic version: three numbers, no leading
// zeros, no "v", at most [MaxVersionLen] bytes.
func ParseVersion(text string) (Version, error) {
	v, err := semver.StrictNewVersion(text)
	if err != nil {
		if len(text) > MaxVersionLen {
			text = text[:32] + "..."
		}
		return Version{}, fmt.Errorf("version %q is not a semantic version such as 1.4.0 or 2.0.0-rc.1: %w", text, err)
	}
	return Version{*v}, nil
}

// MustVersion is [ParseVersion] for constants in code and tests: it panics on
// bad text.
func MustVersion(text string) Version {
	v, err := ParseVersion(text)
	if err != nil {
		panic(err)
	}
	return v
}

// String returns the version as text, or "" for the zero Version.
func (v Version) String() string { return v.v.Original() }

// IsZero tells whether v is the zero Version, which is not 0.0.0.
func (v Version) IsZero() bool { return v.v.Original() == "" }

// IsPrerelease tells whether v has a prerelease part, as in 1.0.0-rc.1.
func (v Version) IsPrerelease() bool { return v.v.Prerelease() != "" }

// Major returns the first number.
func (v Version) Major() uint64 { return v.v.Major() }

// Minor returns the second number.
func (v Version) Minor() uint64 { return v.v.Minor() }

// Patch returns the third number.
func (v Version) Patch() uint64 { return v.v.Patch() }

// Prerelease returns the part after "-", without it, or "".
func (v Version) Prerelease() string { return v.v.Prerelease() }

// Release returns the release that v is or leads to: v without its prerelease
// part and build metadata.
func (v Version) Release() Version {
	return Version{*semver.New(v.Major(), v.Minor(), v.Patch(), "", "")}
}

// Metadata returns the build metadata after "+", without it, or "".
func (v Version) Metadata() string { return v.v.Metadata() }

// Compare orders by semantic version precedence and returns -1, 0 or 1. Build
// metadata does not count.
func (v Version) Compare(o Version) int { return v.v.Compare(&o.v) }

// Equal tells whether both are the same text, build metadata included. Use
// Compare()==0 for equal precedence.
func (v Version) Equal(o Version) bool { return v == o }

// MarshalText returns the version as text.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what [ParseVersion] reads.
func (v *Version) UnmarshalText(text []byte) error {
	p, err := ParseVersion(string(text))
	if err != nil {
		return err
	}
	*v = p
	return nil
}

// Order is the total order used for lists: precedence, then, for versions that
// differ only in build metadata, text.
func Order(a, b Version) int {
	if c := a.Compare(b); c != 0 {
		return c
	}
	return strings.Compare(a.String(), b.String())
}

// SortVersions sorts ascending by [Order].
func SortVersions(list []Version) { slices.SortFunc(list, Order) }

// Nearest returns the members of list that stand next to want: the highest at
// or below it and the lowest above it. A missing neighbour is the zero Version.
// The list need not be sorted. Messages about an unknown version use it.
func Nearest(list []Version, want Version) (below, above Version) {
	for _, v := range list {
		if v.Compare(want) <= 0 {
			if below.IsZero() || Order(v, below) > 0 {
				below = v
			}
		} else if above.IsZero() || Order(v, above) < 0 {
			above = v
		}
	}
	return below, above
}

// Newest returns the highest version of list that passes c, preferring releases
// to prereleases, or the zero Version if none passes.
func Newest(list []Version, c Constraint) Version {
	var best Version
	for _, v := range list {
		if !c.Check(v) {
			continue
		}
		switch {
		case best.IsZero(),
			best.IsPrerelease() && !v.IsPrerelease(),
			best.IsPrerelease() == v.IsPrerelease() && Order(v, best) > 0:
			best = v
		}
	}
	return best
}
