package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/universe-dcos/universe/internal/problem"
)

// wrap gives err a class, the operation and the repository. An error that has
// a class keeps it.
func (r *Repository) wrap(err error, format string, args ...any) error {
	where := fmt.Sprintf(format, args...) + " in " + r.ref.Name()
	var p *problem.Error
	if errors.As(err, &p) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", where, err)
	}
	class, hint := r.classify(err)
	e := problem.New(class, "%s: %w", where, err)
	e.Hint = hint
	return e
}

func (r *Repository) classify(err error) (problem.Class, string) {
	var resp *errcode.ErrorResponse
	if errors.As(err, &resp) {
		return classOfStatus(resp.StatusCode, r.ref.Host)
	}
	var (
		opErr     *net.OpError
		dnsErr    *net.DNSError
		certErr   *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return classOfStatus(http.StatusUnauthorized, r.ref.Host)
	case errors.Is(err, errdef.ErrNotFound):
		return problem.NotFound, ""
	case errors.Is(err, errdef.ErrInvalidReference), errors.Is(err, errdef.ErrInvalidDigest):
		return problem.Invalid, ""
	case errors.Is(err, errdef.ErrSizeExceedsLimit), errors.Is(err, errdef.ErrTooManyPages):
		return problem.TooLarge, ""
	case errors.As(err, &certErr), errors.As(err, &authority):
		return problem.Unavailable, "the certificate of " + r.ref.Host + " is not trusted here: add its authority to the system's trust store"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return problem.Unavailable, r.ref.Host + " does not speak TLS: ask for plain HTTP if that is meant"
	case errors.As(err, &dnsErr), errors.As(err, &opErr):
		return problem.Unavailable, "check that the registry " + r.ref.Host + " runs and can be reached from here"
	}
	return problem.Internal, ""
}

func classOfStatus(status int, host string) (problem.Class, string) {
	switch status {
	case http.StatusUnauthorized:
		return problem.Unauthorized, "log in to " + host + ": docker login " + host
	case http.StatusForbidden:
		return problem.Forbidden, "the account has no right to do this; ask who runs " + host
	case http.StatusRequestedRangeNotSatisfiable:
		return problem.Invalid, ""
	}
	if status >= http.StatusInternalServerError {
		return problem.Unavailable, "the registry " + host + " failed; try again"
	}
	return problem.ClassOfStatus(status), ""
}
