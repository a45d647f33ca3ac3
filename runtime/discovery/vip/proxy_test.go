package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/runtime/discovery"
)

func TestMain(m *testing.M) {
	if os.Getenv(inRoom) != "" {
		fmt.Fprintln(os.Stderr, holdRoom())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// testRange is on loopback: Linux takes all of 127.0.0.0/8 for its own.
var testRange = netip.MustParsePrefix("127.77.0.0/16")

// backend answers each connection with its name, a colon and what it was sent,
// once the client has ended.
type backend struct {
	name string
	addr netip.AddrPort
	l    net.Listener
}

func newBackend(t testing.TB, name string) *backend {
	t.Helper()
	l, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{name, netip.MustParseAddrPort(l.Addr().String()), l}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				got, err := io.ReadAll(c)
				if err == nil {
					_, _ = fmt.Fprintf(c, "%s:%s", name, got)
				}
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return b
}

// zoneOf has one service "web" with an endpoint "http" at each address, which
// the backends stand behind.
func zoneOf(t testing.TB, index int64, vips []string, backends ...*backend) *discovery.Zone {
	t.Helper()
	s := &discovery.Service{ID: "web", Index: index}
	for i, v := range vips {
		s.Endpoints = append(s.Endpoints, discovery.Endpoint{Name: fmt.Sprintf("http%d", i), Pod: "web", Task: "server", Port: "http", VIP: netip.MustParseAddrPort(v)})
	}
	for i, b := range backends {
		s.Instances = append(s.Instances, discovery.Instance{Pod: "web", Index: i, Addr: b.addr.Addr(), Ready: true,
			Tasks: []discovery.Task{{Name: "server", Ports: []discovery.Port{{Name: "http", Port: b.addr.Port()}}}}})
	}
	z, err := new(discovery.Zone).Apply(discovery.Update{Index: index, Services: []*discovery.Service{s}})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// run starts a proxy, and gives what ends it and waits for its end.
func run(t testing.TB, p *Proxy, board *discovery.Board) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	listening := make(chan struct{}, 64)
	open := p.Listen
	if open == nil {
		open = listen
	}
	p.Listen = func(a netip.AddrPort) (net.Listener, error) {
		l, err := open(a)
		listening <- struct{}{}
		return l, err
	}
	want := 0
	for _, s := range board.Zone().Services() {
		want += len(s.Endpoints)
	}
	go func() { done <- p.Run(ctx, board) }()
	for range want {
		<-listening
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: got %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// ask sends text, ends sending and reads the answer.
func ask(addr, text string) (string, error) {
	c, err := dial(context.Background(), netip.MustParseAddrPort(addr))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	if err := c.CloseWrite(); err != nil {
		return "", err
	}
	got, err := io.ReadAll(c)
	return string(got), err
}

// TestProxy carries connections in both directions, with an end of sending
// handed on before the answer, to all instances in turn.
func TestProxy(t *testing.T) {
	board := new(discovery.Board)
	a, b := newBackend(t, "a"), newBackend(t, "b")
	board.Set(zoneOf(t, 1, []string{"127.77.1.1:18080"}, a, b))
	run(t, &Proxy{Range: testRange}, board)
	text := strings.Repeat("much ", 1<<18)
	seen := map[string]int{}
	for range 6 {
		got, err := ask("127.77.1.1:18080", text)
		name, back, _ := strings.Cut(got, ":")
		if err != nil || back != text {
			t.Fatalf("got %d bytes of %d, %v", len(back), len(text), err)
		}
		seen[name]++
	}
	if seen["a"] != 3 || seen["b"] != 3 {
		t.Errorf("connections one after the other: got %v, want 3 each", seen)
	}
}

// TestProxy_follows moves an endpoint from one instance to another, and takes
// it away: the address refuses then.
func TestProxy_follows(t *testing.T) {
	board := new(discovery.Board)
	a, b := newBackend(t, "a"), newBackend(t, "b")
	const addr = "127.77.1.2:18080"
	board.Set(zoneOf(t, 1, []string{addr}, a))
	run(t, &Proxy{Range: testRange}, board)
	if got, err := ask(addr, "1"); got != "a:1" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	board.Set(zoneOf(t, 2, []string{addr}, b))
	until(t, func() bool { got, err := ask(addr, "2"); return got == "b:2" && err == nil })
	// Without an instance a connection waits for one.
	board.Set(zoneOf(t, 3, []string{addr}))
	waiting := make(chan string)
	go func() {
		got, err := ask(addr, "3")
		waiting <- fmt.Sprintf("%s %v", got, err)
	}()
	board.Set(zoneOf(t, 4, []string{addr}, a))
	if got := <-waiting; got != "a:3 <nil>" && got != "b:3 <nil>" { // b, if it came before the zone without instances
		t.Errorf("waiting: got %q", got)
	}
	board.Set(zoneOf(t, 5, nil, a))
	until(t, func() bool { _, err := ask(addr, "4"); return errors.Is(err, unix.ECONNREFUSED) })
}

// until polls a condition that some other goroutine brings about.
func until(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("it does not come about")
		}
	}
}

// TestProxy_passesOver has an instance in the zone that takes no connections.
func TestProxy_passesOver(t *testing.T) {
	board := new(discovery.Board)
	dead, alive := newBackend(t, "dead"), newBackend(t, "alive")
	dead.l.Close()
	board.Set(zoneOf(t, 1, []string{"127.77.1.3:18080"}, dead, alive))
	run(t, &Proxy{Range: testRange}, board)
	for range 4 {
		if got, err := ask("127.77.1.3:18080", "x"); got != "alive:x" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

// TestConnect counts what it took and gave back.
func TestConnect(t *testing.T) {
	alive := newBackend(t, "alive")
	p := &Proxy{Range: testRange}
	p.defaults()
	dials := map[netip.AddrPort]int{}
	p.Dial = func(ctx context.Context, a netip.AddrPort) (*net.TCPConn, error) {
		dials[a]++
		if a != alive.addr {
			return nil, unix.ECONNREFUSED
		}
		return dial(ctx, a)
	}
	e := &endpoint{pool: newPool(), gone: make(chan struct{})}
	dead := netip.MustParseAddrPort("10.0.0.1:1")
	e.pool.set([]discovery.Backend{{Instance: "dead", Addr: dead}, {Instance: "alive", Addr: alive.addr}})
	for range 5 {
		c, m, err := p.connect(e)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		e.pool.release(m)
	}
	for _, m := range e.pool.members {
		if m.conns != 0 {
			t.Errorf("%s: %d connections are counted, none is there", m.instance, m.conns)
		}
	}
	if dials[dead] != 1 {
		t.Errorf("who does not answer was tried %d times, want once", dials[dead])
	}
	e.pool.set([]discovery.Backend{{Instance: "dead", Addr: dead}})
	if _, _, err := p.connect(e); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody else: got %v", err)
	}
	e.pool.set(nil)
	close(e.gone)
	if _, _, err := p.connect(e); !errors.Is(err, errNoInstance) {
		t.Errorf("nobody, and the endpoint goes: got %v", err)
	}
}

// TestProxy_reset has no instance that takes a connection: the client is told
// by a reset, not by an end.
func TestProxy_reset(t *testing.T) {
	board := new(discovery.Board)
	dead := newBackend(t, "dead")
	dead.l.Close()
	board.Set(zoneOf(t, 1, []string{"127.77.1.4:18080"}, dead))
	run(t, &Proxy{Range: testRange}, board)
	// It may come before the connection is seen to be there.
	c, err := dial(t.Context(), netip.MustParseAddrPort("127.77.1.4:18080"))
	if err == nil {
		defer c.Close()
		_, err = io.ReadAll(c)
	}
	if !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("got %v, want connection reset", err)
	}
}

// TestProxy_drains takes an endpoint away from under a connection: it goes on
// until its end, but not for longer than the drain.
func TestProxy_drains(t *testing.T) {
	echo, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	board := new(discovery.Board)
	const addr = "127.77.1.5:18080"
	board.Set(zoneOf(t, 1, []string{addr}, &backend{addr: netip.MustParseAddrPort(echo.Addr().String())}))
	stop := run(t, &Proxy{Range: testRange, Drain: 50 * time.Millisecond}, board)
	c, err := dial(t.Context(), netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := echo.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	board.Set(zoneOf(t, 2, nil))
	if _, err := c.Write([]byte("still")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(s, buf); err != nil || !bytes.Equal(buf, []byte("still")) {
		t.Errorf("after the endpoint went: got %q, %v", buf, err)
	}
	if _, err := c.Read(buf); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("after the drain: got %v, want connection reset", err)
	}
	stop()
}

// TestProxy_listenLater tries an address again that was in use.
func TestProxy_listenLater(t *testing.T) {
	a := newBackend(t, "a")
	addr := netip.MustParseAddrPort("127.77.1.6:18080")
	other := zoneOf(t, 1, []string{addr.String(), "10.0.0.1:80"}, a) // the second is not in the range
	taken, err := listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Range: testRange}
	p.defaults()
	p.update(other)
	if len(p.endpoints) != 0 || !p.failed[addr] || len(p.failed) != 1 {
		t.Errorf("in use: endpoints %v, failed %v", p.endpoints, p.failed)
	}
	taken.Close()
	p.update(other)
	if e := p.endpoints[addr]; e == nil || len(p.failed) != 0 {
		t.Errorf("free again: endpoints %v, failed %v", p.endpoints, p.failed)
	}
	p.update(new(discovery.Board).Zone())
	p.wait.Wait()
}

func TestPool(t *testing.T) {
	at := func(n uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), n) }
	p := newPool()
	now := time.Unix(1000, 0)
	if m, _ := p.take(now, nil); m != nil {
		t.Errorf("an empty pool gives %v", m)
	}
	_, changed := p.take(now, nil)
	p.set([]discovery.Backend{{Instance: "a", Addr: at(1)}, {Instance: "b", Addr: at(2)}, {Instance: "c", Addr: at(3)}})
	<-changed
	take := func(tried map[*member]bool) *member {
		t.Helper()
		m, _ := p.take(now, tried)
		if m == nil {
			t.Fatal("no member")
		}
		return m
	}
	got := map[string]int{}
	var last *member
	for range 9 {
		last = take(nil)
		got[last.instance]++
	}
	if got["a"] != 3 || got["b"] != 3 || got["c"] != 3 {
		t.Errorf("nine connections: got %v, want 3 each", got)
	}
	p.release(last)
	if m := take(nil); m != last {
		t.Errorf("got %s, want %s: it has the fewest", m.instance, last.instance)
	}
	p.fail(last, now.Add(time.Second))
	if m := take(nil); m == last {
		t.Errorf("got %s, which does not answer", m.instance)
	}
	now = now.Add(2 * time.Second)
	if m := take(nil); m != last {
		t.Errorf("got %s, want %s: its time is over", m.instance, last.instance)
	}
	// Who stays a member keeps its count.
	p.set([]discovery.Backend{{Instance: "c", Addr: at(3)}, {Instance: "d", Addr: at(4)}})
	if m := take(nil); m.instance != "d" {
		t.Errorf("got %s, want the new one", m.instance)
	}
	if m, _ := p.take(now, map[*member]bool{p.members[0]: true, p.members[1]: true}); m != nil {
		t.Errorf("got %s, all were tried", m.instance)
	}
}
