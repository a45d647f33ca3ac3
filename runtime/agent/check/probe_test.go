package check

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// service answers by path, as each case of the table wants it.
func service(t *testing.T) Target {
	t.Helper()
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json/":
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = io.WriteString(w, `{"status":"ALIVE","workers":[{"id":1},{"id":2}],"cores":4}`)
		case "/untyped":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, ` [1, 2]`)
		case "/text":
			_, _ = io.WriteString(w, "pong\n")
		case "/broken":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{")
		case "/moved":
			http.Redirect(w, r, "/text", http.StatusFound)
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", maxBody+1))
		case "/hang":
			<-hang
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(func() { close(hang); s.Close() })
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return Target{Host: host, Ports: map[string]uint16{"ui": uint16(n)}}
}

func TestHTTP(t *testing.T) {
	target := service(t)
	for _, c := range []struct {
		path, expect string
		fails        string // part of the error; empty: passes
	}{
		{"/text", "", ""},
		{"/moved", "", ""},
		{"/none", "", "status 418"},
		{"/none", "status == 418", ""},
		{"/moved", "status == 302 && headers['Location'] == '/text'", ""},
		{"/json/", `body.status == "ALIVE"`, ""},
		{"/json/", `body.status == "DEAD"`, "is false"},
		{"/json/", "size(body.workers) >= 2 && body.cores == 4 && body.cores > 3", ""},
		{"/json/", "body.workers.exists(w, w.id == 2)", ""},
		{"/json/", "body.missing == 1", "cannot be decided"},
		{"/json/", "body.status", "is ALIVE"},
		{"/untyped", "size(body) == 2", ""},
		{"/text", `body == "pong\n"`, ""},
		{"/broken", `body == "{"`, ""},
		{"/large", "true", "limit"},
	} {
		p, err := New(cluster.Check{HTTP: &cluster.HTTPCheck{Port: "ui", Path: c.path, Expect: c.expect}}, target)
		if err != nil {
			t.Fatalf("%s %q: %v", c.path, c.expect, err)
		}
		err = p.Try(t.Context())
		if (err == nil) != (c.fails == "") || (err != nil && !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s %q: got %v, want an error with %q", c.path, c.expect, err, c.fails)
		}
	}
}

