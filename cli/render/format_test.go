package render

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
)

func TestYAML_keepsTheOrderOfFields(t *testing.T) {
	v := struct {
		Zebra string         `json:"zebra"`
		Alpha []int          `json:"alpha"`
		Empty []int          `json:"empty"`
		Text  string         `json:"text"`
		Quote string         `json:"quote"`
		Map   map[string]any `json:"map"`
	}{"z", []int{1, 2}, []int{}, "two\nlines", "true", map[string]any{"b": 1.5, "a": nil}}
	var b strings.Builder
	if err := YAML(&b, v); err != nil {
		t.Fatal(err)
	}
	want := "zebra: z\nalpha:\n  - 1\n  - 2\nempty: []\ntext: |-\n  two\n  lines\nquote: \"true\"\nmap:\n  a: null\n  b: 1.5\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("YAML (-want +got):\n%s", d)
	}
}

func TestJSON_doesNotEscapeHTML(t *testing.T) {
	var b strings.Builder
	if err := JSON(&b, List{APIVersion, "XList", []string{"a>=1 & b"}}); err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"apiVersion\": \"universe/v1\",\n  \"kind\": \"XList\",\n  \"items\": [\n    \"a>=1 & b\"\n  ]\n}\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("JSON (-want +got):\n%s", d)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range Formats() {
		if got, err := ParseFormat(f); err != nil || string(got) != f {
			t.Errorf("ParseFormat(%q) = %q, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("xml"); !problem.Is(err, problem.Invalid) {
		t.Errorf("ParseFormat(xml) = %v, want class invalid", err)
	}
}

func TestProblem_hasFourPartsInOrder(t *testing.T) {
	p := problem.New(problem.Invalid, "configuration of kafka 4.2.1 is not valid: %w", errors.New("2 problems")).
		WithDetails(problem.Detail{Pointer: "/brokers", Message: `"three" is not an integer`},
			problem.Detail{Pointer: "/log/retention", Message: "unknown option; did you mean /log/retentionHours?"}).
		WithHint("see the options: dcos package describe kafka --options")
	for _, c := range []struct {
		name string
		o    ProblemOptions
		want string
	}{
		{"pipe", ProblemOptions{}, "" +
			"error: configuration of kafka 4.2.1 is not valid: 2 problems\n" +
			"  /brokers        \"three\" is not an integer\n" +
			"  /log/retention  unknown option; did you mean /log/retentionHours?\n" +
			"hint: see the options: dcos package describe kafka --options\n"},
		{"terminal", ProblemOptions{Width: 44, Symbols: Unicode}, "" +
			"✗ configuration of kafka 4.2.1 is not valid:\n" +
			"  2 problems\n" +
			"  /brokers        \"three\" is not an integer\n" +
			"  /log/retention  unknown option; did you\n" +
			"                  mean /log/retentionHours?\n" +
			"hint: see the options: dcos package describe\n" +
			"      kafka --options\n"},
	} {
		var b strings.Builder
		Problem(&b, p, c.o)
		if d := cmp.Diff(c.want, b.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestProblem_printsNoEmptyPart(t *testing.T) {
	var b strings.Builder
	Problem(&b, problem.Of(errors.New("disk is full")), ProblemOptions{})
	if got, want := b.String(), "error: disk is full\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	Problem(&b, problem.New(problem.NotFound, "no"), ProblemOptions{Format: FormatJSON})
	if got, want := b.String(), "{\n  \"error\": {\n    \"code\": \"not_found\",\n    \"message\": \"no\"\n  }\n}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProblem_cannotSteerTheTerminal(t *testing.T) {
	var b strings.Builder
	Problem(&b, problem.New(problem.Invalid, "bad \x1b[2J name").WithHint("do \x1b]0;x\x07").
		WithDetails(problem.Detail{Pointer: "/a\x1b[1A", Message: "m\x1b[1A"}), ProblemOptions{})
	if strings.Contains(b.String(), "\x1b") {
		t.Errorf("an escape passed: %q", b.String())
	}
}
