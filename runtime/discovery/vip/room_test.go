package vip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/discovery"
)

// machine is a network namespace that stands for a machine.
type machine struct{ ns *os.File }

// newMachine makes one, or skips the test where the kernel lets us not.
func newMachine(t testing.TB) *machine {
	t.Helper()
	ns, err := newNamespace()
	if err != nil {
		if errors.Is(err, unix.EPERM) && os.Getenv("CI") != "true" {
			t.Skipf("a network namespace is root's to make: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	m := &machine{ns}
	m.do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return m
}

func (m *machine) within(f func() error) error {
	return apart(func() error { return unix.Setns(int(m.ns.Fd()), unix.CLONE_NEWNET) }, f)
}

func (m *machine) do(t testing.TB, f func() error) {
	t.Helper()
	if err := m.within(f); err != nil {
		t.Fatal(err)
	}
}

// room opens the Room of the machine until the test is over.
func (m *machine) room(t testing.TB, r netip.Prefix) *Room {
	t.Helper()
	var room *Room
	m.do(t, func() (err error) {
		room, err = OpenRoom(context.Background(), r)
		return err
	})
	t.Cleanup(func() { _ = room.Close() }) // some tests close it
	return room
}

func (m *machine) listen(t testing.TB, addr string) (l net.Listener) {
	t.Helper()
	m.do(t, func() (err error) {
		l, err = listen(netip.MustParseAddrPort(addr))
		return err
	})
	t.Cleanup(func() { l.Close() })
	return l
}

func (m *machine) dial(ctx context.Context, addr netip.AddrPort) (c *net.TCPConn, err error) {
	err = m.within(func() error {
		c, err = dial(ctx, addr)
		return err
	})
	return c, err
}

// links and routes of the machine, in words.
func (m *machine) state(t testing.TB) (links, routes []string) {
	t.Helper()
	m.do(t, func() error {
		ls, err := netlink.LinkList()
		if err != nil {
			return err
		}
		for _, l := range ls {
			links = append(links, l.Attrs().Name)
		}
		rs, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		for _, r := range rs {
			routes = append(routes, r.Dst.String())
		}
		return err
	})
	return links, routes
}

// TestRoom_besideService is why there is a Room: a service that binds a port at
// all addresses of the machine, and a virtual address with the same port.
func TestRoom_besideService(t *testing.T) {
	m := newMachine(t)
	room := m.room(t, discovery.DefaultRange)
	vip := netip.MustParseAddrPort("198.18.7.9:2181")
	front, err := room.Listen(vip)
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	service := m.listen(t, netip.AddrPortFrom(netip.IPv4Unspecified(), 2181).String())
	for _, c := range []struct {
		addr string
		want net.Listener
	}{{"198.18.7.9:2181", front}, {"127.0.0.1:2181", service}} {
		client, err := m.dial(t.Context(), netip.MustParseAddrPort(c.addr))
		if err != nil {
			t.Fatalf("%s: %v", c.addr, err)
		}
		server, err := c.want.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if server.LocalAddr().String() != client.RemoteAddr().String() {
			t.Errorf("%s: accepted at %s", c.addr, server.LocalAddr())
		}
		client.Close()
		server.Close()
	}
	// An address of the range that nobody listens at refuses at once.
	if _, err := m.dial(t.Context(), netip.MustParseAddrPort("198.19.0.1:80")); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("an address without a listener: got %v, want connection refused", err)
	}
}

// TestRoom_fromContainer reaches a virtual address from a network namespace
// behind the machine, as containers on its bridge are.
func TestRoom_fromContainer(t *testing.T) {
	m, container := newMachine(t), newMachine(t)
	room := m.room(t, discovery.DefaultRange)
	m.do(t, func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "cni0"
		veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(container.ns.Fd()))}
		if err := netlink.LinkAdd(veth); err != nil {
			return err
		}
		// The bridge plugin does the same for its gateway.
		return errors.Join(os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0), address("cni0", "10.64.0.1/24"))
	})
	container.do(t, func() error {
		return errors.Join(address("eth0", "10.64.0.11/24"), netlink.RouteAdd(&netlink.Route{Gw: net.IPv4(10, 64, 0, 1)}))
	})
	l, err := room.Listen(netip.MustParseAddrPort("198.18.7.9:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := container.dial(t.Context(), netip.MustParseAddrPort("198.18.7.9:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if from := s.RemoteAddr().(*net.TCPAddr).IP.String(); from != "10.64.0.11" {
		t.Errorf("the connection comes from %s", from)
	}
}

// address gives an interface of the calling thread's namespace an address, and turns it on.
func address(link, addr string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix(addr))}), netlink.LinkSetUp(l))
}

