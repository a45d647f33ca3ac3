package command

import (
	"net/http"

	"github.com/universe-dcos/universe/cli/render"
)

// client is the HTTP client for a cluster: -v tells about each request.
func (a *app) client() *http.Client {
	if !a.flags.verbose {
		return a.HTTP
	}
	c := *a.HTTP
	c.Transport = &tracer{app: a, next: a.HTTP.Transport}
	return &c
}

// tracer tells about requests on the error stream. It prints neither headers
// nor bodies: those may hold secrets.
type tracer struct {
	app  *app
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *tracer) RoundTrip(r *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	began := t.app.Now()
	resp, err := next.RoundTrip(r)
	took := render.Duration(t.app.Now().Sub(began))
	if err != nil {
		t.app.say("%s %s: %v (%s)", r.Method, r.URL.Redacted(), err, took)
		return nil, err
	}
	t.app.say("%s %s: %d (%s)", r.Method, r.URL.Redacted(), resp.StatusCode, took)
	return resp, nil
}
