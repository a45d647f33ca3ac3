package framework

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// httpTransport is a Transport over HTTP.
type httpTransport struct {
	base string
	http *http.Client
}

// HTTP gives the transport to the master at base, such as
// "http://127.0.0.1:5050". hc must have no time-out of its own, or it cuts
// streams off; nil: http.DefaultClient.
func HTTP(base string, hc *http.Client) (Transport, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, problem.New(problem.Invalid, "master address %q is not a URL", base).WithHint("give one such as http://127.0.0.1:5050")
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	return &httpTransport{base: strings.TrimRight(base, "/"), http: hc}, nil
}

// Open implements Transport. The session lasts until the stream is closed.
func (t *httpTransport) Open(ctx context.Context, s Subscribe) (Stream, error) {
	// The stream outlives the call: it has a context of its own.
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	resp, err := t.post(life, PathSession, s)
	if err != nil {
		stop()
		cancel(nil)
		return nil, fmt.Errorf("open a session: %w", err)
	}
	if !stop() { // ctx ended at the last moment
		cancel(nil)
		return nil, errors.Join(context.Cause(ctx), resp.Body.Close())
	}
	h := &httpStream{body: resp.Body, events: make(chan Event), done: make(chan struct{})}
	h.close = sync.OnceFunc(func() { cancel(nil); <-h.done })
	go h.read(life)
	return h, nil
}

// Call implements Transport.
func (t *httpTransport) Call(ctx context.Context, id cluster.FrameworkID, c Calls) error {
	resp, err := t.post(ctx, strings.Replace(PathCalls, "{id}", url.PathEscape(string(id)), 1), c)
	if err != nil {
		return fmt.Errorf("calls of framework %q: %w", id, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, problem.MaxBody)) // so that the connection can be used again
	return resp.Body.Close()
}

func (t *httpTransport) post(ctx context.Context, path string, body any) (*http.Response, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.base+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := t.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, problem.New(problem.Unavailable, "the master does not answer: %w", err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusGone {
		return nil, ErrSession
	}
	return nil, problem.Read(resp)
}

// httpStream reads the events of a reply's body.
type httpStream struct {
	body   io.ReadCloser
	events chan Event
	done   chan struct{} // closed after the reader's end
	err    error         // set before done is closed
	close  func()
}

func (h *httpStream) read(life context.Context) {
	defer close(h.done)
	defer h.body.Close()
	lines := bufio.NewScanner(h.body)
	lines.Buffer(make([]byte, 0, 64<<10), MaxEventBytes)
	for lines.Scan() {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			h.err = fmt.Errorf("event of the master: %w", err)
			return
		}
		select {
		case h.events <- e:
		case <-life.Done():
			h.err = errClosed
			return
		}
	}
	switch err := lines.Err(); {
	case life.Err() != nil:
		h.err = errClosed
	case err != nil:
		h.err = problem.New(problem.Unavailable, "the stream of events broke: %w", err)
	default:
		h.err = problem.New(problem.Unavailable, "the stream of events ended: %w", io.ErrUnexpectedEOF)
	}
}

var errClosed = errors.New("the session was closed")

// Next implements Stream.
func (h *httpStream) Next(ctx context.Context) (Event, error) {
	select {
	case e := <-h.events:
		return e, e.ended()
	case <-h.done:
		return Event{}, h.err
	case <-ctx.Done():
		return Event{}, context.Cause(ctx)
	}
}

// Close implements Stream.
func (h *httpStream) Close() error {
	h.close()
	return nil
}

// ended is why the master ends the stream with e; nil when it does not.
func (e Event) ended() error {
	if e.Error == nil {
		return nil
	}
	return problem.New(problem.Class(e.Error.Code), "%s", e.Error.Message)
}
