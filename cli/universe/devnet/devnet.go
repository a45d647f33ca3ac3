// Package devnet makes the network of a development cluster on one machine: a
// bridge, and for each node a network namespace with one address on it. The
// master stays in the machine's own namespace and is reached at the bridge's
// address; nothing is routed beyond the bridge and no firewall rule is made.
//
// All names derive from the cluster's tag, so that two clusters do not meet
// and Remove finds what a killed process left behind. It needs root, for the
// kernel lets nobody else make interfaces and namespaces.
package devnet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// MaxNodes is how many nodes a network holds.
const MaxNodes = 32

// firstNode is the last byte of the first node's address.
const firstNode = 11

// Net is the network of one development cluster.
type Net struct {
	Tag    string       // at most 8 bytes of [a-z0-9]; interface names are short
	Subnet netip.Prefix // a /24
}

// Pick gives the network for a tag: a /24 of 10.64.0.0/10 that starts from the
// tag's hash and avoids every subnet the machine has an address or route in.
func Pick(tag string) (Net, error) {
	var hash uint32 = 2166136261 // FNV-1a
	for i := 0; i < len(tag); i++ {
		hash = (hash ^ uint32(tag[i])) * 16777619
	}
	used, err := usedPrefixes(bridgeName(tag))
	if err != nil {
		return Net{}, err
	}
	const subnets = 64 * 256
	for i := uint32(0); i < subnets; i++ {
		n := (hash + i) % subnets
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(64 + n/256), byte(n % 256), 0}), 24)
		free := true
		for _, u := range used {
			free = free && !u.Overlaps(p)
		}
		if free {
			return Net{Tag: tag, Subnet: p}, nil
		}
	}
	return Net{}, errors.New("no free /24 in 10.64.0.0/10: every one overlaps a route of this machine")
}

// usedPrefixes lists the machine's IPv4 addresses and routes, but those of one interface.
func usedPrefixes(but string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	skip := -1
	if l, err := netlink.LinkByName(but); err == nil {
		skip = l.Attrs().Index
	}
	for _, r := range routes {
		if r.Dst == nil || r.LinkIndex == skip {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		if a, ok := netip.AddrFromSlice(r.Dst.IP.To4()); ok && ones > 0 {
			out = append(out, netip.PrefixFrom(a, ones))
		}
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	for _, a := range addrs {
		ones, _ := a.Mask.Size()
		if ip, ok := netip.AddrFromSlice(a.IP.To4()); ok && a.LinkIndex != skip {
			out = append(out, netip.PrefixFrom(ip, ones))
		}
	}
	return out, nil
}

// Gateway is the master's address on the bridge.
func (n Net) Gateway() netip.Addr { return n.host(1) }

// Node is the address of node i, counted from 0.
func (n Net) Node(i int) netip.Addr { return n.host(byte(firstNode + i)) }

// Namespace is the name of node i's network namespace, as in `ip netns`.
func (n Net) Namespace(i int) string { return fmt.Sprintf("uv-%s-a%d", n.Tag, i+1) }

func (n Net) host(last byte) netip.Addr {
	a := n.Subnet.Addr().As4()
	a[3] = last
	return netip.AddrFrom4(a)
}

func bridgeName(tag string) string { return "uv" + tag }

func (n Net) hostVeth(i int) string { return fmt.Sprintf("uv%sv%d", n.Tag, i+1) }

// Create makes the bridge and the namespaces of nodes nodes. What stands
// already is taken as it is, so that a restarted process finds its network
// again; on an error everything it made is removed.
func (n Net) Create(nodes int) (err error) {
	if nodes < 1 || nodes > MaxNodes {
		return fmt.Errorf("a development network has 1 to %d nodes, not %d", MaxNodes, nodes)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Remove())
		}
	}()
	bridge, err := n.bridge()
	if err != nil {
		return err
	}
	for i := range nodes {
		if err := n.node(bridge, i); err != nil {
			return fmt.Errorf("network of node %d: %w", i+1, err)
		}
	}
	return nil
}

func (n Net) bridge() (netlink.Link, error) {
	name := bridgeName(n.Tag)
	if l, err := netlink.LinkByName(name); err == nil {
		return l, nil
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return nil, fmt.Errorf("making bridge %s: %w", name, err)
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", name, err)
	}
	return l, up(netlink.LinkSetUp, l, n.Gateway().String()+"/24", netlink.AddrAdd)
}

