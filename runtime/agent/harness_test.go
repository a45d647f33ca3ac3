package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func TestMain(m *testing.M) {
	if os.Getenv(envBenchAgent) != "" {
		benchAgent()
		return
	}
	goleak.VerifyTestMain(m)
}

// pipes is a network of in-memory connections: what waits on them waits
// durably, so that synctest can move time. Unlike net.Pipe's, a server is found
// by its address.
type pipes struct {
	mu    sync.Mutex
	ports map[string]*pipeListener
}

func (p *pipes) listen(address string) *pipeListener {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ports == nil {
		p.ports = map[string]*pipeListener{}
	}
	l := &pipeListener{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
	p.ports[address] = l
	return l
}

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	l := p.ports[address]
	p.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, fmt.Errorf("dial %s: connection refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeListener struct {
	address string
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr(l.address) }

type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

// fakeMaster speaks the master's half of the protocol and keeps what it hears.
type fakeMaster struct {
	t       testing.TB
	server  *http.Server
	hellos  chan cluster.Hello
	updates chan cluster.TaskStatus

	mu       sync.Mutex
	noAck    bool // take reports but do not acknowledge them
	refuse   int  // answer so many requests with 503
	beats    int
	session  string
	sessions int
	orders   chan cluster.Order
	drop     chan struct{} // closed to end the stream
}

const masterAddress = "master:5050"

func newMaster(t testing.TB, ln net.Listener) *fakeMaster {
	t.Helper()
	m := &fakeMaster{t: t, hellos: make(chan cluster.Hello, 64), updates: make(chan cluster.TaskStatus, 1024)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+cluster.PathSession, m.serveSession)
	mux.HandleFunc("POST "+cluster.PathUpdates, m.serveUpdates)
	mux.HandleFunc("POST "+cluster.PathHeartbeat, m.serveHeartbeat)
	m.server = &http.Server{Handler: mux}
	go func() {
		if err := m.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("fake master: %v", err)
		}
	}()
	t.Cleanup(func() { _ = m.server.Close() })
	return m
}

// refused counts down the requests to be refused.
func (m *fakeMaster) refused(w http.ResponseWriter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse == 0 {
		return false
	}
	m.refuse--
	http.Error(w, "try later", http.StatusServiceUnavailable)
	return true
}

func (m *fakeMaster) serveSession(w http.ResponseWriter, r *http.Request) {
	var hello cluster.Hello
	if err := json.NewDecoder(r.Body).Decode(&hello); err != nil {
		m.t.Errorf("hello: %v", err)
		return
	}
	if m.refused(w) {
		return
	}
	m.mu.Lock()
	m.sessions++
	m.session = fmt.Sprintf("s%d", m.sessions)
	orders, drop := make(chan cluster.Order, 64), make(chan struct{})
	m.orders, m.drop = orders, drop
	orders <- cluster.Order{Kind: cluster.OrderWelcome, Session: m.session}
	m.mu.Unlock()
	m.hellos <- hello
	ping := time.NewTicker(millis(cluster.HeartbeatEvery))
	defer ping.Stop()
	enc, ctl := json.NewEncoder(w), http.NewResponseController(w)
	for {
		var o cluster.Order
		select {
		case o = <-orders:
		case <-ping.C:
			o = cluster.Order{Kind: cluster.OrderPing}
		case <-drop:
			return
		case <-r.Context().Done():
			return
		}
		if enc.Encode(o) != nil || ctl.Flush() != nil {
			return
		}
	}
}

func (m *fakeMaster) stale(w http.ResponseWriter, session string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if session == m.session {
		return false
	}
	w.WriteHeader(http.StatusGone)
	return true
}

