package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/universe-dcos/universe/runtime/agent/volume"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

const testRole cluster.Role = "kafka"

// holding is a task that holds a volume of testRole.
func holding(id cluster.TaskID, volume string, size int64) cluster.TaskSpec {
	spec := testTask(id)
	spec.Role = testRole
	spec.Resources.Disk = size
	spec.Reserved = cluster.NewReserves(cluster.Reserved{
		Stack:   cluster.Stack{{Role: testRole}},
		Volumes: []cluster.Volume{{ID: volume, Path: "data/" + volume, Size: size}},
	})
	return spec
}

// seen gives what a running container has of volumes.
func (n *node) seen(id cluster.TaskID) []runner.Mount {
	n.t.Helper()
	spec, ok := n.runner.Spec(id)
	if !ok {
		n.t.Fatalf("no container %s", id)
	}
	return spec.Volumes
}

func (n *node) dataOf(volume string) string {
	return n.agent.store.Path(cluster.VolumeName{Role: testRole, ID: volume})
}

func (n *node) runs(spec cluster.TaskSpec) {
	n.t.Helper()
	n.launch(spec)
	if got := n.master.until(cluster.TaskRunning); got.Task != spec.ID {
		n.t.Fatalf("running: got %s, want %s", got.Task, spec.ID)
	}
}

func (n *node) ends(id cluster.TaskID) {
	n.t.Helper()
	if err := n.runner.End(id, runner.Exit{}); err != nil {
		n.t.Fatal(err)
	}
	n.master.until(cluster.TaskFinished)
	synctest.Wait()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestVolumes_outliveTheirTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.runs(holding("a.1", "v", 1<<20))
		got := n.seen("a.1")
		want := []runner.Mount{{Source: n.dataOf("v"), Path: cluster.SandboxPath + "/data/v"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("volumes of the first task (-want +got):\n%s", diff)
		}
		if rel, err := filepath.Rel(n.config.StateDir, got[0].Source); err != nil || !strings.HasPrefix(rel, "volumes/") {
			t.Errorf("data lies in %s, want it below volumes/", got[0].Source)
		}
		write(t, filepath.Join(got[0].Source, "x"), "kept")
		n.ends("a.1")

		next := holding("b.1", "v", 1<<20)
		next.Container.Volumes = []cluster.VolumeMount{{Volume: "v", Path: "/var/lib/db", ReadOnly: true}}
		n.runs(next)
		got = n.seen("b.1")
		want[0].Path, want[0].ReadOnly = "/var/lib/db", true
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("volumes of the second task (-want +got):\n%s", diff)
		}
		if b, err := os.ReadFile(filepath.Join(got[0].Source, "x")); err != nil || string(b) != "kept" {
			t.Errorf("data as the second task sees it: got %q, %v", b, err)
		}
		n.kill()
		hello := n.start()
		if diff := cmp.Diff([]cluster.VolumeName{{Role: testRole, ID: "v"}}, hello.Volumes); diff != "" {
			t.Errorf("Hello.Volumes (-want +got):\n%s", diff)
		}
	})
}

func TestVolumes_oneGroupAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.runs(holding("a.1", "v", 1<<20))
		refused := func(spec cluster.TaskSpec, by string) {
			t.Helper()
			n.launch(spec)
			got := n.master.until(cluster.TaskFailed)
			if got.Reason != cluster.ReasonLaunchFailed || !strings.Contains(got.Message, `volume "v" of role "kafka" is still in use by the task `+by) {
				t.Errorf("a task with a volume in use: got %+v", got)
			}
			synctest.Wait() // until the ack is in
		}
		refused(holding("b.1", "v", 1<<20), "a.1")
		n.runs(holding("c.1", "another", 1<<20))
		n.ends("a.1")

		// Whoever mounts it counts, also when the one that held it has ended.
		holder, mounts := holding("d.1", "v", 1<<20), testTask("e.1")
		holder.Group, mounts.Group, mounts.Role = "g", "g", testRole
		mounts.Container.Volumes = []cluster.VolumeMount{{Volume: "v", Path: "/v"}}
		n.runs(holder)
		n.runs(mounts)
		n.ends("d.1")
		refused(holding("f.1", "v", 1<<20), "e.1")
		n.kill()
		n.start()
		refused(holding("g.1", "v", 1<<20), "e.1")
		n.ends("e.1")
		n.runs(holding("h.1", "v", 1<<20))
	})
}

