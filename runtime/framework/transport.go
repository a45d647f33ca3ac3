package framework

import (
	"context"
	"errors"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// Transport reaches a master: by HTTP, or in its own process.
type Transport interface {
	// Open opens a session. The stream's first event is Subscribed.
	Open(ctx context.Context, s Subscribe) (Stream, error)
	// Call makes calls; they are in the log when it returns nil. ErrSession
	// says that the session is not the framework's current one.
	Call(ctx context.Context, id cluster.FrameworkID, c Calls) error
}

// Stream is the events of one session.
type Stream interface {
	// Next waits for the next event. Its error ends the stream: that of ctx, or
	// why the master ended it.
	Next(ctx context.Context) (Event, error)
	// Close ends the session. It may be called more than once.
	Close() error
}

// ErrSession says that a session is not, or no longer, its framework's current one.
var ErrSession = errors.New("not the framework's current session; open a new one")
