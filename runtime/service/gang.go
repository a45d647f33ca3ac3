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
