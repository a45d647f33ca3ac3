package discovery

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
)

// PathNames is where Handler is served to agents:
//
//	GET PathNames?index=N&life=L   an Update from the zone of index N of life L,
//	                               when there is a later one, or after some time
//	                               without a change
const PathNames = "/v1/agent/names"

const (
	// pollFor is how long a request waits for a change.
	pollFor = 30 * time.Second
	// writeFor bounds the writing of an answer.
	writeFor = 30 * time.Second
	// maxEncoded is how many answers that lead to one zone are kept: all agents
	// that keep up ask for the same.
	maxEncoded = 8
	// unknown is the index of who knows no zone of this life.
	unknown int64 = -1
	// maxLife bounds the name of a life, in bytes.
	maxLife = 64
)

// Handler serves zones by long poll: current gives the latest, changed a channel
// that is closed at the first change after it was called (Board has both).
func Handler(current func() *Zone, changed func() <-chan struct{}) http.Handler {
	return &handler{current: current, changed: changed, life: rand.Text()}
}

type handler struct {
	current func() *Zone
	changed func() <-chan struct{}
	life    string

	mu      sync.Mutex
	zone    *Zone // encoded leads to it
	encoded map[int64][]byte
}

// ServeHTTP answers one poll.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "names are read by GET", http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	index := unknown
	if text := q.Get("index"); text != "" {
		var err error
		if index, err = strconv.ParseInt(text, 10, 64); err != nil || index < 0 {
			problem.Write(w, problem.New(problem.Invalid, "%s: index is not a number from 0", PathNames))
			return
		}
	}
	if q.Get("life") != h.life {
		index = unknown
	}
	z, ok := h.wait(r, index)
	if !ok {
		return // who asked has gone
	}
	body, err := h.encode(z, index)
	if err != nil {
		problem.Write(w, fmt.Errorf("names: %w", err))
		return
	}
	// A connection that cannot have a deadline is a test's recorder.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeFor))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // nobody to tell
}

// wait gives the zone of another index than the one that is known, or the same
// after pollFor.
func (h *handler) wait(r *http.Request, known int64) (*Zone, bool) {
	timer := time.NewTimer(pollFor)
	defer timer.Stop()
	for {
		changed := h.changed()
		if z := h.current(); z.Index() != known {
			return z, true
		}
		select {
		case <-changed:
		case <-timer.C:
			return h.current(), true
		case <-r.Context().Done():
			return nil, false
		}
	}
}

// encode gives the answer to who knows the zone of an index.
func (h *handler) encode(z *Zone, known int64) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.zone == z {
		if body, ok := h.encoded[known]; ok {
			return body, nil
		}
	} else if h.zone == nil || z.Index() >= h.zone.Index() {
		h.zone, h.encoded = z, map[int64][]byte{}
	}
	u := z.Since(known)
	u.Life = h.life
	body, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	if len(body) > MaxUpdate {
		return nil, problem.New(problem.TooLarge, "%d bytes, over the limit of %d", len(body), MaxUpdate)
	}
	if h.zone == z && len(h.encoded) < maxEncoded {
		h.encoded[known] = body
	}
	return body, nil
}
