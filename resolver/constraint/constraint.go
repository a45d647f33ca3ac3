package constraint

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

const (
	// MaxLen is the longest constraint text in bytes that [Parse] reads.
	MaxLen = semver.MaxConstraintLen
	// MaxGroups is the largest number of groups joined by "||".
	MaxGroups = semver.MaxConstraintGroups
)

// ErrTooLong reports a constraint over [MaxLen] bytes or [MaxGroups] groups.
var ErrTooLong = errors.New("constraint is too long")

// Constraint says which versions of a package will do, in Masterminds/semver v3
// syntax: "^3.8", ">=1.2 <2.0.0-0", "1.4.x || 2.x". The zero Constraint is "*":
// any release, no prerelease. Constraints are immutable.
type Constraint struct {
	p *parsed
}

type parsed struct {
	text   string // as the author wrote it
	checks *semver.Constraints
	groups [][]atom
}

// Any is the constraint "*": every release, no prerelease.
var Any = MustParse("*")

// Parse reads a constraint. Blank text means [Any]. The text is kept as written
// for messages; see [Constraint.String].
func Parse(text string) (Constraint, error) {
	if len(text) > MaxLen {
		return Constraint{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(text), MaxLen)
	}
	if n := strings.Count(text, "||") + 1; n > MaxGroups {
		return Constraint{}, fmt.Errorf("%w: %d alternatives, at most %d", ErrTooLong, n, MaxGroups)
	}
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		trimmed = "*"
	}
	checks, err := semver.NewConstraint(spaced(trimmed))
	if err != nil {
		return Constraint{}, fmt.Errorf("version constraint %q cannot be read (examples: \"^3.8\", \">=1.2 <2\", \"1.4.x || 2.x\"): %w", text, err)
	}
	groups, err := atomsOf(checks)
	if err != nil {
		return Constraint{}, fmt.Errorf("version constraint %q cannot be read: %w", text, err)
	}
	return Constraint{&parsed{text: trimmed, checks: checks, groups: groups}}, nil
}

// spaced puts one blank on both sides of every "||". Without them the library
// takes "||2" for a part of the number before it. Blanks are removed first, so
// that the text grows by at most two bytes a group; runs of blanks elsewhere
// are made one.
func spaced(text string) string {
	groups := strings.Split(text, "||")
	for i, g := range groups {
		groups[i] = strings.Join(strings.Fields(g), " ")
	}
	return strings.Join(groups, " || ")
}

// MustParse is [Parse] for constants in code and tests: it panics on bad text.
func MustParse(text string) Constraint {
	c, err := Parse(text)
	if err != nil {
		panic(err)
	}
	return c
}

// Exactly returns the constraint "=v".
func Exactly(v Version) Constraint { return MustParse("=" + v.String()) }

func (c Constraint) inner() *parsed {
	if c.p == nil {
		return Any.p
	}
	return c.p
}

// String returns the author's text without blanks around it.
func (c Constraint) String() string { return c.inner().text }

// IsAny tells whether c is written "*" or is the zero Constraint.
func (c Constraint) IsAny() bool { return c.inner().text == "*" }

// IsZero tells whether c is the zero Constraint; encoding/json uses it for
// omitzero.
func (c Constraint) IsZero() bool { return c.p == nil }

// Check tells whether v passes. A prerelease passes only a group in which some
// version is itself written with a prerelease (Masterminds/semver, "Working
// With Prerelease Versions").
func (c Constraint) Check(v Version) bool { return c.inner().checks.Check(&v.v) }

// Equal tells whether both have the same text. Two texts can still have the
// same members: compare their sets for that.
func (c Constraint) Equal(o Constraint) bool { return c.String() == o.String() }

// Exact returns the one version that c admits, if c is written as a single
// "=1.2.3" or "1.2.3".
func (c Constraint) Exact() (Version, bool) {
	g := c.inner().groups
	if len(g) != 1 || len(g[0]) != 1 {
		return Version{}, false
	}
	a := g[0][0]
	if (a.op != "" && a.op != "=") || a.parts != 3 {
		return Version{}, false
	}
	return Version{*semver.New(a.at.major, a.at.minor, a.at.patch, a.pre, "")}, true
}

// OpensPrereleases tells whether some group of c admits prereleases.
func (c Constraint) OpensPrereleases() bool {
	for _, g := range c.inner().groups {
		if opened(g) {
			return true
		}
	}
	return false
}

// MarshalText returns the author's text.
func (c Constraint) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what [Parse] reads.
func (c *Constraint) UnmarshalText(text []byte) error {
	p, err := Parse(string(text))
	if err != nil {
		return err
	}
	*c = p
	return nil
}
