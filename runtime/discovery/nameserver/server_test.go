package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zoneOf has a service "kafka" of n ready instances with IPv4 addresses and one
// with an IPv6 address that is not ready.
func zoneOf(t testing.TB, index int64, n int) *discovery.Zone {
	t.Helper()
	s := &discovery.Service{ID: "kafka", Index: index, Endpoints: []discovery.Endpoint{
		{Name: "client", Pod: "broker", Task: "node", Port: "client", VIP: netip.MustParseAddrPort("198.18.3.4:9092")}}}
	for i := range n + 1 {
		in := discovery.Instance{Pod: "broker", Index: i, Addr: netip.AddrFrom4([4]byte{10, 0, byte(1 + i/250), byte(1 + i%250)}), Ready: true,
			Tasks: []discovery.Task{{Name: "node", Ports: []discovery.Port{{Name: "client", Port: uint16(31000 + i)}}}}}
		if i == n {
			in.Addr, in.Ready = netip.MustParseAddr("fd00::9"), false
		}
		s.Instances = append(s.Instances, in)
	}
	z, err := new(discovery.Zone).Apply(discovery.Update{Index: index, Services: []*discovery.Service{s},
		Nodes: &discovery.Nodes{Index: index, Master: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
			Agents: []discovery.Agent{{ID: cluster.AgentID("a1"), Addr: netip.MustParseAddr("10.0.1.1")}}}})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// start serves on a loopback port, UDP and TCP, until the test is over.
func start(t testing.TB, s *Server) string {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, s, udp, tcp)
}

func startOn(t testing.TB, s *Server, udp net.PacketConn, tcp net.Listener) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, []net.PacketConn{udp}, []net.Listener{tcp}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return udp.LocalAddr().String()
}

// ask puts a question; size is that of EDNS, 0 for none.
func ask(t testing.TB, network, addr, name string, kind, size uint16) *dns.Msg {
	t.Helper()
	q := new(dns.Msg).SetQuestion(name, kind)
	if size > 0 {
		q.SetEdns0(size, false)
	}
	c := dns.Client{Net: network, UDPSize: dns.MaxMsgSize - 1}
	m, _, err := c.Exchange(q, addr)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[kind], err)
	}
	m.Compress = true // so that Len counts as it came
	return m
}

