package resolver_test

import (
	"errors"
	"fmt"

	"github.com/universe-dcos/universe/resolver"
)

// checkProof verifies each step of a proof by its meaning: for every package
// that two premises speak about, try all values; a conclusion must forbid what
// the premises forbid together.
func checkProof(n *resolver.NoSolution) error {
	if len(n.Proof) == 0 {
		return errors.New("the proof is empty")
	}
	used := make([]bool, len(n.Proof))
	used[len(used)-1] = true
	for i, s := range n.Proof {
		if s.Fact != nil {
			continue
		}
		a, b := s.From[0], s.From[1]
		if a >= i || b >= i {
			return fmt.Errorf("step %d uses a later step", i)
		}
		used[a], used[b] = true, true
		if err := follows(s.Terms, n.Proof[a].Terms, n.Proof[b].Terms); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	for i, u := range used {
		if !u {
			return fmt.Errorf("step %d is unused", i)
		}
	}
	if last := n.Proof[len(n.Proof)-1]; len(last.Terms) > 0 {
		return fmt.Errorf("the conclusion still has terms: %v", last.Terms)
	}
	return nil
}

// follows checks that whatever makes all terms of the conclusion hold makes all
// terms of one premise hold. Values of one package are independent of those of
// another, so it is enough that for at most one package (the one resolved upon)
// neither premise's term covers the conclusion's, while together they do.
func follows(conclusion, a, b []resolver.Term) error {
	keys := map[string]bool{}
	for _, l := range [][]resolver.Term{conclusion, a, b} {
		for _, t := range l {
			keys[key(t)] = true
		}
	}
	pivots := 0
	for k := range keys {
		dom := domain(k, conclusion, a, b)
		c, x, y := values(k, dom, conclusion), values(k, dom, a), values(k, dom, b)
		inBoth, inEither := true, true
		for v := range dom {
			if c[v] && !(x[v] && y[v]) {
				inBoth = false
			}
			if c[v] && !(x[v] || y[v]) {
				inEither = false
			}
		}
		if !inEither {
			return fmt.Errorf("the premises do not cover %s", k)
		}
		if !inBoth {
			pivots++
		}
	}
	if pivots > 1 {
		return fmt.Errorf("resolved on %d packages at once", pivots)
	}
	return nil
}

func key(t resolver.Term) string {
	return fmt.Sprint(t.Kind, " ", t.Package, " ", t.Feature, " ", t.Constraint)
}

const notChosen = "not chosen"

func domain(k string, lists ...[]resolver.Term) map[string]bool {
	d := map[string]bool{notChosen: true}
	for _, l := range lists {
		for _, t := range l {
			if key(t) != k {
				continue
			}
			for _, v := range t.Versions.Known {
				d[v.String()] = true
			}
			for _, p := range t.KnownProviders {
				d[p] = true
			}
			if t.Kind == resolver.TermFeature {
				d["on"] = true
			}
		}
	}
	return d
}

// values of a package at which the list's term about it holds; all, if it has none.
func values(k string, dom map[string]bool, list []resolver.Term) map[string]bool {
	for _, t := range list {
		if key(t) != k {
			continue
		}
		named := map[string]bool{}
		for _, v := range t.Versions.List() {
			named[v.String()] = true
		}
		for _, p := range t.Providers() {
			named[p] = true
		}
		if t.Kind == resolver.TermFeature {
			named["on"] = true
		}
		out := map[string]bool{}
		for v := range dom {
			out[v] = named[v] != t.Negated
		}
		return out
	}
	return dom
}
