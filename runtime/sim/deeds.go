package sim

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service"
)

// home names an instance of a service, which may have a place.
type home struct {
	service  cluster.ServiceID
	instance string // core.InstanceKey
}

// deed is something that must not happen twice once it went well: a ONCE task on
// the volumes of its instance, or a step of one start of a plan.
type deed struct {
	service cluster.ServiceID
	what    string // the instance and its task, or the plan
	step    string // cluster.StepKey
	of      int64  // the birth of a volume, or the start of the plan
}

// doer is who did a deed.
type doer struct {
	task cluster.TaskID
	run  cluster.RunID
}

// deeds is what the simulator remembers of places and of what was done for good,
// whatever the core remembers.
type deeds struct {
	places   map[home]*cluster.Place
	given    map[home]bool              // somebody who may wants another place
	going    map[cluster.ServiceID]bool // removed with their data
	done     map[deed]doer
	released int // places
}

func newDeeds() deeds {
	return deeds{places: map[home]*cluster.Place{}, given: map[home]bool{}, going: map[cluster.ServiceID]bool{}, done: map[deed]doer{}}
}

// byFramework reports whether a command is the service framework's own.
func byFramework(principal string) bool { return principal == "framework:"+string(service.Framework) }

// watchPlaces follows what a command did to places, and sees that none is given
// up which nobody gave up, and none is forgotten.
func (s *Sim) watchPlaces(v *core.View, c core.Command, events []core.Event) {
	if core.Refused(events) == nil {
		s.asksForPlaces(v, c)
	}
	for i := range events {
		e := &events[i]
		h := home{e.Service, e.Instance}
		switch e.Kind {
		case core.EventPlaceMade:
			s.placeMade(h, c.(core.AcceptOffers))
		case core.EventPlaceReleased:
			s.placeReleased(h, c)
		case core.EventServiceForgotten:
			delete(s.deeds.going, e.Service)
		}
	}
	switch c.(type) {
	case core.AcceptOffers, core.ReleasePlaces, core.ReleaseLeftovers, core.PutService, core.RollbackService, core.ForgetService, core.AgentGone, core.RegisterAgent:
		s.placesAgree(v)
	}
}

// asksForPlaces notes who wants places given up, and whether they may.
func (s *Sim) asksForPlaces(v *core.View, c core.Command) {
	switch c := c.(type) {
	case core.RemoveService:
		s.deeds.going[c.Service] = !c.KeepData
	case core.RestartInstance:
		if !c.Replace {
			return
		}
		h := home{c.Service, core.InstanceKey(c.Pod, c.Index)}
		s.deeds.given[h] = true
		if p := s.deeds.places[h]; p != nil && byFramework(c.Principal) {
			s.judgeRecovery(v, c, p)
		}
	}
}

// judgeMade sees that no two instances of a unique pod get places on one agent.
func (s *Sim) judgeMade(v *core.View, made []core.PlaceFor) {
	for i := range made {
		m := &made[i]
		k := podKey{m.Service, m.Pod}
		p := podOf(v, k)
		if p == nil || !p.Unique {
			continue
		}
		n := 0
		for j := range made {
			if made[j].Service == m.Service && made[j].Pod == m.Pod && made[j].Place.Agent == m.Place.Agent {
				n++
			}
		}
		for index := range p.Count {
			if there := v.Service(m.Service).Places[core.InstanceKey(m.Pod, index)]; there != nil && there.Agent == m.Place.Agent {
				n++
			}
		}
		if n > 1 {
			s.fail("%d instances of the unique pod %s.%s get places on agent %s", n, m.Service, m.Pod, m.Place.Agent)
		}
	}
}

// judgeRecovery sees that an instance gets another place by itself only where
// its pod says so, and when its agent is away for as long as it says.
func (s *Sim) judgeRecovery(v *core.View, c core.RestartInstance, p *cluster.Place) {
	pod, a := podOf(v, podKey{c.Service, c.Pod}), v.Agent(p.Agent)
	switch {
	case pod == nil || pod.Recovery == nil:
		s.fail("%s-%d of %s is replaced, and its pod does not say so", c.Pod, c.Index, c.Service)
	case a == nil || a.State == cluster.AgentGone:
	case a.State != cluster.AgentUnreachable || s.now.Sub(a.Since) < pod.Recovery.ReplaceAfter:
		s.fail("%s-%d of %s is replaced, and its agent %s is %s since %d ms", c.Pod, c.Index, c.Service, p.Agent, a.State, s.now.Sub(a.Since))
	}
}

