package render

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// RuneWidth is the number of terminal cells r takes: 0 for combining and format
// characters, 2 for East Asian wide ones and most emoji, else 1.
func RuneWidth(r rune) int {
	if r >= ' ' && r < 0x7f {
		return 1
	}
	if unicode.IsControl(r) || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Width is the number of terminal cells s takes. It knows no escape sequences:
// measure text before it is styled.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += RuneWidth(r)
	}
	return n
}

// Truncate shortens s to at most cells, with an ellipsis where something is cut.
func Truncate(s string, cells int) string {
	if Width(s) <= cells {
		return s
	}
	if cells <= 0 {
		return ""
	}
	n := 0
	for i, r := range s {
		w := RuneWidth(r)
		if n+w > cells-1 {
			return s[:i] + "…"
		}
		n += w
	}
	return s
}

// Pad fills s with spaces to cells, on the left if right is set.
func Pad(s string, cells int, right bool) string {
	fill := cells - Width(s)
	if fill <= 0 {
		return s
	}
	if right {
		return strings.Repeat(" ", fill) + s
	}
	return s + strings.Repeat(" ", fill)
}

// Clean makes s one harmless line: white space becomes a space, and control and
// direction-changing characters, which could steer the terminal or hide text,
// become "�".
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case hostile(r):
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// CleanText is Clean for text of several lines: line ends and tabs stay.
func CleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && hostile(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

// hostile reports control characters and the bidirectional overrides of
// Unicode TR36 §2.
func hostile(r rune) bool {
	return unicode.IsControl(r) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}

// Wrap breaks s between words into lines of at most cells. A longer word has a
// line of its own; line ends of s stay. It gives one line for cells <= 0.
func Wrap(s string, cells int) []string {
	if cells <= 0 {
		return []string{s}
	}
	var lines []string
	for para := range strings.SplitSeq(s, "\n") {
		indent := para[:len(para)-len(strings.TrimLeft(para, " "))]
		line := indent
		for word := range strings.FieldsSeq(para) {
			switch {
			case line == indent:
				line += word
			case Width(line)+1+Width(word) <= cells:
				line += " " + word
			default:
				lines = append(lines, line)
				line = indent + word
			}
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// commandMark is what stands before a command at the end of a sentence.
const commandMark = ": dcos "

// WrapCommand is Wrap for a sentence that may end with a command to type: where
// it does not fit in one line, the command gets a line of its own.
func WrapCommand(s string, cells int) []string {
	if i := strings.LastIndex(s, commandMark); i >= 0 && cells > 0 && Width(s) > cells {
		s = s[:i+1] + "\n" + s[i+2:]
	}
	return Wrap(s, cells)
}
