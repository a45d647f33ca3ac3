package service

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

const (
	// MaxPlans bounds the plans of a service beside deploy and update.
	MaxPlans = 32
	// MaxPhases bounds the phases of a plan, and the steps of a phase.
	MaxPhases = 64
	// MaxRuns bounds the run templates of a service.
	MaxRuns = 64
	// MaxExports bounds the exports of a service.
	MaxExports = 64
	// MaxExport bounds the text of an export, in bytes.
	MaxExport = 4096
	// MaxPodVolumes bounds the volumes of a pod.
	MaxPodVolumes = 16
)

// validName says what is wrong with the name of a part of a spec.
func validName(f *faults, at, name string, seen map[string]bool) {
	if len(name) > maxPodName || !namePattern.MatchString(name) {
		f.add(at+"/name", "is %q, not a letter and up to %d more of a-z, 0-9 and -", name, maxPodName-1)
	}
	if seen[name] {
		f.add(at+"/name", "%q is there twice", name)
	}
	seen[name] = true
}

// validatePlans checks the plans of a service, what they run and its exports.
func validatePlans(f *faults, spec *cluster.ServiceSpec) {
	if len(spec.Runs) > MaxRuns || len(spec.Plans) > MaxPlans || len(spec.Exports) > MaxExports {
		f.add("", "has %d runs, %d plans and %d exports, the limits are %d, %d and %d", len(spec.Runs), len(spec.Plans), len(spec.Exports), MaxRuns, MaxPlans, MaxExports)
		return
	}
	seen := map[string]bool{}
	for i := range spec.Runs {
		at, r := fmt.Sprintf("/runs/%d", i), &spec.Runs[i]
		validName(f, at, r.Name, seen)
		tasks := []cluster.TaskTemplate{r.Task}
		validateTasks(f, at+"/task", tasks, true)
		validateRefs(f, at+"/task", spec.Pods, tasks, 0)
	}
	validatePhases(f, "/deploy", spec, spec.Deploy, true)
	validatePhases(f, "/update", spec, spec.Update, true)
	seen = map[string]bool{cluster.PlanDeploy: true, cluster.PlanUpdate: true, PlanRecovery: true}
	for i := range spec.Plans {
		at, p := fmt.Sprintf("/plans/%d", i), &spec.Plans[i]
		validName(f, at, p.Name, seen)
		if len(p.Phases) == 0 {
			f.add(at+"/phases", "is empty")
		}
		validatePhases(f, at+"/phases", spec, p.Phases, false)
	}
	if spec.Deadline < 0 {
		f.add("/deadline_ms", "is %d, less than nothing", spec.Deadline)
	}
	if spec.Rollback && spec.Deadline == 0 {
		f.add("/rollback", "is wanted when the deadline is over, and there is none: name a deadline")
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Exports)) {
		validateExport(f, spec, name)
	}
}

func validatePhases(f *faults, at string, spec *cluster.ServiceSpec, phases []cluster.Phase, pods bool) {
	if len(phases) > MaxPhases {
		f.add(at, "has %d phases, the limit is %d", len(phases), MaxPhases)
		return
	}
	seen := map[string]bool{}
	for i := range phases {
		at, ph := fmt.Sprintf("%s/%d", at, i), &phases[i]
		if seen[ph.Name] {
			f.add(at+"/name", "%q is there twice in one plan", ph.Name)
		}
		seen[ph.Name] = true
		switch {
		case ph.Pod == "" && len(ph.Steps) == 0:
			f.add(at, "has neither a pod nor steps")
		case ph.Pod == "" && (ph.Strategy != "" || ph.Gate != ""):
			f.add(at, "has a strategy or a gate, and no pod they are about")
		case ph.Pod != "" && !pods:
			f.add(at+"/pod", "is %q: pods are brought up by deploy and update, a plan of its own has steps", ph.Pod)
		case ph.Pod != "" && findPod(spec.Pods, ph.Pod) == nil:
			f.add(at+"/pod", "names pod %q, which is not there", ph.Pod)
		}
		switch ph.Strategy {
		case "", cluster.Serial, cluster.Parallel:
		case cluster.SerialCanary, cluster.ParallelCanary:
			if ph.Confirm {
				f.add(at+"/confirm", "is asked after the first instance of a canary: take one of both out")
			}
		default:
			f.add(at+"/strategy", "is %q, not serial, parallel, serial-canary or parallel-canary", ph.Strategy)
		}
		if ph.Gate != "" && !hasRun(spec, ph.Gate) {
			f.add(at+"/gate", "names run %q, which is not there", ph.Gate)
		}
		validateSteps(f, at, spec, ph)
	}
}

