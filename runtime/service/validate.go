package service

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

const (
	maxPodName  = 31
	maxTaskName = 63
	// MaxTasks bounds the tasks of a pod.
	MaxTasks = 64
	// MaxRunID bounds the id of a run, in bytes, so that its task's id has room.
	MaxRunID = 63
)

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Fault is one thing that is wrong with a spec.
type Fault struct {
	Pointer string `json:"pointer"` // its place: a JSON pointer (RFC 6901) into the spec
	Message string `json:"message"`
}

// InvalidError says all that is wrong with a spec.
type InvalidError struct {
	Object string // "service \"spark\""
	Faults []Fault
}

// Error is one line with every fault.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.Pointer + " " + f.Message
	}
	return e.Object + ": " + strings.Join(texts, "; ")
}

// faults collects what is wrong.
type faults struct {
	list []Fault
}

func (f *faults) add(pointer, format string, args ...any) {
	f.list = append(f.list, Fault{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) err(object string) error {
	if len(f.list) == 0 {
		return nil
	}
	return &InvalidError{Object: object, Faults: f.list}
}

// Validate checks what a service spec must be so that it can be launched when
// there is room: names, ports, that each reference, phase and endpoint names
// what is there, and that no two instances wait for each other. The core checks
// the rest. An error is an *InvalidError.
func Validate(spec cluster.ServiceSpec) error {
	var f faults
	if err := cluster.ValidatePriority(spec.Priority); err != nil {
		f.add("/priority", "%s", err)
	}
	for i := range spec.Pods {
		validatePod(&f, spec.Pods, i)
		validateRules(&f, &spec, i)
	}
	validateOrder(&f, &spec)
	validatePlans(&f, &spec)
	for i, e := range spec.Endpoints {
		at := fmt.Sprintf("/endpoints/%d", i)
		pod := findPod(spec.Pods, e.Pod)
		if pod == nil {
			f.add(at+"/pod", "names pod %q, which is not there", e.Pod)
			continue
		}
		t := slices.IndexFunc(pod.Tasks, func(t cluster.TaskTemplate) bool { return t.Name == e.Task })
		if t < 0 || !hasPort(pod.Tasks[t:t+1], e.Port) {
			f.add(at, "names port %q of task %q, which pod %q has not", e.Port, e.Task, e.Pod)
		}
	}
	return f.err(fmt.Sprintf("service %q", spec.ID))
}

// ValidateRun checks a run as Validate does a service, against the service
// whose pods its references name.
func ValidateRun(view *core.View, run cluster.RunSpec) error {
	var f faults
	if len(run.ID) > MaxRunID {
		f.add("/id", "is longer than %d bytes", MaxRunID)
	}
	var pods []cluster.PodSpec
	if svc := view.Service(run.Service); svc != nil {
		pods = svc.Spec.Pods
	}
	tasks := []cluster.TaskTemplate{run.Task}
	validateTasks(&f, "/task", tasks, true)
	validateRefs(&f, "/task", pods, tasks, 0)
	return f.err(fmt.Sprintf("run %q", run.ID))
}

func validatePod(f *faults, pods []cluster.PodSpec, i int) {
	p, at := &pods[i], fmt.Sprintf("/pods/%d", i)
	if len(p.Name) > maxPodName || !namePattern.MatchString(p.Name) {
		f.add(at+"/name", "is %q, not a letter and up to %d more of a-z, 0-9 and -", p.Name, maxPodName-1)
	}
	if p.Count < 0 || p.Count > core.MaxInstances {
		f.add(at+"/count", "is %d, not 0 to %d", p.Count, core.MaxInstances)
	}
	if len(p.Tasks) > MaxTasks {
		f.add(at+"/tasks", "has %d tasks, the limit is %d", len(p.Tasks), MaxTasks)
		return
	}
	validateTasks(f, at+"/tasks", p.Tasks, false)
	for j := range p.Tasks {
		validateRefs(f, fmt.Sprintf("%s/tasks/%d", at, j), pods, p.Tasks, j)
	}
}

// validateRules checks where the instances of a pod may be, and how many at once.
func validateRules(f *faults, spec *cluster.ServiceSpec, i int) {
	p, at := &spec.Pods[i], fmt.Sprintf("/pods/%d", i)
	before := len(f.list)
	if len(p.Placement) > cluster.MaxConstraints {
		f.add(at+"/placement", "has %d rules, the limit is %d", len(p.Placement), cluster.MaxConstraints)
		return
	}
	for j, c := range p.Placement {
		if err := c.Validate(); err != nil {
			f.add(fmt.Sprintf("%s/placement/%d", at, j), "%s", err)
		}
	}
	if p.MinReady < 0 || p.MinReady >= p.Count && p.Count > 0 && p.MinReady > 0 {
		f.add(at+"/min_ready", "is %d of %d instances: at least one must be free to go, or none could ever be replaced", p.MinReady, p.Count)
	}
	if p.Gang && p.Count > 1 && serial(spec, p.Name) {
		f.add(at+"/gang", "starts as one, and its phase is serial: make the phase parallel")
	}
	validateListen(f, at, p)
	validateVolumes(f, at, p)
	validateAfter(f, at, p)
	if len(f.list) == before {
		if err := p.ValidateRules(); err != nil {
			f.add(at, "%s", err)
		}
	}
}

// validateListen checks that no two ports of a pod are one in its network.
func validateListen(f *faults, at string, p *cluster.PodSpec) {
	taken := map[uint16]string{}
	for i := range p.Tasks {
		for j, port := range p.Tasks[i].Ports {
			n := port.Listen
			if n == 0 {
				n = port.Port
			}
			other, there := taken[n]
			if there && n != 0 && p.Network != "" {
				f.add(fmt.Sprintf("%s/tasks/%d/ports/%d/listen", at, i, j), "%d is port %q of the same network too", n, other)
			}
			taken[n] = port.Name
		}
	}
}

// validateTasks checks the tasks of a group: their names and ports.
func validateTasks(f *faults, at string, tasks []cluster.TaskTemplate, single bool) {
	names, numbers := map[string]bool{}, map[uint16]string{}
	for i := range tasks {
		t, where := &tasks[i], at
		if !single {
			where = fmt.Sprintf("%s/%d", at, i)
		}
		if len(t.Name) > maxTaskName || !namePattern.MatchString(t.Name) {
			f.add(where+"/name", "is %q, not a letter and up to %d more of a-z, 0-9 and -", t.Name, maxTaskName-1)
		}
		if t.Container.Image == "" {
			f.add(where+"/container/image", "is empty")
		}
		if len(t.Resources.Ports) > 0 {
			f.add(where+"/resources/ports", "must be empty: ports are asked for by name")
		}
		for j, p := range t.Ports {
			place := fmt.Sprintf("%s/ports/%d", where, j)
			if len(p.Name) > maxPodName || !namePattern.MatchString(p.Name) {
				f.add(place+"/name", "is %q, not a letter and up to %d more of a-z, 0-9 and -", p.Name, maxPodName-1)
			}
			if names[p.Name] {
				f.add(place+"/name", "%q is there twice in one pod", p.Name)
			}
			names[p.Name] = true
			if other, taken := numbers[p.Port]; taken && p.Port != 0 {
				f.add(place+"/port", "%d is port %q of the same pod too", p.Port, other)
			}
			numbers[p.Port] = p.Name
		}
		validateCheck(f, where+"/container/readiness", t, t.Container.Readiness)
		validateCheck(f, where+"/container/health", t, t.Container.Health)
		validateCheck(f, where+"/container/leader", t, t.Container.Leader)
	}
}

func validateCheck(f *faults, at string, t *cluster.TaskTemplate, c *cluster.Check) {
	if c == nil {
		return
	}
	kinds := 0
	if c.HTTP != nil {
		kinds++
		if !hasPort([]cluster.TaskTemplate{*t}, c.HTTP.Port) {
			f.add(at+"/http/port", "names port %q, which the task has not", c.HTTP.Port)
		}
	}
	if c.TCP != nil {
		kinds++
		if !hasPort([]cluster.TaskTemplate{*t}, c.TCP.Port) {
			f.add(at+"/tcp/port", "names port %q, which the task has not", c.TCP.Port)
		}
	}
	if len(c.Command) > 0 {
		kinds++
	}
	if kinds != 1 {
		f.add(at, "must be exactly one of http, tcp and command")
	}
	if c.Interval < 0 || c.Timeout < 0 || c.Grace < 0 || c.Successes < 0 || c.Failures < 0 {
		f.add(at, "has a negative time or number")
	}
}

// validateRefs checks that the references of task i of a group name what is there.
func validateRefs(f *faults, at string, pods []cluster.PodSpec, group []cluster.TaskTemplate, i int) {
	var bad []string
	_, err := group[i].Container.Strings(func(s string) (string, error) {
		return cluster.Expand(s, func(r cluster.Ref) (string, error) {
			if why := wrongRef(r, pods, group); why != "" && !slices.Contains(bad, why) {
				bad = append(bad, why)
			}
			return "", nil
		})
	})
	if err != nil {
		f.add(at+"/container", "%s", err)
	}
	for _, why := range bad {
		f.add(at+"/container", "%s", why)
	}
}

func wrongRef(r cluster.Ref, pods []cluster.PodSpec, group []cluster.TaskTemplate) string {
	tasks := group
	if r.Service != "" {
		return "" // it may come later
	}
	if r.Pod != "" {
		p := findPod(pods, r.Pod)
		if p == nil {
			return fmt.Sprintf("${%s} names pod %q, which is not there", r, r.Pod)
		}
		if r.Index >= p.Count {
			return fmt.Sprintf("${%s} names instance %d of pod %q, which has %d", r, r.Index, r.Pod, p.Count)
		}
		tasks = p.Tasks
	}
	if (r.Field == cluster.RefPort || r.Field == cluster.RefListen) && !hasPort(tasks, r.Port) {
		return fmt.Sprintf("${%s} names port %q, which is not there", r, r.Port)
	}
	return ""
}

func findPod(pods []cluster.PodSpec, name string) *cluster.PodSpec {
	for i := range pods {
		if pods[i].Name == name {
			return &pods[i]
		}
	}
	return nil
}

func hasPort(tasks []cluster.TaskTemplate, name string) bool {
	for i := range tasks {
		for _, p := range tasks[i].Ports {
			if p.Name == name {
				return true
			}
		}
	}
	return false
}
