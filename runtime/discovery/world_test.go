package discovery

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a state of the core that tests bring about.
type world struct {
	t     testing.TB
	state *core.State
	now   cluster.Time
	tasks map[string]*cluster.Task // by "service/pod-index-task", the latest
	n     int
}

var master = netip.MustParseAddr("10.0.0.1")

// newWorld has the agents a1, a2, ... at 10.0.1.1, 10.0.1.2, ...
func newWorld(t testing.TB, agents int) *world {
	w := &world{t: t, state: core.New(), tasks: map[string]*cluster.Task{}}
	w.apply(core.PutFramework{Framework: cluster.Framework{ID: "f", Roles: []cluster.Role{"*"}}})
	for i := 1; i <= agents; i++ {
		w.agent(i, fmt.Sprintf("10.0.%d.%d", 1+i/250, i%250))
	}
	return w
}

func (w *world) agent(i int, host string) {
	w.apply(core.RegisterAgent{Boot: "b", Agent: cluster.Agent{ID: cluster.AgentID(fmt.Sprintf("a%d", i)), Host: host,
		Total: cluster.Resources{CPU: 1_000_000, Mem: 1 << 40, Ports: cluster.NewPorts(cluster.PortRange{Lo: 1, Hi: 65535})}}})
}

func (w *world) apply(c core.Command) {
	w.t.Helper()
	w.now++
	events, _ := w.state.Apply(w.now, c)
	for _, e := range events {
		if e.Kind == core.EventRefused {
			w.t.Fatalf("%s: %s", c.Kind(), e.Message)
		}
	}
}

func (w *world) view() *core.View { return w.state.View() }

// service puts one with a pod "broker" of tasks "node" and "side", the first
// with a port "client" and an endpoint of that name.
func (w *world) service(id string, count int, port cluster.PortSpec) {
	w.t.Helper()
	port.Name = "client"
	w.apply(core.PutService{Over: true, Spec: cluster.ServiceSpec{ID: cluster.ServiceID(id),
		Pods: []cluster.PodSpec{{Name: "broker", Count: count, Tasks: []cluster.TaskTemplate{
			{Name: "node", Goal: cluster.GoalRunning, Container: image, Resources: small, Ports: []cluster.PortSpec{port}},
			{Name: "side", Goal: cluster.GoalRunning, Container: image, Resources: small}}}},
		Endpoints: []cluster.Endpoint{{Name: "client", Pod: "broker", Task: "node", Port: "client"}}}})
}

var (
	image = cluster.Container{Image: "registry/i@sha256:" + strings.Repeat("0", 64), Command: []string{"run"}}
	small = cluster.Resources{CPU: 1, Mem: 1 << 20}
)

// launch starts an instance of the pod "broker" on an agent.
func (w *world) launch(service string, index, agent int, port uint16) {
	w.t.Helper()
	var specs []cluster.TaskSpec
	for _, name := range []string{"node", "side"} {
		w.n++
		s := cluster.TaskSpec{ID: cluster.TaskID(fmt.Sprintf("%s.broker-%d.%s.%d", service, index, name, w.n)), Name: name, Framework: "f", Role: "*",
			Service: cluster.ServiceID(service), Pod: "broker", Index: index, Task: name, Goal: cluster.GoalRunning, Container: image, Resources: small}
		if name == "node" {
			s.Ports = map[string]uint16{"client": port}
			s.Resources.Ports = cluster.Port(port)
		}
		specs = append(specs, s)
	}
	id := cluster.AgentID(fmt.Sprintf("a%d", agent))
	w.apply(core.AcceptOffers{Framework: "f", Role: "*", Agent: id, Offered: w.view().Agent(id).Free(), Tasks: specs})
	for _, s := range specs {
		t := w.view().Task(s.ID)
		if t == nil || !t.Active() {
			w.t.Fatalf("%s is not launched: %+v", s.ID, t)
		}
		w.tasks[fmt.Sprintf("%s/broker-%d-%s", service, index, s.Task)] = t
	}
}

// report tells of a task of the latest launch: "kafka/broker-0-node".
func (w *world) report(name string, state cluster.TaskState, ready bool) {
	w.t.Helper()
	t := w.tasks[name]
	if t == nil {
		w.t.Fatalf("no task %s", name)
	}
	w.n++
	w.apply(core.UpdateTask{Status: cluster.TaskStatus{Task: t.Spec.ID, Agent: t.Agent, State: state, Ready: ready,
		UUID: fmt.Sprintf("%032x", w.n), Seq: int64(w.n)}})
}

// up makes an instance run and be ready.
func (w *world) up(service string, index int) {
	w.t.Helper()
	for _, name := range []string{"node", "side"} {
		w.report(fmt.Sprintf("%s/broker-%d-%s", service, index, name), cluster.TaskRunning, true)
	}
}

// show is what there is at a name, in words.
func show(z *Zone, name string) string {
	a := z.Lookup(name)
	if !a.Exists {
		return "-"
	}
	var parts []string
	for _, addr := range a.Addrs {
		parts = append(parts, addr.String())
	}
	for _, s := range a.SRV {
		parts = append(parts, fmt.Sprintf("%s:%d", s.Target, s.Port))
	}
	return strings.Join(parts, " ")
}

// check compares what there is at names.
func check(t *testing.T, z *Zone, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if got := show(z, name); got != w {
			t.Errorf("%s: got %q, want %q", name, got, w)
		}
	}
}
