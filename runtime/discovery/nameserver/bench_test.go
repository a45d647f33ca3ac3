package nameserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/discovery"
)

const benchServices, benchInstances = 1000, 10

// benchCluster is 10,000 ready tasks of 1,000 services.
func benchCluster(b *testing.B) (*core.State, []*cluster.Task) {
	state := core.New()
	state.Apply(0, core.PutFramework{Framework: cluster.Framework{ID: "f", Roles: []cluster.Role{"*"}}})
	total := cluster.Resources{CPU: 1_000_000, Mem: 1 << 40, Ports: cluster.NewPorts(cluster.PortRange{Lo: 1, Hi: 65535})}
	for i := range benchInstances {
		state.Apply(0, core.RegisterAgent{Boot: "b", Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%d", i)), Host: fmt.Sprintf("10.0.0.%d", 1+i), Total: total}})
	}
	container := cluster.Container{Image: "i@sha256:0", Command: []string{"run"}}
	small := cluster.Resources{CPU: 1, Mem: 1 << 20}
	for i := range benchServices {
		id := cluster.ServiceID(fmt.Sprintf("s%d", i))
		state.Apply(0, core.PutService{Spec: cluster.ServiceSpec{ID: id,
			Pods: []cluster.PodSpec{{Name: "p", Count: benchInstances, Tasks: []cluster.TaskTemplate{{Name: "t", Goal: cluster.GoalRunning,
				Container: container, Resources: small, Ports: []cluster.PortSpec{{Name: "http"}}}}}},
			Endpoints: []cluster.Endpoint{{Name: "http", Pod: "p", Task: "t", Port: "http"}}}})
	}
	for n := range benchInstances {
		agent := cluster.AgentID(fmt.Sprintf("a%d", n))
		for i := range benchServices {
			port := uint16(10_000 + i)
			r := small
			r.Ports = cluster.Port(port)
			state.Apply(0, core.AcceptOffers{Framework: "f", Role: "*", Agent: agent, Offered: state.View().Agent(agent).Free(), Tasks: []cluster.TaskSpec{{
				ID: cluster.TaskID(fmt.Sprintf("s%d.p-%d.t.1", i, n)), Framework: "f", Role: "*", Service: cluster.ServiceID(fmt.Sprintf("s%d", i)), Pod: "p",
				Index: n, Task: "t", Goal: cluster.GoalRunning, Container: container, Resources: r, Ports: map[string]uint16{"http": port}}}})
		}
	}
	var tasks []*cluster.Task
	for t := range state.View().Tasks() {
		if t.Active() {
			tasks = append(tasks, t)
			benchReport(state, t, 1, true)
		}
	}
	if len(tasks) != benchServices*benchInstances {
		b.Fatalf("%d tasks", len(tasks))
	}
	return state, tasks
}

func benchReport(state *core.State, t *cluster.Task, seq int64, ready bool) {
	state.Apply(0, core.UpdateTask{Status: cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: cluster.TaskRunning, Ready: ready,
		UUID: fmt.Sprintf("%s-%d", t.Spec.ID, seq), Seq: seq}})
}

// BenchmarkServer is questions over UDP on loopback to a zone of 10,000 tasks,
// of eight who ask and share the machine with the server.
func BenchmarkServer(b *testing.B) {
	const askers, each = 8, 500
	state, _ := benchCluster(b)
	z := discovery.Build(state.View(), discovery.Config{})
	addr := start(b, &Server{Zone: func() *discovery.Zone { return z }})
	var questions [][]byte
	for i := range benchServices {
		q, err := new(dns.Msg).SetQuestion(fmt.Sprintf("p-%d-t.s%d.universe.", i%benchInstances, i), dns.TypeA).Pack()
		if err != nil {
			b.Fatal(err)
		}
		questions = append(questions, q)
	}
	var conns []net.Conn
	for range askers {
		c, err := net.Dial("udp", addr)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	n := 0
	for b.Loop() {
		var wait sync.WaitGroup
		for i, c := range conns {
			wait.Go(func() {
				buf := make([]byte, dns.MinMsgSize)
				for k := range each {
					// A datagram that is lost must not stop the count.
					_ = c.SetReadDeadline(time.Now().Add(time.Second))
					_, err := c.Write(questions[(i*each+k)%len(questions)])
					if err == nil {
						_, err = c.Read(buf)
					}
					if err != nil || buf[7] != 1 { // one answer
						b.Errorf("question %d: %v, answers %d", k, err, buf[7])
						return
					}
				}
			})
		}
		wait.Wait()
		n += askers * each
	}
	rate := float64(n) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "queries/s")
	fmt.Fprintf(b.Output(), "figure dns.qps %.0f /s\n", rate)
}

// chain is a master that keeps a board and an agent that follows it. A message
// to wake makes the master look at the view.
func chain(b *testing.B, view func() *core.View) (wake chan<- struct{}, down *discovery.Board) {
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan struct{}, 1)
	up, down := new(discovery.Board), new(discovery.Board)
	done := make(chan error, 2)
	go func() {
		done <- discovery.Keep(ctx, up, discovery.NewBuilder(discovery.Config{}), view, func(ctx context.Context) error {
			select {
			case <-events:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	master := httptest.NewServer(discovery.Handler(up.Zone, up.Changed))
	u, err := url.Parse(master.URL)
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	go func() { done <- discovery.Follow(ctx, discovery.Following{Master: u, Client: client, Board: down}) }()
	b.Cleanup(func() {
		cancel()
		<-done
		<-done
		client.CloseIdleConnections()
		master.Close()
	})
	return events, down
}

// BenchmarkStale is the time from a change of the master's view to the first
// answer by an agent's name server that knows of it: over the building, the
// long poll and the question.
func BenchmarkStale(b *testing.B) {
	state, tasks := benchCluster(b)
	var view atomic.Pointer[core.View]
	view.Store(state.View())
	wake, down := chain(b, view.Load)
	c, err := dns.Dial("udp", start(b, &Server{Zone: down.Zone}))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	answers := func(name string) int {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		m, _, err := new(dns.Client).ExchangeWithConn(new(dns.Msg).SetQuestion(name, dns.TypeA), c)
		if err != nil {
			b.Fatal(err)
		}
		return len(m.Answer)
	}
	for answers("s1.universe.") != benchInstances {
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		t := tasks[i%len(tasks)]
		name := string(t.Spec.Service) + ".universe."
		benchReport(state, t, int64(i+2), false)
		want := benchInstances
		for x := range state.View().ServiceTasks(t.Spec.Service) {
			if !x.Status.Ready {
				want--
			}
		}
		v := state.View()
		from := time.Now()
		view.Store(v)
		wake <- struct{}{}
		for answers(name) != want {
		}
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	b.ReportMetric(p99.Seconds()*1000, "p99-ms")
	fmt.Fprintf(b.Output(), "figure dns.stale.p99 %.1f ms\n", p99.Seconds()*1000)
}
