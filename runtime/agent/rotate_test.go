package agent

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

func TestRotate_boundsARunningTasksLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.launch(testTask("a.1"))
		n.master.until(cluster.TaskRunning)
		log, _ := output.Paths(n.agent.sandbox("a.1"))
		write(t, log, "the beginning")
		if err := os.Truncate(log, output.MaxStream+1); err != nil { // sparse: it costs nothing
			t.Fatal(err)
		}
		write(t, log, "the end")
		wait := time.NewTimer(2 * rotateEvery)
		<-wait.C
		synctest.Wait()
		var st unix.Stat_t
		if err := unix.Stat(log, &st); err != nil {
			t.Fatal(err)
		}
		if st.Size != output.MaxStream+8 {
			t.Errorf("size of a log over the limit: got %d, want it as it was: offsets stay", st.Size)
		}
		f, err := os.Open(log)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, 13)
		if _, err := f.ReadAt(b, 0); err != nil || string(b) == "the beginning" {
			t.Errorf("beginning of a log over the limit: got %q, %v, want it given back", b, err)
		}
		if w := n.getLog("task=a.1&tail=1"); len(w.Body.String()) == 0 {
			t.Error("tail of a log over the limit: got nothing")
		}
	})
}
