package agent

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/runner"
	"github.com/universe-dcos/universe/runtime/runner/fake"
)

// slowNet takes a second to attach, and fails to detach for a while.
type slowNet struct {
	*fake.Runner
	attaches, detaches atomic.Int32
	deaf               int32 // so many calls of Detach fail
}

func (s *slowNet) Attach(ctx context.Context, group string, n cluster.Network) (runner.Attachment, error) {
	s.attaches.Add(1)
	select {
	case <-time.After(time.Second):
		return s.Runner.Attach(ctx, group, n)
	case <-ctx.Done():
		return runner.Attachment{}, ctx.Err()
	}
}

func (s *slowNet) Detach(ctx context.Context, group string) error {
	if s.detaches.Add(1) <= s.deaf {
		return errors.New("device or resource busy")
	}
	return s.Runner.Detach(ctx, group)
}

// bridged is a task of group on the default network, with a port.
func bridged(id cluster.TaskID, group string, port uint16, all ...uint16) cluster.TaskSpec {
	spec := testTask(id)
	spec.Group = group
	spec.Resources.Ports = cluster.Port(port)
	spec.Network = &cluster.Network{Name: cluster.DefaultNetwork}
	for _, p := range append(all, port) {
		spec.Network.Ports = append(spec.Network.Ports, cluster.PortMapping{Host: p, Container: p - 23000})
	}
	return spec
}

// attachments gives the groups that are attached.
func (n *node) attachments() string {
	n.t.Helper()
	all, err := n.runner.Attachments(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	var groups []string
	for _, at := range all {
		groups = append(groups, at.Group)
	}
	return strings.Join(groups, " ")
}

func (n *node) namespace(id cluster.TaskID) string {
	n.t.Helper()
	spec, ok := n.runner.Spec(id)
	if !ok {
		n.t.Fatalf("no container %s", id)
	}
	return spec.Network
}

func TestNetwork_aGroupIsAttachedOnceAndDetachedAfterItsLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nets := &slowNet{Runner: &fake.Runner{}}
		n := newNode(t, nets.Runner, func(c *Config) { c.Runner = nets })
		a, b := bridged("a.1", "g", 31000), bridged("b.1", "g", 31001, 31000)
		a.Network = b.Network // as each order has it, with all ports
		n.launch(a)
		n.launch(b)
		for range 2 {
			n.master.until(cluster.TaskRunning)
		}
		if nets.attaches.Load() != 1 || n.attachments() != "g" {
			t.Errorf("two tasks of a group: %d attachments, there are %q, want one", nets.attaches.Load(), n.attachments())
		}
		if at := n.namespace("a.1"); at == "" || at != n.namespace("b.1") {
			t.Errorf("namespaces: got %q and %q, want the same", at, n.namespace("b.1"))
		}
		n.ends("a.1")
		if n.attachments() != "g" || nets.detaches.Load() != 0 {
			t.Error("detached while a task of the group runs")
		}
		n.ends("b.1")
		if n.attachments() != "" {
			t.Errorf("after the last: %q is attached", n.attachments())
		}
		n.launch(bridged("alone.1", "", 31000))
		n.master.until(cluster.TaskRunning)
		if nets.attaches.Load() != 2 || n.attachments() != "alone.1" {
			t.Errorf("a task alone: %d attachments, there are %q", nets.attaches.Load(), n.attachments())
		}
		n.runs(testTask("host.1"))
		if n.namespace("host.1") != "" {
			t.Error("a task on the agent's network has a namespace")
		}
	})
}

