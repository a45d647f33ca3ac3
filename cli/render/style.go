package render

// Style is a colour or weight of text. The zero Style is plain.
type Style string

// The styles. They use the sixteen colours every terminal has, so that they
// follow the reader's own theme.
const (
	Plain Style = ""
	Bold  Style = "1"
	Muted Style = "2"
	Good  Style = "32"
	Warn  Style = "33"
	Bad   Style = "31"
	Link  Style = "36"
)

// Paint applies styles, or does not where colour is off. The zero Paint is off.
type Paint bool

// Sprint gives s in the style.
func (p Paint) Sprint(style Style, s string) string {
	if !bool(p) || style == Plain || s == "" {
		return s
	}
	return "\x1b[" + string(style) + "m" + s + "\x1b[0m"
}

// Symbols are the marks in front of states.
type Symbols struct {
	Done, Working, Waiting, Failed, Warning string
}

// Unicode and ASCII are the two sets of marks; a screen reader or a terminal
// without UTF-8 gets words.
var (
	Unicode = Symbols{Done: "✓", Working: "◐", Waiting: "◌", Failed: "✗", Warning: "▲"}
	ASCII   = Symbols{Done: "done:", Working: "working:", Waiting: "waiting:", Failed: "failed:", Warning: "warning:"}
)
