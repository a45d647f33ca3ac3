package nameserver

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/universe-dcos/universe/runtime/discovery"
)

// resolver is an upstream that answers as f says.
func resolver(t testing.TB, f func(w dns.ResponseWriter, q *dns.Msg)) netip.AddrPort {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var servers []*dns.Server
	for _, s := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		s.Handler = dns.HandlerFunc(f)
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		wait.Go(func() { _ = s.ActivateAndServe() })
		<-started
		servers = append(servers, s)
	}
	t.Cleanup(func() {
		for _, s := range servers {
			_ = s.Shutdown()
		}
		wait.Wait()
	})
	return netip.MustParseAddrPort(udp.LocalAddr().String())
}

// answering is a resolver that knows one address for each name.
func answering(t testing.TB, asked *atomic.Int32) netip.AddrPort {
	return resolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
		m.SetEdns0(4096, false)
		_ = w.WriteMsg(m)
	})
}

func failing(t testing.TB, rcode int) netip.AddrPort {
	return resolver(t, func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(q, rcode)) })
}

func to(upstreams ...netip.AddrPort) *Server {
	return &Server{Zone: new(discovery.Board).Zone, Upstreams: func() []netip.AddrPort { return upstreams }}
}

func TestForward(t *testing.T) {
	var asked atomic.Int32
	good := answering(t, &asked)
	addr := start(t, to(good))
	for _, network := range []string{"udp", "tcp"} {
		m := ask(t, network, addr, "Example.com.", dns.TypeA, 1232)
		if got := words(m); got != "NOERROR; Example.com. 60 IN A 192.0.2.1" || !m.RecursionAvailable {
			t.Errorf("%s: got %s", network, m)
		}
		if n := len(m.Extra); n != 1 || m.IsEdns0().UDPSize() != MaxUDP {
			t.Errorf("%s: the OPT is not ours: %v", network, m.Extra)
		}
	}
	before := asked.Load()
	if got := words(ask(t, "udp", addr, "nobody.universe.", dns.TypeA, 0)); !strings.HasPrefix(got, "NXDOMAIN; aa") || asked.Load() != before {
		t.Errorf("a name of the zone: got %s, and the resolver was asked %d times", got, asked.Load()-before)
	}
}

func TestForward_next(t *testing.T) {
	var asked atomic.Int32
	good := answering(t, &asked)
	for name, c := range map[string]struct {
		upstreams []netip.AddrPort
		want      string
	}{
		"failure, then an answer": {[]netip.AddrPort{failing(t, dns.RcodeServerFailure), good}, "NOERROR; x.example. 60 IN A 192.0.2.1"},
		"refusal, then an answer": {[]netip.AddrPort{failing(t, dns.RcodeRefused), good}, "NOERROR; x.example. 60 IN A 192.0.2.1"},
		"no such name":            {[]netip.AddrPort{failing(t, dns.RcodeNameError), good}, "NXDOMAIN"},
		"refusal alone":           {[]netip.AddrPort{failing(t, dns.RcodeRefused)}, "REFUSED"},
		"nobody there":            {[]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, "SERVFAIL"},
		"none":                    {nil, "REFUSED"},
		"another question's answer": {[]netip.AddrPort{resolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			m.Question[0].Name = "evil.example."
			_ = w.WriteMsg(m)
		})}, "SERVFAIL"},
		"more than are asked": {[]netip.AddrPort{failing(t, dns.RcodeServerFailure), failing(t, dns.RcodeServerFailure), failing(t, dns.RcodeServerFailure), good}, "SERVFAIL"},
	} {
		addr := start(t, to(c.upstreams...))
		if got := words(ask(t, "udp", addr, "x.example.", dns.TypeA, 0)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// TestForward_truncated hands on that an answer is cut: who asked comes again
// over TCP, and is answered over TCP.
func TestForward_truncated(t *testing.T) {
	up := resolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if w.RemoteAddr().Network() == "udp" {
			m.Truncated = true
		} else {
			for i := range 100 {
				m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, byte(i))})
			}
		}
		_ = w.WriteMsg(m)
	})
	addr := start(t, to(up))
	if m := ask(t, "udp", addr, "big.example.", dns.TypeA, 0); !m.Truncated {
		t.Errorf("udp: got %v", m)
	}
	if m := ask(t, "tcp", addr, "big.example.", dns.TypeA, 0); m.Truncated || len(m.Answer) != 100 {
		t.Errorf("tcp: got %d records", len(m.Answer))
	}
}

