package sim

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/service"
)

// spec reads a service:
//
//	service web pods=(head:1,worker:2:unique:rack/GROUP_BY/3) cpus=1 mem=1G image=1 role=eng readiness priority=5 preemptible
//
// A pod is its name, its count and words: unique (one on an agent), serial (one
// after the other), follow (its tasks are given the address of the first pod's
// instance 0), once (it has a task that runs once, too), gang (all or none),
// bridge (each instance in a network of its own), keep2 (two stay ready when we
// end others), and attribute/OPERATOR/value, a rule on its agents. Without pods
// it is a head and two workers that follow it.
func spec(op Op) (cluster.ServiceSpec, error) {
	s := cluster.ServiceSpec{ID: cluster.ServiceID(op.word(0)), Role: cluster.Role(op.text("role", "")), Preemptible: op.has("preemptible")}
	var err error
	if s.Priority, err = strconv.Atoi(op.text("priority", "0")); err != nil {
		return s, fmt.Errorf("%s: %q is not a priority", op, op.text("priority", ""))
	}
	cpu, err := cores(op.text("cpus", "1"))
	if err != nil {
		return s, err
	}
	mem, err := amount(op.text("mem", "1G"))
	if err != nil {
		return s, err
	}
	task := cluster.TaskTemplate{Name: "main", Goal: cluster.GoalRunning, Container: cluster.Container{Image: "r/i@sha256:" + op.text("image", "1")},
		Resources: cluster.Resources{CPU: cpu, Mem: mem}, Ports: []cluster.PortSpec{{Name: "http"}}}
	if op.has("readiness") {
		task.Container.Readiness = &cluster.Check{TCP: &cluster.TCPCheck{Port: "http"}}
	}
	pods := op.list("pods")
	if pods == nil {
		pods = []string{"head:1", "worker:2:follow"}
	}
	for _, p := range pods {
		pod, phase, err := pod(p, task, strings.Split(pods[0], ":")[0])
		if err != nil {
			return s, fmt.Errorf("%s: %w", op, err)
		}
		s.Pods, s.Deploy = append(s.Pods, pod), append(s.Deploy, phase)
	}
	return s, service.Validate(s)
}

// pod reads "worker:2:unique". First is the pod that others follow.
func pod(text string, task cluster.TaskTemplate, first string) (cluster.PodSpec, cluster.Phase, error) {
	parts := strings.Split(text, ":")
	p, ph := cluster.PodSpec{Name: parts[0]}, cluster.Phase{Name: parts[0], Pod: parts[0]}
	if len(parts) < 2 {
		return p, ph, fmt.Errorf("pod %q has no count", text)
	}
	count, err := strconv.Atoi(parts[1])
	if err != nil {
		return p, ph, fmt.Errorf("pod %q: %q is not a count", text, parts[1])
	}
	p.Count = count
	var once []cluster.TaskTemplate
	for _, word := range parts[2:] {
		switch word {
		case "unique":
			p.Unique = true
		case "serial":
			ph.Strategy = cluster.Serial
		case "follow":
			task.Container.Env = map[string]string{"HEAD": fmt.Sprintf("${pods.%s[0].host}:${pods.%s[0].ports.http}", first, first)}
		case "once":
			once = []cluster.TaskTemplate{{Name: "setup", Goal: cluster.GoalOnce, Container: cluster.Container{Image: "r/i@sha256:99"},
				Resources: cluster.Resources{CPU: 100, Mem: 64 << 20}}}
		case "gang":
			p.Gang = true
		case "bridge":
			p.Network = cluster.DefaultNetwork
		default:
			if err := special(&p, word); err != nil {
				return p, ph, fmt.Errorf("pod %q: %w", text, err)
			}
		}
	}
	p.Tasks = append([]cluster.TaskTemplate{task}, once...)
	return p, ph, nil
}

// special reads the words of a pod that have a value.
func special(p *cluster.PodSpec, word string) error {
	if n, ok := strings.CutPrefix(word, "keep"); ok {
		var err error
		p.MinReady, err = strconv.Atoi(n)
		return err
	}
	rule := strings.SplitN(word, "/", 3)
	if len(rule) < 2 {
		return fmt.Errorf("there is no word %q", word)
	}
	c := cluster.Constraint{Attribute: rule[0], Operator: cluster.Operator(rule[1])}
	if len(rule) == 3 {
		c.Value = rule[2]
	}
	p.Placement = append(p.Placement, c)
	return nil
}

// driver is the task of a run.
func driver() cluster.TaskTemplate {
	return cluster.TaskTemplate{Name: "driver", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "r/i@sha256:77"},
		Resources: cluster.Resources{CPU: 500, Mem: 256 << 20}}
}
