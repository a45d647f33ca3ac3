package constraint

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// genVersion draws from a small space, so that bounds and versions meet.
func genVersion() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.SampledFrom([]string{"0", "1", "2", "3", "18446744073709551615"})
		text := n.Draw(t, "major") + "." + n.Draw(t, "minor") + "." + n.Draw(t, "patch")
		if rapid.Bool().Draw(t, "has pre") {
			text += "-" + genPre().Draw(t, "pre")
		}
		if rapid.IntRange(0, 9).Draw(t, "has meta") == 0 {
			text += "+b1"
		}
		return text
	})
}

func genPre() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"0", "1", "a", "a.0", "a.1", "a.b", "b", "alpha", "rc.1", "-", "0.0",
		"99999999999999999999", "100000000000000000000"})
}

func genAtom() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		op := rapid.SampledFrom([]string{"", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"}).Draw(t, "op")
		n := rapid.SampledFrom([]string{"0", "1", "2", "01", "x", "*", "X", "18446744073709551615"})
		text := n.Draw(t, "n")
		for range rapid.IntRange(0, 2).Draw(t, "more") {
			text += "." + n.Draw(t, "n")
		}
		if rapid.IntRange(0, 2).Draw(t, "has pre") == 0 {
			text += "-" + genPre().Draw(t, "pre")
		}
		if rapid.IntRange(0, 9).Draw(t, "has meta") == 0 {
			text += "+m"
		}
		return op + rapid.SampledFrom([]string{"", " "}).Draw(t, "gap") + rapid.SampledFrom([]string{"", "v"}).Draw(t, "v") + text
	})
}

func genConstraint() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var groups []string
		for range rapid.IntRange(1, 3).Draw(t, "groups") {
			if rapid.IntRange(0, 5).Draw(t, "hyphen") == 0 {
				groups = append(groups, genVersion().Draw(t, "from")+" - "+genVersion().Draw(t, "to"))
				continue
			}
			var atoms []string
			for range rapid.IntRange(1, 3).Draw(t, "atoms") {
				atoms = append(atoms, genAtom().Draw(t, "atom"))
			}
			groups = append(groups, strings.Join(atoms, rapid.SampledFrom([]string{" ", ", ", ","}).Draw(t, "and")))
		}
		return strings.Join(groups, rapid.SampledFrom([]string{"||", " || ", " ||"}).Draw(t, "or"))
	})
}

// sample returns the versions that any bound of these tests can separate.
func sample() []Version {
	numbers := []string{"0", "1", "2", "3", "18446744073709551615"}
	pres := []string{"", "-0", "-1", "-a", "-a.0", "-a.1", "-a.b", "-b", "-rc.1", "-99999999999999999999"}
	var out []Version
	for _, a := range numbers {
		for _, b := range numbers {
			for _, c := range numbers {
				for _, pre := range pres {
					out = append(out, MustVersion(a+"."+b+"."+c+pre))
				}
			}
		}
	}
	SortVersions(out)
	return out
}

func drawSet(t *rapid.T, name string) Set {
	for {
		c, err := Parse(genConstraint().Draw(t, name))
		if err != nil {
			continue
		}
		if s, err := c.Set(); err == nil {
			return s
		}
	}
}

func TestSet_agreesWithCheck(t *testing.T) {
	versions := sample()
	rapid.Check(t, func(t *rapid.T) {
		text := genConstraint().Draw(t, "constraint")
		c, err := Parse(text)
		if err != nil {
			t.Skip("does not parse")
		}
		s, err := c.Set()
		if errors.Is(err, ErrNoIntervals) {
			t.Skip("no intervals")
		}
		if err != nil {
			t.Fatalf("Set of %q: %v", text, err)
		}
		for _, v := range versions {
			if got, want := s.Contains(v), c.Check(v); got != want {
				t.Fatalf("%q at %s: Set says %v, Check says %v; set %s", text, v, got, want, s)
			}
		}
		selected := map[int]bool{}
		s.Select(versions, func(i int) { selected[i] = true })
		for i, v := range versions {
			if selected[i] != s.Contains(v) {
				t.Fatalf("%q at %s: Select says %v", text, v, selected[i])
			}
		}
		if again := s.Union(s.Intersect(Full())); !again.Equal(s) {
			t.Fatalf("%q: not canonical: %s and %s", text, s, again)
		}
		if exact, ok := c.Exact(); ok && !Single(exact).Equal(s) {
			t.Fatalf("%q: Exact gives %s, the set is %s", text, exact, s)
		}
		if c.OpensPrereleases() != (len(s.pre) > 0) && c.OpensPrereleases() == false {
			t.Fatalf("%q: prereleases in %s, although no group opens them", text, s)
		}
	})
}

func TestSet_booleanAlgebra(t *testing.T) {
	versions := sample()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSet(t, "a"), drawSet(t, "b")
		union, both, not, minus := a.Union(b), a.Intersect(b), a.Complement(), a.Minus(b)
		for _, v := range versions {
			x, y := a.Contains(v), b.Contains(v)
			if union.Contains(v) != (x || y) || both.Contains(v) != (x && y) || not.Contains(v) == x || minus.Contains(v) != (x && !y) {
				t.Fatalf("wrong at %s: a %s, b %s", v, a, b)
			}
		}
		laws := map[string]bool{
			"double complement": not.Complement().Equal(a),
			"De Morgan":         union.Complement().Equal(not.Intersect(b.Complement())),
			"commutes":          union.Equal(b.Union(a)) && both.Equal(b.Intersect(a)),
			"absorbs":           a.Union(both).Equal(a) && a.Intersect(union).Equal(a),
			"subset":            both.SubsetOf(a) && a.SubsetOf(union) && a.SubsetOf(b) == minus.IsEmpty(),
			"excluded middle":   a.Union(not).Equal(Full()) && a.Intersect(not).IsEmpty(),
		}
		for name, holds := range laws {
			if !holds {
				t.Fatalf("%s does not hold for a %s, b %s", name, a, b)
			}
		}
	})
}

func TestDescribe_selectsTheSame(t *testing.T) {
	all := sample()
	rapid.Check(t, func(t *rapid.T) {
		var known []Version
		start := rapid.IntRange(0, len(all)-1).Draw(t, "start")
		for i := start; i < len(all) && len(known) < 12; i += rapid.IntRange(1, 4).Draw(t, "step") {
			if all[i].Patch() < 4 { // the last patch number has no upper bound to write
				known = append(known, all[i])
			}
		}
		mask := rapid.Uint64().Draw(t, "mask")
		keep := func(i int) bool { return mask>>i&1 == 1 }
		text := Describe(known, keep)
		if text == "none" {
			for i := range known {
				if keep(i) {
					t.Fatalf("none, although %s is kept", known[i])
				}
			}
			return
		}
		c, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range known {
			if c.Check(v) != keep(i) {
				t.Fatalf("%q at %s: want %v; known %v", text, v, keep(i), known)
			}
		}
	})
}
