// Package problem is the one vocabulary of errors that reach a person: a class
// (which fixes the HTTP status and the exit code), a sentence that names the
// thing and the place, and a hint that says the way out.
//
// A package returns problem.New(problem.NotFound, "package %q is not in the
// catalog", name).WithHint("…"); it travels wrapped with %w as any error,
// becomes an RFC 9457 document at an HTTP handler (Write) and the same value
// again in the client (Read), so the terminal prints what the core said.
package problem

import (
	"errors"
	"fmt"
	"net/http"
)

// Class says what kind of failure an error is. The zero value is Internal.
type Class string

// The classes. Their HTTP status is in Status, and nowhere else.
const (
	Internal      Class = "internal"        // 500: a fault of ours
	Invalid       Class = "invalid"         // 400: the request is wrong and would be wrong again
	Unauthorized  Class = "unauthenticated" // 401
	Forbidden     Class = "forbidden"       // 403
	NotFound      Class = "not_found"       // 404
	Exists        Class = "exists"          // 409: the name or version is taken
	Conflict      Class = "conflict"        // 412: the plan or revision is stale
	TooLarge      Class = "too_large"       // 413: over a named limit
	Unsatisfiable Class = "unsatisfiable"   // 422: no set of versions meets the request
	RateLimited   Class = "rate_limited"    // 429
	Unavailable   Class = "unavailable"     // 503: try again later
)

var statuses = map[Class]int{
	Internal: http.StatusInternalServerError, Invalid: http.StatusBadRequest,
	Unauthorized: http.StatusUnauthorized, Forbidden: http.StatusForbidden,
	NotFound: http.StatusNotFound, Exists: http.StatusConflict,
	Conflict: http.StatusPreconditionFailed, TooLarge: http.StatusRequestEntityTooLarge,
	Unsatisfiable: http.StatusUnprocessableEntity, RateLimited: http.StatusTooManyRequests,
	Unavailable: http.StatusServiceUnavailable,
}

// Status is the HTTP status of a class; 500 for an unknown one.
func (c Class) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// ClassOfStatus is the inverse of Status, for replies that carry no problem document.
func ClassOfStatus(status int) Class {
	for c, s := range statuses {
		if s == status {
			return c
		}
	}
	if status >= 400 && status < 500 {
		return Invalid
	}
	return Internal
}

// Detail is one of several causes of a failure, such as one wrong option.
type Detail struct {
	// Pointer is the place: a JSON pointer (RFC 6901), a file:line or a name.
	Pointer string `json:"pointer,omitempty"`
	// Message says what is wrong there.
	Message string `json:"message"`
}

// Error is an error with a class, made to be read by a person.
type Error struct {
	Class   Class
	Detail  string   // one sentence: the operation, the object, the reason
	Hint    string   // the way out, often a command to type; may be empty
	Details []Detail // all causes, where there are several
	Data    any      // machine-readable evidence (a proof, a new plan); JSON-encodable
	Err     error    // the wrapped cause; may be nil
}

// New makes an Error of a class with a formatted detail; a %w verb wraps as in fmt.Errorf.
func New(c Class, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Class: c, Detail: err.Error(), Err: errors.Unwrap(err)}
}

// WithHint returns e with the way out.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithDetails returns e with its separate causes.
func (e *Error) WithDetails(d ...Detail) *Error {
	e.Details = append(e.Details, d...)
	return e
}

// WithData returns e with machine-readable evidence.
func (e *Error) WithData(v any) *Error {
	e.Data = v
	return e
}

// Error is the detail sentence.
func (e *Error) Error() string { return e.Detail }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether err has class c anywhere in its chain.
func Is(err error, c Class) bool {
	var p *Error
	return errors.As(err, &p) && p.Class == c
}

// Of gives the Error in err's chain, or wraps err as Internal. It is nil for nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var p *Error
	if errors.As(err, &p) {
		if p.Detail == err.Error() {
			return p
		}
		// Outer context matters to the reader: keep the whole sentence.
		q := *p
		q.Detail = err.Error()
		return &q
	}
	return &Error{Class: Internal, Detail: err.Error(), Err: err}
}
