package cluster

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// The bounds of what a service can have of plans, volumes and exports.
const (
	MaxPlans             = 32 // plans of a service that are started by hand, and its runs
	MaxPhases            = 100
	MaxSteps             = 100 // steps of a phase
	MaxPodVolumes        = 16
	MaxExports           = 100
	MaxExport            = 16 << 10        // the text of one export, in bytes
	MaxPath              = 4096            // of a volume in a container, in bytes
	MaxName              = 31              // of a pod's volume, a plan, a run, a phase and a step, in bytes
	MaxDelay      Millis = 366 * 86400_000 // a deadline, or the time until an instance is replaced
)

// isShort reports whether s is a letter and up to 30 more of a-z, 0-9 and -.
func isShort(s string) bool { return isName(s) && len(s) <= MaxName }

// ValidateVolumes says what is wrong with the volumes of a pod, with how it
// recovers, and with the order of its tasks.
func (p *PodSpec) ValidateVolumes() error {
	if len(p.Volumes) > MaxPodVolumes {
		return fmt.Errorf("%d volumes, over the limit of %d", len(p.Volumes), MaxPodVolumes)
	}
	names, paths := map[string]bool{}, map[string]bool{}
	for _, v := range p.Volumes {
		switch {
		case !isShort(v.Name) || names[v.Name]:
			return fmt.Errorf("volume name %q is malformed or there twice", cut(v.Name))
		case v.Size <= 0 || v.Size > MaxAmount:
			return fmt.Errorf("volume %q: size of %d bytes is not 1 to %d", v.Name, v.Size, MaxAmount)
		case !path.IsAbs(v.Path) || len(v.Path) > MaxPath || path.Clean(v.Path) != v.Path || v.Path == "/" || strings.ContainsRune(v.Path, 0) || paths[v.Path]:
			return fmt.Errorf("volume %q: path %q is not absolute, clean and its own", v.Name, cut(v.Path))
		}
		names[v.Name], paths[v.Path] = true, true
	}
	if r := p.Recovery; r != nil {
		switch {
		case len(p.Volumes) == 0:
			return errors.New("recovery: it has no volumes, and is launched elsewhere anyway")
		case r.ReplaceAfter <= 0 || r.ReplaceAfter > MaxDelay:
			return fmt.Errorf("recovery: replacing after %d ms is not 1 to %d", r.ReplaceAfter, MaxDelay)
		}
	}
	return p.validateAfter()
}

// validateAfter checks that no task waits for one that does not end, or for itself.
func (p *PodSpec) validateAfter() error {
	goals, left := map[string]Goal{}, map[string][]string{}
	for _, t := range p.Tasks {
		goals[t.Name], left[t.Name] = t.Goal, t.After
	}
	for _, t := range p.Tasks {
		for _, a := range t.After {
			if g := goals[a]; g != GoalOnce && g != GoalFinish {
				return fmt.Errorf("task %q is after %q, which is no task of the pod that ends", t.Name, cut(a))
			}
		}
	}
	for len(left) > 0 { // take out what waits for nothing that is left
		n := len(left)
		for _, name := range sortedKeys(left) {
			if !slices.ContainsFunc(left[name], func(a string) bool { _, waits := left[a]; return waits }) {
				delete(left, name)
			}
		}
		if len(left) == n {
			return fmt.Errorf("tasks %s wait for each other", strings.Join(sortedKeys(left), ", "))
		}
	}
	return nil
}

