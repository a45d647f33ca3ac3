package render

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Column is a column of a table.
type Column struct {
	Name   string // upper case
	Right  bool   // aligned to the right: numbers
	Wide   bool   // shown by the wide format only
	Cut    bool   // may be shortened to make a row fit a terminal
	Sparse bool   // left out where no row has a value
}

// Cell is one value. Its text is cleaned when it is printed.
type Cell struct {
	Text  string
	Style Style
}

// Text is an unstyled cell.
func Text(s string) Cell { return Cell{Text: s} }

// Table is rows under a header. Row cells stand in the order of the columns.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}

// Add appends a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// TableOptions say how a table is printed.
type TableOptions struct {
	Width    int   // terminal cells; 0: no limit, nothing is cut
	Wide     bool  // with the Wide columns
	NoHeader bool  // rows only
	Paint    Paint // colours
}

// minCut is the least width a column is cut to.
const minCut = 8

// Write prints the table: two spaces between columns, no borders.
func (t *Table) Write(w io.Writer, o TableOptions) error {
	cols, grid := t.layout(o)
	widths := make([]int, len(cols))
	for i, c := range cols {
		if !o.NoHeader {
			widths[i] = Width(c.Name)
		}
		for _, row := range grid {
			widths[i] = max(widths[i], Width(row[i].Text))
		}
	}
	shrink(cols, widths, o.Width)
	var b strings.Builder
	if !o.NoHeader {
		head := make([]Cell, len(cols))
		for i, c := range cols {
			head[i] = Cell{Text: c.Name, Style: Bold}
		}
		writeRow(&b, cols, widths, head, o.Paint)
	}
	for _, row := range grid {
		writeRow(&b, cols, widths, row, o.Paint)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// layout picks the columns that are shown and cleans their cells.
func (t *Table) layout(o TableOptions) ([]Column, [][]Cell) {
	var cols []Column
	var at []int
	for i, c := range t.Columns {
		if (!c.Wide || o.Wide) && (!c.Sparse || t.filled(i)) {
			cols, at = append(cols, c), append(at, i)
		}
	}
	grid := make([][]Cell, len(t.Rows))
	for r, row := range t.Rows {
		grid[r] = make([]Cell, len(cols))
		for i, j := range at {
			if j < len(row) {
				grid[r][i] = Cell{Text: Clean(row[j].Text), Style: row[j].Style}
			}
		}
	}
	return cols, grid
}

// filled reports whether a row has a value in column i.
func (t *Table) filled(i int) bool {
	return slices.ContainsFunc(t.Rows, func(row []Cell) bool { return i < len(row) && row[i].Text != "" })
}

// shrink takes cells from the columns that may be cut, the widest first, until
// a row fits.
func shrink(cols []Column, widths []int, limit int) {
	if limit <= 0 {
		return
	}
	over := -limit + 2*(len(widths)-1)
	for _, w := range widths {
		over += w
	}
	for over > 0 {
		best := -1
		for i, c := range cols {
			if c.Cut && widths[i] > minCut && (best < 0 || widths[i] > widths[best]) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		widths[best]--
		over--
	}
}

func writeRow(b *strings.Builder, cols []Column, widths []int, row []Cell, p Paint) {
	var line, gap string
	for i, c := range row {
		text := c.Text
		if cols[i].Cut {
			text = Truncate(text, widths[i])
		}
		padded := Pad(text, widths[i], cols[i].Right)
		if text == "" {
			gap += padded + "  "
			continue
		}
		// The style covers the text and not its padding, and nothing trails.
		lead := padded[:strings.Index(padded, text)]
		line += gap + lead + p.Sprint(c.Style, text)
		gap = padded[len(lead)+len(text):] + "  "
	}
	b.WriteString(line + "\n")
}
