package core

import (
	"fmt"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func invalidService(c PutService) string {
	sp := c.Spec
	if !isLabel(string(sp.ID), maxName) || sp.ID[0] < 'a' || sp.ID[0] > 'z' {
		return "its id is not a letter and up to 62 more of a-z, 0-9 and -"
	}
	if sp.Role != "" && !cluster.ValidRole(sp.Role) {
		return fmt.Sprintf("role %q is malformed", sp.Role)
	}
	if err := cluster.ValidatePriority(sp.Priority); err != nil {
		return err.Error()
	}
	if c.Installation != nil && c.Installation.ID != sp.ID {
		return fmt.Sprintf("its installation is for %q", c.Installation.ID)
	}
	pods := map[string]bool{}
	count := 0
	for _, p := range sp.Pods {
		if !isLabel(p.Name, maxName) || pods[p.Name] {
			return fmt.Sprintf("pod name %q is malformed or there twice", p.Name)
		}
		if p.Count < 0 || p.Count > MaxInstances || count+p.Count > MaxInstances {
			return fmt.Sprintf("pod %q: a count of %d is negative or leads over %d instances", p.Name, p.Count, MaxInstances)
		}
		pods[p.Name], count = true, count+p.Count
		if why := invalidTasks(p); why != "" {
			return fmt.Sprintf("pod %q: %s", p.Name, why)
		}
		if err := p.ValidateRules(); err != nil {
			return fmt.Sprintf("pod %q: %v", p.Name, err)
		}
		if err := p.ValidateVolumes(); err != nil {
			return fmt.Sprintf("pod %q: %v", p.Name, err)
		}
	}
	if err := sp.ValidatePlans(); err != nil {
		return err.Error()
	}
	for _, r := range sp.Runs {
		if why := invalidTemplate(r.Task); why != "" {
			return fmt.Sprintf("run %q: %s", r.Name, why)
		}
	}
	return ""
}

func invalidTasks(p cluster.PodSpec) string {
	tasks := map[string]bool{}
	for _, t := range p.Tasks {
		if !isLabel(t.Name, maxName) || tasks[t.Name] {
			return fmt.Sprintf("task name %q is malformed or there twice", t.Name)
		}
		tasks[t.Name] = true
		if why := invalidTemplate(t); why != "" {
			return fmt.Sprintf("task %q: %s", t.Name, why)
		}
	}
	if len(p.Tasks) == 0 {
		return "it has no task"
	}
	return ""
}

func invalidTemplate(t cluster.TaskTemplate) string {
	r := t.Resources
	switch {
	case t.Container.Image == "":
		return "it names no image"
	case r.CPU == 0 && r.Mem == 0:
		return fmt.Sprintf("it must ask for cpus or memory, not for %s", r)
	case t.Goal != cluster.GoalRunning && t.Goal != cluster.GoalFinish && t.Goal != cluster.GoalOnce:
		return fmt.Sprintf("goal %q is none of RUNNING, FINISH and ONCE", t.Goal)
	}
	if err := r.Validate(); err != nil {
		return "its resources: " + err.Error()
	}
	return ""
}
