package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/core"
)

func TestNew_refusesWhatIsNoAddress(t *testing.T) {
	for _, base := range []string{"", "localhost:5050", "ftp://x", "http://", "://"} {
		if _, err := New(base, nil); !problem.Is(err, problem.Invalid) {
			t.Errorf("New(%q) = %v", base, err)
		}
	}
	if _, err := New("https://master.example/prefix/", nil); err != nil {
		t.Error(err)
	}
}

func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/prefix/", server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRequests(t *testing.T) {
	var got []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		_, _ = io.WriteString(w, `{}`)
	})
	ctx := t.Context()
	for _, err := range []error{
		second(c.Service(ctx, "a b/c")),
		second(c.Tasks(ctx, TaskFilter{Service: "x&y", All: true})),
		second(c.KillTask(ctx, "t.1", 5)),
		second(c.RemoveService(ctx, "web")),
		second(c.RemoveServiceKeepData(ctx, "web")),
		second(c.ServiceRecord(ctx, "web")),
		second(c.RestartInstance(ctx, "web", RestartInstance{Pod: "p", Index: 1, Replace: true})),
		second(c.CallPlan(ctx, "web", "a/b", core.VerbForce, CallPlan{Phase: "roll", Step: "p-1"})),
		second(c.RollbackService(ctx, "web", Rollback{Generation: 7})),
		second(c.ReleasePlaces(ctx, "web", "p-1", "p-2")),
		second(c.Leftovers(ctx)),
		second(c.Leftover(ctx, "web")),
		second(c.ReleaseLeftovers(ctx, "web")),
		second(c.TaskLog(ctx, "t.1", LogOptions{Tail: 3})),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"GET /prefix/v1/services/a%20b%2Fc",
		"GET /prefix/v1/tasks?all=true&service=x%26y",
		`POST /prefix/v1/tasks/t.1/kill {"grace_ms":5}`,
		"DELETE /prefix/v1/services/web",
		"DELETE /prefix/v1/services/web?keep_data=true",
		"GET /prefix/v1/services/web/record",
		`POST /prefix/v1/services/web/restart {"pod":"p","index":1,"replace":true}`,
		`POST /prefix/v1/services/web/plans/a%2Fb/force-complete {"phase":"roll","step":"p-1"}`,
		`POST /prefix/v1/services/web/rollback {"generation":7}`,
		`POST /prefix/v1/services/web/release {"instances":["p-1","p-2"]}`,
		"GET /prefix/v1/leftovers",
		"GET /prefix/v1/leftovers/web",
		"DELETE /prefix/v1/leftovers/web",
		"GET /prefix/v1/tasks/t.1/log?tail=3",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

func second[T any](_ T, err error) error { return err }

func TestErrors_areTheMasters(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.New(problem.Conflict, "it changed").WithHint("plan again").WithDetails(problem.Detail{Pointer: "/x", Message: "y"}))
	})
	_, err := c.State(t.Context())
	var p *problem.Error
	if !errors.As(err, &p) || p.Class != problem.Conflict || p.Detail != "it changed" || p.Hint != "plan again" || len(p.Details) != 1 {
		t.Errorf("State = %#v", err)
	}
}

func TestMasterThatDoesNotAnswer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := New(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.State(t.Context())
	var p *problem.Error
	if !errors.As(err, &p) || p.Class != problem.Unavailable || !strings.Contains(p.Detail, server.URL) || p.Hint == "" {
		t.Errorf("State = %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user left"))
	if _, err := c.State(ctx); err == nil || problem.Is(err, problem.Unavailable) || !strings.Contains(err.Error(), "the user left") {
		t.Errorf("State after the caller's end = %v", err)
	}
}

func TestReplyThatIsNoJSON(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	if _, err := c.State(t.Context()); err == nil || !strings.Contains(err.Error(), PathState) {
		t.Errorf("State = %v", err)
	}
}

func TestReadEvents(t *testing.T) {
	read := func(text string) (kinds []string, err error) {
		err = readEvents(strings.NewReader(text), func(e core.Event, err error) bool {
			switch {
			case errors.Is(err, ErrLost):
				kinds = append(kinds, "lost")
			case err != nil:
				kinds = append(kinds, err.Error())
			default:
				kinds = append(kinds, string(e.Kind))
			}
			return len(kinds) < 3
		})
		return kinds, err
	}
	kinds, err := read(": comment\n\nevent: a\ndata: {\"kind\":\"a\",\ndata:\"index\":1}\nid: 1\n\nevent: stream.lost\ndata: {}\n\n: ping\n\ndata: {\"kind\":\"b\"}\n\ndata: {\"kind\":\"never\"}\n\n")
	if d := cmp.Diff([]string{"a", "lost", "b"}, kinds); d != "" || !errors.Is(err, errBreak) {
		t.Errorf("events (-want +got):\n%s%v", d, err)
	}
	if kinds, err := read("data: {nonsense\n\n"); err == nil || len(kinds) != 0 {
		t.Errorf("a malformed event: %v, %v", kinds, err)
	}
	if _, err := read("data: " + strings.Repeat("x", maxEventLine) + "\n\n"); err == nil {
		t.Error("a line over the limit is read")
	}
	if kinds, err := read("data: {\"kind\":\"cut\"}"); err != nil || len(kinds) != 0 {
		t.Errorf("an event that was cut off: %v, %v", kinds, err)
	}
}

func TestEvents_endWithTheStream(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "data: {\"index\":5}\n\n") })
	var got []error
	for e, err := range c.Events(t.Context(), EventOptions{}) {
		if err == nil && e.Index != 5 {
			t.Errorf("event %+v", e)
		}
		got = append(got, err)
	}
	if len(got) != 2 || got[0] != nil || !problem.Is(got[1], problem.Unavailable) {
		t.Errorf("the stream yields %v", got)
	}
}
