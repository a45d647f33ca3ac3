package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/internal/problem"
	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// execCluster is a whole cluster with one running task whose sessions are scripted.
func execCluster(t *testing.T, session func(context.Context, runner.Session) (int, error)) (*whole, cluster.TaskID) {
	t.Helper()
	w := newWhole(t)
	w.startAgent("a1", &fake.Runner{Script: func(runner.Spec) fake.Behaviour {
		return fake.Behaviour{Output: "out\n", ExecIO: session}
	}})
	if _, err := w.client.PutService(testContext(t), client.PutService{Spec: testSpec("web", 1)}); err != nil {
		t.Fatal(err)
	}
	w.until("a ready task", readyTasks(1))
	for task := range w.master.View().ServiceTasks("web") {
		return w, task.Spec.ID
	}
	t.Fatal("no task")
	return nil, ""
}

func TestExec_throughMasterAndAgent(t *testing.T) {
	w, task := execCluster(t, func(_ context.Context, s runner.Session) (int, error) {
		fmt.Fprintf(s.Stdout, "%q %t %dx%d;", s.Argv, s.TTY, s.Size.Columns, s.Size.Rows)
		resized := make(chan runner.Size, 1) // frames come in their order: none may hold up the others
		go func() { resized <- <-s.Resize }()
		keys, err := io.ReadAll(s.Stdin)
		size := <-resized
		fmt.Fprintf(s.Stderr, "now %dx%d", size.Columns, size.Rows)
		fmt.Fprintf(s.Stdout, "%s", keys)
		return 7, err
	})
	resize := make(chan client.Size, 1)
	resize <- client.Size{Columns: 132, Rows: 43}
	keys := strings.Repeat("0123456789abcdef", 1<<14) // more than any buffer on the way
	var stdout, stderr bytes.Buffer
	code, err := w.client.Exec(testContext(t), task, client.ExecOptions{Argv: []string{"sh", "-c", "a b&c"}, TTY: true, Size: client.Size{Columns: 80, Rows: 25},
		Resize: resize, Stdin: strings.NewReader(keys), Stdout: &stdout, Stderr: &stderr})
	if code != 7 || err != nil {
		t.Errorf("Exec = %d, %v; want 7", code, err)
	}
	if want := `["sh" "-c" "a b&c"] true 80x25;` + keys; stdout.String() != want {
		t.Errorf("stdout: %d bytes, %.60q, want %d bytes", stdout.Len(), stdout.String(), len(want))
	}
	if stderr.String() != "now 132x43" {
		t.Errorf("stderr: %q", stderr.String())
	}
}

func TestExec_endsWhenASideGoes(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	w, task := execCluster(t, func(ctx context.Context, s runner.Session) (int, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return 0, ctx.Err()
	})
	wait := func(what string, c <-chan struct{}) {
		t.Helper()
		select {
		case <-c:
		case <-testContext(t).Done():
			t.Fatalf("%s: not seen", what)
		}
	}
	open := func(ctx context.Context) <-chan error {
		result := make(chan error, 1)
		go func() {
			stdin, keys := io.Pipe()
			defer keys.Close() // else its reader stays
			_, err := w.client.Exec(ctx, task, client.ExecOptions{Argv: []string{"sleep"}, Stdin: stdin})
			result <- err
		}()
		wait("the process", began)
		return result
	}

	ctx, leave := context.WithCancelCause(testContext(t))
	left := open(ctx)
	leave(errors.New("the user left"))
	if err := <-left; err == nil || !strings.Contains(err.Error(), "the user left") {
		t.Errorf("Exec after its caller left = %v", err)
	}
	wait("the process's end with its user", ended)

	cut := open(testContext(t))
	w.stop()
	if err := <-cut; err == nil { // cut off, or told in time that the process was ended
		t.Error("Exec after the master's end = nil")
	}
	wait("the process's end with the master", ended)
	if _, err := w.client.Exec(testContext(t), task, client.ExecOptions{Argv: []string{"sleep"}}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Exec on a master that stopped = %v", err)
	}
	if task := w.master.View().Task(task); !task.Active() {
		t.Errorf("the session's end ended the task: %s", task.Status.State)
	}
	if _, err := w.master.Exec(testContext(t), task, client.ExecOptions{Argv: []string{"sleep"}}); !problem.Is(err, problem.Unavailable) {
		t.Errorf("Exec in the master that stopped = %v", err)
	}
}

