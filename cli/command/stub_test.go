package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	catalogapi "github.com/universe-dcos/universe/catalog/api"
	"github.com/universe-dcos/universe/catalog/plan"
	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/job"
	"github.com/universe-dcos/universe/runtime/service"
)

// These tests are about what a whole cluster does too rarely to wait for:
// streams that break, a master that is away, a plan that goes stale. The server
// is made by hand and speaks the types of the API.

// stub serves a map of "METHOD /path" to handlers.
func stub(t *testing.T, routes map[string]http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	if routes["GET /v1/events"] == nil {
		mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}
	s := httptest.NewServer(mux)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

func reply(t *testing.T, w http.ResponseWriter, v any) {
	t.Helper()
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Error(err)
	}
}

// sequence gives the next of list at each call, and the last one for ever.
func sequence[T any](list ...T) func() T {
	i := -1
	return func() T {
		i = min(i+1, len(list)-1)
		return list[i]
	}
}

func TestRun_takesABrokenLogUpWhereItBroke(t *testing.T) {
	code := 3
	run := func(state core.RunState, task cluster.TaskState) job.Status {
		s := job.Status{TaskState: task, Agent: "a1"}
		s.State, s.Spec.ID, s.Spec.Name = state, "r1", "run pi"
		if task != "" {
			s.Task = "spark.r1.action.1"
		}
		if state.Final() {
			s.ExitCode, s.Message = &code, "exit code 3"
		}
		return s
	}
	next := sequence(
		run(core.RunPending, ""), run(core.RunActive, cluster.TaskStaging), run(core.RunActive, cluster.TaskRunning),
		run(core.RunActive, cluster.TaskRunning), run(core.RunActive, cluster.TaskRunning), run(core.RunFailed, cluster.TaskFailed),
	)
	const output = "one\ntwo\nthree\n"
	logs := 0
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/installations": func(w http.ResponseWriter, _ *http.Request) {
			reply(t, w, catalogapi.Installations{Items: []plan.Installation{{ID: "spark", Package: "spark", Version: "4.3.0"}}})
		},
		"GET /v1/installations/spark/actions": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"items":[{"name":"run pi","summary":"Compute Pi","args":[{"name":"slices","type":"integer","default":20}]}]}`)
		},
		"POST /v1/installations/spark/actions": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if want := `{"words":["run","pi"],"args":["200"]}`; string(body) != want {
				t.Errorf("asked for %s, want %s", body, want)
			}
			reply(t, w, catalogapi.Run{ID: "r1", Service: "spark", Name: "run pi"})
		},
		"GET /v1/runs/r1": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, next()) },
		"GET /v1/tasks/spark.r1.action.1/log": func(w http.ResponseWriter, r *http.Request) {
			logs++
			var at int
			_, _ = fmt.Sscan(r.URL.Query().Get("offset"), &at)
			switch logs {
			case 1:
				problem.Write(w, problem.New(problem.Unavailable, "the agent is away"))
			case 2: // breaks in the middle of a line
				_, _ = io.WriteString(w, output[at:6])
			default:
				_, _ = io.WriteString(w, output[at:])
			}
		},
	})
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"spark", "run", "pi", "200"}); code != 3 {
		t.Errorf("exit code %d, want that of the task", code)
	}
	if w.out.String() != output {
		t.Errorf("output %q, want %q", w.out.String(), output)
	}
	for _, want := range []string{"waiting: run pi pending", "run r1 of run pi failed: exit code 3", "dcos task log spark.r1.action.1"} {
		if !strings.Contains(w.err.String(), want) {
			t.Errorf("no %q in:\n%s", want, w.err.String())
		}
	}
}

func TestInstall_showsTheNewPlanWhenItsOwnIsStale(t *testing.T) {
	made := func(digest, version string) *plan.Plan {
		return &plan.Plan{Digest: "sha256:" + digest, Request: plan.Request{Package: "spark"},
			Steps: []plan.Step{{Action: plan.ActionInstall, ServiceID: "spark", Package: "spark", Version: version}}}
	}
	var applied []string
	url := stub(t, map[string]http.HandlerFunc{
		"POST /v1/plans": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, made("old", "4.2.0")) },
		"POST /v1/installations": func(w http.ResponseWriter, r *http.Request) {
			var req catalogapi.InstallRequest
			if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
				t.Error(err)
			}
			applied = append(applied, req.PlanDigest)
			if req.PlanDigest != "sha256:new" {
				problem.Write(w, problem.New(problem.Conflict, "stale").WithData(made("new", "4.3.0")))
				return
			}
			reply(t, w, made("new", "4.3.0"))
		},
		"GET /v1/installations/spark": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, plan.Installation{ID: "spark"}) },
	})
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"package", "install", "spark", "--yes", "--no-wait"}); code != 0 {
		t.Errorf("exit code %d:\n%s", code, w.err.String())
	}
	if strings.Join(applied, " ") != "sha256:old sha256:new" {
		t.Errorf("applied %v", applied)
	}
	old, fresh := strings.Index(w.err.String(), "4.2.0"), strings.Index(w.err.String(), "4.3.0")
	if old < 0 || fresh < old || !strings.Contains(w.err.String(), "has changed") {
		t.Errorf("both plans should be shown in order:\n%s", w.err.String())
	}

	// Somebody who is asked can say no to the new one.
	w, applied = newWorld(t, "DCOS_URL", url), nil
	w.In, w.InTerminal, w.ErrTerminal = io.MultiReader(&oneLine{"y\n"}, &oneLine{"n\n"}), true, true
	if code := Main(t.Context(), w.Deps, []string{"package", "install", "spark", "--no-wait"}); code != ExitUsage {
		t.Errorf("exit code %d after a no", code)
	}
	if strings.Join(applied, " ") != "sha256:old" {
		t.Errorf("applied %v after a no", applied)
	}
}

// oneLine gives its text in one read, as a terminal does, so that no reader
// takes more than a line.
type oneLine struct{ text string }

func (o *oneLine) Read(p []byte) (int, error) {
	if o.text == "" {
		return 0, io.EOF
	}
	n := copy(p, o.text)
	o.text = o.text[n:]
	return n, nil
}

func TestWatch_outlivesAMasterThatIsAway(t *testing.T) {
	s := deploying(newWorld(t).Now())
	done := s
	done.State = service.ServiceRunning
	next := sequence(&s, &s, nil, nil, &done)
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/services/spark": func(w http.ResponseWriter, _ *http.Request) {
			if now := next(); now != nil {
				reply(t, w, now)
				return
			}
			problem.Write(w, problem.New(problem.Unavailable, "the master starts"))
		},
	})
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"service", "watch", "spark"}); code != 0 {
		t.Errorf("exit code %d:\n%s", code, w.err.String())
	}
	for _, want := range []string{"the master does not answer; trying again: the master starts", "done: spark running"} {
		if !strings.Contains(w.err.String(), want) {
			t.Errorf("no %q in:\n%s", want, w.err.String())
		}
	}
}

func TestInstall_timesOutAndNamesWhatIsMissing(t *testing.T) {
	s := deploying(newWorld(t).Now())
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/services/spark": func(w http.ResponseWriter, _ *http.Request) { reply(t, w, s) },
	})
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"service", "watch", "spark", "--timeout", "50ms"}); code != ExitTimeout {
		t.Errorf("exit code %d", code)
	}
	_, said, _ := strings.Cut(w.err.String(), "error: ")
	for _, want := range []string{"not ready after 50ms", "\n  worker-2 waiting: fits nowhere: a1: mem: needs 2 GiB, has 512 MiB", "dcos service watch spark"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in:\n%s", want, said)
		}
	}
}

func TestReplies_ofAHostileServerCannotSteerTheTerminal(t *testing.T) {
	evil := "x\x1b[2J\x1b]0;owned\x07\u202e"
	now := newWorld(t).Now() // not in a handler, which can outlive a command
	url := stub(t, map[string]http.HandlerFunc{
		"GET /v1/packages": func(w http.ResponseWriter, _ *http.Request) {
			reply(t, w, map[string]any{"total": 1, "items": []any{map[string]any{"name": evil, "summary": evil, "version": evil}}})
		},
		"GET /v1/packages/x": func(w http.ResponseWriter, _ *http.Request) {
			reply(t, w, map[string]any{"package": map[string]any{"name": evil, "version": "1.0.0", "summary": evil, "description": evil, "home": evil},
				"readme": evil, "actions": []any{map[string]any{"name": evil, "summary": evil}}})
		},
		"GET /v1/packages/y": func(w http.ResponseWriter, _ *http.Request) {
			problem.Write(w, problem.New(problem.NotFound, "%s", evil).WithHint("%s", evil))
		},
		"GET /v1/services/x": func(w http.ResponseWriter, _ *http.Request) {
			s := deploying(now)
			s.Pods[1].Instances[2].WhyText, s.Pods[1].Instances[0].Name, s.Package = evil, evil, evil
			reply(t, w, s)
		},
	})
	for _, line := range []string{"package search", "package search -o name", "package describe x", "package describe x --readme", "package describe y",
		"service show x", "service watch x --timeout 20ms"} {
		w := newWorld(t, "DCOS_URL", url)
		Main(t.Context(), w.Deps, strings.Fields(line))
		for _, s := range []string{w.out.String(), w.err.String()} {
			if strings.ContainsAny(s, "\x1b\x07\u202e") {
				t.Errorf("%s: %q", line, s)
			}
		}
		if w.out.Len()+w.err.Len() == 0 {
			t.Errorf("%s printed nothing", line)
		}
	}
}