func TestTry_isBoundedByItsTimeout(t *testing.T) {
	p, err := New(cluster.Check{HTTP: &cluster.HTTPCheck{Port: "ui", Path: "/hang"}, Timeout: 20}, service(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Try(t.Context()); err == nil || err.Error() != "no answer within 20ms" {
		t.Errorf("a service that hangs: got %v", err)
	}
}

func TestExpectation_isBounded(t *testing.T) {
	// 200^4 steps: over the cost limit, and it must end soon.
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 200), ",") + "]"
	loop := list + ".all(a," + list + ".all(b," + list + ".all(c," + list + ".all(d, a+b+c+d > 0))))"
	p, err := New(cluster.Check{HTTP: &cluster.HTTPCheck{Port: "ui", Path: "/text", Expect: loop}, Timeout: 60_000}, service(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Try(t.Context()); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("an expectation that never ends: got %v", err)
	}
}

func TestTCP(t *testing.T) {
	target := service(t)
	p, err := New(cluster.Check{TCP: &cluster.TCPCheck{Port: "ui"}}, target)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Try(t.Context()); err != nil {
		t.Errorf("an open port: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target.Ports["ui"] = uint16(ln.Addr().(*net.TCPAddr).Port)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err = New(cluster.Check{TCP: &cluster.TCPCheck{Port: "ui"}}, target); err != nil {
		t.Fatal(err)
	}
	if err := p.Try(t.Context()); err == nil {
		t.Error("a closed port: got no error")
	}
}

func TestCommand(t *testing.T) {
	var code int
	var fail error
	target := Target{Exec: func(_ context.Context, argv []string, out io.Writer) (int, error) {
		_, _ = io.WriteString(out, strings.Join(argv, " ")+strings.Repeat(".", 2*maxTold)+" no quorum\n")
		return code, fail
	}}
	p, err := New(cluster.Check{Command: []string{"ok", "-v"}}, target)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Try(t.Context()); err != nil {
		t.Errorf("code 0: %v", err)
	}
	code = 2
	if err := p.Try(t.Context()); err == nil || !strings.Contains(err.Error(), "ended with 2") ||
		!strings.Contains(err.Error(), "no quorum") || len(err.Error()) > maxTold+100 {
		t.Errorf("code 2: got %v", err)
	}
	fail = errors.New("no engine")
	if err := p.Try(t.Context()); !errors.Is(err, fail) {
		t.Errorf("exec error: got %v", err)
	}
}

func TestNew_refusesAWrongCheck(t *testing.T) {
	target := Target{Host: "h", Ports: map[string]uint16{"ui": 1}}
	http := func(port, path, expect string) cluster.Check {
		return cluster.Check{HTTP: &cluster.HTTPCheck{Port: port, Path: path, Expect: expect}}
	}
	for name, c := range map[string]cluster.Check{
		"none":          {},
		"two":           {TCP: &cluster.TCPCheck{Port: "ui"}, Command: []string{"x"}},
		"unknown port":  {TCP: &cluster.TCPCheck{Port: "rpc"}},
		"http port":     http("rpc", "/", ""),
		"path":          http("ui", "json", ""),
		"host in path":  http("ui", "@evil/", ""),
		"syntax":        http("ui", "/", "body.x =="),
		"unknown name":  http("ui", "/", "answer == 1"),
		"not a boolean": http("ui", "/", "status + 1"),
		"too long":      http("ui", "/", strings.Repeat("true && ", maxExpect)+"true"),
	} {
		if _, err := New(c, target); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// TestHTTP_asZooKeeperAnswers makes the checks of a ZooKeeper on what its admin
// server says of itself (/commands/monitor of 3.9; all numbers are doubles).
func TestHTTP_asZooKeeperAnswers(t *testing.T) {
	const (
		ready  = `status == 200 && body.server_state in ["leader", "follower", "standalone"]`
		leader = `body.server_state == "leader"`
		synced = `body.server_state != "leader" || body.synced_followers == body.followers`
	)
	var reply string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(s.Close)
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	target := Target{Host: "127.0.0.1", Ports: map[string]uint16{"admin": port}}
	for _, c := range []struct {
		reply, expect string
		pass          bool
	}{
		{`{"version":"3.9.5","server_state":"follower","znode_count":5,"avg_latency":0.5,"command":"monitor","error":null}`, ready, true},
		{`{"version":"3.9.5","server_state":"follower","znode_count":5,"command":"monitor","error":null}`, leader, false},
		{`{"server_state":"leader","synced_followers":2,"followers":2.0,"error":null}`, leader, true},
		{`{"server_state":"leader","synced_followers":2,"followers":2.0,"error":null}`, synced, true},
		{`{"server_state":"leader","synced_followers":1,"followers":2,"error":null}`, synced, false},
		{`{"server_state":"observer","error":null}`, ready, false},
		// It listens before it has found its peers.
		{`{"command":"monitor","error":"This ZooKeeper instance is not currently serving requests"}`, ready, false},
		{`{"command":"monitor","error":"This ZooKeeper instance is not currently serving requests"}`, leader, false},
	} {
		reply = c.reply
		p, err := New(cluster.Check{HTTP: &cluster.HTTPCheck{Port: "admin", Path: "/commands/monitor", Expect: c.expect}}, target)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Try(t.Context()); (err == nil) != c.pass {
			t.Errorf("%s over %s: got %v, want a pass: %t", c.expect, c.reply, err, c.pass)
		}
	}
}

// TestCommand_asABrokerAnswers runs a check that talks to the service as a
// client does: with arguments of the task, an exit code that tells, a reason on
// its last line, and no more time than the check gives it.
func TestCommand_asABrokerAnswers(t *testing.T) {
	argv := []string{"/opt/jre/bin/java", "-cp", "/opt/kafka/tool/tool.jar", "Ready", "10.0.0.1", "31000", "1"}
	var got []string
	answer := func(context.Context, io.Writer) (int, error) { return 0, nil }
	target := Target{Exec: func(ctx context.Context, argv []string, out io.Writer) (int, error) {
		got = argv
		return answer(ctx, out)
	}}
	p, err := New(cluster.Check{Command: argv, Timeout: 20}, target)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Try(t.Context()); err != nil || strings.Join(got, " ") != strings.Join(argv, " ") {
		t.Errorf("a broker in the quorum: %v, ran %q", err, got)
	}
	answer = func(_ context.Context, out io.Writer) (int, error) {
		_, _ = io.WriteString(out, "WARN no SLF4J providers\nbroker 1 is fenced: its log is behind\n")
		return 1, nil
	}
	if err := p.Try(t.Context()); err == nil || !strings.Contains(err.Error(), "broker 1 is fenced: its log is behind") {
		t.Errorf("a fenced broker: %v", err)
	}
	answer = func(ctx context.Context, _ io.Writer) (int, error) {
		<-ctx.Done() // it waits for a controller
		return -1, ctx.Err()
	}
	if err := p.Try(t.Context()); err == nil || err.Error() != "no answer within 20ms" {
		t.Errorf("a broker without controllers: %v", err)
	}
}
