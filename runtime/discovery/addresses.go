package discovery

import (
	"encoding/binary"
	"net/netip"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// DefaultRange is where virtual addresses are taken from: the addresses that
// RFC 2544 sets aside for measurements of networks, which no network routes.
var DefaultRange = netip.MustParsePrefix("198.18.0.0/15")

// The first addresses of a range are not for endpoints.
const (
	nameserverOffset = 2   // the name server on each machine, see NameserverAddr
	firstEndpoint    = 256 // where virtual addresses of endpoints begin
)

// minRange is how many addresses a range has at least.
const minRange = 2 * firstEndpoint

// The port of a virtual address where the port of the endpoint has no number.
const (
	DefaultPort  = 80
	DefaultHTTPS = 443 // of the scheme https
)

// NameserverAddr is the address in a range at which each machine's name server
// answers: the same on all of them.
func NameserverAddr(r netip.Prefix) netip.Addr { return nth(r, nameserverOffset) }

// nth gives an address of a range of IPv4.
func nth(r netip.Prefix, n uint32) netip.Addr {
	base := r.Masked().Addr().As4()
	var out [4]byte
	binary.BigEndian.PutUint32(out[:], binary.BigEndian.Uint32(base[:])+n)
	return netip.AddrFrom4(out)
}

// vipName is what a virtual address belongs to.
func vipName(service cluster.ServiceID, endpoint string) string {
	return endpoint + "." + string(service)
}

// vipPort is the port of a virtual address: the fixed host port that the
// endpoint's port asks for, else the port it listens on in a network of its
// own, else DefaultHTTPS for the scheme https and DefaultPort for all others.
// It does not depend on where instances run.
func vipPort(spec *cluster.ServiceSpec, e cluster.Endpoint) uint16 {
	for _, p := range spec.Pods {
		if p.Name != e.Pod {
			continue
		}
		for _, t := range p.Tasks {
			if t.Name != e.Task {
				continue
			}
			for _, port := range t.Ports {
				switch {
				case port.Name != e.Port:
				case port.Port != 0:
					return port.Port
				case port.Listen != 0:
					return port.Listen
				}
			}
		}
	}
	if e.Scheme == "https" {
		return DefaultHTTPS
	}
	return DefaultPort
}

// addresses gives out the virtual addresses of a range. A name gets the address
// of its hash, or the next one that is free.
type addresses struct {
	first netip.Prefix
	size  uint32 // how many there are for endpoints
	of4   map[string]uint32
	taken map[uint32]string
}

// newAddresses makes an empty book over a range; one that is not of IPv4 or
// too small has no addresses to give.
func newAddresses(r netip.Prefix) addresses {
	a := addresses{first: r, of4: map[string]uint32{}, taken: map[uint32]string{}}
	if bits := 32 - r.Bits(); r.Addr().Is4() && bits < 32 && 1<<bits >= minRange {
		a.size = 1<<bits - firstEndpoint - 1 // without the last, a broadcast address to some
	}
	return a
}

// settle takes back the addresses of names that are not wanted and gives one to
// those that have none, in order.
func (a *addresses) settle(wanted []string) {
	want := make(map[string]bool, len(wanted))
	for _, w := range wanted {
		want[w] = true
	}
	for name, n := range a.of4 {
		if !want[name] {
			delete(a.of4, name)
			delete(a.taken, n)
		}
	}
	for _, name := range wanted {
		if _, has := a.of4[name]; !has {
			a.give(name)
		}
	}
}

func (a *addresses) give(name string) {
	if uint32(len(a.taken)) >= a.size {
		return
	}
	n := hash(name) % a.size
	for a.taken[n] != "" {
		n = (n + 1) % a.size
	}
	a.of4[name], a.taken[n] = n, name
}

// of gives the address of a name with a port; the zero value when it has none.
func (a *addresses) of(name string, port uint16) netip.AddrPort {
	n, ok := a.of4[name]
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(nth(a.first, firstEndpoint+n), port)
}

// hash is FNV-1a with its bits mixed once more: names that differ in their last
// letter only are neighbours otherwise.
func hash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