func (s *Sim) placeMade(h home, c core.AcceptOffers) {
	if s.deeds.places[h] != nil {
		s.fail("%s of %s gets a second place", h.instance, h.service)
	}
	for i := range c.Places {
		if m := &c.Places[i]; m.Service == h.service && core.InstanceKey(m.Pod, m.Index) == h.instance {
			s.deeds.places[h] = &m.Place
		}
	}
}

func (s *Sim) placeReleased(h home, c core.Command) {
	p := s.deeds.places[h]
	switch c := c.(type) {
	case core.ReleasePlaces:
		if byFramework(c.Principal) && !s.deeds.going[h.service] && !s.deeds.given[h] {
			s.fail("the place of %s of %s is given up with its data, and nobody asked for it", h.instance, h.service)
		}
	case core.ReleaseLeftovers:
	default:
		if p == nil || s.agent(p.Agent) != nil {
			s.fail("%s gives up the place of %s of %s", c.Kind(), h.instance, h.service)
		}
	}
	if p == nil {
		s.fail("%s of %s gives up a place that nobody made", h.instance, h.service)
		return
	}
	for _, vol := range p.Volumes {
		delete(s.custody.born, place{p.Agent, cluster.VolumeName{Role: p.Stack.Role(), ID: vol.ID}})
	}
	s.deeds.released++
	delete(s.deeds.places, h)
	delete(s.deeds.given, h)
}

// placesAgree sees that the core has all places and no other, each as it was made.
func (s *Sim) placesAgree(v *core.View) {
	n := 0
	see := func(id cluster.ServiceID, places map[string]*cluster.Place) {
		n += len(places)
		for _, k := range slices.Sorted(maps.Keys(places)) {
			was, is := s.deeds.places[home{id, k}], places[k]
			if was == nil || was.Agent != is.Agent || !reflect.DeepEqual(was.Ports, is.Ports) || !slices.Equal(was.Volumes, is.Volumes) {
				s.fail("%s of %s has the place %+v, which was made as %+v", k, id, is, was)
			}
		}
	}
	for svc := range v.Services() {
		see(svc.Spec.ID, svc.Places)
	}
	for l := range v.Leftovers() {
		see(l.Service, l.Places)
	}
	if n != len(s.deeds.places) {
		s.fail("there are %d places, and %d were made and not given up", n, len(s.deeds.places))
	}
}

// deedOf is what a task does for good; false when it does no such thing.
func (s *Sim) deedOf(t *task) (deed, bool) {
	if r := s.View().Run(t.spec.Run); t.spec.Run != "" {
		if r == nil || r.Spec.Plan == nil {
			return deed{}, false
		}
		return deed{r.Spec.Service, r.Spec.Plan.Plan, r.Spec.Plan.Key, r.Spec.Plan.Started}, true
	}
	if t.spec.Goal != cluster.GoalOnce || t.spec.Service == "" || len(t.sees) == 0 {
		return deed{}, false
	}
	return deed{service: t.spec.Service, what: core.InstanceKey(t.spec.Pod, t.spec.Index) + "." + t.spec.Task, of: s.custody.tasks[t.spec.ID][t.sees[0]]}, true
}

// starts sees that a task which starts does nothing that was done for good.
func (s *Sim) starts(t *task) {
	if d, ok := s.deedOf(t); ok && s.deeds.done[d].task != "" {
		s.fail("task %s does again what %s did: %s %s of %s", t.spec.ID, s.deeds.done[d].task, d.what, d.step, d.service)
	}
}

// finished notes a task that did well what it had to.
func (s *Sim) finished(t *task) {
	if d, ok := s.deedOf(t); ok {
		s.deeds.done[d] = doer{t.spec.ID, t.spec.Run}
	}
}

// unheard forgets what tasks did well and nobody will ever hear of: their
// machine has lost its disk.
func (s *Sim) unheard(tasks []*task) {
	for _, t := range tasks {
		if len(t.outbox) > 0 {
			maps.DeleteFunc(s.deeds.done, func(_ deed, by doer) bool { return by.task == t.spec.ID })
		}
	}
}

// watchSteps forgets what is to be done again, or counts as not done: a person
// wants it, or the run was canceled.
func (s *Sim) watchSteps(events []core.Event) {
	for i := range events {
		e := &events[i]
		switch {
		case e.Kind == core.EventPlanCalled && e.State == string(core.VerbRestart):
			maps.DeleteFunc(s.deeds.done, func(d deed, _ doer) bool {
				return d.service == e.Service && d.what == e.Plan && (d.step == e.Step || strings.HasPrefix(d.step, e.Step+"/"))
			})
		case e.Kind == core.EventRunEnded && e.State == string(core.RunCanceled):
			maps.DeleteFunc(s.deeds.done, func(_ deed, by doer) bool { return by.run == e.Run })
		}
	}
}