func (m *fakeMaster) serveUpdates(w http.ResponseWriter, r *http.Request) {
	var u cluster.Updates
	if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
		m.t.Errorf("updates: %v", err)
		return
	}
	if m.refused(w) || m.stale(w, u.Session) {
		return
	}
	for _, s := range u.Statuses {
		m.updates <- s
		m.mu.Lock()
		ack := !m.noAck
		m.mu.Unlock()
		if ack {
			m.order(cluster.Order{Kind: cluster.OrderAck, Task: s.Task, UUID: s.UUID})
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (m *fakeMaster) serveHeartbeat(w http.ResponseWriter, r *http.Request) {
	var b cluster.Heartbeat
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		m.t.Errorf("heartbeat: %v", err)
		return
	}
	if m.stale(w, b.Session) {
		return
	}
	m.mu.Lock()
	m.beats++
	m.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (m *fakeMaster) order(o cluster.Order) {
	m.mu.Lock()
	ch := m.orders
	m.mu.Unlock()
	ch <- o
}

// lose ends the current stream, as a broken connection does.
func (m *fakeMaster) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.drop)
}

// setRefuse has the next requests answered with 503.
func (m *fakeMaster) setRefuse(requests int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = requests
}

func (m *fakeMaster) setAck(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noAck = !on
}

// next gives the next report, however long it takes in virtual time.
func (m *fakeMaster) next() cluster.TaskStatus {
	m.t.Helper()
	select {
	case s := <-m.updates:
		return s
	case <-time.After(24 * time.Hour):
		m.t.Fatal("no report within a day")
		return cluster.TaskStatus{}
	}
}

// until reads reports until one is in a state, and gives it.
func (m *fakeMaster) until(state cluster.TaskState) cluster.TaskStatus {
	m.t.Helper()
	for {
		s := m.next()
		if s.State == state {
			return s
		}
		if s.State.Terminal() {
			m.t.Fatalf("task ended: got %s (%s: %s), want %s", s.State, s.Reason, s.Message, state)
		}
	}
}

// node is an agent under test with its world; it can die and come back.
type node struct {
	t       *testing.T
	network *pipes
	master  *fakeMaster
	runner  *fake.Runner
	config  Config
	stop    context.CancelFunc
	done    chan error
	agent   *Agent
}

func newNode(t *testing.T, script *fake.Runner, change ...func(*Config)) *node {
	t.Helper()
	n := &node{t: t, network: &pipes{}, runner: script}
	n.master = newMaster(t, n.network.listen(masterAddress))
	n.config = Config{
		ID: "a1", Hostname: "node-1", Host: "10.0.0.1", MasterURL: "http://" + masterAddress,
		StateDir: t.TempDir(), Runner: script, BootID: "boot-1", Dial: n.network.dial,
		Total: cluster.Resources{CPU: 4000, Mem: 8 << 30, Disk: 1 << 40, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})},
	}
	if testing.Verbose() {
		n.config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	for _, c := range change {
		c(&n.config)
	}
	t.Cleanup(n.kill)
	n.start()
	return n
}

// start begins a life of the agent and waits for its Hello.
func (n *node) start() cluster.Hello {
	n.t.Helper()
	a, err := New(n.config)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.agent, n.stop, n.done = a, cancel, make(chan error, 1)
	done := n.done
	go func() { done <- a.Run(ctx) }()
	return <-n.master.hellos
}

// kill ends the agent's life; what it holds runs on.
func (n *node) kill() {
	if n.stop == nil {
		return
	}
	n.stop()
	n.stop = nil
	if err := <-n.done; err != nil {
		n.t.Errorf("Run: %v", err)
	}
}

func (n *node) launch(spec cluster.TaskSpec) {
	n.master.order(cluster.Order{Kind: cluster.OrderLaunch, Spec: &spec})
}

func testTask(id cluster.TaskID) cluster.TaskSpec {
	return cluster.TaskSpec{
		ID: id, Name: string(id), Task: "t", Goal: cluster.GoalRunning,
		Container: cluster.Container{Image: "registry.test/x@sha256:" + fmt.Sprintf("%064d", 0), Command: []string{"x"}},
		Resources: cluster.Resources{CPU: 1000, Mem: 1 << 30},
	}
}
