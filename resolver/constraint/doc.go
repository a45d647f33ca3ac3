// Package constraint holds versions, version constraints and exact sets of
// versions.
//
// It is the only package that imports Masterminds/semver, whose version 3
// syntax and rules are the ones package authors know from Helm. A [Version] is
// a strict semantic version 2.0.0. A [Constraint] keeps the author's text and
// decides membership with the library itself, so that every special case of the
// library holds here too. A [Set] is the same membership as intervals: closed
// under union, intersection and complement, and in canonical form, so that two
// sets with the same members are equal.
//
// Everything is pure: no input, output, clock or shared state.
//
//	c, err := constraint.Parse(">=3.3 <4.0.0-0")
//	v, err := constraint.ParseVersion("3.4.1")
//	ok := c.Check(v) // true
package constraint
