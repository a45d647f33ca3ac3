package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/universe-dcos/universe/runtime/cluster"
)

func (s *State) putService(c PutService) {
	id := c.Spec.ID
	where := Event{Service: id}
	if why := invalidService(c); why != "" {
		s.refuse(CodeInvalid, where, "service %q: %s", bounded(string(id), maxName), why)
		return
	}
	old := s.v.Service(id)
	if !s.expected(old, id, c.Expect) {
		return
	}
	n := &Service{Spec: c.Spec, Installation: c.Installation}
	if n.Installation == nil && old != nil {
		n.Installation = old.Installation
	}
	if code, why := s.refusedChange(old, n, c.Over); code != "" {
		s.refuse(code, where, "service %q: %s", id, why)
		return
	}
	s.change(old, n, 0)
}

// expected reports whether a service is as whoever wants to change it saw it, or
// refuses the command.
func (s *State) expected(old *Service, id cluster.ServiceID, want *int64) bool {
	where := Event{Service: id}
	switch {
	case old != nil && old.Removing:
		s.refuse(CodeConflict, where, "service %q is being removed; wait until it is gone", id)
	case want == nil || *want == generation(old):
		return true
	case old != nil && *want == 0:
		s.refuse(CodeExists, where, "service %q exists already", id)
	default:
		s.refuse(CodeConflict, where, "service %q is at generation %d, not %d: it changed meanwhile", id, generation(old), *want)
	}
	return false
}

func generation(s *Service) int64 {
	if s == nil {
		return 0
	}
	return s.Generation
}

// refusedChange says why a service cannot become another now. Two changes are
// never mixed: over, the one that is under way is given up.
func (s *State) refusedChange(old, n *Service, over bool) (Code, string) {
	if old == nil {
		return s.refusedLeftovers(n)
	}
	if old.Changing() && !over {
		return CodeConflict, fmt.Sprintf("its change of generation %d is under way; wait until it is done, roll it back, or replace it", old.Generation)
	}
	for _, name := range sortedKeys(old.Plans) {
		if !ofChange(name) && old.Plans[name].Running() && !over {
			return CodeConflict, fmt.Sprintf("its plan %q is under way; wait until it has ended, or stop it", name)
		}
	}
	for _, r := range s.stepRuns(n.Spec.ID) {
		if r.Spec.Plan.NoReturn && r.State == RunActive {
			return CodeConflict, fmt.Sprintf("step %q runs, and closes the way back when it is done; wait for its end", r.Spec.Plan.Key)
		}
	}
	if why := keepsVolumes(old.Places, &old.Spec, &n.Spec); why != "" {
		return CodeInvalid, why
	}
	return "", ""
}

// keepsVolumes says which pod with places would have other volumes than they.
func keepsVolumes(places map[string]*cluster.Place, old, n *cluster.ServiceSpec) string {
	const wayOut = "; give the pod another name, or scale it to 0 and release its places first: their data goes"
	for _, k := range sortedKeys(places) {
		name, _, _ := splitInstance(k)
		pod := podOf(n, name)
		if pod == nil {
			continue // its place stays until it is released
		}
		if why := disagrees(places[k], pod); why != "" {
			return fmt.Sprintf("the place of %q: %s%s", k, why, wayOut)
		}
		if was := podOf(old, name); was != nil && !slices.Equal(was.Volumes, pod.Volumes) {
			return fmt.Sprintf("the volumes of pod %q cannot change under its places%s", name, wayOut)
		}
	}
	return ""
}

func (s *State) refusedLeftovers(n *Service) (Code, string) {
	l := s.v.Leftover(n.Spec.ID)
	if l == nil {
		return "", ""
	}
	const wayOut = "; install it as it was, under another id, or destroy what is left first"
	if role := cluster.PlaceRole(&n.Spec); role != l.Role {
		return CodeConflict, fmt.Sprintf("data of a service of before is kept for role %q, and not for %q%s", l.Role, role, wayOut)
	}
	for _, k := range sortedKeys(l.Places) {
		name, _, _ := splitInstance(k)
		if pod := podOf(&n.Spec, name); pod != nil {
			if why := disagrees(l.Places[k], pod); why != "" {
				return CodeConflict, fmt.Sprintf("data of a service of before is kept for %q: %s%s", k, why, wayOut)
			}
		}
	}
	return "", ""
}

