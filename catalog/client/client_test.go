package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/catalog/client"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
)

// TestErrors: whatever the other side does, the caller gets a problem with a
// class.
func TestErrors(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter)
		class  problem.Class
		want   string
	}{
		{"a problem", func(w http.ResponseWriter) { problem.Write(w, problem.New(problem.NotFound, "gone").WithHint("look")) }, problem.NotFound, "gone"},
		{"a plain error", func(w http.ResponseWriter) { http.Error(w, "bad gateway\nmore", http.StatusBadGateway) }, problem.Internal, "502 bad gateway"},
		{"no JSON", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") }, problem.Internal, "cannot be read"},
		{"too much", func(w http.ResponseWriter) {
			_, _ = io.Copy(w, io.LimitReader(zeros{}, client.MaxReply+10))
		}, problem.TooLarge, "more than"},
		{"cut off", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}, problem.Unavailable, "broke off"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.answer(w) }))
		_, err := client.New(srv.URL, srv.Client()).Plan(ctx, plan.Request{Package: "a"})
		srv.Close()
		if !problem.Is(err, c.class) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %s %v, want %s %q", c.name, problem.Of(err).Class, err, c.class, c.want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestUnreachable(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	c := client.New(srv.URL, nil)
	srv.Close()
	if _, err := c.Installations(context.Background()); !problem.Is(err, problem.Unavailable) || problem.Of(err).Hint == "" {
		t.Errorf("got %v", err)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, err := c.Installations(ctx); !errors.Is(err, cause) {
		t.Errorf("a context that ended: %v", err)
	}
	if _, err := client.New("http://a b", nil).Installations(context.Background()); !problem.Is(err, problem.Invalid) {
		t.Errorf("a bad address: %v", err)
	}
}
