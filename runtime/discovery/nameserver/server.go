package nameserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/universe-dcos/universe/runtime/discovery"
)

const (
	// TTL is how long an answer of the zone may be kept, in seconds.
	TTL = 1
	// NegativeTTL is how long its absence may be kept, in seconds.
	NegativeTTL = 1
	// MaxUDP is the largest answer over UDP: what crosses all usual networks in
	// one piece (DNS flag day 2020). What is larger is truncated, and asked for
	// again over TCP.
	MaxUDP = 1232
	// MaxAnswers is how many records of one name are given at a time.
	MaxAnswers = 512
	// MaxConnections is how many connections over TCP are open at once, on each listener.
	MaxConnections = 256
	// MaxForwards is how many questions are on their way to resolvers at once;
	// who asks one more is told SERVFAIL.
	MaxForwards = 512
	// MaxUpstreams is how many resolvers are asked for one question.
	MaxUpstreams = 3
)

const (
	tcpRead   = 5 * time.Second  // for a question to arrive whole
	tcpWrite  = 5 * time.Second  // for an answer to be taken
	tcpIdle   = 10 * time.Second // between two questions
	drainTime = 3 * time.Second  // for answers under way when the server stops
)

var discard = slog.New(slog.DiscardHandler)

// Server answers questions. Set its fields before Serve; it is used once.
type Server struct {
	// Zone gives the latest zone; it is called for each question.
	Zone func() *discovery.Zone
	// Upstreams gives the resolvers that are asked about names outside the zone,
	// in order; nil or none: they are refused. Those that are this server's own
	// listeners are left out.
	Upstreams func() []netip.AddrPort
	Logger    *slog.Logger // nil: silent

	own     []netip.AddrPort // where it listens
	turn    atomic.Uint32    // rotates the order of answers
	slots   chan struct{}    // one for each question that is forwarded
	flights singleflight.Group
}

// Serve answers on all of the sockets until ctx is done, lets answers under way
// end, and closes the sockets. It returns the error of a socket that failed, or nil.
func (s *Server) Serve(ctx context.Context, udp []net.PacketConn, tcp []net.Listener) error {
	if s.Logger == nil {
		s.Logger = discard
	}
	s.slots = make(chan struct{}, MaxForwards)
	var servers []*dns.Server
	for _, c := range udp {
		s.own = append(s.own, addrPort(c.LocalAddr()))
		servers = append(servers, &dns.Server{PacketConn: c, UDPSize: dns.DefaultMsgSize})
	}
	for _, l := range tcp {
		s.own = append(s.own, addrPort(l.Addr()))
		servers = append(servers, &dns.Server{Listener: netutil.LimitListener(l, MaxConnections),
			ReadTimeout: tcpRead, WriteTimeout: tcpWrite, IdleTimeout: func() time.Duration { return tcpIdle }})
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, d := range servers {
		d.Handler = dns.HandlerFunc(s.handle)
		started := make(chan struct{})
		d.NotifyStartedFunc = func() { close(started) }
		group.Go(func() error {
			if err := d.ActivateAndServe(); err != nil && ctx.Err() == nil {
				return fmt.Errorf("name server: %w", err)
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			select {
			case <-started:
			case <-time.After(drainTime): // it never started: Serve of it has failed
				return nil
			}
			limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
			defer cancel()
			if err := d.ShutdownContext(limit); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				s.Logger.Warn("a socket of the name server did not close well", "err", err)
			}
			return nil
		})
	}
	s.Logger.Info("name server listens", "addresses", s.own)
	return group.Wait()
}

// handle answers one message. The library refuses what is no question with one
// name before it comes here.
func (s *Server) handle(w dns.ResponseWriter, q *dns.Msg) {
	udp := w.RemoteAddr() != nil && w.RemoteAddr().Network() == "udp"
	m := s.answer(limited(w, q), udp)
	if m == nil {
		return
	}
	// Who asked and went away need not be told.
	_ = w.WriteMsg(m)
}

// answer makes the answer to a message, cut to the size that its sender takes;
// nil when it deserves none.
func (s *Server) answer(q *dns.Msg, udp bool) *dns.Msg {
	if q.Response {
		return nil
	}
	m := new(dns.Msg).SetReply(q)
	opt := q.IsEdns0()
	switch {
	case opt != nil && opt.Version() != 0:
		m.Rcode = dns.RcodeBadVers
	case q.Opcode != dns.OpcodeQuery:
		m.Rcode = dns.RcodeNotImplemented
	case len(q.Question) != 1:
		m.Rcode = dns.RcodeFormatError
	case q.Question[0].Qclass != dns.ClassINET || refusedType(q.Question[0].Qtype):
		m.Rcode = dns.RcodeRefused
	case discovery.In(q.Question[0].Name):
		s.fromZone(m, q.Question[0])
	case s.fromAgents(m, q.Question[0]):
	default:
		m = s.forward(q, udp)
	}
	m.RecursionAvailable = s.Upstreams != nil
	return fit(m, opt, udp)
}

// refusedType reports whether a type is one that nobody needs an answer of: all
// there is at a name, or all names.
func refusedType(t uint16) bool {
	return t == dns.TypeANY || t == dns.TypeAXFR || t == dns.TypeIXFR || t == dns.TypeMAILA || t == dns.TypeMAILB
}

// fit cuts an answer to the size that the sender of the question takes.
func fit(m *dns.Msg, asked *dns.OPT, udp bool) *dns.Msg {
	size := dns.MaxMsgSize - 1
	if udp {
		size = dns.MinMsgSize
		if asked != nil {
			size = min(max(int(asked.UDPSize()), dns.MinMsgSize), MaxUDP)
		}
	}
	if asked != nil {
		o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}}
		o.SetUDPSize(MaxUDP)
		if asked.Do() {
			o.SetDo()
		}
		m.Extra = append(m.Extra, o)
	} else if m.Rcode > 0xF { // it does not fit into a header without EDNS
		m.Rcode = dns.RcodeServerFailure
	}
	m.Truncate(size)
	return m
}

// addrPort is a socket's address; the zero value when it is not one of IP.
func addrPort(a net.Addr) netip.AddrPort {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
