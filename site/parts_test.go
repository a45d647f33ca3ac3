package site

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

func TestOptions(t *testing.T) {
	want := []group{
		{Options: []option{
			{Name: "owner", Type: "string", Title: "Owner", Required: true},
			{Name: "tags", Type: "array of string", Default: `["<b>&"]`},
			{Name: "proxy", Type: "string or null"},
			{Name: "free", Type: "any"}}},
		{Name: "service", Title: "Service", Options: []option{
			{Name: "service.name", Type: "string", Default: `"spark"`, Title: "Service name", Description: "It must be free in the cluster."}}},
		{Name: "worker", Title: "Workers", Description: "Each on a node of its own.", Options: []option{
			{Name: "worker.mem", Type: "integer", Allowed: "1152 to 1048576", Default: "1280", Title: "Memory in MiB"},
			{Name: "worker.count", Type: "integer", Allowed: "at least 1", Default: "2"}}},
		{Name: "worker.log", Options: []option{{Name: "worker.log.level", Type: "string", Allowed: `"info", "warn"`, Default: `"info"`}}},
	}
	if diff := cmp.Diff(want, options(json.RawMessage(sparkSchema))); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

func TestOptions_hostile(t *testing.T) {
	deep := strings.Repeat(`{"properties":{"a":`, 3000) + `{}` + strings.Repeat(`}}`, 3000)
	groups := options(json.RawMessage(deep))
	if len(groups) != 1 || groups[0].Options[0].Name != "a"+strings.Repeat(".a", maxOptionDepth) {
		t.Errorf("a deep schema gives %d groups: %v", len(groups), groups)
	}
	var wide strings.Builder
	for i := range 3 * maxOptions {
		fmt.Fprintf(&wide, `,"o%d":{"default":%q}`, i, strings.Repeat("ü", 5000))
	}
	groups = options(json.RawMessage(`{"properties":{"g":{"properties":{` + wide.String()[1:] + `}},"h":{}}}`))
	if n := len(groups[0].Options); n > maxOptions {
		t.Errorf("%d rows", n)
	}
	if d := groups[0].Options[0].Default; len(d) > maxValue+len("…") || !strings.HasSuffix(d, "ü…") {
		t.Errorf("a long default is shown as %q", d)
	}
	for _, bad := range []string{"", "null", "[]", "{", `{"properties":[1]}`, `{"properties":{"a":{"type":"x"}`, "true"} {
		if groups := options(json.RawMessage(bad)); len(groups) > 0 {
			t.Errorf("%s gives %v", bad, groups)
		}
	}
}

func TestTone(t *testing.T) {
	for want, states := range map[string][]any{
		"good": {service.ServiceRunning, service.StateReady, service.StateFinished, service.PhaseComplete, cluster.AgentActive},
		"wait": {service.ServiceDeploying, service.ServiceRecovering, service.ServiceRemoving, service.StateWaiting, service.StateStaging,
			service.StateKilling, service.PhasePending, "unheard of"},
		"bad": {service.StateBackoff, service.StateUnreachable, cluster.AgentUnreachable, cluster.AgentGone},
	} {
		for _, s := range states {
			if got := tone(fmt.Sprint(s)); got != want {
				t.Errorf("tone of %v is %s, want %s", s, got, want)
			}
		}
	}
	// An instance that runs is not ready, and a phase that is active is not done.
	for _, s := range []any{service.StateRunning, service.PhaseActive} {
		if got := stepTone(fmt.Sprint(s)); got != "wait" {
			t.Errorf("tone of a step that is %v is %s", s, got)
		}
	}
	if got := stepTone("ready"); got != "good" {
		t.Errorf("tone of a step that is ready is %s", got)
	}
}

func TestTimes(t *testing.T) {
	s := &site{cfg: Config{Now: func() time.Time { return now }}}
	for d, want := range map[time.Duration]string{3 * time.Second: "just now", -time.Hour: "just now", 59 * time.Second: "59 s ago", 61 * time.Minute: "1 h ago",
		47 * time.Hour: "47 h ago", 49 * time.Hour: "2 days ago"} {
		if got := s.ago(before(d)); got != want {
			t.Errorf("ago(%v) is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{time.Second: "now", 0: "now", -90 * time.Second: "in 1 min"} {
		if got := s.until(before(d)); got != want {
			t.Errorf("until(%v) is %q, want %q", d, got, want)
		}
	}
	if got := s.ago(0); got != "" {
		t.Errorf("ago of no time is %q", got)
	}
}

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"title dropped", "# Spark\n\ntext", "<p>text</p>\n"},
		{"other title kept", "# Sparkle\n\n## a", `<h3 id="readme-sparkle">Sparkle</h3>` + "\n" + `<h4 id="readme-a">a</h4>` + "\n"},
		{"levels without a gap", "#### a\n\n###### b\n\n# c", `<h3 id="readme-a">a</h3>` + "\n" + `<h4 id="readme-b">b</h4>` + "\n" + `<h3 id="readme-c">c</h3>` + "\n"},
		{"part of the document", "## A b\n\n[x](#a-b)", `<h3 id="readme-a-b">A b</h3>` + "\n" + `<p><a href="#readme-a-b">x</a></p>` + "\n"},
		{"file of the package", "[*x* y](docs/a.md)", "<p><em>x</em> y</p>\n"},
		{"web", "<https://a.example/?b=1&c>", `<p><a href="https://a.example/?b=1&amp;c" rel="nofollow noreferrer">https://a.example/?b=1&amp;c</a></p>` + "\n"},
		{"picture", "![a *b*](https://a.example/b.png)", `<p><a href="https://a.example/b.png" rel="nofollow noreferrer">a <em>b</em></a></p>` + "\n"},
		{"picture of the package", "![alt](b.png)", "<p>alt</p>\n"},
		{"picture without text", "![](https://a.example/b.png)", `<p><a href="https://a.example/b.png" rel="nofollow noreferrer">picture</a></p>` + "\n"},
		{"badge", "[![ok](https://a.example/b.svg)](https://a.example/)", `<p><a href="https://a.example/" rel="nofollow noreferrer">ok</a></p>` + "\n"},
		{"code", "```go\na<b\n```", `<pre><code class="language-go">a&lt;b` + "\n</code></pre>\n"},
	} {
		if got := string(newMarkdown().render(c.in, "readme", "spark")); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// A document that is made to be slow, or to grow, is shown as it was typed: each
// of these would take from seconds to minutes, or gigabytes.
func TestMarkdown_costly(t *testing.T) {
	fill := func(unit string) string { return strings.Repeat(unit, maxMarkdown/len(unit)) }
	head := func(columns int) string {
		return "|" + strings.Repeat("a|", columns) + "\n|" + strings.Repeat("-|", columns) + "\n"
	}
	for name, c := range map[string]struct {
		in       string
		verbatim bool
	}{
		"quotes":           {fill(">"), true},
		"quotes and lists": {fill("> - "), true},
		"numbered lists":   {fill("1. "), true},
		"links":            {fill("[a]("), true},
		"pictures":         {fill("!["), true},
		"lines of links":   {"x\n" + fill("    - [a](b\n")[12:], true},
		"wide table":       {head(2000) + strings.Repeat("|\n", 2000), true},
		"one long address": {"[a]: /" + strings.Repeat("x", 100_000) + "\n\n" + strings.Repeat("[a]", 1000), true},
		"too long":         {fill("x") + "x", true},
		"long list":        {fill("- [a](https://a.example/)\n"), false},
		"long text":        {fill("Some words with a [link](https://a.example/).\n\n"), false},
		"long table":       {head(4) + strings.Repeat("|a|b|c|d|\n", 4000), false},
		"rules":            {fill("* * *\n\n----------\n\n"), false},
		"deep list":        {"- a\n  - b\n    - c\n      1. d\n         > e\n", false},
	} {
		if got := newMarkdown().render(c.in, "readme"); (strings.HasPrefix(string(got), "<pre>") && !strings.HasPrefix(string(got), "<pre><code>")) != c.verbatim {
			t.Errorf("%s: verbatim is %v, want %v", name, !c.verbatim, c.verbatim)
		}
	}
	if got := string(newMarkdown().render(fill("<b>x"), "readme")); strings.Contains(got, "<b>") {
		t.Errorf("tags pass: %.40s", got)
	}
	if got := string(newMarkdown().render(fill("<")+"<", "readme")); !strings.HasPrefix(got, "<pre>&lt;&lt;") {
		t.Errorf("a document that is too long is shown as %.40s", got)
	}
}

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

// TestContrast computes the ratios of WCAG 2.2 (1.4.3 and 1.4.11) for both schemes.
func TestContrast(t *testing.T) {
	css, err := files.ReadFile("static/site.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, found := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("there is no dark scheme")
	}
	dark = dark[:strings.Index(dark, "\n}\n")]
	for name, text := range map[string]string{"light": light, "dark": dark} {
		c := map[string]float64{}
		for _, m := range colour.FindAllStringSubmatch(text, -1) {
			c[m[1]] = luminance(t, m[2])
		}
		check := func(a, b string, want float64) {
			hi, lo := max(c[a], c[b]), min(c[a], c[b])
			if ratio := (hi + 0.05) / (lo + 0.05); ratio < want {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %g", name, a, b, ratio, want)
			}
		}
		for _, ground := range []string{"ground", "card", "code"} {
			for _, ink := range []string{"ink", "soft", "accent"} {
				check(ink, ground, 4.5)
			}
		}
		for _, ink := range []string{"good", "wait", "bad"} {
			check(ink, "ground", 4.5)
			check(ink, "card", 4.5)
		}
		check("accent-ink", "accent", 4.5)
		check("edge", "card", 3)
		check("edge", "ground", 3)
		if len(c) < 12 {
			t.Errorf("%s: found %d colours", name, len(c))
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift uint) float64 {
		v := float64(n>>shift&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
