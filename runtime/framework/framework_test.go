package framework_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/agent"
	"github.com/universe-dcos/universe/runtime/api/native"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/framework"
	"github.com/universe-dcos/universe/runtime/master"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
	"github.com/universe-dcos/universe/runtime/store/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testWait bounds a test: a failure must end, not hang.
const testWait = 20 * time.Second

// farm is the example: a framework that runs so many tasks to their end, each
// again until it ended well.
type farm struct {
	open     []string // what waits for an offer
	finished map[string]bool
	tries    int
}

func newFarm(n int) *farm {
	f := &farm{finished: map[string]bool{}}
	for i := range n {
		f.open = append(f.open, fmt.Sprintf("job-%d", i))
	}
	return f
}

func (f *farm) handler(want int) framework.Handler {
	return framework.Handler{
		Subscribed: func(ctx context.Context, d *framework.Driver) error { return d.Reconcile(ctx) },
		Offers:     f.offers,
		Update: func(ctx context.Context, d *framework.Driver, st cluster.TaskStatus) error {
			name, _, _ := strings.Cut(string(st.Task), ".")
			switch {
			case st.State == cluster.TaskFinished:
				f.finished[name] = true
			case st.State.Terminal() && !f.finished[name]:
				f.open = append(f.open, name)
				return d.Revive(ctx)
			}
			if len(f.finished) == want {
				return d.Teardown(ctx)
			}
			return nil
		},
	}
}

// offers takes as much of each offer as it has use for.
func (f *farm) offers(ctx context.Context, d *framework.Driver, offers []cluster.Offer) error {
	need := cluster.Resources{CPU: 500, Mem: 64 << 20}
	for _, o := range offers {
		var tasks []cluster.TaskSpec
		for left := o.Resources; len(f.open) > 0 && cluster.Fits(left, need) == nil; left = left.Minus(need) {
			f.tries++
			tasks = append(tasks, cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("%s.%d", f.open[0], f.tries)), Name: f.open[0], Task: "job",
				Goal: cluster.GoalFinish, Resources: need,
				Container: cluster.Container{Image: "registry.test/job@sha256:" + strings.Repeat("0", 64), Command: []string{f.open[0]}}})
			f.open = f.open[1:]
		}
		if err := d.Accept(ctx, []cluster.OfferID{o.ID}, tasks...); err != nil {
			return err
		}
	}
	return nil
}

// world is a master with its API and an agent of four fake cores.
func world(t *testing.T, script func(runner.Spec) fake.Behaviour) (*master.Master, *httptest.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m, err := master.New(ctx, master.Config{Store: mem.New(), TrustHello: true})
	if err != nil {
		t.Fatal(err)
	}
	agents, api := httptest.NewServer(m.Handler()), httptest.NewServer(native.New(native.Config{Cluster: m}))
	a, err := agent.New(agent.Config{ID: "a1", Hostname: "a1.test", Host: "127.0.0.1", MasterURL: agents.URL, StateDir: t.TempDir(),
		Runner: &fake.Runner{Script: script}, Total: cluster.Resources{CPU: 4000, Mem: 4 << 30, Disk: 10 << 30}})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, run := range []func(context.Context) error{m.Run, a.Run} {
		group.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		api.CloseClientConnections()
		agents.CloseClientConnections()
		group.Wait()
		api.Close()
		agents.Close()
	})
	return m, api
}

// TestFarm runs the example framework in the master's process and over HTTP; every third
// task fails the first time.
func TestFarm(t *testing.T) {
	for _, where := range []string{"in process", "http"} {
		t.Run(where, func(t *testing.T) {
			const jobs = 30
			m, api := world(t, func(s runner.Spec) fake.Behaviour {
				_, try, _ := strings.Cut(string(s.Task.ID), ".")
				if n, _ := strconv.Atoi(try); n <= jobs && n%3 == 0 {
					return fake.Behaviour{Exit: &runner.Exit{Code: 1}}
				}
				return fake.Behaviour{Exit: &runner.Exit{}}
			})
			transport := m.Frameworks("farmer")
			if where == "http" {
				var err error
				if transport, err = framework.HTTP(api.URL, api.Client()); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), testWait)
			defer cancel()
			f := newFarm(jobs)
			if err := framework.Run(ctx, transport, cluster.Framework{Name: "farm"}, f.handler(jobs), nil); err != nil {
				t.Fatal(err)
			}
			if len(f.finished) != jobs || f.tries != jobs+jobs/3 {
				t.Fatalf("%d jobs finished after %d tries", len(f.finished), f.tries)
			}
			for task := range m.View().Tasks() {
				if task.Active() {
					t.Errorf("task %s is active after the end", task.Spec.ID)
				}
			}
		})
	}
}