// words is a message without its header's times.
func words(m *dns.Msg) string {
	out := []string{dns.RcodeToString[m.Rcode]}
	if m.Authoritative {
		out = append(out, "aa")
	}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if rr.Header().Rrtype == dns.TypeOPT {
				continue
			}
			out = append(out, []string{"", "ns:", "extra:"}[i]+strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	return strings.Join(out, "; ")
}

func TestServer_zone(t *testing.T) {
	z := zoneOf(t, 77, 2)
	addr := start(t, &Server{Zone: func() *discovery.Zone { return z }})
	const soa = "ns:universe. 1 IN SOA master.universe. hostmaster.universe. 77 1200 180 1209600 1"
	for _, c := range []struct {
		name string
		kind uint16
		want string
	}{
		{"broker-0-node.kafka.universe.", dns.TypeA, "NOERROR; aa; broker-0-node.kafka.universe. 1 IN A 10.0.1.1"},
		{"BroKer-0-node.kafKa.universe.", dns.TypeA, "NOERROR; aa; BroKer-0-node.kafKa.universe. 1 IN A 10.0.1.1"},
		{"broker-2.kafka.universe.", dns.TypeAAAA, "NOERROR; aa; broker-2.kafka.universe. 1 IN AAAA fd00::9"},
		{"broker-2.kafka.universe.", dns.TypeA, "NOERROR; aa; " + soa},
		{"broker-0-node.kafka.universe.", dns.TypeAAAA, "NOERROR; aa; " + soa},
		{"broker-0-node.kafka.universe.", dns.TypeTXT, "NOERROR; aa; " + soa},
		{"broker-9-node.kafka.universe.", dns.TypeA, "NXDOMAIN; aa; " + soa},
		{"nobody.universe.", dns.TypeA, "NXDOMAIN; aa; " + soa},
		{"_tcp.kafka.universe.", dns.TypeA, "NOERROR; aa; " + soa},
		{"_client._tcp.broker-1-node.kafka.universe.", dns.TypeSRV, "NOERROR; aa; _client._tcp.broker-1-node.kafka.universe. 1 IN SRV 0 1 31001 broker-1-node.kafka.universe.; extra:broker-1-node.kafka.universe. 1 IN A 10.0.1.2"},
		{"_client._tcp.broker-2-node.kafka.universe.", dns.TypeSRV, "NOERROR; aa; _client._tcp.broker-2-node.kafka.universe. 1 IN SRV 0 1 31002 broker-2-node.kafka.universe.; extra:broker-2-node.kafka.universe. 1 IN AAAA fd00::9"},
		{"client.kafka.vip.universe.", dns.TypeA, "NOERROR; aa; client.kafka.vip.universe. 1 IN A 198.18.3.4"},
		{"a1.agents.universe.", dns.TypeA, "NOERROR; aa; a1.agents.universe. 1 IN A 10.0.1.1"},
		{"master.universe.", dns.TypeAAAA, "NOERROR; aa; master.universe. 1 IN AAAA fd00::1"},
		{"universe.", dns.TypeA, "NOERROR; aa; " + soa},
		{"universe.", dns.TypeSOA, "NOERROR; aa; " + soa[3:]},
		{"universe.", dns.TypeNS, "NOERROR; aa; universe. 1 IN NS master.universe.; extra:master.universe. 1 IN A 10.0.0.1; extra:master.universe. 1 IN AAAA fd00::1"},
		{"1.1.0.10.In-addr.arpa.", dns.TypePTR, "NOERROR; aa; 1.1.0.10.In-addr.arpa. 1 IN PTR a1.agents.universe."},
		{"2.1.0.10.in-addr.arpa.", dns.TypePTR, "REFUSED"}, // nobody of ours, and there is nobody to ask
		{"1.1.0.10.in-addr.arpa.", dns.TypeA, "REFUSED"},
		{"01.1.0.10.in-addr.arpa.", dns.TypePTR, "REFUSED"},
		{"kafka.universe.", dns.TypeANY, "REFUSED"},
		{"universe.", dns.TypeAXFR, "REFUSED"},
		{"example.com.", dns.TypeA, "REFUSED"},
		{".", dns.TypeNS, "REFUSED"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			if got := words(ask(t, network, addr, c.name, c.kind, 0)); got != c.want {
				t.Errorf("%s %s %s:\n got %s\nwant %s", network, c.name, dns.TypeToString[c.kind], got, c.want)
			}
		}
	}
}

// TestServer_resolver looks names up by the resolver of Go.
func TestServer_resolver(t *testing.T) {
	z := zoneOf(t, 1, 200)
	addr := start(t, &Server{Zone: func() *discovery.Zone { return z }})
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
	if got, err := r.LookupHost(t.Context(), "broker-3-node.kafka.universe"); err != nil || !slices.Equal(got, []string{"10.0.1.4"}) {
		t.Errorf("an instance: got %v, %v", got, err)
	}
	if got, err := r.LookupHost(t.Context(), "kafka.universe"); err != nil || len(got) != 200 { // over TCP
		t.Errorf("the service: got %d addresses, %v", len(got), err)
	}
	if _, got, err := r.LookupSRV(t.Context(), "client", "tcp", "broker-3-node.kafka.universe"); err != nil || len(got) != 1 || got[0].Port != 31003 || got[0].Target != "broker-3-node.kafka.universe." {
		t.Errorf("a port: got %v, %v", got, err)
	}
	if got, err := r.LookupAddr(t.Context(), "10.0.1.1"); err != nil || !slices.Equal(got, []string{"a1.agents.universe."}) {
		t.Errorf("an address: got %v, %v", got, err)
	}
	var none *net.DNSError
	if _, err := r.LookupHost(t.Context(), "nobody.universe"); !errors.As(err, &none) || !none.IsNotFound {
		t.Errorf("nobody: got %v", err)
	}
}

func TestReversed(t *testing.T) {
	for _, text := range []string{"10.0.1.2", "255.255.255.255", "fd00::1", "2001:db8:1234:5678:9abc:def0:1122:3344"} {
		name, err := dns.ReverseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := reversed(name); !ok || got != netip.MustParseAddr(text) {
			t.Errorf("%s: got %s, %t", name, got, ok)
		}
	}
	for _, name := range []string{".in-addr.arpa.", "1.2.3.in-addr.arpa.", "1.2.3.4.5.in-addr.arpa.", "256.0.0.1.in-addr.arpa.", "1.ip6.arpa.", strings.Repeat("x.", 31) + "x.ip6.arpa.", "1.0.0.10.example."} {
		if got, ok := reversed(name); ok {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestServer_swaps answers out of the zone that is there at the time.
func TestServer_swaps(t *testing.T) {
	board := new(discovery.Board)
	addr := start(t, &Server{Zone: board.Zone})
	if got := words(ask(t, "udp", addr, "kafka.universe.", dns.TypeA, 0)); !strings.HasPrefix(got, "NXDOMAIN; aa") {
		t.Errorf("an empty zone: got %s", got)
	}
	board.Set(zoneOf(t, 5, 1))
	if got := words(ask(t, "udp", addr, "kafka.universe.", dns.TypeA, 0)); got != "NOERROR; aa; kafka.universe. 1 IN A 10.0.1.1" {
		t.Errorf("after a change: got %s", got)
	}
}

// TestServer_truncates gives what fits over UDP, and all of it over TCP.
func TestServer_truncates(t *testing.T) {
	z := zoneOf(t, 1, 200)
	addr := start(t, &Server{Zone: func() *discovery.Zone { return z }})
	for _, c := range []struct {
		network    string
		size, most uint16
		truncated  bool
	}{
		{"udp", 0, 512, true},
		{"udp", 100, 512, true}, // RFC 6891: less than 512 is 512
		{"udp", 900, 900, true},
		{"udp", 65000, MaxUDP, true},
		{"tcp", 0, 65535, false},
	} {
		m := ask(t, c.network, addr, "kafka.universe.", dns.TypeA, c.size)
		if m.Truncated != c.truncated || m.Len() > int(c.most) || !c.truncated && len(m.Answer) != 200 || c.truncated && len(m.Answer) < 20 {
			t.Errorf("%s, EDNS %d: %d records in %d bytes, truncated %t", c.network, c.size, len(m.Answer), m.Len(), m.Truncated)
		}
		if opt := m.IsEdns0(); (opt != nil) != (c.size > 0) {
			t.Errorf("%s, EDNS %d: OPT in the answer: %v", c.network, c.size, opt)
		}
		if m := ask(t, c.network, addr, "_client._tcp.kafka.universe.", dns.TypeSRV, c.size); m.Len() > int(c.most) || len(m.Answer) == 0 {
			t.Errorf("SRV over %s, EDNS %d: %d records in %d bytes", c.network, c.size, len(m.Answer), m.Len())
		}
	}
}

// TestServer_rotates gives each address the first place in turn.
func TestServer_rotates(t *testing.T) {
	z := zoneOf(t, 1, 4)
	s := &Server{Zone: func() *discovery.Zone { return z }}
	first := map[string]int{}
	for range 8 {
		m := s.answer(new(dns.Msg).SetQuestion("kafka.universe.", dns.TypeA), true)
		var all []string
		for _, rr := range m.Answer {
			all = append(all, rr.(*dns.A).A.String())
		}
		first[all[0]]++
		slices.Sort(all)
		if got := strings.Join(all, " "); got != "10.0.1.1 10.0.1.2 10.0.1.3 10.0.1.4" {
			t.Errorf("got %s", got)
		}
	}
	for a, n := range first {
		if n != 2 {
			t.Errorf("%s was first %d times of 8, want 2", a, n)
		}
	}
}

func TestServer_header(t *testing.T) {
	s := &Server{Zone: new(discovery.Board).Zone}
	question := func(change func(*dns.Msg)) *dns.Msg {
		q := new(dns.Msg).SetQuestion("kafka.universe.", dns.TypeA)
		change(q)
		return q
	}
	for name, c := range map[string]struct {
		q    *dns.Msg
		want int
	}{
		"EDNS version": {question(func(q *dns.Msg) { q.SetEdns0(1232, true); q.IsEdns0().SetVersion(1) }), dns.RcodeBadVers},
		"opcode":       {question(func(q *dns.Msg) { q.Opcode = dns.OpcodeUpdate }), dns.RcodeNotImplemented},
		"no question":  {question(func(q *dns.Msg) { q.Question = nil }), dns.RcodeFormatError},
		"class":        {question(func(q *dns.Msg) { q.Question[0].Qclass = dns.ClassCHAOS }), dns.RcodeRefused},
	} {
		m := s.answer(c.q, true)
		if m.Rcode != c.want || m.Id != c.q.Id || !m.Response {
			t.Errorf("%s: got %v", name, m)
		}
		if _, err := m.Pack(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m := s.answer(question(func(q *dns.Msg) { q.Response = true }), true); m != nil {
		t.Errorf("an answer is answered: %v", m)
	}
}

// FuzzAnswer is asked by strangers.
func FuzzAnswer(f *testing.F) {
	z := zoneOf(f, 1, 30)
	s := &Server{Zone: func() *discovery.Zone { return z }, Upstreams: func() []netip.AddrPort { return nil }}
	for _, q := range []*dns.Msg{
		new(dns.Msg).SetQuestion("_client._tcp.kafka.universe.", dns.TypeSRV).SetEdns0(600, true),
		new(dns.Msg).SetQuestion("universe.", dns.TypeNS),
		new(dns.Msg).SetQuestion("1.1.0.10.in-addr.arpa.", dns.TypePTR),
		new(dns.Msg).SetQuestion(strings.Repeat("1.", 32)+"ip6.arpa.", dns.TypePTR),
		new(dns.Msg).SetNotify("universe."),
		new(dns.Msg).SetAxfr("universe."),
	} {
		text, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, packet []byte, udp bool) {
		q := new(dns.Msg)
		if q.Unpack(packet) != nil {
			return
		}
		m := s.answer(q, udp)
		if m == nil {
			return
		}
		text, err := m.Pack()
		if err != nil {
			t.Fatalf("%v\nis answered by\n%v\nwhich cannot be sent: %v", q, m, err)
		}
		if udp && len(text) > MaxUDP {
			t.Fatalf("%d bytes over UDP", len(text))
		}
		if err := new(dns.Msg).Unpack(text); err != nil {
			t.Fatalf("%v cannot be read: %v", m, err)
		}
	})
}

// TestServer_hostile sends what is no question, and then one.
func TestServer_hostile(t *testing.T) {
	z := zoneOf(t, 1, 1)
	addr := start(t, &Server{Zone: func() *discovery.Zone { return z }})
	good, err := new(dns.Msg).SetQuestion("kafka.universe.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"udp", "tcp"} {
		for n := range len(good) {
			c, err := net.Dial(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.Clone(good[:n])
			if n%2 == 1 {
				bad = slices.Clone(good)
				bad[n] ^= 0xff
			}
			if network == "tcp" { // a length that is not kept
				bad = append([]byte{0xff, byte(n)}, bad...)
			}
			_, _ = c.Write(bad)
			c.Close()
		}
		if got := words(ask(t, network, addr, "kafka.universe.", dns.TypeA, 0)); !strings.HasPrefix(got, "NOERROR; aa; kafka") {
			t.Errorf("%s, after %d bad messages: got %s", network, len(good), got)
		}
	}
}

func ExampleServer() {
	board := new(discovery.Board)
	s := &Server{Zone: board.Zone}
	m := s.answer(new(dns.Msg).SetQuestion("nobody.universe.", dns.TypeA), true)
	fmt.Println(dns.RcodeToString[m.Rcode])
	// Output: NXDOMAIN
}
