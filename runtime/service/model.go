package service

import (
	"maps"
	"math"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// model is one service as it is wanted and as it is.
type model struct {
	*world
	svc      *core.Service
	pods     []*pod
	byName   map[string]*pod
	extra    []*cluster.Task // active tasks that no pod of the spec wants
	over     map[*pod]int    // the highest index beyond the count that has tasks, of pods with volumes
	active   int             // active tasks of the service, those of its runs too
	change   *plan           // leads to the present spec
	phases   []*phase        // of the change
	beforeOf map[string]*pod // pods as they were before the change
	byHand   []*plan         // that a person started
	runs     []sched.Run     // of plans, that are due
	wakeAt   cluster.Time    // when time alone changes something for a plan; 0: never
	goesBack bool            // to the spec of before, in this step
	stuck    bool            // something is wanted that other services decide
}

// pod is a pod of the spec with its instances.
type pod struct {
	spec      *cluster.PodSpec
	instances []*instance
	hash      string
	of        int64 // the generation it is of; 0: the present one
	refs      []cluster.Ref
	refsKnown bool
	ready     int   // instances that are ready, or finished, and are to stay so
	stages    []int // of its tasks; nil: all are launched together
	staged    bool  // stages is reckoned
}

// instance is one instance of a pod: what is there of it, and what is to be done.
type instance struct {
	m     *model
	pod   *pod
	index int
	rec   *core.Instance   // see record
	live  []*cluster.Task  // active tasks of its newest launch
	one   [1]*cluster.Task // where live begins: most pods have one task
	old   []*cluster.Task  // active tasks of launches before

	home    *cluster.Place // where it lives; nil: its pod has no volumes, or it has no place yet
	replace bool           // it is to get another place

	from   *pod         // it is launched as it was before a change; nil: as it is wanted
	lost   bool         // recovery wants another place for it
	lostAt cluster.Time // when it will; 0: never by time alone

	going     string // see goesOn
	continued bool   // going is reckoned

	ready    uint64 // bits of the tasks of the present template that were ready once
	proven   bool   // all were: what is missing now is brought back, not deployed
	outdated bool   // live is of another template, or holds an address that is no longer true

	state  State
	action action
	why    *Why
	until  cluster.Time // for StateBackoff

	launchBy cluster.Time // when its launch is given up; 0: the agent confirmed it

	to *cluster.Agent // where there is room for it, of one that leaves its agent for that
}

type action uint8

const (
	actNone    action = iota
	actLaunch         // launch it where there is room, or where it lives
	actKill           // end live
	actPlace          // make a place for it
	actRelease        // give its place up
)

// newModel reads a service out of a view and decides what is to be done.
func newModel(w *world, svc *core.Service) *model {
	m := &model{world: w, svc: svc, byName: make(map[string]*pod, len(svc.Spec.Pods))}
	for i := range svc.Spec.Pods {
		spec := &svc.Spec.Pods[i]
		p := &pod{spec: spec, instances: make([]*instance, spec.Count)}
		block := make([]instance, spec.Count)
		for j := range block {
			block[j] = instance{m: m, pod: p, index: j}
			p.instances[j] = &block[j]
		}
		m.pods = append(m.pods, p)
		m.byName[spec.Name] = p
	}
	for t := range w.view.ServiceTasks(svc.Spec.ID) {
		m.add(t)
	}
	if svc.Removing {
		return m
	}
	for _, p := range m.pods {
		for _, in := range p.instances {
			m.findPlace(in)
			m.observe(in)
			if in.state == StateReady || in.state == StateFinished {
				p.ready++
			}
		}
	}
	m.order()
	m.decide()
	m.runPlans()
	m.bindGangs()
	m.evict()
	return m
}

// end decides that an instance is to end, of our own will.
func (in *instance) end() {
	if in.state == StateReady {
		in.pod.ready--
	}
	in.action, in.state = actKill, StateKilling
}

// spares reports whether a pod has MinReady instances ready without this one.
func (p *pod) spares(in *instance) bool {
	return in.state != StateReady || p.ready > p.spec.MinReady
}

// record is what the core remembers of an instance. It is read only when it is
// asked for: of an instance that runs, nobody asks.
func (in *instance) record() *core.Instance {
	if in.rec == nil {
		rec := in.m.view.Instance(in.m.svc.Spec.ID, in.pod.spec.Name, in.index)
		in.rec = &rec
	}
	return in.rec
}

// add puts a task where it belongs.
func (m *model) add(t *cluster.Task) {
	if t.Active() {
		m.active++
	}
	if t.Spec.Run != "" || t.Spec.Framework != Framework {
		return
	}
	p := m.byName[t.Spec.Pod]
	if p == nil || t.Spec.Index < 0 || t.Spec.Index >= len(p.instances) {
		if t.Active() {
			m.extra = append(m.extra, t)
			if p != nil && len(p.spec.Volumes) > 0 && t.Status.State != cluster.TaskUnreachable {
				if m.over == nil {
					m.over = map[*pod]int{}
				}
				m.over[p] = max(m.over[p], t.Spec.Index)
			}
		}
		return
	}
	in := p.instances[t.Spec.Index]
	if wasReady(t) && m.sameTemplate(p, t) {
		in.ready |= p.bit(t.Spec.Task)
	}
	if !t.Active() {
		return
	}
	switch {
	case len(in.live) == 0:
		in.live = append(in.one[:0], t)
	case sched.LaunchOf(in.live[0].Spec.ID) == sched.LaunchOf(t.Spec.ID):
		in.live = append(in.live, t)
	case newer(t, in.live[0]):
		in.old = append(in.old, in.live...)
		in.live = []*cluster.Task{t}
	default:
		in.old = append(in.old, t)
	}
}

// bit stands for a task of the pod in a set; 0 when it has none of that name.
func (p *pod) bit(task string) uint64 {
	for i := range p.spec.Tasks {
		if p.spec.Tasks[i].Name == task {
			return 1 << i
		}
	}
	return 0
}

// newer reports whether a was launched after b: suffixes are numbers in base 36.
func newer(a, b *cluster.Task) bool {
	return newerLaunch(sched.LaunchOf(a.Spec.ID), sched.LaunchOf(b.Spec.ID))
}

func newerLaunch(x, y string) bool {
	if len(x) != len(y) {
		return len(x) > len(y)
	}
	return x > y
}

func wasReady(t *cluster.Task) bool {
	if t.Status.Ready {
		return true
	}
	for i := range t.History {
		if t.History[i].Ready {
			return true
		}
	}
	return false
}

// sameTemplate reports whether a task was made from the pod as it is wanted now.
func (m *model) sameTemplate(p *pod, t *cluster.Task) bool {
	if t.Spec.Generation == m.svc.Generation {
		return true // saves the hash in the ordinary case
	}
	template, _ := sched.SplitHash(t.Spec.Hash)
	return template == p.templateHash()
}

func (p *pod) templateHash() string {
	if p.hash == "" {
		p.hash = sched.TemplateHash(p.spec.Tasks, p.spec.Network, p.spec.Volumes...)
	}
	return p.hash
}

// openRefs are the references of instance index to other instances.
func (p *pod) openRefs(index int) []cluster.Ref {
	if !p.refsKnown {
		p.refs, p.refsKnown = sched.OpenRefs(p.spec.Tasks, "", -1), true
	}
	if len(p.refs) == 0 {
		return nil
	}
	out := make([]cluster.Ref, 0, len(p.refs))
	for _, r := range p.refs {
		if r.Service != "" || r.Pod != p.spec.Name || r.Index != index {
			out = append(out, r)
		}
	}
	return out
}

// lookup gives what references become.
func (m *model) lookup() sched.Lookup {
	return sched.Lookup{Pod: m.place, Service: m.world.other}
}

// place is where an instance is that is to stay.
func (m *model) place(name string, index int) (sched.Place, bool) {
	p := m.byName[name]
	if p == nil || index < 0 || index >= len(p.instances) {
		return sched.Place{}, false
	}
	in := p.instances[index]
	out := sched.Place{Ports: map[string]uint16{}}
	fixedPorts(p.spec, out.Ports)
	switch {
	case in.replace:
		return out, false
	case in.home != nil:
		out.Host = m.hostOf(in.home)
		maps.Copy(out.Ports, in.home.Ports)
	case len(p.spec.Volumes) > 0 || len(in.live) == 0:
		return out, false
	default:
		out.Host = in.live[0].Host
	}
	for _, t := range in.live {
		if in.home == nil && (t.Killing || t.Status.State == cluster.TaskUnreachable) {
			return out, false
		}
		maps.Copy(out.Ports, t.Spec.Ports)
	}
	return out, true
}

// fixedPorts adds the ports of a pod that are the same wherever it is.
func fixedPorts(p *cluster.PodSpec, to map[string]uint16) {
	for i := range p.Tasks {
		for _, s := range p.Tasks[i].Ports {
			if s.Port != 0 {
				to[s.Name] = s.Port
			}
		}
	}
}

// Places gives what references to a service become from outside it: in the
// actions that run against it.
func Places(view *core.View, id cluster.ServiceID) sched.Lookup {
	w := &world{view: view, lowest: math.MaxInt}
	svc := view.Service(id)
	if svc == nil || svc.Removing {
		return sched.Lookup{Pod: func(string, int) (sched.Place, bool) { return sched.Place{}, false }, Service: w.other}
	}
	return newModel(w, svc).lookup()
}

// role is the role the service's offers come under.
func (m *model) role() cluster.Role {
	if m.svc.Spec.Role == "" {
		return cluster.DefaultRole
	}
	return m.svc.Spec.Role
}

// role is the role under which a pod's instances are launched.
func (p *pod) role(m *model) cluster.Role {
	if len(p.spec.Volumes) > 0 {
		return cluster.PlaceRole(&m.svc.Spec)
	}
	return m.role()
}
