package server

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// idleBody ends a request whose body stands still, however long it is in all.
type idleBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	without bool // the transport has no deadlines
}

func (b *idleBody) Read(p []byte) (int, error) {
	if !b.without {
		if err := b.control.SetReadDeadline(time.Now().Add(b.idle)); err != nil {
			b.without = true
		}
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && !b.without {
		// The body has ended; the connection goes on without a deadline, or
		// it would end the request while the disk is synced.
		if derr := b.control.SetReadDeadline(time.Time{}); derr != nil && !errors.Is(err, io.EOF) {
			err = errors.Join(err, derr)
		}
	}
	return n, err
}
