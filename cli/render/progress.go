package render

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// ItemState is where one thing in a progress tree stands.
type ItemState int

// The states of an item.
const (
	ItemWaiting ItemState = iota // not begun, or held up
	ItemWorking
	ItemDone
	ItemFailed
)

// Item is a line of a progress tree.
type Item struct {
	Key      string    // names the item across updates; unique in the tree
	State    ItemState // its symbol
	Text     string    // "master-0 running"; a change is worth a line off a terminal
	Why      string    // what it waits for; as important as Text, and may be long
	Note     string    // sizes, seconds; a change is not worth a line
	Done     int64     // bytes done of Total
	Total    int64     // bytes in all; 0: no bar
	Children []Item
}

// ProgressOptions say how progress is shown.
type ProgressOptions struct {
	Terminal  bool             // redraw in place; else a line per change
	Width     func() int       // of the terminal now; nil: 80
	MaxLines  int              // of the tree on a terminal; 0: DefaultMaxLines
	Quiet     bool             // nothing at all
	Paint     Paint            // colours
	Symbols   Symbols          // marks
	Heartbeat time.Duration    // off a terminal: silence after which what is missing is named; 0: DefaultHeartbeat
	Now       func() time.Time // the clock
}

const (
	// DefaultMaxLines is how many lines of a tree a terminal shows.
	DefaultMaxLines = 20
	// DefaultHeartbeat is how long a log is silent before it says what is missing.
	DefaultHeartbeat = 30 * time.Second
	// barCells is the width of a bar.
	barCells = 20
	// maxMissing is how many missing items a heartbeat names.
	maxMissing = 5
	// maxWhyLines is how many lines of a terminal one Why may take.
	maxWhyLines = 6
)

// Progress shows how something long goes on. It may be used by several
// goroutines; it starts none.
type Progress struct {
	w io.Writer
	o ProgressOptions

	mu    sync.Mutex
	items []Item
	drawn int               // lines of the tree on the terminal now
	said  map[string]string // key -> last line printed off a terminal
	spoke time.Time         // when a line was printed last
}

// NewProgress makes a Progress that writes to w.
func NewProgress(w io.Writer, o ProgressOptions) *Progress {
	if o.Width == nil {
		o.Width = func() int { return 80 }
	}
	if o.MaxLines == 0 {
		o.MaxLines = DefaultMaxLines
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = DefaultHeartbeat
	}
	return &Progress{w: w, o: o, said: map[string]string{}, spoke: o.Now()}
}

// Set replaces the tree. On a terminal it is redrawn; elsewhere each item whose
// state or text is new prints a line.
func (p *Progress) Set(items []Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items = items
	if p.o.Quiet {
		return
	}
	if p.o.Terminal {
		p.draw()
		return
	}
	p.say("", items)
}

// Tick tells that time has passed: elsewhere than on a terminal, a long silence
// is broken by naming what is still missing.
func (p *Progress) Tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.o.Quiet || p.o.Terminal || p.o.Now().Sub(p.spoke) < p.o.Heartbeat {
		return
	}
	missing := missing(p.items)
	if len(missing) == 0 {
		return
	}
	more := ""
	if n := len(missing) - maxMissing; n > 0 {
		missing, more = missing[:maxMissing], fmt.Sprintf("; and %d more", n)
	}
	p.line("still waiting: " + strings.Join(missing, "; ") + more)
}

// Log prints a line that stays, above the tree.
func (p *Progress) Log(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.o.Quiet {
		return
	}
	if p.o.Terminal {
		p.erase()
		fmt.Fprintln(p.w, CleanText(line))
		if len(p.items) > 0 {
			p.draw()
		}
		return
	}
	p.line(CleanText(line))
}

// Close leaves the tree as it stands; what is printed next comes below it.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drawn, p.items = 0, nil
}

// Clear takes the tree away.
func (p *Progress) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.o.Terminal && !p.o.Quiet {
		p.erase()
	}
	p.items = nil
}

func (p *Progress) line(s string) {
	fmt.Fprintln(p.w, s)
	p.spoke = p.o.Now()
}

