package sim

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// podKey names a pod of a service.
type podKey struct {
	service cluster.ServiceID
	pod     string
}

// judge looks at what the service framework asks for, in the state in which it
// asked: that each launch obeys the rules of its pod, that gangs are whole, that
// preemption takes only what may be taken, and that enough stays ready.
func (s *Sim) judge(f *framework, v *core.View, calls []sched.Call) {
	if f.id != service.Framework || s.CheckEvery > 1 {
		return
	}
	launches := map[podKey][]*cluster.TaskSpec{}
	agents := map[cluster.TaskID]*cluster.Agent{}
	var pods []podKey // of launches, as they come
	kills := map[cluster.TaskID]bool{}
	for _, call := range calls {
		switch c := call.(type) {
		case sched.Accept:
			o, _ := s.master.alloc.Offer(c.Offers[0])
			s.judgeMade(v, c.Places)
			for i := range c.Tasks {
				t := &c.Tasks[i]
				k := podKey{t.Service, t.Pod}
				if launches[k] == nil {
					pods = append(pods, k)
				}
				launches[k], agents[t.ID] = append(launches[k], t), &o.Agent
			}
		case sched.Kill:
			kills[c.Task] = true
			if c.Reason != "" {
				s.judgePreemption(v, c)
			}
		}
	}
	for _, k := range pods {
		if p := podOf(v, k); p != nil {
			if len(p.Volumes) == 0 { // where the others live was decided before
				s.judgePlaces(v, k, p, launches[k], agents)
			}
			s.judgeGang(v, k, p, launches[k])
		}
	}
	s.judgeReady(v, calls, kills)
}

func podOf(v *core.View, k podKey) *cluster.PodSpec {
	svc := v.Service(k.service)
	if svc == nil || svc.Removing {
		return nil
	}
	i := slices.IndexFunc(svc.Spec.Pods, func(p cluster.PodSpec) bool { return p.Name == k.pod })
	if i < 0 {
		return nil
	}
	return &svc.Spec.Pods[i]
}

// launchKey tells the launches of a pod's instances apart.
func launchKey(t *cluster.TaskSpec) string {
	return core.InstanceKey(t.Pod, t.Index) + "." + sched.LaunchOf(t.ID)
}

// placed counts the launches of a pod by the value that their agents have of an
// attribute: those that may run, and new ones. fresh are the values of the new ones.
func placed(v *core.View, k podKey, p *cluster.PodSpec, attribute string, launches []*cluster.TaskSpec, agents map[cluster.TaskID]*cluster.Agent) (counts map[string]int, fresh []string, old int) {
	counts, seen := map[string]int{}, map[string]bool{}
	for t := range v.ServiceTasks(k.service) {
		if !t.Active() || t.Spec.Run != "" || t.Spec.Framework != service.Framework || t.Spec.Pod != p.Name || t.Spec.Index >= p.Count || seen[launchKey(&t.Spec)] {
			continue
		}
		seen[launchKey(&t.Spec)] = true
		counts[value(&v.Agent(t.Agent).Info, attribute)]++
		old++
	}
	for _, t := range launches {
		if !seen[launchKey(t)] {
			seen[launchKey(t)] = true
			counts[value(agents[t.ID], attribute)]++
			fresh = append(fresh, value(agents[t.ID], attribute))
		}
	}
	return counts, fresh, old
}

// value is an agent's value of an attribute.
func value(a *cluster.Agent, attribute string) string {
	switch {
	case attribute == cluster.AttributeHostname:
		return a.Hostname
	case attribute == cluster.AttributeZone && a.Domain != nil:
		return a.Domain.Zone
	case attribute == cluster.AttributeRegion && a.Domain != nil:
		return a.Domain.Region
	}
	return a.Attributes[attribute]
}

