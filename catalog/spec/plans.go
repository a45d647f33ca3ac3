package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/catalog"
	"github.com/universe-dcos/universe/runtime/cluster"
)

// strategies are the words for how a phase goes; canary is short for
// serial-canary.
var strategies = []string{string(cluster.Serial), string(cluster.Parallel), string(cluster.SerialCanary), string(cluster.ParallelCanary), shortCanary}

const shortCanary = "canary"

// plans reads all plans into the service.
func (d *decoder) plans(n *node, s *cluster.ServiceSpec) {
	list := d.entries(n, MaxPlans)
	for _, e := range list {
		if !validName(e.key, MaxPartName) {
			d.f.at(e.pos, "plan %q: want a lower-case letter, then lower-case letters, digits and -, at most %d characters", clip(e.key), MaxPartName)
			continue
		}
		o := d.object(e.val, "plan", "confirm", "phases")
		p := cluster.PlanSpec{Name: e.key}
		own := e.key != cluster.PlanDeploy && e.key != cluster.PlanUpdate
		if c := o.get("confirm"); c != nil {
			if p.Confirm = d.boolean(c); !own {
				d.f.at(c.pos, "the plan %s follows a change that was confirmed: set confirm on a phase or a step of it", e.key)
			}
		}
		if ph := o.need("phases"); ph != nil {
			p.Phases = d.phases(ph, e.key, s.Pods)
		}
		switch e.key {
		case cluster.PlanDeploy:
			s.Deploy = p.Phases
		case cluster.PlanUpdate:
			s.Update = p.Phases
		default:
			s.Plans = append(s.Plans, p)
		}
	}
	slices.SortFunc(s.Plans, func(a, b cluster.PlanSpec) int { return strings.Compare(a.Name, b.Name) })
}

// phases reads the phases of a plan. Those of deploy and update name every pod.
func (d *decoder) phases(list *node, plan string, pods []cluster.PodSpec) []cluster.Phase {
	var out []cluster.Phase
	used := map[string]bool{}
	nodes := d.list(list, MaxPhases)
	for _, ph := range nodes {
		p := d.phase(ph, plan, pods)
		if slices.ContainsFunc(out, func(o cluster.Phase) bool { return o.Name == p.Name && p.Name != "" }) {
			d.f.at(ph.pos, "phase %q stands twice", p.Name)
		}
		used[p.Pod] = true
		out = append(out, p)
	}
	if len(nodes) == 0 && list.kind == sequence {
		d.f.at(list.pos, "a plan has at least one phase")
	}
	if plan != cluster.PlanDeploy && plan != cluster.PlanUpdate {
		return out
	}
	verb := map[string]string{cluster.PlanDeploy: "started", cluster.PlanUpdate: "updated"}[plan]
	for _, p := range pods {
		if !used[p.Name] && p.Name != "" {
			d.f.at(list.pos, "pod %q is in no phase: it would never be %s", p.Name, verb)
		}
	}
	return out
}

func (d *decoder) phase(n *node, plan string, pods []cluster.PodSpec) cluster.Phase {
	o := d.object(n, "phase", "name", "pod", "strategy", "confirm", "gate", "steps")
	p := cluster.Phase{Name: o.name("name", MaxPartName)}
	var pod *cluster.PodSpec
	if pn := o.get("pod"); pn != nil {
		p.Pod, _ = d.word(pn, "the pod of a phase")
		pod = d.knownPod(pn.pos, p.Pod, pods)
		p.Strategy = cluster.Parallel
		if plan == cluster.PlanUpdate {
			p.Strategy = cluster.Serial
		}
		if plan != cluster.PlanDeploy && plan != cluster.PlanUpdate {
			d.f.at(pn.pos, "pods are brought up by the plans deploy and update: a phase of plan %q has steps", plan)
		}
	}
	if st := o.get("strategy"); st != nil {
		d.strategy(st, &p, pod)
	}
	if c := o.get("confirm"); c != nil {
		if p.Confirm = d.boolean(c); p.Confirm && (p.Strategy == cluster.SerialCanary || p.Strategy == cluster.ParallelCanary) {
			d.f.at(c.pos, "a canary waits for a person's word after its first instance: take out confirm, or the canary")
		}
	}
	if g := o.get("gate"); g != nil {
		p.Gate = d.run(g, "the gate of a phase")
		if p.Pod == "" && !o.open {
			d.f.at(g.pos, "a gate stands between the instances of a pod, and the phase has none")
		}
	}
	if s := o.get("steps"); s != nil {
		p.Steps = d.steps(s, p.Pod)
	}
	if p.Pod == "" && len(p.Steps) == 0 && !o.open && o.get("pod") == nil {
		d.f.at(n.pos, "a phase has a pod, steps or both")
	}
	return p
}

