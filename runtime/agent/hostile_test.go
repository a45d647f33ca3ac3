package agent

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/agent/checkpoint"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// TestHostile_aWrongMaster has somebody else answer at the master's address:
// nothing is told to it and no order of it is read.
func TestHostile_aWrongMaster(t *testing.T) {
	ca := newAuthority(t)
	for _, c := range []struct {
		who  string
		cert tls.Certificate
		want bool
	}{
		{"the master", ca.issue("master"), true},
		{"an agent of the cluster", ca.issue("a2"), false},
		{"the master of another cluster", newAuthority(t).issue("master"), false},
	} {
		t.Run(c.who, func(t *testing.T) {
			var asked atomic.Bool
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Store(true)
				_, _ = io.Copy(io.Discard, r.Body)
				spec := testTask("a.1")
				_ = json.NewEncoder(w).Encode(cluster.Order{Kind: cluster.OrderWelcome, Session: "s"})
				_ = json.NewEncoder(w).Encode(cluster.Order{Kind: cluster.OrderKill, Task: spec.ID})
			}))
			server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.cert}}
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of what is to happen
			server.StartTLS()
			defer server.Close()
			a := detached(t, Config{MasterURL: server.URL, TLS: &tls.Config{
				MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{ca.issue("a1")}, RootCAs: ca.pool, ServerName: "master",
			}})
			welcomed, err := a.session(t.Context(), t.Context())
			if _, obeyed := a.ledger.Get("a.1"); err == nil || welcomed != c.want || asked.Load() != c.want || obeyed != c.want {
				t.Errorf("got welcomed %t, said hello %t, obeyed %t, %v; want %t", welcomed, asked.Load(), obeyed, err, c.want)
			}
		})
	}
}

// detached is an agent that does not run: its parts are called one by one.
func detached(t *testing.T, c Config) *Agent {
	t.Helper()
	c.ID, c.Host, c.StateDir, c.Runner, c.BootID = "a1", "127.0.0.1", t.TempDir(), &fake.Runner{}, "b"
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if a.ledger, err = checkpoint.Open(filepath.Join(c.StateDir, "agent.db"), "a1"); err != nil {
		t.Fatal(err)
	}
	if err := a.openVolumes(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.client.CloseIdleConnections()
		_ = a.store.Close()
		_ = a.ledger.Close()
	})
	return a
}

// TestHostile_lines sends what is no order: the session ends, and the next one
// is as good as any.
func TestHostile_lines(t *testing.T) {
	for what, line := range map[string]string{
		"too long":         `{"kind":"ping","session":"` + strings.Repeat("x", cluster.MaxWireMessage) + `"}`,
		"no JSON":          "kill everything",
		"of another shape": `{"kind":["kill"]}`,
		"no task":          `{"kind":"launch"}`,
		"number too large": `{"kind":"launch","spec":{"id":"a.1","resources":{"cpu_milli":1e999}}}`,
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, &fake.Runner{})
				usual := n.master.server.Handler
				var once atomic.Bool
				n.master.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == cluster.PathSession && once.CompareAndSwap(false, true) {
						_, _ = io.WriteString(w, `{"kind":"welcome","session":"odd"}`+"\n"+line+"\n")
						_ = http.NewResponseController(w).Flush()
						<-r.Context().Done()
						return
					}
					usual.ServeHTTP(w, r)
				})
				n.master.lose()
				begun := time.Now()
				<-n.master.hellos
				if took := time.Since(begun); took > maxRetry {
					t.Errorf("the next session came after %s", took)
				}
				n.runs(testTask("b.1"))
			})
		})
	}
}

