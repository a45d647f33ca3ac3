package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

const (
	// HeaderLogOffset carries the offset of the first byte sent.
	HeaderLogOffset = "Universe-Log-Offset"
	// maxTail bounds the lines asked for from the end.
	maxTail = 100_000
	// maxTailScan bounds how far back lines are looked for, in bytes.
	maxTailScan = 16 << 20
	// followEvery is the time between two looks at a log that is followed.
	followEvery = 200 * time.Millisecond
	// settleLimit is how long the last output of an ended task is waited for.
	settleLimit = 2 * time.Second
	// logWriteTimeout is how long a reader may take to accept a piece.
	logWriteTimeout = 30 * time.Second
)

// logRequest is the query of PathTaskLog.
type logRequest struct {
	task   cluster.TaskID
	stream output.Stream
	offset int64 // bytes from the start
	tail   int64 // last lines; -1: not asked
	follow bool
}

func parseLogRequest(q url.Values) (logRequest, error) {
	r := logRequest{task: cluster.TaskID(q.Get("task")), tail: -1}
	if err := checkID(r.task); err != nil {
		return r, problem.New(problem.Invalid, "task log: %w", err)
	}
	var err error
	if r.stream, err = output.ParseStream(q.Get("stream")); err != nil {
		return r, problem.New(problem.Invalid, "task log: %w", err)
	}
	if s := q.Get("offset"); s != "" {
		if r.offset, err = strconv.ParseInt(s, 10, 64); err != nil || r.offset < 0 {
			return r, problem.New(problem.Invalid, "task log: offset %q is not a number of bytes", s)
		}
	}
	if s := q.Get("tail"); s != "" {
		if r.tail, err = strconv.ParseInt(s, 10, 64); err != nil || r.tail < 0 || r.tail > maxTail {
			return r, problem.New(problem.Invalid, "task log: tail %q is not a number of lines from 0 to %d", s, maxTail)
		}
	}
	if s := q.Get("follow"); s != "" {
		if r.follow, err = strconv.ParseBool(s); err != nil {
			return r, problem.New(problem.Invalid, "task log: follow %q is neither true nor false", s)
		}
	}
	return r, nil
}

func (a *Agent) serveLog(w http.ResponseWriter, req *http.Request) {
	r, err := parseLogRequest(req.URL.Query())
	if err != nil {
		problem.Write(w, err)
		return
	}
	if _, ok := a.ledger.Get(r.task); !ok {
		problem.Write(w, problem.New(problem.NotFound, "agent %q does not know task %q, or keeps its log no longer", a.cfg.ID, r.task))
		return
	}
	f, err := output.Open(a.sandbox(r.task), r.stream)
	switch {
	case errors.Is(err, os.ErrNotExist) && !r.follow:
		// Not started yet, or it never was: no output is an answer.
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		return
	case errors.Is(err, os.ErrNotExist):
		f, err = a.awaitLog(req.Context(), r)
	}
	if err != nil {
		problem.Write(w, fmt.Errorf("log of task %q: %w", r.task, err))
		return
	}
	if f == nil { // it ended without any output
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		return
	}
	defer f.Close()
	if a.over(r.task) {
		output.Settled(req.Context(), a.sandbox(r.task), settleLimit)
	}
	if err := r.begin(f); err != nil {
		problem.Write(w, fmt.Errorf("log of task %q: %w", r.task, err))
		return
	}
	a.copyLog(w, req, f, r)
}

// begin settles where to begin: at the tail that was asked for, and not before
// what is kept.
func (r *logRequest) begin(f *output.Reader) error {
	first, err := f.First()
	if err != nil {
		return err
	}
	if r.tail >= 0 {
		end, err := f.Size()
		if err != nil {
			return err
		}
		if r.offset, err = tailOffset(f, first, end, r.tail); err != nil {
			return err
		}
	}
	r.offset = max(r.offset, first)
	return nil
}

// awaitLog waits for the log of a task that has not started. It gives nil when
// the task ended first.
func (a *Agent) awaitLog(ctx context.Context, r logRequest) (*output.Reader, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		over := a.over(r.task)
		f, err := output.Open(a.sandbox(r.task), r.stream)
		if !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		if over {
			return nil, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// over reports whether no more output can come.
func (a *Agent) over(id cluster.TaskID) bool {
	rec, ok := a.ledger.Get(id)
	return !ok || rec.Ended != 0
}

// copyLog sends the log from r.offset on, to its end or to the task's.
func (a *Agent) copyLog(w http.ResponseWriter, req *http.Request, f *output.Reader, r logRequest) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set(HeaderLogOffset, strconv.FormatInt(r.offset, 10))
	ctl := http.NewResponseController(w)
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	at := r.offset
	for {
		over := !r.follow || a.over(r.task) // asked before the last read, so that nothing is missed
		if over && r.follow {
			output.Settled(req.Context(), a.sandbox(r.task), settleLimit)
		}
		size, err := f.Size()
		if err != nil {
			return
		}
		first, err := f.First()
		if err != nil {
			return
		}
		if size < at {
			at = 0 // it was cut
		}
		at = max(at, first) // the reader was slower than the task, and a part was given back
		n, err := a.copyPiece(w, ctl, io.NewSectionReader(f, at, 1<<62))
		at += n
		if err != nil || over {
			return
		}
		select {
		case <-tick.C:
		case <-req.Context().Done():
			return
		}
	}
}

// copyPiece sends what is there now; each write has its own deadline.
func (a *Agent) copyPiece(w io.Writer, ctl *http.ResponseController, r io.Reader) (int64, error) {
	var sent int64
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			_ = ctl.SetWriteDeadline(time.Now().Add(logWriteTimeout)) // a recorder in a test has none
			m, werr := w.Write(buf[:n])
			sent += int64(m)
			if werr != nil {
				return sent, werr
			}
		}
		if errors.Is(err, io.EOF) {
			return sent, ctl.Flush()
		}
		if err != nil {
			return sent, err
		}
	}
}

// tailOffset is where the last n lines begin in what lies between first and
// end. It looks at most maxTailScan bytes back.
func tailOffset(f io.ReaderAt, first, end, n int64) (int64, error) {
	if n == 0 {
		return end, nil
	}
	first = max(first, end-maxTailScan)
	buf := make([]byte, 64<<10)
	var lines int64
	for at := end; at > first; {
		size := min(int64(len(buf)), at-first)
		at -= size
		if _, err := f.ReadAt(buf[:size], at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		piece := buf[:size]
		for i := bytes.LastIndexByte(piece, '\n'); i >= 0; i = bytes.LastIndexByte(piece[:i], '\n') {
			if at+int64(i) == end-1 {
				continue // the end of the last line begins none
			}
			if lines++; lines == n {
				return at + int64(i) + 1, nil
			}
		}
	}
	return first, nil
}
