package master

import (
	"context"
	"net/http"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/discovery"
)

// names makes the names of the cluster out of each View, beside the loop.
type names struct {
	board   discovery.Board
	builder *discovery.Builder
	moved   chan struct{} // has room for one: there is a later View
	handler http.Handler
}

func newNames(cfg discovery.Config) *names {
	n := &names{builder: discovery.NewBuilder(cfg), moved: make(chan struct{}, 1)}
	n.handler = discovery.Handler(n.board.Zone, n.board.Changed)
	return n
}

// move says that there is a later View.
func (n *names) move() {
	select {
	case n.moved <- struct{}{}:
	default: // it is said already, and not heard yet
	}
}

// next waits until there is a later View.
func (n *names) next(ctx context.Context) error {
	select {
	case <-n.moved:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Zone gives the cluster's names, never nil. They follow the View within
// moments, while Run goes on.
func (m *Master) Zone() *discovery.Zone { return m.names.board.Zone() }

// ZoneChanged gives a channel that is closed at the first change of Zone from
// now on. Who looks at Zone after it has called ZoneChanged misses none.
func (m *Master) ZoneChanged() <-chan struct{} { return m.names.board.Changed() }

// Names is the board that Zone and ZoneChanged read, for whoever takes one. It
// is the master's to write.
func (m *Master) Names() *discovery.Board { return &m.names.board }

// serveNames serves names to agents, by a long poll that ends with the master.
func (m *Master) serveNames(w http.ResponseWriter, r *http.Request) {
	if _, err := m.speaker(r, ""); err != nil {
		problem.Write(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-m.done:
			cancel()
		case <-ended:
		}
	}()
	m.names.handler.ServeHTTP(w, r.WithContext(ctx))
}
