package server_test

import (
	"net/http"
	"testing"
)

// newClient is an HTTP client of the test's own, whose connections end with it.
func newClient(tb testing.TB) *http.Client {
	tb.Helper()
	t := &http.Transport{MaxIdleConnsPerHost: 64}
	tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}
