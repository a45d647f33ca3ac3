package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// TestDev_keepsData writes a row and ends every part that could lose it: the
// server's task, its agent, containerd, the master, the service itself.
func TestDev_keepsData(t *testing.T) {
	e := newE2E(t)
	e.dcos("package", "publish", "../../packages/postgres/15.20.0")
	e.dcos("package", "install", "postgres", "--yes")
	e.dcos("postgres", "psql", "create table kept (n int); insert into kept values (42)")
	kept := func(after string) {
		t.Helper()
		e.running("postgres", "postgres", 0, "server") // also: the master answers again
		if out := e.dcos("postgres", "psql", "select 'n=' || n from kept"); !strings.Contains(out, "n=42") {
			t.Fatalf("%s the row is not there:\n%s", after, out)
		}
	}
	kept("at first")
	first := e.running("postgres", "postgres", 0, "server")

	e.dcos("service", "restart", "postgres", "postgres-0", "--yes")
	second := e.running("postgres", "postgres", 0, "server")
	if second.Spec.ID == first.Spec.ID || second.Agent != first.Agent {
		t.Errorf("task %s on %s was restarted as %s on %s", first.Spec.ID, first.Agent, second.Spec.ID, second.Agent)
	}
	kept("after a restart")

	e.again("universe agent", "/"+string(first.Agent)+"/agent.yaml")
	kept("after its agent was killed")
	e.again("universe master")
	kept("after the master was killed")
	e.again("containerd --config", "/"+string(first.Agent)+"/")
	kept("after containerd was killed")
	if now := e.running("postgres", "postgres", 0, "server"); now.Spec.ID != second.Spec.ID {
		t.Errorf("the task is another one: %s, was %s", now.Spec.ID, second.Spec.ID)
	}

	e.dcos("package", "uninstall", "postgres", "--keep-data", "--yes")
	if len(e.volumes()) != 1 {
		t.Errorf("the volume was to be kept: %v", e.volumes())
	}
	e.dcos("package", "install", "postgres", "--yes")
	kept("after it was uninstalled with its data kept")

	e.dcos("package", "uninstall", "postgres", "--yes")
	e.nothingKept()
}

// TestDev_ensemble kills the leader of three ZooKeeper servers and upgrades
// them, the leader last; what was written stays readable. Beside it a small
// Kafka and a redis do their work.
func TestDev_ensemble(t *testing.T) {
	e := newE2EOf(t, 3)
	for _, p := range []string{"zookeeper/3.8.6", "zookeeper/3.9.5", "kafka/4.3.1", "redis/7.0.15"} {
		e.dcos("package", "publish", "../../packages/"+p)
	}
	e.dcos("package", "install", "zookeeper", "--version", "3.8.6", "--yes")
	e.dcos("zookeeper", "create", "/kept", "forty-two")
	kept := func(after string) {
		t.Helper()
		if out := e.dcos("zookeeper", "get", "/kept"); strings.TrimSpace(out) != "forty-two" {
			t.Fatalf("%s the node holds %q", after, out)
		}
	}

	leader := e.leader("zookeeper", "zookeeper", 3)
	e.dcos("task", "kill", string(leader.Spec.ID), "--yes")
	e.dcos("zookeeper", "set", "/kept", "forty-two") // the two others serve
	kept("after the leader was killed")
	e.dcos("service", "watch", "zookeeper", "--timeout", e2ePatience.String())

	leader = e.leader("zookeeper", "zookeeper", 3)
	e.dcos("package", "upgrade", "zookeeper", "--yes")
	e.lastToStart("zookeeper", leader)
	kept("after the upgrade")
	if out := e.dcos("zookeeper", "status"); strings.Count(out, "3.9.5") != 3 {
		t.Errorf("not all servers are upgraded:\n%s", out)
	}
	e.dcos("package", "uninstall", "zookeeper", "--yes")

	e.dcos("package", "install", "redis", "--yes")
	e.dcos("redis", "set", "greeting", "hello")
	if out := e.dcos("redis", "get", "greeting"); strings.TrimSpace(out) != "hello" {
		t.Errorf("redis has %q", out)
	}
	e.dcos("package", "uninstall", "redis", "--yes")

	e.install("kafka", "4.3.1", `{"brokers": {"count": 1, "mem": 512, "disk": 512}, "kafka": {"offsets_topic_num_partitions": 1}}`)
	e.dcos("kafka", "topic", "create", "numbers", "3")
	e.dcos("kafka", "fill", "numbers", "1000")
	e.numbers("numbers", 1000)
	e.dcos("service", "restart", "kafka", "kafka-0", "--yes")
	e.numbers("numbers", 1000)
	e.dcos("package", "uninstall", "kafka", "--yes")
	e.nothingKept()
}

// install installs a release of a package with options, in JSON.
func (e *e2e) install(name, version, options string) {
	e.t.Helper()
	file := filepath.Join(e.dir, name+".json")
	if err := os.WriteFile(file, []byte(options), 0o600); err != nil {
		e.t.Fatal(err)
	}
	e.dcos("package", "install", name, "--version", version, "--options", file, "--yes")
}

