package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func planTree() []Node {
	return []Node{
		{State: ItemDone, Name: "controllers", Word: Cell{Text: "COMPLETE", Style: Good}, Note: "pod controller, serial"},
		{State: ItemWorking, Name: "brokers", Word: Cell{Text: "IN_PROGRESS", Style: Warn}, Note: "pod broker, serial-canary", Children: []Node{
			{State: ItemDone, Name: "broker-0", Word: Cell{Text: "COMPLETE", Style: Good}},
			{State: ItemWaiting, Name: "broker-1", Word: Cell{Text: "WAITING", Style: Warn}, Note: "a note that does not fit into eighty columns",
				Why: "waits for a person's word: dcos service plan confirm kafka update brokers"},
			{State: ItemFailed, Name: "broker-2", Word: Cell{Text: "ERROR", Style: Bad}},
		}},
	}
}

func TestTree(t *testing.T) {
	for _, c := range []struct {
		name string
		o    TreeOptions
		want string
	}{
		{"terminal", TreeOptions{Width: 60, Symbols: Unicode}, `
✓ controllers  COMPLETE     pod controller, serial
◐ brokers      IN_PROGRESS  pod broker, serial-canary
  ✓ broker-0   COMPLETE
  ◌ broker-1   WAITING      a note that does not fit into e…
      waits for a person's word:
      dcos service plan confirm kafka update brokers
  ✗ broker-2   ERROR
`},
		{"pipe", TreeOptions{}, `
controllers  COMPLETE     pod controller, serial
brokers      IN_PROGRESS  pod broker, serial-canary
  broker-0   COMPLETE
  broker-1   WAITING      a note that does not fit into eighty columns
    waits for a person's word: dcos service plan confirm kafka update brokers
  broker-2   ERROR
`},
	} {
		var b strings.Builder
		if err := Tree(&b, planTree(), c.o); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.TrimPrefix(c.want, "\n"), b.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		for line := range strings.Lines(b.String()) {
			if w := Width(strings.TrimSuffix(line, "\n")); c.o.Width > 0 && w > c.o.Width {
				t.Errorf("%s: %d cells: %s", c.name, w, line)
			}
		}
	}
}

func TestTree_doesNotLetTextSteerTheTerminal(t *testing.T) {
	evil := "x\x1b[2J\u202e\n"
	var b strings.Builder
	if err := Tree(&b, []Node{{Name: evil, Word: Cell{Text: evil}, Note: evil, Why: evil}}, TreeOptions{Width: 80, Symbols: Unicode}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\u202e") {
		t.Errorf("%q", b.String())
	}
}
