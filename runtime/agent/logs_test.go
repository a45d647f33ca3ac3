package agent

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

// getLog asks the API as the master does.
func (n *node) getLog(query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	n.agent.Handler().ServeHTTP(w, httptest.NewRequestWithContext(n.t.Context(), http.MethodGet, cluster.PathTaskLog+"?"+query, http.NoBody))
	return w
}

func TestLog_offsetTailAndBadQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
			return fake.Behaviour{Output: "one\ntwo\nthree\n", Errors: "oh\n", Exit: &runner.Exit{}}
		}})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskFinished)
		synctest.Wait()
		for _, c := range []struct {
			query string
			code  int
			want  string
		}{
			{"task=a.1", 200, "one\ntwo\nthree\noh\n"},
			{"task=a.1&stream=stdout", 200, "one\ntwo\nthree\n"},
			{"task=a.1&stream=stderr&follow=true", 200, "oh\n"},
			{"task=a.1&follow=true", 200, "one\ntwo\nthree\noh\n"},
			{"task=a.1&offset=4", 200, "two\nthree\noh\n"},
			{"task=a.1&offset=4&stream=stdout", 200, "two\nthree\n"},
			{"task=a.1&offset=17", 200, ""},
			{"task=a.1&tail=2", 200, "three\noh\n"},
			{"task=a.1&tail=2&stream=stdout", 200, "two\nthree\n"},
			{"task=a.1&tail=3", 200, "two\nthree\noh\n"},
			{"task=a.1&tail=99", 200, "one\ntwo\nthree\noh\n"},
			{"task=a.1&tail=0", 200, ""},
			{"task=b.1", 404, `"code":"not_found"`},
			{"", 400, `"code":"invalid"`},
			{"task=..%2Fagent.db", 400, `"code":"invalid"`},
			{"task=a.1&offset=-1", 400, "offset"},
			{"task=a.1&tail=x", 400, "tail"},
			{"task=a.1&tail=100001", 400, "tail"},
			{"task=a.1&follow=maybe", 400, "follow"},
			{"task=a.1&stream=..%2Fother", 400, "stream"},
		} {
			w := n.getLog(c.query)
			got := w.Body.String()
			if w.Code != c.code || (c.code == 200 && got != c.want) || !strings.Contains(got, c.want) {
				t.Errorf("log?%s: got %d %q, want %d %q", c.query, w.Code, got, c.code, c.want)
			}
		}
	})
}

func TestLog_tailOfALongLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text := strings.Repeat("a line of some length that is repeated\n", 10_000) + "the last, not ended"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, n := range []int64{1, 2, 5000} {
		at, err := tailOffset(f, 0, int64(len(text)), n)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(text[at:], "\n") + 1; int64(got) != n || (at > 0 && text[at-1] != '\n') {
			t.Errorf("last %d lines: got %d", n, got)
		}
	}
}

func TestLog_followEndsWithTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(runner.Spec) fake.Behaviour { return fake.Behaviour{Prepare: time.Minute} }})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskStarting)
		r, w := io.Pipe()
		go func() { // followed before there is a log
			n.agent.Handler().ServeHTTP(pipeResponse{w, http.Header{}},
				httptest.NewRequestWithContext(t.Context(), http.MethodGet, cluster.PathTaskLog+"?task=a.1&follow=true", http.NoBody))
			w.Close()
		}()
		n.master.until(cluster.TaskRunning)
		log, _ := output.Paths(n.agent.sandbox("a.1"))
		var got strings.Builder
		buf := make([]byte, 100)
		for _, text := range []string{"first\n", "second\n"} {
			write(t, log, text)
			k, err := r.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got.Write(buf[:k])
		}
		if err := os.Truncate(log, 0); err != nil {
			t.Fatal(err)
		}
		write(t, log, "cut\n")
		k, err := r.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(buf[:k])
		if err := n.runner.End("a.1", runner.Exit{}); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(r)
		if err != nil || got.String() != "first\nsecond\ncut\n" || len(rest) != 0 {
			t.Errorf("followed log: got %q and %q at the end (%v)", got.String(), rest, err)
		}
	})
}

type pipeResponse struct {
	*io.PipeWriter
	header http.Header
}

func (p pipeResponse) Header() http.Header { return p.header }
func (pipeResponse) WriteHeader(int)       {}
func (pipeResponse) Flush()                {}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestTidy_keepsABoundedNumberAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: quick}, func(c *Config) { c.KeepEnded, c.KeepFor = 2, time.Hour })
		if err := os.MkdirAll(n.agent.sandbox("stray.1"), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, id := range []cluster.TaskID{"a.1", "b.1", "c.1"} {
			n.launch(testTask(id))
			n.master.until(cluster.TaskFinished)
		}
		sandboxes := func() string {
			dirs, _ := os.ReadDir(filepath.Join(n.config.StateDir, "tasks"))
			var names []string
			for _, d := range dirs {
				names = append(names, d.Name())
			}
			return strings.Join(names, " ")
		}
		wait := time.NewTimer(2 * tidyEvery)
		<-wait.C
		synctest.Wait()
		if got := sandboxes(); got != "b.1 c.1" {
			t.Errorf("sandboxes after tidying: got %q, want the newest two", got)
		}
		wait.Reset(time.Hour)
		<-wait.C
		synctest.Wait()
		if got := sandboxes(); got != "" {
			t.Errorf("sandboxes after an hour: got %q, want none", got)
		}
		if w := n.getLog("task=c.1"); w.Code != http.StatusNotFound {
			t.Errorf("log after an hour: got %d, want 404", w.Code)
		}
	})
}
