package sim

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// TestScenarios runs the files of testdata. Who runs where is chance of the
// seed, so the output names instances and not agents.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		sc := &scenario{Sim: New(1)}
		sc.watch = sc.see
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out := sc.run(t, d)
			if err := sc.Err(); err != nil {
				t.Fatalf("%s: SEED=1 %v", d.Pos, err)
			}
			return out
		})
	})
}

// scenario runs the lines of a file.
type scenario struct {
	*Sim
	events []string // since the last time they were asked for
}

func (sc *scenario) run(t *testing.T, d *datadriven.TestData) string {
	down := cluster.Millis(number(d, "s", 5) * 1000)
	switch d.Cmd {
	case "agents":
		sc.AddAgents(int(number(d, "n", 1)), cluster.Resources{CPU: number(d, "cpus", 4) * 1000, Mem: number(d, "mem", 8) << 30,
			Ports: cluster.NewPorts(cluster.PortRange{Lo: 31000, Hi: 31099})})
		sc.Advance(1000)
	case "service":
		sc.Want(core.PutService{Spec: spec(d), Principal: "ann"})
	case "remove":
		sc.Want(core.RemoveService{Service: cluster.ServiceID(text(d, "id"))})
	case "job":
		sc.Want(core.PutRun{Spec: cluster.RunSpec{ID: cluster.RunID(text(d, "id")), Service: cluster.ServiceID(text(d, "service")), Task: driver()}})
	case "advance":
		sc.Advance(down)
	case "settle":
		if err := sc.Settle(down); err != nil {
			t.Fatalf("%s: SEED=1 %v", d.Pos, err)
		}
		return sc.status()
	case "crash-master":
		sc.CrashMaster(down)
	case "crash-agent":
		sc.CrashAgent(sc.of(t, d), down)
	case "reboot":
		sc.Reboot(sc.of(t, d), down, d.HasArg("wipe"))
	case "cut":
		sc.Cut(sc.of(t, d), !d.HasArg("one-way"), true)
	case "mend":
		for _, a := range sc.agents {
			sc.Cut(a.id, false, false)
		}
	case "kill-container":
		sc.killContainer(t, d)
	case "status":
		return sc.status()
	case "why":
		return sc.why()
	case "events":
		out := strings.Join(sc.events, "")
		sc.events = nil
		return out
	case "processes":
		return sc.processes()
	default:
		d.Fatalf(t, "no such command: %s", d.Cmd)
	}
	return ""
}

// of gives the agent an instance is on.
func (sc *scenario) of(t *testing.T, d *datadriven.TestData) cluster.AgentID {
	name := text(d, "of")
	for task := range sc.View().Tasks() {
		if task.Active() && strings.HasPrefix(string(task.Spec.ID), name+".") {
			return task.Agent
		}
	}
	d.Fatalf(t, "no task of %q is active", name)
	return ""
}

// killContainer ends the process of an instance from outside.
func (sc *scenario) killContainer(t *testing.T, d *datadriven.TestData) {
	for _, a := range sc.agents {
		for _, task := range a.order {
			if task.alive && strings.HasPrefix(string(task.spec.ID), text(d, "of")+".") {
				a.exit(task, 137)
				return
			}
		}
	}
	d.Fatalf(t, "no process of %q runs", text(d, "of"))
}

// see keeps an event as a line, without the launch's suffix.
func (sc *scenario) see(e core.Event) {
	name := string(e.Service)
	if e.Task != "" {
		name = short(string(e.Task))
	} else if e.Run != "" {
		name = string(e.Run)
	}
	line := strings.Join(strings.Fields(fmt.Sprint(e.Kind, " ", name, " ", e.State, " ", e.Reason)), " ")
	if e.Ready {
		line += " ready"
	}
	sc.events = append(sc.events, line+"\n")
}

func short(task string) string { return task[:strings.LastIndexByte(task, '.')] }

// status prints the services and runs.
func (sc *scenario) status() string {
	var b strings.Builder
	for svc := range sc.View().Services() {
		st, _ := service.StatusOf(sc.Now(), sc.View(), svc.Spec.ID)
		fmt.Fprintf(&b, "%s %s, %d of %d ready\n", st.ID, st.State, st.Ready, st.Total)
		for _, p := range st.Pods {
			on := map[cluster.AgentID]bool{}
			for _, in := range p.Instances {
				fmt.Fprintf(&b, "  %s %s\n", in.Name, in.State)
				if in.Agent != "" {
					on[in.Agent] = true
				}
			}
			if p.Unique {
				fmt.Fprintf(&b, "  %s is on %d agents\n", p.Name, len(on))
			}
		}
	}
	for r := range sc.View().Runs() {
		fmt.Fprintf(&b, "%s %s\n", r.Spec.ID, r.State)
	}
	return b.String()
}

// why prints what instances wait for.
func (sc *scenario) why() string {
	var b strings.Builder
	for _, st := range service.Statuses(sc.Now(), sc.View()) {
		for _, p := range st.Pods {
			for _, in := range p.Instances {
				if in.Why != nil {
					fmt.Fprintf(&b, "%s.%s: %s\n", st.ID, in.Name, in.Why.Reason)
				}
			}
		}
	}
	return b.String()
}

// processes prints what really runs, whoever knows of it.
func (sc *scenario) processes() string {
	var names []string
	for _, a := range sc.agents {
		for _, t := range a.order {
			if t.alive {
				names = append(names, short(string(t.spec.ID))+"\n")
			}
		}
	}
	sort.Strings(names)
	return strings.Join(names, "")
}

// spec reads "id=web pods=(head:1,worker:2:unique:serial) cpus=1 image=1 readiness".
func spec(d *datadriven.TestData) cluster.ServiceSpec {
	task := cluster.TaskTemplate{Name: "main", Goal: cluster.GoalRunning, Container: cluster.Container{Image: "r/i@sha256:" + text(d, "image")},
		Resources: cluster.Resources{CPU: number(d, "cpus", 1) * 1000, Mem: 1 << 30}, Ports: []cluster.PortSpec{{Name: "http"}}}
	if d.HasArg("readiness") {
		task.Container.Readiness = &cluster.Check{TCP: &cluster.TCPCheck{Port: "http"}}
	}
	s := cluster.ServiceSpec{ID: cluster.ServiceID(text(d, "id"))}
	pods, _ := d.Arg("pods")
	for _, p := range pods.Vals {
		parts := strings.Split(p, ":")
		count, _ := strconv.Atoi(parts[1])
		pod := cluster.PodSpec{Name: parts[0], Count: count, Tasks: []cluster.TaskTemplate{task}}
		phase := cluster.Phase{Name: parts[0], Pod: parts[0]}
		for _, word := range parts[2:] {
			switch word {
			case "unique":
				pod.Unique = true
			case "serial":
				phase.Strategy = cluster.Serial
			}
		}
		s.Pods, s.Deploy = append(s.Pods, pod), append(s.Deploy, phase)
	}
	return s
}

func text(d *datadriven.TestData, key string) string {
	if a, ok := d.Arg(key); ok && len(a.Vals) > 0 {
		return a.Vals[0]
	}
	return ""
}

func number(d *datadriven.TestData, key string, def int64) int64 {
	s := text(d, key)
	if s == "" {
		return def
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%s: %s: %v", d.Pos, key, err))
	}
	return n
}
