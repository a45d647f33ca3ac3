package native

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/internal/auth"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// state is a Cluster without a loop: commands are applied at once.
type state struct {
	mu      sync.Mutex
	core    *core.State
	history []core.Event
	changed chan struct{}
	log     func(ctx context.Context, id cluster.TaskID, o client.LogOptions) (io.ReadCloser, error)
}

func (s *state) View() *core.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.View()
}

func (s *state) Now() cluster.Time { return 5000 }

func (s *state) Submit(_ context.Context, cmd core.Command) (int64, []core.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, _ := s.core.Apply(5000, cmd)
	s.history = append(s.history, events...)
	close(s.changed)
	s.changed = make(chan struct{})
	if e := core.Refused(events); e != nil {
		return s.core.Index(), events, problem.New(problem.Class(e.Code), "%s", e.Message)
	}
	return s.core.Index(), events, nil
}

func (s *state) Events(ctx context.Context, since int64) ([]core.Event, int64, bool, error) {
	for {
		s.mu.Lock()
		var out []core.Event
		for _, e := range s.history {
			if e.Index > since {
				out = append(out, e)
			}
		}
		changed, next := s.changed, s.core.Index()
		s.mu.Unlock()
		if len(out) > 0 {
			return out, next, false, nil
		}
		select {
		case <-ctx.Done():
			return nil, since, false, ctx.Err()
		case <-changed:
		}
	}
}

func (s *state) TaskLog(ctx context.Context, id cluster.TaskID, o client.LogOptions) (io.ReadCloser, error) {
	return s.log(ctx, id, o)
}

// serve makes a cluster with one agent and one service, and a client of its API.
func serve(t *testing.T, change func(*Config)) (*state, *client.Client, string) {
	t.Helper()
	s := &state{core: core.New(), changed: make(chan struct{})}
	for _, c := range []core.Command{
		core.RegisterAgent{Agent: cluster.Agent{ID: "a1", Hostname: "n1", Host: "10.0.0.1", Total: cluster.Resources{CPU: 4000, Mem: 1 << 30}}, Boot: "b"},
		core.PutFramework{Framework: cluster.Framework{ID: service.Framework, Roles: []cluster.Role{"*"}}},
		core.PutService{Spec: spec("web")},
		core.AcceptOffers{Framework: service.Framework, Role: "*", Agent: "a1", Offered: cluster.Resources{CPU: 4000, Mem: 1 << 30}, Tasks: []cluster.TaskSpec{{
			ID: "web.p-0.t.1", Name: "web.p-0.t", Framework: service.Framework, Role: "*", Service: "web", Pod: "p", Task: "t",
			Goal: cluster.GoalRunning, Container: cluster.Container{Image: "i@sha256:0"}, Resources: cluster.Resources{CPU: 1000}, Generation: 3}}},
	} {
		if _, _, err := s.Submit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Cluster: s}
	if change != nil {
		change(&cfg)
	}
	server := httptest.NewServer(New(cfg))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return s, c, server.URL
}

