package sim

import (
	"fmt"
	"slices"
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
// end others), vol1 (it has a volume), after (what runs once comes before the rest),
// replace30s (it gets another place when its agent is away for so long), canary,
// confirm, gate, step, final (its phase waits for words or runs; final closes the
// way back), and attribute/OPERATOR/value, a rule on its agents. Without pods it
// is a head and two workers that follow it.
//
// Words of a service besides: update (its update is as its deploy, one instance at
// a time), deadline=60s, rollback (it goes back after that), repair (a plan that
// is started by hand), patient (it does not replace a change that is under way).
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
	return s, planned(&s, op)
}

// planned gives a service the plans and runs that an operation names.
func planned(s *cluster.ServiceSpec, op Op) error {
	var err error
	if s.Deadline, err = span(op.text("deadline", "0s")); err != nil {
		return err
	}
	s.Rollback = op.has("rollback")
	if op.has("update") {
		for _, ph := range s.Deploy {
			if ph.Strategy == "" {
				ph.Strategy = cluster.Serial
			}
			s.Update = append(s.Update, ph)
		}
	}
	if op.has("repair") {
		s.Plans = []cluster.PlanSpec{{Name: "repair", Phases: []cluster.Phase{{Name: "work", Steps: []cluster.Step{
			{Name: "one", Run: "act"}, {Name: "two", Run: "act", Confirm: true}}}}}}
	}
	for _, name := range []string{"act", "check"} {
		if uses(s, name) {
			run := driver()
			run.Resources = cluster.Resources{CPU: 100, Mem: 64 << 20}
			s.Runs = append(s.Runs, cluster.RunTemplate{Name: name, Task: run})
		}
	}
	return service.Validate(*s)
}

// uses reports whether a plan of a service names a run.
func uses(s *cluster.ServiceSpec, run string) bool {
	phases := slices.Clone(s.Deploy)
	for _, p := range s.Plans {
		phases = append(phases, p.Phases...)
	}
	return slices.ContainsFunc(phases, func(ph cluster.Phase) bool {
		return ph.Gate == run || slices.ContainsFunc(ph.Steps, func(st cluster.Step) bool { return st.Run == run })
	})
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
			if phased(&ph, word) {
				continue
			}
			if err := special(&p, word); err != nil {
				return p, ph, fmt.Errorf("pod %q: %w", text, err)
			}
		}
	}
	if len(once) > 0 && slices.Contains(parts, "after") {
		task.After = []string{once[0].Name}
	}
	p.Tasks = append([]cluster.TaskTemplate{task}, once...)
	return p, ph, nil
}

// phased reads a word of a pod that is about its phase.
func phased(ph *cluster.Phase, word string) bool {
	switch word {
	case "canary":
		ph.Strategy = cluster.SerialCanary
	case "gate":
		ph.Gate = "check"
	case "confirm":
		ph.Confirm = true
	case "step":
		ph.Steps = append(ph.Steps, cluster.Step{Name: "init", Run: "act"})
	case "final":
		ph.Steps = append(ph.Steps, cluster.Step{Name: "final", Run: "act", Confirm: true, NoReturn: true})
	case "after":
	default:
		return false
	}
	return true
}

// special reads the words of a pod that have a value.
func special(p *cluster.PodSpec, word string) error {
	if n, ok := strings.CutPrefix(word, "keep"); ok {
		var err error
		p.MinReady, err = strconv.Atoi(n)
		return err
	}
	if n, ok := strings.CutPrefix(word, "replace"); ok {
		d, err := span(n)
		p.Recovery = &cluster.Recovery{ReplaceAfter: d}
		return err
	}
	if n, ok := strings.CutPrefix(word, "vol"); ok {
		count, err := strconv.Atoi(n)
		for i := range min(max(count, 0), 9) {
			p.Volumes = append(p.Volumes, cluster.VolumeSpec{Name: fmt.Sprintf("v%d", i), Size: volumeSize, Path: fmt.Sprintf("/data%d", i)})
		}
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
