package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/universe-dcos/universe/resolver"
	"github.com/universe-dcos/universe/resolver/constraint"
	"github.com/universe-dcos/universe/resolver/explain"
)

// catalog is a source that the test files write line by line:
//
//	spark 3.5.0: hdfs ^3.3, zookeeper
//	  conflicts hive <2
//	  provides compute 1.0.0
//	  feature tls: vault ^1
//	  optional metrics ^2
//	  yanked reason | deprecated reason | unusable reason
type catalog struct {
	releases map[string][]resolver.Release
}

func (c *catalog) Releases(_ context.Context, name string) ([]resolver.Release, error) {
	return c.releases[name], nil
}

func (c *catalog) Providers(_ context.Context, name string) ([]string, error) {
	var out []string
	for pkg, list := range c.releases {
		for _, r := range list {
			if slices.ContainsFunc(r.Provides, func(p resolver.Provide) bool { return p.Name == name }) {
				out = append(out, pkg)
			}
		}
	}
	return out, nil
}

func (c *catalog) Names(context.Context) ([]string, error) {
	var out []string
	for pkg := range c.releases {
		out = append(out, pkg)
	}
	return out, nil
}

func parseDeps(t *testing.T, text string) []resolver.Dependency {
	t.Helper()
	var out []resolver.Dependency
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, con, _ := strings.Cut(part, " ")
		d := resolver.Dependency{}
		if at := strings.Index(name, "["); at >= 0 {
			d.Features = strings.Split(strings.Trim(name[at:], "[]"), "+")
			name = name[:at]
		}
		c, err := constraint.Parse(con)
		if err != nil {
			t.Fatal(err)
		}
		d.Name, d.Constraint = name, c
		out = append(out, d)
	}
	return out
}

func parseCatalog(t *testing.T, text string) *catalog {
	t.Helper()
	c := &catalog{releases: map[string][]resolver.Release{}}
	var name string
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
		case !strings.HasPrefix(line, " "):
			head, deps, _ := strings.Cut(line, ":")
			var v string
			name, v, _ = strings.Cut(head, " ")
			c.releases[name] = append(c.releases[name], resolver.Release{
				Version: constraint.MustVersion(strings.TrimSpace(v)), Requires: parseDeps(t, deps)})
		default:
			list := c.releases[name]
			parseDetail(t, &list[len(list)-1], strings.TrimSpace(line))
		}
	}
	return c
}

func parseDetail(t *testing.T, r *resolver.Release, line string) {
	t.Helper()
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "conflicts":
		for _, d := range parseDeps(t, rest) {
			r.Conflicts = append(r.Conflicts, resolver.Conflict{Name: d.Name, Constraint: d.Constraint})
		}
	case "provides":
		name, v, _ := strings.Cut(rest, " ")
		r.Provides = append(r.Provides, resolver.Provide{Name: name, Version: constraint.MustVersion(v)})
	case "feature":
		name, deps, _ := strings.Cut(rest, ":")
		r.Features = append(r.Features, resolver.Feature{Name: name, Requires: parseDeps(t, deps)})
	case "optional":
		for _, d := range parseDeps(t, rest) {
			d.Optional = true
			r.Requires = append(r.Requires, d)
		}
	case "yanked":
		r.Yanked = rest
	case "deprecated":
		r.Deprecated = rest
	case "unusable":
		r.Unusable = rest
	default:
		t.Fatalf("unknown line %q", line)
	}
}

// TestExplain runs testdata: "catalog" sets what exists; "solve", with
// arguments installed=(a@1.0.0) and pins=(a@^1), answers the requirements.
func TestExplain(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var c *catalog
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "catalog":
				c = parseCatalog(t, d.Input)
				return ""
			case "solve":
				return solve(t, c, d)
			}
			t.Fatalf("unknown command %q", d.Cmd)
			return ""
		})
	})
}

func solve(t *testing.T, c *catalog, d *datadriven.TestData) string {
	t.Helper()
	req := resolver.Request{Requirements: parseDeps(t, d.Input)}
	for _, a := range d.CmdArgs {
		for _, v := range a.Vals {
			name, text, _ := strings.Cut(v, "@")
			switch a.Key {
			case "installed":
				if req.Installed == nil {
					req.Installed = map[string]constraint.Version{}
				}
				req.Installed[name] = constraint.MustVersion(text)
			case "pins":
				if req.Pins == nil {
					req.Pins = map[string]constraint.Constraint{}
				}
				req.Pins[name] = constraint.MustParse(text)
			}
		}
	}
	s, err := resolver.Solve(t.Context(), c, req)
	var none *resolver.NoSolution
	switch {
	case errors.As(err, &none):
		return failure(t, c, none, d)
	case err != nil:
		return "error: " + err.Error() + "\n"
	}
	return success(s)
}

func failure(t *testing.T, c *catalog, none *resolver.NoSolution, d *datadriven.TestData) string {
	t.Helper()
	o := explain.Options{}
	d.MaybeScanArgs(t, "lines", &o.MaxLines)
	report := explain.Explain(none, o)
	var err error
	if report.Hints, err = explain.Hints(t.Context(), c, none); err != nil {
		t.Fatal(err)
	}
	if d.HasArg("json") {
		raw, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return string(raw) + "\n"
	}
	return report.Text()
}

func success(s *resolver.Solution) string {
	var b strings.Builder
	for _, p := range s.Packages {
		fmt.Fprintf(&b, "%s %s %s", p.Name, p.Version, p.State)
		if p.State != resolver.StateNew && p.State != resolver.StateKept {
			fmt.Fprintf(&b, " from %s", p.Installed)
		}
		if len(p.Features) > 0 {
			fmt.Fprintf(&b, " features %s", strings.Join(p.Features, " "))
		}
		if p.Deprecated != "" {
			fmt.Fprintf(&b, " deprecated: %s", p.Deprecated)
		}
		if p.Yanked != "" {
			fmt.Fprintf(&b, " yanked: %s", p.Yanked)
		}
		if p.Unlisted {
			b.WriteString(" unlisted")
		}
		for _, e := range s.Why(p.Name) {
			from := e.From
			if from == "" {
				from = "you"
			}
			if e.Feature != "" {
				from += "[" + e.Feature + "]"
			}
			fmt.Fprintf(&b, "\n  for %s: %s %s", from, e.Name, e.Constraint)
		}
		b.WriteString("\n")
	}
	return b.String()
}
