package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner/fake"
	"github.com/universe-dcos/universe/runtime/runner/output"
)

func TestDisk_aTaskOverItsShareIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		small, free := testTask("a.1"), testTask("b.1")
		small.Resources.Disk = 256 << 10
		for _, spec := range []cluster.TaskSpec{small, free} {
			n.launch(spec)
			n.master.until(cluster.TaskRunning)
			if err := os.MkdirAll(filepath.Join(n.agent.sandbox(spec.ID), "scratch", "0"), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(n.agent.sandbox(spec.ID), "scratch", "0", "f"), strings.Repeat("x", 1<<20))
		}
		got := n.master.until(cluster.TaskFailed)
		if got.Task != "a.1" || got.Reason != cluster.ReasonDiskLimit || !strings.Contains(got.Message, "may write 256 KiB") {
			t.Errorf("end: got %+v, want a.1 over its disk", got)
		}
		synctest.Wait()
		if len(n.master.updates) != 0 {
			t.Errorf("a task without a share: got %+v", <-n.master.updates)
		}
	})
}

func TestTreeSize_countsBlocksAndFollowsNoLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "large"), strings.Repeat("x", 4<<20))
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	stdout, _ := output.Paths(dir)
	if err := os.WriteFile(stdout, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(stdout, 1<<40); err != nil { // a hole takes no room
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "f"), strings.Repeat("x", 100_000))
	got, err := treeSize(dir)
	if err != nil || got < 100_000 || got > 1<<20 {
		t.Errorf("size: got %d, %v, want that of f", got, err)
	}
	if got, err := treeSize(filepath.Join(dir, "not there")); err != nil || got != 0 {
		t.Errorf("size of nothing: got %d, %v", got, err)
	}
}
