package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
)

func env(pairs ...string) func(string) string {
	return func(k string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == k {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestDir_followsTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  func(string) string
		want string
	}{
		{env("DCOS_CONFIG_HOME", "/c", "XDG_CONFIG_HOME", "/x", "HOME", "/h"), "/c"},
		{env("XDG_CONFIG_HOME", "/x", "HOME", "/h"), "/x/dcos"},
		{env("XDG_CONFIG_HOME", "relative", "HOME", "/h"), "/h/.config/dcos"}, // the XDG specification: ignore it
		{env("HOME", "/h"), "/h/.config/dcos"},
	} {
		if got, err := Dir(c.env); err != nil || got != c.want {
			t.Errorf("Dir = %q, %v, want %q", got, err, c.want)
		}
	}
	if _, err := Dir(env()); !problem.Is(err, problem.Invalid) {
		t.Errorf("Dir without HOME = %v, want class invalid", err)
	}
}

func TestUpdate_isWhatLoadReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	err := Update(dir, func(c *Config) error {
		return c.Put("dev", Cluster{URL: "http://127.0.0.1:8080/", Registry: "127.0.0.1:5000/universe"}, true)
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{Attached: "dev", Clusters: map[string]Cluster{"dev": {URL: "http://127.0.0.1:8080", Registry: "127.0.0.1:5000/universe"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, FileName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode of %q: %v, %v, want %v", name, info.Mode(), err, mode)
		}
	}
}

func TestUpdate_thatFailsChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := Update(dir, func(c *Config) error { return c.Put("a", Cluster{URL: "http://a"}, true) }); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := Update(dir, func(c *Config) error { c.Remove("a"); return boom })
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	if c, err := Load(dir); err != nil || c.Attached != "a" {
		t.Errorf("after a failed change: %+v, %v", c, err)
	}
}

func TestUpdate_losesNothingWhenMadeAtOnce(t *testing.T) {
	dir := t.TempDir()
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			err := Update(dir, func(c *Config) error {
				return c.Put(fmt.Sprintf("c%d", i), Cluster{URL: "http://h"}, false)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c, err := Load(dir); err != nil || len(c.Clusters) != n {
		t.Errorf("%d clusters, %v, want %d", len(c.Clusters), err, n)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestLoad_namesWhatIsWrong(t *testing.T) {
	for content, want := range map[string]string{
		"attached = \n":                          FileName,
		"[clusters.X]\nurl = \"http://a\"\n":     `"X"`,
		"[clusters.x]\nurl = \"ftp://a\"\n":      `"ftp://a"`,
		"[clusters.x]\nurl = \"http://u:p@a\"\n": "x",
		strings.Repeat("#", MaxFile+1):           "larger",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want a word of %q", content, err, want)
		}
	}
}

func TestSelect_order(t *testing.T) {
	c := &Config{Attached: "a", Clusters: map[string]Cluster{"a": {URL: "http://a"}, "b": {URL: "http://b", Registry: "b/ns"}}}
	for _, x := range []struct {
		flag      string
		env       func(string) string
		name, url string
	}{
		{"", env(), "a", "http://a"},
		{"", env("DCOS_URL", "http://c/"), "", "http://c"},
		{"", env("DCOS_CLUSTER", "b", "DCOS_URL", "http://c"), "b", "http://b"},
		{"a", env("DCOS_CLUSTER", "b"), "a", "http://a"},
		{"http://b/", env(), "b", "http://b"},
	} {
		name, cl, err := c.Select(x.flag, x.env)
		if err != nil || name != x.name || cl.URL != x.url {
			t.Errorf("Select(%q) = %q %q, %v, want %q %q", x.flag, name, cl.URL, err, x.name, x.url)
		}
	}
	if _, cl, _ := c.Select("http://b", env()); cl.Registry != "b/ns" {
		t.Errorf("a known URL lost its registry: %+v", cl)
	}
	if _, _, err := c.Select("z", env()); !problem.Is(err, problem.NotFound) {
		t.Errorf("unknown name: %v, want class not_found", err)
	}
	if _, _, err := (&Config{}).Select("", env()); !problem.Is(err, problem.Invalid) {
		t.Errorf("nothing attached: %v, want class invalid", err)
	}
	one := &Config{Clusters: map[string]Cluster{"only": {URL: "http://o"}}}
	if name, _, err := one.Select("", env()); err != nil || name != "only" {
		t.Errorf("the only cluster: %q, %v", name, err)
	}
}

func TestRemove_detaches(t *testing.T) {
	c := &Config{Attached: "a", Clusters: map[string]Cluster{"a": {URL: "http://a"}, "b": {URL: "http://b"}}}
	c.Remove("b")
	if c.Attached != "a" || len(c.Clusters) != 1 {
		t.Errorf("after removing another: %+v", c)
	}
	c.Remove("a")
	if c.Attached != "" || len(c.Clusters) != 0 {
		t.Errorf("after removing the attached one: %+v", c)
	}
}

func TestValidName(t *testing.T) {
	for _, ok := range []string{"a", "9", "dev", "prod-eu.1_x", strings.Repeat("a", MaxName)} {
		if err := ValidName(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "-a", ".a", "A", "a b", "a/b", "ä", "a\x1b", strings.Repeat("a", MaxName+1)} {
		if ValidName(bad) == nil {
			t.Errorf("%q passed", bad)
		}
	}
}