func TestVolumes_ofAnotherTaskOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		reader := testTask("reader.1")
		reader.Group, reader.Role = "g", testRole
		reader.Container.Volumes = []cluster.VolumeMount{{Volume: "v", Path: "/v", ReadOnly: true}}
		n.launch(reader) // its order comes first
		n.master.until(cluster.TaskStarting)
		pause(10 * time.Second)
		holder := holding("holder.1", "v", 1<<20)
		holder.Group = "g"
		n.launch(holder)
		for range 2 {
			n.master.until(cluster.TaskRunning)
		}
		if diff := cmp.Diff([]runner.Mount{{Source: n.dataOf("v"), Path: "/v", ReadOnly: true}}, n.seen("reader.1")); diff != "" {
			t.Errorf("volumes of the reader (-want +got):\n%s", diff)
		}

		lonely := reader
		lonely.ID, lonely.Group = "lonely.1", "h"
		begun := time.Now()
		n.launch(lonely)
		got := n.master.until(cluster.TaskFailed)
		if took := time.Since(begun); took < groupWait || took > groupWait+2*maxGroupRetry || got.Reason != cluster.ReasonLaunchFailed ||
			!strings.Contains(got.Message, `of group h: volume "v": no task of its group`) {
			t.Errorf("a volume that nobody holds: got %+v after %s", got, took)
		}
	})
}

func TestVolumes_invalidOnesAreTaskErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		for what, change := range map[string]func(*cluster.TaskSpec){
			"id":           func(s *cluster.TaskSpec) { s.Reserved[0].Volumes[0].ID = "../../x" },
			"path":         func(s *cluster.TaskSpec) { s.Reserved[0].Volumes[0].Path = "../x" },
			"stack":        func(s *cluster.TaskSpec) { s.Reserved[0].Stack = nil },
			"more":         func(s *cluster.TaskSpec) { s.Resources.Disk = 1 },
			"not its own":  func(s *cluster.TaskSpec) { s.Container.Volumes = []cluster.VolumeMount{{Volume: "w", Path: "/w"}} },
			"mount":        func(s *cluster.TaskSpec) { s.Container.Volumes = []cluster.VolumeMount{{Volume: "v", Path: "w"}} },
			"of two roles": twice,
		} {
			spec := holding(cluster.TaskID(strings.ReplaceAll(what, " ", "-")+".1"), "v", 1<<20)
			change(&spec)
			n.launch(spec)
			if got := n.master.until(cluster.TaskError); got.Reason != cluster.ReasonTaskInvalid || got.Message == "" {
				t.Errorf("%s: got %+v", what, got)
			}
		}
		synctest.Wait()
		if n.runner.Starts() != 0 || len(n.agent.volumeNames()) != 0 {
			t.Errorf("after refusals: %d starts, volumes %v", n.runner.Starts(), n.agent.volumeNames())
		}
	})
}

// twice has a task hold two volumes of one name, and mount "it".
func twice(s *cluster.TaskSpec) {
	other := cluster.Reserved{Stack: cluster.Stack{{Role: "kafka/log"}}, Volumes: s.Reserved[0].Volumes}
	s.Reserved = s.Reserved.Plus(cluster.NewReserves(other))
	s.Resources.Disk *= 2
	s.Container.Volumes = []cluster.VolumeMount{{Volume: "v", Path: "/v"}}
}

func destroyOrder(volume string) cluster.Order {
	return cluster.Order{Kind: cluster.OrderDestroy, Role: testRole, Volume: volume}
}

