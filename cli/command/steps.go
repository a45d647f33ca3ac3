package command

import (
	"sync"
	"time"

	"github.com/universe-dcos/universe/cli/render"
)

// redrawEvery is the least time between two redraws for bytes that move.
const redrawEvery = 100 * time.Millisecond

// steps is work of several steps, one after the other, shown as it goes on.
// Callbacks of several goroutines may report to it.
type steps struct {
	show *render.Progress
	now  func() time.Time

	mu    sync.Mutex
	items []render.Item
	began time.Time // of the last step
	drawn time.Time
}

func (a *app) steps() *steps { return &steps{show: a.progress(), now: a.Now} }

// begin starts the next step.
func (s *steps) begin(key, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = s.now()
	s.items = append(s.items, render.Item{Key: key, State: render.ItemWorking, Text: text})
	s.draw()
}

// bytes reports how far the step is.
func (s *steps) bytes(done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.last()
	it.Done, it.Total = done, total
	s.drawSoon()
}

// part reports on a part of the step: it replaces the child of the same key.
func (s *steps) part(child render.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.last()
	for i := range it.Children {
		if c := &it.Children[i]; c.Key == child.Key {
			same := c.Text == child.Text && c.State == child.State
			*c = child
			if same {
				s.drawSoon()
				return
			}
			s.draw()
			return
		}
	}
	it.Children = append(it.Children, child)
	s.draw()
}

// done ends the step with a text in the past tense. Its parts are folded away.
func (s *steps) done(text string) { s.end(render.ItemDone, text) }

// close leaves the tree as it stands; with an error, a step that is not done is
// marked as failed.
func (s *steps) close(err error) {
	s.mu.Lock()
	open := err != nil && len(s.items) > 0 && s.last().State == render.ItemWorking
	text := ""
	if open {
		text = s.last().Text
	}
	s.mu.Unlock()
	if open {
		s.end(render.ItemFailed, text)
	}
	s.show.Close()
}

func (s *steps) end(state render.ItemState, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.last()
	it.State, it.Text, it.Note = state, text, render.Duration(s.now().Sub(s.began))
	if state == render.ItemDone {
		it.Children = nil
	}
	s.draw()
}

func (s *steps) last() *render.Item { return &s.items[len(s.items)-1] }

func (s *steps) draw() {
	s.drawn = s.now()
	s.show.Set(s.items)
}

func (s *steps) drawSoon() {
	if s.now().Sub(s.drawn) >= redrawEvery {
		s.draw()
	}
}
