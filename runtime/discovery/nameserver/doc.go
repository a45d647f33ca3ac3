// Package nameserver answers DNS for the zone names.Domain out of the latest
// discovery.Zone, and forwards all other questions to the machine's resolvers,
// so that a container needs no other name server.
//
//	s := nameserver.Server{Zone: board.Zone, Upstreams: nameserver.ResolvConf(nameserver.ResolvFile)}
//	err := s.Serve(ctx, []net.PacketConn{udp}, []net.Listener{tcp})
//
// In the zone it is authoritative: a name that is not there is NXDOMAIN, one
// that has no record of the type asked for is NODATA, both with the SOA, so
// that nobody keeps them for longer than NegativeTTL. A question is answered
// out of one zone as a whole. Types ANY, AXFR and IXFR are refused.
//
// Everything a stranger can make it hold is bounded: connections, questions on
// their way to a resolver, the size of messages, the time of each. Questions
// that are the same are forwarded once; two name servers that forward to each
// other by mistake wait for each other until a time-out, and do no more.
package nameserver
