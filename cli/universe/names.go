package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/discovery/nameserver"
	"github.com/universe-dcos/universe/runtime/discovery/vip"
)

// vipDrain is how long connections to virtual addresses may go on when the
// agent ends.
const vipDrain = 3 * time.Second

// localNames is the sockets by which the names of the cluster are asked for on
// this machine, and its virtual addresses. What cannot be had is told and left
// out: tasks run without it.
type localNames struct {
	board     *discovery.Board
	upstreams func() []netip.AddrPort
	log       *slog.Logger

	udp       []net.PacketConn
	tcp       []net.Listener
	resolvers []netip.Addr // name servers for containers
	room      *vip.Room    // nil: no virtual addresses
	prefix    netip.Prefix
}

// open opens a name server at an address.
func (n *localNames) open(ctx context.Context, addr string) {
	var lc net.ListenConfig
	udp, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		n.warn(addr, err)
		return
	}
	tcp, err := lc.Listen(ctx, "tcp", udp.LocalAddr().String())
	if err != nil {
		_ = udp.Close() // nothing was read
		n.warn(addr, err)
		return
	}
	n.add(udp, tcp)
}

func (n *localNames) warn(addr string, err error) {
	n.log.Warn("no name server for the cluster's names at this address: free its port, or name another address in dns.listen", "address", addr, "err", err)
}

// add takes a pair of sockets. Containers can be told of it when it has the port
// that they ask at, at one address.
func (n *localNames) add(udp net.PacketConn, tcp net.Listener) {
	n.udp, n.tcp = append(n.udp, udp), append(n.tcp, tcp)
	at, err := netip.ParseAddrPort(udp.LocalAddr().String())
	if err == nil && at.Port() == dnsPort && !at.Addr().IsUnspecified() && !at.Addr().IsLoopback() {
		n.resolvers = append(n.resolvers, at.Addr().Unmap())
	}
}

// openRoom makes virtual addresses possible, and where there is to be a name
// server, a second one among them, which needs no port of the machine.
func (n *localNames) openRoom(ctx context.Context, prefix netip.Prefix, dns bool) {
	room, err := vip.OpenRoom(ctx, prefix)
	if err != nil {
		n.log.Warn("this machine carries no virtual addresses: tasks on it cannot reach endpoints by them", "err", err)
		return
	}
	n.room, n.prefix = room, prefix
	if !dns {
		return
	}
	at := netip.AddrPortFrom(discovery.NameserverAddr(prefix), dnsPort)
	udp, err := room.ListenPacket(at)
	if err != nil {
		n.warn(at.String(), err)
		return
	}
	tcp, err := room.Listen(at)
	if err != nil {
		_ = udp.Close() // nothing was read
		n.warn(at.String(), err)
		return
	}
	n.add(udp, tcp)
}

// serve answers questions until ctx is done. It begins with the first names that
// are known: who asks before waits, and is not told that a name is not there.
func (n *localNames) serve(ctx context.Context) error {
	if len(n.udp) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	s := nameserver.Server{Zone: n.board.Zone, Upstreams: n.upstreams, Logger: n.log}
	return s.Serve(ctx, n.udp, n.tcp)
}

// known waits until the board has names.
func (n *localNames) known(ctx context.Context) error {
	for {
		changed := n.board.Changed()
		if n.board.Zone().Index() != 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// proxy carries connections to virtual addresses until ctx is done.
func (n *localNames) proxy(ctx context.Context) error {
	if n.room == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	p := vip.Proxy{Range: n.prefix, Listen: n.room.Listen, Drain: vipDrain, Logger: n.log}
	return p.Run(ctx, n.board)
}

// close takes away what was opened. Sockets that were served are closed already.
func (n *localNames) close() error {
	var errs []error
	for _, c := range n.udp {
		errs = append(errs, unlessClosed(c.Close()))
	}
	for _, l := range n.tcp {
		errs = append(errs, unlessClosed(l.Close()))
	}
	if n.room != nil {
		errs = append(errs, n.room.Close())
	}
	return errors.Join(errs...)
}

func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// agentNames opens an agent's names, and gives the parts that make them work.
func agentNames(ctx context.Context, c agentConfig, client *http.Client, log *slog.Logger) (*localNames, []func(context.Context) error, error) {
	master, err := url.Parse(c.Master)
	if err != nil {
		return nil, nil, err
	}
	n := &localNames{board: &discovery.Board{}, log: log}
	if n.upstreams, err = c.DNS.upstreams(); err != nil {
		return nil, nil, fmt.Errorf("dns.upstreams: %w", err)
	}
	prefix, err := parseRange(c.VirtualAddresses.Range)
	if err != nil {
		return nil, nil, fmt.Errorf("virtual_addresses.range: %w", err)
	}
	addr := c.DNS.listen(c.Host)
	if addr != "" {
		n.open(ctx, addr)
	}
	if !c.VirtualAddresses.Off {
		n.openRoom(ctx, prefix, addr != "")
	}
	follow := func(ctx context.Context) error {
		return discovery.Follow(ctx, discovery.Following{Master: master, Client: client, Board: n.board, Logger: log})
	}
	serve := func(ctx context.Context) error {
		if err := n.known(ctx); err != nil {
			return err
		}
		return n.serve(ctx)
	}
	file := filepath.Join(c.Dir, "state", "names.json")
	n.recall(file)
	remember := func(ctx context.Context) error { return n.remember(ctx, file) }
	return n, []func(context.Context) error{follow, serve, remember, n.proxy}, nil
}

// masterNames opens the master's name server over its own names.
func masterNames(ctx context.Context, c masterConfig, board *discovery.Board, log *slog.Logger) (*localNames, error) {
	n := &localNames{board: board, log: log}
	var err error
	if n.upstreams, err = c.DNS.upstreams(); err != nil {
		return nil, fmt.Errorf("dns.upstreams: %w", err)
	}
	if addr := c.DNS.listen(c.address()); addr != "" {
		n.open(ctx, addr)
	}
	return n, nil
}
