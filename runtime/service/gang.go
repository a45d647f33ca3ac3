package service

import (
	"github.com/universe-dcos/universe/runtime/core"
	"github.com/universe-dcos/universe/runtime/service/sched"
)

// bindGangs holds the instances of a gang back while another one of it is held
// back after a failure or still ends: they start as one.
func (m *model) bindGangs() {
	for _, p := range m.pods {
		if !p.spec.Gang {
			continue
		}
		late := p.late()
		if late == nil {
			continue
		}
		for _, in := range p.toLaunch() {
			in.action = actNone
			in.why = &Why{Reason: WhyGang, Instance: core.InstanceKey(p.spec.Name, late.index)}
		}
	}
}

// late is the first instance that will want a place, and not yet.
func (p *pod) late() *instance {
	for _, in := range p.instances {
		if in.state == StateKilling || in.until != 0 {
			return in
		}
	}
	return nil
}

// gangFits counts how many of a gang's instances would fit into all that is free.
func (m *model) gangFits(p *pod, list []*instance) int {
	pl := &placing{m: m, pod: p}
	return len(list) - len(pl.placeAll(list, sched.FreeRooms(m.view, m.role()), try))
}

// keep keeps the offers that a gang can use until it has all that it needs: with
// them declined each time, those for all of it might never come together. One
// gang at a time does that, the first of the step, or two could keep from each
// other what both need; and not for long, since nobody else gets them meanwhile.
func (m *model) keep(p *pod, in *instance, rooms []*sched.Room, r *sched.Result) {
	if m.keeping || len(rooms) == 0 {
		return
	}
	m.keeping = true
	need, tally := sched.NeedOf(in.toLaunch()), m.newTally(p, nil)
	for _, room := range rooms {
		until := room.Deadline.Add(-sched.GiveBack)
		if room.Role != m.role() || len(room.Tasks) > 0 || m.now >= until || need.Missing(room.Usable()) != nil || !tally.possible(room.Agent) {
			continue
		}
		room.Keep, room.Held = true, true
		if r.Wake == 0 || until < r.Wake {
			r.Wake = until
		}
	}
}
