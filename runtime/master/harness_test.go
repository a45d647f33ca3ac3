package master

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/runtime/api/native"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/store"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testWait bounds every wait of these tests: a failure must end, not hang.
const testWait = 20 * time.Second

// rig is a master with its listeners, as a composition root makes it.
type rig struct {
	t      *testing.T
	log    store.Log
	master *Master
	agents *httptest.Server
	api    *httptest.Server
	client *client.Client
	stop   func()
}

// start runs a master over a log. It is stopped at the end of the test at the latest.
func start(t *testing.T, log store.Log, change func(*Config)) *rig {
	t.Helper()
	cfg := Config{Store: log, TrustHello: true}
	if change != nil {
		change(&cfg)
	}
	m, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, log: log, master: m, agents: httptest.NewServer(m.Handler())}
	r.api = httptest.NewServer(native.New(native.Config{Cluster: m}))
	if r.client, err = client.New(r.api.URL, r.api.Client()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.api.Close()
		r.agents.Close()
	})
	t.Cleanup(r.stop)
	return r
}

// ctx is a context that ends with the test's patience.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	t.Cleanup(cancel)
	return ctx
}

// until waits, woken by the master's events, for a condition on the master.
func (r *rig) until(what string, good func() bool) {
	r.t.Helper()
	ctx := testContext(r.t)
	since := int64(0)
	for !good() {
		var err error
		if _, since, _, err = r.master.Events(ctx, since); err != nil {
			r.t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// running counts the tasks of a service that run and are ready.
func (r *rig) running(service cluster.ServiceID) int {
	n := 0
	for task := range r.master.View().ServiceTasks(service) {
		if task.Status.State == cluster.TaskRunning && task.Status.Ready {
			n++
		}
	}
	return n
}

// fakeAgent speaks the protocol as an agent does and keeps tasks in a map.
type fakeAgent struct {
	t      *testing.T
	info   cluster.Agent
	http   *http.Client
	silent bool // does not report what it does
	finish bool // its tasks of runs end with 0 at once
	life   string
	tries  int64 // the Attempt of its latest Hello, when it has a life
	disk   []cluster.VolumeName

	mu       sync.Mutex
	base     string
	session  string
	tasks    map[cluster.TaskID]*cluster.TaskReport
	launches int
	runs     int // of the launches, those of runs
	kills    int
	acks     map[string]bool
	orders   chan cluster.Order // each after it is done
}

func newFakeAgent(t *testing.T, id cluster.AgentID) *fakeAgent {
	return &fakeAgent{
		t: t, http: http.DefaultClient, tasks: map[cluster.TaskID]*cluster.TaskReport{}, acks: map[string]bool{},
		orders: make(chan cluster.Order, 1024),
		info: cluster.Agent{ID: id, Hostname: string(id) + ".test", Host: "10.0.0." + string(id[1:]), Total: cluster.Resources{
			CPU: 4000, Mem: 8 << 30, Disk: 100 << 30, Ports: cluster.NewPorts(cluster.PortRange{Lo: 8080, Hi: 8080}, cluster.PortRange{Lo: 31000, Hi: 31100})}},
	}
}

// connect opens a session and serves it until ctx ends or the stream does. It
// returns once the session is welcome; ended is closed after the stream's end.
func (a *fakeAgent) connect(ctx context.Context, base string) (ended <-chan struct{}, err error) {
	a.mu.Lock()
	a.base = base
	hello := cluster.Hello{Agent: a.info, Boot: "boot-1", Life: a.life, Attempt: a.tries, Volumes: a.disk}
	for _, r := range a.tasks {
		hello.Tasks = append(hello.Tasks, *r)
	}
	a.mu.Unlock()
	resp, err := a.post(ctx, cluster.PathSession, hello)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("session: %s: %s", resp.Status, text)
	}
	dec := json.NewDecoder(resp.Body)
	var welcome cluster.Order
	if err := dec.Decode(&welcome); err != nil || welcome.Kind != cluster.OrderWelcome {
		resp.Body.Close()
		return nil, fmt.Errorf("first order is %+v, %v", welcome, err)
	}
	a.mu.Lock()
	a.session = welcome.Session
	a.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer resp.Body.Close()
		for {
			var o cluster.Order
			if dec.Decode(&o) != nil {
				return
			}
			a.obey(ctx, o)
			select {
			case a.orders <- o:
			default:
			}
		}
	}()
	return done, nil
}

// mustConnect connects for the rest of the test, and waits for the end of it.
func (a *fakeAgent) mustConnect(base string) (disconnect func()) {
	a.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, err := a.connect(ctx, base)
	if err != nil {
		cancel()
		a.t.Fatal(err)
	}
	disconnect = sync.OnceFunc(func() { cancel(); <-ended })
	a.t.Cleanup(disconnect)
	return disconnect
}

func (a *fakeAgent) post(ctx context.Context, path string, body any) (*http.Response, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	base := a.base
	a.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return a.http.Do(req)
}

// obey does what an order says, at once.
func (a *fakeAgent) obey(ctx context.Context, o cluster.Order) {
	switch o.Kind {
	case cluster.OrderLaunch:
		a.mu.Lock()
		_, held := a.tasks[o.Spec.ID]
		if !held {
			a.launches++
			if o.Spec.Run != "" {
				a.runs++
			}
			a.tasks[o.Spec.ID] = &cluster.TaskReport{Spec: *o.Spec}
		}
		a.mu.Unlock()
		switch {
		case held:
		case a.finish && o.Spec.Run != "":
			a.report(ctx, o.Spec.ID, cluster.TaskStatus{State: cluster.TaskFinished})
		default:
			a.report(ctx, o.Spec.ID, cluster.TaskStatus{State: cluster.TaskRunning, Ready: true})
		}
	case cluster.OrderKill:
		a.mu.Lock()
		a.kills++
		a.mu.Unlock()
		a.report(ctx, o.Task, cluster.TaskStatus{State: cluster.TaskKilled})
	case cluster.OrderAck:
		a.mu.Lock()
		a.acks[o.UUID] = true
		if r := a.tasks[o.Task]; r != nil && r.Status.UUID == o.UUID && r.Status.State.Terminal() {
			delete(a.tasks, o.Task)
		}
		a.mu.Unlock()
	}
}

// report sets a task's status and tells the master, unless the agent is silent.
func (a *fakeAgent) report(ctx context.Context, id cluster.TaskID, st cluster.TaskStatus) {
	a.mu.Lock()
	st.Task, st.Agent, st.UUID = id, a.info.ID, fmt.Sprintf("%s-%s", id, st.State)
	if r := a.tasks[id]; r != nil {
		r.Status = st
	}
	session, silent := a.session, a.silent
	a.mu.Unlock()
	if silent {
		return
	}
	resp, err := a.post(ctx, cluster.PathUpdates, cluster.Updates{Session: session, Statuses: []cluster.TaskStatus{st}})
	if err != nil {
		return // the session ended; the next one says it
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusGone && ctx.Err() == nil {
		a.t.Errorf("updates of %s: %s", id, resp.Status)
	}
}

func (a *fakeAgent) count() (tasks, launches, kills int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.tasks), a.launches, a.kills
}

// testSpec is a service with one pod of n instances, each with a task of 500
// milli-CPU and a dynamic port.
func testSpec(id cluster.ServiceID, n int) cluster.ServiceSpec {
	return cluster.ServiceSpec{ID: id, Pods: []cluster.PodSpec{{Name: "web", Count: n, Tasks: []cluster.TaskTemplate{{
		Name: "server", Goal: cluster.GoalRunning,
		Container: cluster.Container{Image: "registry.test/web@sha256:" + "0000000000000000000000000000000000000000000000000000000000000000", Command: []string{"serve", "${self.ports.http}"}},
		Resources: cluster.Resources{CPU: 500, Mem: 256 << 20}, Ports: []cluster.PortSpec{{Name: "http"}},
	}}}}}
}

func memLog() *mem.Log { return mem.New() }
