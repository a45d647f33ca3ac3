package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() *Table {
	t := &Table{Columns: []Column{{Name: "NAME"}, {Name: "SIZE", Right: true}, {Name: "DIGEST", Wide: true}, {Name: "SUMMARY", Cut: true}}}
	t.Add(Text("kafka"), Text("12"), Text("sha256:1"), Text("Distributed event log for streams of records"))
	t.Add(Cell{Text: "日本", Style: Good}, Text("3"), Text("sha256:2"), Text(""))
	t.Add(Text("x\x1b[2J"), Text(""), Text("sha256:3"), Text("short"))
	return t
}

func TestTable_formats(t *testing.T) {
	for _, c := range []struct {
		name string
		o    TableOptions
		want string
	}{
		{"pipe cuts nothing", TableOptions{}, "" +
			"NAME   SIZE  SUMMARY\n" +
			"kafka    12  Distributed event log for streams of records\n" +
			"日本      3\n" +
			"x\ufffd[2J        short\n"},
		{"terminal cuts the summary", TableOptions{Width: 30}, "" +
			"NAME   SIZE  SUMMARY\n" +
			"kafka    12  Distributed even…\n" +
			"日本      3\n" +
			"x\ufffd[2J        short\n"},
		{"wide shows all columns", TableOptions{Wide: true, NoHeader: true}, "" +
			"kafka  12  sha256:1  Distributed event log for streams of records\n" +
			"日本    3  sha256:2\n" +
			"x\ufffd[2J      sha256:3  short\n"},
	} {
		var b strings.Builder
		if err := sample().Write(&b, c.o); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, b.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestTable_leavesOutAnEmptySparseColumn(t *testing.T) {
	tab := &Table{Columns: []Column{{Name: "A"}, {Name: "B", Sparse: true}, {Name: "C", Sparse: true}}}
	tab.Add(Text("1"), Text(""), Text(""))
	tab.Add(Text("2"), Text(""), Text("x"))
	var b strings.Builder
	if err := tab.Write(&b, TableOptions{}); err != nil {
		t.Fatal(err)
	}
	if want := "A  C\n1\n2  x\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestTable_paintsTextAndNotPadding(t *testing.T) {
	var b strings.Builder
	if err := sample().Write(&b, TableOptions{Paint: true, Width: 40}); err != nil {
		t.Fatal(err)
	}
	if want := "\x1b[32m日本\x1b[0m      3\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in %q", want, b.String())
	}
}

func TestTable_aRowFitsTheTerminalWhereItCan(t *testing.T) {
	for width := 24; width < 80; width++ {
		var b strings.Builder
		if err := sample().Write(&b, TableOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if w := Width(strings.TrimSuffix(line, "\n")); w > width {
				t.Fatalf("width %d: line %q takes %d cells", width, line, w)
			}
		}
	}
}
