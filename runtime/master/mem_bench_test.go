package master

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/master/pki"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

// BenchmarkMemory measures what a master holds for its agents, with their
// sessions, and for tasks that run.
func BenchmarkMemory(b *testing.B) {
	const agents, tasks = 1000, 10_000
	for b.Loop() {
		m, ctx := benchMaster(b)
		before := heap()
		sessions := make([]*session, agents)
		for i := range sessions {
			id := cluster.AgentID(fmt.Sprintf("a%05d", i))
			sessions[i] = newSession(id)
			info := cluster.Agent{ID: id, Hostname: string(id) + ".test", Host: "10.0.0.1", URL: "https://10.0.0.1:5052",
				Attributes: map[string]string{"rack": fmt.Sprint("r", i%25)},
				Total:      cluster.Resources{CPU: 8000, Mem: 32 << 30, Disk: 100 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})}}
			if err := m.open(ctx, core.RegisterAgent{Agent: info, Boot: "b"}, sessions[i]); err != nil {
				b.Fatal(err)
			}
		}
		withAgents := heap()
		must(b, m, core.PutFramework{Framework: cluster.Framework{ID: "bench", Name: "bench", Roles: []cluster.Role{"*"}, FailoverTimeout: 3_600_000}})
		for i := range agents {
			cmd := core.AcceptOffers{Framework: "bench", Role: "*", Agent: cluster.AgentID(fmt.Sprintf("a%05d", i)), Offered: cluster.Resources{CPU: 8000, Mem: 32 << 30}}
			for j := range tasks / agents {
				spec := toy(cluster.TaskID(fmt.Sprintf("bench.%d.%d", i, j)))
				spec.Framework, spec.Role = "bench", "*"
				cmd.Tasks = append(cmd.Tasks, spec)
			}
			round := []core.Command{cmd}
			for _, t := range cmd.Tasks {
				round = append(round, core.UpdateTask{Status: cluster.TaskStatus{Task: t.ID, Agent: cmd.Agent, State: cluster.TaskRunning, UUID: newSessionID(), Ready: true}})
			}
			if refused, err := m.submitAll(ctx, round); err != nil || len(refused) > 0 {
				b.Fatal(refused, err)
			}
			sessions[i].take() // as an agent that reads its orders
		}
		withTasks := heap()
		fmt.Fprintf(b.Output(), "figure master.mem.1k_agents %.1f MB\nfigure master.mem.10k_tasks %.1f MB\n", mb(withAgents-before), mb(withTasks-withAgents))
		runtime.KeepAlive(sessions)
	}
}

// heap is how much memory is in use, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func mb(n int64) float64 { return float64(n) / 1e6 }

// BenchmarkSessionMemory measures what an open session costs a master: the
// connection, mutual TLS, the handler with its buffers and stacks, and what it
// knows of the agent. Of the agents' side only the socket is in this process.
func BenchmarkSessionMemory(b *testing.B) {
	const agents = 1000
	ca, err := pki.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m, err := New(b.Context(), Config{Store: mem.New()})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		server := httptest.NewUnstartedServer(m.Handler())
		server.TLS = pki.MasterServer(benchCert(b, ca.Master), ca.Pool())
		server.StartTLS()
		before := inUse()
		conns := make([]net.Conn, agents)
		for i := range conns {
			conns[i] = benchSession(b, ca, server.Listener.Addr().String(), cluster.AgentID(fmt.Sprintf("a%05d", i)))
		}
		fmt.Fprintf(b.Output(), "figure master.mem.http_session %.1f KB\n", float64(inUse()-before)/agents/1e3)
		for _, c := range conns {
			c.Close()
		}
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		server.Close()
	}
}

func benchCert(b *testing.B, issue func(...string) (pki.Pair, error)) tls.Certificate {
	b.Helper()
	pair, err := issue("127.0.0.1")
	if err != nil {
		b.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		b.Fatal(err)
	}
	return cert
}

// benchSession opens a session and gives its socket alone: what the agent knows
// of TLS is dropped, since nothing more is said.
func benchSession(b *testing.B, ca *pki.Authority, addr string, id cluster.AgentID) net.Conn {
	b.Helper()
	socket, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	conf := pki.AgentClient(benchCert(b, func(hosts ...string) (pki.Pair, error) { return ca.Agent(id, hosts...) }), ca.Pool()).Clone()
	conf.ServerName = "127.0.0.1"
	conn := tls.Client(socket, conf)
	hello, err := json.Marshal(cluster.Hello{Boot: "b", Agent: cluster.Agent{ID: id, Hostname: string(id) + ".test", Host: "10.0.0.1",
		Total: cluster.Resources{CPU: 8000, Mem: 32 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})}}})
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://"+addr+cluster.PathSession, bytes.NewReader(hello))
	if err != nil {
		b.Fatal(err)
	}
	if err := req.Write(conn); err != nil {
		b.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req) // its body lasts as long as the session
	if err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || !strings.Contains(line, string(cluster.OrderWelcome)) {
		b.Fatalf("the session begins with %q, %v", line, err)
	}
	return socket
}

// inUse is how much memory the heap and the stacks use, in bytes.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc + s.StackInuse)
}