func spec(id cluster.ServiceID) cluster.ServiceSpec {
	return cluster.ServiceSpec{ID: id, Pods: []cluster.PodSpec{{Name: "p", Count: 2, Tasks: []cluster.TaskTemplate{{Name: "t", Goal: cluster.GoalRunning,
		Container: cluster.Container{Image: "i@sha256:0"}, Resources: cluster.Resources{CPU: 1000}}}}}}
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return c
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestReads(t *testing.T) {
	_, c, _ := serve(t, nil)
	st := must[client.State](t)(c.State(ctx(t)))
	want := client.State{Index: 4, Time: 5000, Agents: client.AgentCounts{Active: 1}, Services: 1, Tasks: client.TaskCounts{Active: 1},
		Total: cluster.Resources{CPU: 4000, Mem: 1 << 30}, Allocated: cluster.Resources{CPU: 1000}}
	if d := cmp.Diff(want, st); d != "" {
		t.Errorf("state (-want +got):\n%s", d)
	}
	if agents := must[[]core.Agent](t)(c.Agents(ctx(t))); len(agents) != 1 || agents[0].Info.Hostname != "n1" || agents[0].Allocated.CPU != 1000 {
		t.Errorf("agents: %+v", agents)
	}
	if list := must[[]service.Status](t)(c.Services(ctx(t))); len(list) != 1 || list[0].ID != "web" || list[0].Total != 2 {
		t.Errorf("services: %+v", list)
	}
	s := must[service.Status](t)(c.Service(ctx(t), "web"))
	if in := s.Pods[0].Instances; in[0].State != service.StateStaging || in[1].State != service.StateWaiting || in[1].Why.Reason != service.WhyOffer {
		t.Errorf("instances: %+v", in)
	}
	if tasks := must[[]cluster.Task](t)(c.Tasks(ctx(t), client.TaskFilter{Service: "web"})); len(tasks) != 1 || tasks[0].Spec.ID != "web.p-0.t.1" {
		t.Errorf("tasks: %+v", tasks)
	}
	if task := must[cluster.Task](t)(c.Task(ctx(t), "web.p-0.t.1")); task.Status.State != cluster.TaskStaging {
		t.Errorf("task: %+v", task)
	}
	for what, err := range map[string]error{
		"service":          second(c.Service(ctx(t), "nope")),
		"task":             second(c.Task(ctx(t), "nope")),
		"run":              second(c.Run(ctx(t), "nope")),
		"tasks of nothing": second(c.Tasks(ctx(t), client.TaskFilter{Service: "nope"})),
	} {
		var p *problem.Error
		if !errors.As(err, &p) || p.Class != problem.NotFound || p.Hint == "" || !strings.Contains(p.Detail, `"nope"`) {
			t.Errorf("%s that is not there: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestTasks_leavesEndedOnesOut(t *testing.T) {
	s, c, _ := serve(t, nil)
	if _, _, err := s.Submit(ctx(t), core.UpdateTask{Status: cluster.TaskStatus{Task: "web.p-0.t.1", Agent: "a1", State: cluster.TaskFailed, UUID: "1"}}); err != nil {
		t.Fatal(err)
	}
	if tasks := must[[]cluster.Task](t)(c.Tasks(ctx(t), client.TaskFilter{})); len(tasks) != 0 {
		t.Errorf("active tasks: %+v", tasks)
	}
	if tasks := must[[]cluster.Task](t)(c.Tasks(ctx(t), client.TaskFilter{All: true})); len(tasks) != 1 {
		t.Errorf("all tasks: %+v", tasks)
	}
}

func TestChanges_carryThePrincipal(t *testing.T) {
	s, c, _ := serve(t, func(c *Config) {
		c.Principal = func(*http.Request) auth.Principal { return auth.Principal{Name: "alice"} }
	})
	got := must[client.Accepted](t)(c.PutService(ctx(t), client.PutService{Spec: spec("two"), Installation: &cluster.Installation{ID: "two", Package: "p", Principal: "mallory"}}))
	svc := s.View().Service("two")
	if svc == nil || svc.Generation != got.Index || svc.Principal != "alice" || svc.Installation.Principal != "alice" || svc.Installation.At != 5000 {
		t.Fatalf("service at %d: %+v", got.Index, svc)
	}
	run, err := c.StartRun(ctx(t), cluster.RunSpec{Service: "two", Name: "Run Pi!", Task: spec("x").Pods[0].Tasks[0]})
	if err != nil || !strings.HasPrefix(string(run.Spec.ID), "run-pi-") || run.State != core.RunPending || run.Principal != "alice" {
		t.Errorf("run: %+v, %v", run, err)
	}
	if list, err := c.Runs(ctx(t)); err != nil || len(list) != 1 || list[0].Why == nil {
		t.Errorf("runs: %+v, %v", list, err)
	}
	must[client.Accepted](t)(c.CancelRun(ctx(t), run.Spec.ID))
	if got := s.View().Run(run.Spec.ID); got.State != core.RunCanceled {
		t.Errorf("the run is %s", got.State)
	}
	must[client.Accepted](t)(c.KillTask(ctx(t), "web.p-0.t.1", 1234))
	if task := s.View().Task("web.p-0.t.1"); !task.Killing || task.KillGrace != 1234 {
		t.Errorf("task: %+v", task)
	}
	must[client.Accepted](t)(c.RemoveService(ctx(t), "two"))
	if !s.View().Service("two").Removing {
		t.Error("the service is not being removed")
	}
	must[client.Accepted](t)(c.RemoveAgent(ctx(t), "a1"))
	if got := s.View().Agent("a1").State; got != cluster.AgentGone {
		t.Errorf("the agent is %s", got)
	}
	zero := int64(0)
	if _, err := c.PutService(ctx(t), client.PutService{Spec: spec("web"), Expect: &zero}); !problem.Is(err, problem.Exists) {
		t.Errorf("a new service with a taken name: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	s, _, base := serve(t, nil)
	index := s.View().Index()
	for _, tc := range []struct {
		name, method, path, body string
		class                    problem.Class
	}{
		{"unknown field", "PUT", "/v1/services/two", `{"spec":{"id":"two"},"sepc":1}`, problem.Invalid},
		{"two values", "PUT", "/v1/services/two", `{"spec":{"id":"two"}} {}`, problem.Invalid},
		{"not JSON", "PUT", "/v1/services/two", `spec: two`, problem.Invalid},
		{"empty", "POST", "/v1/runs", ``, problem.Invalid},
		{"another id", "PUT", "/v1/services/two", `{"spec":{"id":"three"}}`, problem.Invalid},
		{"too large", "PUT", "/v1/services/two", `{"spec":{"id":"` + strings.Repeat("x", MaxRequest) + `"}}`, problem.TooLarge},
		{"flag", "GET", "/v1/tasks?all=perhaps", ``, problem.Invalid},
		{"offset", "GET", "/v1/tasks/web.p-0.t.1/log?offset=-1", ``, problem.Invalid},
		{"keep data", "DELETE", "/v1/services/web?keep_data=perhaps", ``, problem.Invalid},
		{"restart of nothing", "POST", "/v1/services/web/restart", ``, problem.Invalid},
		{"restart with an unknown field", "POST", "/v1/services/web/restart", `{"pod":"p","instance":1}`, problem.Invalid},
		{"release of nothing", "POST", "/v1/services/web/release", ``, problem.Invalid},
		{"rollback to a word", "POST", "/v1/services/web/rollback", `{"generation":"before"}`, problem.Invalid},
		{"a step of a plan as a run", "POST", "/v1/runs", `{"service":"web","plan":{"plan":"deploy","key":"p/p-0","started":3}}`, problem.Invalid},
		{"record of nothing", "GET", "/v1/services/nope/record", ``, problem.NotFound},
		{"leftovers of nothing", "GET", "/v1/leftovers/nope", ``, problem.NotFound},
		{"since", "GET", "/v1/events?since=x", ``, problem.Invalid},
		{"no such path", "GET", "/v1/nothing", ``, problem.NotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := must[*http.Request](t)(http.NewRequestWithContext(ctx(t), tc.method, base+tc.path, strings.NewReader(tc.body)))
			resp := must[*http.Response](t)(http.DefaultClient.Do(req))
			defer resp.Body.Close()
			if err := problem.Read(resp); err.Class != tc.class || resp.Header.Get("Content-Type") != problem.MediaType {
				t.Errorf("%s: %v (%s), want class %s", resp.Status, err, resp.Header.Get("Content-Type"), tc.class)
			}
		})
	}
	if s.View().Index() != index {
		t.Error("a bad request reached the log")
	}
}

// recorder refuses everything and keeps what it was asked.
type recorder struct{ asked []string }

func (r *recorder) Authorize(_ context.Context, p auth.Principal, v auth.Verb, o auth.Object) error {
	r.asked = append(r.asked, p.Name+" "+string(v)+" "+o.String())
	return problem.New(problem.Forbidden, "no")
}

func TestEveryPathIsAuthorized(t *testing.T) {
	authorizer := &recorder{}
	s, _, base := serve(t, func(c *Config) { c.Authorizer = authorizer })
	index := s.View().Index()
	want := []string{}
	for _, tc := range []struct{ method, path, asks string }{
		{"GET", "/v1/state", "read state"},
		{"GET", "/v1/agents", "read agent"},
		{"DELETE", "/v1/agents/a1", "delete agent/a1"},
		{"GET", "/v1/services", "read service"},
		{"GET", "/v1/services/web", "read service/web"},
		{"PUT", "/v1/services/web", "write service/web"},
		{"DELETE", "/v1/services/web", "delete service/web"},
		{"GET", "/v1/services/web/record", "read service/web"},
		{"POST", "/v1/services/web/restart", "write service/web"},
		{"POST", "/v1/services/web/plans/update/confirm", "write service/web"},
		{"POST", "/v1/services/web/rollback", "write service/web"},
		{"POST", "/v1/services/web/release", "delete service/web"},
		{"GET", "/v1/leftovers", "read leftovers"},
		{"GET", "/v1/leftovers/web", "read leftovers/web"},
		{"DELETE", "/v1/leftovers/web", "delete leftovers/web"},
		{"GET", "/v1/tasks", "read task"},
		{"GET", "/v1/tasks/t", "read task/t"},
		{"POST", "/v1/tasks/t/kill", "delete task/t"},
		{"GET", "/v1/tasks/t/log", "read task/t"},
		{"GET", "/v1/runs", "read run"},
		{"POST", "/v1/runs", "write run"},
		{"GET", "/v1/runs/r", "read run/r"},
		{"DELETE", "/v1/runs/r", "delete run/r"},
		{"GET", "/v1/events", "read events"},
	} {
		want = append(want, "anonymous "+tc.asks)
		req := must[*http.Request](t)(http.NewRequestWithContext(ctx(t), tc.method, base+tc.path, strings.NewReader(`{}`)))
		resp := must[*http.Response](t)(http.DefaultClient.Do(req))
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s: %s", tc.method, tc.path, resp.Status)
		}
	}
	if d := cmp.Diff(want, authorizer.asked); d != "" {
		t.Errorf("the authorizer was asked (-want +got):\n%s", d)
	}
	if s.View().Index() != index {
		t.Error("a forbidden request reached the log")
	}
}

func TestLog_comesAsItIsWritten(t *testing.T) {
	s, c, _ := serve(t, nil)
	r, w := io.Pipe()
	defer w.Close()
	s.log = func(_ context.Context, id cluster.TaskID, o client.LogOptions) (io.ReadCloser, error) {
		if id != "web.p-0.t.1" || o != (client.LogOptions{Offset: 3, Tail: 7, Follow: true}) {
			t.Errorf("asked for the log of %q, %+v", id, o)
		}
		return r, nil
	}
	go func() { _, _ = io.WriteString(w, "one\n") }()
	log := must[io.ReadCloser](t)(c.TaskLog(ctx(t), "web.p-0.t.1", client.LogOptions{Offset: 3, Tail: 7, Follow: true}))
	defer log.Close()
	lines := bufio.NewReader(log)
	for _, want := range []string{"one\n", "two\n"} {
		// The second is written only when the first has been read: nothing is held back.
		if got, err := lines.ReadString('\n'); err != nil || got != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
		if want == "one\n" {
			_, _ = io.WriteString(w, "two\n")
		}
	}
	w.Close()
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

func TestEvents(t *testing.T) {
	s, c, base := serve(t, nil)
	next := func(opt client.EventOptions, n int) (got []core.Event) {
		t.Helper()
		for e, err := range c.Events(ctx(t), opt) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e); len(got) == n {
				return got
			}
		}
		return got
	}
	if got := next(client.EventOptions{Since: 2}, 2); got[0].Kind != core.EventServicePut || got[1].Kind != core.EventTaskLaunched {
		t.Errorf("events after 2: %+v", got)
	}
	go func() {
		for _, id := range []cluster.ServiceID{"other", "mine"} {
			_, _, _ = s.Submit(context.Background(), core.PutService{Spec: spec(id)})
		}
	}()
	if got := next(client.EventOptions{Since: 4, Service: "mine"}, 1); got[0].Service != "mine" {
		t.Errorf("events of one service: %+v", got)
	}

	// A client that comes back says which event it had last.
	req := must[*http.Request](t)(http.NewRequestWithContext(ctx(t), "GET", base+client.PathEvents+"?since=0", http.NoBody))
	req.Header.Set("Last-Event-ID", "3")
	resp := must[*http.Response](t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	var data string
	for lines := bufio.NewScanner(resp.Body); data == "" && lines.Scan(); {
		data, _ = strings.CutPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(lines.Text(), "data: ") {
			data = ""
		}
	}
	var e core.Event
	if err := json.Unmarshal([]byte(data), &e); err != nil || e.Index != 4 {
		t.Errorf("after Last-Event-ID 3 comes %s, %v", data, err)
	}

	// One that saw a later index than there is has seen another log.
	for _, err := range c.Events(ctx(t), client.EventOptions{Since: 1 << 40}) {
		if !errors.Is(err, client.ErrLost) {
			t.Errorf("since an index to come: %v", err)
		}
		break
	}
}

func TestRender_givesTheIdWithTheLastOfACommand(t *testing.T) {
	text := string(render([]core.Event{{Index: 7, Kind: "a"}, {Index: 7, Kind: "b"}, {Index: 8, Kind: "c", Service: "x"}}, true, ""))
	var heads []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "data: ") && line != "\n" {
			heads = append(heads, strings.TrimSpace(line))
		}
	}
	want := []string{"event: stream.lost", "event: a", "id: 7", "event: b", "id: 8", "event: c"}
	if d := cmp.Diff(want, heads); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	if got := string(render([]core.Event{{Index: 7, Kind: "a"}}, false, "x")); got != "" {
		t.Errorf("an event of no service for a watcher of one: %q", got)
	}
}

// TestEvents_showThatTheyLive: a watcher of one service hears something though
// only others have events.
func TestEvents_showThatTheyLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &state{core: core.New(), changed: make(chan struct{})}
		watch, cancel := context.WithTimeout(t.Context(), 2*StreamPing+time.Second)
		defer cancel()
		go func() {
			for tick := time.NewTicker(4 * time.Second); ; {
				select {
				case <-watch.Done():
					tick.Stop()
					return
				case <-tick.C:
					_, _, _ = s.Submit(watch, core.PutService{Spec: spec("other")})
				}
			}
		}()
		rec := httptest.NewRecorder()
		New(Config{Cluster: s}).ServeHTTP(rec, httptest.NewRequestWithContext(watch, "GET", client.PathEvents+"?service=mine", nil))
		if want := ": events\n\n: ping\n\n: ping\n\n"; rec.Body.String() != want {
			t.Errorf("the stream is %q, want %q", rec.Body, want)
		}
	})
}
