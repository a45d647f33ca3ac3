package client

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/runner/execwire"
)

// execServer speaks HTTP/2 to who wants it, and answers sessions by do.
func execServer(t *testing.T, do func(*execwire.Conn)) *Client {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/tasks/t.1/exec" || r.Header.Get("Upgrade") != execwire.Protocol {
			problem.Write(w, problem.New(problem.Invalid, "%s %s %s", r.Proto, r.Method, r.URL))
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			problem.Write(w, err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+execwire.Protocol+"\r\n\r\n")
		do(execwire.New(buffered, conn))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	c, err := New(server.URL, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExec_overTLS(t *testing.T) {
	c := execServer(t, func(wire *execwire.Conn) {
		var in strings.Builder
		for {
			kind, p, err := wire.Receive()
			if err != nil {
				return
			}
			if kind == execwire.EOF {
				break
			}
			in.Write(p)
		}
		_, _ = io.WriteString(wire.Writer(execwire.Stderr), in.String())
		_ = wire.SendExit(execwire.Result{Code: 130})
	})
	var errs strings.Builder
	if _, err := c.State(t.Context()); !problem.Is(err, problem.Invalid) || !strings.Contains(err.Error(), "HTTP/2.0") {
		t.Fatalf("a request before: %v, which should say that it came by HTTP/2", err)
	}
	code, err := c.Exec(t.Context(), "t.1", ExecOptions{Argv: []string{"sh"}, Stdin: strings.NewReader("keys"), Stderr: &errs})
	if code != 130 || err != nil || errs.String() != "keys" {
		t.Errorf("Exec = %d, %v, and %q", code, err, errs.String())
	}
	closed := make(chan Size)
	close(closed)
	if code, err := c.Exec(t.Context(), "t.1", ExecOptions{Argv: []string{"sh"}, Resize: closed}); code != 130 || err != nil {
		t.Errorf("Exec without streams = %d, %v", code, err)
	}
}

func TestExec_brokenSessions(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(*execwire.Conn)
		want string
	}{
		"no end":          {func(*execwire.Conn) {}, "ended before the process"},
		"an error":        {func(w *execwire.Conn) { _ = w.SendExit(execwire.Result{Error: "no such file"}) }, "no such file"},
		"an unknown kind": {func(w *execwire.Conn) { _ = w.Send(execwire.Stdin, nil) }, "malformed"},
		"no result":       {func(w *execwire.Conn) { _ = w.Send(execwire.Exit, []byte("{")) }, "malformed"},
	} {
		c := execServer(t, tc.do)
		if _, err := c.Exec(t.Context(), "t.1", ExecOptions{Argv: []string{"sh"}}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q in it", name, err, tc.want)
		}
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	if _, err := c.Exec(t.Context(), "t.1", ExecOptions{Argv: []string{"sh"}}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("an answer that is no session: %v", err)
	}
}
