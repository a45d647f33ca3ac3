package vip

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/discovery/names"
)

const (
	// MaxEndpoints is how many virtual addresses are listened at.
	MaxEndpoints = 8192
	// MaxConnections is how many connections are carried at once; one more is
	// reset. Each takes up to six files.
	MaxConnections = 8192
	// DialTimeout is how long one instance has to take a connection.
	DialTimeout = 2 * time.Second
	// MaxTries is how many instances are tried for one connection.
	MaxTries = 4
	// WaitTime is how long a connection waits for an instance to be ready.
	WaitTime = 5 * time.Second
	// PassOver is how long an instance that did not take a connection is tried
	// after all others.
	PassOver = 2 * time.Second
	// DrainTime is how long connections of an endpoint that went, or of a proxy
	// that stops, may go on.
	DrainTime = 30 * time.Second
	// listenRetry is between two tries to listen at an address.
	listenRetry = 5 * time.Second
)

// Proxy listens at the virtual addresses of a board's zone. Set its fields
// before Run; it is used once.
type Proxy struct {
	// Range is where virtual addresses may be: others in a zone are left alone.
	Range netip.Prefix
	// Listen opens a listener, of Room.Listen; nil: in the network of the process.
	Listen func(netip.AddrPort) (net.Listener, error)
	// Dial connects to an instance; nil: net.Dialer.
	Dial func(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error)
	// Drain is the DrainTime of this proxy; 0: DrainTime.
	Drain  time.Duration
	Logger *slog.Logger // nil: silent

	slots     chan struct{} // one for each connection
	endpoints map[netip.AddrPort]*endpoint
	failed    map[netip.AddrPort]bool // reported already
	wait      sync.WaitGroup
}

// Run listens until ctx is done, and then until connections are drained. It
// returns the error of ctx.
func (p *Proxy) Run(ctx context.Context, board *discovery.Board) error {
	p.defaults()
	retry := time.NewTicker(listenRetry)
	defer retry.Stop()
	for ctx.Err() == nil {
		changed := board.Changed()
		p.update(board.Zone())
		select {
		case <-changed:
		case <-p.retryNeeded(retry):
		case <-ctx.Done():
		}
	}
	for addr, e := range p.endpoints {
		p.remove(addr, e)
	}
	p.wait.Wait()
	return ctx.Err()
}

func (p *Proxy) defaults() {
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	if p.Listen == nil {
		p.Listen = listen
	}
	if p.Dial == nil {
		p.Dial = dial
	}
	if p.Drain == 0 {
		p.Drain = DrainTime
	}
	p.slots = make(chan struct{}, MaxConnections)
	p.endpoints, p.failed = map[netip.AddrPort]*endpoint{}, map[netip.AddrPort]bool{}
}

// retryNeeded gives the ticks of t if there is an address to try again.
func (p *Proxy) retryNeeded(t *time.Ticker) <-chan time.Time {
	if len(p.failed) == 0 {
		return nil
	}
	return t.C
}

// update makes the endpoints those of a zone.
func (p *Proxy) update(z *discovery.Zone) {
	wanted := map[netip.AddrPort]bool{}
	for _, s := range z.Services() {
		for _, e := range s.Endpoints {
			if !e.VIP.IsValid() || !p.Range.Contains(e.VIP.Addr()) || wanted[e.VIP] || len(wanted) == MaxEndpoints {
				continue
			}
			wanted[e.VIP] = true
			p.put(e.VIP, names.Endpoint(s.ID, e.Name), s.Backends(e.Name))
		}
	}
	for addr, e := range p.endpoints {
		if !wanted[addr] {
			p.remove(addr, e)
		}
	}
	for addr := range p.failed {
		if !wanted[addr] {
			delete(p.failed, addr)
		}
	}
}

// put makes an endpoint have these instances, and listens for it if it is new.
func (p *Proxy) put(addr netip.AddrPort, name string, backends []discovery.Backend) {
	if e := p.endpoints[addr]; e != nil {
		e.pool.set(backends)
		return
	}
	l, err := p.Listen(addr)
	if err != nil {
		if !p.failed[addr] {
			p.Logger.Warn("a virtual address cannot be listened at; trying again", "endpoint", name, "address", addr, "err", err)
		}
		p.failed[addr] = true
		return
	}
	delete(p.failed, addr)
	e := &endpoint{name: name, listener: l, pool: newPool(), conns: map[*carried]bool{}, gone: make(chan struct{})}
	e.pool.set(backends)
	p.endpoints[addr] = e
	e.wait.Go(func() { p.accept(e) })
	p.Logger.Debug("virtual address listens", "endpoint", name, "address", addr)
}

// remove ends an endpoint and lets its connections drain.
func (p *Proxy) remove(addr netip.AddrPort, e *endpoint) {
	delete(p.endpoints, addr)
	close(e.gone)
	_ = e.listener.Close() // it is gone either way
	p.wait.Go(func() {
		done := make(chan struct{})
		go func() { e.wait.Wait(); close(done) }()
		timer := time.NewTimer(p.Drain)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			e.cut()
			<-done
		}
	})
}

// listen opens a listener in the network of the calling thread. Multipath TCP
// is off: its sockets cannot be spliced, and clients next door have one path.
func listen(addr netip.AddrPort) (net.Listener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	return c.Listen(context.Background(), "tcp", addr.String())
}

func dial(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	var d net.Dialer
	d.SetMultipathTCP(false)
	c, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}