// refused runs the command line, which must fail and say why.
func (e *e2e) refused(why string, args ...string) {
	e.t.Helper()
	cmd := exec.Command(filepath.Join(e.bin, "dcos"), args...)
	cmd.Env = e.env()
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), why) {
		e.t.Errorf("dcos %s: want a refusal that says %q, have %v\n%s", strings.Join(args, " "), why, err, out)
	}
}

// numbers reads a topic, which must hold the numbers from 1 to count. Some may be
// there twice, as a producer that has no answer sends again.
func (e *e2e) numbers(topic string, count int) {
	e.t.Helper()
	seen := make([]bool, count+1)
	left := count
	for line := range strings.Lines(e.dcos("kafka", "consume", topic, strconv.Itoa(2*count), "120")) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil || n < 1 || n > count {
			e.t.Fatalf("topic %s holds %q", topic, line)
		}
		if !seen[n] {
			seen[n] = true
			left--
		}
	}
	if left != 0 {
		e.t.Errorf("topic %s lacks %d of %d messages", topic, left, count)
	}
}

// running is the one running task of an instance under that name.
func (e *e2e) running(id cluster.ServiceID, pod string, index int, name string) cluster.Task {
	e.t.Helper()
	var found cluster.Task
	e.until(fmt.Sprintf("%s-%d of %s runs once", pod, index, id), func(ctx context.Context) (bool, string) {
		tasks, err := e.api.Tasks(ctx, client.TaskFilter{Service: id})
		if err != nil {
			return false, err.Error()
		}
		n := 0
		for _, k := range tasks {
			if k.Spec.Pod == pod && k.Spec.Index == index && k.Spec.Task == name && k.Status.State == cluster.TaskRunning && k.Status.Ready {
				n, found = n+1, k
			}
		}
		return n == 1, fmt.Sprintf("%d run of %d tasks", n, len(tasks))
	})
	return found
}

// leader waits until all instances of a pod are ready and one leads: that one.
func (e *e2e) leader(id cluster.ServiceID, pod string, count int) cluster.Task {
	e.t.Helper()
	var leads cluster.Task
	e.until("one of "+pod+" leads", func(ctx context.Context) (bool, string) {
		tasks, err := e.api.Tasks(ctx, client.TaskFilter{Service: id})
		if err != nil {
			return false, err.Error()
		}
		ready, leaders := 0, 0
		for _, k := range tasks {
			if k.Spec.Pod != pod || k.Status.State != cluster.TaskRunning {
				continue
			}
			if k.Status.Ready {
				ready++
			}
			if k.Status.Leader {
				leaders, leads = leaders+1, k
			}
		}
		return ready == count && leaders == 1, fmt.Sprintf("%d ready, %d lead", ready, leaders)
	})
	return leads
}

// lastToStart checks that the instance of a task that led was replaced after all
// others, at the same place.
func (e *e2e) lastToStart(id cluster.ServiceID, led cluster.Task) {
	e.t.Helper()
	tasks, err := e.api.Tasks(context.Background(), client.TaskFilter{Service: id})
	if err != nil {
		e.t.Fatal(err)
	}
	var last cluster.Task
	for _, k := range tasks {
		if k.Spec.Pod == led.Spec.Pod && k.Spec.Task == led.Spec.Task && k.Launched > last.Launched {
			last = k
		}
	}
	if last.Spec.Index != led.Spec.Index || last.Spec.ID == led.Spec.ID || last.Agent != led.Agent {
		e.t.Errorf("%s led and was to be replaced last, at its place; the last one is %s on %s", led.Spec.ID, last.Spec.ID, last.Agent)
	}
}

// volumes are the directories of volumes on all agents, also of those that are
// being removed.
func (e *e2e) volumes() []string {
	var out []string
	for _, p := range []string{"[0-9a-f]*/*", ".new/*", ".trash/*"} {
		found, _ := filepath.Glob(filepath.Join(e.dir, "agents", "*", "state", "volumes", p))
		out = append(out, found...)
	}
	return out
}

// nothingKept waits until no volume is left on any agent and nothing is reserved.
func (e *e2e) nothingKept() {
	e.t.Helper()
	e.until("nothing is kept on the agents", func(ctx context.Context) (bool, string) {
		agents, err := e.api.Agents(ctx)
		if err != nil {
			return false, err.Error()
		}
		left := e.volumes()
		for _, a := range agents {
			if len(a.Reserved) > 0 {
				left = append(left, fmt.Sprintf("%s: %+v", a.Info.ID, a.Reserved))
			}
		}
		return len(left) == 0, strings.Join(left, "\n")
	})
	over, err := e.api.Leftovers(context.Background())
	if err != nil || len(over) > 0 {
		e.t.Errorf("left over: %+v (%v)", over, err)
	}
}
