package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"github.com/universe-dcos/universe/internal/problem"
)

// Error codes of distribution-spec 1.1, "Error Codes", and one of ours.
const (
	codeBlobUnknown         = "BLOB_UNKNOWN"
	codeBlobUploadInvalid   = "BLOB_UPLOAD_INVALID"
	codeBlobUploadUnknown   = "BLOB_UPLOAD_UNKNOWN"
	codeDigestInvalid       = "DIGEST_INVALID"
	codeManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid     = "MANIFEST_INVALID"
	codeManifestUnknown     = "MANIFEST_UNKNOWN"
	codeNameInvalid         = "NAME_INVALID"
	codeNameUnknown         = "NAME_UNKNOWN"
	codeSizeInvalid         = "SIZE_INVALID"
	codeUnauthorized        = "UNAUTHORIZED"
	codeDenied              = "DENIED"
	codeUnsupported         = "UNSUPPORTED"
	codeTooManyRequests     = "TOOMANYREQUESTS"
	codeUnknown             = "UNKNOWN"
	codeNoSpace             = "INSUFFICIENT_STORAGE" // ours: the disk is full
)

// retryAfterSeconds is what a client that came too early is told.
const retryAfterSeconds = 5

// ociError is an error with its answer: a status and one or more entries.
type ociError struct {
	status  int
	entries []errorEntry
	cause   error // what the log says besides; may be nil
}

// errorEntry is the wire form (distribution-spec 1.1, "Error Codes").
type errorEntry struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail,omitempty"`
}

func fail(status int, code, format string, args ...any) *ociError {
	err := fmt.Errorf(format, args...)
	return &ociError{status: status, entries: []errorEntry{{Code: code, Message: err.Error()}}, cause: errors.Unwrap(err)}
}

func (e *ociError) with(detail any) *ociError {
	e.entries[0].Detail = detail
	return e
}

// Error implements error with the first entry.
func (e *ociError) Error() string { return e.entries[0].Message }

// Unwrap gives the cause.
func (e *ociError) Unwrap() error { return e.cause }

// answerOf gives err the answer it has on the wire.
func answerOf(err error) *ociError {
	var oci *ociError
	if errors.As(err, &oci) {
		return oci
	}
	var tooLong *http.MaxBytesError
	var body *bodyError
	var p *problem.Error
	switch {
	case errors.As(err, &p):
		return ofProblem(p)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fail(http.StatusRequestTimeout, codeBlobUploadInvalid, "the request's content stood still too long; what came of an upload is kept: %w", err)
	case errors.As(err, &body), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fail(http.StatusRequestTimeout, codeBlobUploadInvalid, "the request ended before its content did; what came of an upload is kept: %w", err)
	case errors.As(err, &tooLong):
		return fail(http.StatusRequestEntityTooLarge, codeSizeInvalid, "content is larger than %d bytes", tooLong.Limit)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fail(http.StatusInsufficientStorage, codeNoSpace, "the registry's disk is full; the upload is kept: %w", err)
	}
	return &ociError{status: http.StatusInternalServerError, cause: err,
		entries: []errorEntry{{Code: codeUnknown, Message: "internal error; the registry's log has the cause"}}}
}

func ofProblem(p *problem.Error) *ociError {
	code := codeUnknown
	switch p.Class {
	case problem.Unauthorized:
		code = codeUnauthorized
	case problem.Forbidden, problem.Exists:
		code = codeDenied
	case problem.RateLimited:
		code = codeTooManyRequests
	}
	return &ociError{status: p.Class.Status(), cause: p.Err, entries: []errorEntry{{Code: code, Message: p.Detail}}}
}

// problemOf gives err the class that the users of Store expect.
func problemOf(err error) error {
	var p *problem.Error
	if err == nil || errors.As(err, &p) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	a := answerOf(err)
	switch {
	case a.status == http.StatusInsufficientStorage:
		return problem.New(problem.Unavailable, "%w", a)
	case a.status >= http.StatusInternalServerError:
		return err
	}
	q := problem.New(problem.ClassOfStatus(a.status), "%w", a)
	for _, e := range a.entries[1:] {
		q = q.WithDetails(problem.Detail{Message: e.Message})
	}
	return q
}

// writeError answers with err. A reply to HEAD has no body; net/http sees to it.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	a := answerOf(err)
	if a.status >= http.StatusInternalServerError {
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "status", a.status, "err", err)
	}
	if a.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", s.challenge)
	}
	if a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	body, merr := json.Marshal(struct {
		Errors []errorEntry `json:"errors"`
	}{a.entries})
	if merr != nil { // a detail of ours that cannot be encoded
		s.log.Error("error reply not encoded", "err", merr)
	}
	h := w.Header()
	for _, k := range []string{"ETag", "Accept-Ranges", "Docker-Content-Digest"} {
		h.Del(k) // they described the content that is not sent
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // nobody is left to tell when the client went away
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
