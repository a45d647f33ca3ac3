package render

import (
	"fmt"
	"io"
	"strings"
)

// Node is a line of a printed tree, such as a step of a plan.
type Node struct {
	State    ItemState // its mark
	Name     string
	Word     Cell   // where it stands: "IN_PROGRESS"
	Note     string // what else is worth knowing; cut where a line is too long
	Why      string // what it waits for, in lines of its own below
	Children []Node
}

// TreeOptions say how a tree is printed.
type TreeOptions struct {
	Width   int     // terminal cells; 0: no limit
	Paint   Paint   // colours
	Symbols Symbols // marks; the zero Symbols is none: the words say it too
}

// maxTreeName bounds the column of the names, in cells.
const maxTreeName = 40

// Tree prints nodes with their children indented below them, names, words and
// notes in columns. No line is longer than the width.
func Tree(w io.Writer, nodes []Node, o TreeOptions) error {
	t := treePrinter{o: o}
	t.measure(nodes, 0)
	t.write(nodes, 0)
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("print tree: %w", err)
	}
	return nil
}

type treePrinter struct {
	o          TreeOptions
	b          strings.Builder
	name, word int // widths of the columns
}

func (t *treePrinter) measure(nodes []Node, depth int) {
	for _, n := range nodes {
		t.name = max(t.name, min(2*depth+Width(Clean(n.Name)), maxTreeName))
		t.word = max(t.word, Width(Clean(n.Word.Text)))
		t.measure(n.Children, depth+1)
	}
}

// lead is what stands before the column of the names: a mark and a space.
func (t *treePrinter) lead(s ItemState) (text string, width int) {
	mark, style := t.o.Symbols.Waiting, Muted
	switch s {
	case ItemWorking:
		mark, style = t.o.Symbols.Working, Warn
	case ItemDone:
		mark, style = t.o.Symbols.Done, Good
	case ItemFailed:
		mark, style = t.o.Symbols.Failed, Bad
	}
	if mark == "" {
		return "", 0
	}
	return t.o.Paint.Sprint(style, mark) + " ", Width(mark) + 1
}

func (t *treePrinter) write(nodes []Node, depth int) {
	indent := strings.Repeat("  ", depth)
	for _, n := range nodes {
		mark, wide := t.lead(n.State)
		name := Truncate(Clean(n.Name), maxTreeName-len(indent))
		line := indent + mark + Pad(name, t.name-len(indent), false) + "  "
		note := Clean(n.Note)
		if t.o.Width > 0 {
			note = Truncate(note, t.o.Width-wide-t.name-t.word-4)
		}
		word := Clean(n.Word.Text)
		if note == "" {
			line += t.o.Paint.Sprint(n.Word.Style, word)
		} else {
			line += t.o.Paint.Sprint(n.Word.Style, word) + strings.Repeat(" ", t.word-Width(word)+2) + t.o.Paint.Sprint(Muted, note)
		}
		t.b.WriteString(strings.TrimRight(line, " ") + "\n")
		t.why(n.Why, len(indent)+wide+2)
		t.write(n.Children, depth+1)
	}
}

func (t *treePrinter) why(text string, indent int) {
	if text == "" {
		return
	}
	room := 0
	if t.o.Width > 0 {
		room = max(20, t.o.Width-indent)
	}
	for _, l := range WrapCommand(Clean(text), room) {
		t.b.WriteString(strings.Repeat(" ", indent) + t.o.Paint.Sprint(Muted, l) + "\n")
	}
}
