package constraint

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse_rules(t *testing.T) {
	for _, c := range []struct {
		text    string
		yes, no string // versions, separated by blanks
	}{
		{"", "0.0.0 9.9.9", "1.0.0-rc.1"},
		{"^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 1.3.0-a"},
		{"^1.2.3-0", "1.2.3-a 1.9.0-a", "2.0.0-0"},
		{"^0.2.3", "0.2.9", "0.3.0"},
		{"~1.2", "1.2.0 1.2.9", "1.3.0"},
		{"1.2 - 1.4", "1.2.0 1.4.9", "1.5.0"},
		{">=1.2.3-0 <2.0.0", "2.0.0-alpha", "2.0.0"},
		{"1.2.3 || 2.0.0-0", "1.2.3 2.0.0-0", "1.2.3-a"},
		{"1||2 - 3", "1.5.0 2.0.0 3.9.9", "4.0.0"}, // the library alone reads ">=1 || 2 <=3"
		{"1 - 2||3 - 4", "1.0.0 3.0.0 4.1.0", "5.0.0"},
		{"=2.0.0+zzz", "2.0.0+b1 2.0.0", "2.0.1"},
		{"^*", "0.0.0", "0.0.1"},
		{"<=*", "0.0.7", "0.1.0"},
		{">18446744073709551615", "", "18446744073709551615.0.0"},
	} {
		p, err := Parse(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		for _, v := range strings.Fields(c.yes) {
			if !p.Check(MustVersion(v)) {
				t.Errorf("%q refuses %s", c.text, v)
			}
		}
		for _, v := range strings.Fields(c.no) {
			if p.Check(MustVersion(v)) {
				t.Errorf("%q accepts %s", c.text, v)
			}
		}
	}
}

func TestParse_refuses(t *testing.T) {
	for _, text := range []string{"||", "1 ||", "1,", ", 1", "> = 1", ">=1.2.3.4", "1.2.3-", "latest", "^^1", "1|2"} {
		if c, err := Parse(text); err == nil {
			t.Errorf("%q was read as %s", text, c)
		}
	}
	for _, text := range []string{strings.Repeat("1", MaxLen+1), strings.Repeat("1||", MaxGroups) + "1"} {
		if _, err := Parse(text); !errors.Is(err, ErrTooLong) {
			t.Errorf("%d bytes: got %v, want ErrTooLong", len(text), err)
		}
	}
}

func TestConstraint_keepsText(t *testing.T) {
	for text, want := range map[string]string{" >=1.2,  <2 ": ">=1.2,  <2", "": "*", "1||2": "1||2"} {
		if got := MustParse(text).String(); got != want {
			t.Errorf("%q prints %q, want %q", text, got, want)
		}
	}
	if !(Constraint{}).IsAny() || !(Constraint{}).Check(MustVersion("3.0.0")) {
		t.Error("the zero Constraint is not any release")
	}
	if v, ok := MustParse("=1.2.3-a+m").Exact(); !ok || v.String() != "1.2.3-a" {
		t.Errorf("Exact gives %s, %v", v, ok)
	}
	for _, text := range []string{"1.2", "~1.2.3", "1.2.3 || 1.2.4", ">=1.2.3", "=1.2.3 <2"} {
		if _, ok := MustParse(text).Exact(); ok {
			t.Errorf("%q is said to be exact", text)
		}
	}
}

func TestConstraint_noIntervals(t *testing.T) {
	c := MustParse("!=1.2.x-a")
	if _, err := c.Set(); !errors.Is(err, ErrNoIntervals) {
		t.Errorf("got %v, want ErrNoIntervals", err)
	}
	if c.Check(MustVersion("1.2.7-a")) || !c.Check(MustVersion("1.2.7-b")) {
		t.Error("Check does not work for it")
	}
}

func TestJSON(t *testing.T) {
	type doc struct {
		Version    Version    `json:"version,omitzero"`
		Constraint Constraint `json:"constraint,omitzero"`
	}
	for _, text := range []string{`{"version":"1.2.3-a+b","constraint":"^1, <1.9"}`, `{}`} {
		var d doc
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ReplaceAll(string(got), `\u003c`, "<") != text {
			t.Errorf("%s becomes %s", text, got)
		}
	}
	for _, text := range []string{`{"version":"1.2"}`, `{"version":""}`, `{"version":"v1.2.3"}`, `{"constraint":"no"}`} {
		if err := json.Unmarshal([]byte(text), &doc{}); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestVersion_order(t *testing.T) {
	want := []string{"0.0.0-0", "0.0.0-a", "0.0.0", "1.0.0-2", "1.0.0-10", "1.0.0-a", "1.0.0-a.0", "1.0.0", "1.0.0+a", "1.0.0+b", "1.0.1"}
	list := make([]Version, 0, len(want))
	for i := range want {
		list = append(list, MustVersion(want[(i*7)%len(want)]))
	}
	SortVersions(list)
	got := make([]string, 0, len(list))
	for _, v := range list {
		got = append(got, v.String())
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c := MustVersion("1.0.0+a").Compare(MustVersion("1.0.0+b")); c != 0 {
		t.Errorf("build metadata counts: %d", c)
	}
}

func TestNearest(t *testing.T) {
	list := []Version{MustVersion("2.0.0"), MustVersion("1.0.0"), MustVersion("3.0.0-rc.1"), MustVersion("1.5.0")}
	for want, expect := range map[string]string{
		"1.2.0": "1.0.0 1.5.0", "0.1.0": " 1.0.0", "9.0.0": "3.0.0-rc.1 ", "2.0.0": "2.0.0 3.0.0-rc.1",
	} {
		below, above := Nearest(list, MustVersion(want))
		if got := below.String() + " " + above.String(); got != expect {
			t.Errorf("near %s: %q, want %q", want, got, expect)
		}
	}
	for con, expect := range map[string]string{"*": "2.0.0", "<2": "1.5.0", ">=3.0.0-0": "3.0.0-rc.1", ">9": "", ">=1.0.0-0": "2.0.0"} {
		if got := Newest(list, MustParse(con)).String(); got != expect {
			t.Errorf("newest of %s: %q, want %q", con, got, expect)
		}
	}
}

func TestDescribe(t *testing.T) {
	known := []string{"1.0.0", "1.1.0-a", "1.1.0", "1.2.0", "2.0.0-a", "2.0.0"}
	var list []Version
	for _, k := range known {
		list = append(list, MustVersion(k))
	}
	for keep, want := range map[string]string{
		"":                                  "none",
		"1.0.0":                             "1.0.0",
		"1.1.0-a":                           "1.1.0-a",
		"1.0.0 1.1.0 1.2.0 2.0.0":           "*",
		"1.0.0 1.1.0":                       "<=1.1.0",
		"1.1.0 1.2.0":                       ">=1.1.0 <=1.2.0",
		"1.2.0 2.0.0":                       ">=1.2.0",
		"1.0.0 2.0.0":                       "1.0.0 || 2.0.0",
		"1.1.0-a 1.1.0":                     ">=1.1.0-a <=1.1.0",
		"1.2.0 2.0.0-a 2.0.0":               ">=1.2.0 <2.0.1-0",
		"1.0.0 1.1.0-a 1.1.0":               "<1.1.1-0",
		strings.Join(known, " "):            ">=0.0.0-0",
		"1.0.0 1.1.0-a 1.2.0 2.0.0-a":       "<=1.1.0-a || >=1.2.0 <=2.0.0-a",
		"1.1.0-a 1.1.0 1.2.0 2.0.0-a":       ">=1.1.0-a <=2.0.0-a",
		"1.0.0 1.1.0-a 1.1.0 1.2.0":         "<1.2.1-0",
		"1.1.0-a 1.1.0 1.2.0 2.0.0":         ">=1.1.0-a <=1.2.0 || 2.0.0",
		"1.0.0 1.1.0 2.0.0":                 "<=1.1.0 || 2.0.0",
		"1.1.0 1.2.0 2.0.0":                 ">=1.1.0",
		"1.1.0-a 1.1.0 1.2.0 2.0.0-a 2.0.0": ">=1.1.0-a",
	} {
		kept := strings.Fields(keep)
		got := Describe(list, func(i int) bool {
			for _, k := range kept {
				if k == known[i] {
					return true
				}
			}
			return false
		})
		if got != want {
			t.Errorf("%s: got %q, want %q", keep, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "*", "^1.2.3", "~>1.2 || >=3, <4-0", "1 - 2||3 - 4", "!=1.x.3", "=>v1.0.0-a.b+c", "<18446744073709551615.x", "!=1.2.x-a", "1|2", " ,"} {
		f.Add(s, "1.2.3-a.1+b")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(c.String())
		if err != nil || !again.Equal(c) {
			t.Fatalf("%q does not read back: %v", c, err)
		}
		v, err := ParseVersion(version)
		if err != nil {
			return
		}
		if v2, err := ParseVersion(v.String()); err != nil || v2 != v {
			t.Fatalf("%q does not read back: %v", v, err)
		}
		s, err := c.Set()
		if err != nil {
			return
		}
		for _, w := range []Version{v, v.Release()} {
			if s.Contains(w) != c.Check(w) || again.Check(w) != c.Check(w) {
				t.Fatalf("%q at %s: Set says %v, Check says %v", text, w, s.Contains(w), c.Check(w))
			}
		}
	})
}
