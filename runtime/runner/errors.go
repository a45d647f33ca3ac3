package runner

import "errors"

var (
	// ErrNotFound is wrapped when no such container exists.
	ErrNotFound = errors.New("container not found")
	// ErrExists is wrapped when a container of that id exists already.
	ErrExists = errors.New("container exists")
	// ErrImage is wrapped when an image could not be pulled or unpacked.
	ErrImage = errors.New("image not usable")
	// ErrSpec is wrapped when a spec asks for what is not allowed or cannot be:
	// trying again would fail again.
	ErrSpec = errors.New("container spec refused")
	// ErrUnavailable is wrapped when the engine does not answer: try again later.
	ErrUnavailable = errors.New("container engine not available")
)
