package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/discovery/nameserver"
)

const (
	// dnsPort is where name servers listen: a resolv.conf can name no other port.
	dnsPort = 53
	// dnsOff is the setting of a machine without a name server.
	dnsOff = "off"
	// The prefix of the range of virtual addresses: enough for some endpoints, and
	// not half the world.
	minRangeBits, maxRangeBits = 8, 23
)

// dnsConfig is the name server of a machine.
type dnsConfig struct {
	Listen    string   `yaml:"listen,omitempty"`    // address:port; "off": none; empty: the default
	Upstreams []string `yaml:"upstreams,omitempty"` // address or address:port, for all other names; empty: the machine's own resolvers
}

// vipConfig is the virtual addresses of endpoints on an agent.
type vipConfig struct {
	Off   bool   `yaml:"off,omitempty"`   // this machine carries none
	Range string `yaml:"range,omitempty"` // IPv4; the same on the master and all agents; empty: discovery.DefaultRange
}

// vipRange is the addresses that the master gives to endpoints.
type vipRange struct {
	Range string `yaml:"range,omitempty"` // as vipConfig has it
}

// listen gives the address to listen at; "" is none.
func (c dnsConfig) listen(host string) string {
	switch {
	case c.Listen == dnsOff:
		return ""
	case c.Listen != "":
		return c.Listen
	case host == "":
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(dnsPort))
}

// upstreams gives the resolvers that other names are asked of.
func (c dnsConfig) upstreams() (func() []netip.AddrPort, error) {
	if len(c.Upstreams) == 0 {
		return nameserver.ResolvConf(nameserver.ResolvFile), nil
	}
	if len(c.Upstreams) > nameserver.MaxUpstreams {
		return nil, fmt.Errorf("%d resolvers, over the limit of %d", len(c.Upstreams), nameserver.MaxUpstreams)
	}
	var out []netip.AddrPort
	for _, text := range c.Upstreams {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			a, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, fmt.Errorf("%q is neither an IP address nor address:port", text)
			}
			at = netip.AddrPortFrom(a, dnsPort)
		}
		out = append(out, at)
	}
	return func() []netip.AddrPort { return out }, nil
}

// parseRange reads a range of virtual addresses.
func parseRange(text string) (netip.Prefix, error) {
	if text == "" {
		return discovery.DefaultRange, nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || !p.Addr().Is4() || p.Masked() != p:
		return netip.Prefix{}, fmt.Errorf("%q is not an IPv4 range: write one such as %s", text, discovery.DefaultRange)
	case p.Bits() < minRangeBits || p.Bits() > maxRangeBits:
		return netip.Prefix{}, fmt.Errorf("%s: its prefix is not /%d to /%d", p, minRangeBits, maxRangeBits)
	}
	return p, nil
}

// address is the address at which agents reach the master, where its
// configuration tells; else "".
func (c masterConfig) address() string {
	for _, at := range []string{c.Agents, c.Registry} {
		host, _, err := net.SplitHostPort(at)
		if a, aerr := netip.ParseAddr(host); err == nil && aerr == nil && !a.IsUnspecified() {
			return host
		}
	}
	return ""
}

// discovery is what the master makes names of beside its state.
func (c masterConfig) discovery() (discovery.Config, error) {
	var out discovery.Config
	if a, err := netip.ParseAddr(c.address()); err == nil {
		out.Master = []netip.Addr{a.Unmap()}
	}
	var err error
	if out.Range, err = parseRange(c.VirtualAddresses.Range); err != nil {
		return out, fmt.Errorf("virtual_addresses.range: %w", err)
	}
	return out, nil
}

// check finds what is wrong with the settings of a name server.
func (c dnsConfig) check(f *faults) {
	if c.Listen != "" && c.Listen != dnsOff {
		if _, err := netip.ParseAddrPort(c.Listen); err != nil {
			f.add("dns.listen", "%q is not an IP address and port: write such as 10.0.0.11:%d, or %s", c.Listen, dnsPort, dnsOff)
		}
	}
	if _, err := c.upstreams(); err != nil {
		f.add("dns.upstreams", "%v", err)
	}
}

func (c vipConfig) check(f *faults, network networkConfig) {
	prefix, err := parseRange(c.Range)
	if err != nil {
		f.add("virtual_addresses.range", "%v", err)
		return
	}
	if own, err := netip.ParsePrefix(network.Subnet); err == nil && own.Overlaps(prefix) {
		f.add("virtual_addresses.range", "%s and the subnet of network.subnet, %s, have addresses in common: change one", prefix, own)
	}
}
