package check

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
