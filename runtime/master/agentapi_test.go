package master

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/discovery"
	"github.com/universe-dcos/universe/runtime/master/pki"
)

// quiet swallows what net/http says of the handshakes that these tests make fail.
var quiet = log.New(io.Discard, "", 0)

// secure is a rig whose agents and master prove who they are.
type secure struct {
	*rig
	ca     *pki.Authority
	master tls.Certificate
	server *httptest.Server
}

func startSecure(t *testing.T) *secure {
	t.Helper()
	ca, err := pki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &secure{ca: ca, master: issue(t, ca.Master)}
	s.rig = start(t, memLog(), func(c *Config) {
		c.TrustHello = false
		c.AgentTLS = func(id cluster.AgentID) *tls.Config { return pki.MasterClient(s.master, ca.Pool(), id) }
	})
	s.server = httptest.NewUnstartedServer(s.rig.master.Handler())
	s.server.TLS = pki.MasterServer(s.master, ca.Pool())
	s.server.Config.ErrorLog = quiet
	s.server.StartTLS()
	t.Cleanup(func() { s.stop(); s.server.Close() })
	return s
}

func issue(t *testing.T, f func(...string) (pki.Pair, error)) tls.Certificate {
	t.Helper()
	pair, err := f("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (s *secure) agentCert(t *testing.T, id cluster.AgentID) tls.Certificate {
	return issue(t, func(hosts ...string) (pki.Pair, error) { return s.ca.Agent(id, hosts...) })
}

// as is an HTTP client with the certificate of an agent.
func (s *secure) as(t *testing.T, id cluster.AgentID) *http.Client {
	tr := &http.Transport{TLSClientConfig: pki.AgentClient(s.agentCert(t, id), s.ca.Pool())}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestAgentIdentity(t *testing.T) {
	s := startSecure(t)
	post := func(hc *http.Client, path string, body any) (int, error) {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.URL+path, bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hc.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	hello := cluster.Hello{Agent: cluster.Agent{ID: "a1", Total: cluster.Resources{CPU: 1000}}, Boot: "b"}

	if status, err := post(s.as(t, "a2"), cluster.PathSession, hello); err != nil || status != http.StatusForbidden {
		t.Errorf("a2 speaks for a1: %d, %v", status, err)
	}
	nobody := s.as(t, "a1")
	nobody.Transport.(*http.Transport).TLSClientConfig.Certificates = nil
	if status, err := post(nobody, cluster.PathSession, hello); err != nil || status != http.StatusUnauthorized {
		t.Errorf("without a certificate: %d, %v", status, err)
	}
	if resp, err := nobody.Get(s.server.URL + discovery.PathNames); err != nil || resp.StatusCode != http.StatusUnauthorized || resp.Body.Close() != nil {
		t.Errorf("names without a certificate: %v, %v", resp, err)
	}
	if resp, err := s.as(t, "a1").Get(s.server.URL + discovery.PathNames); err != nil || resp.StatusCode != http.StatusOK || resp.Body.Close() != nil {
		t.Errorf("names for an agent: %v, %v", resp, err)
	}
	if s.rig.master.View().Agent("a1") != nil {
		t.Fatal("a1 is registered though it never spoke")
	}

	a1 := newFakeAgent(t, "a1")
	a1.http = s.as(t, "a1")
	a1.mustConnect(s.server.URL)
	if status, err := post(s.as(t, "a1"), cluster.PathHeartbeat, cluster.Heartbeat{Session: a1.session}); err != nil || status != http.StatusNoContent {
		t.Errorf("heartbeat of a1: %d, %v", status, err)
	}
	if status, err := post(s.as(t, "a1"), cluster.PathHeartbeat, cluster.Heartbeat{Session: "an older one"}); err != nil || status != http.StatusGone {
		t.Errorf("heartbeat of a1 in a session that is not current: %d, %v", status, err)
	}
	// Another agent that learned the session's id cannot use it.
	if status, err := post(s.as(t, "a2"), cluster.PathHeartbeat, cluster.Heartbeat{Session: a1.session}); err != nil || status != http.StatusGone {
		t.Errorf("heartbeat of a2 in a1's session: %d, %v", status, err)
	}
	if status, err := post(s.as(t, "a2"), cluster.PathUpdates, cluster.Updates{Session: a1.session}); err != nil || status != http.StatusGone {
		t.Errorf("updates of a2 in a1's session: %d, %v", status, err)
	}
	// The listener without TLS believes nobody here.
	resp, err := http.Post(s.agents.URL+cluster.PathSession, "application/json", strings.NewReader(`{"agent":{"id":"a9"}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a Hello without TLS: %s", resp.Status)
	}
}

func TestSession_isReplacedByTheNext(t *testing.T) {
	r := start(t, memLog(), nil)
	a := newFakeAgent(t, "a1")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended, err := a.connect(ctx, r.agents.URL)
	if err != nil {
		t.Fatal(err)
	}
	old := a.session
	a.mustConnect(r.agents.URL)
	select {
	case <-ended:
	case <-testContext(t).Done():
		t.Fatal("the first stream goes on after the second was opened")
	}
	for session, want := range map[string]int{old: http.StatusGone, a.session: http.StatusNoContent} {
		resp, err := a.post(ctx, cluster.PathHeartbeat, cluster.Heartbeat{Session: session})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("heartbeat in the session: %s, want %d", resp.Status, want)
		}
	}
}

// TestReconnect: an agent that holds its tasks keeps them over a broken session.
func TestReconnect(t *testing.T) {
	r := start(t, memLog(), nil)
	a := newFakeAgent(t, "a1")
	disconnect := a.mustConnect(r.agents.URL)
	r.mustPut(t, testSpec("web", 3))
	r.until("3 ready instances", func() bool { return r.running("web") == 3 })
	disconnect()
	a.mustConnect(r.agents.URL)
	r.mustPut(t, testSpec("more", 1))
	r.until("a launch in the new session", func() bool { return r.running("more") == 1 })
	if tasks, launches, kills := a.count(); tasks != 4 || launches != 4 || kills != 0 {
		t.Errorf("the agent holds %d tasks after %d launches and %d kills", tasks, launches, kills)
	}
}

func TestHello_isBounded(t *testing.T) {
	r := start(t, memLog(), nil)
	body := io.MultiReader(strings.NewReader(`{"boot":"`), io.LimitReader(filler{}, cluster.MaxWireMessage), strings.NewReader(`"}`))
	resp, err := http.Post(r.agents.URL+cluster.PathSession, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := problem.Read(resp); !problem.Is(err, problem.TooLarge) {
		t.Errorf("a message over the limit: %v", err)
	}
}

type filler struct{}

func (filler) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestHello_thatTheStateRefuses(t *testing.T) {
	r := start(t, memLog(), nil)
	a := newFakeAgent(t, "a1")
	a.info.Total.CPU = -1
	if _, err := a.connect(testContext(t), r.agents.URL); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("an agent with less than nothing: %v", err)
	}
	if r.master.sessions.connected("a1") {
		t.Error("a refused agent has a session")
	}
}

func TestTaskLog(t *testing.T) {
	s := startSecure(t)
	var query string
	logs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != cluster.PathTaskLog || pki.PeerName(r.TLS) != pki.MasterName {
			http.Error(w, "not for you", http.StatusForbidden)
			return
		}
		query = r.URL.RawQuery
		_, _ = io.WriteString(w, "hello from the task\n")
	}))
	logs.TLS = pki.AgentServer(s.agentCert(t, "a1"), s.ca.Pool())
	logs.Config.ErrorLog = quiet
	logs.StartTLS()
	t.Cleanup(logs.Close)

	a := newFakeAgent(t, "a1")
	a.info.URL, a.http = logs.URL, s.as(t, "a1")
	a.mustConnect(s.server.URL)
	s.mustPut(t, testSpec("web", 1))
	s.until("a ready instance", func() bool { return s.running("web") == 1 })
	var id cluster.TaskID
	for task := range s.rig.master.View().ServiceTasks("web") {
		id = task.Spec.ID
	}
	output, err := s.client.TaskLog(testContext(t), id, client.LogOptions{Offset: 7, Tail: 5, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	text, err := io.ReadAll(output)
	if err != nil || string(text) != "hello from the task\n" {
		t.Errorf("the log is %q, %v", text, err)
	}
	if want := "follow=true&offset=7&tail=5&task=" + string(id); query != want {
		t.Errorf("the agent was asked for %q, want %q", query, want)
	}
	if _, err := s.client.TaskLog(testContext(t), "nope", client.LogOptions{}); !problem.Is(err, problem.NotFound) {
		t.Errorf("the log of no task: %v", err)
	}

	// Another agent at a1's address is not believed.
	logs.TLS.Certificates = []tls.Certificate{s.agentCert(t, "a2")}
	if _, err := s.client.TaskLog(testContext(t), id, client.LogOptions{}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("the log of an impostor: %v", err)
	}
}

func TestEvents_tellTheStory(t *testing.T) {
	r := start(t, memLog(), nil)
	a := newFakeAgent(t, "a1")
	a.mustConnect(r.agents.URL)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	r.mustPut(t, testSpec("web", 1))
	var story []string
	for e, err := range r.client.Events(ctx, client.EventOptions{Since: 0, Service: "web"}) {
		if err != nil {
			t.Fatal(err)
		}
		story = append(story, string(e.Kind)+" "+e.State)
		if e.Ready {
			break
		}
	}
	want := []string{"service.put ", "task.launched TASK_STAGING", "task.updated TASK_RUNNING"}
	if d := cmp.Diff(want, story); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	// The stream ends with the master.
	errs := make(chan error, 1)
	go func() {
		for _, err := range r.client.Events(ctx, client.EventOptions{Since: -1}) {
			if err != nil {
				errs <- err
				return
			}
		}
	}()
	r.stop()
	select {
	case err := <-errs:
		if !errors.As(err, new(*problem.Error)) {
			t.Errorf("after the master's end the stream says %v", err)
		}
	case <-ctx.Done():
		t.Error("the stream goes on after the master's end")
	}
}

func (r *rig) mustPut(t *testing.T, spec cluster.ServiceSpec) {
	t.Helper()
	if _, err := r.client.PutService(testContext(t), client.PutService{Spec: spec}); err != nil {
		t.Fatal(err)
	}
}

// TestHello_thatIsLate has an older Hello come after a newer one: it is refused,
// and the session that the newer one opened goes on.
func TestHello_thatIsLate(t *testing.T) {
	r := start(t, memLog(), nil)
	a := newFakeAgent(t, "a1")
	a.life, a.tries = "life-1", 2
	a.mustConnect(r.agents.URL)
	if _, err := r.client.PutService(testContext(t), client.PutService{Spec: testSpec("web", 1)}); err != nil {
		t.Fatal(err)
	}
	r.until("the task", func() bool { return r.running("web") == 1 })
	for _, tries := range []int64{1, 2} {
		old := newFakeAgent(t, "a1") // it holds no task
		old.life, old.tries = "life-1", tries
		if _, err := old.connect(testContext(t), r.agents.URL); err == nil || !strings.Contains(err.Error(), "409 Conflict") {
			t.Errorf("attempt %d after attempt 2: %v, want 409", tries, err)
		}
	}
	if !r.master.sessions.hear(a.session, time.Now(), "a1") {
		t.Error("the late Hello ended the session that came after it")
	}
	if n := r.running("web"); n != 1 {
		t.Errorf("%d tasks run after the late Hello, want 1", n)
	}
	if g := r.master.View().Agent("a1"); g.Life != "life-1" || g.Attempt != 2 {
		t.Errorf("the agent is at attempt %d of life %q", g.Attempt, g.Life)
	}
	reborn := newFakeAgent(t, "a1")
	reborn.life, reborn.tries, reborn.tasks = "life-2", 1, a.tasks
	reborn.disk = []cluster.VolumeName{{Role: "eng", ID: "nobodys"}}
	reborn.mustConnect(r.agents.URL)
	// The volumes of a Hello reach the state, which does not know this one.
	for ctx, o := testContext(t), (cluster.Order{}); o.Kind != cluster.OrderDestroy || o.Role != "eng" || o.Volume != "nobodys"; {
		select {
		case o = <-reborn.orders:
		case <-ctx.Done():
			t.Fatal("nobody's volume is not destroyed")
		}
	}
}
