package vip

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/universe-dcos/universe/runtime/discovery"
)

// bench is a machine with a service and a virtual address that leads to it.
func bench(b *testing.B, serve func(net.Conn)) (m *machine, direct, vip netip.AddrPort) {
	m = newMachine(b)
	room := m.room(b, discovery.DefaultRange)
	l := m.listen(b, "127.0.0.1:0")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	b.Cleanup(func() { l.Close(); <-done })
	direct, vip = netip.MustParseAddrPort(l.Addr().String()), netip.MustParseAddrPort("198.18.9.9:80")
	board := new(discovery.Board)
	board.Set(zoneOf(b, 1, []string{vip.String()}, &backend{addr: direct}))
	run(b, &Proxy{Range: discovery.DefaultRange, Listen: room.Listen, Dial: m.dial}, board)
	return m, direct, vip
}

// BenchmarkThroughput is one connection that sends as fast as it can, direct
// and by the virtual address in turns.
func BenchmarkThroughput(b *testing.B) {
	const chunk, size = 256 << 10, 64 << 20
	m, direct, vip := bench(b, func(c net.Conn) {
		_, _ = io.Copy(io.Discard, c)
		_, _ = c.Write([]byte{1}) // all of it has come
	})
	buf := make([]byte, chunk)
	send := func(addr netip.AddrPort) time.Duration {
		c, err := m.dial(context.Background(), addr)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		from := time.Now()
		for range size / chunk {
			if _, err := c.Write(buf); err != nil {
				b.Fatal(err)
			}
		}
		if err := c.CloseWrite(); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf[:1]); err != nil {
			b.Fatal(err)
		}
		return time.Since(from)
	}
	var plain, carried time.Duration
	b.SetBytes(2 * size)
	for b.Loop() {
		plain += send(direct)
		carried += send(vip)
	}
	ratio := plain.Seconds() / carried.Seconds()
	b.ReportMetric(ratio, "ratio")
	fmt.Fprintf(b.Output(), "figure vip.throughput_ratio %.2f x\n", ratio)
}

// BenchmarkLatency is a question of 100 bytes and its answer on a connection
// that is open.
func BenchmarkLatency(b *testing.B) {
	m, direct, vip := bench(b, func(c net.Conn) { _, _ = io.Copy(c, c) })
	buf := make([]byte, 100)
	turn := func(c net.Conn) {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
	p99 := func(took []time.Duration) float64 {
		slices.Sort(took)
		return took[len(took)*99/100].Seconds() * 1000
	}
	open := func(addr netip.AddrPort) net.Conn {
		c, err := m.dial(context.Background(), addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		return c
	}
	one, other := open(direct), open(vip)
	var plain, carried []time.Duration
	for b.Loop() {
		from := time.Now()
		turn(one)
		middle := time.Now()
		turn(other)
		plain, carried = append(plain, middle.Sub(from)), append(carried, time.Since(middle))
	}
	added := p99(carried) - p99(plain)
	b.ReportMetric(added, "added-p99-ms")
	fmt.Fprintf(b.Output(), "figure vip.latency_added.p99 %.3f ms\n", added)
}