// change stores a service with its new spec and starts the plan that leads to
// it. back is the generation that a rollback brings back.
func (s *State) change(old, n *Service, back int64) {
	n.Generation, n.Created, n.Updated, n.Principal = s.v.index, s.v.at, s.v.at, s.by
	if n.Spec.Role == "" {
		n.Spec.Role = cluster.DefaultRole
	}
	plan := cluster.PlanDeploy
	if old != nil {
		n.Created, n.Settled, n.NoReturn, n.NoReturnBy = old.Created, old.Settled, old.NoReturn, old.NoReturnBy
		n.Places, n.Plans = old.Places, old.Plans
		n.History = remember(old)
		if n.Settled > 0 {
			plan = cluster.PlanUpdate
		}
	}
	s.emit(Event{Kind: EventServicePut, Service: n.Spec.ID})
	if old == nil {
		s.adoptLeftovers(n)
	}
	for _, name := range sortedKeys(n.Plans) {
		if n.Plans[name].Running() {
			s.endPlan(n, name, "replaced")
		}
		if _, there := n.Spec.Phases(name); !there {
			n.Plans = without(n.Plans, name)
		}
	}
	s.startPlan(n, plan, back)
	s.v.services.put(string(n.Spec.ID), n)
	s.renewInstances(n)
	for _, r := range s.stepRuns(n.Spec.ID) { // of the plans that were replaced
		s.endRunEarly(r)
	}
}

// remember gives the history of a service with its present spec added. The
// latest spec that was brought up completely is kept above all others.
func remember(svc *Service) []Revision {
	out := append(slices.Clone(svc.History), Revision{Generation: svc.Generation, Spec: svc.Spec, Installation: svc.Installation,
		At: svc.Updated, Principal: svc.Principal, Settled: !svc.Changing()})
	if len(out) > MaxHistory {
		oldest := 0
		if !slices.ContainsFunc(out[1:], func(r Revision) bool { return r.Settled }) && out[0].Settled {
			oldest = 1
		}
		out = slices.Delete(out, oldest, oldest+1)
	}
	return out
}

func (s *State) rollbackService(c RollbackService) {
	where := Event{Service: c.Service}
	old := s.v.Service(c.Service)
	if old == nil {
		s.refuse(CodeNotFound, where, "there is no service %q", bounded(string(c.Service), maxName))
		return
	}
	if !s.expected(old, c.Service, c.Expect) {
		return
	}
	to := old.before(c.Generation)
	switch {
	case to == nil && c.Generation == 0:
		s.refuse(CodeNotFound, where, "service %q has no spec of before that worked and differs; its history says what there is, by generation", c.Service)
		return
	case to == nil:
		s.refuse(CodeNotFound, where, "service %q has no spec of generation %d; its history says which there are", c.Service, c.Generation)
		return
	case to.Generation < old.NoReturn:
		s.refuse(CodeConflict, where, "service %q cannot go back to generation %d: %q was done at generation %d and closed the way", c.Service, to.Generation, old.NoReturnBy, old.NoReturn)
		return
	}
	n := &Service{Spec: to.Spec, Installation: to.Installation}
	if code, why := s.refusedChange(old, n, true); code != "" {
		s.refuse(code, where, "service %q: %s", c.Service, why)
		return
	}
	s.change(old, n, to.Generation)
}

// before gives a spec of before: of a generation, or with 0 the latest that was
// brought up completely and differs from the present one. Where none ever was
// brought up, it is the latest that differs.
func (s *Service) before(gen int64) *Revision {
	var latest *Revision
	worked := s.Settled > 0
	for i := len(s.History) - 1; i >= 0; i-- {
		r := &s.History[i]
		if gen != 0 {
			if r.Generation == gen {
				return r
			}
			continue
		}
		if sameSpec(&r.Spec, &s.Spec) {
			continue
		}
		if r.Settled {
			return r
		}
		if latest == nil && !worked {
			latest = r
		}
	}
	return latest
}

// sameSpec compares specs as the log has them, where nothing and empty are one.
func sameSpec(a, b *cluster.ServiceSpec) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func (s *State) settleService(c SettleService) {
	where := Event{Service: c.Service}
	old := s.v.Service(c.Service)
	switch {
	case old == nil:
		s.refuse(CodeNotFound, where, "there is no service %q", bounded(string(c.Service), maxName))
	case old.Removing:
		s.refuse(CodeConflict, where, "service %q is being removed", c.Service)
	case old.Generation != c.Generation || !old.Changing():
		s.refuse(CodeConflict, where, "service %q is at generation %d and settled at %d", c.Service, old.Generation, old.Settled)
	default:
		n := *old
		n.Settled = n.Generation
		s.emit(Event{Kind: EventServiceSettled, Service: c.Service})
		for _, name := range sortedKeys(n.Plans) {
			if ofChange(name) && n.Plans[name].Running() {
				p := *n.Plans[name]
				p.Ended = max(s.v.at, 1)
				n.Plans = with(n.Plans, name, &p)
			}
		}
		s.v.services.put(string(c.Service), &n)
	}
}
