package master

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/universe-dcos/universe/runtime/api/native"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/store/bolt"
)

// benchMaster runs a master with its log on disk until the benchmark's end.
func benchMaster(b *testing.B) (*Master, context.Context) {
	b.Helper()
	log, err := bolt.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	m, err := New(b.Context(), Config{Store: log})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	return m, ctx
}

// benchAgents registers agents in the master's process that do at once what they
// are told.
func benchAgents(b *testing.B, ctx context.Context, m *Master, n int) {
	b.Helper()
	var group, opened sync.WaitGroup
	b.Cleanup(group.Wait)
	for from := range 256 { // one sync of the log is for as many
		opened.Go(func() {
			for i := from; i < n; i += 256 {
				info := cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%05d", i)), Hostname: fmt.Sprintf("a%05d.test", i), Host: "10.0.0.1",
					Total: cluster.Resources{CPU: 8000, Mem: 32 << 30, Disk: 100 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 32000})}}
				s := newSession(info.ID)
				if err := m.open(ctx, core.RegisterAgent{Agent: info, Boot: "b"}, s); err != nil {
					b.Error(err)
					return
				}
				group.Go(func() { obedient(ctx, m, s) })
			}
		})
	}
	opened.Wait()
}

// pool is what a framework of a benchmark knows: the offers it can use and the
// tasks that run.
type pool struct {
	mu      sync.Mutex
	offers  []cluster.Offer
	running map[cluster.TaskID]bool
	changed chan struct{} // has one element after a change
}

func (p *pool) handler() framework.Handler {
	change := func(f func()) error {
		p.mu.Lock()
		f()
		p.mu.Unlock()
		select {
		case p.changed <- struct{}{}:
		default:
		}
		return nil
	}
	return framework.Handler{
		Subscribed: func(context.Context, *framework.Driver) error { return change(func() {}) },
		Offers: func(_ context.Context, _ *framework.Driver, offers []cluster.Offer) error {
			return change(func() { p.offers = append(p.offers, offers...) })
		},
		Rescind: func(_ context.Context, _ *framework.Driver, ids []cluster.OfferID) error {
			return change(func() {
				p.offers = slices.DeleteFunc(p.offers, func(o cluster.Offer) bool { return slices.Contains(ids, o.ID) })
			})
		},
		Update: func(_ context.Context, _ *framework.Driver, st cluster.TaskStatus) error {
			return change(func() {
				if st.State == cluster.TaskRunning {
					p.running[st.Task] = true
				} else if st.State.Terminal() {
					delete(p.running, st.Task)
				}
			})
		},
	}
}

// wait waits until a function of the pool gives true.
func (p *pool) wait(ctx context.Context, good func() bool) {
	for {
		p.mu.Lock()
		ok := good()
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			return
		}
	}
}

// take gives up to n offers.
func (p *pool) take(ctx context.Context, n int) (out []cluster.Offer) {
	p.wait(ctx, func() bool {
		n = min(n, len(p.offers))
		out, p.offers = slices.Clone(p.offers[:n]), p.offers[n:]
		return n > 0
	})
	return out
}

// BenchmarkPlacementsHTTP launches tasks by a framework over HTTP, 300 or 1,200 a
// request, ten on an agent, on a master with its log on disk, until the framework
// heard that all of them run and acknowledged it. Growth is how many times more a
// placement costs with 10,000 agents than with 1,000.
func BenchmarkPlacementsHTTP(b *testing.B) {
	for _, c := range []struct {
		name  string
		batch int
	}{{"sched.placements_http", 300}, {"sched.placements_http_1200", 1200}} {
		rates := map[int]float64{}
		for _, agents := range []int{1000, 5000, 10_000} {
			b.Run(fmt.Sprintf("%d/%dk", c.batch, agents/1000), func(b *testing.B) {
				rates[agents] = placementsHTTP(b, agents, c.batch/perAgent)
				fmt.Fprintf(b.Output(), "figure %s.%dk %.0f /s\n", c.name, agents/1000, rates[agents])
				if agents == 10_000 && rates[1000] > 0 {
					fmt.Fprintf(b.Output(), "figure %s.growth %.2f x\n", c.name, rates[1000]/rates[agents])
				}
			})
		}
	}
}