// ValidatePlans says what is wrong with the plans of a service, with what they
// run, its deadline and its exports.
func (s *ServiceSpec) ValidatePlans() error {
	if len(s.Runs) > MaxPlans || len(s.Plans) > MaxPlans {
		return fmt.Errorf("%d runs and %d plans, over the limit of %d each", len(s.Runs), len(s.Plans), MaxPlans)
	}
	runs := map[string]bool{}
	for _, r := range s.Runs {
		if !isShort(r.Name) || runs[r.Name] {
			return fmt.Errorf("run name %q is malformed or there twice", cut(r.Name))
		}
		runs[r.Name] = true
	}
	if err := s.validatePhases(PlanDeploy, s.Deploy, runs); err != nil {
		return err
	}
	if err := s.validatePhases(PlanUpdate, s.Update, runs); err != nil {
		return err
	}
	plans := map[string]bool{PlanDeploy: true, PlanUpdate: true}
	for _, p := range s.Plans {
		if !isShort(p.Name) || plans[p.Name] {
			return fmt.Errorf("plan name %q is malformed, there twice, or the name of a plan of each service", cut(p.Name))
		}
		plans[p.Name] = true
		if err := s.validatePhases(p.Name, p.Phases, runs); err != nil {
			return err
		}
		if len(p.Phases) == 0 || slices.ContainsFunc(p.Phases, func(ph Phase) bool { return ph.Pod != "" }) {
			return fmt.Errorf("plan %q has no steps, or a phase with a pod: deploy and update bring pods up", p.Name)
		}
	}
	if s.Deadline < 0 || s.Deadline > MaxDelay {
		return fmt.Errorf("deadline of %d ms is not 0 to %d", s.Deadline, MaxDelay)
	}
	if len(s.Exports) > MaxExports {
		return fmt.Errorf("%d exports, over the limit of %d", len(s.Exports), MaxExports)
	}
	for _, n := range sortedKeys(s.Exports) {
		if !isName(n) || len(s.Exports[n]) > MaxExport {
			return fmt.Errorf("export %q: its name is malformed, or it has over %d bytes", cut(n), MaxExport)
		}
	}
	return nil
}

func (s *ServiceSpec) validatePhases(plan string, phases []Phase, runs map[string]bool) error {
	if len(phases) > MaxPhases {
		return fmt.Errorf("plan %q: %d phases, over the limit of %d", plan, len(phases), MaxPhases)
	}
	names := map[string]bool{}
	for i := range phases {
		ph := &phases[i]
		if !isName(ph.Name) || names[ph.Name] {
			return fmt.Errorf("plan %q: phase name %q is malformed or there twice", plan, cut(ph.Name))
		}
		names[ph.Name] = true
		if err := s.validatePhase(ph, runs); err != nil {
			return fmt.Errorf("plan %q: phase %q %w", plan, ph.Name, err)
		}
	}
	return nil
}

func (s *ServiceSpec) validatePhase(ph *Phase, runs map[string]bool) error {
	switch {
	case ph.Pod == "" && len(ph.Steps) == 0:
		return errors.New("has neither a pod nor steps")
	case ph.Pod != "" && !slices.ContainsFunc(s.Pods, func(p PodSpec) bool { return p.Name == ph.Pod }):
		return fmt.Errorf("names pod %q, which is not there", cut(ph.Pod))
	case ph.Gate != "" && (ph.Pod == "" || !runs[ph.Gate]):
		return fmt.Errorf("has a gate %q, which is no run, or no pod to follow", cut(ph.Gate))
	case len(ph.Steps) > MaxSteps:
		return fmt.Errorf("has %d steps, over the limit of %d", len(ph.Steps), MaxSteps)
	}
	switch ph.Strategy {
	case "", Serial, Parallel, SerialCanary, ParallelCanary:
	default:
		return fmt.Errorf("has strategy %q, which is none of serial, parallel, serial-canary and parallel-canary", cut(string(ph.Strategy)))
	}
	steps := map[string]bool{}
	for _, st := range ph.Steps {
		switch {
		case !isShort(st.Name) || steps[st.Name]:
			return fmt.Errorf("has a step %q, which is malformed or there twice", cut(st.Name))
		case !runs[st.Run]:
			return fmt.Errorf("runs %q in step %q, which is no run of the service", cut(st.Run), st.Name)
		case ph.Pod != "" && isInstanceOf(st.Name, ph.Pod):
			return fmt.Errorf("has a step %q, which is named as an instance of its pod", st.Name)
		}
		steps[st.Name] = true
	}
	return nil
}

// isInstanceOf reports whether a name can be one of a pod's instances.
func isInstanceOf(name, pod string) bool {
	num, ok := strings.CutPrefix(name, pod+"-")
	return ok && num != "" && strings.Trim(num, "0123456789") == ""
}
