package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/internal/problem"
)

const (
	// LinkName is the machine's interface to its Room.
	LinkName = "universe-vip"
	// peerName is the Room's own.
	peerName = "eth0"
	// linkMTU is of both: what goes over them never leaves the machine.
	linkMTU = 65535
	// settleFor is how long the kernel gets to take away the Room of a process
	// that just ended, and to bring up a new one.
	settleFor   = 5 * time.Second
	settleEvery = 5 * time.Millisecond
)

// gateway is the machine's address on its interface to the Room.
var gateway = netip.MustParseAddr("169.254.198.18")

// ownNetwork is the network namespace of the calling thread.
const ownNetwork = "/proc/thread-self/ns/net"

// Room is a network namespace in which all addresses of a range are local. It
// has no name and ends with the process.
type Room struct {
	prefix netip.Prefix
	ns     *os.File
	link   netlink.Link
	host   *netlink.Handle
}

// OpenRoom makes the Room of the network namespace that the calling thread is
// in, with a route to it for a range. It needs root. There is one Room in a
// network namespace: while another process has it, it fails with
// problem.Exists, and where something else has a part of the range, with
// problem.Conflict.
func OpenRoom(ctx context.Context, prefix netip.Prefix) (*Room, error) {
	prefix = prefix.Masked()
	if !prefix.Addr().Is4() {
		return nil, problem.New(problem.Invalid, "virtual addresses: the range %s is not of IPv4", prefix)
	}
	host, err := netlink.NewHandle()
	if err != nil {
		return nil, fmt.Errorf("virtual addresses: %w", err)
	}
	r := &Room{prefix: prefix, host: host}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("virtual addresses: %w", err), r.Close())
	}
	return r, nil
}

func (r *Room) open(ctx context.Context) error {
	if err := r.clear(ctx); err != nil {
		return err
	}
	if err := r.overlaps(); err != nil {
		return err
	}
	var err error
	if r.ns, err = newNamespace(); err != nil {
		return fmt.Errorf("a network namespace: %w", err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = LinkName, linkMTU
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: peerName, PeerNamespace: netlink.NsFd(int(r.ns.Fd()))}
	if err := r.host.LinkAdd(veth); err != nil {
		return fmt.Errorf("interface %s: %w", LinkName, err)
	}
	if r.link, err = r.host.LinkByName(LinkName); err != nil {
		return fmt.Errorf("interface %s: %w", LinkName, err)
	}
	if err := r.within(r.settle); err != nil {
		return fmt.Errorf("its network namespace: %w", err)
	}
	addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(gateway, 32))}
	if err := r.host.AddrAdd(r.link, addr); err != nil {
		return fmt.Errorf("address of %s: %w", LinkName, err)
	}
	if err := r.host.LinkSetUp(r.link); err != nil {
		return fmt.Errorf("interface %s: %w", LinkName, err)
	}
	route := &netlink.Route{LinkIndex: r.link.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: ipNet(r.prefix)}
	if err := r.host.RouteAdd(route); err != nil {
		return fmt.Errorf("route to %s: %w", r.prefix, err)
	}
	return r.ready(ctx)
}

// clear waits until the Room of an earlier life is gone.
func (r *Room) clear(ctx context.Context) error {
	gone, err := settled(ctx, func() (bool, error) {
		var none netlink.LinkNotFoundError
		_, err := r.host.LinkByName(LinkName)
		if errors.As(err, &none) {
			return true, nil
		}
		return false, err
	})
	if err == nil && !gone {
		err = problem.New(problem.Exists, "the interface %s is there: another agent carries virtual addresses on this machine", LinkName).
			WithHint("stop that agent, or let this one run without virtual addresses")
	}
	return err
}