// perAgent is how many tasks the framework of a benchmark puts on an agent.
const perAgent = 10

// placementsHTTP gives the placements per second, with requests for perRequest agents.
func placementsHTTP(b *testing.B, agents, perRequest int) float64 {
	const tasks = 3600
	m, ctx := benchMaster(b)
	benchAgents(b, ctx, m, agents)
	api := httptest.NewServer(native.New(native.Config{Cluster: m}))
	defer api.Close()
	transport, err := framework.HTTP(api.URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &pool{running: map[cluster.TaskID]bool{}, changed: make(chan struct{}, 1)}
	h := p.handler()
	var d *framework.Driver
	h.Subscribed = func(_ context.Context, driver *framework.Driver) error { d = driver; return nil }
	var group sync.WaitGroup
	group.Go(func() {
		if err := framework.Run(ctx, transport, cluster.Framework{Name: "bench"}, h, nil); err != nil {
			b.Error(err)
		}
	})
	defer group.Wait()
	defer cancel()
	p.wait(ctx, func() bool { return len(p.offers) >= agents }) // the first offers of all agents are no part of it
	n, placed := 0, 0
	for b.Loop() {
		launched := 0
		for launched < tasks {
			var calls []framework.Call
			for _, o := range p.take(ctx, min(perRequest, max(1, (tasks-launched)/perAgent))) {
				var specs []cluster.TaskSpec // none, and so a refusal, where what is left of an agent is too little
				need := toy("").Resources
				for left := o.Resources; len(specs) < perAgent && cluster.Fits(left, need) == nil; left = left.Minus(need) {
					n++
					specs = append(specs, toy(cluster.TaskID(fmt.Sprintf("bench.%08d", n))))
				}
				calls = append(calls, accept([]cluster.Offer{o}, specs...))
				if len(specs) == 0 {
					calls[len(calls)-1].Accept.RefuseFor = nil
				}
				launched += len(specs)
			}
			if err := d.Do(ctx, calls...); err != nil {
				b.Fatal(err)
			}
		}
		p.wait(ctx, func() bool { return len(p.running) >= launched })
		b.StopTimer()
		placed += launched
		benchKill(b, ctx, d, p)
		b.StartTimer()
	}
	rate := float64(placed) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "placements/s")
	return rate
}

// benchKill ends all tasks of a framework.
func benchKill(b *testing.B, ctx context.Context, d *framework.Driver, p *pool) {
	b.Helper()
	var calls []framework.Call
	p.wait(ctx, func() bool {
		for id := range p.running {
			calls = append(calls, framework.Call{Kill: &framework.Kill{Task: id}})
		}
		return true
	})
	for chunk := range slices.Chunk(calls, framework.MaxCalls) {
		if err := d.Do(ctx, chunk...); err != nil {
			b.Fatal(err)
		}
	}
	p.wait(ctx, func() bool { return len(p.running) == 0 })
}

// BenchmarkLogAppend appends a full batch of reports to the log on disk, as a
// round of the loop does.
func BenchmarkLogAppend(b *testing.B) {
	log, err := bolt.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	batch := make([][]byte, MaxBatch)
	for i := range batch {
		batch[i] = core.Encode(1, core.UpdateTask{Principal: "agent:a00001", Status: cluster.TaskStatus{
			Task: cluster.TaskID(fmt.Sprintf("bench.%08d", i)), Agent: "a00001", State: cluster.TaskRunning, UUID: newSessionID(), At: 1, Seq: 3, Ready: true}})
	}
	for b.Loop() {
		if _, err := log.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	ms := b.Elapsed().Seconds() / float64(b.N) * 1e3
	fmt.Fprintf(b.Output(), "figure log.append_batch.%d %.2f ms\n", MaxBatch, ms)
	fmt.Fprintf(b.Output(), "figure log.append %.0f /s\n", MaxBatch*1e3/ms)
}