// judgePlaces sees that all rules of a pod hold where it is launched.
func (s *Sim) judgePlaces(v *core.View, k podKey, p *cluster.PodSpec, launches []*cluster.TaskSpec, agents map[cluster.TaskID]*cluster.Agent) {
	rules := slices.Clone(p.Placement)
	if p.Unique {
		rules = append(rules, cluster.Constraint{Attribute: cluster.AttributeHostname, Operator: cluster.OpUnique})
	}
	for _, r := range rules {
		counts, fresh, old := placed(v, k, p, r.Attribute, launches, agents)
		number, _ := strconv.Atoi(r.Value)
		for _, at := range fresh {
			ok := at != "" && holdsAt(r, at)
			switch r.Operator {
			case cluster.OpUnlike:
				ok = holdsAt(r, at)
			case cluster.OpUnique:
				ok = ok && counts[at] == 1
			case cluster.OpMaxPer:
				ok = ok && counts[at] <= number
			case cluster.OpGroupBy:
				ok = ok && counts[at] <= 1+emptiest(v, p, r, number, counts)
			case cluster.OpCluster:
				ok = ok && (r.Value != "" || old > 0 && counts[at] > tally(fresh, at) || old == 0 && counts[at] == len(fresh))
			}
			if !ok {
				s.fail("rule %v of %s.%s does not hold for a launch at %q, with %v in all", r, k.service, k.pod, at, counts)
			}
		}
	}
}

func tally(list []string, of string) int {
	n := 0
	for _, x := range list {
		if x == of {
			n++
		}
	}
	return n
}

// holdsAt is a rule that looks at one agent only; true for those that count.
func holdsAt(r cluster.Constraint, at string) bool {
	switch r.Operator {
	case cluster.OpLike, cluster.OpUnlike:
		whole, err := regexp.MatchString("^(?:"+r.Value+")$", at)
		return err == nil && (at != "" && whole) == (r.Operator == cluster.OpLike)
	case cluster.OpIs:
		return at == r.Value
	case cluster.OpCluster:
		return r.Value == "" || at == r.Value
	}
	return true
}

// emptiest is how many instances the group with the fewest has, among the values
// of agents that get tasks and obey all other rules.
func emptiest(v *core.View, p *cluster.PodSpec, by cluster.Constraint, groups int, counts map[string]int) int {
	least, seen := -1, map[string]bool{}
	for a := range v.Agents() {
		at := value(&a.Info, by.Attribute)
		others := !slices.ContainsFunc(p.Placement, func(r cluster.Constraint) bool {
			x := value(&a.Info, r.Attribute)
			return !holdsAt(r, x) || x == "" && r.Operator != cluster.OpUnlike
		})
		if !a.Offerable() || at == "" || !others {
			continue
		}
		seen[at] = true
		if n := counts[at]; least < 0 || n < least {
			least = n
		}
	}
	if len(seen) < groups {
		return 0
	}
	return least
}

// judgeGang sees that no instance of a gang that wants a place is left behind.
func (s *Sim) judgeGang(v *core.View, k podKey, p *cluster.PodSpec, launches []*cluster.TaskSpec) {
	if !p.Gang {
		return
	}
	launched := map[int]bool{}
	for _, t := range launches {
		launched[t.Index] = true
	}
	st, _ := service.StatusOf(s.master.stepped, v, k.service)
	for _, ps := range st.Pods {
		for _, in := range ps.Instances {
			if ps.Name == k.pod && !launched[in.Index] && wantsPlace(&in) && in.State == service.StateWaiting {
				s.fail("%d instances of the gang %s.%s are launched, and %s is left behind", len(launched), k.service, k.pod, in.Name)
			}
		}
	}
}

// wantsPlace reports whether an instance lacks nothing but a place.
func wantsPlace(in *service.InstanceStatus) bool {
	if in.Why == nil {
		return false
	}
	switch in.Why.Reason {
	case service.WhyBackoff, service.WhyPhase, service.WhyTurn, service.WhyReference:
		return false
	}
	return true
}

