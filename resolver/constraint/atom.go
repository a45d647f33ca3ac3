package constraint

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// ErrNoIntervals reports a constraint whose members are no finite union of
// intervals: "!=1.2.x-pre", which takes out one prerelease of every patch
// release. Check works for it; Set does not.
var ErrNoIntervals = errors.New("the members of this constraint are no finite set of ranges")

// atom is one comparison of a constraint. parts counts the numbers written
// before the first wildcard: 0 for "*", 3 for a full version.
type atom struct {
	op    string
	at    triple
	pre   string
	parts int
}

// opened tells whether a group of atoms admits prereleases.
func opened(group []atom) bool {
	for _, a := range group {
		if a.pre != "" {
			return true
		}
	}
	return false
}

// atomsOf reads back the canonical print of the library: atoms "op+version"
// joined by one blank, groups by " || ".
func atomsOf(c *semver.Constraints) ([][]atom, error) {
	var groups [][]atom
	for _, g := range strings.Split(c.String(), " || ") {
		var group []atom
		for _, text := range strings.Split(g, " ") {
			a, err := parseAtom(text)
			if err != nil {
				return nil, err
			}
			group = append(group, a)
		}
		groups = append(groups, group)
	}
	return groups, nil
}

func parseAtom(text string) (atom, error) {
	rest := strings.TrimLeft(text, "=!<>~^")
	a := atom{op: text[:len(text)-len(rest)]}
	rest = strings.TrimPrefix(rest, "v")
	rest, _, _ = strings.Cut(rest, "+")
	numbers, pre, _ := strings.Cut(rest, "-")
	a.pre = pre
	into := [3]*uint64{&a.at.major, &a.at.minor, &a.at.patch}
	for i, n := range strings.SplitN(numbers, ".", 3) {
		if n == "x" || n == "X" || n == "*" {
			break
		}
		u, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			return atom{}, fmt.Errorf("%q: %w", text, err)
		}
		*into[i] = u
		a.parts++
	}
	return a, nil
}

// ranges returns the members of the atom by the rules of the library
// (constraints.go of Masterminds/semver v3.5.0).
func (a atom) ranges() (Set, error) {
	low := before(a.at, a.pre)
	switch a.op {
	case "", "=":
		if a.parts == 3 {
			return between(low, after(a.at, a.pre)), nil
		}
		return a.tilde(low), nil
	case "~", "~>":
		return a.tilde(low), nil
	case "^":
		return a.caret(low), nil
	case ">=", "=>":
		return between(low, top), nil
	case "<":
		return between(bottom, low), nil
	case ">":
		if a.parts == 1 || a.parts == 2 {
			return between(floor(a.at.next(a.parts)), top), nil
		}
		return between(after(a.at, a.pre), top), nil
	case "<=", "=<":
		switch a.parts {
		case 0: // "<=*" is "<0.1.0-0" in the library
			return between(bottom, floor(a.at.next(2))), nil
		case 3:
			return between(bottom, after(a.at, a.pre)), nil
		}
		return between(bottom, floor(a.at.next(a.parts))), nil
	case "!=":
		return a.unequal(low)
	}
	return Set{}, fmt.Errorf("unknown operator %q", a.op)
}

func (a atom) tilde(low cut) Set {
	zero := a.at == triple{} && (a.parts == 3 || a.parts == 0)
	switch {
	case zero: // "*" and, a special case of the library, "~0.0.0"
		return between(low, top)
	case a.parts == 1:
		return between(low, floor(a.at.next(1)))
	}
	return between(low, floor(a.at.next(2)))
}

func (a atom) caret(low cut) Set {
	switch {
	case a.at.major > 0 || a.parts == 1:
		return between(low, floor(a.at.next(1)))
	case a.at.minor > 0 || a.parts == 2:
		return between(low, floor(a.at.next(2)))
	}
	return between(low, floor(a.at.next(3))) // also "^*", which is "^0.0.0" in the library
}

func (a atom) unequal(low cut) (Set, error) {
	switch a.parts {
	case 1:
		return between(floor(triple{major: a.at.major}), floor(a.at.next(1))).Complement(), nil
	case 2:
		if a.pre != "" {
			return Set{}, ErrNoIntervals
		}
		// The library takes out the releases only.
		out := between(floor(a.at), floor(a.at.next(2)))
		out.pre = nil
		return out.Complement(), nil
	}
	return between(low, after(a.at, a.pre)).Complement(), nil
}