// TestForward_once has many ask the same at a time: the resolver is asked once,
// and all are answered, each with its own id.
func TestForward_once(t *testing.T) {
	const many = 20
	var asked atomic.Int32
	release := make(chan struct{})
	up := resolver(t, func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		<-release
		_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError))
	})
	s := to(up)
	s.slots = make(chan struct{}, many)
	s.Logger = discard
	var wait sync.WaitGroup
	for i := range many {
		wait.Go(func() {
			q := new(dns.Msg).SetQuestion("x.example.", dns.TypeA)
			q.Id = uint16(i)
			if m := s.answer(q, true); m.Id != uint16(i) || m.Rcode != dns.RcodeNameError {
				t.Errorf("got %v", m)
			}
		})
	}
	poll(t, func() bool { return len(s.slots) == many })
	// As many as can be are on their way: one more is told so at once.
	if m := s.answer(new(dns.Msg).SetQuestion("y.example.", dns.TypeA), true); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("one too many: got %v", m)
	}
	close(release)
	wait.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the resolver was asked %d times, want once", n)
	}
}

// poll waits for a condition that other goroutines bring about.
func poll(t testing.TB, ok func() bool) {
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

// TestForward_loop has two name servers that forward to each other. Each is
// asked about once per try, and not without end.
func TestForward_loop(t *testing.T) {
	one, other := to(), to()
	var asked atomic.Int32
	listen := func() (net.PacketConn, net.Listener) {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return udp, tcp
	}
	udp1, tcp1 := listen()
	udp2, tcp2 := listen()
	at := func(c net.PacketConn) func() []netip.AddrPort {
		return func() []netip.AddrPort {
			asked.Add(1)
			return []netip.AddrPort{netip.MustParseAddrPort(c.LocalAddr().String())}
		}
	}
	one.Upstreams, other.Upstreams = at(udp2), at(udp1)
	addr := startOn(t, one, udp1, tcp1)
	startOn(t, other, udp2, tcp2)
	q := new(dns.Msg).SetQuestion("x.example.", dns.TypeA)
	m, _, err := (&dns.Client{Timeout: 2 * forwardFor}).Exchange(q, addr)
	if err != nil || m.Rcode != dns.RcodeServerFailure {
		t.Errorf("got %v, %v", m, err)
	}
	if n := asked.Load(); n > 8 {
		t.Errorf("%d questions for one", n)
	}
	// Itself it does not ask at all.
	udp3, tcp3 := listen()
	self := to()
	self.Upstreams = at(udp3)
	if m := ask(t, "udp", startOn(t, self, udp3, tcp3), "y.example.", dns.TypeA, 0); m.Rcode != dns.RcodeRefused {
		t.Errorf("itself alone: got %v", m)
	}
}

func TestResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	r := &resolv{path: path}
	if got := r.get(); got != nil {
		t.Errorf("no file: got %v", got)
	}
	text := "# comment\nsearch example.com\nnameserver 192.0.2.1\n nameserver\tfe80::1%eth0 \nnameserver none\nnameserver ::ffff:192.0.2.2\nnameserver 192.0.2.3\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.get(); got != nil {
		t.Errorf("looked at again at once: got %v", got)
	}
	r.last = r.last.Add(-resolvEvery)
	want := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[fe80::1%eth0]:53"), netip.MustParseAddrPort("192.0.2.2:53")}
	if got := r.get(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.last = r.last.Add(-resolvEvery)
	if got := r.get(); !slices.Equal(got, want) {
		t.Errorf("the file is gone: got %v, want those of before", got)
	}
}