func validateSteps(f *faults, at string, spec *cluster.ServiceSpec, ph *cluster.Phase) {
	if len(ph.Steps) > MaxPhases {
		f.add(at+"/steps", "has %d steps, the limit is %d", len(ph.Steps), MaxPhases)
		return
	}
	seen := map[string]bool{}
	for i, s := range ph.Steps {
		at := fmt.Sprintf("%s/steps/%d", at, i)
		validName(f, at, s.Name, seen)
		if s.NoReturn && !s.Confirm && !ph.Confirm {
			f.add(at+"/confirm", "is missing: the step closes the way back to specs of before, and that takes a person's word")
		}
		if !hasRun(spec, s.Run) {
			f.add(at+"/run", "names run %q, which is not there", s.Run)
		}
		if num, ok := strings.CutPrefix(s.Name, ph.Pod+"-"); ok && ph.Pod != "" {
			if _, err := strconv.Atoi(num); err == nil {
				f.add(at+"/name", "is %q, which is the name of an instance", s.Name)
			}
		}
	}
}

func hasRun(spec *cluster.ServiceSpec, name string) bool {
	return slices.ContainsFunc(spec.Runs, func(r cluster.RunTemplate) bool { return r.Name == name })
}

func validateExport(f *faults, spec *cluster.ServiceSpec, name string) {
	at := "/exports/" + name
	if len(name) > maxPodName || !namePattern.MatchString(name) {
		f.add(at, "%q is not a letter and up to %d more of a-z, 0-9 and -", name, maxPodName-1)
	}
	if len(spec.Exports[name]) > MaxExport {
		f.add(at, "is %d bytes, the limit is %d", len(spec.Exports[name]), MaxExport)
		return
	}
	_, err := cluster.Expand(spec.Exports[name], func(r cluster.Ref) (string, error) {
		if r.Pod == "" || r.Service != "" {
			return "", fmt.Errorf("${%s}: an export can name pods of its service only", r)
		}
		if why := wrongRef(r, spec.Pods, nil); why != "" {
			return "", fmt.Errorf("%s", why)
		}
		return "", nil
	})
	if err != nil {
		f.add(at, "%s", err)
	}
}

// validateVolumes checks the volumes of a pod and what is to happen to them.
func validateVolumes(f *faults, at string, p *cluster.PodSpec) {
	if len(p.Volumes) > MaxPodVolumes {
		f.add(at+"/volumes", "has %d volumes, the limit is %d", len(p.Volumes), MaxPodVolumes)
		return
	}
	seen := map[string]bool{}
	for i, v := range p.Volumes {
		at := fmt.Sprintf("%s/volumes/%d", at, i)
		validName(f, at, v.Name, seen)
		if v.Size <= 0 || v.Size > cluster.MaxAmount {
			f.add(at+"/size_bytes", "is %d, not 1 to %d", v.Size, cluster.MaxAmount)
		}
		m := cluster.VolumeMount{Volume: "v", Path: v.Path}
		if err := m.Validate(); err != nil {
			f.add(at+"/path", "is %q, not absolute, plain and below the root", v.Path)
		}
		for _, o := range p.Volumes[:i] {
			if inside(o.Path, v.Path) || inside(v.Path, o.Path) {
				f.add(at+"/path", "%s and the %s of volume %q are inside each other", v.Path, o.Path, o.Name)
			}
		}
	}
	if len(p.Volumes) > 0 && p.Gang {
		f.add(at+"/gang", "starts as one, and its instances have volumes, each of which comes back where it was: take the gang out")
	}
	if p.Recovery != nil && len(p.Volumes) == 0 {
		f.add(at+"/recovery", "is about places, and the pod has no volumes: its instances go elsewhere by themselves")
	}
	if p.Recovery != nil && p.Recovery.ReplaceAfter < 0 {
		f.add(at+"/recovery/replace_after_ms", "is %d, less than nothing", p.Recovery.ReplaceAfter)
	}
}

func inside(dir, p string) bool { return p == dir || strings.HasPrefix(p, path.Clean(dir)+"/") }

// validateAfter checks the order of the tasks of a pod.
func validateAfter(f *faults, at string, p *cluster.PodSpec) {
	ordered := false
	for i := range p.Tasks {
		for _, name := range p.Tasks[i].After {
			ordered = true
			where := fmt.Sprintf("%s/tasks/%d/after", at, i)
			j := slices.IndexFunc(p.Tasks, func(t cluster.TaskTemplate) bool { return t.Name == name })
			switch {
			case j < 0:
				f.add(where, "names task %q, which is not there", name)
			case p.Tasks[j].Goal == cluster.GoalRunning:
				f.add(where, "names task %q, which never ends: its goal must be ONCE or FINISH", name)
			case follows(p.Tasks, j, p.Tasks[i].Name, nil):
				f.add(where, "names task %q, which comes after this one", name)
			}
		}
	}
	if ordered && p.Network != "" {
		f.add(at+"/network", "is %q: tasks that come after others do not share a network with them, so they are on the agent's own", p.Network)
	}
}

// follows reports whether task i comes, over others, after the one of a name.
func follows(tasks []cluster.TaskTemplate, i int, name string, seen []int) bool {
	if tasks[i].Name == name {
		return true
	}
	if slices.Contains(seen, i) {
		return false
	}
	seen = append(seen, i)
	for _, n := range tasks[i].After {
		j := slices.IndexFunc(tasks, func(t cluster.TaskTemplate) bool { return t.Name == n })
		if j >= 0 && follows(tasks, j, name, seen) {
			return true
		}
	}
	return false
}
