package server

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// idleBody ends a request whose body stands still, however long it is in all.
//
// It sets a deadline before each read and takes it away at the body's end only:
// from there on the connection waits for nothing, and a deadline would end the
// request while the disk is synced. Otherwise the deadline stays, as net/http
// reads what a handler left of a body before it sends the answer.
type idleBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
}

func newIdleBody(w http.ResponseWriter, body io.ReadCloser, idle time.Duration) *idleBody {
	b := &idleBody{ReadCloser: body, control: http.NewResponseController(w), idle: idle}
	b.extend(time.Now().Add(idle))
	return b
}

// extend moves the deadline. A transport without deadlines, as in a test, has
// no standing still either.
func (b *idleBody) extend(until time.Time) { _ = b.control.SetReadDeadline(until) }

func (b *idleBody) Read(p []byte) (int, error) {
	b.extend(time.Now().Add(b.idle))
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.extend(time.Time{})
	case err != nil:
		err = &bodyError{err}
	}
	return n, err
}

// bodyError says that a request's body could not be read: the client's doing,
// not the registry's.
type bodyError struct{ err error }

// Error implements error.
func (e *bodyError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *bodyError) Unwrap() error { return e.err }
