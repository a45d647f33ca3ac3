package agent

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func quick(runner.Spec) fake.Behaviour { return fake.Behaviour{Exit: &runner.Exit{}} }

func TestSession_reportsAreSentInOrderOneAtATimeUntilAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: quick})
		n.master.setAck(false)
		begun := time.Now()
		n.launch(testTask("a.1"))
		first := n.master.next()
		second := n.master.next()
		if first.State != cluster.TaskStarting || second.UUID != first.UUID {
			t.Fatalf("without an ack: got %s, then %+v, want the first again", first.State, second)
		}
		if took := time.Since(begun); took < resendAfter || took > 2*resendAfter {
			t.Errorf("resent after %s, want about %s", took, resendAfter)
		}
		n.master.setAck(true)
		n.master.order(cluster.Order{Kind: cluster.OrderAck, Task: "a.1", UUID: first.UUID})
		if got := n.master.next(); got.State != cluster.TaskRunning {
			t.Errorf("after the first ack: got %s, want running", got.State)
		}
		if got := n.master.next(); got.State != cluster.TaskFinished {
			t.Errorf("after the second ack: got %s, want finished", got.State)
		}
	})
}

func TestSession_anUnacknowledgedReportOutlivesTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: quick})
		n.master.setAck(false)
		n.launch(testTask("a.1"))
		first := n.master.next()
		synctest.Wait()
		n.kill()
		hello := n.start()
		if len(hello.Tasks) != 1 || hello.Tasks[0].Status.State != cluster.TaskFinished {
			t.Errorf("Hello: got %+v, want the ended task that is not acknowledged", hello.Tasks)
		}
		if got := n.master.next(); got.UUID != first.UUID {
			t.Errorf("first report of the second life: got %+v, want %s again", got, first.UUID)
		}
		// The master may acknowledge the last at once, by what Hello said.
		n.master.order(cluster.Order{Kind: cluster.OrderAck, Task: "a.1", UUID: hello.Tasks[0].Status.UUID})
		synctest.Wait()
		n.kill()
		if hello := n.start(); len(hello.Tasks) != 0 {
			t.Errorf("Hello after all acks: got %+v, want no task", hello.Tasks)
		}
	})
}

func TestSession_comesBackByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		n.master.lose()
		hello := <-n.master.hellos
		if len(hello.Tasks) != 1 || hello.Tasks[0].Status.State != cluster.TaskRunning {
			t.Errorf("Hello of the next session: got %+v", hello.Tasks)
		}
		if err := n.runner.End("a.1", runner.Exit{}); err != nil {
			t.Fatal(err)
		}
		n.master.until(cluster.TaskFinished)
	})
}

func TestSession_waitsLongerBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.master.mu.Lock()
		n.master.refuse = 30
		n.master.mu.Unlock()
		begun := time.Now()
		n.master.lose()
		<-n.master.hellos
		// 0.1+0.2+...+6.4 s, then 10 s each, every pause between its half and its whole.
		if took := time.Since(begun); took < 90*time.Second || took > 250*time.Second {
			t.Errorf("30 refusals took %s", took)
		}
	})
}

func TestSession_beatsAndEndsWhenTheMasterDeniesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		wait := time.NewTimer(61 * time.Second)
		<-wait.C
		n.master.mu.Lock()
		beats := n.master.beats
		n.master.session = "another" // as after a fail-over
		n.master.mu.Unlock()
		if beats != 12 {
			t.Errorf("heartbeats in a minute: got %d, want 12", beats)
		}
		begun := time.Now()
		<-n.master.hellos
		if took := time.Since(begun); took > 2*millis(cluster.HeartbeatEvery) {
			t.Errorf("a new session after %s, want one at the next heartbeat", took)
		}
	})
}

func TestSession_aSilentStreamIsGivenUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		welcome bool // it says one thing
		want    time.Duration
	}{{"from the start", false, welcomeTimeout}, {"after the welcome", true, streamSilence}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, &fake.Runner{})
				mux := http.NewServeMux()
				mux.HandleFunc("POST "+cluster.PathHeartbeat, func(http.ResponseWriter, *http.Request) {})
				mux.HandleFunc("POST "+cluster.PathSession, func(w http.ResponseWriter, r *http.Request) {
					n.master.hellos <- cluster.Hello{}
					if c.welcome {
						_, _ = io.WriteString(w, `{"kind":"welcome","session":"s"}`+"\n")
					}
					_ = http.NewResponseController(w).Flush()
					<-r.Context().Done()
				})
				n.master.server.Handler = mux
				n.master.lose()
				<-n.master.hellos
				begun := time.Now()
				<-n.master.hellos
				if took := time.Since(begun); took < c.want || took > c.want+maxRetry {
					t.Errorf("given up after %s, want %s and a pause", took, c.want)
				}
			})
		})
	}
}

func TestSession_refusedReportsAreSentAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: quick})
		n.master.mu.Lock()
		n.master.refuse = 3
		n.master.mu.Unlock()
		begun := time.Now()
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskFinished)
		if took := time.Since(begun); took >= resendAfter {
			t.Errorf("after three refusals the reports took %s", took)
		}
	})
}

func TestSession_aNewOneGetsWhatTheOldDidNotAcknowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.master.setAck(false)
		n.launch(testTask("a.1"))
		first := n.master.next()
		synctest.Wait()
		begun := time.Now()
		n.master.lose()
		if got := n.master.next(); got.UUID != first.UUID || time.Since(begun) >= resendAfter {
			t.Errorf("first report of the next session: got %+v after %s, want %s at once", got, time.Since(begun), first.UUID)
		}
	})
}