func TestExec_refuses(t *testing.T) {
	w, task := execCluster(t, func(context.Context, runner.Session) (int, error) {
		return 0, errors.New("sh: not found in the image")
	})
	ctx := testContext(t)
	for _, tc := range []struct {
		name string
		task cluster.TaskID
		argv []string
		want problem.Class
	}{
		{"no such task", "x", []string{"sh"}, problem.NotFound},
		{"no command", task, nil, problem.Invalid},
		{"an empty command", task, []string{""}, problem.Invalid},
		{"a zero byte", task, []string{"a\x00b"}, problem.Invalid},
		{"too many arguments", task, make([]string, client.MaxExecArgs+1), problem.Invalid},
		{"too many bytes", task, []string{strings.Repeat("x", client.MaxExecBytes+1)}, problem.Invalid},
	} {
		if _, err := w.client.Exec(ctx, tc.task, client.ExecOptions{Argv: tc.argv}); !problem.Is(err, tc.want) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
		if _, err := w.master.Exec(ctx, tc.task, client.ExecOptions{Argv: tc.argv}); !problem.Is(err, tc.want) {
			t.Errorf("%s, in the master: %v, want %s", tc.name, err, tc.want)
		}
	}
	if _, err := w.client.Exec(ctx, task, client.ExecOptions{Argv: []string{"sh"}}); err == nil || !strings.Contains(err.Error(), "not found in the image") {
		t.Errorf("a process that does not start: %v", err)
	}
	if _, err := w.client.KillTask(ctx, task, 0); err != nil {
		t.Fatal(err)
	}
	w.until("the task's end", func(v *core.View) bool { return !v.Task(task).Active() })
	if _, err := w.client.Exec(ctx, task, client.ExecOptions{Argv: []string{"sh"}}); !problem.Is(err, problem.NotFound) || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("in a task that has ended: %v", err)
	}
}

func TestExec_isBounded(t *testing.T) {
	w, task := execCluster(t, func(ctx context.Context, _ runner.Session) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
	ctx, all := testContext(t), make([]*execSession, MaxExecs)
	for i := range all {
		all[i] = &execSession{execs: w.master.execs}
		if err := w.master.execs.add(all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.client.Exec(ctx, task, client.ExecOptions{Argv: []string{"sh"}}); !problem.Is(err, problem.RateLimited) {
		t.Errorf("one session too many: %v", err)
	}
	if err := all[0].Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a session that was closed counts no more
		s, err := w.master.Exec(ctx, task, client.ExecOptions{Argv: []string{"sh"}})
		if err != nil {
			t.Fatalf("Exec after another ended = %v", err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
}

func TestTaskLog_ofOneStream(t *testing.T) {
	w, task := execCluster(t, nil)
	ctx := testContext(t)
	read := func(stream string) string {
		t.Helper()
		log, err := w.client.TaskLog(ctx, task, client.LogOptions{Stream: stream})
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		b, err := io.ReadAll(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if both, out, errs := read(""), read("stdout"), read("stderr"); both != "out\n" || out != "out\n" || errs != "" {
		t.Errorf("both %q, stdout %q, stderr %q", both, out, errs)
	}
	if _, err := w.client.TaskLog(ctx, task, client.LogOptions{Stream: "stdin"}); !problem.Is(err, problem.Invalid) {
		t.Errorf("a stream that is none: %v", err)
	}
}
