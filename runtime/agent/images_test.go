package agent

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

func imageTask(image int) cluster.TaskSpec {
	spec := testTask(cluster.TaskID(fmt.Sprintf("a.%d", image)))
	spec.Container.Image = fmt.Sprintf("registry.test/x@sha256:%064d", image)
	return spec
}

// images gives the numbers of the images that are there.
func (n *node) images() string {
	var out []string
	for _, ref := range n.runner.Images() {
		out = append(out, strings.TrimLeft(ref[strings.Index(ref, ":")+1:], "0"))
	}
	return strings.Join(out, " ")
}

func TestImages_unusedOnesGoWhenTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used atomic.Int64
		script := &fake.Runner{ImageSize: func(string) int64 { return 100 }}
		n := newNode(t, script, func(c *Config) {
			c.DiskUse = func(dir string) (int64, int64, error) {
				if dir != c.StateDir {
					t.Errorf("asked for the disk of %s", dir)
				}
				return used.Load(), 1000, nil
			}
		})
		check := func(what, want string) {
			t.Helper()
			if diff := cmp.Diff(want, n.images()); diff != "" {
				t.Errorf("images %s (-want +got):\n%s", what, diff)
			}
		}
		for i := range 4 {
			n.runs(imageTask(i + 1))
			if i != 1 {
				n.ends(imageTask(i + 1).ID)
			}
			pause(time.Second) // each was used at a time of its own
		}
		used.Store(850)
		pause(2 * imagesKeep)
		check("at 85 % of the disk", "1 2 3 4")
		used.Store(920)
		pause(imagesEvery)
		check("after 120 bytes were wanted, 2 is running", "2 4")
		used.Store(800)
		n.runs(imageTask(5))
		n.ends("a.5")
		used.Store(990)
		pause(imagesEvery)
		check("while 5 is fresh", "2 5")
	})
}

func TestImages_goAfterAPullThatHadNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{Script: func(s runner.Spec) fake.Behaviour {
			if s.Task.ID == "a.2" {
				return fake.Behaviour{PrepareErr: fmt.Errorf("write blob: %s: %w", syscall.ENOSPC.Error(), runner.ErrImage)}
			}
			return fake.Behaviour{}
		}}, func(c *Config) {
			c.DiskUse = func(string) (int64, int64, error) { return 810, 1000, nil }
		})
		n.runs(imageTask(1))
		n.ends("a.1")
		pause(2 * imagesKeep)
		if n.images() != "1" {
			t.Errorf("images at 81 %%: got %q, want it kept", n.images())
		}
		n.launch(imageTask(2))
		if got := n.master.until(cluster.TaskFailed); got.Reason != cluster.ReasonImagePull {
			t.Errorf("end: got %+v", got)
		}
		synctest.Wait()
		if strings.Contains(n.images(), "1") {
			t.Errorf("images after a pull without room: got %q, want the unused one gone", n.images())
		}
	})
}

func TestDiskUse_asksTheKernel(t *testing.T) {
	used, total, err := diskUse(t.TempDir())
	if err != nil || used <= 0 || used > total {
		t.Errorf("got %d of %d, %v", used, total, err)
	}
	if _, _, err := diskUse("/does/not/exist"); err == nil {
		t.Error("of nothing: got no error")
	}
}
