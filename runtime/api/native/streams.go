package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

// writer writes to a stream and pushes each piece out at once.
type writer struct {
	http.ResponseWriter
	ctl *http.ResponseController
}

func newWriter(w http.ResponseWriter, contentType string) *writer {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	out := &writer{w, http.NewResponseController(w)}
	// A client waits for the headers, and the first bytes may be long in coming.
	_ = out.ctl.Flush() // the first Write tells of a client that went away
	return out
}

// Write implements io.Writer.
func (w *writer) Write(p []byte) (int, error) {
	// A connection that cannot have a deadline is a test's recorder.
	_ = w.ctl.SetWriteDeadline(time.Now().Add(StreamWriteTimeout))
	n, err := w.ResponseWriter.Write(p)
	if err == nil {
		err = w.ctl.Flush()
	}
	return n, err
}

const logChunk = 32 << 10

func (a *api) taskLog(w http.ResponseWriter, c call) error {
	var o client.LogOptions
	var err [3]error
	o.Offset, err[0] = number(c, "offset", 0)
	o.Tail, err[1] = number(c, "tail", 0)
	o.Follow, err[2] = flag(c, "follow")
	o.Stream = c.URL.Query().Get("stream")
	if o.Stream != "" && o.Stream != "stdout" && o.Stream != "stderr" {
		return problem.New(problem.Invalid, "%s: stream=%q is neither stdout nor stderr", c.URL.Path, o.Stream)
	}
	if err := errors.Join(err[:]...); err != nil {
		return err
	}
	log, e := a.Cluster.TaskLog(c.Context(), cluster.TaskID(c.id), o)
	if e != nil {
		return e
	}
	defer log.Close()
	out := newWriter(w, "text/plain; charset=utf-8")
	buf := make([]byte, logChunk)
	for {
		n, readErr := log.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return nil // the client went away
			}
		}
		if readErr != nil {
			// The end, or a broken one: the stream's end is all that is left to say.
			return nil
		}
	}
}

const lostText = "event: " + client.StreamLost + "\ndata: {}\n\n"

// events sends what happens as server-sent events. The id of an event is its
// index in the log, given with the last of the events of one command, so that a
// client which comes back with Last-Event-ID misses none of them.
func (a *api) events(w http.ResponseWriter, c call) error {
	since, err := a.since(c)
	if err != nil {
		return err
	}
	only := cluster.ServiceID(c.URL.Query().Get("service"))
	first := ": events\n\n"
	if now := a.Cluster.View().Index(); since > now {
		// The client saw another log than ours.
		since, first = now, lostText
	}
	out := newWriter(w, "text/event-stream")
	if _, err := out.Write([]byte(first)); err != nil {
		return nil // the client went away
	}
	for written := time.Now(); ; {
		text, next, err := a.nextEvents(c, since, only, StreamPing-time.Since(written))
		if err != nil {
			return nil // the client went away, or the master stops
		}
		since = next
		if len(text) == 0 && time.Since(written) < StreamPing {
			continue // nothing for this watcher
		}
		if len(text) == 0 {
			text = []byte(": ping\n\n")
		}
		if _, err := out.Write(text); err != nil {
			return nil // the client went away
		}
		written = time.Now()
	}
}

// nextEvents waits for events, but no longer than patience, and gives their
// text; it is empty when there are none for this watcher.
func (a *api) nextEvents(c call, since int64, only cluster.ServiceID, patience time.Duration) (text []byte, next int64, err error) {
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	events, next, lost, err := a.Cluster.Events(ctx, since)
	if errors.Is(err, context.DeadlineExceeded) && c.Context().Err() == nil {
		return nil, since, nil
	}
	return render(events, lost, only), next, err
}

// since is the index after which events are wanted: as the client says, else now.
func (a *api) since(c call) (int64, error) {
	if text := c.Header.Get("Last-Event-ID"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return 0, problem.New(problem.Invalid, "%s: Last-Event-ID %q is not an index", c.URL.Path, text)
		}
		return n, nil
	}
	return number(c, "since", a.Cluster.View().Index())
}

// render makes the text of events.
func render(events []core.Event, lost bool, only cluster.ServiceID) []byte {
	var b bytes.Buffer
	if lost {
		b.WriteString(lostText)
	}
	for i := range events {
		e := &events[i]
		if only != "" && e.Service != only {
			continue
		}
		data, err := json.Marshal(e)
		if err != nil {
			continue // strings and numbers always encode
		}
		if i+1 == len(events) || events[i+1].Index != e.Index {
			fmt.Fprintf(&b, "id: %d\n", e.Index)
		}
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", e.Kind, data)
	}
	return b.Bytes()
}
