package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func TestCutLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := cutLog(path, 10); err != nil {
		t.Errorf("a log that is not there: %v", err)
	}
	for _, c := range []struct{ text, log, aside string }{
		{"0123456789", "0123456789", ""},
		{"0123456789a", "", "123456789a"},
		{strings.Repeat("x", 50) + "0123456789", "", "0123456789"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := cutLog(path, 10); err != nil {
			t.Fatal(err)
		}
		log, _ := os.ReadFile(path)
		aside, _ := os.ReadFile(path + ".1")
		if string(log) != c.log || string(aside) != c.aside {
			t.Errorf("%q cut at 10: got %q and aside %q, want %q and %q", c.text, log, aside, c.log, c.aside)
		}
	}
}

func TestRotate_boundsARunningTasksLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		log := n.agent.spec(testTask("a.1")).Log
		write(t, log, "x")
		if err := os.Truncate(log, maxLog+1); err != nil { // sparse: it costs nothing
			t.Fatal(err)
		}
		wait := time.NewTimer(2 * rotateEvery)
		<-wait.C
		synctest.Wait()
		if fi, err := os.Stat(log); err != nil || fi.Size() != 0 {
			t.Errorf("log over the limit: got %v, %v, want it cut", fi.Size(), err)
		}
	})
}