func TestNetwork_failures(t *testing.T) {
	network := bridged("a.1", "g", 31000)
	unknown := bridged("a.1", "g", 31000)
	unknown.Network.Name = "overlay"
	for _, c := range []struct {
		name   string
		runner func(*fake.Runner) runner.Runner
		spec   cluster.TaskSpec
		state  cluster.TaskState
		reason cluster.Reason
		want   string
	}{
		{"the engine has none", func(r *fake.Runner) runner.Runner { return struct{ runner.Runner }{r} }, network,
			cluster.TaskFailed, cluster.ReasonLaunchFailed, "has no networks of its own"},
		{"not a network of the agent", nil, unknown, cluster.TaskError, cluster.ReasonTaskInvalid, `network "overlay"`},
		{"as CNI says", func(r *fake.Runner) runner.Runner {
			r.AttachErr = func(string, cluster.Network) error { return errors.New("no IP addresses available in range set") }
			return r
		}, network, cluster.TaskFailed, cluster.ReasonLaunchFailed, `task "t" of group g: network "bridge": no IP addresses available`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := &fake.Runner{}
				n := newNode(t, script, func(conf *Config) {
					if c.runner != nil {
						conf.Runner = c.runner(script)
					}
				})
				n.launch(c.spec)
				if got := n.master.until(c.state); got.Reason != c.reason || !strings.Contains(got.Message, c.want) {
					t.Errorf("end: got %+v, want %s and %q", got, c.reason, c.want)
				}
				synctest.Wait()
				if n.runner.Starts() != 0 || n.attachments() != "" {
					t.Errorf("afterwards: %d starts, %q attached", n.runner.Starts(), n.attachments())
				}
			})
		})
	}
}

func TestNetwork_aKillWhileItIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nets := &slowNet{Runner: &fake.Runner{}}
		n := newNode(t, nets.Runner, func(c *Config) { c.Runner = nets })
		a, b := bridged("a.1", "g", 31000), bridged("b.1", "g", 31001, 31000)
		a.Network = b.Network
		n.launch(a)
		synctest.Wait() // it holds the lock
		n.launch(b)
		n.master.order(killOrder("a.1", 0))
		if got := n.master.until(cluster.TaskKilled); got.Task != "a.1" || got.Reason != cluster.ReasonKilledInLaunch {
			t.Errorf("end: got %+v", got)
		}
		n.master.until(cluster.TaskRunning) // the other one goes on by itself
		if n.namespace("b.1") == "" || n.attachments() != "g" {
			t.Errorf("the other task: in %q, attached %q", n.namespace("b.1"), n.attachments())
		}
	})
}

func TestNetwork_isDetachedAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nets := &slowNet{Runner: &fake.Runner{}, deaf: 5}
		n := newNode(t, nets.Runner, func(c *Config) { c.Runner = nets })
		n.runs(bridged("a.1", "", 31000))
		n.ends("a.1")
		// Its port is given anew, to a task on the agent's network.
		next := testTask("b.1")
		next.Resources.Ports = cluster.Port(31000)
		n.launch(next)
		n.master.until(cluster.TaskStarting)
		if synctest.Wait(); n.runner.Starts() != 1 {
			t.Error("a task was started while its port led into the network of another one")
		}
		n.master.until(cluster.TaskRunning)
		if n.attachments() != "" || nets.detaches.Load() != 6 {
			t.Errorf("after %d tries: %q is attached", nets.detaches.Load(), n.attachments())
		}
	})
}

func TestNetwork_overLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		for _, spec := range []cluster.TaskSpec{bridged("stays.1", "", 31000), bridged("ends.1", "", 31001)} {
			n.runs(spec)
		}
		n.kill()
		if err := n.runner.End("ends.1", runner.Exit{}); err != nil {
			t.Fatal(err)
		}
		n.runner.HalfAttach("nobodys")
		n.start()
		n.master.until(cluster.TaskFinished)
		synctest.Wait()
		if n.attachments() != "stays.1" {
			t.Errorf("attached in the next life: got %q, want only that of stays.1", n.attachments())
		}
		n.kill()
		n.runner.Reboot()
		n.config.BootID = "boot-2"
		if hello := n.start(); len(hello.Tasks) != 1 || hello.Tasks[0].Status.State != cluster.TaskLost {
			t.Errorf("Hello after a reboot: got %+v, want stays.1 lost", hello.Tasks)
		}
		synctest.Wait()
		if n.attachments() != "" || n.runner.Starts() != 2 {
			t.Errorf("after a reboot: attached %q, %d starts, want nothing", n.attachments(), n.runner.Starts())
		}
		n.master.until(cluster.TaskLost)
		n.runs(bridged("next.1", "", 31000))
	})
}

