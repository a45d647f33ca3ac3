package spec

import (
	"os"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
)

// TestOverrides: what differs from the defaults, and no more; completed again it
// gives the same options.
func TestOverrides(t *testing.T) {
	base := mustLoad(t, baseFiles())
	good, err := Load(os.DirFS("testdata/good"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p        *Package
		in, want string
	}{
		{base, ``, `{}`},
		{base, `{"pod": {"count": 2}}`, `{}`},
		{base, `{"pod": {"count": 3, "args": ["-a", "-b"], "env": {}}}`, `{"pod":{"args":["-a","-b"],"count":3,"env":{}}}`},
		{base, `{"pod": {"env": {"K": "v", "L": "w"}, "any": {"x": null}}}`, `{"pod":{"any":{"x":null},"env":{"K":"v","L":"w"}}}`},
		{base, `{"service": {"name": "mine"}}`, `{"service":{"name":"mine"}}`},
		{good, `{"worker": {"count": 7}}`, `{"worker":{"count":7}}`},
	} {
		o, err := c.p.Options([]byte(c.in), "")
		if err != nil {
			t.Fatalf("%s: %v", c.in, err)
		}
		got, err := c.p.Overrides(o)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.in, got, err, c.want)
		}
		again, err := c.p.Options(got, "")
		if err != nil || string(again.JSON()) != string(o.JSON()) {
			t.Errorf("%s: completed again: %s, %v; want %s", c.in, again.JSON(), err, o.JSON())
		}
	}
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ options, patch, want string }{
		{`{"a":1}`, ``, `{"a":1}`},
		{``, `{"a":{"b":1,"c":null}}`, `{"a":{"b":1}}`},
		{`{"a":{"b":1,"c":2},"d":[1]}`, `{"a":{"b":null,"e":3},"d":[2]}`, `{"a":{"c":2,"e":3},"d":[2]}`},
		{`{"a":1}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{`{"a":{"b":1}}`, `{"a":null}`, `{}`},
	} {
		got, err := Merge([]byte(c.options), []byte(c.patch))
		if err != nil || string(got) != c.want {
			t.Errorf("%s and %s: got %s, %v; want %s", c.options, c.patch, got, err, c.want)
		}
	}
	for _, bad := range []string{`[]`, `{`, `{"a":1,"a":2}`, `7`} {
		if _, err := Merge([]byte(`{}`), []byte(bad)); !problem.Is(err, problem.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
