package command

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// startTask runs a cluster with a service "web" of one task, which is ready.
func startTask(t *testing.T) (url string) {
	t.Helper()
	url, err := startCluster(t.TempDir(), t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	rt, err := runtimeclient.New(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = rt.PutService(t.Context(), runtimeclient.PutService{Spec: cluster.ServiceSpec{ID: "web", Pods: []cluster.PodSpec{{
		Name: "web", Count: 1, Tasks: []cluster.TaskTemplate{{Name: "web", Goal: cluster.GoalRunning,
			Container: cluster.Container{Image: "x@sha256:" + strings.Repeat("0", 64), Command: []string{"/bin/serve"}},
			Resources: cluster.Resources{CPU: 100, Mem: 32 << 20}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "DCOS_URL", url)
	if code := Main(t.Context(), w.Deps, []string{"service", "watch", "web"}); code != ExitOK {
		t.Fatalf("the service is not ready: %s", w.err.String())
	}
	return url
}

// TestExec_onATerminal puts the terminal into raw mode and back, and passes on
// its size and what it changes to.
func TestExec_onATerminal(t *testing.T) {
	url := startTask(t)
	w := newWorld(t, "DCOS_URL", url)
	in, _ := io.Pipe() // nobody types anything
	defer in.Close()
	w.In, w.InTerminal, w.OutTerminal = in, true, true
	sizes := sequence([2]int{80, 24}, [2]int{132, 43})
	w.Size = func() (int, int) { s := sizes(); return s[0], s[1] }
	resized := make(chan os.Signal, 1)
	resized <- os.Interrupt
	stopped := make(chan struct{})
	w.Resized = func() (<-chan os.Signal, func()) { return resized, func() { close(stopped) } }
	var raw []string
	w.Raw = func() (func(), error) {
		raw = append(raw, "raw")
		return func() { raw = append(raw, "restored") }, nil
	}
	if code := Main(t.Context(), w.Deps, []string{"task", "exec", "-it", "web", "sizes"}); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, w.err.String())
	}
	if got, want := w.out.String(), "true 80x24\n132x43\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if got := strings.Join(raw, " "); got != "raw restored" {
		t.Errorf("the terminal: %s", got)
	}
	<-stopped

	// Without its input, Ctrl-C must stay a signal.
	w.Resized = func() (<-chan os.Signal, func()) { return nil, func() {} }
	if code := Main(t.Context(), w.Deps, []string{"task", "exec", "-t", "web", "ls"}); code != ExitOK || len(raw) != 2 {
		t.Errorf("exit code %d, the terminal: %v", code, raw)
	}
}

// cancelling is a writer that ends a context when something is written.
type cancelling struct {
	io.Writer
	cancel context.CancelFunc
}

func (c cancelling) Write(p []byte) (int, error) {
	defer c.cancel()
	return c.Writer.Write(p)
}

func TestExec_endsWithAnInterrupt(t *testing.T) {
	url := startTask(t)
	w := newWorld(t, "DCOS_URL", url)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.Out = cancelling{&w.out, cancel}
	if code := Main(ctx, w.Deps, []string{"task", "exec", "web", "wait"}); code != ExitInterrupted || w.out.String() != "waiting\n" {
		t.Errorf("exit code %d, printed %q and %q", code, w.out.String(), w.err.String())
	}
	// The task is not touched by it.
	if code := Main(t.Context(), w.Deps, []string{"task", "exec", "web", "true"}); code != ExitOK {
		t.Errorf("exit code %d: %s", code, w.err.String())
	}
}
