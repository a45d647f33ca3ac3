package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/execwire"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// execNode is an agent with a running task a.1 whose sessions are scripted.
func execNode(t *testing.T, session func(context.Context, runner.Session) (int, error)) (*node, *httptest.Server) {
	t.Helper()
	n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{ExecIO: session} }})
	n.launch(testTask("a.1"))
	n.master.until(cluster.TaskRunning)
	srv := httptest.NewServer(n.agent.Handler())
	t.Cleanup(srv.Close)
	return n, srv
}

// dialExec opens a session as the master does.
func dialExec(t *testing.T, srv *httptest.Server, query string) (net.Conn, *execwire.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "POST %s?%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", cluster.PathTaskExec, query, execwire.Protocol)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, execwire.New(r, conn), resp
}

func TestExec_aSession(t *testing.T) {
	_, srv := execNode(t, func(_ context.Context, s runner.Session) (int, error) {
		fmt.Fprintf(s.Stdout, "%v %t %d x %d;", s.Argv, s.TTY, s.Size.Columns, s.Size.Rows)
		size := <-s.Resize
		fmt.Fprintf(s.Stderr, "now %d x %d;", size.Columns, size.Rows)
		b, err := io.ReadAll(s.Stdin)
		fmt.Fprintf(s.Stdout, "%s", b)
		return 7, err
	})
	_, wire, resp := dialExec(t, srv, "task=a.1&arg=sh&arg=-c&tty=true&columns=80&rows=25")
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != execwire.Protocol {
		t.Fatalf("answer: got %d", resp.StatusCode)
	}
	if err := errors.Join(wire.SendSize(132, 43), wire.Send(execwire.Stdin, []byte("keys")), wire.Send(execwire.EOF, nil)); err != nil {
		t.Fatal(err)
	}
	got := map[execwire.Kind]string{}
	for {
		kind, p, err := wire.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[kind] += string(p)
	}
	if got[execwire.Stdout] != "[sh -c] true 80 x 25;keys" || got[execwire.Stderr] != "now 132 x 43;" || got[execwire.Exit] != `{"code":7}` {
		t.Errorf("frames: got %v", got)
	}
}

func TestExec_endsWithItsUserAndNotTheTask(t *testing.T) {
	ended := make(chan error, 2)
	n, srv := execNode(t, func(ctx context.Context, _ runner.Session) (int, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return 0, ctx.Err()
	})
	conn, _, _ := dialExec(t, srv, "task=a.1&arg=sh")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a session whose user is gone: got %v", err)
	}
	_, wire, _ := dialExec(t, srv, "task=a.1&arg=sh")
	if err := wire.Send(99, nil); err != nil { // nonsense
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a session that got nonsense: got %v", err)
	}
	kind, p, err := wire.Receive()
	if kind != execwire.Exit || err != nil || !strings.Contains(string(p), "canceled") {
		t.Errorf("its last frame: got %d %q, %v", kind, p, err)
	}
	if rec, ok := n.agent.ledger.Get("a.1"); !ok || rec.Status.State != cluster.TaskRunning {
		t.Errorf("the task: got %+v, want it running", rec.Status)
	}
}

func TestExec_refusals(t *testing.T) {
	n, srv := execNode(t, nil)
	many := url.Values{"task": {"a.1"}, "arg": make([]string, maxExecArgs+1)}
	many["arg"][0] = "x"
	for query, code := range map[string]int{
		"task=a.1":                      400,
		"task=a.1&arg=":                 400,
		"task=a.1&arg=a%00b":            400,
		"task=a.1&arg=sh&tty=maybe":     400,
		"task=a.1&arg=sh&columns=99999": 400,
		"task=..%2Fx&arg=sh":            400,
		"task=b.1&arg=sh":               404,
		many.Encode():                   400,
		"task=a.1&arg=" + strings.Repeat("x", maxExecBytes+1): 400,
	} {
		if _, _, resp := dialExec(t, srv, query); resp.StatusCode != code {
			t.Errorf("exec?%.60s: got %d, want %d", query, resp.StatusCode, code)
		}
	}
	resp, err := http.Post(srv.URL+cluster.PathTaskExec+"?task=a.1&arg=sh", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("without an upgrade: got %d, want 400", resp.StatusCode)
	}
	for range maxExecs {
		if !n.agent.openExec() {
			t.Fatal("a session within the limit was refused")
		}
	}
	if _, _, resp := dialExec(t, srv, "task=a.1&arg=sh"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("over the limit: got %d, want 503", resp.StatusCode)
	}
}