func TestVolumes_areDestroyedWhenNobodyHoldsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.runs(holding("a.1", "v", 1<<20))
		n.runs(holding("b.1", "w", 1<<20))
		write(t, filepath.Join(n.dataOf("v"), "x"), "x")
		n.master.order(destroyOrder("v"))
		n.master.order(destroyOrder("nobody"))
		n.master.order(cluster.Order{Kind: cluster.OrderDestroy, Role: testRole, Volume: "../../.."})
		synctest.Wait()
		if !exists(filepath.Join(n.dataOf("v"), "x")) {
			t.Fatal("the data went while a task held it")
		}
		n.ends("a.1")
		if exists(n.dataOf("v")) || !exists(n.dataOf("w")) {
			t.Errorf("after the end: v is there %t, w is there %t, want only w", exists(n.dataOf("v")), exists(n.dataOf("w")))
		}
		if left, err := os.ReadDir(filepath.Join(n.config.StateDir, "volumes", ".trash")); err != nil || len(left) != 0 {
			t.Errorf("trash: got %v, %v, want it swept", left, err)
		}
		n.runs(holding("c.1", "v", 1<<20))
		if exists(filepath.Join(n.dataOf("v"), "x")) {
			t.Error("a new volume of the same name has the data of the old one")
		}
		n.ends("c.1")
		n.master.order(destroyOrder("v")) // nobody holds it: at once
		synctest.Wait()
		if exists(n.dataOf("v")) {
			t.Error("a volume that nobody holds is still there")
		}
	})
}

func TestVolumes_areDestroyedInALaterLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		n.runs(holding("a.1", "v", 1<<20))
		n.master.order(destroyOrder("v"))
		synctest.Wait()
		n.kill()
		if err := n.runner.End("a.1", runner.Exit{}); err != nil {
			t.Fatal(err)
		}
		n.start()
		n.master.until(cluster.TaskFinished)
		synctest.Wait()
		if exists(n.dataOf("v")) {
			t.Error("a volume that was to go in an earlier life is there")
		}
		n.kill()
		// What an agent leaves that dies between the end of the task and this.
		store, err := volume.Open(filepath.Join(n.config.StateDir, "volumes"))
		if err != nil {
			t.Fatal(err)
		}
		name := cluster.VolumeName{Role: testRole, ID: "w"}
		_, err = store.Make(name, nil)
		if err := errors.Join(err, store.Doom(name), store.Close()); err != nil {
			t.Fatal(err)
		}
		n.start()
		if synctest.Wait(); exists(n.dataOf("w")) {
			t.Error("a volume that was to go when the agent died is there")
		}
	})
}

func TestVolumes_overTheirSizeEndWhoMountsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		holder, mounts := holding("a.1", "v", 256<<10), testTask("b.1")
		holder.Group, mounts.Group, mounts.Role = "g", "g", testRole
		mounts.Container.Volumes = []cluster.VolumeMount{{Volume: "v", Path: "/v"}}
		n.runs(holder)
		n.runs(mounts)
		n.runs(holding("c.1", "w", 2<<20))
		for _, v := range []string{"v", "w"} {
			write(t, filepath.Join(n.dataOf(v), "x"), strings.Repeat("x", 1<<20))
		}
		ended := map[cluster.TaskID]bool{}
		for range 2 {
			got := n.master.until(cluster.TaskFailed)
			ended[got.Task] = true
			if got.Reason != cluster.ReasonDiskLimit || !strings.Contains(got.Message, `volume "v" holds 1`) || !strings.Contains(got.Message, "may hold 256 KiB") {
				t.Errorf("end: got %+v", got)
			}
		}
		pause(time.Hour)
		if !ended["a.1"] || !ended["b.1"] || len(n.master.updates) != 0 {
			t.Errorf("ended: got %v and %d more, want a.1 and b.1", ended, len(n.master.updates))
		}
		if !exists(filepath.Join(n.dataOf("v"), "x")) {
			t.Error("the data went with the task")
		}
	})
}

func TestVolumes_theSandboxHasTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		spec := holding("a.1", "v", 64<<20)
		spec.Resources.Disk += 256 << 10
		n.runs(spec)
		write(t, filepath.Join(n.agent.sandbox("a.1"), "f"), strings.Repeat("x", 1<<20))
		if got := n.master.until(cluster.TaskFailed); got.Reason != cluster.ReasonDiskLimit || !strings.Contains(got.Message, "may write 256 KiB") {
			t.Errorf("end: got %+v", got)
		}
	})
}

func TestOwner_isKnownByNumbersOnly(t *testing.T) {
	for user, want := range map[string]string{
		"1000": "1000:1000", "1000:100": "1000:100", "0": "0:0", "": "nobody", "postgres": "nobody", "1000:db": "nobody", "-1": "nobody", "4294967296": "nobody",
	} {
		got := "nobody"
		if o := owner(user); o != nil {
			got = fmt.Sprintf("%d:%d", o.UID, o.GID)
		}
		if got != want {
			t.Errorf("owner(%q): got %s, want %s", user, got, want)
		}
	}
}