func TestHostile_unknownOrdersAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		spec := testTask("a.1")
		for _, o := range []cluster.Order{
			{Kind: "dance", Spec: &spec}, {}, {Kind: cluster.OrderWelcome, Session: "another"},
			{Kind: cluster.OrderAck, Task: "nobody.1", UUID: "x"}, {Kind: cluster.OrderDestroy}, {Kind: cluster.OrderDestroy, Role: "*", Volume: "v"},
		} {
			n.master.order(o)
		}
		n.runs(testTask("b.1"))
		synctest.Wait()
		if n.runner.Starts() != 1 || len(n.master.hellos) != 0 || len(n.master.updates) != 0 {
			t.Errorf("got %d starts, %d new sessions and %d reports", n.runner.Starts(), len(n.master.hellos), len(n.master.updates))
		}
	})
}

// TestHostile_amounts has what the master's core refuses too: none of it may
// make room for another task.
func TestHostile_amounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		for i, r := range []cluster.Resources{
			{CPU: -1}, {Mem: -1 << 40}, {Disk: math.MinInt64}, {GPUs: -1}, {CPU: math.MaxInt64},
			{Ports: cluster.Ports{{Lo: 5, Hi: 4}}}, {Ports: cluster.Ports{{Lo: 0, Hi: 4}}},
			{Extra: cluster.Extra{{Name: "x", Milli: -5}}}, {Extra: cluster.Extra{{Name: "cpus", Milli: 5}}},
		} {
			spec := testTask(cluster.TaskID(fmt.Sprintf("a.%d", i)))
			spec.Resources = r
			n.launch(spec)
			if got := n.master.until(cluster.TaskError); got.Task != spec.ID || got.Reason != cluster.ReasonTaskInvalid || !strings.Contains(got.Message, "resources: ") {
				t.Errorf("%+v: got %+v", r, got)
			}
		}
		whole := testTask("b.1")
		whole.Resources = cluster.Resources{CPU: n.config.Total.CPU}
		n.runs(whole)
		more := testTask("c.1")
		more.Resources = cluster.Resources{CPU: 1}
		n.launch(more)
		n.master.until(cluster.TaskFailed)
		if n.runner.Starts() != 1 {
			t.Errorf("starts: got %d, want 1", n.runner.Starts())
		}
	})
}

func TestGraceOf_isBounded(t *testing.T) {
	for _, c := range []struct{ order, own, want cluster.Millis }{
		{math.MaxInt64, 0, maxGrace}, {0, math.MaxInt64, maxGrace}, {-5, -5, cluster.DefaultKillGrace}, {math.MinInt64, 2000, 2000}, {1, 2, 1},
	} {
		if got := graceOf(c.order, c.own); got != c.want {
			t.Errorf("graceOf(%d, %d): got %d, want %d", c.order, c.own, got, c.want)
		}
	}
}

func TestHello_isCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.kill()
		var last cluster.Hello
		check := func(h cluster.Hello) {
			t.Helper()
			if h.Life == "" || h.Attempt <= last.Attempt || last.Life != "" && h.Life != last.Life {
				t.Errorf("Hello after attempt %d of life %q: got %d of %q", last.Attempt, last.Life, h.Attempt, h.Life)
			}
			last = h
		}
		for range 2 {
			check(n.start())
			for range 3 {
				n.master.lose()
				check(<-n.master.hellos)
			}
			n.kill()
		}
	})
}

func TestHello_saysWhatTheMachineIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := cluster.Agent{ID: "a1", Hostname: "node-1", Host: "10.0.0.1", Total: cluster.Resources{CPU: 4000}, Version: "v",
			Attributes: map[string]string{"rack": "r1"}, Domain: &cluster.Domain{Region: "eu", Zone: "eu-1"},
			Reserved: cluster.NewReserves(cluster.Reserved{Stack: cluster.Stack{{Role: "eng", Static: true}}, Resources: cluster.Resources{CPU: 1000}})}
		n := newNode(t, &fake.Runner{}, func(c *Config) {
			c.Total, c.Version, c.Attributes, c.Domain, c.Reserved = want.Total, want.Version, want.Attributes, want.Domain, want.Reserved
		})
		n.kill()
		if diff := cmp.Diff(want, n.start().Agent); diff != "" {
			t.Errorf("agent (-want +got):\n%s", diff)
		}
	})
}
