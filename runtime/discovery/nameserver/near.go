package nameserver

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/universe-dcos/universe/runtime/discovery"
)

// shared is the addresses that a provider shares among its customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// near reports whether an address is of this machine's own networks: private,
// local or virtual. Only for those the resolvers are asked: a server that asks on
// for everybody serves attackers to reflect and amplify with (RFC 5358).
func near(a netip.Addr) bool {
	a = a.Unmap()
	return !a.IsValid() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || shared.Contains(a) || discovery.DefaultRange.Contains(a)
}

// limited takes the wish away from a question of a stranger that others be
// asked; what the zone knows is answered to all.
func limited(w dns.ResponseWriter, q *dns.Msg) *dns.Msg {
	if a := w.RemoteAddr(); a == nil || near(addrPort(a).Addr()) {
		return q
	}
	q = q.Copy()
	q.RecursionDesired = false
	return q
}