func (d *decoder) strategy(n *node, p *cluster.Phase, pod *cluster.PodSpec) {
	s, known := d.str(n, false)
	if !known {
		return
	}
	p.Strategy = cluster.Strategy(s)
	switch {
	case p.Pod == "":
		d.f.at(n.pos, "a strategy says how the instances of a pod follow each other, and the phase has none")
	case s == shortCanary:
		p.Strategy = cluster.SerialCanary
	case !slices.Contains(strategies, s):
		d.f.at(n.pos, "strategy is %q: want %s", clip(s), oneOf(strategies))
	}
	if pod != nil && pod.Gang && pod.Count > 1 && p.Strategy != cluster.Parallel {
		d.f.at(n.pos, "pod %q starts as one (gang): its strategy is parallel, not %s", pod.Name, s)
	}
}

func (d *decoder) steps(n *node, pod string) []cluster.Step {
	var out []cluster.Step
	for _, sn := range d.list(n, MaxSteps) {
		o := d.object(sn, "step", "name", "run", "confirm", "noReturn")
		var s cluster.Step
		if r := o.need("run"); r != nil {
			s.Run = d.run(r, "what a step runs")
			s.Name = s.Run
		}
		if o.get("name") != nil {
			s.Name = o.name("name", MaxPartName)
		}
		if c := o.get("confirm"); c != nil {
			s.Confirm = d.boolean(c)
		}
		if b := o.get("noReturn"); b != nil {
			s.NoReturn = d.boolean(b)
		}
		if slices.ContainsFunc(out, func(o cluster.Step) bool { return o.Name == s.Name && s.Name != "" }) {
			d.f.at(sn.pos, "step %q stands twice: give one a name", s.Name)
		}
		if num, ok := strings.CutPrefix(s.Name, pod+"-"); ok && pod != "" && isNumber(num) {
			d.f.at(sn.pos, "step %q has the name of an instance of the pod", s.Name)
		}
		out = append(out, s)
	}
	return out
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// run reads the name of an action that a plan runs and gives the name of its
// template. Nobody is there to give arguments, so all of them have defaults.
func (d *decoder) run(n *node, what string) string {
	s, known := d.word(n, what)
	if !known || s == "" {
		return ""
	}
	var names []string
	for i := range d.acts {
		a := &d.acts[i]
		names = append(names, a.Name)
		if a.Name != s {
			continue
		}
		if missing := slices.IndexFunc(a.Args, func(g catalog.Arg) bool { return g.Default == nil }); missing >= 0 {
			d.f.at(n.pos, "action %q cannot be run by a plan: its argument %s has no default", s, a.Args[missing].Name)
		}
		name := runName(s)
		if len(name) > MaxPartName {
			d.f.at(n.pos, "action %q cannot be run by a plan: its name has %d characters, more than %d", s, len(name), MaxPartName)
		}
		if d.runs == nil {
			d.runs = map[string]bool{}
		}
		if d.runs[s] = true; len(d.runs) > MaxRuns {
			d.f.at(n.pos, "the plans run more than %d actions", MaxRuns)
		}
		return name
	}
	d.f.at(n.pos, "%s", didYouMean(fmt.Sprintf("there is no action %q", clip(s)), s, names))
	return ""
}

// runName is the name of the template that an action becomes.
func runName(action string) string { return strings.ReplaceAll(action, " ", "-") }

// templates renders the actions that the plans run.
func (p *Package) templates(d *decoder, images map[string]string, pods []cluster.PodSpec) []cluster.RunTemplate {
	var out []cluster.RunTemplate
	for i := range p.actions {
		a := &p.actions[i]
		if !d.runs[a.Name] || a.task == nil {
			continue
		}
		r := cluster.RunTemplate{Name: runName(a.Name)}
		if slices.ContainsFunc(out, func(o cluster.RunTemplate) bool { return o.Name == r.Name }) {
			d.f.at(a.task.pos, "two actions that plans run are called %q once blanks are -", r.Name)
		}
		if d.static() {
			out = append(out, r) // the task is checked with the other actions
			continue
		}
		vals, err := a.values(nil)
		if err != nil {
			d.f.at(a.task.pos, "%v", err)
			continue
		}
		vars := map[string]any{rootArgs: vals}
		for k, v := range d.vars {
			vars[k] = v
		}
		r.Task = p.actionTask(&decoder{f: d.f, vars: vars}, a, images, pods)
		out = append(out, r)
	}
	return out
}
