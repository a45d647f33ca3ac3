package native

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/execwire"
)

// executor is a Cluster whose sessions are at the other end of a pipe.
type executor struct {
	*state
	sessions chan net.Conn
	asked    client.ExecOptions
}

func (e *executor) Exec(_ context.Context, _ cluster.TaskID, o client.ExecOptions) (io.ReadWriteCloser, error) {
	e.asked = o
	here, there := net.Pipe()
	e.sessions <- there
	return here, nil
}

// readers may read, and nothing else.
type readers struct{}

func (readers) Authorize(_ context.Context, _ auth.Principal, v auth.Verb, o auth.Object) error {
	if v != auth.Read {
		return problem.New(problem.Forbidden, "%s %s", v, o)
	}
	return nil
}

func TestExec_isMoreThanReading(t *testing.T) {
	_, c, _ := serve(t, func(cfg *Config) {
		cfg.Cluster, cfg.Authorizer = &executor{state: cfg.Cluster.(*state), sessions: make(chan net.Conn, 1)}, readers{}
	})
	_, err := c.Exec(ctx(t), "web.p-0.t.1", client.ExecOptions{Argv: []string{"sh"}})
	if !problem.Is(err, problem.Forbidden) || !strings.Contains(err.Error(), "exec task/web.p-0.t.1") {
		t.Errorf("Exec of who may read = %v", err)
	}
}

func TestExec_passesOnWhatBothSay(t *testing.T) {
	e := &executor{sessions: make(chan net.Conn, 1)}
	_, c, _ := serve(t, func(cfg *Config) { e.state = cfg.Cluster.(*state); cfg.Cluster = e })
	go func() {
		conn := <-e.sessions
		defer conn.Close()
		wire := execwire.New(conn, conn)
		for {
			kind, p, err := wire.Receive()
			if err != nil || kind == execwire.EOF {
				_ = wire.SendExit(execwire.Result{Code: 3}) // the client says if it is lost
				return
			}
			_, _ = wire.Writer(execwire.Stdout).Write(p)
		}
	}()
	var out strings.Builder
	code, err := c.Exec(ctx(t), "web.p-0.t.1", client.ExecOptions{Argv: []string{"cat", ""}, TTY: true,
		Size: client.Size{Columns: 80, Rows: 25}, Stdin: strings.NewReader("echo"), Stdout: &out})
	if code != 3 || err != nil || out.String() != "echo" {
		t.Errorf("Exec = %d, %v, and %q", code, err, out.String())
	}
	if o := e.asked; len(o.Argv) != 2 || !o.TTY || o.Size != (client.Size{Columns: 80, Rows: 25}) {
		t.Errorf("the cluster was asked for %+v", o)
	}
}

func TestExec_refuses(t *testing.T) {
	e := &executor{}
	_, _, url := serve(t, func(cfg *Config) { e.state = cfg.Cluster.(*state); cfg.Cluster = e })
	post := func(query, upgrade string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx(t), http.MethodPost, url+client.PathTasks+"/x/exec?"+query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if upgrade != "" {
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", upgrade)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	defer http.DefaultClient.CloseIdleConnections()
	for _, tc := range []struct{ query, upgrade string }{
		{"arg=sh", ""}, {"arg=sh", "websocket"}, {"", execwire.Protocol}, {"arg=", execwire.Protocol}, {"arg=a%00", execwire.Protocol},
		{"arg=sh&tty=perhaps", execwire.Protocol}, {"arg=sh&columns=65536", execwire.Protocol}, {"arg=sh&rows=-1", execwire.Protocol},
		{strings.Repeat("arg=x&", client.MaxExecArgs+1), execwire.Protocol},
	} {
		if got := post(tc.query, tc.upgrade); got != http.StatusBadRequest {
			t.Errorf("%.40q with %q: %d", tc.query, tc.upgrade, got)
		}
	}
	_, c, _ := serve(t, nil)
	if _, err := c.Exec(ctx(t), "x", client.ExecOptions{Argv: []string{"sh"}}); !problem.Is(err, problem.NotFound) {
		t.Errorf("Exec where there are no sessions = %v", err)
	}
}

func TestSplice_endsWhenBothAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		user, conn := net.Pipe()
		agent, there := net.Pipe()
		began, over := time.Now(), make(chan struct{})
		go func() { defer close(over); splice(t.Context(), conn, conn, agent) }()
		if err := there.SetReadDeadline(time.Now().Add(ExecIdle - time.Minute)); err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, err := there.Read(b[:]); err == nil { // waits until shortly before
			t.Fatal("something came out of nothing")
		}
		go func() { _, _ = user.Write([]byte("k")) }()
		if err := there.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(there, b[:]); err != nil || b[0] != 'k' {
			t.Fatalf("a key: %q, %v", b, err)
		}
		<-over
		if got, want := time.Since(began), 2*ExecIdle-time.Minute; got != want {
			t.Errorf("the session lasted %s, want %s", got, want)
		}
		if _, err := there.Read(b[:]); err == nil {
			t.Error("the agent's side is open")
		}
	})
}

func TestSplice_endsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, conn := net.Pipe()
		agent, _ := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); splice(ctx, conn, conn, agent) }()
		synctest.Wait()
		cancel()
		<-over
	})
}

func TestSplice_endsWithEitherSide(t *testing.T) {
	for _, leaver := range []string{"user", "agent"} {
		synctest.Test(t, func(t *testing.T) {
			user, conn := net.Pipe()
			agent, there := net.Pipe()
			over := make(chan struct{})
			began := time.Now()
			go func() { defer close(over); splice(t.Context(), conn, conn, agent) }()
			synctest.Wait()
			map[string]net.Conn{"user": user, "agent": there}[leaver].Close()
			<-over
			if d := time.Since(began); d > 0 {
				t.Errorf("the session lasted %s after its %s had left", d, leaver)
			}
		})
	}
}