// judgePreemption sees that a task that is to give its place may be asked to,
// and that somebody more important wants one.
func (s *Sim) judgePreemption(v *core.View, c sched.Kill) {
	t := v.Task(c.Task)
	if t == nil || v.Service(t.Spec.Service) == nil {
		s.fail("task %s is preempted, and is of no service", c.Task)
		return
	}
	victim := &v.Service(t.Spec.Service).Spec
	if c.Reason != cluster.ReasonPreempted || !victim.Preemptible {
		s.fail("task %s is ended with reason %s; its service is preemptible: %t", c.Task, c.Reason, victim.Preemptible)
		return
	}
	for _, st := range service.Statuses(s.master.stepped, v) {
		if svc := v.Service(st.ID); svc.Removing || svc.Spec.Priority <= victim.Priority {
			continue
		}
		for _, p := range st.Pods {
			if slices.ContainsFunc(p.Instances, func(in service.InstanceStatus) bool { return wantsPlace(&in) }) {
				return
			}
		}
	}
	s.fail("task %s of priority %d is preempted, and nobody more important waits", c.Task, victim.Priority)
}

// judgeReady sees that of every pod whose instances are ended of our own will
// as many stay ready as it asks for.
func (s *Sim) judgeReady(v *core.View, calls []sched.Call, kills map[cluster.TaskID]bool) {
	judged := map[podKey]bool{}
	for _, call := range calls {
		c, ok := call.(sched.Kill)
		if !ok || c.Reason != "" || v.Task(c.Task) == nil {
			continue
		}
		k := podKey{v.Task(c.Task).Spec.Service, v.Task(c.Task).Spec.Pod}
		p := podOf(v, k)
		if p == nil || p.MinReady == 0 || judged[k] {
			continue
		}
		judged[k] = true
		before, after := ready(v, k, p, kills)
		if after < before && after < p.MinReady {
			s.fail("of %s.%s %d instances are ready, and %d would be left of at least %d", k.service, k.pod, before, after, p.MinReady)
		}
	}
}

// ready counts the instances of a pod that are ready, and those that are after kills.
func ready(v *core.View, k podKey, p *cluster.PodSpec, kills map[cluster.TaskID]bool) (before, after int) {
	newest, tasks := map[int]string{}, map[int][]*cluster.Task{}
	for t := range v.ServiceTasks(k.service) {
		if !t.Active() || t.Spec.Run != "" || t.Spec.Pod != p.Name || t.Spec.Index >= p.Count {
			continue
		}
		i, launch := t.Spec.Index, sched.LaunchOf(t.Spec.ID)
		if old := newest[i]; len(launch) > len(old) || len(launch) == len(old) && launch > old {
			newest[i], tasks[i] = launch, nil
		}
		if newest[i] == launch {
			tasks[i] = append(tasks[i], t)
		}
	}
	for i := range p.Count {
		ok, killed := len(tasks[i]) > 0 && whole(v, k, p, i, tasks[i]), false
		for _, t := range tasks[i] {
			// One that runs once has to be over, unless the pod wants it no more.
			wanted := slices.ContainsFunc(p.Tasks, func(w cluster.TaskTemplate) bool { return w.Name == t.Spec.Task })
			ok = ok && !t.Killing && (t.Status.Ready && t.Spec.Goal == cluster.GoalRunning || !wanted)
			killed = killed || kills[t.Spec.ID]
		}
		if ok {
			before++
			if !killed {
				after++
			}
		}
	}
	return before, after
}

// whole reports whether an instance has all tasks that its pod wants, or had
// those that run once. One of another template is never missing any.
func whole(v *core.View, k podKey, p *cluster.PodSpec, index int, tasks []*cluster.Task) bool {
	template, _ := sched.SplitHash(tasks[0].Spec.Hash)
	if tasks[0].Spec.Generation != v.Service(k.service).Generation && template != sched.TemplateHash(p.Tasks, p.Network) {
		return true
	}
	done := v.Instance(k.service, k.pod, index).Done
	for i := range p.Tasks {
		name := p.Tasks[i].Name
		_, once := done[name]
		if !once && !slices.ContainsFunc(tasks, func(t *cluster.Task) bool { return t.Spec.Task == name }) {
			return false
		}
	}
	return true
}
