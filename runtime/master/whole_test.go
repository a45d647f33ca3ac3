package master

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/universe-dcos/universe/runtime/agent"
	"github.com/universe-dcos/universe/runtime/api/native"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
	"github.com/universe-dcos/universe/runtime/master/pki"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
	"github.com/universe-dcos/universe/runtime/store/bolt"
)

// whole is a cluster of real parts over mutual TLS, but for containers and
// their images: a master with its log on disk, and the agent.
type whole struct {
	t      *testing.T
	dir    string
	addr   string // of the master's listener for agents, the same after a restart
	ca     *pki.Authority
	cert   tls.Certificate
	master *Master
	client *client.Client
	stop   func()
}

func newWhole(t *testing.T) *whole {
	t.Helper()
	ca, err := pki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &whole{t: t, dir: t.TempDir(), addr: "127.0.0.1:0", ca: ca, cert: issue(t, ca.Master)}
	w.startMaster()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *whole) startMaster() {
	w.t.Helper()
	log, err := bolt.Open(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := New(w.t.Context(), Config{Store: log, AgentTLS: func(id cluster.AgentID) *tls.Config { return pki.MasterClient(w.cert, w.ca.Pool(), id) }})
	if err != nil {
		w.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr, w.master = ln.Addr().String(), m
	public, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	servers := []*http.Server{{Handler: m.Handler(), ErrorLog: quiet}, {Handler: native.New(native.Config{Cluster: m})}}
	var group sync.WaitGroup
	group.Go(func() {
		if err := m.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	group.Go(func() { _ = servers[0].Serve(tls.NewListener(ln, pki.MasterServer(w.cert, w.ca.Pool()))) })
	group.Go(func() { _ = servers[1].Serve(public) })
	hc := &http.Client{Transport: &http.Transport{}}
	if w.client, err = client.New("http://"+public.Addr().String(), hc); err != nil {
		w.t.Fatal(err)
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		hc.CloseIdleConnections()
		for _, s := range servers {
			_ = s.Close() // the listeners are ours
		}
		group.Wait()
		if err := log.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

// startAgent runs an agent over a runner until the end of the test.
func (w *whole) startAgent(id cluster.AgentID, r *fake.Runner) {
	w.t.Helper()
	cert := issue(w.t, func(hosts ...string) (pki.Pair, error) { return w.ca.Agent(id, hosts...) })
	a, err := agent.New(agent.Config{ID: id, Hostname: string(id), Host: "127.0.0.1", MasterURL: "https://" + w.addr,
		TLS: pki.AgentClient(cert, w.ca.Pool()), StateDir: w.t.TempDir(), Runner: r, ListenAddr: "127.0.0.1:0", BootID: "boot",
		Total: cluster.Resources{CPU: 4000, Mem: 4 << 30, Disk: 10 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31100})}})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("agent: %v", err)
		}
	})
}

func (w *whole) until(what string, good func(*core.View) bool) {
	w.t.Helper()
	ctx := testContext(w.t)
	for since := int64(0); !good(w.master.View()); {
		var err error
		if _, since, _, err = w.master.Events(ctx, since); err != nil {
			w.t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

func readyTasks(n int) func(*core.View) bool {
	return func(v *core.View) bool {
		ready := 0
		for t := range v.ServiceTasks("web") {
			if t.Active() && t.Status.Ready && !t.Killing {
				ready++
			}
		}
		return ready == n
	}
}

func TestWholeCluster(t *testing.T) {
	w := newWhole(t)
	containers := &fake.Runner{Script: func(s runner.Spec) fake.Behaviour {
		b := fake.Behaviour{Output: "I am " + s.Task.Name + " of run " + string(s.Task.Run) + "\n"}
		if s.Task.Run != "" {
			b.Exit = &runner.Exit{}
		}
		return b
	}}
	w.startAgent("a1", containers)
	ctx := testContext(t)
	if _, err := w.client.PutService(ctx, client.PutService{Spec: testSpec("web", 3)}); err != nil {
		t.Fatal(err)
	}
	w.until("3 ready tasks", readyTasks(3))

	// A container that dies is replaced, after its backoff.
	var victim cluster.TaskID
	for task := range w.master.View().ServiceTasks("web") {
		victim = task.Spec.ID
	}
	if err := containers.Signal(ctx, victim, int(syscall.SIGKILL), false); err != nil {
		t.Fatal(err)
	}
	w.until("the replacement", func(v *core.View) bool {
		return v.Task(victim).Status.State == cluster.TaskFailed && readyTasks(3)(v)
	})

	// An action runs to its end; its output comes by way of the master.
	spec := cluster.RunSpec{Service: "web", Name: "greet", Task: testSpec("web", 1).Pods[0].Tasks[0]}
	run, err := w.client.StartRun(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	w.until("the run's end", func(v *core.View) bool { return v.Run(run.Spec.ID).State.Final() })
	if run, err = w.client.Run(ctx, run.Spec.ID); err != nil || run.State != core.RunFinished {
		t.Fatalf("the run is %s (%s), %v", run.State, run.Message, err)
	}
	checkOutput(t, w.client, run)

	// A master that is restarted finds its tasks as they were.
	starts := containers.Starts()
	w.stop()
	w.startMaster()
	w.until("the agent's return", func(v *core.View) bool { return w.master.sessions.connected("a1") })
	if _, err := w.client.PutService(ctx, client.PutService{Spec: testSpec("web", 4)}); err != nil {
		t.Fatal(err)
	}
	w.until("a fourth ready task", readyTasks(4))
	if got := containers.Starts() - starts; got != 1 {
		t.Errorf("%d containers were started after the master's restart, want the new one", got)
	}

	if _, err := w.client.RemoveService(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	w.until("the service's end", func(v *core.View) bool { return v.Service("web") == nil })
}

func checkOutput(t *testing.T, c *client.Client, run job.Status) {
	t.Helper()
	log, err := c.TaskLog(testContext(t), run.Task, client.LogOptions{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	line, err := bufio.NewReader(log).ReadString('\n')
	if want := "of run " + string(run.Spec.ID); err != nil || !strings.Contains(line, want) {
		t.Errorf("the log is %q, %v; want %q in it", line, err, want)
	}
}