// up gives a link its address and sets it up, through the functions of a
// package or of a handle into another namespace.
func up(set func(netlink.Link) error, l netlink.Link, cidr string, add func(netlink.Link, *netlink.Addr) error) error {
	addr, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	if err := add(l, addr); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("address %s on %s: %w", cidr, l.Attrs().Name, err)
	}
	if err := set(l); err != nil {
		return fmt.Errorf("setting %s up: %w", l.Attrs().Name, err)
	}
	return nil
}

func (n Net) node(bridge netlink.Link, i int) error {
	ns, err := netns.GetFromName(n.Namespace(i))
	if err != nil {
		if ns, err = makeNamespace(n.Namespace(i)); err != nil {
			return err
		}
	}
	defer ns.Close()
	inside, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("entering namespace %s: %w", n.Namespace(i), err)
	}
	defer inside.Close()
	if _, err := inside.LinkByName("eth0"); err == nil {
		return nil
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = n.hostVeth(i), bridge.Attrs().Index
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(ns))}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("making the veth pair %s: %w", attrs.Name, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return fmt.Errorf("setting %s up: %w", attrs.Name, err)
	}
	lo, err := inside.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := inside.LinkSetUp(lo); err != nil {
		return fmt.Errorf("setting lo up: %w", err)
	}
	eth, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	return up(inside.LinkSetUp, eth, n.Node(i).String()+"/24", inside.AddrAdd)
}

// makeNamespace makes a named namespace and leaves the caller in its own.
func makeNamespace(name string) (ns netns.NsHandle, err error) {
	err = here(func() (err error) { ns, err = netns.NewNamed(name); return err })
	if err != nil {
		return netns.None(), fmt.Errorf("making network namespace %s: %w", name, err)
	}
	return ns, nil
}

// here runs f on a thread of its own and brings the thread home afterwards. A
// thread that cannot come home is given up: the runtime ends a thread whose
// goroutine ends while locked to it.
func here(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := netns.Get()
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		err = f()
		if back := netns.Set(home); back != nil {
			done <- errors.Join(err, back)
			return
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}

// Start starts cmd inside node i's namespace. Only the network differs: /sys
// stays as it is, for containerd needs the machine's cgroups.
func (n Net) Start(i int, cmd *exec.Cmd) error {
	ns, err := netns.GetFromName(n.Namespace(i))
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", n.Namespace(i), err)
	}
	defer ns.Close()
	return here(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("entering network namespace %s: %w", n.Namespace(i), err)
		}
		return cmd.Start()
	})
}

// Remove deletes every namespace and interface of the tag. Removing what is
// not there is no error.
func (n Net) Remove() error {
	var errs []error
	names, err := filepath.Glob(filepath.Join("/run/netns", "uv-"+n.Tag+"-a*"))
	if err != nil {
		errs = append(errs, err)
	}
	for _, path := range names {
		if err := netns.DeleteNamed(filepath.Base(path)); err != nil {
			errs = append(errs, fmt.Errorf("deleting network namespace %s: %w", filepath.Base(path), err))
		}
	}
	// A veth goes with its namespace, but only when the kernel gets to it.
	for i := range MaxNodes {
		errs = append(errs, deleteLink(n.hostVeth(i)))
	}
	errs = append(errs, deleteLink(bridgeName(n.Tag)))
	return errors.Join(errs...)
}

// deleteLink deletes an interface; one that is not there, or that goes in this
// very moment, is no error.
func deleteLink(name string) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(l)
	}
	var notFound netlink.LinkNotFoundError
	if err == nil || errors.As(err, &notFound) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return fmt.Errorf("deleting interface %s: %w", name, err)
}

// Left lists what of the tag is still on the machine: for checks after Remove.
func (n Net) Left() []string {
	var out []string
	names, _ := filepath.Glob(filepath.Join("/run/netns", "uv-"+n.Tag+"-a*")) // the pattern is constant and legal
	for _, path := range names {
		out = append(out, "network namespace "+filepath.Base(path))
	}
	links, err := netlink.LinkList()
	if err != nil {
		return append(out, "interfaces: "+err.Error())
	}
	for _, l := range links {
		if name := l.Attrs().Name; name == bridgeName(n.Tag) || len(name) > len(bridgeName(n.Tag)) && name[:len(bridgeName(n.Tag))+1] == bridgeName(n.Tag)+"v" {
			out = append(out, "interface "+name)
		}
	}
	return out
}
