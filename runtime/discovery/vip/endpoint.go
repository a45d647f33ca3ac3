package vip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// acceptPause is after an accept that failed for want of something.
const acceptPause = 50 * time.Millisecond

var errNoInstance = errors.New("no instance is ready")

// endpoint is one virtual address that is listened at.
type endpoint struct {
	name     string
	listener net.Listener
	pool     *pool
	gone     chan struct{} // closed when the endpoint is removed
	wait     sync.WaitGroup

	mu    sync.Mutex
	conns map[*carried]bool
	over  bool // cut was called
}

// carried is a connection with, once it is there, the one to the instance.
type carried struct{ client, server *net.TCPConn }

// accept takes connections until the listener is closed.
func (p *Proxy) accept(e *endpoint) {
	for {
		c, err := e.listener.Accept()
		if err != nil {
			select {
			case <-e.gone:
				return
			case <-time.After(acceptPause): // out of files, or the client left at once
				continue
			}
		}
		client, ok := c.(*net.TCPConn)
		if !ok {
			_ = c.Close()
			continue
		}
		select {
		case p.slots <- struct{}{}:
		default:
			p.Logger.Warn("a connection is refused: as many as can be are open", "endpoint", e.name, "limit", MaxConnections)
			reset(client)
			continue
		}
		e.wait.Go(func() {
			defer func() { <-p.slots }()
			p.carry(e, client)
		})
	}
}

// carry connects a client with an instance until both are done.
func (p *Proxy) carry(e *endpoint, client *net.TCPConn) {
	c := &carried{client: client}
	if !e.add(c) {
		reset(client)
		return
	}
	defer e.drop(c)
	server, member, err := p.connect(e)
	if err != nil {
		p.Logger.Debug("a connection finds no instance", "endpoint", e.name, "err", err)
		reset(client)
		return
	}
	defer e.pool.release(member)
	if !e.attach(c, server) {
		reset(client)
		reset(server)
		return
	}
	pipe(client, server)
}

// connect reaches one instance after the other until one takes the connection.
func (p *Proxy) connect(e *endpoint) (*net.TCPConn, *member, error) {
	deadline := time.NewTimer(WaitTime)
	defer deadline.Stop()
	tried := map[*member]bool{}
	var errs []error
	for len(errs) < MaxTries {
		m, changed := e.pool.take(time.Now(), tried)
		if m == nil {
			if len(errs) > 0 {
				break
			}
			select {
			case <-changed:
				continue
			case <-deadline.C:
			case <-e.gone:
			}
			return nil, nil, errNoInstance
		}
		ctx, cancel := context.WithTimeout(context.Background(), DialTimeout)
		server, err := p.Dial(ctx, m.addr)
		cancel()
		if err == nil {
			return server, m, nil
		}
		tried[m] = true
		e.pool.fail(m, time.Now().Add(PassOver))
		errs = append(errs, fmt.Errorf("%s: %w", m.instance, err))
	}
	return nil, nil, errors.Join(errs...)
}

// add notes a connection; it reports false when the endpoint is over.
func (e *endpoint) add(c *carried) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return false
	}
	e.conns[c] = true
	return true
}

func (e *endpoint) attach(c *carried, server *net.TCPConn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.server = server
	return !e.over
}

func (e *endpoint) drop(c *carried) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
}

// cut resets all connections.
func (e *endpoint) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	for c := range e.conns {
		reset(c.client)
		if c.server != nil {
			reset(c.server)
		}
	}
}

// pipe carries both directions. The end of one is handed on as an end of
// sending, and the other goes on; a failure of one ends both.
func pipe(a, b *net.TCPConn) {
	var failed sync.Once
	abort := func() { failed.Do(func() { reset(a); reset(b) }) }
	one := func(to, from *net.TCPConn) {
		// Both are TCP: the copy is a splice in the kernel.
		if _, err := io.Copy(to, from); err != nil || to.CloseWrite() != nil {
			abort()
		}
	}
	var other sync.WaitGroup
	other.Go(func() { one(a, b) })
	one(b, a)
	other.Wait()
	_ = a.Close()
	_ = b.Close()
}

// reset closes a connection so that its peer sees that it did not end well.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails on a closed one
	_ = c.Close()
}