// TestRoom_datagrams asks a name server in the Room.
func TestRoom_datagrams(t *testing.T) {
	m := newMachine(t)
	room := m.room(t, discovery.DefaultRange)
	addr := netip.AddrPortFrom(discovery.NameserverAddr(discovery.DefaultRange), 53)
	server, err := room.ListenPacket(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var client net.Conn
	m.do(t, func() (err error) {
		client, err = net.Dial("udp", addr.String())
		return err
	})
	defer client.Close()
	if _, err := client.Write([]byte("who")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	n, from, err := server.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "who" {
		t.Fatalf("server: got %q, %v", buf[:n], err)
	}
	if _, err := server.WriteTo([]byte("me"), from); err != nil {
		t.Fatal(err)
	}
	if n, err = client.Read(buf); err != nil || string(buf[:n]) != "me" {
		t.Errorf("client: got %q, %v", buf[:n], err)
	}
}

// TestRoom_leavesNothing closes a Room, and opens the next at once.
func TestRoom_leavesNothing(t *testing.T) {
	m := newMachine(t)
	for range 3 {
		room := m.room(t, discovery.DefaultRange)
		if _, routes := m.state(t); len(routes) != 1 || routes[0] != discovery.DefaultRange.String() {
			t.Errorf("routes: got %v, want one to the range", routes)
		}
		if err := room.Close(); err != nil {
			t.Fatal(err)
		}
		if links, routes := m.state(t); len(links) != 1 || len(routes) != 0 {
			t.Errorf("left: interfaces %v, routes %v", links, routes)
		}
	}
}

// inRoom, in the environment, makes the test binary a process that has a Room.
const inRoom = "UNIVERSE_TEST_IN_ROOM"

// holdRoom is what that process does: it opens a Room, listens in it, and waits
// to be killed.
func holdRoom() error {
	room, err := OpenRoom(context.Background(), discovery.DefaultRange)
	if err != nil {
		return err
	}
	l, err := room.Listen(netip.MustParseAddrPort("198.18.1.0:80"))
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, err = l.Accept()
	return err
}

// TestRoom_afterKill kills a process that has a Room: the next one finds the
// machine clean.
func TestRoom_afterKill(t *testing.T) {
	m := newMachine(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), inRoom+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.do(t, cmd.Start) // a process is born in the namespace of the thread
	line := make([]byte, len("open"))
	if _, err := io.ReadFull(out, line); err != nil {
		t.Errorf("the process that has a Room: %v", err)
	}
	if _, routes := m.state(t); len(routes) != 1 {
		t.Errorf("routes while it lives: got %v", routes)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // of course it was killed
	room := m.room(t, discovery.DefaultRange)
	l, err := room.Listen(netip.MustParseAddrPort("198.18.1.0:80"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestRoom_refused(t *testing.T) {
	m := newMachine(t)
	m.do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: ipNet(netip.MustParsePrefix("198.19.4.0/24"))})
	})
	before, _ := m.state(t)
	err := m.within(func() error {
		_, err := OpenRoom(t.Context(), discovery.DefaultRange)
		return err
	})
	if !problem.Is(err, problem.Conflict) || !strings.Contains(err.Error(), "198.19.4.0/24") {
		t.Errorf("a range in use: got %v", err)
	}
	if after, _ := m.state(t); len(after) != len(before) {
		t.Errorf("left: %v", after)
	}
	m.room(t, netip.MustParsePrefix("198.18.0.0/16"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = m.within(func() error {
		_, err := OpenRoom(ctx, netip.MustParsePrefix("10.99.0.0/16"))
		return err
	})
	if !problem.Is(err, problem.Exists) {
		t.Errorf("a second Room: got %v", err)
	}
	if _, err := OpenRoom(t.Context(), netip.MustParsePrefix("fd00::/64")); !problem.Is(err, problem.Invalid) {
		t.Errorf("IPv6: got %v", err)
	}
}
