package site

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
)

// A Markdown parser takes time, and makes nodes, in the square of the length of
// some documents: 256 KiB of ">" took half a minute. What is over one of
// these limits is shown as text. They are far above what people write.
const (
	// maxMarkdown bounds a document, in bytes.
	maxMarkdown = 256 << 10
	// maxNesting bounds the quotes and lists that begin on one line.
	maxNesting = 24
	// maxScan bounds the steps that links cost: each bracket may be followed by
	// a search to the end of its paragraph.
	maxScan = 96 << 20
	// maxCells bounds the cells of tables: a short row is filled up to the
	// width of its head.
	maxCells = 100_000
	// maxTargets bounds the addresses of all links together, in bytes: one
	// definition can be named by many.
	maxTargets = 1 << 20
)

// costly reports whether a document is over the limits that can be seen
// before it is parsed.
func costly(src []byte) bool {
	if len(src) > maxMarkdown {
		return true
	}
	scan, brackets, length := 0, 0, 0 // the latter two of the paragraph
	columns, lines := 0, 0
	for line := range bytes.Lines(src) {
		lines++
		depth, rest := nesting(line)
		if depth > maxNesting {
			return true
		}
		if len(bytes.TrimSpace(rest)) == 0 || isItem(line) {
			scan += brackets * length
			brackets, length = 0, 0
		}
		brackets += bytes.Count(line, []byte("["))
		length += len(line)
		if n := bytes.Count(rest, []byte("|")); n > 0 && len(bytes.Trim(rest, "|-: \t\r\n")) == 0 {
			columns = max(columns, n+1)
		}
	}
	return scan+brackets*length > maxScan || columns*lines > maxCells
}

// nesting counts the marks of quotes and lists at the start of a line, and
// gives what comes after them.
func nesting(line []byte) (depth int, rest []byte) {
	for i, c := range line {
		next := byte('\n')
		if i+1 < len(line) {
			next = line[i+1]
		}
		space := next == ' ' || next == '\t' || next == '\n' || next == '\r'
		switch {
		case c == '>', (c == '-' || c == '+' || c == '*' || c == '.' || c == ')') && space:
			depth++
		case c == ' ', c == '\t', '0' <= c && c <= '9':
		default:
			return depth, line[i:]
		}
	}
	return depth, nil
}

// isItem reports whether a line ends the paragraph before it, since it is an
// item of a list wherever it stands.
func isItem(line []byte) bool {
	text := bytes.TrimLeft(line, " ")
	return len(line)-len(text) <= 3 && len(text) > 2 && bytes.IndexByte([]byte("-+*"), text[0]) >= 0 && text[1] == ' ' && text[2] > ' '
}

// targets is how many bytes the addresses of the links and pictures take.
func targets(doc ast.Node) int {
	n := 0
	for _, l := range collect[*ast.Link](doc) {
		n += len(l.Destination) + len(l.Title)
	}
	for _, i := range collect[*ast.Image](doc) {
		n += len(i.Destination) + len(i.Title)
	}
	return n
}
