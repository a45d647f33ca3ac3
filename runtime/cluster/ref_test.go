package cluster_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func TestParseRef(t *testing.T) {
	for _, c := range []struct {
		text string
		want cluster.Ref
	}{
		{"self.host", cluster.Ref{Field: "host"}},
		{"self.hostname", cluster.Ref{Field: "hostname"}},
		{"self.index", cluster.Ref{Field: "index"}},
		{" self.task ", cluster.Ref{Field: "task"}},
		{"self.ports.rpc", cluster.Ref{Field: "ports", Port: "rpc"}},
		{"self.listen.rpc", cluster.Ref{Field: "listen", Port: "rpc"}},
		{"pods.master[0].host", cluster.Ref{Pod: "master", Field: "host"}},
		{"pods.worker-a[12].ports.web-ui", cluster.Ref{Pod: "worker-a", Index: 12, Field: "ports", Port: "web-ui"}},
	} {
		got, ok := cluster.ParseRef(c.text)
		if !ok || got != c.want {
			t.Errorf("%q: %+v, %t; want %+v", c.text, got, ok, c.want)
		}
		if back, ok := cluster.ParseRef(got.String()); !ok || back != got || got.String() != strings.TrimSpace(c.text) {
			t.Errorf("%q prints as %q and reads back as %+v, %t", c.text, got, back, ok)
		}
	}
	for _, text := range []string{"", "self", "self.", "self.port.rpc", "self.ports.", "self.ports.RPC", "self.ports.a.b", "self.listen", "self.listen.", "pods.m[0].listen.rpc", "self.host.x",
		"pods.master.host", "pods.master[].host", "pods.master[-1].host", "pods.master[x].host", "pods.master[0]host", "pods.master[0].hostname",
		"pods.[0].host", "pods.Master[0].host", "pods.m[99999999999999999999].host", "pods.m[0].ports.", "options.x", "1+1",
		"pods." + strings.Repeat("a", 64) + "[0].host"} {
		if r, ok := cluster.ParseRef(text); ok {
			t.Errorf("%q was taken for %+v", text, r)
		}
	}
}

func TestExpand(t *testing.T) {
	value := func(r cluster.Ref) (string, error) {
		if r.Pod == "lost" {
			return "", errors.New("lost has no place yet")
		}
		return "<" + r.String() + ">", nil
	}
	for _, c := range []struct{ in, want, err string }{
		{"", "", ""},
		{"plain $x $$ {}", "plain $x $$ {}", ""},
		{"${self.host}", "<self.host>", ""},
		{"spark://${pods.master[0].host}:${pods.master[0].ports.rpc}/", "spark://<pods.master[0].host>:<pods.master[0].ports.rpc>/", ""},
		{"$${self.host}", "${self.host}", ""},
		{"a $${x} b ${self.index} $${y}", "a ${x} b <self.index> ${y}", ""},
		{"${self.host", "", "without its }"},
		{"${options.x}", "", "is not a launch-time reference"},
		{"${}", "", "is not a launch-time reference"},
		{"x ${pods.lost[0].host}", "", "lost has no place yet"},
	} {
		got, err := cluster.Expand(c.in, value)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q, %v; want %q, error with %q", c.in, got, err, c.want, c.err)
		}
	}
}

// TestExpand_quotes sees that any text comes through when its "${" are doubled.
func TestExpand_quotes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("${}ab.[0]"))).Draw(r, "text")
		if strings.Contains(text, "$${") {
			r.Skip("a dollar before a reference is not expressible")
		}
		got, err := cluster.Expand(strings.ReplaceAll(text, "${", "$${"), func(cluster.Ref) (string, error) { return "!", nil })
		if err != nil || got != text {
			r.Fatalf("%q comes out as %q, %v", text, got, err)
		}
	})
}

func TestRefs(t *testing.T) {
	got := cluster.Refs("a ${self.host} $${self.task} ${pods.m[1].host} ${broken} ${self.index}")
	want := []cluster.Ref{{Field: "host"}, {Pod: "m", Index: 1, Field: "host"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

func TestContainer_Strings(t *testing.T) {
	c := cluster.Container{
		Image: "i", Command: []string{"c0", "c1"}, Env: map[string]string{"B": "eb", "A": "ea"}, Scratch: []string{"/tmp"},
		Files:     []cluster.File{{Path: "/f", Content: "content", Mode: 0o400}},
		Artifacts: []cluster.Artifact{{Source: "a0", Path: "/a"}}, Rlimits: []cluster.Rlimit{{Name: "core"}},
		Mounts: []cluster.HostMount{{Host: "/h", Path: "/m"}}, Volumes: []cluster.VolumeMount{{Volume: "v", Path: "/v"}},
		Readiness: &cluster.Check{HTTP: &cluster.HTTPCheck{Port: "http", Path: "/p", Expect: "e"}, Interval: 5},
		Health:    &cluster.Check{Command: []string{"h0"}, TCP: &cluster.TCPCheck{Port: "http"}},
	}
	var order []string
	got, err := c.Strings(func(s string) (string, error) { order = append(order, s); return s + "!", nil })
	if err != nil {
		t.Fatal(err)
	}
	want := cluster.Container{
		Image: "i", Command: []string{"c0!", "c1!"}, Env: map[string]string{"B": "eb!", "A": "ea!"}, Scratch: []string{"/tmp"},
		Files:     []cluster.File{{Path: "/f", Content: "content!", Mode: 0o400}},
		Artifacts: []cluster.Artifact{{Source: "a0!", Path: "/a"}}, Rlimits: []cluster.Rlimit{{Name: "core"}},
		Mounts: []cluster.HostMount{{Host: "/h", Path: "/m"}}, Volumes: []cluster.VolumeMount{{Volume: "v", Path: "/v"}},
		Readiness: &cluster.Check{HTTP: &cluster.HTTPCheck{Port: "http", Path: "/p!", Expect: "e!"}, Interval: 5},
		Health:    &cluster.Check{Command: []string{"h0!"}, TCP: &cluster.TCPCheck{Port: "http"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"c0", "c1", "ea", "eb", "content", "a0", "/p", "e", "h0"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	got.Command[0], got.Env["A"], got.Files[0].Content, got.Health.TCP.Port, got.Readiness.HTTP.Path = "x", "x", "x", "x", "x"
	got.Artifacts[0].Source, got.Rlimits[0].Name, got.Mounts[0].Host, got.Volumes[0].Path = "x", "x", "x", "x"
	if c.Artifacts[0].Source != "a0" || c.Rlimits[0].Name != "core" || c.Mounts[0].Host != "/h" || c.Volumes[0].Path != "/v" {
		t.Errorf("the original changed: %+v", c)
	}
	if c.Command[0] != "c0" || c.Env["A"] != "ea" || c.Files[0].Content != "content" || c.Health.TCP.Port != "http" || c.Readiness.HTTP.Path != "/p" {
		t.Errorf("the original changed: %+v", c)
	}
	_, err = c.Strings(func(s string) (string, error) {
		if s == "ea" || s == "h0" {
			return "", fmt.Errorf("no %s", s)
		}
		return s, nil
	})
	if err == nil || err.Error() != "env.A: no ea" {
		t.Errorf("error %v, want the first one with its place", err)
	}
}
