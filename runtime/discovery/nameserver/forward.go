package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// tryFor bounds one resolver's answer, and forwardFor all of them: a libc
	// gives up after 5 s.
	tryFor     = 2 * time.Second
	forwardFor = 4500 * time.Millisecond
)

var errMismatch = errors.New("the answer is to another question")

// forward asks the resolvers, and gives what they say or SERVFAIL.
func (s *Server) forward(q *dns.Msg, udp bool) *dns.Msg {
	reply := new(dns.Msg).SetReply(q)
	upstreams := s.upstreams()
	if len(upstreams) == 0 || !q.RecursionDesired {
		reply.Rcode = dns.RcodeRefused
		return reply
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		reply.Rcode = dns.RcodeServerFailure
		return reply
	}
	network := "tcp"
	if udp {
		network = "udp"
	}
	question := q.Question[0]
	opt := q.IsEdns0()
	do := opt != nil && opt.Do()
	key := fmt.Sprintf("%s %s %d %t %t %t", network, strings.ToLower(question.Name), question.Qtype, opt != nil, do, q.CheckingDisabled)
	got, err, _ := s.flights.Do(key, func() (any, error) {
		return consult(upstreams, network, question, opt != nil, do, q.CheckingDisabled)
	})
	if err != nil {
		s.Logger.Debug("no resolver answers", "name", question.Name, "err", err)
		reply.Rcode = dns.RcodeServerFailure
		return reply
	}
	from := got.(*dns.Msg).Copy() // others were given the same
	reply.Rcode, reply.Truncated, reply.AuthenticatedData = from.Rcode, from.Truncated, from.AuthenticatedData
	reply.Answer, reply.Ns = from.Answer, from.Ns
	for _, rr := range from.Extra {
		if rr.Header().Rrtype != dns.TypeOPT { // that was between us and the resolver
			reply.Extra = append(reply.Extra, rr)
		}
	}
	return reply
}

// upstreams gives the resolvers to ask, without this server itself.
func (s *Server) upstreams() []netip.AddrPort {
	if s.Upstreams == nil {
		return nil
	}
	var out []netip.AddrPort
	for _, u := range s.Upstreams() {
		if !s.isOwn(u) && len(out) < MaxUpstreams {
			out = append(out, u)
		}
	}
	return out
}

// isOwn reports whether a resolver is one of our listeners.
func (s *Server) isOwn(u netip.AddrPort) bool {
	for _, o := range s.own {
		if o.Port() == u.Port() && (o.Addr() == u.Addr() || o.Addr().IsUnspecified() && u.Addr().IsLoopback()) {
			return true
		}
	}
	return false
}

// consult puts a question to one resolver after the other, until one answers it. A
// refusal or failure counts as an answer only where no other has a better one.
func consult(upstreams []netip.AddrPort, network string, question dns.Question, edns, do, checkingDisabled bool) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(context.Background(), forwardFor) // it is shared by several who ask
	defer cancel()
	client := dns.Client{Net: network, Timeout: tryFor}
	var worse *dns.Msg
	var errs []error
	for _, u := range upstreams {
		q := new(dns.Msg)
		q.Id, q.RecursionDesired, q.CheckingDisabled = dns.Id(), true, checkingDisabled
		q.Question = []dns.Question{question}
		if edns {
			q.SetEdns0(MaxUDP, do)
		}
		m, _, err := client.ExchangeContext(ctx, q, u.String())
		if err == nil && (!m.Response || len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, question.Name) || m.Question[0].Qtype != question.Qtype) {
			err = errMismatch
		}
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", u, err))
		case m.Rcode == dns.RcodeServerFailure || m.Rcode == dns.RcodeRefused || m.Rcode == dns.RcodeNotImplemented:
			worse = m
		default:
			return m, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	if worse != nil {
		return worse, nil
	}
	return nil, errors.Join(errs...)
}
