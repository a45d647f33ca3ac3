package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/resolver/constraint"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"b": 1, "a": [true, null, "<&>"]}`, `{"a":[true,null,"<&>"],"b":1}`},
		{`[1.0, 1e3, -0, 0.1, 1e21, 9007199254740993, 9223372036854775807]`, `[1,1000,0,0.1,1e+21,9007199254740993,9223372036854775807]`},
		{`"é"`, `"é"`},
		{`{}`, `{}`},
	} {
		got, err := Canonical(json.RawMessage(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.in, got, err, c.want)
		}
	}
	if _, err := Canonical(json.RawMessage(`1e999`)); err == nil {
		t.Error("a number out of range passed")
	}
}

// TestCanonical_fixpoint: the form of the form is the form.
func TestCanonical_fixpoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.String(), rapid.OneOf(rapid.Float64().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny())).Draw(t, "v")
		once, err := Canonical(v)
		if err != nil {
			t.Skip(err) // infinities
		}
		twice, err := Canonical(json.RawMessage(once))
		if err != nil || string(once) != string(twice) {
			t.Errorf("once %s, twice %s, %v", once, twice, err)
		}
	})
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"spark", "spark", 0}, {"sparc", "spark", 1}, {"saprk", "spark", 1}, {"spakr", "spark", 1},
		{"sprk", "spark", 1}, {"spaark", "spark", 1}, {"psrak", "spark", 2}, {"kafka", "spark", 3}, {"a", "abcdef", 3}, {"ä", "a", 1},
	} {
		if got := Distance(c.a, c.b, 2); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := Distance(c.b, c.a, 2); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

// TestDistance_limit: giving up early changes nothing below the limit.
func TestDistance_limit(t *testing.T) {
	word := rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 0, 7, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		whole := Distance(a, b, 100)
		for limit := 0; limit < 4; limit++ {
			if got, want := Distance(a, b, limit), min(whole, limit+1); got != want {
				t.Errorf("%q to %q limit %d: got %d, want %d", a, b, limit, got, want)
			}
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"spark", "kafka", "nginx", "spark-history", "zookeeper", "hdfs", "sparse"}
	for _, c := range []struct {
		word string
		want []string
	}{
		{"sparc", []string{"spark", "sparse"}},
		{"spark", []string{"spark", "sparse", "spark-history"}},
		{"SPARK", []string{"spark", "sparse", "spark-history"}},
		{"ngin", []string{"nginx"}},
		{"zoo", []string{"zookeeper"}},
		{"hdfs-client", []string{"hdfs"}},
		{"x", nil},
		{"qqqqq", nil},
	} {
		if d := cmp.Diff(c.want, Nearest(c.word, names)); d != "" {
			t.Errorf("%q (-want +got):\n%s", c.word, d)
		}
	}
}

func TestValidName(t *testing.T) {
	for s, want := range map[string]bool{"a": true, "a-1": true, "": false, "1a": false, "-a": false, "A": false, "a_b": false, "a.b": false,
		strings.Repeat("a", 63): true, strings.Repeat("a", 64): false, "ä": false} {
		if got := ValidName(s, MaxNameBytes); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestDecodeConfig_bad(t *testing.T) {
	good := `{"configVersion":1,"name":"a","version":"1.0.0","summary":"s","schemaDigest":""}`
	if _, err := DecodeConfig([]byte(good)); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	var many []string
	for range MaxRelations + 1 {
		many = append(many, `{"name":"x"}`)
	}
	for _, c := range []struct{ old, new, want string }{
		{`{`, ``, "cannot be read"},
		{`}`, `} {}`, "more than one JSON value"},
		{`"configVersion":1`, `"configVersion":2`, "version 2 of the form"},
		{`"a"`, `"A"`, "not a package name"},
		{`"1.0.0"`, `"1.0"`, "not a semantic version"},
		{`"version":"1.0.0",`, ``, "has no version"},
		{`"s"`, `"` + strings.Repeat("s", 121) + `"`, "longer than 120"},
		{`}`, `,"requires":[{"name":"_"}]}`, `"_" is not a package name`},
		{`}`, `,"requires":[{"name":"x","version":"^^"}]}`, "cannot be read"},
		{`}`, `,"requires":[` + strings.Join(many, ",") + `]}`, "more than 256"},
		{`}`, `,"features":{"f":{"requires":[{"name":""}]},"g":null}}`, "not a package name"},
		{`}`, `,"images":[{"name":"i","digest":"sha256:0"}]}`, "not a name and a digest"},
		{`"s"`, `"` + strings.Repeat("s", MaxConfigBytes) + `"`, "larger than"},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		_, err := DecodeConfig([]byte(bad))
		if !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", bad[:min(len(bad), 100)], err, c.want)
		}
	}
	// A newer packer may say more.
	if _, err := DecodeConfig([]byte(strings.Replace(good, "}", `,"later":{"x":1}}`, 1))); err != nil {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestPackage(t *testing.T) {
	config := func(v, summary string) *Config {
		return &Config{Metadata: Metadata{Name: "a", Version: constraint.MustVersion(v), Summary: summary, Icon: "icon.png"}}
	}
	p := &Package{Name: "a", Releases: []Release{
		{Package: "a", Version: constraint.MustVersion("3.0.0"), Unavailable: "broken"},
		{Package: "a", Version: constraint.MustVersion("3.0.0-rc.1"), Config: config("3.0.0-rc.1", "next")},
		{Package: "a", Version: constraint.MustVersion("2.0.0"), Config: config("2.0.0", "now")},
	}}
	if h := p.Head(); h == nil || h.Version.String() != "2.0.0" {
		t.Errorf("head: %+v", h)
	}
	if l := p.Listing(); l.Version != "2.0.0" || l.Versions != 2 || !l.Icon || l.Summary != "now" {
		t.Errorf("listing: %+v", l)
	}
	if r := p.Release(constraint.MustVersion("3.0.0")); r == nil || r.Unavailable != "broken" {
		t.Errorf("release: %+v", r)
	}
	if n := len(p.Versions(true)); n != 3 {
		t.Errorf("%d versions", n)
	}
	only := &Package{Name: "a", Releases: p.Releases[:1]}
	if l := only.Listing(); l.Unavailable != "broken" || l.Version != "3.0.0" || l.Versions != 0 {
		t.Errorf("listing of a broken package: %+v", l)
	}
	pre := &Package{Name: "a", Releases: p.Releases[:2]}
	if h := pre.Head(); h == nil || h.Version.String() != "3.0.0-rc.1" {
		t.Errorf("head of prereleases: %+v", h)
	}
}

func TestAction(t *testing.T) {
	lo, hi := 1.0, 10.5
	a := Action{Name: "run pi", Args: []Arg{{Name: "n", Type: ArgInteger}, {Name: "x", Default: "y"}}}
	if got := a.Usage(); got != "run pi <n> [x]" {
		t.Errorf("usage: %s", got)
	}
	for _, c := range []struct {
		arg  Arg
		want string
	}{
		{Arg{Type: ArgInteger}, "an integer"},
		{Arg{Type: ArgNumber, Min: &lo, Max: &hi}, "a number from 1 to 10.5"},
		{Arg{Type: ArgInteger, Min: &lo}, "an integer of at least 1"},
		{Arg{Type: ArgNumber, Max: &hi}, "a number of at most 10.5"},
		{Arg{Type: ArgBoolean}, "true or false"},
		{Arg{Type: ArgString, Enum: []string{"a", "b"}}, `one of "a", "b"`},
		{Arg{Type: ArgString}, "text"},
	} {
		if got := c.arg.Allowed(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