// ready waits until packets pass: before, the kernel drops them, and who connects
// tries again only after a second.
func (r *Room) ready(ctx context.Context) error {
	up := func(h *netlink.Handle, name string) (bool, error) {
		l, err := h.LinkByName(name)
		return err == nil && l.Attrs().OperState == netlink.OperUp, err
	}
	inside, err := netlink.NewHandleAt(netns.NsHandle(r.ns.Fd()))
	if err != nil {
		return err
	}
	defer inside.Close()
	ok, err := settled(ctx, func() (bool, error) {
		one, err := up(r.host, LinkName)
		if err != nil || !one {
			return false, err
		}
		return up(inside, peerName)
	})
	if err == nil && !ok {
		err = fmt.Errorf("interface %s does not come up", LinkName)
	}
	return err
}

// settled asks until the answer is yes; no is the answer after settleFor.
func settled(ctx context.Context, ask func() (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return yes, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}

// overlaps refuses a range of which somebody else has a part.
func (r *Room) overlaps() error {
	routes, err := r.host.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("listing routes: %w", err)
	}
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		ones, _ := route.Dst.Mask.Size()
		a, ok := netip.AddrFromSlice(route.Dst.IP.To4())
		if ok && ones > 0 && netip.PrefixFrom(a, ones).Overlaps(r.prefix) {
			return problem.New(problem.Conflict, "this machine has a route to %s, which is in the range %s", route.Dst, r.prefix).
				WithHint("give the cluster another range of virtual addresses, one that nothing here uses")
		}
	}
	return nil
}

// settle makes all of the range local in the Room, and the machine its way to
// everywhere else. It runs in the Room.
func (r *Room) settle() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	peer, err := netlink.LinkByName(peerName)
	if err != nil {
		return err
	}
	for _, l := range []netlink.Link{lo, peer} {
		if err := netlink.LinkSetUp(l); err != nil {
			return fmt.Errorf("interface %s: %w", l.Attrs().Name, err)
		}
	}
	if err := netlink.LinkSetMTU(peer, linkMTU); err != nil {
		return err
	}
	routes := []netlink.Route{
		{LinkIndex: lo.Attrs().Index, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST, Dst: ipNet(r.prefix)},
		{LinkIndex: peer.Attrs().Index, Gw: net.IP(gateway.AsSlice()), Flags: int(netlink.FLAG_ONLINK),
			Dst: ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))},
	}
	for i := range routes {
		if err := netlink.RouteAdd(&routes[i]); err != nil {
			return fmt.Errorf("route to %s: %w", routes[i].Dst, err)
		}
	}
	return nil
}

// Listen opens a TCP listener at an address of the Room.
func (r *Room) Listen(addr netip.AddrPort) (l net.Listener, err error) {
	err = r.within(func() error {
		l, err = listen(addr)
		return err
	})
	return l, err
}

// ListenPacket opens a UDP socket at an address of the Room.
func (r *Room) ListenPacket(addr netip.AddrPort) (c net.PacketConn, err error) {
	err = r.within(func() error {
		c, err = net.ListenPacket("udp", addr.String())
		return err
	})
	return c, err
}

// Close takes the Room away, but for listeners that are open: they reach nobody.
func (r *Room) Close() error {
	var errs []error
	if r.link != nil {
		errs = append(errs, r.host.LinkDel(r.link))
	}
	if r.ns != nil {
		errs = append(errs, r.ns.Close())
	}
	r.host.Close()
	return errors.Join(errs...)
}

// within calls f on a thread that is in the Room.
func (r *Room) within(f func() error) error {
	return apart(func() error { return unix.Setns(int(r.ns.Fd()), unix.CLONE_NEWNET) }, f)
}

// newNamespace makes a network namespace that lives as long as the file.
func newNamespace() (ns *os.File, err error) {
	err = apart(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() error {
		ns, err = os.Open(ownNetwork)
		return err
	})
	return ns, err
}

// apart calls enter and then f on a thread of their own, which goes back where
// it came from, or ends if it cannot.
func apart(enter, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open(ownNetwork)
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		defer home.Close()
		err = enter()
		if err == nil {
			err = f()
		}
		// Answer last: who gets the answer may look for what is left of us.
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
