package nameserver

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

const (
	apex       = names.Domain + "."
	mainServer = names.Master + "."
	mailbox    = "hostmaster." + names.Domain + "."
)

// The times of the SOA, in seconds. Nobody transfers the zone; they are what
// RFC 1912 §2.2 holds for sensible.
const (
	soaRefresh = 1200
	soaRetry   = 180
	soaExpire  = 1209600
)

// fromZone answers a question about the zone.
func (s *Server) fromZone(m *dns.Msg, q dns.Question) {
	m.Authoritative = true
	zone := s.Zone()
	a := zone.Lookup(q.Name)
	switch {
	case !a.Exists:
		m.Rcode = dns.RcodeNameError
	case q.Qtype == dns.TypeA || q.Qtype == dns.TypeAAAA:
		m.Answer = s.addresses(q.Name, q.Qtype, a.Addrs)
	case q.Qtype == dns.TypeSRV:
		s.services(m, q.Name, a.SRV)
	case len(q.Name) == len(apex) && q.Qtype == dns.TypeSOA:
		m.Answer = []dns.RR{soa(zone)}
	case len(q.Name) == len(apex) && q.Qtype == dns.TypeNS:
		m.Answer = []dns.RR{&dns.NS{Hdr: header(q.Name, dns.TypeNS), Ns: mainServer}}
		m.Extra = append(records(mainServer, zone.Lookup(mainServer).Addrs, dns.TypeA), records(mainServer, zone.Lookup(mainServer).Addrs, dns.TypeAAAA)...)
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{soa(zone)}
	}
}

// The domains that addresses are names in (RFC 1035 §3.5, RFC 3596 §2.5).
const (
	reverse4 = ".in-addr.arpa."
	reverse6 = ".ip6.arpa."
)

// fromAgents answers the question for the name of an agent's address; it reports
// false for all others.
func (s *Server) fromAgents(m *dns.Msg, q dns.Question) bool {
	if q.Qtype != dns.TypePTR {
		return false
	}
	addr, ok := reversed(strings.ToLower(q.Name))
	if !ok {
		return false
	}
	id, ok := s.Zone().AgentAt(addr)
	if ok {
		m.Authoritative = true
		m.Answer = []dns.RR{&dns.PTR{Hdr: header(q.Name, dns.TypePTR), Ptr: names.Agent(id) + "."}}
	}
	return ok
}

// reversed gives the address that a name stands for.
func reversed(name string) (netip.Addr, bool) {
	if digits, ok := strings.CutSuffix(name, reverse4); ok {
		parts := strings.Split(digits, ".")
		slices.Reverse(parts)
		a, err := netip.ParseAddr(strings.Join(parts, "."))
		return a, err == nil && a.Is4()
	}
	digits, ok := strings.CutSuffix(name, reverse6)
	if !ok || len(digits) != 63 {
		return netip.Addr{}, false
	}
	var text []byte
	for i := 62; i >= 0; i -= 2 {
		text = append(text, digits[i])
		if len(text)%5 == 4 && i > 0 {
			text = append(text, ':')
		}
	}
	a, err := netip.ParseAddr(string(text))
	return a, err == nil
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: TTL}
}

// soa is the record that says until when an absence may be kept.
func soa(z *discovery.Zone) *dns.SOA {
	h := header(apex, dns.TypeSOA)
	h.Ttl = NegativeTTL
	return &dns.SOA{Hdr: h, Ns: mainServer, Mbox: mailbox, Serial: uint32(z.Index()),
		Refresh: soaRefresh, Retry: soaRetry, Expire: soaExpire, Minttl: NegativeTTL}
}

// addresses gives the addresses of a name of the type asked for, another one
// first each time.
func (s *Server) addresses(name string, kind uint16, all []netip.Addr) []dns.RR {
	out := records(name, all, kind)
	rotate(out, s.turn.Add(1))
	return out[:min(len(out), MaxAnswers)]
}

func records(name string, all []netip.Addr, kind uint16) []dns.RR {
	out := make([]dns.RR, 0, len(all))
	for _, a := range all {
		switch {
		case a.Is4() && kind == dns.TypeA:
			out = append(out, &dns.A{Hdr: header(name, kind), A: a.AsSlice()})
		case a.Is6() && kind == dns.TypeAAAA:
			out = append(out, &dns.AAAA{Hdr: header(name, kind), AAAA: a.AsSlice()})
		}
	}
	return out
}

// services gives service records, and the addresses of their targets.
func (s *Server) services(m *dns.Msg, name string, all []discovery.SRV) {
	turn := 0
	if len(all) > 0 {
		turn = int(s.turn.Add(1)) % len(all)
	}
	for i := range min(len(all), MaxAnswers) {
		r := all[(i+turn)%len(all)]
		target := r.Target + "."
		// Each is as good as the other: RFC 2782 wants a weight over 0 where there is a choice.
		m.Answer = append(m.Answer, &dns.SRV{Hdr: header(name, dns.TypeSRV), Weight: 1, Port: r.Port, Target: target})
		kind := dns.TypeA
		if r.Addr.Is6() {
			kind = dns.TypeAAAA
		}
		m.Extra = append(m.Extra, records(target, []netip.Addr{r.Addr}, kind)...)
	}
}

// rotate turns a list so that its n-th element comes first.
func rotate(rrs []dns.RR, n uint32) {
	if len(rrs) < 2 {
		return
	}
	k := int(n % uint32(len(rrs)))
	turned := append(append(make([]dns.RR, 0, len(rrs)), rrs[k:]...), rrs[:k]...)
	copy(rrs, turned)
}
