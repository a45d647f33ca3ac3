package vip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/discovery/nameserver"
)

// resolver asks a name server from the machine.
func (m *machine) resolver(at netip.AddrPort) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
		err = m.within(func() error {
			var d net.Dialer
			c, err = d.DialContext(ctx, network, at.String())
			return err
		})
		return c, err
	}}
}

// TestWhole is a machine as an agent makes it: it follows the master's names,
// answers DNS at the address that is the same on all machines, and carries
// connections to the name of an endpoint, before and after the service moves.
func TestWhole(t *testing.T) {
	m := newMachine(t)
	room := m.room(t, discovery.DefaultRange)
	ctx, cancel := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)

	up, down := new(discovery.Board), new(discovery.Board)
	a, b := newBackend(t, "a"), newBackend(t, "b")
	const vip = "198.18.44.55:80"
	up.Set(zoneOf(t, 1, []string{vip}, a))
	master := httptest.NewServer(discovery.Handler(up.Zone, up.Changed))
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		client.CloseIdleConnections()
		master.Close()
	})
	u, err := url.Parse(master.URL)
	if err != nil {
		t.Fatal(err)
	}
	group.Go(func() error {
		return discovery.Follow(ctx, discovery.Following{Master: u, Client: client, Board: down})
	})
	// The instances of the test listen outside the machine: only the Room is in it.
	group.Go(func() error {
		return (&Proxy{Range: discovery.DefaultRange, Listen: room.Listen}).Run(ctx, down)
	})
	at := netip.AddrPortFrom(discovery.NameserverAddr(discovery.DefaultRange), 53)
	udp, err := room.ListenPacket(at)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := room.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	group.Go(func() error {
		return (&nameserver.Server{Zone: down.Zone}).Serve(ctx, []net.PacketConn{udp}, []net.Listener{tcp})
	})

	r := m.resolver(at)
	use := func() (string, error) {
		addrs, err := r.LookupHost(t.Context(), "http0.web.vip.universe")
		if err != nil {
			return "", err
		}
		c, err := m.dial(t.Context(), netip.MustParseAddrPort(net.JoinHostPort(addrs[0], "80")))
		if err != nil {
			return "", err
		}
		defer c.Close()
		if err := errors.Join(second(fmt.Fprint(c, "hello")), c.CloseWrite()); err != nil {
			return "", err
		}
		got, err := io.ReadAll(c)
		return string(got), err
	}
	until(t, func() bool { got, err := use(); return err == nil && got == "a:hello" })
	up.Set(zoneOf(t, 2, []string{vip}, b))
	until(t, func() bool { got, err := use(); return err == nil && got == "b:hello" })
	names, err := r.LookupHost(t.Context(), "web-0-server.web.universe")
	if err != nil || !slices.Equal(names, []string{"127.0.0.1"}) {
		t.Errorf("the instance: got %v, %v", names, err)
	}
}

func second(_ int, err error) error { return err }