// TestRun_opensAnotherSession cuts the connection: the framework comes back
// under its id and hears the end of what it launched before.
func TestRun_opensAnotherSession(t *testing.T) {
	m, api := world(t, func(runner.Spec) fake.Behaviour { return fake.Behaviour{TERM: &runner.Exit{}} })
	transport, err := framework.HTTP(api.URL, api.Client())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	f := newFarm(1)
	h := f.handler(1)
	sessions := 0
	ids := map[cluster.FrameworkID]bool{}
	h.Subscribed = func(ctx context.Context, d *framework.Driver) error {
		sessions++
		ids[d.ID()] = true
		if sessions == 2 {
			for task := range m.View().Tasks() {
				return d.Kill(ctx, task.Spec.ID, 0)
			}
		}
		return nil
	}
	update := h.Update
	h.Update = func(ctx context.Context, d *framework.Driver, st cluster.TaskStatus) error {
		switch {
		case st.State == cluster.TaskRunning && sessions == 1:
			api.CloseClientConnections()
		case st.State == cluster.TaskKilled:
			f.finished["job-0"] = true
		}
		return update(ctx, d, st)
	}
	info := cluster.Framework{Name: "farm", FailoverTimeout: 60_000}
	if err := framework.Run(ctx, transport, info, h, nil); err != nil {
		t.Fatal(err)
	}
	if sessions < 2 || len(ids) != 1 || !f.finished["job-0"] {
		t.Errorf("%d sessions of frameworks %v, finished %v", sessions, ids, f.finished)
	}
}

func TestRun_endsForGood(t *testing.T) {
	m, _ := world(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	if err := framework.Run(ctx, m.Frameworks("x"), cluster.Framework{Name: "x", ID: "gone"}, framework.Handler{}, nil); !problem.Is(err, problem.NotFound) {
		t.Errorf("an id that is not there: %v", err)
	}
	broken := errors.New("broken")
	h := framework.Handler{Subscribed: func(context.Context, *framework.Driver) error { return broken }}
	if err := framework.Run(ctx, m.Frameworks("x"), cluster.Framework{Name: "x"}, h, nil); !errors.Is(err, broken) {
		t.Errorf("a handler that fails: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("it took too long")
	}
}

// TestHTTP_badInput sends what no client of ours would.
func TestHTTP_badInput(t *testing.T) {
	m, api := world(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	stream, err := m.Frameworks("anonymous").Open(ctx, framework.Subscribe{Framework: cluster.Framework{Name: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	first, err := stream.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	calls := "/v1/frameworks/" + string(first.Subscribed.Framework) + "/calls"
	in := func(call string) string {
		return `{"session":"` + first.Subscribed.Session + `","calls":[` + call + `]}`
	}
	task := func(resources string) string {
		return in(`{"accept":{"offers":["o"],"tasks":[{"id":"t","name":"t","task":"t","goal":"ONCE","index":0,"container":{"image":"i"},"framework":"","role":"","resources":` + resources + `}]}}`)
	}
	for _, c := range []struct {
		name, path, body string
		status           int
	}{
		{"NaN", calls, task(`{"cpu_milli":NaN}`), 400},
		{"a huge number", calls, task(`{"cpu_milli":1e999}`), 400},
		{"beyond an int64", calls, task(`{"mem_bytes":9223372036854775808}`), 400},
		{"half a milli-CPU", calls, task(`{"cpu_milli":0.5}`), 400},
		{"a negative port", calls, task(`{"ports":[{"lo":-1,"hi":2}]}`), 400},
		{"an unknown field", calls, in(`{"launch":{}}`), 400},
		{"no call", calls, in(""), 400},
		{"an empty call", calls, in("{}"), 400},
		{"two calls in one", calls, in(`{"revive":{},"suppress":{}}`), 400},
		{"too many calls", calls, in(strings.TrimSuffix(strings.Repeat(`{"revive":{}},`, framework.MaxCalls+1), ",")), 413},
		{"an old session", calls, `{"session":"old","calls":[{"revive":{}}]}`, 410},
		{"no session", calls, `{"calls":[{"revive":{}}]}`, 400},
		{"a framework that is not there", "/v1/frameworks/none/calls", in(`{"revive":{}}`), 410},
		{"too large", calls, `{"session":"` + strings.Repeat("x", framework.MaxCallsBytes) + `"}`, 413},
		{"a good one", calls, in(`{"revive":{}}`), 202},
		{"too large a subscription", framework.PathSession, `{"framework":{"name":"` + strings.Repeat("x", framework.MaxSubscribe) + `"}}`, 413},
		{"no name", framework.PathSession, `{"framework":{}}`, 400},
		{"half a message", framework.PathSession, `{"framework":{"name":"x"`, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, api.URL+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := api.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			if resp.StatusCode != c.status {
				t.Errorf("got %s: %s", resp.Status, text)
			}
		})
	}
}
