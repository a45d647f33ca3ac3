package nameserver

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

// peer is somebody who asks from an address.
type peer struct {
	dns.ResponseWriter
	from net.Addr
	got  *dns.Msg
}

func (p *peer) RemoteAddr() net.Addr { return p.from }

func (p *peer) WriteMsg(m *dns.Msg) error {
	p.got = m
	return nil
}

func TestHandle_asksOnForItsOwnNetworksOnly(t *testing.T) {
	var asked atomic.Int32
	upstream := answering(t, &asked)
	s := &Server{Zone: nil, Upstreams: func() []netip.AddrPort { return []netip.AddrPort{upstream} }, slots: make(chan struct{}, 1), Logger: discard}
	for _, c := range []struct {
		from string
		want int
	}{
		{"127.0.0.1", dns.RcodeSuccess}, {"10.1.2.3", dns.RcodeSuccess}, {"192.168.7.1", dns.RcodeSuccess}, {"172.16.0.1", dns.RcodeSuccess},
		{"198.18.0.1", dns.RcodeSuccess}, {"100.64.0.9", dns.RcodeSuccess}, {"::ffff:10.1.2.3", dns.RcodeSuccess}, {"fd00::1", dns.RcodeSuccess},
		{"203.0.113.7", dns.RcodeRefused}, {"198.51.100.9", dns.RcodeRefused}, {"172.32.0.1", dns.RcodeRefused}, {"2001:db8::1", dns.RcodeRefused},
	} {
		before := asked.Load()
		p := &peer{from: &net.UDPAddr{IP: net.ParseIP(c.from), Port: 53000}}
		s.handle(p, new(dns.Msg).SetQuestion("elsewhere.example.", dns.TypeA))
		if p.got == nil || p.got.Rcode != c.want || (asked.Load() > before) != (c.want == dns.RcodeSuccess) {
			t.Errorf("%s: got %v, want %s", c.from, p.got, dns.RcodeToString[c.want])
		}
	}
}