func TestNetwork_portsThatNeverGetFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nets := &slowNet{Runner: &fake.Runner{}, deaf: 1 << 30}
		n := newNode(t, nets.Runner, func(c *Config) { c.Runner = nets })
		n.runs(bridged("a.1", "", 31000))
		n.ends("a.1")
		begun := time.Now()
		n.launch(bridged("b.1", "", 31000))
		got := n.master.until(cluster.TaskFailed)
		if took := time.Since(begun); took < portsWait || took > portsWait+2*maxGroupRetry || !strings.Contains(got.Message, "still published for a.1") {
			t.Errorf("end: got %+v after %s", got, took)
		}
	})
}

func TestGroup_invalidOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, &fake.Runner{})
		first := bridged("first.1", "g", 31000)
		n.runs(first)
		n.runs(bridged("alone.1", "", 31005))
		mapping := func(host, container uint16) func(*cluster.TaskSpec) {
			return func(s *cluster.TaskSpec) {
				s.Group = "h"
				s.Network.Ports = append(s.Network.Ports, cluster.PortMapping{Host: host, Container: container})
			}
		}
		for what, c := range map[string]struct {
			change func(*cluster.TaskSpec)
			reason cluster.Reason
			want   string
		}{
			"its name":        {func(s *cluster.TaskSpec) { s.Group = "../x" }, cluster.ReasonGroupInvalid, `group "../x" is empty`},
			"another network": {func(s *cluster.TaskSpec) { s.Network.Name = "other" }, cluster.ReasonGroupInvalid, "another network"},
			"other ports":     {func(s *cluster.TaskSpec) { s.Network.Ports = nil }, cluster.ReasonGroupInvalid, "other ports"},
			"no network":      {func(s *cluster.TaskSpec) { s.Network = nil }, cluster.ReasonGroupInvalid, "another network"},
			"framework":       {func(s *cluster.TaskSpec) { s.Framework = "spy" }, cluster.ReasonGroupInvalid, "another framework"},
			"role":            {func(s *cluster.TaskSpec) { s.Role = "spy" }, cluster.ReasonGroupInvalid, "another framework or role"},
			"name of a task":  {func(s *cluster.TaskSpec) { s.Group = "alone.1" }, cluster.ReasonGroupInvalid, "is alone"},
			"port 0":          {mapping(31010, 0), cluster.ReasonGroupInvalid, "port"},
			"a port twice":    {mapping(31001, 80), cluster.ReasonGroupInvalid, "twice"},
			"a foreign port":  {mapping(40000, 80), cluster.ReasonGroupInvalid, "not the agent's to give"},
			"a port in use":   {mapping(31005, 80), cluster.ReasonLaunchFailed, "that the task alone.1 has"},
		} {
			spec := bridged(cluster.TaskID(strings.ReplaceAll(what, " ", "-")+".1"), "g", 31001)
			spec.Network.Ports = first.Network.Ports
			if c.reason == cluster.ReasonLaunchFailed || strings.Contains(what, "port ") && what != "other ports" {
				spec.Network = bridged("", "", 31001).Network
			}
			network := *spec.Network
			spec.Network = &network
			c.change(&spec)
			n.launch(spec)
			var got cluster.TaskStatus
			for got = n.master.next(); !got.State.Terminal(); got = n.master.next() {
			}
			if got.Reason != c.reason || !strings.Contains(got.Message, c.want) || !strings.Contains(got.Message, "of group "+spec.Group) {
				t.Errorf("%s: got %+v, want %s and %q", what, got, c.reason, c.want)
			}
		}
		synctest.Wait()
		if n.runner.Starts() != 2 || n.attachments() != "alone.1 g" {
			t.Errorf("after refusals: %d starts, %q attached", n.runner.Starts(), n.attachments())
		}
	})
}
