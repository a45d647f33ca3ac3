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
//	service web pods=(head:1,worker:2:unique:serial) cpus=1 mem=1G image=1 role=eng readiness
//
// A pod is its name, its count and words: unique (one on an agent), serial (one
// after the other), follow (its tasks are given the address of the first pod's
// instance 0), once (it has a task that runs once, too). Without pods it is a
// head and two workers that follow it.
func spec(op Op) (cluster.ServiceSpec, error) {
	s := cluster.ServiceSpec{ID: cluster.ServiceID(op.word(0)), Role: cluster.Role(op.text("role", ""))}
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
		default:
			return p, ph, fmt.Errorf("pod %q: there is no word %q", text, word)
		}
	}
	p.Tasks = append([]cluster.TaskTemplate{task}, once...)
	return p, ph, nil
}

// driver is the task of a run.
func driver() cluster.TaskTemplate {
	return cluster.TaskTemplate{Name: "driver", Goal: cluster.GoalFinish, Container: cluster.Container{Image: "r/i@sha256:77"},
		Resources: cluster.Resources{CPU: 500, Mem: 256 << 20}}
}
