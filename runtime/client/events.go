package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/core"
)

// maxEventLine bounds one line of the event stream, in bytes.
const maxEventLine = 1 << 20

// ErrLost is what Events yields when events before the next one are no longer
// kept: the caller reads the state anew and goes on.
var ErrLost = problem.New(problem.Conflict, "some events are no longer kept").WithHint("read the state again")

// Events yields what happens, in order, until ctx ends or the caller breaks off.
// After ErrLost it goes on; any other error is the last thing it yields, and
// the caller may call again with Since as the index of the last event it got.
func (c *Client) Events(ctx context.Context, o EventOptions) iter.Seq2[core.Event, error] {
	return func(yield func(core.Event, error) bool) {
		q := url.Values{}
		if o.Since >= 0 {
			q.Set("since", strconv.FormatInt(o.Since, 10))
		}
		if o.Service != "" {
			q.Set("service", string(o.Service))
		}
		resp, err := c.do(ctx, http.MethodGet, PathEvents, q, nil)
		if err != nil {
			yield(core.Event{}, err)
			return
		}
		defer resp.Body.Close()
		err = readEvents(resp.Body, yield)
		switch {
		case err == errBreak:
		case ctx.Err() != nil:
			yield(core.Event{}, context.Cause(ctx))
		case err != nil:
			yield(core.Event{}, fmt.Errorf("event stream: %w", err))
		default:
			yield(core.Event{}, problem.New(problem.Unavailable, "the event stream ended: %w", io.ErrUnexpectedEOF))
		}
	}
}

var errBreak = fmt.Errorf("the caller has enough")

// readEvents reads server-sent events (HTML standard §9.2) until the end.
func readEvents(r io.Reader, yield func(core.Event, error) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxEventLine)
	var name string
	var data []byte
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			more, err := dispatch(name, data, yield)
			if err != nil {
				return err
			}
			if !more {
				return errBreak
			}
			name, data = "", nil
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			name = value
		case "data":
			if len(data) > 0 {
				data = append(data, '\n')
			}
			data = append(data, value...)
		}
	}
	return lines.Err()
}

func dispatch(name string, data []byte, yield func(core.Event, error) bool) (more bool, err error) {
	switch {
	case name == StreamLost:
		return yield(core.Event{}, ErrLost), nil
	case len(data) == 0:
		return true, nil // a comment that keeps the connection alive
	}
	var e core.Event
	if err := json.Unmarshal(data, &e); err != nil {
		return false, fmt.Errorf("event %q: %w", name, err)
	}
	return yield(e, nil), nil
}