// say prints the items that changed, with the path of their parents' keys left
// to their own text.
func (p *Progress) say(indent string, items []Item) {
	for _, it := range items {
		now := fmt.Sprintf("%d %s\n%s", it.State, it.Text, it.Why)
		if p.said[it.Key] != now {
			p.said[it.Key] = now
			s := indent + p.mark(it.State) + " " + Clean(it.Text)
			if it.Why != "" {
				s += ": " + Clean(it.Why)
			}
			if it.Note != "" {
				s += "  " + Clean(it.Note)
			}
			p.line(s)
		}
		p.say(indent+"  ", it.Children)
	}
}

// missing names the leaves that are not done, with the reason of each.
func missing(items []Item) []string {
	var out []string
	for _, it := range items {
		switch {
		case len(it.Children) > 0:
			out = append(out, missing(it.Children)...)
		case it.State != ItemDone:
			s := Clean(it.Text)
			if it.Why != "" {
				s += " (" + Clean(it.Why) + ")"
			}
			out = append(out, s)
		}
	}
	return out
}

func (p *Progress) mark(s ItemState) string {
	switch s {
	case ItemDone:
		return p.o.Paint.Sprint(Good, p.o.Symbols.Done)
	case ItemWorking:
		return p.o.Paint.Sprint(Warn, p.o.Symbols.Working)
	case ItemFailed:
		return p.o.Paint.Sprint(Bad, p.o.Symbols.Failed)
	}
	return p.o.Paint.Sprint(Muted, p.o.Symbols.Waiting)
}

// erase takes the drawn lines away and leaves the cursor where they began.
func (p *Progress) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.drawn)
	}
	p.drawn = 0
}

func (p *Progress) draw() {
	width := p.o.Width()
	var lines []string
	p.lines(&lines, "", p.items, width)
	if n := len(lines) - p.o.MaxLines; n > 0 {
		lines = append(lines[:p.o.MaxLines], fmt.Sprintf("  +%d more", n))
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	for _, l := range lines {
		b.WriteString("\x1b[2K" + l + "\n")
	}
	// Fewer lines than before: the rest of the old tree goes.
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(p.w, b.String()) // a terminal that went away has no reader
	p.drawn = len(lines)
}

// lines renders the tree; no line is longer than the terminal, for a wrapped
// one would break the redraw.
func (p *Progress) lines(out *[]string, indent string, items []Item, width int) {
	col := 0
	for _, it := range items {
		col = max(col, min(Width(Clean(it.Text)), 44))
	}
	for _, it := range items {
		note := Clean(it.Note)
		if it.Total > 0 && it.State == ItemWorking {
			note = p.bar(it.Done, it.Total) + "  " + note
		}
		text := Clean(it.Text)
		room := width - 1 - Width(indent) - Width(p.plainMark(it.State)) - 1
		text = Truncate(text, room)
		s := indent + p.mark(it.State) + " " + text
		if note != "" {
			pad := max(col-Width(text), 0) + 2
			if rest := room - Width(text) - pad; rest >= minCut {
				s += strings.Repeat(" ", pad) + p.o.Paint.Sprint(Muted, Truncate(note, rest))
			}
		}
		*out = append(*out, s)
		p.why(out, indent+"    ", Clean(it.Why), width)
		p.lines(out, indent+"  ", it.Children, width)
	}
}

// why puts the reason of a wait below its item.
func (p *Progress) why(out *[]string, indent, text string, width int) {
	if text == "" {
		return
	}
	lines := WrapCommand(text, max(20, width-1-len(indent)))
	for i, l := range lines[:min(len(lines), maxWhyLines)] {
		if i == maxWhyLines-1 && len(lines) > maxWhyLines {
			l += " …"
		}
		*out = append(*out, indent+p.o.Paint.Sprint(Muted, Truncate(l, width-1-len(indent))))
	}
}

func (p *Progress) plainMark(s ItemState) string {
	return [...]string{p.o.Symbols.Waiting, p.o.Symbols.Working, p.o.Symbols.Done, p.o.Symbols.Failed}[s]
}

// bar draws done of total, "[#######-------------]  12 MiB of 40 MiB".
func (p *Progress) bar(done, total int64) string {
	full := 0
	if total > 0 {
		full = int(min(done, total) * barCells / total)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barCells-full) + "] " + cluster.Bytes(done) + " of " + cluster.Bytes(total)
}
